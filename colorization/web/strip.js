// The film strip: all photos, their state, and a way to remove each.

import { byId, element, setSource, syncChildren } from "./dom.js";

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
      const url = photo.result?.url ?? photo.latest?.url ?? photo.url;
      image.hidden = photo.open && !photo.canPreview;
      if (!image.hidden) setSource(image, url);
      node.dataset.state = state.word;
      badge.textContent = state.sign;
      button.setAttribute("aria-label", `${photo.name}, ${state.word}`);
      button.setAttribute("aria-current", String(photo === this.album.active));
      button.title = photo.name;
      remove.setAttribute("aria-label", `Remove ${photo.name}`);
    });
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
