/** Computes this module's answers to the cases of the conformance kit (docs/pipeline.md, section 9). */

import { Body } from "../coevoer/body.js";
import { convertTranslation, cropCamera, frameCamera, project, type Crop } from "../coevoer/camera.js";
import { FramePipeline, type Frame } from "../coevoer/frame-pipeline.js";
import { extractCrop, neededRegion } from "../coevoer/image.js";
import type { Manifest } from "../coevoer/manifest.js";
import { decode, type Outputs, type SmplxParameters } from "../coevoer/parameters.js";
import { pose } from "../coevoer/person.js";
import type { Tensor } from "../coevoer/safetensors.js";
import { Smoother } from "../coevoer/smoothing.js";
import { searchCrops, Tracker } from "../coevoer/tracker.js";

export type Tensors = ReadonlyMap<string, Tensor>;
export type Answers = Readonly<Record<string, readonly number[]>>;

const PARAMETERS = [
  "global_orient",
  "body_pose",
  "left_hand_pose",
  "right_hand_pose",
  "jaw_pose",
  "betas",
  "expression",
] as const;
const STATES = ["searching", "tracking"];
const EVERY_VERTEX = 50;
const SOME_SIZE_PX = 100; // side of the frames in refused cases; any size works

/** This module's values for the expected tensors of a case, flattened. A `refuse` case should throw. */
export async function answer(kind: string, given: Tensors, manifest: Manifest, body: Body): Promise<Answers> {
  switch (kind) {
    case "crop":
      return crop(given, manifest);
    case "decode":
      return decodeCase(given, manifest, body);
    case "pose": {
      const parameters = parametersOf(given);
      const skeleton = body.skeleton(parameters);
      const vertices = body.vertices(skeleton, parameters);
      const chosen = Array.from({ length: Math.ceil(vertices.length / 3 / EVERY_VERTEX) }, (_, i) => 3 * EVERY_VERTEX * i);
      return { joints: [...skeleton.joints], vertices: chosen.flatMap((at) => [...vertices.subarray(at, at + 3)]) };
    }
    case "search": {
      const [width, height] = numbers(given, "frame_size") as [number, number];
      return { crops: searchCrops(width, height, manifest).flatMap(flat) };
    }
    case "track":
      return track(given, manifest, body);
    case "smooth":
      return smooth(given, manifest);
    case "detect":
      return detect(given, manifest, body);
    case "refuse": {
      if (given.has("timestamps_ms")) {
        const tracker = new Tracker(manifest);
        for (const time of numbers(given, "timestamps_ms")) tracker.look(time, SOME_SIZE_PX, SOME_SIZE_PX);
      } else decode(outputsOf(given, manifest), cropOf(given), manifest);
      return {};
    }
    default:
      throw new Error(`The kit has cases of the kind ${kind}, which this module does not support.`);
  }
}

function crop(given: Tensors, manifest: Manifest): Answers {
  const frame = given.get("frame")!;
  const [height, width] = frame.shape as [number, number];
  const rule = manifest.input.crop;
  const rgb = frame.data as Uint8Array;
  const rectangle = cropOf(given);
  const region = neededRegion(rectangle, width, height, rule);
  const data = new Uint8Array(region.width * region.height * 4);
  for (let y = 0, to = 0; y < region.height; y++) {
    for (let x = 0; x < region.width; x++, to += 4) {
      const from = ((region.top + y) * width + region.left + x) * 3;
      data.set(rgb.subarray(from, from + 3), to);
    }
  }
  return { tensor: [...extractCrop({ ...region, data }, rectangle, rule)] };
}

function decodeCase(given: Tensors, manifest: Manifest, body: Body): Answers {
  const rectangle = cropOf(given);
  const decoded = decode(outputsOf(given, manifest), rectangle, manifest);
  const { seen } = pose(decoded, rectangle, body, manifest);
  const [width, height] = numbers(given, "frame_size") as [number, number];
  const camera = frameCamera(width, height, manifest);
  return {
    ...Object.fromEntries(PARAMETERS.map((name) => [`decoded_${name}`, [...decoded.parameters[name]]])),
    translation_crop: [...decoded.translation],
    translation_frame: [...convertTranslation(decoded.translation, cropCamera(rectangle, manifest), camera)],
    boxes_px: [...decoded.boxesPx],
    joints_cam: [...seen.jointsCam],
    joints_px: [...project(seen.jointsCam, seen.camera)],
  };
}

async function track(given: Tensors, manifest: Manifest, body: Body): Promise<Answers> {
  let frame = 0;
  const network = (): Promise<Outputs> => Promise.resolve(outputsOf(given, manifest, frame));
  const pipeline = new FramePipeline(manifest, body, network, { smooth: true, mesh: false, passes: 1 });
  const sizes = numbers(given, "frame_sizes");
  const result: Record<string, number[]> = {
    crops: [],
    states: [],
    accepted: [],
    person_global_orient: [],
    person_translation: [],
    person_joints_px: [],
  };
  const joints = 2 * manifest.joint_names.length;
  for (const time of numbers(given, "timestamps_ms")) {
    const black = blackFrame(sizes[2 * frame]!, sizes[2 * frame + 1]!);
    const { crop, state, person } = await pipeline.detectForVideo(black, time);
    result["crops"]!.push(...flat(crop));
    result["states"]!.push(STATES.indexOf(state));
    result["accepted"]!.push(person ? 1 : 0);
    result["person_global_orient"]!.push(...(person?.parameters.global_orient ?? new Float64Array(9)));
    result["person_translation"]!.push(...(person?.translation ?? [0, 0, 0]));
    result["person_joints_px"]!.push(...(person?.jointsPx ?? new Float64Array(joints)));
    frame++;
  }
  return result;
}

/** A single image. Each row of the outputs belongs to one look; a third look would get the second row again. */
async function detect(given: Tensors, manifest: Manifest, body: Body): Promise<Answers> {
  let looks = 0;
  const network = (): Promise<Outputs> => Promise.resolve(outputsOf(given, manifest, Math.min(looks++, 1)));
  const pipeline = new FramePipeline(manifest, body, network, { smooth: true, mesh: false, passes: 2 });
  const [width, height] = numbers(given, "frame_size") as [number, number];
  const { crop, person } = await pipeline.detect(blackFrame(width, height));
  return {
    looks: [looks],
    last_crop: flat(crop),
    translation_crop: [...person.translation],
    joints_px: [...person.jointsPx],
  };
}

function smooth(given: Tensors, manifest: Manifest): Answers {
  const smoother = new Smoother(manifest.pipeline.smoothing);
  const [width, height] = numbers(given, "frame_size") as [number, number];
  const focal = frameCamera(width, height, manifest).focalPx / height;
  const result: Record<string, number[]> = {};
  numbers(given, "timestamps_ms").forEach((time, i) => {
    const translation = Float64Array.from(numbers(given, "translation").slice(3 * i, 3 * i + 3));
    const smoothed = smoother.next(time, parametersOf(given, i), translation, focal);
    for (const name of PARAMETERS) (result[`smoothed_${name}`] ??= []).push(...smoothed.parameters[name]);
    (result["smoothed_translation"] ??= []).push(...smoothed.translation);
  });
  return result;
}

function numbers(given: Tensors, name: string): number[] {
  return Array.from(given.get(name)!.data as ArrayLike<number | bigint>, Number);
}

function cropOf(given: Tensors): Crop {
  const [x0, y0, width, height] = numbers(given, "crop") as [number, number, number, number];
  return { x0, y0, width, height };
}

function flat({ x0, y0, width, height }: Crop): number[] {
  return [x0, y0, width, height];
}

/** The outputs of a case, or of one of its frames. */
function outputsOf(given: Tensors, manifest: Manifest, frame?: number): Outputs {
  const present = manifest.outputs.filter(({ name }) => given.has(name));
  return new Map(
    present.map(({ name }) => {
      const { shape, data } = given.get(name)!;
      if (frame === undefined) return [name, { dims: shape, data: data as Float32Array }];
      const size = data.length / shape[0]!;
      const own = (data as Float32Array).subarray(frame * size, (frame + 1) * size);
      return [name, { dims: [1, ...shape.slice(1)], data: own }];
    }),
  );
}

function parametersOf(given: Tensors, frame?: number): SmplxParameters {
  const entries = PARAMETERS.map((name) => {
    const { shape, data } = given.get(name)!;
    const values = data as Float32Array;
    const size = values.length / shape[0]!;
    return [name, Float64Array.from(frame === undefined ? values : values.subarray(frame * size, (frame + 1) * size))];
  });
  return Object.fromEntries(entries) as unknown as SmplxParameters;
}

function blackFrame(width: number, height: number): Frame {
  return { width, height, read: (_left, _top, w, h) => new Uint8ClampedArray(w * h * 4) };
}
