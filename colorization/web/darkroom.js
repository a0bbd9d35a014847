// Runs the jobs of plan.js against the backend, waits when it is busy or away, and puts the results on the photos.

import { ABILITIES, BackendError } from "./contract.js";
import { isReadable } from "./pictures.js";
import { isWanted, jobName, planJobs } from "./plan.js";

const LANES = ["near", "far"];
const MAX_TRIES = 8; // in a row; then the user decides
const MAX_WAIT_SECONDS = 30;
const GONE = "The file can no longer be read. If it is still there, add it again.";
const GIVE_UP_MS = 300_000; // a connection that is silent for so long is dead

export class Darkroom extends EventTarget {
  abilities = null; // until the backend has told them
  pause = null; // {message, until}: no request before `until` (performance.now(); Infinity: the user decides)
  asksForToken = null; // the message to ask with
  #running = { near: null, far: null };
  #tries = 0;
  #describing = false;
  #timer = 0;

  constructor(album, backend) {
    super();
    this.album = album;
    this.backend = backend;
    album.addEventListener("change", () => this.wake());
    addEventListener("online", () => this.retry());
    backend.addEventListener("progress", () => this.#changed());
    this.wake();
  }

  /** Whether a request for this photo is on its way; for the one in front, other versions don't count. */
  isWorkingOn(photo) {
    return Object.values(this.#running).some((job) => job?.photo === photo && job.size !== "version");
  }

  /** What the backend is busy with before it takes photos, or null. */
  get preparation() {
    return this.abilities ? null : this.backend.progress;
  }

  /** Looks at the album: drops what nobody wants any more, starts what is wanted. */
  wake() {
    for (const lane of LANES) {
      const job = this.#running[lane];
      if (job && !isWanted(job, this.album)) {
        this.#running[lane] = null;
        job.controller.abort();
      }
    }
    clearTimeout(this.#timer);
    if (this.asksForToken) return;
    const pauseLeft = this.pause ? this.pause.until - performance.now() : 0;
    if (pauseLeft > 0) {
      this.#timer = setTimeout(() => (this.#changed(), this.wake()), Math.min(pauseLeft, 1000)); // the clock ticks
      return;
    }
    if (!this.abilities) {
      this.#describe();
      return;
    }
    const waits = LANES.map((lane) => this.#startNext(lane));
    const wait = Math.min(Infinity, ...waits);
    if (wait < Infinity) this.#timer = setTimeout(() => this.wake(), wait);
  }

  /** Ends a pause at once. */
  retry() {
    this.#tries = 0;
    this.pause = null;
    this.wake();
    this.#changed();
  }

  /** Tries a photo again that failed. */
  retryPhoto(photo) {
    photo.error = null;
    this.retry();
  }

  enterToken(token) {
    this.backend.token = token;
    this.asksForToken = null;
    this.retry();
  }

  /** Resolves to the full-size result of a photo as it is wanted now, or rejects with the reason. */
  async develop(photo) {
    photo.hurry = true;
    this.wake();
    try {
      while (!photo.full) {
        if (photo.obstacle) throw new Error(photo.obstacle.message);
        if (!this.album.photos.includes(photo)) throw new Error(`${photo.name} was removed.`);
        await new Promise((resolve) => this.album.addEventListener("change", resolve, { once: true }));
      }
      return photo.full;
    } finally {
      photo.hurry = false;
    }
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  async #describe() {
    if (this.#describing) return;
    this.#describing = true;
    try {
      this.abilities = { ...ABILITIES, ...(await this.backend.describe()) };
      this.#succeeded();
      if (this.abilities.needsToken && !this.backend.token) this.asksForToken = "This server asks for a token.";
    } catch (error) {
      this.#stumble(error);
    }
    this.#describing = false;
    this.#changed();
    this.wake();
  }

  /** Starts the first job of a lane that is due; otherwise returns the milliseconds until one will be. */
  #startNext(lane) {
    if (this.#running[lane]) return Infinity;
    const busyWith = Object.values(this.#running).flatMap((job) => (job ? [jobName(job)] : []));
    const jobs = planJobs(lane, this.album, this.abilities).filter((job) => !busyWith.includes(jobName(job)));
    const due = jobs.find((job) => job.wait === 0);
    if (!due) return Math.min(Infinity, ...jobs.map((job) => job.wait));
    this.#run(lane, due);
    return Infinity;
  }

  async #run(lane, job) {
    job.controller = new AbortController();
    const { signal } = job.controller;
    this.#running[lane] = job;
    this.#changed();
    const silence = setTimeout(() => {
      this.#fail(job, new BackendError("failed", "This took too long."));
      job.controller.abort();
    }, GIVE_UP_MS);
    try {
      checkLimits(job, this.abilities, this.backend.place);
      const { blob, filename } = await this.backend.colorize(makeRequest(job, signal)).catch(async (error) => {
        // To the network, a file that has gone looks like a server that has gone.
        throw (await isReadable(job.photo.file)) ? error : new BackendError("refused", GONE);
      });
      if (signal.aborted) return;
      this.#succeeded();
      const result = { blob, filename, url: URL.createObjectURL(blob), saturation: job.photo.edits.saturation };
      if (job.size === "version") job.photo.keepThumbnail(job.version, { key: job.key, url: result.url });
      else job.photo.keep(job.size, job.key, result);
    } catch (error) {
      if (!signal.aborted) this.#fail(job, error);
    } finally {
      clearTimeout(silence);
      if (this.#running[lane] === job) this.#running[lane] = null;
      this.album.changed();
    }
  }

  #succeeded() {
    const wasAway = this.#tries > 0;
    this.#tries = 0;
    this.pause = null;
    if (!this.abilities) return;
    // It may have come back with another model, or have had none so far.
    if (wasAway || this.abilities.modelVersion === null) this.#describe();
  }

  #fail(job, error) {
    if (this.#stumble(error)) return;
    if (job.size === "version") job.photo.keepThumbnail(job.version, { key: job.key, url: null });
    else job.photo.error = { key: job.key, message: error.message, canRetry: error.kind !== "refused" };
  }

  /** Handles what is not a photo's fault; returns whether it was such. */
  #stumble(error) {
    if (error.kind === "token") {
      this.asksForToken = this.backend.token ? "The server did not accept that token." : error.message;
    } else if (error.kind === "unavailable" || !this.abilities) {
      const seconds = Math.min(error.retryAfterSeconds ?? 2 ** this.#tries, MAX_WAIT_SECONDS);
      this.#tries += 1;
      const until = this.#tries < MAX_TRIES ? performance.now() + seconds * 1000 : Infinity;
      this.pause = { message: error.message, until };
    } else {
      return false;
    }
    return true;
  }
}

/** Refuses what the backend would refuse anyway, before the user waits for it. */
function checkLimits({ photo }, { maxRequestBytes, maxPixels }, place) {
  const overhead = 10_000; // the other fields of the request
  const millions = (count) => Number((count / 1e6).toPrecision(3));
  const refuse = (count, most, unit) => {
    const sizes = `${millions(count)} ${unit}; ${place} takes up to ${millions(most)}`;
    throw new BackendError("refused", `The photo has ${sizes}.`);
  };
  if (photo.file.size + overhead > maxRequestBytes) refuse(photo.file.size, maxRequestBytes, "MB");
  const pixels = photo.canPreview ? photo.width * photo.height : 0;
  if (pixels > maxPixels) refuse(pixels, maxPixels, "megapixels");
}

function makeRequest({ photo, size, version }, signal) {
  const { saturation, hints, reference, version: chosen } = photo.edits;
  const [blob, scale] = {
    full: [photo.file, 1],
    preview: [photo.previewBlob, photo.previewScale],
    version: [photo.thumbnailBlob, photo.thumbnailScale],
  }[size];
  const round = (pixels) => Math.round(pixels * scale * 100) / 100;
  return {
    photo: blob,
    name: photo.name,
    saturation,
    version: version ?? chosen,
    hints: hints.map(({ x, y, radius, color }) => ({ x: round(x), y: round(y), color, radius: round(radius) })),
    reference: reference?.blob ?? null,
    signal,
  };
}
