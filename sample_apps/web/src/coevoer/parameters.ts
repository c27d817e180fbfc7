/** The network's outputs, read and checked (docs/pipeline.md, section 3). In: outputs and a crop. Out: `Decoded`. */

import { scaleOf, type Crop } from "./camera.js";
import { CoEvoerError } from "./errors.js";
import { outputRule, ROTATION_OUTPUTS, sizeOf, VECTOR_OUTPUTS, type Manifest } from "./manifest.js";
import { nearestRotation } from "./rotations.js";

/** SMPL-X parameters of one body: rotations as 3 x 3 matrices, row-major, each joint to its parent; all flat arrays. */
export interface SmplxParameters {
  readonly global_orient: Float64Array; // 1 3 3: root to camera
  readonly body_pose: Float64Array; // 21 3 3
  readonly left_hand_pose: Float64Array; // 15 3 3, no mean pose added
  readonly right_hand_pose: Float64Array; // 15 3 3
  readonly jaw_pose: Float64Array; // 1 3 3
  readonly betas: Float64Array; // 10
  readonly expression: Float64Array; // 10
}

/** One output as the runtime returns it: batch 1, C order. */
export interface OutputTensor {
  readonly dims: readonly number[];
  readonly data: ArrayLike<number>;
}

/** Outputs by name. */
export type Outputs = ReadonlyMap<string, OutputTensor>;

/** The decoded outputs, in pixels of the frame and in the camera of the crop. */
export interface Decoded {
  readonly parameters: SmplxParameters; // with exact rotations
  readonly translation: Float64Array; // 3, m
  readonly boxesPx: Float64Array; // 3 4: x1 y1 x2 y2 of face, left hand, right hand
  readonly visibility: Float64Array; // person, face, left hand, right hand
}

/**
 * Checks the outputs against the contract and decodes them.
 *
 * Raises `CoEvoerError` ("runtime") if an output is missing, has another size or is not finite.
 */
export function decode(outputs: Outputs, crop: Crop, manifest: Manifest): Decoded {
  checkOutputs(outputs, manifest);
  const rotations = (name: string): Float64Array => {
    const raw = outputs.get(name)!.data;
    const out = new Float64Array(raw.length);
    for (let at = 0; at < out.length; at += 9) nearestRotation(out, at, raw, at);
    return out;
  };
  const vector = (name: string): Float64Array => Float64Array.from(outputs.get(name)!.data);
  const rule = manifest.input.crop;
  const scale = scaleOf(crop, rule);
  const boxes = vector("part_boxes");
  for (let i = 0; i < boxes.length; i += 2) {
    boxes[i] = boxes[i]! * rule.width_px * scale + crop.x0;
    boxes[i + 1] = boxes[i + 1]! * rule.height_px * scale + crop.y0;
  }
  return {
    parameters: {
      ...(Object.fromEntries(ROTATION_OUTPUTS.map((name) => [name, rotations(name)])) as Pick<
        SmplxParameters,
        (typeof ROTATION_OUTPUTS)[number]
      >),
      ...(Object.fromEntries(VECTOR_OUTPUTS.map((name) => [name, vector(name)])) as Pick<
        SmplxParameters,
        (typeof VECTOR_OUTPUTS)[number]
      >),
    },
    translation: vector("camera"),
    boxesPx: boxes,
    visibility: vector("visibility"),
  };
}

/** Refuses outputs that break the contract. */
export function checkOutputs(outputs: Outputs, manifest: Manifest): void {
  for (const { name, shape } of manifest.outputs) {
    const value = outputs.get(name);
    if (!value || value.dims.join() !== shape.join() || value.data.length !== sizeOf(shape)) {
      const given = value ? `${value.dims.join(" x ")} (${value.data.length} values)` : "nothing";
      throw new CoEvoerError(
        "runtime",
        `The network returned ${given} for ${name}; the contract requires ${shape.join(" x ")}. ` +
          "Export the bundle again.",
      );
    }
    for (let i = 0; i < value.data.length; i++) {
      if (Number.isFinite(value.data[i]!)) continue;
      throw new CoEvoerError(
        "runtime",
        `The network returned values for ${name} that are not finite. Check the bundle with \`coevoer-edge parity\`.`,
      );
    }
  }
}

/** The T-pose of the mean shape: identity rotations, zero coefficients. */
export function restParameters(manifest: Manifest): SmplxParameters {
  const entries = [...ROTATION_OUTPUTS, ...VECTOR_OUTPUTS].map((name) => {
    const values = new Float64Array(sizeOf(outputRule(manifest, name).shape));
    if (name !== "betas" && name !== "expression") for (let i = 0; i < values.length; i++) values[i] = i % 9 % 4 ? 0 : 1;
    return [name, values] as const;
  });
  return Object.fromEntries(entries) as unknown as SmplxParameters;
}
