/**
 * Decides which crop to look at next, and whether the body seen there is the person (docs/pipeline.md, sections 1, 2,
 * 6). In: times, frame sizes, bodies as the network sees them. Out: crops and verdicts. It needs no pixels.
 */

import { around, wholeFrame, type Crop, type PinholeCamera } from "./camera.js";
import { CoEvoerError } from "./errors.js";
import { outputRule, type Manifest, type PipelineRules } from "./manifest.js";
import { shareOfStep } from "./smoothing.js";

export type State = "searching" | "tracking";

/** A body as the network sees it: in the camera of the crop, not smoothed. */
export interface Seen {
  readonly visibility: number; // of the person
  readonly depth: number; // of the body's origin, m
  readonly jointsCam: Float64Array; // J 3, m
  readonly jointsPx: Float64Array; // J 2
  readonly camera: PinholeCamera;
}

const ROUNDING = 1e-6; // where tiles fit exactly, a rounding error must not add one

/** One round of the search: the whole frame, then tiles along its longer direction, from the middle outwards. */
export function searchCrops(widthPx: number, heightPx: number, manifest: Manifest): Crop[] {
  const rule = manifest.input.crop;
  const width = Math.min(widthPx, (heightPx * rule.width_px) / rule.height_px);
  const height = (width * rule.height_px) / rule.width_px;
  const [spareX, spareY] = [widthPx - width, heightPx - height];
  const [spare, length] = spareX >= spareY ? [spareX, width] : [spareY, height];
  const last = Math.ceil(spare / (length * manifest.pipeline.tile_step) - ROUNDING);
  const tiles = Array.from({ length: last + 1 }, (_, i) => i);
  tiles.sort((a, b) => Math.abs(2 * a - last) - Math.abs(2 * b - last) || a - b);
  const shares = tiles.map((i) => (last > 0 ? i / last : 0.5));
  return [
    wholeFrame(widthPx, heightPx, rule),
    ...shares.map((share) => ({ x0: spareX * share, y0: spareY * share, width, height })),
  ];
}

/** The crop that follows from a body, or null if the body is not a usable guide. */
export function nextCrop(seen: Seen, widthPx: number, heightPx: number, manifest: Manifest): Crop | null {
  const { jointsCam, jointsPx } = seen;
  if (!(seen.depth > 0)) return null;
  const { crop: rule } = manifest.input;
  let [x1, y1, x2, y2] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const name of rule.next_crop_joints) {
    const j = manifest.joint_names.indexOf(name);
    const [x, y] = [jointsPx[2 * j]!, jointsPx[2 * j + 1]!];
    if (!(Number.isFinite(x) && Number.isFinite(y) && jointsCam[3 * j + 2]! > 0)) return null;
    [x1, y1, x2, y2] = [Math.min(x1, x), Math.min(y1, y), Math.max(x2, x), Math.max(y2, y)];
  }
  const [left, top] = [Math.max(x1, 0), Math.max(y1, 0)];
  const [right, bottom] = [Math.min(x2, widthPx), Math.min(y2, heightPx)];
  if (left >= right || top >= bottom) return null;
  const overlap = ((right - left) / (x2 - x1)) * ((bottom - top) / (y2 - y1));
  if (overlap < manifest.pipeline.smallest_overlap) return null;
  const crop = around([left, top, right, bottom], rule.next_crop_scale, rule);
  const smallest = manifest.pipeline.smallest_crop * wholeFrame(widthPx, heightPx, rule).width;
  return crop.width < smallest ? null : crop;
}

/** The position, size and posture of an accepted person, to distinguish them from another person. */
interface Sight {
  readonly timestampMs: number;
  readonly middlePx: readonly [number, number]; // between pelvis and neck
  readonly lengthPx: number; // of the torso, if it were turned upright in the image
  readonly posture: Float64Array; // n 3, m: the body's followed joints relative to the pelvis, in camera axes
}

/** Follows one person through a stream: `look` before the network runs, `judge` after it. */
export class Tracker {
  private readonly rules: PipelineRules;
  private readonly ends: readonly [number, number]; // pelvis and neck
  private readonly postureJoints: readonly number[];
  private current: State = "searching";
  private lastMs: number | null = null;
  private size = "";
  private frame: readonly [number, number] = [0, 0];
  private guide: Crop | null = null; // the crop that the last accepted sight gave
  private sight: Sight | null = null;
  private velocity: readonly [number, number] = [0, 0]; // of the middle, px a second
  private tried = 0;

  constructor(private readonly manifest: Manifest) {
    this.rules = manifest.pipeline;
    this.ends = [manifest.joint_names.indexOf("pelvis"), manifest.joint_names.indexOf("neck")];
    const body = ["global_orient", "body_pose"].reduce((sum, name) => sum + outputRule(manifest, name).shape[1]!, 0);
    const followed = manifest.input.crop.next_crop_joints.map((name) => manifest.joint_names.indexOf(name));
    this.postureJoints = followed.filter((joint) => joint < body);
  }

  get state(): State {
    return this.current;
  }

  /** Starts another stream. */
  reset(): void {
    this.lastMs = null;
    this.size = "";
    this.search();
  }

  /**
   * The crop of the next frame.
   *
   * Raises `CoEvoerError` ("input") if the timestamp is not finite or does not increase; then nothing has changed.
   */
  look(timestampMs: number, widthPx: number, heightPx: number): Crop {
    if (!Number.isFinite(timestampMs)) {
      throw new CoEvoerError("input", `The frame's timestamp is ${timestampMs} ms; give a finite number of milliseconds.`);
    }
    if (this.lastMs !== null && timestampMs <= this.lastMs) {
      throw new CoEvoerError(
        "input",
        `The frame's timestamp is ${timestampMs} ms, the last one was ${this.lastMs} ms; timestamps must increase. ` +
          "Leave the frame out, or call resetStream() to begin another stream.",
      );
    }
    const crops = searchCrops(widthPx, heightPx, this.manifest); // refuses empty frames
    const gap = this.lastMs !== null && timestampMs - this.lastMs > this.rules.max_gap_ms;
    const size = `${widthPx} x ${heightPx}`;
    if (gap || size !== this.size) this.search();
    this.lastMs = timestampMs;
    this.size = size;
    this.frame = [widthPx, heightPx];
    if (!this.guide) return crops[this.tried % crops.length]!;
    const [x, y] = this.moved();
    return { ...this.guide, x0: this.guide.x0 + x, y0: this.guide.y0 + y };
  }

  /** Decides whether the body seen in the crop that `look` returned is the person, and updates the state. */
  judge(seen: Seen): boolean {
    const timestampMs = this.lastMs ?? NaN;
    const crop = this.guided(seen);
    if (crop) {
      const sight = this.sightOf(timestampMs, seen);
      if (!this.sight || this.maybeSame(sight, this.sight)) {
        this.follow(crop, sight);
        return true;
      }
    }
    if (!this.sight) this.tried++;
    else if (timestampMs - this.sight.timestampMs > this.rules.max_missed_ms) this.search();
    return false;
  }

  private guided(seen: Seen): Crop | null {
    const least = this.current === "tracking" ? this.rules.keep_visibility : this.rules.acquire_visibility;
    return seen.visibility < least ? null : nextCrop(seen, this.frame[0], this.frame[1], this.manifest);
  }

  private sightOf(timestampMs: number, seen: Seen): Sight {
    const [a, b] = this.ends;
    const cam = (joint: number, axis: number): number => seen.jointsCam[3 * joint + axis]!;
    const px = (joint: number, axis: number): number => seen.jointsPx[2 * joint + axis]!;
    const lengthM = Math.hypot(cam(b, 0) - cam(a, 0), cam(b, 1) - cam(a, 1), cam(b, 2) - cam(a, 2));
    const depth = (cam(a, 2) + cam(b, 2)) / 2;
    return {
      timestampMs,
      middlePx: [(px(a, 0) + px(b, 0)) / 2, (px(a, 1) + px(b, 1)) / 2],
      lengthPx: (lengthM * seen.camera.focalPx) / depth,
      posture: Float64Array.from(this.postureJoints.flatMap((joint) => [0, 1, 2].map((i) => cam(joint, i) - cam(a, i)))),
    };
  }

  private maybeSame(now: Sight, then: Sight): boolean {
    const rules = this.rules;
    const dt = (now.timestampMs - then.timestampMs) / 1000;
    const [movedX, movedY] = this.moved();
    const away = Math.hypot(now.middlePx[0] - then.middlePx[0] - movedX, now.middlePx[1] - then.middlePx[1] - movedY);
    const grown = Math.abs(Math.log(now.lengthPx / then.lengthPx));
    let changed = 0;
    for (let i = 0; i < now.posture.length; i += 3) {
      const along = (axis: number): number => now.posture[i + axis]! - then.posture[i + axis]!;
      changed += Math.hypot(along(0), along(1), along(2)) / this.postureJoints.length;
    }
    const reach = (rules.same_person_slack + rules.same_person_speed * dt) * Math.max(now.lengthPx, then.lengthPx);
    return (
      away <= reach &&
      grown <= rules.same_person_growth + rules.same_person_growth_speed * dt &&
      changed <= rules.same_person_posture_m + rules.same_person_posture_m_s * dt
    );
  }

  private follow(crop: Crop, sight: Sight): void {
    if (this.sight) {
      const dt = (sight.timestampMs - this.sight.timestampMs) / 1000;
      const share = shareOfStep(this.rules.motion_hz, dt);
      const { middlePx } = this.sight;
      const [u, v] = this.velocity;
      this.velocity = [
        u + share * ((sight.middlePx[0] - middlePx[0]) / dt - u),
        v + share * ((sight.middlePx[1] - middlePx[1]) / dt - v),
      ];
    }
    this.current = "tracking";
    this.guide = crop;
    this.sight = sight;
  }

  /** How far the person is predicted to have moved since the last sight, px, from their velocity then. */
  private moved(): readonly [number, number] {
    if (!this.sight || this.lastMs === null) return [0, 0];
    const since = Math.min(this.lastMs - this.sight.timestampMs, this.rules.max_missed_ms) / 1000;
    return [this.velocity[0] * since, this.velocity[1] * since];
  }

  private search(): void {
    this.current = "searching";
    this.guide = null;
    this.sight = null;
    this.velocity = [0, 0];
    this.tried = 0;
  }
}
