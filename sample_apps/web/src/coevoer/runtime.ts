/**
 * ONNX Runtime Web behind one function. In: the artifact's bytes and a provider. Out: `Runtime`, tensor to outputs.
 *
 * The runtime's own files are served beside the page, unbundled, and loaded by address, so that no bundler interferes
 * with its WebAssembly, its threads or the caching by the service worker.
 */

import type * as Ort from "onnxruntime-web";
import { download, type OnBytes } from "./download.js";
import { CoEvoerError, messageOf } from "./errors.js";
import type { Manifest } from "./manifest.js";
import type { Outputs } from "./parameters.js";

export type Provider = "wasm" | "webgpu";

/** Files of the package onnxruntime-web to serve at the `runtime` address, by provider: script, WebAssembly. */
export const RUNTIME_FILES: Readonly<Record<Provider, readonly [string, string]>> = {
  wasm: ["ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"],
  webgpu: ["ort.webgpu.bundle.min.mjs", "ort-wasm-simd-threaded.asyncify.wasm"],
};

const MOST_THREADS = 4; // more do not speed up a network of this size

export interface Runtime {
  readonly provider: Provider;
  readonly threads: number;
  run(tensor: Float32Array): Promise<Outputs>;
  release(): Promise<void>;
}

/** The default number of threads, which leaves one core to the page; 1 without cross-origin isolation. */
export function defaultThreads(): number {
  if (!globalThis.crossOriginIsolated) return 1;
  return Math.max(1, Math.min(MOST_THREADS, (navigator.hardwareConcurrency ?? 1) - 1));
}

/**
 * Why WebGPU cannot be used here, or null. Software adapters do not count, because they are slower than WebAssembly.
 */
export async function webgpuObstacle(allowSoftware: boolean): Promise<string | null> {
  const gpu = (navigator as unknown as { gpu?: Gpu }).gpu;
  if (!gpu) return "this browser has no WebGPU";
  const adapter = await gpu.requestAdapter().catch(() => null);
  if (!adapter) return "there is no graphics adapter";
  if (adapter.info?.isFallbackAdapter && !allowSoftware) return "there is only a software adapter";
  return null;
}

interface Gpu {
  requestAdapter(): Promise<{ info?: { isFallbackAdapter?: boolean } } | null>;
}

/**
 * Creates a session. `onStart` is called when all files have arrived and the session is about to be created.
 *
 * Raises `CoEvoerError`: "missing" (the runtime's files are not at `base`), "runtime" (it cannot load the artifact, or
 * the artifact has other names than the manifest), "input" (threads).
 */
export async function createRuntime(
  artifact: Uint8Array,
  manifest: Manifest,
  provider: Provider,
  threads: number,
  base: URL,
  onBytes: OnBytes,
  onStart: () => void,
): Promise<Runtime> {
  if (!(Number.isInteger(threads) && threads >= 1)) {
    throw new CoEvoerError("input", `The number of threads is ${threads}; give a whole number of at least 1.`);
  }
  const [script, wasm] = RUNTIME_FILES[provider];
  const advice = `Copy ${script} and ${wasm} there from onnxruntime-web/dist.`;
  const binary = await download(new URL(wasm, base), wasm, advice, onBytes, "default");
  onStart();
  let ort: typeof Ort;
  try {
    ort = (await import(/* @vite-ignore */ new URL(script, base).href)) as typeof Ort;
  } catch (error) {
    throw new CoEvoerError(
      "missing",
      `${script} cannot be loaded from ${base.href} (${messageOf(error)}). ${advice}`,
    );
  }
  const used = globalThis.crossOriginIsolated ? threads : 1;
  ort.env.wasm.wasmBinary = binary.buffer as ArrayBuffer;
  ort.env.wasm.numThreads = used;
  ort.env.logLevel = "error";
  let session: Ort.InferenceSession;
  try {
    session = await ort.InferenceSession.create(artifact, {
      executionProviders: [provider],
      graphOptimizationLevel: "all",
      logSeverityLevel: 3, // errors only: pages do not need to know which node runs where
      // Otherwise the float inputs of layers with int8 weights would be rounded to int8, too.
      extra: { session: { qdq_matmulnbits_accuracy_level: "1" } },
    });
  } catch (error) {
    const what = `ONNX Runtime (${provider}) cannot load ${manifest.artifact} (${messageOf(error)})`;
    throw new CoEvoerError("runtime", `${what}. Export the bundle again, or try another browser.`);
  }
  const names = manifest.outputs.map(({ name }) => name);
  const missing = names.filter((name) => !session.outputNames.includes(name));
  if (missing.length || session.inputNames.join() !== manifest.input.name) {
    throw new CoEvoerError(
      "runtime",
      `${manifest.artifact} has the inputs [${session.inputNames}] and lacks the outputs [${missing}]; ` +
        "export the bundle again.",
    );
  }
  return {
    provider,
    threads: used,
    async run(tensor) {
      const input = new ort.Tensor("float32", tensor, [...manifest.input.shape]);
      const values = await session.run({ [manifest.input.name]: input }, names);
      return new Map(names.map((name) => [name, { dims: values[name]!.dims, data: values[name]!.data as Float32Array }]));
    },
    release: () => session.release(),
  };
}
