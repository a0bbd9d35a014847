// What inference/colorizer.py does, in the browser: a model that is loaded once and colours photos of any size.

import { recolor, takeLightness } from "./color.js";
import { Network } from "./network.js";
import { PhotoReader, PhotoWriter } from "./photo_file.js";
import { drawHints, Enlarger, Shrinker, workShape } from "./processing.js";

const MODEL_DIR = new URL("../model/", import.meta.url);

export class Colorizer {
  constructor(network, info) {
    this.network = network;
    this.info = info;
  }

  /** @param {function} tell is called with the bytes of the model that have come, and all that there are. */
  static async load(tell) {
    const info = await (await fetchFile("model.json")).json();
    const response = await fetchFile(info.file);
    const [content] = await Promise.all([readWhole(response, info.num_bytes, tell), Network.loadRuntime()]);
    return new Colorizer(new Network(content, info), info);
  }

  /**
   * Colours a photo.
   *
   * @param {object} request photo (Blob), name, saturation, version (0 is the automatic colour) and hints, as the
   *   page's backends take them.
   * @param {function} rest is awaited between strips; it throws if the photo is not wanted any more.
   * @returns {Promise<{blob, filename}>}
   */
  async colorize({ photo, name, saturation, version, hints }, rest) {
    const reader = await PhotoReader.open(photo);
    try {
      const shape = workShape(reader.height, reader.width, this.info.work_size);
      const l = await shrinkLightness(reader, shape, rest);
      const inputs = { l, z: Float32Array.from(this.info.z[version]), hints: drawHints(hints, reader, shape) };
      const ab = await this.network.predict(shape, inputs);
      await rest();
      const writer = new PhotoWriter(reader);
      await paint(reader, writer, new Enlarger(ab, shape, reader), saturation, rest);
      return await writer.finish(photo.type, name);
    } finally {
      reader.close();
    }
  }
}

async function shrinkLightness(reader, shape, rest) {
  const shrinker = new Shrinker(reader, shape);
  const l = new Float32Array(reader.width * reader.stripHeight);
  for (const { top, image } of reader.strips()) {
    const rows = l.subarray(0, image.width * image.height);
    takeLightness(image.data, rows);
    shrinker.add(rows, top);
    await rest();
  }
  return shrinker.pixels;
}

async function paint(reader, writer, enlarger, saturation, rest) {
  const ab = new Float32Array(2 * reader.width * reader.stripHeight);
  for (const { top, image } of reader.strips()) {
    for (let row = 0; row < image.height; row++) enlarger.fillRow(top + row, ab, 2 * row * image.width);
    recolor(image.data, ab, saturation);
    writer.write(image, top);
    await rest();
  }
}

async function fetchFile(name) {
  const response = await fetch(new URL(name, MODEL_DIR));
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return response;
}

/** The content of a response whose length is known: Content-Length is that of a compressed one, if it is compressed. */
async function readWhole(response, length, tell) {
  const content = new Uint8Array(length);
  let done = 0;
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    content.set(part.value, done);
    done += part.value.length;
    tell(done, length);
  }
  if (done !== length) throw new Error("the model is cut short");
  return content;
}
