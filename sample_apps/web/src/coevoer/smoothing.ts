/**
 * One-Euro smoothing of a person's parameters (docs/pipeline.md, section 7; Casiez et al. 2012,
 * doi:10.1145/2207676.2208639). Rotations stay rotations; the translation is smoothed as place and depth.
 */

import type { OneEuroRule, SmoothingRules } from "./manifest.js";
import type { SmplxParameters } from "./parameters.js";
import { axisAngleToMatrix, between, matrixToAxisAngle, multiply } from "./rotations.js";

/** The share of the distance to a new value that a low-pass filter covers in one step. */
export function shareOfStep(cutoffHz: number, dtS: number): number {
  const turn = 2 * Math.PI * cutoffHz * dtS;
  return turn / (turn + 1);
}

/** A One-Euro filter of a vector, with a single cutoff from the norm of its speed. */
export class VectorFilter {
  private raw: Float64Array | null = null;
  private smoothed = new Float64Array();
  private speed = new Float64Array();

  constructor(private readonly rule: OneEuroRule) {}

  /** The next value, dtS seconds after the last one; the first passes unchanged. */
  next(value: Float64Array, dtS: number): Float64Array {
    if (!this.raw) {
      this.speed = new Float64Array(value.length);
      this.smoothed = value.slice();
    } else {
      const share = shareOfStep(this.rule.derivative_hz, dtS);
      for (let i = 0; i < value.length; i++) {
        this.speed[i]! += share * ((value[i]! - this.raw[i]!) / dtS - this.speed[i]!);
      }
      const step = shareOfStep(this.rule.cutoff_hz + this.rule.gain * Math.hypot(...this.speed), dtS);
      for (let i = 0; i < value.length; i++) this.smoothed[i]! += step * (value[i]! - this.smoothed[i]!);
    }
    this.raw = value.slice();
    return this.smoothed.slice();
  }
}

/**
 * One-Euro filters of rotations (n, 3, 3), each separate and along the manifold; speed is the rotation vector a second.
 */
export class RotationFilter {
  private raw: Float64Array | null = null;
  private smoothed = new Float64Array();
  private speed = new Float64Array(); // n 3

  constructor(private readonly rule: OneEuroRule) {}

  /** The next rotations, dtS seconds after the last ones; the first pass unchanged. */
  next(value: Float64Array, dtS: number): Float64Array {
    if (!this.raw) {
      this.speed = new Float64Array(value.length / 3);
      this.smoothed = value.slice();
    } else {
      const share = shareOfStep(this.rule.derivative_hz, dtS);
      for (let at = 0, j = 0; at < value.length; at += 9, j += 3) {
        const turned = matrixToAxisAngle(between(this.raw, at, value, at));
        for (let i = 0; i < 3; i++) this.speed[j + i]! += share * (turned[i]! / dtS - this.speed[j + i]!);
        const speed = Math.hypot(this.speed[j]!, this.speed[j + 1]!, this.speed[j + 2]!);
        const step = shareOfStep(this.rule.cutoff_hz + this.rule.gain * speed, dtS);
        const way = matrixToAxisAngle(between(this.smoothed, at, value, at)).map((angle) => step * angle);
        const moved = new Float64Array(9);
        multiply(moved, 0, this.smoothed, at, axisAngleToMatrix(way), 0);
        this.smoothed.set(moved, at);
      }
    }
    this.raw = value.slice();
    return this.smoothed.slice();
  }
}

/** The filters of one person. Translations are in the stream's single camera, the frame camera. */
export class Smoother {
  private filters: {
    readonly [name in keyof SmplxParameters]: { next(value: Float64Array, dtS: number): Float64Array };
  };
  private place: VectorFilter;
  private depth: VectorFilter;
  private lastMs: number | null = null;

  constructor(private readonly rules: SmoothingRules) {
    this.filters = this.fresh();
    this.place = new VectorFilter(rules.place);
    this.depth = new VectorFilter(rules.depth);
  }

  /** Forgets the person: the next one passes unchanged. */
  reset(): void {
    this.filters = this.fresh();
    this.place = new VectorFilter(this.rules.place);
    this.depth = new VectorFilter(this.rules.depth);
    this.lastMs = null;
  }

  /** Smooths one accepted frame. `focalInHeights`: the frame camera's focal length over the frame's height. */
  next(
    timestampMs: number,
    parameters: SmplxParameters,
    translation: Float64Array,
    focalInHeights: number,
  ): { parameters: SmplxParameters; translation: Float64Array } {
    const dt = this.lastMs === null ? 0 : (timestampMs - this.lastMs) / 1000; // unused by the first frame
    this.lastMs = timestampMs;
    const names = Object.keys(this.filters) as (keyof SmplxParameters)[];
    const smoothed = Object.fromEntries(names.map((name) => [name, this.filters[name].next(parameters[name], dt)]));
    const [x, y, z] = [translation[0]!, translation[1]!, translation[2]!];
    const place = this.place.next(Float64Array.of((x / z) * focalInHeights, (y / z) * focalInHeights), dt);
    const depth = Math.exp(this.depth.next(Float64Array.of(Math.log(z)), dt)[0]!);
    return {
      parameters: smoothed as unknown as SmplxParameters,
      translation: Float64Array.of((place[0]! / focalInHeights) * depth, (place[1]! / focalInHeights) * depth, depth),
    };
  }

  private fresh(): Smoother["filters"] {
    return {
      global_orient: new RotationFilter(this.rules.root),
      body_pose: new RotationFilter(this.rules.body),
      left_hand_pose: new RotationFilter(this.rules.hands),
      right_hand_pose: new RotationFilter(this.rules.hands),
      jaw_pose: new RotationFilter(this.rules.jaw),
      betas: new VectorFilter(this.rules.betas),
      expression: new VectorFilter(this.rules.expression),
    };
  }
}
