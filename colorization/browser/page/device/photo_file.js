// A photo's pixels in and out, in strips of rows. The browser decodes and encodes: orientation from EXIF is applied
// once, colours are converted to sRGB, and the result carries neither.

import { BackendError } from "../contract.js";

const STRIP_PIXELS = 1 << 20; // read at once
const WRITABLE = { "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp" };
const JPEG_QUALITY = 0.95;
const UNKNOWN = "This browser cannot open the file; it is damaged, or of a kind that it does not know.";

/** The photo as the browser shows it; to be closed. */
export class PhotoReader {
  #canvas;

  constructor(bitmap) {
    this.bitmap = bitmap;
    [this.width, this.height] = [bitmap.width, bitmap.height];
    this.stripHeight = Math.max(1, Math.min(this.height, Math.floor(STRIP_PIXELS / this.width)));
    this.#canvas = new OffscreenCanvas(this.width, this.stripHeight);
    this.context = this.#canvas.getContext("2d", { willReadFrequently: true });
  }

  /** Opens a Blob; throws BackendError "refused" if this browser cannot. */
  static async open(blob) {
    let bitmap;
    try {
      bitmap = await createImageBitmap(blob);
    } catch {
      throw new BackendError("refused", UNKNOWN);
    }
    return new PhotoReader(bitmap);
  }

  /** The strips from top to bottom: {top, image}, an ImageData of whole rows. */
  *strips() {
    const { width, height, context, stripHeight } = this;
    for (let top = 0; top < height; top += stripHeight) {
      const rows = Math.min(stripHeight, height - top);
      context.clearRect(0, 0, width, rows);
      context.drawImage(this.bitmap, 0, top, width, rows, 0, 0, width, rows);
      yield { top, image: context.getImageData(0, 0, width, rows) };
    }
  }

  close() {
    this.bitmap.close();
    this.#canvas.width = this.#canvas.height = 0; // some browsers are slow to free it otherwise
  }
}

/** A picture that grows strip by strip. */
export class PhotoWriter {
  #canvas;

  constructor({ width, height }) {
    this.#canvas = new OffscreenCanvas(width, height);
    this.context = this.#canvas.getContext("2d", { willReadFrequently: true });
  }

  write(image, top) {
    this.context.putImageData(image, 0, top);
  }

  /** Encodes as the type wanted if browsers can write it, else as PNG; {blob, filename}. */
  async finish(type, name) {
    const wanted = type in WRITABLE ? type : "image/png";
    const blob = await this.#canvas.convertToBlob({ type: wanted, quality: JPEG_QUALITY });
    this.#canvas.width = this.#canvas.height = 0;
    return { blob, filename: blob.type === type ? name : withSuffix(name, WRITABLE[blob.type]) };
  }
}

function withSuffix(name, suffix) {
  return `${name.replace(/\.[^.]*$/, "")}.${suffix}`;
}
