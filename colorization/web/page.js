// Puts the page together: the album holds the state, the darkroom works on it, the views show it.

import { Album } from "./album.js";
import { Backend } from "./backend.js";
import { Darkroom } from "./darkroom.js";
import { byId, setText } from "./dom.js";
import { Downloads } from "./downloads.js";
import { Hints } from "./hints.js";
import { listenForFiles } from "./intake.js";
import { Stage } from "./stage.js";
import { Status } from "./status.js";
import { Strip } from "./strip.js";
import { Versions } from "./versions.js";

const album = new Album();
const backend = new Backend();
const darkroom = new Darkroom(album, backend);
const hints = new Hints(album);
const stage = new Stage(album, darkroom, hints);
const views = [new Strip(album, darkroom), new Status(album, darkroom), new Downloads(album, darkroom)];
const versions = new Versions(album);

function render() {
  const photo = album.active;
  document.body.classList.toggle("empty", !photo && !album.removed);
  document.body.classList.toggle("blank", !photo);
  byId("panel").classList.toggle("unusable", !photo?.open || !photo.canPreview);
  stage.render();
  hints.render(darkroom.abilities);
  versions.render(darkroom.abilities);
  for (const view of views) view.render();
  renderSaturation(photo);
  for (const [id, steps] of [["undo", photo?.past], ["redo", photo?.future]]) {
    byId(id).setAttribute("aria-disabled", String(!steps?.length));
  }
  const { modelName, modelVersion } = darkroom.abilities ?? {};
  const model = modelName ? `Model: ${modelName}${modelVersion === null ? "" : `, version ${modelVersion}`}. ` : "";
  setText(byId("about"), `${model}${backend.promise}`);
}

let frame = 0;
function renderSoon() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    render();
  });
}

function renderSaturation(photo) {
  const slider = byId("saturation");
  const saturation = photo?.edits.saturation ?? 1;
  slider.value = saturation;
  slider.disabled = !photo?.canPreview;
  const percent = `${Math.round(saturation * 100)} %`;
  slider.setAttribute("aria-valuetext", percent);
  setText(byId("saturation-value"), percent);
}

byId("saturation").addEventListener("input", (event) => {
  album.edit({ saturation: Number(event.target.value) }, "saturation");
});
byId("saturation").addEventListener("change", () => album.endGesture());
byId("undo").addEventListener("click", () => album.undo());
byId("redo").addEventListener("click", () => album.redo());
addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.target.type === "password") return;
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  if (key === "y" || event.shiftKey) album.redo();
  else album.undo();
});
addEventListener("beforeunload", (event) => {
  if (album.photos.some((photo) => photo.edits.hints.length)) event.preventDefault(); // placed by hand: ask first
});

album.addEventListener("change", renderSoon);
darkroom.addEventListener("change", renderSoon);
listenForFiles(album);
setText(byId("promise"), backend.promise);
render();
