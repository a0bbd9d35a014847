// Saving results at full size, one or all.

import { byId, element, setText } from "./dom.js";

const PAUSE_MS = 400; // browsers drop downloads that come in one burst

export class Downloads {
  constructor(album, darkroom) {
    this.album = album;
    this.darkroom = darkroom;
    this.preparing = new Set();
    this.progress = null; // {done, all} of "Download all"
    byId("download").addEventListener("click", () => this.#saveOne(album.active));
    byId("download-all").addEventListener("click", () => this.#saveAll());
  }

  render() {
    const { active, photos } = this.album;
    const waits = this.preparing.has(active);
    setText(byId("download"), waits ? "Preparing…" : "Download");
    setDisabled(byId("download"), waits || !active?.open || Boolean(active.obstacle));
    byId("download-all").hidden = photos.length < 2;
    const { progress } = this;
    setText(byId("download-all"), progress ? `${progress.done} of ${progress.all}…` : "Download all");
    setDisabled(byId("download-all"), Boolean(progress));
  }

  async #saveOne(photo) {
    if (byId("download").getAttribute("aria-disabled") === "true") return;
    this.preparing.add(photo);
    this.album.changed();
    try {
      save(await this.darkroom.develop(photo));
    } catch {
      // The photo's own notice says why.
    }
    this.preparing.delete(photo);
    this.album.changed();
  }

  async #saveAll() {
    if (this.progress) return;
    const photos = [...this.album.photos];
    for (const [done, photo] of photos.entries()) {
      this.progress = { done, all: photos.length };
      this.album.changed();
      try {
        save(await this.darkroom.develop(photo));
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      } catch {
        // A photo that fails is marked in the strip; the others are saved all the same.
      }
    }
    this.progress = null;
    this.album.changed();
  }
}

/** Unlike `disabled`, this leaves the focus where it is. */
function setDisabled(button, disabled) {
  button.setAttribute("aria-disabled", String(disabled));
}

function save({ url, filename }) {
  const link = element("a", { href: url, download: filename });
  document.body.append(link);
  link.click();
  link.remove();
}
