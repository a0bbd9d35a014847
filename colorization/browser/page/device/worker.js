// Works beside the page, so that it never freezes: takes messages {id, method, request} and {id, cancel}, answers with
// {id, result} or {id, error, broken}, and tells {loading: [bytes, of all]}.
//
// This is a classic worker, because LiteRT.js brings in its WebAssembly with importScripts, which module workers lack.

const cancelled = new Set();
let colorizer = null; // a promise

function load() {
  colorizer ??= import("./colorizer.js")
    .then(({ Colorizer }) => Colorizer.load((...loading) => postMessage({ loading })))
    .catch((error) => {
      colorizer = null; // the next request tries again
      throw Object.assign(error, { kind: "unavailable" });
    });
  return colorizer;
}

const methods = {
  describe: async () => (await load()).info,
  colorize: async (request, rest) => (await load()).colorize(request, rest),
};

addEventListener("message", async ({ data: { id, method, request, cancel } }) => {
  if (cancel) {
    cancelled.add(id);
    return;
  }
  /** Lets messages in. */
  const rest = async () => {
    await new Promise((resolve) => setTimeout(resolve));
    if (cancelled.has(id)) throw new Error("cancelled");
  };
  try {
    await rest();
    postMessage({ id, result: await methods[method](request, rest) });
  } catch (error) {
    const broken = error instanceof WebAssembly.RuntimeError; // out of memory, say: this worker is of no more use
    postMessage({ id, error: { kind: error.kind ?? "failed", message: error.message }, broken });
  } finally {
    cancelled.delete(id);
  }
});
