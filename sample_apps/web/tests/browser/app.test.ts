/** The built page in Chromium, on the sample clip and when things go wrong. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { openPage, openSite, results, ROOT, type Site } from "./harness.js";

const SHOTS = join(ROOT, "test-results");
const VIEWPORT = { width: 1280, height: 900 };

let site: Site;
let context: BrowserContext;

beforeAll(async () => {
  mkdirSync(SHOTS, { recursive: true });
  site = await openSite();
});
afterAll(() => site.close());
beforeEach(async () => {
  context = await site.browser.newContext({ viewport: VIEWPORT, serviceWorkers: "block" });
});
afterEach(() => context.close());

async function open(path = ""): Promise<{ page: Page; errors: string[] }> {
  const opened = await openPage(context);
  await opened.page.goto(site.url + path);
  return opened;
}

const text = (page: Page, id: string): Promise<string> => page.locator(`#${id}`).innerText();
const noticeKind = (page: Page): Promise<void> => page.locator("#notice[data-kind=error]").waitFor();

it("plays the sample clip and shows what runs", async () => {
  const { page, errors } = await open();
  await results(page, 12);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  expect(page.workers().length).toBeGreaterThanOrEqual(1);
  expect(await page.locator("#notice").isHidden()).toBe(true);
  const manifest = (await (await context.request.get(`${site.url}bundle/manifest.json`)).json()) as Record<string, unknown>;
  expect(await page.locator("#untrained").isVisible()).toBe(manifest["trained"] === false);
  expect(await text(page, "chips")).toContain(manifest["model"]);
  for (const step of ["crop", "network", "decode", "draw"]) expect(await text(page, "steps")).toContain(step);
  expect(Number(await text(page, "fps"))).toBeGreaterThan(0);
  await page.locator("summary").click();
  expect(await text(page, "about")).toContain("passed");
  await page.screenshot({ path: join(SHOTS, "sample.png") });
  expect(errors).toEqual([]);
});

it("takes an image from a file", async () => {
  const { page, errors } = await open();
  await results(page, 1);
  const [seen] = await Promise.all([
    results(page, 1, "image"),
    page.locator("#file").setInputFiles(join(ROOT, "../../tests/data/astronaut.jpg")),
  ]);
  expect(seen).toMatchObject({ found: true, timestampMs: null });
  await page.waitForTimeout(500); // the 3D view draws with the next repaint
  await page.screenshot({ path: join(SHOTS, "image.png") });
  expect(errors).toEqual([]);
});

it("says what to do with a file that is not a picture, and continues", async () => {
  const { page } = await open();
  await results(page, 1);
  const buffer = Buffer.from("not a picture");
  await page.locator("#file").setInputFiles({ name: "notes.txt", mimeType: "text/plain", buffer });
  await page.locator("#hint:not([hidden])").waitFor();
  expect(await text(page, "hint")).toContain("notes.txt is not an image or video");
  await results(page, 1);
});

it("runs the webcam, mirrored", async () => {
  await context.grantPermissions(["camera"]);
  const { page } = await open();
  await results(page, 1);
  await page.locator("[data-source=camera]").click();
  await page.locator("#stage.mirrored").waitFor();
  const seen = await results(page, 2);
  expect(seen.timestampMs).not.toBeNull();
});

it("explains a denied camera and continues with the clip", async () => {
  await context.addInitScript(() => {
    // Headless browsers never answer the question; this is the error that a user's "no" causes.
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("Permission denied", "NotAllowedError"));
  });
  const { page, errors } = await open();
  await results(page, 1);
  await page.locator("[data-source=camera]").click();
  await page.locator("#hint:not([hidden])").waitFor();
  expect(await text(page, "hint")).toContain("The camera was denied. Allow it");
  expect(await page.locator("[data-source=sample]").getAttribute("aria-pressed")).toBe("true");
  await results(page, 2);
  await page.screenshot({ path: join(SHOTS, "camera-denied.png") });
  expect(errors).toEqual([]);
});

it("says that there is no bundle", async () => {
  const { page } = await open("?bundle=elsewhere/");
  await noticeKind(page);
  expect(await text(page, "notice-title")).toBe("The model is missing");
  expect(await text(page, "notice-text")).toContain("python -m coevoer_edge.export --target onnx");
  await page.screenshot({ path: join(SHOTS, "missing.png") });
});

it("refuses a model file with a wrong digest", async () => {
  await context.route(/\.onnx\?/, async (route) => {
    const response = await route.fetch();
    const body = await response.body();
    body[body.length >> 1]! ^= 1;
    await route.fulfill({ response, body });
  });
  const { page } = await open();
  await noticeKind(page);
  expect(await text(page, "notice-title")).toBe("The model's files are damaged");
  expect(await text(page, "notice-text")).toMatch(/\.onnx is not the file that SHA256SUMS lists/);
  await page.screenshot({ path: join(SHOTS, "digest.png") });
});

it("refuses a bundle of another schema before it reads a tensor", async () => {
  const asked: string[] = [];
  context.on("request", (request) => asked.push(new URL(request.url()).pathname));
  const { createHash } = await import("node:crypto");
  const manifest = JSON.stringify({ schema_version: 1 });
  const digest = createHash("sha256").update(manifest).digest("hex");
  await context.route(/bundle\/manifest\.json/, (route) => route.fulfill({ body: manifest }));
  await context.route(/bundle\/SHA256SUMS/, (route) => route.fulfill({ body: `${digest}  manifest.json\n` }));
  const { page } = await open();
  await noticeKind(page);
  expect(await text(page, "notice-text")).toContain("schema version 1; this module reads version 2");
  expect(asked.filter((path) => /onnx$|safetensors$|npz$/.test(path))).toEqual([]);
});

it("pauses while the tab is hidden and continues afterwards", async () => {
  const { page, errors } = await open();
  await results(page, 2);
  const set = (state: "hidden" | "visible"): Promise<void> =>
    page.evaluate((value) => {
      Object.defineProperty(document, "visibilityState", { configurable: true, get: () => value });
      Object.defineProperty(document, "hidden", { configurable: true, get: () => value === "hidden" });
      document.dispatchEvent(new Event("visibilitychange"));
    }, state);
  await set("hidden");
  await page.waitForTimeout(1500); // frames in progress are finished
  expect(await text(page, "state")).toBe("paused");
  const quiet = await Promise.race([results(page, 1).then(() => "a result"), page.waitForTimeout(1500).then(() => "none")]);
  expect(quiet).toBe("none");
  await set("visible");
  await results(page, 3);
  expect(await text(page, "state")).not.toBe("paused");
  expect(errors).toEqual([]);
});
