// sRGB <-> CIELAB for 8-bit pixels: what color.py and inference/gamut.py do, with the same constants (D65, 2 degrees);
// tests/web/device_test.py compares them.
//
// Colours travel as f(X/Xn), f(Y/Yn), f(Z/Zn), the terms that CIELAB is made of: L* = 116 f(Y) - 16,
// a* = 500 (f(X) - f(Y)), b* = 200 (f(Y) - f(Z)). So a pixel takes one cube root, and none if it is grey.
//
// References: CIE 15:2004, Colorimetry; IEC 61966-2-1 (sRGB).

export const AB_SCALE = 110; // a* or b* units for ab = 1
const L_SCALE = 50; // L* units for l = 1, and L* for l = 0
const WHITE_X = 0.95047;
const WHITE_Z = 1.08883;
const XYZ_OF_RGB = [
  [0.412453, 0.35758, 0.180423],
  [0.212671, 0.71516, 0.072169],
  [0.019334, 0.119193, 0.950227],
];
const [Y_OF_R, Y_OF_G, Y_OF_B] = XYZ_OF_RGB[1];
const RGB_OF_XYZ = [
  [3.24048134, -1.53715152, -0.49853633],
  [-0.96925495, 1.87599, 0.04155593],
  [0.05564664, -0.20404134, 1.05731107],
];

const LINEAR = Float64Array.from({ length: 256 }, (_, level) => decode(level / 255));
const F_OF_GREY = Float64Array.from({ length: 256 }, (_, level) => fY(level, level, level));

// Encoding by table: a first guess, and the linear values from which on the next level is nearer.
const GUESSES = 4096;
const THRESHOLDS = Float64Array.from({ length: 256 }, (_, level) => (level < 255 ? decode((level + 0.5) / 255) : 2));
const GUESS = Uint8Array.from({ length: GUESSES + 1 }, (_, i) => THRESHOLDS.findIndex((limit) => i / GUESSES < limit));

function decode(value) {
  return value > 0.04045 ? ((value + 0.055) / 1.055) ** 2.4 : value / 12.92;
}

/** The level 0..255 that shows linear light best; what lies outside [0, 1] is clipped. */
function encode(linear) {
  if (linear <= 0) return 0;
  if (linear >= 1) return 255;
  let level = GUESS[Math.floor(linear * GUESSES)];
  while (linear >= THRESHOLDS[level]) level += 1;
  return level;
}

function compress(t) {
  return t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116;
}

function decompress(f) {
  return f > 0.2068966 ? f * f * f : (f - 16 / 116) / 7.787;
}

function fY(r, g, b) {
  return compress(Y_OF_R * LINEAR[r] + Y_OF_G * LINEAR[g] + Y_OF_B * LINEAR[b]);
}

/**
 * Takes the lightness of pixels.
 *
 * @param {Uint8ClampedArray} rgba levels, 4 for each pixel; alpha is ignored.
 * @param {Float32Array} l one for each pixel, filled: L* / 50 - 1, from -1, black, to 1, white.
 */
export function takeLightness(rgba, l) {
  for (let pixel = 0, i = 0; pixel < l.length; pixel++, i += 4) {
    const [r, g, b] = [rgba[i], rgba[i + 1], rgba[i + 2]];
    const f = r === g && r === b ? F_OF_GREY[r] : fY(r, g, b);
    l[pixel] = (116 * f - 16 - L_SCALE) / L_SCALE;
  }
}

/** `ab` of a colour "#rrggbb": [a* / 110, b* / 110]. */
export function abOfColor(color) {
  const linear = [1, 3, 5].map((start) => LINEAR[Number.parseInt(color.slice(start, start + 2), 16)]);
  const [x, y, z] = XYZ_OF_RGB.map((row) => row.reduce((sum, factor, i) => sum + factor * linear[i], 0));
  const [fx, fy, fz] = [compress(x / WHITE_X), compress(y), compress(z / WHITE_Z)];
  return [(500 * (fx - fy)) / AB_SCALE, (200 * (fy - fz)) / AB_SCALE];
}

/**
 * Gives pixels new chroma; their lightness stays. Where sRGB lacks a colour, chroma yields along its hue (see
 * inference/gamut.py: in linear light every channel lies on a line from grey to its value at full chroma).
 *
 * @param {Uint8ClampedArray} rgba levels, changed in place; alpha stays.
 * @param {Float32Array} ab two for each pixel, a* / 110 and b* / 110.
 * @param {number} saturation factor for `ab`, at least 0.
 */
export function recolor(rgba, ab, saturation) {
  const aFactor = (saturation * AB_SCALE) / 500;
  const bFactor = (saturation * AB_SCALE) / 200;
  const [[rx, ry, rz], [gx, gy, gz], [bx, by, bz]] = RGB_OF_XYZ.map(([x, y, z]) => [x * WHITE_X, y, z * WHITE_Z]);
  for (let i = 0, j = 0; i < rgba.length; i += 4, j += 2) {
    const [r, g, b] = [rgba[i], rgba[i + 1], rgba[i + 2]];
    const f = r === g && r === b ? F_OF_GREY[r] : fY(r, g, b);
    const y = decompress(f);
    const fromGreyX = ab[j] * aFactor;
    const fromGreyZ = -ab[j + 1] * bFactor;
    const movedX = decompress(f + fromGreyX) - y;
    const movedZ = decompress(f + fromGreyZ) - y;
    const kept = Math.max(
      0,
      Math.min(
        1,
        roomFor(rx * movedX + rz * movedZ, y),
        roomFor(gx * movedX + gz * movedZ, y),
        roomFor(bx * movedX + bz * movedZ, y),
      ),
    );
    const x = decompress(f + kept * fromGreyX);
    const z = decompress(Math.max(0, f + kept * fromGreyZ));
    rgba[i] = encode(rx * x + ry * y + rz * z);
    rgba[i + 1] = encode(gx * x + gy * y + gz * z);
    rgba[i + 2] = encode(bx * x + by * y + bz * z);
  }
}

/** How much of a move from grey `y` in linear light a channel has room for, as a fraction. */
function roomFor(move, y) {
  return (move > 0 ? 1 - y : y) / Math.max(Math.abs(move), 1e-9);
}
