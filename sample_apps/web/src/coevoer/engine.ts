/**
 * Everything that runs in the worker: bundle, body, runtime and pipeline, opened together. In: options. Out: `Engine`.
 */

import { Body } from "./body.js";
import { BundleReader, GOLDEN } from "./bundle.js";
import type { OnBytes } from "./download.js";
import { CoEvoerError, messageOf } from "./errors.js";
import { FramePipeline, type PipelineOptions } from "./frame-pipeline.js";
import type { Manifest } from "./manifest.js";
import { readNpz, type NpyArray } from "./npz.js";
import { restParameters } from "./parameters.js";
import { createRuntime, webgpuObstacle, type Provider, type Runtime } from "./runtime.js";
import { readSafetensors } from "./safetensors.js";
import { selfCheck, type SelfCheck } from "./selfcheck.js";

export type Stage = "download" | "start" | "self-check" | "ready";

/** The progress of loading; the byte counts cover all downloads so far. */
export interface Progress {
  readonly stage: Stage;
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

export interface EngineOptions extends PipelineOptions {
  readonly bundle: string; // URL of the folder
  readonly runtime: string; // URL of the folder with onnxruntime-web's files
  readonly delegate: "auto" | Provider;
  readonly allowSoftwareGpu: boolean;
  readonly threads: number;
}

/** What was loaded, and how it runs. */
export interface Info {
  readonly manifest: Manifest;
  readonly provider: Provider;
  readonly threads: number;
  readonly choice: string; // the provider and the reason for it, to show to users
  readonly selfCheck: SelfCheck;
  readonly artifactBytes: number;
  readonly body: {
    readonly name: string;
    readonly licence: string;
    readonly faces: Int32Array; // F 3
    readonly parents: Int32Array; // J
    readonly parts: Readonly<Record<string, Int32Array>>; // vertex indices
    readonly restVertices: Float32Array; // V 3: the T-pose, y up, m
  };
}

interface Checked {
  readonly runtime: Runtime;
  readonly check: SelfCheck;
}

const GPU_PATIENCE_MS = 20_000; // a driver that hangs must not hang the page

export class Engine {
  private constructor(
    readonly pipeline: FramePipeline,
    readonly info: Info,
    readonly runtime: Runtime,
  ) {}

  /** Loads everything, chooses the provider and checks it. Raises `CoEvoerError`. */
  static async create(options: EngineOptions, report: (progress: Progress) => void): Promise<Engine> {
    const bytes = new Map<string, { loaded: number; total: number }>();
    const tell = (stage: Stage): void => {
      let [loadedBytes, totalBytes] = [0, 0];
      for (const { loaded, total } of bytes.values()) {
        loadedBytes += loaded;
        totalBytes += Math.max(loaded, total);
      }
      report({ stage, loadedBytes, totalBytes });
    };
    const onBytes: OnBytes = (file, loaded, total) => {
      bytes.set(file, { loaded, total });
      tell("download");
    };
    const reader = await BundleReader.open(new URL(options.bundle), onBytes);
    const { manifest } = reader;
    const [artifact, bodyBytes, golden] = await Promise.all([
      reader.read(manifest.artifact),
      reader.read(manifest.body_model.file),
      reader.read(GOLDEN),
    ]);
    const body = new Body(readSafetensors(bodyBytes, manifest.body_model.file), manifest);
    const goldenArrays = readNpz(golden, GOLDEN, () => true);
    const { runtime, check, choice } = await choose(options, artifact, manifest, goldenArrays, onBytes, tell);
    const pipeline = new FramePipeline(manifest, body, (tensor) => runtime.run(tensor), options);
    const rest = restParameters(manifest);
    const info: Info = {
      manifest,
      provider: runtime.provider,
      threads: runtime.threads,
      choice,
      selfCheck: check,
      artifactBytes: artifact.byteLength,
      body: {
        name: body.name,
        licence: body.licence,
        faces: body.faces,
        parents: body.parents,
        parts: body.parts,
        restVertices: body.vertices(body.skeleton(rest), rest),
      },
    };
    tell("ready");
    return new Engine(pipeline, info, runtime);
  }
}

/** WebAssembly always works; WebGPU is used if it is available, exact and faster. */
async function choose(
  options: EngineOptions,
  artifact: Uint8Array,
  manifest: Manifest,
  golden: ReadonlyMap<string, NpyArray>,
  onBytes: OnBytes,
  tell: (stage: Stage) => void,
): Promise<Checked & { choice: string }> {
  const start = async (provider: Provider, signal?: AbortSignal): Promise<Checked> => {
    const base = new URL(options.runtime);
    const runtime = await createRuntime(artifact, manifest, provider, options.threads, base, onBytes, () => tell("start"));
    tell("self-check");
    try {
      return { runtime, check: await selfCheck((tensor) => runtime.run(tensor), golden, manifest, signal) };
    } catch (error) {
      await runtime.release();
      throw error;
    }
  };
  if (options.delegate === "wasm") return { ...(await start("wasm")), choice: "WebAssembly, as requested" };
  const obstacle = await webgpuObstacle(options.allowSoftwareGpu);
  if (options.delegate === "webgpu") {
    if (obstacle) {
      throw new CoEvoerError("platform", `WebGPU was requested, but ${obstacle}. Use delegate "auto" or "wasm".`);
    }
    const gpu = await start("webgpu");
    if (gpu.check.passed) return { ...gpu, choice: "WebGPU, as requested" };
    throw new CoEvoerError(
      "runtime",
      `WebGPU was requested, but it ${inexact(gpu.check)}. Use delegate "auto" or "wasm".`,
    );
  }
  const wasm = await start("wasm");
  if (obstacle) return { ...wasm, choice: `WebAssembly: ${obstacle}` };
  try {
    const gpu = await within(GPU_PATIENCE_MS, (signal) => start("webgpu", signal));
    const [g, w] = [gpu.check.medianMs.toFixed(0), wasm.check.medianMs.toFixed(0)];
    if (gpu.check.passed && gpu.check.medianMs < wasm.check.medianMs) {
      await wasm.runtime.release();
      return { ...gpu, choice: `WebGPU: it is exact and takes ${g} ms, WebAssembly ${w} ms` };
    }
    await gpu.runtime.release();
    const reason = gpu.check.passed ? `takes ${g} ms, WebAssembly ${w} ms` : inexact(gpu.check);
    return { ...wasm, choice: `WebAssembly: WebGPU ${reason}` };
  } catch (error) {
    return { ...wasm, choice: `WebAssembly: WebGPU failed (${messageOf(error)})` };
  }
}

function inexact(check: SelfCheck): string {
  const error = `its error is ${check.ratio.toFixed(2)} times the quantized program's`;
  return `is not exact enough: ${error} (limit ${check.limit})`;
}

/** Resolves with the result of `work`, or rejects after `ms` and signals the work to stop. */
function within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`no answer within ${ms / 1000} s`));
      late.abort();
    }, ms);
    work(late.signal)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}
