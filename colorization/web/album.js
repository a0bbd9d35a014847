// The photos on the table and the one in front. Whatever changes goes through here and is told by a "change" event.

import { Photo } from "./photo.js";
import { readPicture } from "./pictures.js";

export class Album extends EventTarget {
  photos = [];
  active = null;
  removed = null; // {photo, index}: the one that can be put back
  visibleVersions = 3; // besides the automatic colour

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  /** Adds files; the first of them comes to the front. They are opened one after the other to spare memory. */
  async add(files) {
    const photos = [...files].map((file) => new Photo(file));
    if (!photos.length) return;
    this.photos.push(...photos);
    this.removed = null;
    this.select(photos[0]);
    for (const photo of photos) {
      photo.describe(await readPicture(photo.file));
      this.changed();
    }
  }

  select(photo) {
    this.active = photo;
    this.changed();
  }

  remove(photo) {
    const index = this.photos.indexOf(photo);
    this.photos.splice(index, 1);
    this.removed = { photo, index };
    if (this.active === photo) this.active = this.photos[Math.min(index, this.photos.length - 1)] ?? null;
    this.changed();
  }

  putBack() {
    const { photo, index } = this.removed;
    this.photos.splice(index, 0, photo);
    this.removed = null;
    this.select(photo);
  }

  edit(change, gesture = null) {
    this.active.edit(change, gesture);
    this.removed = null;
    this.changed();
  }

  /** From here on, a further edit of the same kind is an undo step of its own. */
  endGesture() {
    if (!this.active) return;
    this.active.gesture = null;
    this.changed();
  }

  undo() {
    this.active?.undo();
    this.changed();
  }

  redo() {
    this.active?.redo();
    this.changed();
  }
}
