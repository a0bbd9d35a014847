// The photo itself: before and after with the divider between them, and whatever has to be said in its place.

import { byId, setSource, setText } from "./dom.js";

const SMALL_ENLARGEMENT = 2; // small photos are not blown up further than this

export class Stage {
  constructor(album, darkroom, hints) {
    this.album = album;
    this.darkroom = darkroom;
    this.shownPhoto = null;
    byId("compare").addEventListener("input", () => this.#split());
    byId("surface").addEventListener("click", (event) => {
      const box = byId("surface").getBoundingClientRect();
      hints.place((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    });
    byId("notice-retry").addEventListener("click", () => darkroom.retryPhoto(album.active));
    byId("notice-remove").addEventListener("click", () => album.remove(album.active));
    this.#split();
  }

  render() {
    const photo = this.album.active;
    if (!photo) return;
    const showable = photo.open && photo.canPreview;
    byId("frame").hidden = !showable;
    if (showable) this.#showPictures(photo);
    byId("busy").hidden = !(this.darkroom.isWorkingOn(photo) && !photo.full);
    this.#showNotice(photo);
  }

  #showPictures(photo) {
    const frame = byId("frame");
    if (this.shownPhoto !== photo) {
      this.shownPhoto = photo;
      frame.style.setProperty("--ratio", photo.width / photo.height);
      frame.style.setProperty("--widest", `${photo.width * SMALL_ENLARGEMENT}px`);
    }
    const result = photo.result ?? photo.latest;
    const [before, after] = [byId("before"), byId("after")];
    setSource(before, photo.url);
    before.alt = `${photo.name}, before`;
    after.hidden = !result;
    for (const id of ["compare", "divider", "before-tag", "after-tag"]) byId(id).hidden = !result;
    frame.classList.toggle("plain", !result);
    if (!result) return;
    setSource(after, result.url);
    after.alt = `${photo.name}, in colour`;
    // While the right picture is on its way, the browser's own saturation comes close to it.
    const ratio = result === photo.result || !result.saturation ? 1 : photo.edits.saturation / result.saturation;
    after.style.filter = ratio === 1 ? "" : `saturate(${ratio})`;
  }

  #showNotice(photo) {
    const { obstacle } = photo;
    let text = "";
    if (obstacle) text = photo.result || !photo.canPreview ? `${photo.name}: ${obstacle.message}` : obstacle.message;
    else if (photo.open && !photo.canPreview) {
      text = photo.full
        ? `${photo.name} is in colour. This browser cannot show files of this kind, but you can download the result.`
        : `This browser cannot show ${photo.name}. It is being coloured all the same.`;
    }
    byId("notice").hidden = !text;
    byId("notice").classList.toggle("bad", Boolean(obstacle));
    setText(byId("notice-text"), text);
    byId("notice-retry").hidden = !obstacle?.canRetry;
    byId("notice-remove").hidden = !text;
  }

  #split() {
    const compare = byId("compare");
    byId("frame").style.setProperty("--split", `${compare.value}%`);
    compare.setAttribute("aria-valuetext", `${compare.value} % before, ${100 - compare.value} % after`);
  }
}
