// What happens to a photo before and after the network: inference/processing.py and inference/hints.py for the browser.
//
// A photo passes by in strips of rows, twice: once for its lightness at the work size, and once to get its colours. So
// a large one needs little memory beside its pixels.

import { abOfColor } from "./color.js";

const STRIDE = 32; // work shapes are multiples of it
const MAX_LONG_SIDE = 4; // in work sizes

/** The size {height, width} at which the network sees a photo; in 32-bit floats, for the last bit decides at ties. */
export function workShape(height, width, workSize) {
  const { fround } = Math;
  const nearer = Math.min(fround(1 / Math.min(height, width)), fround(MAX_LONG_SIDE / Math.max(height, width)));
  const scale = fround(workSize * nearer);
  const fit = (size) => STRIDE * Math.max(1, roundHalfToEven(fround(size * scale) / STRIDE));
  return { height: fit(height), width: fit(width) };
}

function roundHalfToEven(value) {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * The weights of tf.image.resize(..., antialias=True), a triangle around each pixel.
 *
 * Returns for each pixel of the small side the first pixel of the large one that counts, and the weights from there on.
 */
export function triangleTaps(size, smallSize) {
  const scale = size / smallSize;
  const reach = Math.max(scale, 1);
  return Array.from({ length: smallSize }, (_, index) => {
    const center = (index + 0.5) * scale;
    const first = Math.max(0, Math.ceil(center - reach - 0.5));
    const last = Math.min(size - 1, Math.floor(center + reach - 0.5));
    const weights = Float64Array.from({ length: last - first + 1 }, (_, i) =>
      Math.max(0, 1 - Math.abs(first + i + 0.5 - center) / reach),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

/** Shrinks one channel without aliasing while its rows come in. */
export class Shrinker {
  #columns;
  #shares; // for each row of the photo: [row of the small picture, weight] pairs

  constructor(photo, small) {
    this.width = photo.width;
    this.smallWidth = small.width;
    this.pixels = new Float32Array(small.height * small.width);
    this.#columns = triangleTaps(photo.width, small.width);
    this.#shares = Array.from({ length: photo.height }, () => []);
    triangleTaps(photo.height, small.height).forEach(({ first, weights }, row) => {
      weights.forEach((weight, i) => this.#shares[first + i].push([row, weight]));
    });
  }

  /** Takes whole rows, the first of which is row `top` of the photo. */
  add(rows, top) {
    const small = new Float64Array(this.smallWidth);
    for (let start = 0, y = top; start < rows.length; start += this.width, y++) {
      this.#columns.forEach(({ first, weights }, x) => {
        let sum = 0;
        for (let i = 0; i < weights.length; i++) sum += weights[i] * rows[start + first + i];
        small[x] = sum;
      });
      for (const [row, weight] of this.#shares[y]) {
        const offset = row * this.smallWidth;
        for (let x = 0; x < this.smallWidth; x++) this.pixels[offset + x] += weight * small[x];
      }
    }
  }
}

/** Enlarges chroma from the work shape to a photo's size, bilinearly as tf.image.resize does, row by row. */
export class Enlarger {
  #columns;
  #rows;

  /** @param {Float32Array} ab of the work shape `small`, two for each pixel. */
  constructor(ab, small, photo) {
    this.ab = ab;
    this.smallWidth = small.width;
    this.#rows = bilinearTaps(small.height, photo.height);
    this.#columns = bilinearTaps(small.width, photo.width);
    this.blended = new Float32Array(2 * small.width);
  }

  /** Writes `ab` of row `y` of the photo into `out` from `start` on. */
  fillRow(y, out, start) {
    const { ab, blended } = this;
    const { lower, upper, fraction } = this.#rows;
    const [above, below] = [2 * this.smallWidth * lower[y], 2 * this.smallWidth * upper[y]];
    for (let i = 0; i < blended.length; i++) {
      blended[i] = ab[above + i] + fraction[y] * (ab[below + i] - ab[above + i]);
    }
    const columns = this.#columns;
    for (let x = 0, j = start; x < columns.lower.length; x++, j += 2) {
      const [left, right, t] = [2 * columns.lower[x], 2 * columns.upper[x], columns.fraction[x]];
      out[j] = blended[left] + t * (blended[right] - blended[left]);
      out[j + 1] = blended[left + 1] + t * (blended[right + 1] - blended[left + 1]);
    }
  }
}

/** For each pixel of the large side its two neighbours on the small one, and its place between them. */
function bilinearTaps(smallSize, size) {
  const [lower, upper, fraction] = [new Int32Array(size), new Int32Array(size), new Float32Array(size)];
  for (let i = 0; i < size; i++) {
    const place = ((i + 0.5) * smallSize) / size - 0.5;
    const floor = Math.floor(place);
    lower[i] = Math.max(0, floor);
    upper[i] = Math.min(smallSize - 1, Math.ceil(place));
    fraction[i] = place - floor;
  }
  return { lower, upper, fraction };
}

/**
 * Draws colour hints as discs for the network; see `rasterize` in inference/hints.py.
 *
 * @param {Array} hints {x, y, radius} in pixels of the photo and color "#rrggbb"; a later one lies on top.
 * @returns {Float32Array} three for each pixel of the work shape `small`: `ab` and 1 at covered pixels, 0 elsewhere.
 */
export function drawHints(hints, photo, small) {
  const raster = new Float32Array(3 * small.height * small.width);
  const [stepX, stepY] = [photo.width / small.width, photo.height / small.height];
  for (const { x, y, radius, color } of hints) {
    const value = [...abOfColor(color), 1];
    const dot = [Math.min(Math.floor(y / stepY), small.height - 1), Math.min(Math.floor(x / stepX), small.width - 1)];
    for (let row = 0; row < small.height; row++) {
      for (let column = 0; column < small.width; column++) {
        const distance = Math.hypot((row + 0.5) * stepY - y, (column + 0.5) * stepX - x);
        const isDot = row === dot[0] && column === dot[1];
        if (distance <= radius || isDot) raster.set(value, 3 * (row * small.width + column));
      }
    }
  }
  return raster;
}
