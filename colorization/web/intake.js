// Every way in for files: the picker, dropping and pasting.

import { byId } from "./dom.js";

export function listenForFiles(album) {
  const picker = byId("files");
  for (const id of ["choose", "add"]) byId(id).addEventListener("click", () => picker.click());
  picker.addEventListener("change", () => {
    album.add(picker.files);
    picker.value = ""; // choosing the same file again is a change again
  });

  const veil = byId("drop-veil");
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    veil.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) veil.hidden = true; // the pointer left the window
  });
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault(); // or the browser would go to the file and the page would be gone
    veil.hidden = true;
    album.add(event.dataTransfer.files);
  });
  addEventListener("paste", (event) => {
    if (!event.clipboardData?.files.length) return;
    event.preventDefault();
    album.add(event.clipboardData.files);
  });
}
