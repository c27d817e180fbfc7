/** The module in Chromium: conformance kit, golden images through each provider, embedding in a page, offline use. */

import { createServer, type Server } from "node:http";
import { createReadStream, existsSync } from "node:fs";
import { extname, join, normalize } from "node:path";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openPage, openSite, results, ROOT, type Site } from "./harness.js";

let site: Site;
beforeAll(async () => {
  site = await openSite(["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]);
});
afterAll(() => site.close());

it("passes the conformance kit, and golden images through WebAssembly with threads", async () => {
  const context = await site.browser.newContext({ serviceWorkers: "block" });
  const { page, errors } = await openPage(context);
  await page.goto(`${site.url}bench.html?threads=2`);
  await page.evaluate(() => window.bench.open());
  const verdicts = await page.evaluate(() => window.bench.conformance());
  expect(verdicts.filter(({ fault }) => fault)).toEqual([]);
  expect(verdicts.length).toBeGreaterThan(30);
  const report = (await page.evaluate(() => window.bench.report())) as { threads: number; self_check: { passed: boolean } };
  expect(report.threads).toBe(2);
  expect(report.self_check).toMatchObject({ passed: true });
  expect(errors).toEqual([]);
  await context.close();
});

it("falls back to WebAssembly where WebGPU is no better, and says why", async () => {
  const context = await site.browser.newContext({ serviceWorkers: "block" });
  const { page } = await openPage(context);
  await page.goto(`${site.url}?softwaregpu`);
  await results(page, 1);
  await page.locator("summary").click();
  const reason = /WebAssembly: (WebGPU (takes|failed|is not exact)|there is no graphics adapter|this browser)/;
  expect(await page.locator("#about").innerText()).toMatch(reason);
  await context.close();
});

it("works offline once loaded", async () => {
  const own = await openSite();
  const context = await own.browser.newContext();
  const { page } = await openPage(context);
  await page.goto(own.url);
  await results(page, 1);
  expect(await page.locator("#offline").innerText()).toBe("Works offline from now on");
  await own.goOffline();
  await expect(context.request.get(own.url)).rejects.toThrow("ECONNREFUSED");
  await page.reload();
  await results(page, 2);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await own.close();
});

it("gets threads from the service worker on a host that sends no headers, and works without a bundler", async () => {
  const server = await plainServer();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const context = await site.browser.newContext();
  const { page } = await openPage(context);
  await page.goto(`${url}dist/index.html`);
  await page.waitForFunction(() => crossOriginIsolated); // after it has reloaded itself once
  await results(page, 1);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);

  await page.goto(`${url}tests/browser/embed.html`);
  const found = await page.evaluate(() => window.embedded);
  expect(found).toMatchObject({ state: "image", joints: 55, provider: "wasm" });
  expect(found.vertices).toBeGreaterThan(10_000);
  expect(found.refused).toMatch(/^CoEvoerError input: The frame's timestamp is 5 ms, the last one was 10 ms/);
  expect(found.live).toEqual([20, 40]); // the newest frame is kept, the one before it is dropped
  expect(found.delegate).toBe('CoEvoerError input: The delegate is "cpu"; give one of auto, wasm, webgpu.');
  expect(found.closed).toMatch(/^CoEvoerError closed/);
  await context.close();
  await new Promise((resolve) => server.close(resolve));
});

interface Embedded {
  state: string;
  joints: number;
  vertices: number;
  provider: string;
  refused: string;
  closed: string;
  live: number[];
  delegate: string;
}
declare global {
  interface Window {
    embedded: Promise<Embedded>;
  }
}

/** Serves the app's folder as the simplest host would: files with their types, and nothing else. */
async function plainServer(): Promise<Server> {
  const types: Readonly<Record<string, string>> = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".wasm": "application/wasm",
    ".webm": "video/webm",
    ".json": "application/json",
  };
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? "/", "http://x").pathname));
    const file = join(ROOT, path.endsWith("/") ? `${path}index.html` : path);
    if (!file.startsWith(ROOT) || !existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { "Content-Type": types[extname(file)] ?? "application/octet-stream" });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}
