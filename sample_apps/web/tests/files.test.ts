/** Contracts of the files that are read: safetensors, npz, manifests, bundles over HTTP. */

import { createHash } from "node:crypto";
import { afterEach, describe, expect, it, vi } from "vitest";
import { BundleReader } from "../src/coevoer/bundle.js";
import { parseManifest } from "../src/coevoer/manifest.js";
import { readNpz } from "../src/coevoer/npz.js";
import { float32, readSafetensors } from "../src/coevoer/safetensors.js";
import { bundleFile, bundleManifest } from "./bundle.js";

function safetensors(header: object, data = new Uint8Array()): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

describe("safetensors", () => {
  const values = Float32Array.of(1.5, -2, 3, 4, 5, 6);
  const entry = { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] };

  it("reads values, shapes and metadata", () => {
    const file = readSafetensors(safetensors({ x: entry, __metadata__: { name: "y" } }, new Uint8Array(values.buffer)), "f");
    expect([...float32(file, "x", [2, -1], "f")]).toEqual([...values]);
    expect(file.metadata).toEqual({ name: "y" });
  });

  it.each([
    ["too short", new Uint8Array(3), "f is damaged (it has only 3 bytes)"],
    ["cut off", safetensors({ x: entry }, new Uint8Array(20)), "f is damaged (x is F32 [2,3] in bytes"],
    ["of another type", safetensors({ x: { ...entry, dtype: "F8" } }, new Uint8Array(24)), "x has type F8"],
    ["without a header", safetensors({}).fill(255, 8), "its header is not JSON"],
  ])("refuses a file that is %s", (_name, bytes, message) => {
    expect(() => readSafetensors(bytes, "f")).toThrow(message);
  });

  it("names a tensor that is missing or of another shape", () => {
    const file = readSafetensors(safetensors({ x: entry }, new Uint8Array(24)), "f");
    expect(() => float32(file, "y", [2, 3], "f")).toThrow("f has no y; export the bundle again.");
    expect(() => float32(file, "x", [3, 2], "f")).toThrow("f: x has the shape [2,3], not [3,2]; export");
  });
});

describe("npz", () => {
  it("reads the golden images of the bundle", () => {
    const manifest = bundleManifest();
    const arrays = readNpz(bundleFile("golden.npz"), "golden.npz", () => true);
    const [, , height, width] = manifest.input.shape;
    expect(arrays.get("image")?.shape.slice(1)).toEqual([height, width, 3]);
    for (const { name, shape } of manifest.outputs) {
      expect(arrays.get(`float_${name}`)?.shape.slice(1)).toEqual(shape.slice(1));
    }
  });

  it("refuses a file that is not a zip", () => {
    expect(() => readNpz(new Uint8Array(100), "golden.npz", () => true)).toThrow("golden.npz is not a readable npz");
  });
});

describe("manifest", () => {
  const text = (change: (manifest: Record<string, any>) => void): string => {
    const manifest = JSON.parse(JSON.stringify(bundleManifest())) as Record<string, any>;
    change(manifest);
    return JSON.stringify(manifest);
  };

  it.each<[string, (manifest: Record<string, any>) => void, string]>([
    ["another schema", (m) => (m["schema_version"] = 1), "schema version 1; this module reads version 2"],
    ["another target", (m) => (m["target"] = "coreml"), "it is for coreml; browsers run ONNX bundles"],
    ["a missing output", (m) => m["outputs"].pop(), "it has no output visibility"],
    ["a missing constant", (m) => delete m["pipeline"].max_gap_ms, "pipeline.max_gap_ms is undefined"],
    ["a broken filter", (m) => (m["pipeline"].smoothing.jaw.cutoff_hz = 0), "pipeline.smoothing.jaw is"],
    ["fewer joints", (m) => m["joint_names"].pop(), "its outputs rotate 53 joints, but it names 54"],
    ["visibility of nobody", (m) => (m["outputs"].at(-1).columns[0] = "somebody"), "visibility has no column person"],
    ["a file elsewhere", (m) => (m["artifact"] = "../x.onnx"), '"../x.onnx" is not the name of a file in'],
  ])("refuses %s", (_name, change, message) => {
    expect(() => parseManifest(text(change), "manifest.json")).toThrow(message);
  });

  it("refuses a text that is not JSON", () => {
    expect(() => parseManifest("<html>", "manifest.json")).toThrow("manifest.json is not JSON");
  });
});

describe("bundle over HTTP", () => {
  afterEach(() => vi.unstubAllGlobals());

  const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");
  const serve = (files: Readonly<Record<string, Uint8Array | string>>): string[] => {
    const asked: string[] = [];
    vi.stubGlobal("fetch", (url: URL) => {
      asked.push(url.pathname);
      const body = files[url.pathname.slice(1)];
      return Promise.resolve(body === undefined ? new Response("", { status: 404 }) : new Response(body as string));
    });
    return asked;
  };
  const open = (): Promise<BundleReader> => BundleReader.open(new URL("http://host/"), () => undefined);

  it("reads a file whose digest is the listed one", async () => {
    const manifest = bundleFile("manifest.json");
    serve({ "manifest.json": manifest, x: "abc", SHA256SUMS: `${sha256(manifest)}  manifest.json\n${sha256("abc")}  x\n` });
    expect(new TextDecoder().decode(await (await open()).read("x"))).toBe("abc");
  });

  it("refuses an altered manifest and asks for nothing else", async () => {
    const asked = serve({ "manifest.json": "{}", SHA256SUMS: `${sha256("other")}  manifest.json\n` });
    await expect(open()).rejects.toMatchObject({ code: "digest" });
    expect(asked).toEqual(["/SHA256SUMS", "/manifest.json"]);
  });

  it("recognises a web page that a host sends in place of a missing list of digests", async () => {
    serve({ SHA256SUMS: "<!doctype html>" });
    await expect(open()).rejects.toThrow("http://host/SHA256SUMS is not a list of digests");
  });

  it("names a missing file", async () => {
    serve({});
    const message = expect.stringContaining("no SHA256SUMS at http://host/") as string;
    await expect(open()).rejects.toMatchObject({ code: "missing", message });
  });
});
