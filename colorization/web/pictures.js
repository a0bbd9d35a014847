// Opens image files in the browser and makes the small copies that are sent while the user still tries things out.

export const PREVIEW_SIDE = 768; // pixels, long side: as much as a stage of usual size shows
const THUMBNAIL_SIDE = 256;
const REFERENCE_SIDE = 1024; // a mood needs no more
const STRIP_SIDE = 200;
const HAS_ALPHA = /png|webp|gif|avif/;

/** Draws a picture at most `side` pixels long; returns the canvas and its scale. */
function shrink(bitmap, side) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return { canvas, scale };
}

function toBlob(canvas, type) {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), type, 0.95);
  });
}

/**
 * Reads a photo upright, as the browser shows it.
 *
 * Returns its width and height, `previewBlob` and `thumbnailBlob` with their scales (the file itself and 1 where it is
 * small enough), or null if this browser cannot show it: a TIFF, say, or no image at all.
 */
export async function readPicture(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
    const type = HAS_ALPHA.test(file.type) ? "image/png" : "image/jpeg";
    const preview = shrink(bitmap, PREVIEW_SIDE);
    const thumbnail = shrink(preview.canvas, THUMBNAIL_SIDE);
    return {
      width: bitmap.width,
      height: bitmap.height,
      previewBlob: preview.scale === 1 ? file : await toBlob(preview.canvas, type),
      previewScale: preview.scale,
      thumbnailBlob: await toBlob(thumbnail.canvas, type),
      thumbnailScale: preview.scale * thumbnail.scale,
    };
  } catch {
    return null;
  } finally {
    bitmap?.close();
  }
}

/** A small copy of any picture for the film strip, as a URL; null if this browser cannot show it. */
export async function makeStripPicture(blob) {
  try {
    const bitmap = await createImageBitmap(blob);
    const { canvas } = shrink(bitmap, STRIP_SIDE);
    bitmap.close();
    return URL.createObjectURL(await toBlob(canvas, "image/png"));
  } catch {
    return null;
  }
}

/** Whether a file is there: a folder is not, nor what was changed or deleted since it was chosen. */
export async function isReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

let referencesSoFar = 0;

/** A reference photo: {id, name, blob, url}. A file that the browser cannot open goes to the server as it is. */
export async function readReference(file) {
  let blob = file;
  try {
    const bitmap = await createImageBitmap(file);
    if (Math.max(bitmap.width, bitmap.height) > REFERENCE_SIDE) {
      blob = await toBlob(shrink(bitmap, REFERENCE_SIDE).canvas, "image/jpeg");
    }
    bitmap.close();
  } catch {
    // The server's message tells what is wrong with it, if anything is.
  }
  return { id: ++referencesSoFar, name: file.name || "pasted photo", blob, url: URL.createObjectURL(blob) };
}
