import keras
import numpy as np
import pytest

from colorization.evaluation import fid


def make_statistics(features, batch_size=7):
    statistics = fid.FeatureStatistics(features.shape[1])
    for start in range(0, len(features), batch_size):
        statistics.update(features[start : start + batch_size])
    return statistics


def test_statistics_from_batches_equal_numpy():
    features = np.random.default_rng(0).normal(3.0, 2.0, (50, 4)).astype(np.float32)
    statistics = make_statistics(features)
    np.testing.assert_allclose(statistics.mean, features.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(statistics.covariance, np.cov(features.T), rtol=1e-6)


def test_a_shift_costs_its_square():
    features = np.random.default_rng(0).normal(size=(40, 3))
    shift = np.array([1.0, -2.0, 0.5])
    assert fid.frechet_distance(make_statistics(features), make_statistics(features + shift)) == pytest.approx(5.25)


def test_a_scale_costs_the_trace_of_its_closed_form():
    features = np.random.default_rng(1).normal(size=(40, 3))
    features -= features.mean(axis=0)
    # Covariances C and 9 C: tr(C + 9 C - 2 * 3 C) = 4 tr C.
    expected = 4.0 * np.trace(np.cov(features.T))
    assert fid.frechet_distance(make_statistics(features), make_statistics(3.0 * features)) == pytest.approx(expected)


def test_fewer_images_than_features_still_give_a_distance():
    a, b = np.random.default_rng(2).normal(size=(2, 5, 16))
    assert fid.frechet_distance(make_statistics(a), make_statistics(a)) == pytest.approx(0.0, abs=1e-6)
    assert np.isfinite(fid.frechet_distance(make_statistics(a), make_statistics(b)))


def test_meter_compares_results_and_grey_with_the_originals():
    rgb = keras.Input((256, 256, 3))
    meter = fid.FidMeter(keras.Model(rgb, keras.layers.GlobalAveragePooling2D()(rgb)))
    original = np.zeros((3, 256, 256, 3), np.uint8) + np.uint8([10, 20, 30])
    meter.update(original=original, result=original, grey=original + np.uint8([3, 0, 4]))
    assert meter.distances() == pytest.approx((0.0, 25.0), abs=1e-6)


def test_inception_normalizes_and_pools(monkeypatch):
    seen = {}

    def tiny_inception(**options):
        seen.update(options)
        image = keras.Input(options["input_shape"])
        return keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))

    monkeypatch.setattr(keras.applications, "InceptionV3", tiny_inception)
    model = fid.build_inception("imagenet")
    assert seen == {"include_top": False, "weights": "imagenet", "input_shape": (299, 299, 3), "pooling": "avg"}
    rgb = np.zeros((1, 256, 256, 3), np.float32) + np.float32([0.0, 127.5, 255.0])
    np.testing.assert_allclose(model(rgb), [[-1.0, 0.0, 1.0]], atol=1e-5)


def test_inception_has_2048_features():
    assert fid.build_inception(None).output_shape == (None, 2048)


def test_weights_that_cannot_be_had_are_one_line(monkeypatch, tmp_path):
    def offline(**_):
        raise Exception("URL fetch failure on https://example.invalid:\n  None -- no network")

    with pytest.raises(fid.InceptionWeightsError, match="missing.h5"):
        fid.build_inception(str(tmp_path / "missing.h5"))
    monkeypatch.setattr(keras.applications, "InceptionV3", offline)
    with pytest.raises(fid.InceptionWeightsError) as error:
        fid.build_inception("imagenet")
    assert "URL fetch failure" in str(error.value) and "\n" not in str(error.value)
