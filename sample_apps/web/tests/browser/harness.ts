/** A real Chromium and a server of the built page, for the tests in this folder. */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { preview, type PreviewServer } from "vite";

export const ROOT = join(import.meta.dirname, "../..");
const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const FLAGS = [
  "--no-sandbox", // containers have none
  "--use-fake-device-for-media-stream",
  "--autoplay-policy=no-user-gesture-required",
];

/** The browser that CHROMIUM names, or the first one on the PATH. */
export function findChromium(): string {
  const given = process.env["CHROMIUM"];
  if (given) {
    if (existsSync(given)) return given;
    throw new Error(`CHROMIUM is ${given}, but there is no such file; set it to the path of a browser.`);
  }
  for (const name of NAMES) {
    try {
      return execFileSync("which", [name], { encoding: "utf8" }).trim();
    } catch {
      continue;
    }
  }
  throw new Error(
    `There is no browser among ${NAMES}; set CHROMIUM=/path/to/chromium or install one (apt install chromium).`,
  );
}

const PATIENCE_MS = 240_000; // a model starts slowly on a busy machine

export interface Site {
  readonly url: string;
  readonly browser: Browser;
  /** Stops the server but not the browser, which is then offline. */
  goOffline(): Promise<void>;
  close(): Promise<void>;
}

/** Serves dist/ and starts the browser. */
export async function openSite(flags: readonly string[] = []): Promise<Site> {
  if (!existsSync(join(ROOT, "dist/bundle/manifest.json"))) {
    throw new Error("There is no bundle in dist/; run `npm run bundle -- PATH`, then `npm run build`.");
  }
  const server: PreviewServer = await preview({ root: ROOT, preview: { port: 0, host: "127.0.0.1" }, logLevel: "error" });
  const url = server.resolvedUrls!.local[0]!;
  const browser = await chromium.launch({ executablePath: findChromium(), args: [...FLAGS, ...flags] });
  return {
    url,
    browser,
    goOffline: () => server.close(),
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

/** A page, with a list of the errors that it throws or prints. */
export async function openPage(context: BrowserContext): Promise<{ page: Page; errors: string[] }> {
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  return { page, errors };
}

/** Some facts about a result. */
export interface Seen {
  readonly state: string;
  readonly found: boolean;
  readonly timestampMs: number | null;
}

/** Waits until the page has shown `count` more results, with the given state if any, and returns the last one. */
export function results(page: Page, count: number, state?: string): Promise<Seen> {
  return page.evaluate(
    ([wanted, of]) =>
      new Promise<Seen>((resolve) => {
        let seen = 0;
        addEventListener("coevoer-result", function listener(event) {
          const { state, person, timestampMs } = (event as CustomEvent).detail;
          if ((of && state !== of) || ++seen < wanted) return;
          removeEventListener("coevoer-result", listener);
          resolve({ state, found: person !== null, timestampMs });
        });
      }),
    [count, state ?? ""] as const,
  );
}
