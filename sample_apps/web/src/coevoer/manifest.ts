/** The bundle's manifest: every name, size and constant that this module uses. In: JSON. Out: `Manifest`, checked. */

import { CoEvoerError, messageOf } from "./errors.js";

/** The schema version of the manifests that this code reads. */
export const SCHEMA_VERSION = 2;

export interface OneEuroRule {
  readonly cutoff_hz: number;
  readonly gain: number;
  readonly derivative_hz: number;
}

export const SMOOTHING_GROUPS = ["root", "body", "hands", "jaw", "place", "depth", "betas", "expression"] as const;
export type SmoothingRules = Readonly<Record<(typeof SMOOTHING_GROUPS)[number], OneEuroRule>>;

const PIPELINE_NUMBERS = [
  "acquire_visibility",
  "keep_visibility",
  "smallest_overlap",
  "smallest_crop",
  "tile_step",
  "max_missed_ms",
  "max_gap_ms",
  "same_person_slack",
  "same_person_speed",
  "same_person_growth",
  "same_person_growth_speed",
  "same_person_posture_m",
  "same_person_posture_m_s",
  "motion_hz",
] as const;

/** The constants of docs/pipeline.md, sections 1, 6 and 7, which give the reason for each. */
export type PipelineRules = Readonly<Record<(typeof PIPELINE_NUMBERS)[number], number>> & {
  readonly smoothing: SmoothingRules;
  readonly conformance: string; // file name of the kit
};

export interface CropRule {
  readonly width_px: number;
  readonly height_px: number;
  readonly outside: number; // value of pixels outside the frame
  readonly transparent_over: number; // grey behind transparent pixels
  readonly next_crop_joints: readonly string[];
  readonly next_crop_scale: number;
}

export interface OutputRule {
  readonly name: string;
  readonly shape: readonly number[];
  readonly unit: string;
  readonly rows?: readonly string[];
  readonly columns?: readonly string[];
}

export interface Manifest {
  readonly schema_version: number;
  readonly model: string;
  readonly trained: boolean; // false: the weights are random, and so are the outputs
  readonly parameters: number;
  readonly target: string;
  readonly precision: string;
  readonly artifact: string;
  readonly artifact_bytes: number;
  readonly recipes: { readonly quantization: { readonly max_self_check_ratio: number } };
  readonly input: {
    readonly name: string;
    readonly shape: readonly [number, number, number, number]; // 1 3 H W
    readonly crop: CropRule;
  };
  readonly outputs: readonly OutputRule[];
  readonly camera: { readonly focal_px: number };
  readonly joint_names: readonly string[];
  readonly body_model: { readonly name: string; readonly licence: string; readonly file: string };
  readonly licence: string;
  readonly pipeline: PipelineRules;
}

/** The outputs that are rotations, and those that are coefficients, under the names of SMPL-X and the contract. */
export const ROTATION_OUTPUTS = ["global_orient", "body_pose", "left_hand_pose", "right_hand_pose", "jaw_pose"] as const;
export const VECTOR_OUTPUTS = ["betas", "expression"] as const;
const OTHER_OUTPUTS = ["camera", "part_boxes", "visibility"] as const;

/** Number of joints that no output rotates. */
const RESTING_JOINTS = 2; // the eyes

/**
 * Reads and checks a manifest.json.
 *
 * Raises `CoEvoerError` ("bundle") if it is not JSON, or if its schema version, target or contract is not the one that
 * this code supports. No tensor of the bundle has been read at that point.
 */
export function parseManifest(text: string, name: string): Manifest {
  let table: Manifest;
  try {
    table = JSON.parse(text) as Manifest;
  } catch (error) {
    throw new CoEvoerError("bundle", `${name} is not JSON (${messageOf(error)}); copy the bundle again.`);
  }
  const refuse = (what: string): never => {
    throw new CoEvoerError(
      "bundle",
      `${name}: ${what}. Export the bundle again with the version of coevoer-edge that this module is from.`,
    );
  };
  if (table === null || typeof table !== "object") return refuse("it is not a JSON object");
  if (table.schema_version !== SCHEMA_VERSION) {
    refuse(`it has schema version ${table.schema_version}; this module reads version ${SCHEMA_VERSION}`);
  }
  if (table.target !== "onnx") {
    refuse(`it is for ${table.target}; browsers run ONNX bundles (python -m coevoer_edge.export --target onnx)`);
  }
  const [crop, shape] = [table.input?.crop, table.input?.shape];
  if (shape?.join() !== `1,3,${crop?.height_px},${crop?.width_px}`) {
    refuse(`the input's shape ${shape} does not match its crop of ${crop?.height_px} x ${crop?.width_px}`);
  }
  for (const output of [...ROTATION_OUTPUTS, ...VECTOR_OUTPUTS, ...OTHER_OUTPUTS]) {
    if (!table.outputs?.some((entry) => entry.name === output)) refuse(`it has no output ${output}`);
  }
  const joints = ROTATION_OUTPUTS.reduce((sum, output) => sum + (outputRule(table, output).shape[1] ?? NaN), 0);
  if (joints + RESTING_JOINTS !== table.joint_names?.length) {
    refuse(`its outputs rotate ${joints} joints, but it names ${table.joint_names?.length}`);
  }
  for (const joint of [...(crop?.next_crop_joints ?? []), "pelvis", "neck", "jaw"]) {
    if (!table.joint_names.includes(joint)) refuse(`it names no joint ${joint}`);
  }
  for (const key of PIPELINE_NUMBERS) {
    if (!Number.isFinite(table.pipeline?.[key])) refuse(`pipeline.${key} is ${table.pipeline?.[key]}, not a number`);
  }
  for (const group of SMOOTHING_GROUPS) {
    const rule = table.pipeline.smoothing?.[group];
    const fine = rule && rule.cutoff_hz > 0 && rule.derivative_hz > 0 && rule.gain >= 0;
    const valid = "its frequencies must be above 0 and its gain at least 0";
    if (!fine) refuse(`pipeline.smoothing.${group} is ${JSON.stringify(rule)}; ${valid}`);
  }
  if (personColumn(table) < 0) refuse("its output visibility has no column person");
  if (!(table.camera?.focal_px > 0)) refuse(`camera.focal_px is ${table.camera?.focal_px}; it must be above 0`);
  for (const file of [table.artifact, table.body_model?.file, table.pipeline.conformance]) {
    const valid = typeof file === "string" && /^[\w.-]+$/.test(file);
    if (!valid) refuse(`${JSON.stringify(file)} is not the name of a file in the same folder`);
  }
  return table;
}

/** The rule of one output. */
export function outputRule(manifest: Manifest, name: string): OutputRule {
  const rule = manifest.outputs.find((entry) => entry.name === name);
  if (!rule) throw new CoEvoerError("bundle", `The manifest has no output ${name}; export the bundle again.`);
  return rule;
}

/** The column of the visibility output that is about the person as a whole. */
export function personColumn(manifest: Manifest): number {
  return outputRule(manifest, "visibility").columns?.indexOf("person") ?? -1;
}

/** Number of values of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
