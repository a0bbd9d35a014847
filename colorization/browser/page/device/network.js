// The neural network, run by LiteRT.js in WebAssembly.
//
// LiteRT.js takes no inputs of open size, but photos of other proportions are other inputs. So the file is converted
// for any size, and before it is loaded, height and width are written into it at the places that model.json names.

import { loadAndCompile, loadLiteRt, supportsFeature, Tensor } from "../runtime/litert.js";

const RUNTIME_DIR = new URL("../runtime/", import.meta.url).href;
const MAX_COMPILED = 2; // work shapes that are kept ready: each takes the memory of all weights

export class Network {
  #compiled = new Map(); // "160x224" -> CompiledModel, the one used last at the end
  #turn = Promise.resolve();

  /**
   * @param {Uint8Array} content of the .tflite file.
   * @param {object} info as model.json holds it.
   */
  constructor(content, info) {
    this.content = content;
    this.info = info;
  }

  /** Loads the runtime; more than one thread needs a page that is cross-origin isolated. */
  static async loadRuntime() {
    const threads = self.crossOriginIsolated && (await supportsFeature("relaxedSimd"));
    self.Module = {
      // By itself, in a worker it would look for its other files beside the worker's script.
      locateFile: (name) => `${RUNTIME_DIR}${name}`,
      mainScriptUrlOrBlob: `${RUNTIME_DIR}litert_wasm_threaded_internal.js`,
      printErr: (line) => /^(INFO|WARNING)/.test(line) || console.error(line),
    };
    await loadLiteRt(RUNTIME_DIR, { threads });
  }

  /**
   * Predicts chroma; callers wait for each other.
   *
   * @param {{height, width}} shape the work shape.
   * @param {object} inputs by name: Float32Array `l` (1, height, width, 1), `z` (1, z_dim), and if the model takes
   *   hints, `hints` (1, height, width, 3).
   * @returns {Promise<Float32Array>} `ab` (1, height, width, 2).
   */
  predict(shape, inputs) {
    const result = this.#turn.then(() => this.#predict(shape, inputs));
    this.#turn = result.catch(() => {});
    return result;
  }

  async #predict(shape, inputs) {
    const model = await this.#compile(shape);
    const tensors = {};
    for (const { name, shape: dimensions } of model.getInputDetails()) {
      tensors[name] = new Tensor(inputs[name], dimensions);
    }
    const outputs = await model.run(tensors);
    const ab = outputs.ab.toTypedArray().slice(); // out of WebAssembly's memory
    for (const tensor of [...Object.values(tensors), outputs.ab]) tensor.delete();
    return ab;
  }

  async #compile({ height, width }) {
    const key = `${height}x${width}`;
    const model = this.#compiled.get(key) ?? (await loadAndCompile(this.#fix(height, width), { accelerator: "wasm" }));
    this.#compiled.delete(key);
    this.#compiled.set(key, model);
    const [[oldest, unused]] = this.#compiled;
    if (this.#compiled.size > MAX_COMPILED) {
      this.#compiled.delete(oldest);
      unused.delete();
    }
    return model;
  }

  #fix(height, width) {
    const content = this.content.slice();
    const view = new DataView(content.buffer);
    for (const offset of this.info.height_offsets) view.setInt32(offset, height, true);
    for (const offset of this.info.width_offsets) view.setInt32(offset, width, true);
    return content;
  }
}
