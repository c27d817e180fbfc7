// The service worker. After the first visit it serves everything from its caches, so that the page works offline. It
// also adds the headers of cross-origin isolation, for hosts that cannot send them. The build puts VERSION and SHELL
// before this line.
/* global VERSION, SHELL */

const SHELL_CACHE = `coevoer-shell-${VERSION}`;
const DATA_CACHE = "coevoer-data"; // bundle and runtime: their addresses change with their content
const FRESH = /\/(SHA256SUMS|[^/]*\.html|)$/; // files that name the others: the server is asked first

self.addEventListener("install", (event) => {
  const fill = async () => (await caches.open(SHELL_CACHE)).addAll(SHELL.map((url) => new Request(url, { cache: "reload" })));
  event.waitUntil(fill().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const tidy = async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith("coevoer-shell-") && name !== SHELL_CACHE) await caches.delete(name);
    }
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin) return;
  if (event.request.headers.has("range")) return event.respondWith(ranged(event.request));
  event.respondWith(answer(event.request, url).then(isolated));
});

async function answer(request, url) {
  if (FRESH.test(url.pathname)) {
    try {
      return await fetchAndKeep(request, url);
    } catch (error) {
      const kept = await caches.match(request, { ignoreSearch: true, ignoreVary: true });
      if (kept) return kept;
      throw error;
    }
  }
  return (await caches.match(request, { ignoreVary: true })) ?? fetchAndKeep(request, url);
}

async function fetchAndKeep(request, url) {
  const response = await fetch(request);
  if (response.status !== 200) return response;
  const cache = await caches.open(DATA_CACHE);
  if (url.searchParams.has("sha256")) {
    for (const older of await cache.keys(url.origin + url.pathname, { ignoreSearch: true })) {
      if (older.url !== request.url) await cache.delete(older);
    }
  }
  await cache.put(request, response.clone()).catch(() => undefined); // if there is no room, the page still works online
  return response;
}

/** Answers a video element's request for a part of the clip. */
async function ranged(request) {
  const kept = await caches.match(request.url, { ignoreVary: true });
  if (!kept) return fetch(request);
  const bytes = await kept.arrayBuffer();
  const [, from, to] = /bytes=(\d+)-(\d*)/.exec(request.headers.get("range")) ?? [];
  const start = Number(from ?? 0);
  const end = to ? Math.min(Number(to), bytes.byteLength - 1) : bytes.byteLength - 1;
  const headers = new Headers(kept.headers);
  headers.set("Content-Range", `bytes ${start}-${end}/${bytes.byteLength}`);
  headers.set("Content-Length", String(end - start + 1));
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  return new Response(bytes.slice(start, end + 1), { status: 206, headers });
}

function isolated(response) {
  if (response.type === "opaqueredirect" || response.status === 0) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
