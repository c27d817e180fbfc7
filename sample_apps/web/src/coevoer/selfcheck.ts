/**
 * Is this runtime as exact as the bundle says? Golden images through the network, against the float network's outputs.
 *
 * Two INT8 runtimes differ from each other by about as much as each differs from float, so each is compared with float.
 * The limit is the manifest's `max_error_ratio`, on the error over all outputs: each output's RMS error over that of
 * the quantized program on the same images, squared, averaged, rooted. On a few images a single output's ratio scatters
 * more than that, so it is reported and not judged.
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

/** Of values up to 1, and relative above: float32's rounding through a network. The ratio's unit for float artifacts. */
const ROUNDING = 1e-5;

/** Runs the golden images. Stops between two of them when `signal` says so. */
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
  const sums = new Map(manifest.outputs.map(({ name }) => [name, { own: 0, quantized: 0, square: 0, n: 0 }]));
  for (let i = 0; i < available; i++) {
    signal?.throwIfAborted();
    const tensor = toTensor((images.data as Uint8Array).subarray(i * pixels, (i + 1) * pixels));
    const start = performance.now();
    const outputs = await network(tensor);
    times.push(performance.now() - start);
    checkOutputs(outputs, manifest);
    for (const [name, sum] of sums) {
      const own = outputs.get(name)!.data;
      const [float, quantized] = [array(`float_${name}`).data, array(`quantized_${name}`).data];
      for (let k = 0; k < own.length; k++) {
        const truth = float[i * own.length + k]!;
        sum.own += (own[k]! - truth) ** 2;
        sum.quantized += (quantized[i * own.length + k]! - truth) ** 2;
        sum.square += truth * truth;
        sum.n++;
      }
    }
  }
  const ratios = Object.fromEntries(
    [...sums].map(([name, { own, quantized, square, n }]) => {
      const rms = (total: number): number => Math.sqrt(total / n);
      return [name, rms(own) / Math.max(rms(quantized), ROUNDING * Math.max(1, rms(square)))];
    }),
  );
  const ratio = Math.sqrt(Object.values(ratios).reduce((sum, r) => sum + r * r, 0) / sums.size);
  const limit = manifest.recipes.quantization.max_error_ratio;
  return { passed: ratio <= limit, images: available, ratio, limit, ratios, medianMs: median(times) };
}

/** The middle value; of two, their mean. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
