// Everything that knows of a server. Another module of the same names stands in its place where there is none.

import { ABILITIES, BackendError } from "./contract.js";

const TOKEN_ITEM = "colorization-token";
const KINDS = { 401: "token", 429: "unavailable", 502: "unavailable", 503: "unavailable" };
const MESSAGES = {
  token: "This server asks for a token.",
  unavailable: "The server is busy.",
  failed: "The server could not finish this photo.",
  refused: "The server does not take this file.",
};

/** The server that the page comes from; see contract.js. */
export class Backend extends EventTarget {
  place = "this server";
  promise = "Photos go to this server and nowhere else.";
  progress = null;
  #abilities = ABILITIES;

  /** @param {string} base the folder that the server answers at, relative to the page. */
  constructor(base = ".") {
    super();
    this.base = base;
  }

  get token() {
    return sessionStorage.getItem(TOKEN_ITEM) ?? "";
  }

  /** Kept for this tab only: it is forgotten when the tab closes. */
  set token(token) {
    sessionStorage.setItem(TOKEN_ITEM, token);
  }

  async describe() {
    const info = await (await this.#fetch("info", {})).json();
    this.#abilities = {
      modelName: info.model_name,
      modelVersion: info.model_version,
      takesHints: info.takes_hints,
      takesReference: info.takes_reference,
      maxRequestBytes: info.max_request_bytes,
      maxPixels: info.max_pixels,
      maxSamples: info.max_samples,
      needsToken: info.needs_token,
    };
    return this.#abilities;
  }

  async colorize({ photo, name, saturation, version, hints, reference, signal }) {
    const form = new FormData();
    form.set("photo", photo, name);
    form.set("saturation", String(saturation));
    if (version > 0) {
      // Version 1 is the file _1 that the command line writes for --num_samples=2; each seed has max_samples of them.
      const sample = 1 + ((version - 1) % this.#abilities.maxSamples);
      form.set("seed", String(Math.floor((version - 1) / this.#abilities.maxSamples)));
      form.set("num_samples", String(Math.max(2, sample)));
      form.set("sample", String(sample));
    }
    if (hints.length) form.set("hints", JSON.stringify(hints));
    if (reference) form.set("reference", reference, reference.name ?? "reference.jpg");

    const response = await this.#fetch("colorize", { method: "POST", body: form, signal });
    try {
      return { blob: await response.blob(), filename: readFilename(response.headers) ?? name };
    } catch (error) {
      throw signal?.aborted ? error : new BackendError("unavailable", "The connection broke off.");
    }
  }

  async #fetch(path, options) {
    const headers = this.token ? { Authorization: `Bearer ${this.token}` } : {};
    let response;
    try {
      response = await fetch(`${this.base}/${path}`, { ...options, headers, cache: "no-store" });
    } catch (error) {
      throw options.signal?.aborted ? error : new BackendError("unavailable", "The server does not answer.");
    }
    if (!response.ok) throw await readError(response);
    return response;
  }
}

async function readError(response) {
  const kind = KINDS[response.status] ?? (response.status < 500 ? "refused" : "failed");
  let message = MESSAGES[kind];
  try {
    message = (await response.json()).error || message;
  } catch {
    // A proxy in between answers in HTML: our own words are better.
  }
  const seconds = Number.parseFloat(response.headers.get("Retry-After"));
  return new BackendError(kind, message, Number.isFinite(seconds) ? seconds : null);
}

function readFilename(headers) {
  const disposition = headers.get("Content-Disposition") ?? "";
  const encoded = /filename\*=UTF-8''([^;]+)/i.exec(disposition);
  if (encoded) {
    try {
      return decodeURIComponent(encoded[1]);
    } catch {
      return null;
    }
  }
  return /filename="?([^";]+)"?/i.exec(disposition)?.[1] ?? null;
}
