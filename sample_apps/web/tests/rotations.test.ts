/** Invariants of the conversions of rotations, and the nearest rotation compared with its definition. */

import { describe, expect, it } from "vitest";
import { axisAngleToMatrix, between, matrixToAxisAngle, multiply, nearestRotation } from "../src/coevoer/rotations.js";
import { seeded } from "./seeded.js";

const random = seeded(1);
const vector = (size: number): Float64Array => Float64Array.from({ length: 3 }, () => size * (2 * random() - 1));
const turn = (): Float64Array => axisAngleToMatrix(vector(2));
const nearest = (A: ArrayLike<number>): Float64Array => {
  const out = new Float64Array(9);
  nearestRotation(out, 0, A, 0);
  return out;
};
const determinant = (m: ArrayLike<number>): number =>
  m[0]! * (m[4]! * m[8]! - m[5]! * m[7]!) - m[1]! * (m[3]! * m[8]! - m[5]! * m[6]!) + m[2]! * (m[3]! * m[7]! - m[4]! * m[6]!);
const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));

function product(...factors: ArrayLike<number>[]): Float64Array {
  let result = Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);
  for (const factor of factors) {
    const next = new Float64Array(9);
    multiply(next, 0, result, 0, factor, 0);
    result = next;
  }
  return result;
}

describe("axis-angle", () => {
  it("converts there and back, also near 0 and near pi", () => {
    for (const size of [0, 1e-9, 1e-4, 1, 3.14, Math.PI - 1e-7]) {
      const axis = vector(1);
      const length = Math.hypot(...axis);
      const given = axis.map((x) => (x / length) * size);
      expect(worst(matrixToAxisAngle(axisAngleToMatrix(given)), given)).toBeLessThan(1e-7);
    }
  });

  it("between a and b leads from a to b", () => {
    const [a, b] = [turn(), turn()];
    expect(worst(product(a, between(a, 0, b, 0)), b)).toBeLessThan(1e-14);
  });
});

describe("nearest rotation", () => {
  /** U diag(values) V^T, whose nearest rotation is U V^T. */
  const made = (values: readonly number[]): { A: Float64Array; expected: Float64Array } => {
    const [U, V] = [turn(), turn()];
    const Vt = between(V, 0, [1, 0, 0, 0, 1, 0, 0, 0, 1], 0);
    const A = product(U, [values[0]!, 0, 0, 0, values[1]!, 0, 0, 0, values[2]!], Vt);
    return { A, expected: product(U, Vt) };
  };

  it.each([
    ["of a rotation is itself", [1, 1, 1]],
    ["of a rotation rounded by INT8", [1.004, 0.998, 0.991]],
    ["of a scaled and sheared matrix", [1.9, 0.8, 0.1]],
    ["of a matrix with a negative determinant", [1.2, 0.8, -0.3]],
    ["of an almost singular matrix", [1, 0.5, 1e-9]],
  ])("%s", (_name, values) => {
    for (let i = 0; i < 50; i++) {
      const { A, expected } = made(values);
      const R = nearest(A);
      expect(worst(R, expected)).toBeLessThan(1e-6);
      expect(determinant(R)).toBeCloseTo(1, 12);
    }
  });
});
