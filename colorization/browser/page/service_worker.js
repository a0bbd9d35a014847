// Keeps the files of the page, so that it opens and works without a network. A new build is a new cache: what stands in
// files.js changes with it.

importScripts("files.js"); // SITE = {version, files}

const PREFIX = `colorization ${registration.scope} `; // other sites of this host may have such caches, too
const CACHE = PREFIX + SITE.version;

addEventListener("install", (event) => {
  skipWaiting();
  const requests = SITE.files.map((name) => new Request(name, { cache: "reload" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)));
});

addEventListener("activate", (event) => {
  event.waitUntil(Promise.all([clients.claim(), forgetOtherBuilds()]));
});

addEventListener("fetch", (event) => {
  const { request } = event;
  const isOurs = request.method === "GET" && request.url.startsWith(registration.scope);
  if (isOurs) event.respondWith(answer(event));
});

/** From the cache, else from the network and into the cache: so come the model and the build of the runtime in use. */
async function answer(event) {
  const { request } = event;
  const cache = await caches.open(CACHE);
  const found = await cache.match(request, { ignoreSearch: true });
  if (found) return found;
  const response = await fetch(request);
  if (response.status === 200) {
    const kept = cache.put(request, response.clone()); // not waited for: the page counts the bytes as they come
    event.waitUntil(kept.catch(() => {})); // the disk may be full
  }
  return response;
}

async function forgetOtherBuilds() {
  const others = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(others.map((name) => caches.delete(name)));
}
