/** The result types, and how decoded outputs become a person in an image. */

import type { Body, Skeleton } from "./body.js";
import { cropCamera, project, type Crop, type PinholeCamera } from "./camera.js";
import { personColumn, type Manifest } from "./manifest.js";
import type { Decoded, SmplxParameters } from "./parameters.js";
import type { Seen, State } from "./tracker.js";

/**
 * One person. Camera frame: x right, y down, z into the scene, m. Pixels: x right, y down, first centre at (0.5, 0.5).
 */
export interface Person {
  readonly parameters: SmplxParameters; // with exact rotations; smoothed in a stream
  readonly translation: Float64Array; // 3, m: SMPL-X's transl
  readonly camera: PinholeCamera; // a stream's frame camera, or that of a single image's crop
  readonly jointsCam: Float64Array; // J 3, m
  readonly jointsPx: Float64Array; // J 2
  readonly boxesPx: Float64Array; // 3 4: x1 y1 x2 y2 of face, left hand, right hand; may extend outside the frame
  readonly visibility: Float64Array; // 4: person, face, left hand, right hand, probabilities
  readonly vertices: Float32Array | null; // V 3, camera frame, m; null with the option mesh: false
}

/** Milliseconds of each step, in the worker. */
export interface Timings {
  readonly cropMs: number; // pixels to the network's input
  readonly networkMs: number;
  readonly decodeMs: number; // parameters, tracking, smoothing, body
}

/** The result of one frame. */
export interface EstimatorResult {
  readonly timestampMs: number | null; // null for a single image
  readonly state: State | "image"; // of a stream, after this frame
  readonly frameSize: readonly [number, number]; // W H, px
  readonly crop: Crop; // the crop that the network looked at last
  readonly person: Person | null; // null: no person was accepted in this frame
  readonly trained: boolean; // false: the weights are random, and so are these numbers
  readonly timings: Timings;
}

/** The result of a single image, which always has a person; the caller judges by the visibility. */
export type ImageResult = EstimatorResult & { readonly person: Person };

/** A decoded body in the camera of its crop: joints only, no mesh yet. */
export interface Posed {
  readonly decoded: Decoded;
  readonly skeleton: Skeleton;
  readonly seen: Seen;
}

/** Poses the skeleton of the body that was decoded from a crop. */
export function pose(decoded: Decoded, crop: Crop, body: Body, manifest: Manifest): Posed {
  const skeleton = body.skeleton(decoded.parameters);
  const camera = cropCamera(crop, manifest);
  const jointsCam = moved(skeleton.joints, decoded.translation);
  const seen = {
    visibility: decoded.visibility[personColumn(manifest)]!,
    depth: decoded.translation[2]!,
    jointsCam,
    jointsPx: project(jointsCam, camera),
    camera,
  };
  return { decoded, skeleton, seen };
}

/** The person with the given parameters, translation and camera in place of the decoded ones. */
export function embody(
  decoded: Decoded,
  parameters: SmplxParameters,
  translation: Float64Array,
  camera: PinholeCamera,
  body: Body,
  mesh: boolean,
): Person {
  const skeleton = body.skeleton(parameters);
  const jointsCam = moved(skeleton.joints, translation);
  return {
    parameters,
    translation,
    camera,
    jointsCam,
    jointsPx: project(jointsCam, camera),
    boxesPx: decoded.boxesPx,
    visibility: decoded.visibility,
    vertices: mesh ? body.vertices(skeleton, parameters, translation) : null,
  };
}

function moved(points: Float64Array, by: Float64Array): Float64Array {
  return points.map((value, i) => value + by[i % 3]!);
}
