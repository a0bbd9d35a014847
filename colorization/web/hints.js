// Colour hints: the palette, the markers on the photo and their list in the panel.

import { announce, byId, element, setText, syncChildren } from "./dom.js";

// Subdued, as things are in photographs.
const PALETTE = [
  ["Sky", "#8fb7dd"],
  ["Foliage", "#6f8f4e"],
  ["Skin", "#dba98a"],
  ["Brick", "#b0563f"],
  ["Wood", "#8a6242"],
  ["Straw", "#d3b56a"],
  ["Denim", "#46648f"],
  ["Rose", "#c0677f"],
];
const RADIUS = 0.012; // of the photo's long side: a dab
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP = 0.01; // of the photo's side, five times as much with Shift

let hintsSoFar = 0;

export class Hints {
  constructor(album) {
    this.album = album;
    this.color = PALETTE[0][1];
    this.selected = null; // id of the hint that is emphasized
    this.#buildPalette();
    byId("add-hint").addEventListener("click", () => {
      this.place(0.5, 0.5);
      byId("markers").lastElementChild.focus();
    });
  }

  /** Places a hint; x and y are fractions of the photo's sides. */
  place(x, y) {
    const photo = this.album.active;
    if (!this.enabled) return;
    const hint = { id: ++hintsSoFar, ...toPixels(photo, x, y), color: this.color, radius: radiusFor(photo) };
    this.selected = hint.id;
    this.album.edit({ hints: Object.freeze([...photo.edits.hints, hint]) });
    this.render();
    announce(`Hint ${photo.edits.hints.length} placed ${describePlace(photo, hint)}. Arrow keys move it.`);
  }

  render(abilities) {
    const photo = this.album.active;
    this.enabled = Boolean(photo?.open && photo.canPreview && (abilities ?? this.abilities)?.takesHints);
    this.abilities = abilities ?? this.abilities;
    byId("hint-section").hidden = !this.enabled;
    byId("surface").classList.toggle("takes-hints", this.enabled);
    const hints = this.enabled ? photo.edits.hints : [];
    if (!hints.some((hint) => hint.id === this.selected)) this.selected = null;
    const idOf = (hint) => hint.id;
    syncChildren(byId("markers"), hints, idOf, (h) => this.#createMarker(h), (...args) => this.#updateMarker(...args));
    syncChildren(byId("hints"), hints, idOf, (h) => this.#createRow(h), (...args) => this.#updateRow(...args));
    byId("markers").hidden = !hints.length;
    this.#renderPalette();
  }

  #renderPalette() {
    for (const swatch of byId("palette").querySelectorAll("button")) {
      swatch.setAttribute("aria-pressed", String(swatch.value === this.color));
    }
    const own = byId("own-color");
    if (document.activeElement !== own) own.value = this.color;
    own.parentElement.classList.toggle("chosen", !PALETTE.some(([, color]) => color === this.color));
  }

  #buildPalette() {
    for (const [name, color] of PALETTE) {
      const swatch = element("button", { type: "button", className: "swatch", value: color, title: name });
      swatch.setAttribute("aria-label", name);
      swatch.style.setProperty("--color", color);
      swatch.addEventListener("click", () => this.#choose(color));
      byId("palette").append(swatch);
    }
    const own = element("input", { type: "color", id: "own-color", title: "Any colour" });
    own.setAttribute("aria-label", "Any colour");
    own.addEventListener("input", () => this.#choose(own.value));
    byId("palette").append(element("span", { className: "own" }, own));
  }

  /** Takes a colour for the hints to come. Those that are there have a control of their own: no surprises. */
  #choose(color) {
    this.color = color;
    this.#renderPalette();
  }

  #change(id, change, gesture = null) {
    const hints = this.album.active.edits.hints.map((hint) => (hint.id === id ? { ...hint, ...change } : hint));
    this.album.edit({ hints: Object.freeze(hints) }, gesture && `${gesture} of hint ${id}`);
  }

  #remove(id) {
    const { hints } = this.album.active.edits;
    const index = hints.findIndex((hint) => hint.id === id);
    this.album.edit({ hints: Object.freeze(hints.filter((hint) => hint.id !== id)) });
    this.render();
    const rows = byId("hints").children;
    (rows[Math.min(index, rows.length - 1)]?.querySelector(".place") ?? byId("add-hint")).focus();
    announce(`Hint ${index + 1} removed.`);
  }

  #select(id) {
    if (this.selected === id) return;
    this.selected = id;
    this.render();
  }

  #find(id) {
    return this.album.active.edits.hints.find((hint) => hint.id === id);
  }

  #moveByKey(event, id) {
    const photo = this.album.active;
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      this.#remove(id);
    } else if (ARROWS[event.key] && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      const stride = STEP * (event.shiftKey ? 5 : 1);
      const [dx, dy] = ARROWS[event.key];
      const hint = this.#find(id);
      const place = clampToPhoto(
        photo,
        hint.x + dx * Math.max(1, stride * photo.width),
        hint.y + dy * Math.max(1, stride * photo.height),
      );
      this.#change(id, place, "keys");
      announce(describePlace(photo, place));
    }
  }

  #listenToKeys(node, id) {
    node.addEventListener("keydown", (event) => this.#moveByKey(event, id));
    node.addEventListener("keyup", (event) => ARROWS[event.key] && this.#find(id) && this.album.endGesture());
    node.addEventListener("focus", () => this.#select(id));
  }

  #createMarker({ id }) {
    const marker = element("button", { type: "button", className: "marker" });
    this.#listenToKeys(marker, id);
    marker.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      marker.setPointerCapture(event.pointerId);
      this.#select(id);
      const box = byId("surface").getBoundingClientRect();
      const photo = this.album.active;
      const hint = this.#find(id);
      // The distance from the pointer to the hint's centre stays as it was when the drag began.
      const offsetX = hint.x / photo.width - (event.clientX - box.left) / box.width;
      const offsetY = hint.y / photo.height - (event.clientY - box.top) / box.height;
      const move = ({ clientX, clientY }) => {
        const x = (clientX - box.left) / box.width + offsetX;
        const y = (clientY - box.top) / box.height + offsetY;
        if (this.#find(id)) this.#change(id, toPixels(photo, x, y), "drag");
      };
      marker.addEventListener("pointermove", move);
      const end = () => {
        marker.removeEventListener("pointermove", move);
        this.album.endGesture();
      };
      marker.addEventListener("lostpointercapture", end, { once: true });
    });
    return marker;
  }

  #updateMarker(marker, hint, index) {
    const photo = this.album.active;
    marker.style.left = `${(100 * hint.x) / photo.width}%`;
    marker.style.top = `${(100 * hint.y) / photo.height}%`;
    marker.style.setProperty("--color", hint.color);
    marker.classList.toggle("selected", hint.id === this.selected);
    marker.setAttribute("aria-label", nameOf(photo, hint, index));
  }

  #createRow({ id }) {
    const color = element("input", { type: "color" });
    color.addEventListener("input", () => this.#change(id, { color: color.value }, "colour"));
    color.addEventListener("change", () => this.album.endGesture());
    const place = element("button", { type: "button", className: "place" });
    place.addEventListener("click", () => this.#select(id));
    this.#listenToKeys(place, id);
    const remove = element("button", { type: "button", className: "remove", textContent: "×" });
    remove.addEventListener("click", () => this.#remove(id));
    return element("li", {}, color, place, remove);
  }

  #updateRow(row, hint, index) {
    const [color, place, remove] = row.children;
    const where = describePlace(this.album.active, hint);
    if (document.activeElement !== color) color.value = hint.color;
    color.setAttribute("aria-label", `Colour of hint ${index + 1}`);
    setText(place, where);
    place.setAttribute("aria-label", nameOf(this.album.active, hint, index));
    remove.setAttribute("aria-label", `Remove hint ${index + 1}`);
    row.classList.toggle("selected", hint.id === this.selected);
  }
}

function radiusFor({ width, height }) {
  return Math.max(2, Math.round(RADIUS * Math.max(width, height)));
}

/** Whole pixels inside the photo. */
function clampToPhoto({ width, height }, x, y) {
  const clamp = (value, size) => Math.min(size - 1, Math.max(0, Math.round(value)));
  return { x: clamp(x, width), y: clamp(y, height) };
}

function toPixels(photo, x, y) {
  return clampToPhoto(photo, x * photo.width, y * photo.height);
}

function nameOf(photo, hint, index) {
  return `Hint ${index + 1}, ${describePlace(photo, hint)}. Arrow keys move it, Delete removes it.`;
}

function describePlace({ width, height }, { x, y }) {
  return `${Math.round((100 * x) / width)} % across, ${Math.round((100 * y) / height)} % down`;
}
