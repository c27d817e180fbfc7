/**
 * Checks that this runtime is as exact as the bundle requires: it runs the golden images through the network and
 * compares the outputs with those of the float network.
 *
 * Two INT8 runtimes differ from each other by about as much as each differs from float, so each is compared with float.
 * The statistic is that of docs/pipeline.md, section 9: RMS error over that of the quantized program, geometric mean
 * over images and outputs, at most the manifest's `max_self_check_ratio`. On a few images the ratio of a single output
 * varies by more than that, so it is reported but not judged.
 */

import { CoEvoerError } from "./errors.js";
import { toTensor } from "./image.js";
import type { Manifest } from "./manifest.js";
import { checkOutputs, type Outputs } from "./parameters.js";
import type { NpyArray } from "./npz.js";

export interface SelfCheck {
  readonly passed: boolean;
  readonly images: number;
  readonly ratio: number; // over all outputs
  readonly limit: number;
  readonly ratios: Readonly<Record<string, number>>; // by output
  readonly medianMs: number; // of one run of the network
}

/** float32's rounding error through a network, for values up to 1, and relative above; smaller errors count as this. */
const ROUNDING = 1e-5;

/** Runs the golden images. Stops between two of them if `signal` is aborted. */
export async function selfCheck(
  network: (tensor: Float32Array) => Promise<Outputs>,
  golden: ReadonlyMap<string, NpyArray>,
  manifest: Manifest,
  signal?: AbortSignal,
): Promise<SelfCheck> {
  const array = (key: string): NpyArray => {
    const found = golden.get(key);
    if (!found) throw new CoEvoerError("bundle", `golden.npz has no ${key}; export the bundle again.`);
    return found;
  };
  const images = array("image");
  const [available = 0, ...size] = images.shape;
  const pixels = size.reduce((product, n) => product * n, 1);
  const [, , height, width] = manifest.input.shape;
  if (size.join() !== `${height},${width},3`) {
    throw new CoEvoerError("bundle", `golden.npz has images of ${size.join(" x ")}; export the bundle again.`);
  }
  const times: number[] = [];
  const errors = new Map(
    manifest.outputs.map(({ name }) => [name, { own: [] as number[], quantized: [] as number[], size: [] as number[] }]),
  );
  for (let i = 0; i < available; i++) {
    signal?.throwIfAborted();
    const tensor = toTensor((images.data as Uint8Array).subarray(i * pixels, (i + 1) * pixels));
    const start = performance.now();
    const outputs = await network(tensor);
    times.push(performance.now() - start);
    checkOutputs(outputs, manifest);
    for (const [name, error] of errors) {
      const own = outputs.get(name)!.data;
      const row = (kind: string): ArrayLike<number> =>
        array(`${kind}_${name}`).data.subarray(i * own.length, (i + 1) * own.length);
      const exact = row("float");
      error.own.push(rms(own, (k) => exact[k]!));
      error.quantized.push(rms(row("quantized"), (k) => exact[k]!));
      error.size.push(rms(exact, () => 0));
    }
  }
  const ratios = Object.fromEntries(
    [...errors].map(([name, { own, quantized, size }]) => {
      const least = ROUNDING * Math.max(1, mean(size));
      const logs = (all: number[]): number => mean(all.map((error) => Math.log(Math.max(error, least))));
      return [name, Math.exp(logs(own) - logs(quantized))];
    }),
  );
  const ratio = Math.exp(mean(Object.values(ratios).map(Math.log)));
  const limit = manifest.recipes.quantization.max_self_check_ratio;
  return { passed: ratio <= limit, images: available, ratio, limit, ratios, medianMs: median(times) };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function rms(values: ArrayLike<number>, expected: (index: number) => number): number {
  let sum = 0;
  for (let k = 0; k < values.length; k++) sum += (values[k]! - expected(k)) ** 2;
  return Math.sqrt(sum / values.length);
}

/** The middle value, or the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
