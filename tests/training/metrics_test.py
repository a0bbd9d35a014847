import numpy as np
import pytest
import skimage.color
import skimage.metrics
import tensorflow as tf

from colorization.training import metrics

# L1 a1 b1 L2 a2 b2 DeltaE00: table 1 of Sharma, Wu and Dalal 2005.
SHARMA_PAIRS = np.array(
    [
        [50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425],
        [50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615],
        [50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412],
        [50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669],
        [50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461],
        [50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065],
        [50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492],
        [50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977],
        [50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030],
        [50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000],
        [60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644],
        [63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630],
        [61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731],
        [35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645],
        [22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373],
        [36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146],
        [90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441],
        [90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381],
        [6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377],
        [2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082],
    ]
)


def random_rgb(seed, shape=(2, 24, 32, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(tf.float64, 1e-4), (tf.float32, 5e-4)])
def test_ciede2000_gives_the_published_values(dtype, tolerance, swap):
    pair = tf.constant(SHARMA_PAIRS[:, :3], dtype), tf.constant(SHARMA_PAIRS[:, 3:6], dtype)
    values = metrics.ciede2000(*reversed(pair)) if swap else metrics.ciede2000(*pair)
    assert values.dtype == dtype
    np.testing.assert_allclose(values, SHARMA_PAIRS[:, 6], rtol=0, atol=tolerance)


def test_ciede2000_agrees_with_scikit_image_over_the_whole_range():
    rng = np.random.default_rng(0)
    low, high = [0.0, -90.0, -110.0], [100.0, 100.0, 95.0]
    first, second = rng.uniform(low, high, (2, 20000, 3))
    values = metrics.ciede2000(tf.constant(first), tf.constant(second))
    np.testing.assert_allclose(values, skimage.color.deltaE_ciede2000(first, second), rtol=0, atol=1e-6)


def test_mean_ciede2000_agrees_with_scikit_image_from_8_bit():
    result, original = random_rgb(1), random_rgb(2)
    expected = skimage.color.deltaE_ciede2000(skimage.color.rgb2lab(result), skimage.color.rgb2lab(original))
    np.testing.assert_allclose(metrics.mean_ciede2000(result, original), expected.mean(axis=(1, 2)), atol=2e-3)


def test_ciede2000_is_zero_and_finite_for_equal_and_grey_colors():
    grey = np.repeat(random_rgb(3, (1, 16, 16, 1)), 3, axis=-1)
    assert metrics.mean_ciede2000(grey, grey).numpy() == [0.0]
    assert metrics.mean_ciede2000(random_rgb(3), random_rgb(3)).numpy().max() < 1e-3
    black, white = np.zeros((1, 4, 4, 3), np.uint8), np.full((1, 4, 4, 3), 255, np.uint8)
    np.testing.assert_allclose(metrics.mean_ciede2000(black, white), [100.0], atol=0.01)


def test_psnr_of_a_constant_error_is_closed_form():
    original = np.full((2, 12, 12, 3), 100, np.uint8)
    result = original.copy()
    result[0] += 10  # MSE 100
    result[1, ..., 0] += 30  # MSE 300
    np.testing.assert_allclose(
        metrics.psnr(result, original), 20 * np.log10(255) - 10 * np.log10([100.0, 300.0]), atol=1e-4
    )


def test_psnr_of_identical_images_is_the_finite_maximum():
    assert metrics.psnr(random_rgb(1), random_rgb(1)).numpy().tolist() == [100.0, 100.0]


def test_ssim_agrees_with_scikit_image_inside_the_border():
    original = random_rgb(1, (1, 40, 48, 3))
    result = np.clip(original.astype(int) + np.random.default_rng(2).integers(-60, 60, original.shape), 0, 255)
    result = result.astype(np.uint8)
    _, full = skimage.metrics.structural_similarity(
        result[0],
        original[0],
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        full=True,
    )
    expected = full[5:-5, 5:-5].mean()
    np.testing.assert_allclose(metrics.ssim(result, original), [expected], atol=1e-4)
    np.testing.assert_allclose(metrics.ssim(original, original), [1.0], atol=1e-6)


def test_colorfulness_is_zero_for_grey_and_closed_form_for_plain_colors():
    grey = np.repeat(random_rgb(1, (1, 8, 8, 1)), 3, axis=-1)
    blue = np.zeros((1, 8, 8, 3), np.uint8)
    blue[..., 2] = 200  # rg = 0, yb = -200 everywhere: 0.3 * 200
    red_green = np.zeros((1, 8, 8, 3), np.uint8)
    red_green[:, :4, :, 0] = 100
    red_green[:, 4:, :, 1] = 100  # rg = +-100 (mean 0, std 100), yb = 50 everywhere: 100 + 0.3 * 50
    values = [metrics.colorfulness(image).numpy()[0] for image in (grey, blue, red_green)]
    np.testing.assert_allclose(values, [0.0, 60.0, 115.0], rtol=1e-6)


def test_image_metrics_match_the_single_functions_inside_tf_data():
    result, original = random_rgb(1), random_rgb(2)
    dataset = tf.data.Dataset.from_tensors((result, original)).map(metrics.image_metrics)
    values = next(iter(dataset))
    assert tuple(values) == metrics.IMAGE_METRICS
    np.testing.assert_allclose(values["psnr"], metrics.psnr(result, original), rtol=1e-6)
    np.testing.assert_allclose(values["ssim"], metrics.ssim(result, original), rtol=1e-4)
    np.testing.assert_allclose(values["ciede2000"], metrics.mean_ciede2000(result, original), rtol=1e-5)
    np.testing.assert_allclose(values["colorfulness"], metrics.colorfulness(result), rtol=1e-6)
