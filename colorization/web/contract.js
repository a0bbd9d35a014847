// What the page needs of a backend, whether it is a server or this device:
//
//   new Backend()                     from backend.js
//   await backend.describe()          -> what it offers, see ABILITIES
//   await backend.colorize(request)   -> {blob, filename}
//   backend.place                     where photos are coloured: "this server"
//   backend.promise                   what happens to photos, a sentence for the user
//   backend.token = "..."             when a BackendError of kind "token" was thrown
//   backend.progress                  what it is busy with before it can describe itself, one line, or null; whenever
//                                     that changes, it tells a "progress" event
//
// A request: photo (Blob), name (of the file), saturation (1 is the model's own), version (0 is the automatic colour,
// 1, 2, ... are others), hints (x, y, radius in pixels of the photo, color "#rrggbb"), reference (Blob or null;
// excludes versions), signal (AbortSignal).

/** What is assumed until the backend has answered. */
export const ABILITIES = Object.freeze({
  modelName: "",
  modelVersion: null,
  takesHints: true,
  takesReference: true,
  maxRequestBytes: Infinity,
  maxPixels: Infinity,
  maxSamples: 1,
  needsToken: false,
});

/**
 * Why there is no picture; the message is one line for the user.
 *
 * kind: "refused" (this photo or request will never do), "token" (a token is missing or wrong), "unavailable" (busy,
 * restarting or not reachable: worth another try, after retryAfterSeconds if given) or "failed" (this time).
 */
export class BackendError extends Error {
  constructor(kind, message, retryAfterSeconds = null) {
    super(message);
    this.kind = kind;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
