// Stands in the place of web/backend.js where there is no server: the photos are coloured in a worker of this page.

import { BackendError } from "./contract.js";

const MAX_PIXELS = 50e6; // more take over half a gigabyte of memory
const MAX_BYTES = 200e6;

const CONTROL_MS = 3000; // how long to wait for the service worker
const MESSAGES = {
  unavailable: "The model could not be loaded.",
  failed: "This browser could not finish the photo.",
};

/** Colours photos on this device; see contract.js. Tells of the model's coming by "progress" events. */
export class Backend extends EventTarget {
  place = "this page";
  promise = "Photos stay on this device: they are coloured in the browser.";
  token = ""; // nobody asks for one
  progress = null;
  #kept = keepForOffline();
  #loaded = false;
  #worker = null;
  #waiting = new Map(); // id of a message -> {resolve, reject}
  #lastId = 0;

  async describe() {
    await this.#kept;
    const info = await this.#ask("describe");
    this.#loaded = true;
    this.progress = null;
    return {
      modelName: info.name,
      modelVersion: info.version,
      takesHints: info.takes_hints,
      takesReference: false,
      maxRequestBytes: MAX_BYTES,
      maxPixels: MAX_PIXELS,
      maxSamples: info.z.length - 1,
    };
  }

  async colorize({ signal, reference, ...request }) {
    return this.#ask("colorize", request, signal);
  }

  #ask(method, request, signal) {
    this.#worker ??= this.#startWorker();
    const worker = this.#worker;
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ id, method, request });
      signal?.addEventListener("abort", () => {
        worker.postMessage({ id, cancel: true });
        reject(signal.reason);
      });
    }).finally(() => this.#waiting.delete(id));
  }

  #startWorker() {
    // Started from its own address, a worker would be free of the page's Content-Security-Policy, which allows no
    // connection to anywhere else; started from a blob, it inherits it.
    const script = `importScripts(${JSON.stringify(new URL("device/worker.js", import.meta.url).href)});`;
    const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    const worker = new Worker(url);
    worker.addEventListener("message", ({ data }) => this.#receive(data));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#abandonWorker();
    });
    return worker;
  }

  #receive({ loading, id, result, error, broken }) {
    if (loading) {
      const [done, all] = loading.map((bytes) => (bytes / 1e6).toFixed(1));
      this.progress = `Loading the model: ${done} of ${all} MB…`;
      this.dispatchEvent(new Event("progress"));
      return;
    }
    const waiting = this.#waiting.get(id);
    if (error) waiting?.reject(new BackendError(error.kind, MESSAGES[error.kind] ?? error.message));
    else waiting?.resolve(result);
    if (broken) this.#abandonWorker();
  }

  /** After a crash, for lack of memory most likely: the next request starts another. */
  #abandonWorker() {
    this.#worker?.terminate();
    this.#worker = null;
    const kind = this.#loaded ? "failed" : "unavailable";
    for (const { reject } of this.#waiting.values()) reject(new BackendError(kind, MESSAGES[kind]));
  }
}

/**
 * Has the service worker keep what is loaded from here on, so that the page works without a network the next time.
 * Where there is no service worker (a private window, a host without https) the page needs the network each time.
 */
function keepForOffline() {
  const container = navigator.serviceWorker;
  const controlled = async () => {
    await container.register(new URL("service_worker.js", import.meta.url), { updateViaCache: "none" });
    await new Promise((resolve) => {
      if (container.controller) resolve();
      else container.addEventListener("controllerchange", resolve, { once: true });
    });
  };
  const patience = new Promise((resolve) => setTimeout(resolve, CONTROL_MS));
  return container ? Promise.race([controlled().catch(() => {}), patience]) : Promise.resolve();
}
