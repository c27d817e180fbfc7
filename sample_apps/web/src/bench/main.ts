/**
 * The benchmark page. `window.bench` has its steps, so that a script can alternate its rounds with another runtime's:
 * call `open()` once, then `round()` as often as wanted, then `report()`.
 */

import { Body } from "../coevoer/body.js";
import { BundleReader, GOLDEN } from "../coevoer/bundle.js";
import { CanvasReader } from "../coevoer/canvas.js";
import { messageOf } from "../coevoer/errors.js";
import { FramePipeline, type Frame } from "../coevoer/frame-pipeline.js";
import { toTensor } from "../coevoer/image.js";
import { readNpz } from "../coevoer/npz.js";
import { createRuntime, defaultThreads, type Provider, type Runtime } from "../coevoer/runtime.js";
import { readSafetensors } from "../coevoer/safetensors.js";
import { median, selfCheck, type SelfCheck } from "../coevoer/selfcheck.js";
import { part } from "../app/page.js";
import { checkKit, openKit, type Verdict } from "../conformance/check.js";
import "../app/style.css";

const query = new URLSearchParams(location.search);
const FRAME = { width: 1280, height: 720 }; // size of the pipeline's frames, as of a usual webcam

interface Opened {
  readonly runtime: Runtime;
  readonly check: SelfCheck;
  readonly reader: BundleReader;
  readonly tensor: Float32Array;
  readonly pipeline: FramePipeline;
  readonly body: Body;
  readonly frame: Frame;
  readonly artifactBytes: number;
}

/** The time of each step in ms, with one entry per round. */
const times = { network: [] as number[], crop: [] as number[], decode: [] as number[], mesh: [] as number[] };
let opened: Opened | null = null;

export async function open(): Promise<void> {
  const at = (path: string): URL => new URL(path, document.baseURI);
  const reader = await BundleReader.open(at(query.get("bundle") ?? "bundle/"), () => undefined);
  const { manifest } = reader;
  const artifact = await reader.read(manifest.artifact);
  const golden = readNpz(await reader.read(GOLDEN), GOLDEN, () => true);
  const body = new Body(readSafetensors(await reader.read(manifest.body_model.file), manifest.body_model.file), manifest);
  const provider = (query.get("provider") as Provider | null) ?? "wasm";
  const threads = Number(query.get("threads")) || defaultThreads();
  const [silent, base] = [() => undefined, at(__RUNTIME_FOLDER__)];
  const runtime = await createRuntime(artifact, manifest, provider, threads, base, silent, silent);
  const check = await selfCheck((tensor) => runtime.run(tensor), golden, manifest);
  const images = golden.get("image")!;
  const tensor = toTensor((images.data as Uint8Array).subarray(0, images.data.length / images.shape[0]!));
  const pipeline = new FramePipeline(manifest, body, (input) => runtime.run(input), { smooth: true, mesh: true, passes: 1 });
  const frame = new CanvasReader(manifest.input.crop.transparent_over).frame(stripes());
  opened = { runtime, check, reader, tensor, pipeline, body, frame, artifactBytes: artifact.byteLength };
}

/** Runs each step once. Returns the network's time in ms. */
export async function round(): Promise<number> {
  if (!opened) throw new Error("Call open() first.");
  const start = performance.now();
  await opened.runtime.run(opened.tensor);
  const networkMs = performance.now() - start;
  times.network.push(networkMs);
  const { timings, person } = await opened.pipeline.detect(opened.frame);
  times.crop.push(timings.cropMs);
  times.decode.push(timings.decodeMs);
  const meshStart = performance.now();
  opened.body.vertices(opened.body.skeleton(person.parameters), person.parameters);
  times.mesh.push(performance.now() - meshStart);
  return networkMs;
}

/** Runs the bundle's conformance kit in this browser. */
export async function conformance(): Promise<Verdict[]> {
  if (!opened) throw new Error("Call open() first.");
  const { reader } = opened;
  const { manifest } = reader;
  const kitBytes = await reader.read(manifest.pipeline.conformance);
  const [kit, body] = openKit(kitBytes, await reader.read(manifest.body_model.file), manifest);
  return checkKit(kit, manifest, body);
}

export function report(): Record<string, unknown> {
  if (!opened) throw new Error("Call open() first.");
  const { runtime, check, reader, artifactBytes } = opened;
  const summary = (values: number[]): Record<string, number> => {
    const sorted = [...values].sort((a, b) => a - b);
    const fine = (ms: number | undefined): number => Number((ms ?? NaN).toFixed(2));
    return { median_ms: fine(median(values)), p95_ms: fine(sorted[Math.ceil(0.95 * sorted.length) - 1]), runs: values.length };
  };
  return {
    model: reader.manifest.model,
    precision: reader.manifest.precision,
    trained: reader.manifest.trained,
    artifact_bytes: artifactBytes,
    provider: runtime.provider,
    threads: runtime.threads,
    cross_origin_isolated: crossOriginIsolated,
    user_agent: navigator.userAgent,
    hardware_concurrency: navigator.hardwareConcurrency,
    frame_px: [FRAME.width, FRAME.height],
    self_check: check,
    network: summary(times.network),
    crop: summary(times.crop),
    decode_with_mesh: summary(times.decode),
    mesh_alone: summary(times.mesh),
  };
}

/** A frame of stripes, because the cost of a crop does not depend on its content. */
function stripes(): ImageBitmap {
  const canvas = new OffscreenCanvas(FRAME.width, FRAME.height);
  const context = canvas.getContext("2d")!;
  for (let x = 0; x < FRAME.width; x += 8) {
    context.fillStyle = `hsl(${x % 360} 60% 50%)`;
    context.fillRect(x, 0, 8, FRAME.height);
  }
  return canvas.transferToImageBitmap();
}

const [run, copy] = [part("run", HTMLButtonElement), part("copy", HTMLButtonElement)];
const [status, text] = [part("status", HTMLSpanElement), part("report", HTMLPreElement)];
run.onclick = async () => {
  run.disabled = true;
  const rounds = Number(query.get("rounds")) || 20;
  try {
    status.textContent = "loading";
    if (!opened) await open();
    for (let i = 1; i <= rounds; i++) {
      status.textContent = `round ${i} of ${rounds}`;
      await round();
    }
    status.textContent = "done";
    text.textContent = JSON.stringify(report(), null, 2);
    copy.disabled = false;
  } catch (error) {
    status.textContent = messageOf(error);
  }
  run.disabled = false;
};
copy.onclick = () => void navigator.clipboard.writeText(text.textContent ?? "");

declare global {
  interface Window {
    bench: { open: typeof open; round: typeof round; conformance: typeof conformance; report: typeof report };
  }
}
window.bench = { open, round, conformance, report };
