// The film strip: all photos, their state, and a way to remove each.

import { byId, element, setSource, syncChildren } from "./dom.js";
import { makeStripPicture } from "./pictures.js";

export class Strip {
  constructor(album, darkroom) {
    this.album = album;
    this.darkroom = darkroom;
  }

  render() {
    const { photos } = this.album;
    byId("strip").hidden = photos.length < 2;
    syncChildren(byId("strip"), photos, (photo) => photo.id, (photo) => this.#create(photo), (node, photo) => {
      const [button, remove] = node.children;
      const [image, badge] = button.children;
      const state = this.#stateOf(photo);
      this.#refreshPicture(photo);
      image.hidden = !photo.stripUrl;
      if (photo.stripUrl) setSource(image, photo.stripUrl);
      node.dataset.state = state.word;
      badge.textContent = state.sign;
      button.setAttribute("aria-label", `${photo.name}, ${state.word}`);
      button.setAttribute("aria-current", String(photo === this.album.active));
      button.title = photo.name;
      remove.setAttribute("aria-label", `Remove ${photo.name}`);
    });
  }

  /** Many photos at full size would fill the memory, so the strip has small copies of its own. */
  async #refreshPicture(photo) {
    const source = photo.latest?.blob ?? photo.thumbnailBlob;
    if (!source || photo.stripSource === source || this.album.photos.length < 2) return;
    photo.stripSource = source;
    const url = await makeStripPicture(source);
    if (photo.stripSource !== source || !url) return;
    if (photo.stripUrl) URL.revokeObjectURL(photo.stripUrl);
    photo.stripUrl = url;
    this.album.changed();
  }

  #create(photo) {
    const image = element("img", { alt: "", draggable: false, loading: "lazy" });
    const badge = element("span", { className: "badge" });
    const button = element("button", { type: "button", className: "frame-button" }, image, badge);
    button.addEventListener("click", () => this.album.select(photo));
    const remove = element("button", { type: "button", className: "remove", textContent: "×" });
    remove.addEventListener("click", () => {
      this.album.remove(photo);
      (byId("strip").querySelector("[aria-current=true]") ?? byId("download")).focus();
    });
    return element("li", {}, button, remove);
  }

  #stateOf(photo) {
    if (photo.obstacle) return { word: "failed", sign: "!" };
    if (photo.full) return { word: "ready", sign: "✓" };
    return this.darkroom.isWorkingOn(photo) ? { word: "in progress", sign: "…" } : { word: "waiting", sign: "" };
  }
}
