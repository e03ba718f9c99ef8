// Keeps the whole site, so that it works without a network: a version at a time, never mixed.

importScripts("precache.js"); // VERSION, FILES, LATER

const NAME = `cropper-${self.registration.scope}-${self.VERSION}`;

self.addEventListener("install", (event) => {
  const fresh = self.FILES.map((name) => new Request(name, { cache: "reload" }));
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(fresh)));
});

self.addEventListener("activate", (event) => {
  const own = `cropper-${self.registration.scope}-`;
  event.waitUntil(caches.keys().then((names) => Promise.all(
    names.filter((name) => name.startsWith(own) && name !== NAME).map((name) => caches.delete(name)))));
});

self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  event.respondWith(caches.open(NAME)
    .then((cache) => cache.match(event.request, { ignoreSearch: true }))
    .then((kept) => (kept ? isolated(kept) : fetched(event.request))));
});

/** From the host; what only some visitors ask for is kept once it is there. */
async function fetched(request) {
  const answer = await fetch(request);
  const isLater = self.LATER.some((name) => request.url === new URL(name, self.registration.scope).href);
  if (!isLater || !answer.ok) return answer;
  await caches.open(NAME).then((cache) => cache.put(request, answer.clone())).catch(() => {}); // no room
  return isolated(answer);
}

/** With the headers that allow the engine's threads, which few static hosts send. */
function isolated(kept) {
  const headers = new Headers(kept.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  return new Response(kept.body, { status: kept.status, statusText: kept.statusText, headers });
}
