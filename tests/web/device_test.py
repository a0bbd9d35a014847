"""The numbers of the page's own pre- and post-processing (browser/page/device), beside those of Python."""

import numpy as np
import pytest
import tensorflow as tf

from colorization import color
from colorization.browser import site
from colorization.inference import hints, processing
from tests.web.site_server import SiteServer

RNG = np.random.default_rng(0)
GREYS = np.repeat(np.arange(256)[:, np.newaxis], 3, axis=1)

RUN = """async ([file, body, args]) => {
  const module = await import(`/name/device/${file}`);
  const run = new Function("m", ...Object.keys(args), body);
  const plain = (value) => (ArrayBuffer.isView(value) ? [...value] : value);
  return plain(run(module, ...Object.values(args)));
}"""


@pytest.fixture(scope="module")
def run(browser):
    """Runs a function body in the browser with a module of the page as `m`: run(file, body, argument=value, ...)."""
    server = SiteServer(site._PAGE_DIR)
    page = browser.new_page()
    page.goto(f"{server.url}device/color.js")

    def run_in_page(file, body, **args):
        args = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in args.items()}
        return page.evaluate(RUN, [file, body, args])

    yield run_in_page
    page.close()
    server.stop()


def draw_rgb(count):
    """Random colours and all greys: uint8 (count + 256, 3)."""
    return np.concatenate([RNG.integers(0, 256, (count, 3)), GREYS]).astype(np.uint8)


def with_alpha(rgb):
    return np.concatenate([rgb, np.full_like(rgb[:, :1], 77)], axis=-1)


def test_lightness(run):
    rgb = draw_rgb(3000)
    body = "const l = new Float32Array(rgba.length / 4); m.takeLightness(Uint8ClampedArray.from(rgba), l); return l;"
    l = run("color.js", body, rgba=with_alpha(rgb).ravel())
    np.testing.assert_allclose(l, processing.to_l(rgb[:, np.newaxis])[:, 0, 0], atol=2e-6)
    assert (l[-256], l[-1]) == pytest.approx((-1, 1), abs=1e-6)  # black and white


def test_chroma_of_colours(run):
    rgb = draw_rgb(500)
    colors = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in rgb]
    ab = run("color.js", "return colors.map(m.abOfColor);", colors=colors)
    _, expected = color.rgb_to_l_ab(rgb[:, np.newaxis].astype(np.float32) / 255)
    np.testing.assert_allclose(ab, expected[:, 0], atol=2e-6)


@pytest.mark.parametrize("saturation", [0.0, 1.0, 2.0])
def test_recolouring(run, saturation):
    """Also of chroma that sRGB does not have."""
    rgb = draw_rgb(20_000)
    ab = RNG.uniform(-0.8, 0.8, (len(rgb), 2)).astype(np.float32)
    body = "const p = Uint8ClampedArray.from(rgba); m.recolor(p, Float32Array.from(ab), saturation); return p;"
    result = run("color.js", body, rgba=with_alpha(rgb).ravel(), ab=ab.ravel(), saturation=saturation)
    result = np.array(result).reshape(-1, 4)
    l = processing.to_l(rgb[:, np.newaxis])
    expected = processing.recolor(l, ab[:, np.newaxis], saturation, tf.uint8)[:, 0].numpy().astype(int)
    difference = np.abs(result[:, :3] - expected)
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 2e-3
    np.testing.assert_array_equal(result[:, 3], 77)


def test_work_shapes(run):
    sizes = RNG.integers(1, 7000, (500, 2)).tolist()
    sizes += [[2 * i, 3 * i] for i in range(1, 1500, 31)] + [[4 * i, 5 * i] for i in range(1, 1500, 31)]  # ties
    sizes += [[1, 9000], [9000, 1], [1, 1], [100, 399], [100, 401]]
    body = "return sizes.map(([h, w]) => { const s = m.workShape(h, w, 160); return [s.height, s.width]; });"
    shapes = run("processing.js", body, sizes=sizes)
    expected = [processing.work_shape(height, width, 160).numpy().tolist() for height, width in sizes]
    assert shapes == expected
    assert len({tuple(shape) for shape in expected}) > 20


@pytest.mark.parametrize("size, small", [((300, 411), (160, 224)), ((97, 500), (32, 160)), ((40, 30), (64, 32))])
def test_shrinking_in_strips(run, size, small):
    l = RNG.uniform(-1, 1, size).astype(np.float32)
    body = """
      const s = new m.Shrinker({height: size[0], width: size[1]}, {height: small[0], width: small[1]});
      for (let top = 0; top < size[0]; top += 13) s.add(Float32Array.from(l.slice(top, top + 13).flat()), top);
      return s.pixels;"""
    result = run("processing.js", body, l=l, size=size, small=small)
    expected = processing.shrink_l(l[np.newaxis, ..., np.newaxis], small)[0, ..., 0]
    np.testing.assert_allclose(np.reshape(result, small), expected, atol=1e-4)  # weights in 32-bit floats there


@pytest.mark.parametrize("size", [(50, 77), (20, 16), (32, 64)])
def test_enlarging_row_by_row(run, size):
    ab = RNG.uniform(-1, 1, (32, 64, 2)).astype(np.float32)
    body = """
      const e = new m.Enlarger(Float32Array.from(ab), {height: 32, width: 64}, {height: size[0], width: size[1]});
      const out = new Float32Array(2 * size[0] * size[1]);
      for (let y = 0; y < size[0]; y++) e.fillRow(y, out, 2 * y * size[1]);
      return out;"""
    result = run("processing.js", body, ab=ab.ravel(), size=size)
    expected = processing.upsample_ab(ab[np.newaxis], size)[0]
    np.testing.assert_allclose(np.reshape(result, (*size, 2)), expected, atol=1e-5)  # in 32-bit floats there


def test_hints(run):
    points = [
        {"x": 3.5, "y": 2, "color": "#b03a2e", "radius": 1},
        {"x": 250, "y": 120.5, "color": "#4060ff", "radius": 40},
        {"x": 260, "y": 130, "color": "#808080", "radius": 9.25},
        {"x": 399.99, "y": 199.99, "color": "#00ff00", "radius": 0.1},
        {"x": 120, "y": 64, "color": "#ffcc00", "radius": 12},
    ]
    body = "return m.drawHints(points, {height: 200, width: 400}, {height: 96, width: 192});"
    result = np.reshape(run("processing.js", body, points=points), (96, 192, 3))
    drawn = [hints.Hint(**point | {"color": tuple(bytes.fromhex(point["color"][1:]))}) for point in points]
    expected = hints.rasterize(drawn, (200, 400), (96, 192))
    np.testing.assert_array_equal(result[..., 2], expected[..., 2])
    np.testing.assert_allclose(result, expected, atol=2e-6)
