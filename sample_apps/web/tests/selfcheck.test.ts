/** The self-check distinguishes an exact runtime from an inexact or broken one. */

import { expect, it } from "vitest";
import { readNpz } from "../src/coevoer/npz.js";
import type { Outputs } from "../src/coevoer/parameters.js";
import { median, selfCheck } from "../src/coevoer/selfcheck.js";
import { bundleFile, bundleManifest } from "./bundle.js";

const manifest = bundleManifest();
const golden = readNpz(bundleFile("golden.npz"), "golden.npz", () => true);

/** A network that returns the quantized program's outputs with `factor` times their error. */
function network(factor: number): () => Promise<Outputs> {
  let image = 0;
  return () => {
    const at = image++;
    const outputs = manifest.outputs.map(({ name, shape }) => {
      const size = shape.reduce((product, n) => product * n, 1);
      const [float, quantized] = [golden.get(`float_${name}`)!.data, golden.get(`quantized_${name}`)!.data];
      const value = (i: number): number => {
        const truth = float[at * size + i]!;
        return truth + factor * (quantized[at * size + i]! - truth);
      };
      return [name, { dims: shape, data: Float64Array.from({ length: size }, (_, i) => value(i)) }] as const;
    });
    return Promise.resolve(new Map(outputs));
  };
}

it("gives the quantized program itself a ratio of 1", async () => {
  const check = await selfCheck(network(1), golden, manifest);
  expect(check.passed).toBe(true);
  expect(check.ratio).toBeCloseTo(1, 4);
  expect(Object.keys(check.ratios)).toEqual(manifest.outputs.map(({ name }) => name));
});

it("fails a runtime whose errors are larger than the manifest allows", async () => {
  const limit = manifest.recipes.quantization.max_self_check_ratio;
  const check = await selfCheck(network(limit + 0.05), golden, manifest);
  expect([check.passed, check.limit]).toEqual([false, limit]);
});

it("refuses outputs that are not finite", async () => {
  await expect(selfCheck(network(NaN), golden, manifest)).rejects.toMatchObject({ code: "runtime" });
});

it("stops when its signal is aborted", async () => {
  const stop = new AbortController();
  let runs = 0;
  const counting = (): Promise<Outputs> => (++runs === 2 && stop.abort(), one());
  const one = network(1);
  await expect(selfCheck(counting, golden, manifest, stop.signal)).rejects.toThrow();
  expect(runs).toBe(2);
});

it("takes the median of odd and even counts", () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
});
