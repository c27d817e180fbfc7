/**
 * The drawn mesh overlaps the person: the sample clip's truth, through body, camera and three.js, from the dev server.
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createServer, type ViteDevServer } from "vite";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openPage, openSite, ROOT, type Site } from "./harness.js";

const LEAST_INSIDE = 0.98;
const LEAST_COVERED = 0.8; // clothes and hair extend beyond the skin

let site: Site;
let server: ViteDevServer;
beforeAll(async () => {
  mkdirSync(join(ROOT, "test-results"), { recursive: true });
  site = await openSite();
  server = await createServer({ root: ROOT, server: { port: 0, host: "127.0.0.1" }, logLevel: "error" });
  await server.listen();
});
afterAll(async () => {
  await server.close();
  await site.close();
});

it("covers the person in each frame whose truth is known", async () => {
  const context = await site.browser.newContext({ viewport: { width: 700, height: 520 } });
  for (const frame of [0, 1, 2]) {
    const { page, errors } = await openPage(context);
    await page.goto(`${server.resolvedUrls!.local[0]}tests/browser/overlay.html`);
    await page.waitForFunction(() => "overlay" in window);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    const { inside, covered } = await page.evaluate((i) => window.overlay(i), frame);
    await page.screenshot({ path: join(ROOT, `test-results/overlay-${frame}.png`) });
    expect(inside).toBeGreaterThan(LEAST_INSIDE);
    expect(covered).toBeGreaterThan(LEAST_COVERED);
    expect(errors).toEqual([]);
    await page.close();
  }
  await context.close();
});
