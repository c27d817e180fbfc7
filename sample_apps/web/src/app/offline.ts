/**
 * Offline use and threads: the service worker takes control before anything large is loaded, so that it keeps a copy.
 */

const PATIENCE_MS = 8_000; // after this, the page goes on without the service worker
const RELOADED = "coevoer-reloaded";

/** Starts the service worker, and returns a line about offline use for the user. */
export async function prepareOffline(): Promise<string> {
  if (import.meta.env.DEV) return "Development server: offline use is off";
  if (!navigator.serviceWorker) return "This browser does not support offline use";
  try {
    // Browsers that store nothing, as in private windows, may register nothing without an error.
    const registration: ServiceWorkerRegistration | undefined = await navigator.serviceWorker.register("sw.js");
    const first = registration && !registration.active; // later it is in control, unless the reload was forced
    if (first) await Promise.race([controlled(), new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
  } catch (error) {
    return `Offline use failed (${error instanceof Error ? error.message : String(error)})`;
  }
  if (!navigator.serviceWorker.controller) return "Works offline after the next visit";
  if (!crossOriginIsolated && !sessionStorage.getItem(RELOADED)) {
    sessionStorage.setItem(RELOADED, "once"); // the service worker adds the headers that threads need
    location.reload();
    await new Promise(() => undefined);
  }
  return "Works offline from now on";
}

async function controlled(): Promise<void> {
  if (navigator.serviceWorker.controller) return;
  await new Promise<void>((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", () => resolve(), { once: true });
  });
}
