// One photo on the table: the file, what the user wants of it with its history, and the results so far.

/** What a user can want of a photo. Edits are never changed in place, so the history can simply keep them. */
export const UNTOUCHED = Object.freeze({ saturation: 1, version: 0, hints: Object.freeze([]), reference: null });

const PREVIEW_RESULTS = 12; // looks that undo finds again without a request
const FULL_RESULTS = 2;

/** A text that is the same for two edits exactly if they ask for the same picture. */
export function lookKey({ saturation, version, hints, reference }) {
  return JSON.stringify([saturation, version, reference?.id ?? null, hints.map((h) => [h.x, h.y, h.color, h.radius])]);
}

/** Results by look; the oldest leave when it is full. */
class ResultShelf {
  #results = new Map();

  constructor(capacity) {
    this.capacity = capacity;
  }

  get(key) {
    return this.#results.get(key);
  }

  put(key, result) {
    this.#results.delete(key);
    this.#results.set(key, result);
    if (this.#results.size <= this.capacity) return;
    const [oldest, { url }] = this.#results.entries().next().value;
    this.#results.delete(oldest);
    URL.revokeObjectURL(url);
  }
}

let photosSoFar = 0;

export class Photo {
  /** Before `describe` was called, the photo is not `open` and nothing is asked of the backend. */
  constructor(file) {
    this.id = ++photosSoFar;
    this.file = file;
    this.name = file.name || `pasted-${this.id}.png`;
    this.url = URL.createObjectURL(file);
    this.open = false;
    this.canPreview = false;
    this.edits = UNTOUCHED;
    this.changedAt = 0; // performance.now() of the last edit
    this.error = null; // {key, message, canRetry}: what went wrong with the look `key`
    this.latest = null; // the result that came last: shown until a better one is there
    this.thumbnails = new Map(); // version -> {key, url}; url is null if it failed
    this.past = [];
    this.future = [];
    this.gesture = null;
  }

  /** @param {object|null} picture as `readPicture` gives it; null if this browser cannot show the file. */
  describe(picture) {
    this.open = true;
    this.canPreview = picture !== null;
    if (picture) Object.assign(this, picture);
    this.isSmall = picture?.previewScale === 1;
    this.previews = new ResultShelf(PREVIEW_RESULTS);
    this.fulls = new ResultShelf(this.isSmall ? PREVIEW_RESULTS : FULL_RESULTS);
  }

  get key() {
    return lookKey(this.edits);
  }

  /** The error that stands in the way of the look wanted now, or null. */
  get obstacle() {
    return this.error && (this.error.key === null || this.error.key === this.key) ? this.error : null;
  }

  /** The full-size result of the look wanted now, or undefined. */
  get full() {
    return this.fulls?.get(this.key);
  }

  /** The best result there is of the look wanted now, or undefined. */
  get result() {
    return this.full ?? this.previews?.get(this.key);
  }

  /** The part of the look that all versions share: hints and saturation. */
  get versionsKey() {
    return lookKey({ ...this.edits, version: 0 });
  }

  keep(size, key, result) {
    (size === "full" ? this.fulls : this.previews).put(key, result);
    this.latest = result;
    this.error = null;
  }

  keepThumbnail(version, thumbnail) {
    const previous = this.thumbnails.get(version);
    if (previous?.url) URL.revokeObjectURL(previous.url);
    this.thumbnails.set(version, thumbnail);
  }

  /**
   * Changes what the user wants.
   *
   * @param {object} change the edits that become different.
   * @param {string|null} gesture edits of one gesture (a drag) that follow each other are undone together.
   */
  edit(change, gesture = null) {
    if (gesture === null || gesture !== this.gesture) {
      this.past.push(this.edits);
      this.future = [];
    }
    this.gesture = gesture;
    this.edits = Object.freeze({ ...this.edits, ...change });
    this.changedAt = performance.now();
  }

  undo() {
    this.#travel(this.past, this.future);
  }

  redo() {
    this.#travel(this.future, this.past);
  }

  #travel(from, to) {
    if (!from.length) return;
    to.push(this.edits);
    this.edits = from.pop();
    this.gesture = null;
    this.changedAt = performance.now();
  }
}
