// Other versions of the colours, each with a thumbnail, and the reference photo that can decide instead.

import { announce, byId, element, setSource, setText, syncChildren } from "./dom.js";
import { readReference } from "./pictures.js";

const MORE = 4; // versions that "More versions" adds
const MOST = 30;

export class Versions {
  constructor(album) {
    this.album = album;
    byId("more-versions").addEventListener("click", () => {
      album.visibleVersions += MORE;
      album.changed();
    });
    const file = byId("reference-file");
    byId("choose-reference").addEventListener("click", () => file.click());
    byId("remove-reference").addEventListener("click", () => {
      album.edit({ reference: null });
      byId("choose-reference").focus();
    });
    file.addEventListener("change", () => {
      this.#takeReference(file.files[0]);
      file.value = ""; // choosing the same file again is a change again
    });
  }

  render(abilities) {
    const photo = this.album.active;
    const usable = Boolean(photo?.open && photo.canPreview && abilities);
    byId("version-section").hidden = !usable || abilities.maxSamples < 2;
    byId("reference-section").hidden = !usable || !abilities.takesReference;
    if (!usable) return;
    this.#renderReference(photo.edits.reference);
    this.#renderVersions(photo);
  }

  async #takeReference(file) {
    const photo = this.album.active;
    if (!file || !photo) return;
    const reference = await readReference(file);
    if (this.album.active === photo) this.album.edit({ reference, version: 0 });
    announce(`The mood comes from ${reference.name}.`);
  }

  #renderReference(reference) {
    const image = byId("reference-image");
    image.hidden = !reference;
    if (reference) {
      setSource(image, reference.url);
      image.alt = `Reference photo ${reference.name}`;
    }
    setText(byId("choose-reference"), reference ? "Change" : "Choose one");
    byId("remove-reference").hidden = !reference;
  }

  #renderVersions(photo) {
    const { reference, version } = photo.edits;
    byId("version-note").hidden = !reference;
    byId("versions").hidden = Boolean(reference);
    byId("more-versions").hidden = Boolean(reference) || this.album.visibleVersions >= MOST;
    const versions = Array.from({ length: this.album.visibleVersions + 1 }, (_, index) => index);
    syncChildren(byId("versions"), versions, String, (item) => this.#createVersion(item), (node, item) => {
      const [input, image] = node.children;
      const thumbnail = photo.thumbnails.get(item);
      input.checked = item === version;
      image.hidden = !thumbnail?.url;
      if (thumbnail?.url) setSource(image, thumbnail.url);
      node.classList.toggle("stale", thumbnail?.key !== photo.versionsKey);
      node.style.setProperty("--ratio", photo.width / photo.height);
    });
  }

  #createVersion(version) {
    const input = element("input", { type: "radio", name: "version", value: version, className: "visually-hidden" });
    input.addEventListener("change", () => this.album.edit({ version }));
    const name = element("span", { textContent: version ? `Version ${version}` : "Automatic" });
    return element("label", { className: "version" }, input, element("img", { alt: "" }), name);
  }
}
