/**
 * The body of `body.safetensors` (docs/pipeline.md, section 5). In: SMPL-X parameters. Out: joints and mesh, m, without
 * a translation: the root rotates about the pelvis.
 */

import { CoEvoerError } from "./errors.js";
import type { Manifest } from "./manifest.js";
import type { SmplxParameters } from "./parameters.js";
import { multiply } from "./rotations.js";
import { float32, int32, type Safetensors } from "./safetensors.js";

/** Joints after forward kinematics. */
export interface Skeleton {
  readonly joints: Float64Array; // J 3
  readonly transforms: Float64Array; // J 12: rows of 3 x 4, from rest to posed
  readonly rotations: Float64Array; // J 3 3, each joint to its parent
}

export class Body {
  readonly numJoints: number;
  readonly numVertices: number;
  readonly faces: Int32Array; // F 3, outward counterclockwise
  readonly parents: Int32Array; // J, -1 for the root
  readonly parts: Readonly<Record<string, Int32Array>>; // vertex indices of face, left_hand, right_hand where known
  readonly name: string;
  readonly licence: string;

  private readonly template: Float32Array; // 3 V
  private readonly directions: Float32Array; // 3 V, K: the K directions of one coordinate are adjacent
  private readonly jointTemplate: Float32Array; // J 3
  private readonly jointDirections: Float32Array; // K J 3
  private readonly numCoefficients: number;
  private readonly poseDirections: Float32Array | null; // 9 (J - 1), 3 V
  private readonly skinEnds: Int32Array; // V: end of each vertex's influences
  private readonly skinJoints: Uint8Array; // influences of all vertices, those above 0 only
  private readonly skinWeights: Float32Array;
  private readonly rest: Float32Array; // 3 V, overwritten by each pose
  private readonly order: readonly { readonly key: keyof SmplxParameters; readonly index: number }[];

  /** Raises `CoEvoerError` ("bundle") if the file does not match the manifest. */
  constructor(file: Safetensors, manifest: Manifest) {
    const name = manifest.body_model.file;
    const J = (this.numJoints = manifest.joint_names.length);
    this.template = float32(file, "v_template", [-1, 3], name);
    const V = (this.numVertices = this.template.length / 3);
    this.faces = int32(file, "faces", [-1, 3], name);
    this.parents = int32(file, "parents", [J], name);
    this.jointTemplate = float32(file, "joint_template", [J, 3], name);
    const directions = float32(file, "shapedirs", [-1, V, 3], name);
    const K = (this.numCoefficients = directions.length / (V * 3));
    this.jointDirections = float32(file, "joint_directions", [K, J, 3], name);
    this.directions = transpose(directions, K, V * 3);
    this.poseDirections = file.tensors.has("posedirs") ? float32(file, "posedirs", [9 * (J - 1), V, 3], name) : null;
    const influences = file.tensors.get("skin_joints")?.shape[1] ?? -1;
    const joints = int32(file, "skin_joints", [V, influences], name);
    const weights = float32(file, "skin_weights", [V, influences], name);
    this.skinEnds = new Int32Array(V);
    this.skinJoints = new Uint8Array(V * influences);
    this.skinWeights = new Float32Array(V * influences);
    let end = 0;
    for (let i = 0; i < joints.length; i++) {
      if (!(joints[i]! >= 0 && joints[i]! < J)) {
        const what = `${name} skins a vertex to joint ${joints[i]}, but there are ${J} joints`;
        throw new CoEvoerError("bundle", `${what}; export the bundle again.`);
      }
      if (weights[i]! > 0) {
        this.skinJoints[end] = joints[i]!;
        this.skinWeights[end++] = weights[i]!;
      }
      this.skinEnds[Math.floor(i / influences)] = end;
    }
    for (let j = 1; j < J; j++) {
      if (!(this.parents[j]! >= 0 && this.parents[j]! < j)) {
        const what = `${name}: joint ${j} has the parent ${this.parents[j]}, but parents come before their children`;
        throw new CoEvoerError("bundle", `${what}. Export the bundle again.`);
      }
    }
    const parts = [...file.tensors.keys()].filter((key) => key.startsWith("part_"));
    this.parts = Object.fromEntries(parts.map((key) => [key.slice("part_".length), int32(file, key, [-1], name)]));
    this.name = file.metadata["name"] ?? manifest.body_model.name;
    this.licence = file.metadata["licence"] ?? manifest.body_model.licence;
    this.rest = new Float32Array(V * 3);
    this.order = rotationOrder(manifest);
  }

  /** Shapes and poses the skeleton. */
  skeleton(parameters: SmplxParameters): Skeleton {
    const J = this.numJoints;
    const rotations = new Float64Array(9 * J);
    for (let j = 0; j < J; j++) {
      const at = this.order[j];
      if (at) rotations.set(parameters[at.key].subarray(9 * at.index, 9 * at.index + 9), 9 * j);
      else rotations[9 * j] = rotations[9 * j + 4] = rotations[9 * j + 8] = 1;
    }
    const coefficients = this.coefficients(parameters);
    const rest = Float64Array.from(this.jointTemplate);
    for (let k = 0; k < coefficients.length; k++) {
      for (let i = 0; i < rest.length; i++) rest[i]! += coefficients[k]! * this.jointDirections[k * rest.length + i]!;
    }
    const world = new Float64Array(9 * J);
    const joints = new Float64Array(3 * J);
    const transforms = new Float64Array(12 * J);
    for (let j = 0; j < J; j++) {
      const parent = this.parents[j]!;
      if (parent < 0) {
        world.set(rotations.subarray(9 * j, 9 * j + 9), 9 * j);
        joints.set(rest.subarray(3 * j, 3 * j + 3), 3 * j);
      } else {
        multiply(world, 9 * j, world, 9 * parent, rotations, 9 * j);
        for (let i = 0; i < 3; i++) {
          let sum = joints[3 * parent + i]!;
          for (let k = 0; k < 3; k++) sum += world[9 * parent + 3 * i + k]! * (rest[3 * j + k]! - rest[3 * parent + k]!);
          joints[3 * j + i] = sum;
        }
      }
      for (let i = 0; i < 3; i++) {
        let shift = joints[3 * j + i]!;
        for (let k = 0; k < 3; k++) {
          const turn = world[9 * j + 3 * i + k]!;
          transforms[12 * j + 4 * i + k] = turn;
          shift -= turn * rest[3 * j + k]!;
        }
        transforms[12 * j + 4 * i + 3] = shift;
      }
    }
    return { joints, transforms, rotations };
  }

  /** The mesh (V, 3) of a skeleton, moved by `translation`. */
  vertices(skeleton: Skeleton, parameters: SmplxParameters, translation: ArrayLike<number> = [0, 0, 0]): Float32Array {
    const rest = this.shaped(this.coefficients(parameters));
    if (this.poseDirections) this.correct(rest, skeleton.rotations, this.poseDirections);
    const { skinEnds, skinJoints, skinWeights } = this;
    const T = skeleton.transforms;
    const [tx, ty, tz] = [translation[0]!, translation[1]!, translation[2]!];
    const out = new Float32Array(rest.length);
    for (let v = 0, k = 0, i = 0; v < skinEnds.length; v++, i += 3) {
      const [x, y, z] = [rest[i]!, rest[i + 1]!, rest[i + 2]!];
      let px = tx, py = ty, pz = tz;
      for (const end = skinEnds[v]!; k < end; k++) {
        const w = skinWeights[k]!;
        const t = 12 * skinJoints[k]!;
        px += w * (T[t]! * x + T[t + 1]! * y + T[t + 2]! * z + T[t + 3]!);
        py += w * (T[t + 4]! * x + T[t + 5]! * y + T[t + 6]! * z + T[t + 7]!);
        pz += w * (T[t + 8]! * x + T[t + 9]! * y + T[t + 10]! * z + T[t + 11]!);
      }
      out[i] = px;
      out[i + 1] = py;
      out[i + 2] = pz;
    }
    return out;
  }

  private coefficients(parameters: SmplxParameters): Float64Array {
    const all = new Float64Array(this.numCoefficients);
    all.set(parameters.betas);
    all.set(parameters.expression, parameters.betas.length);
    return all;
  }

  private shaped(coefficients: Float64Array): Float32Array {
    const { rest, template, directions } = this;
    const K = coefficients.length;
    for (let i = 0, d = 0; i < rest.length; i++) {
      let sum = template[i]!;
      for (let k = 0; k < K; k++) sum += coefficients[k]! * directions[d++]!;
      rest[i] = sum;
    }
    return rest;
  }

  /** Adds the pose correctives of a user's own SMPL-X model; the open body has none. */
  private correct(rest: Float32Array, rotations: Float64Array, directions: Float32Array): void {
    for (let p = 0; p < rotations.length - 9; p++) {
      const feature = rotations[p + 9]! - (p % 9 % 4 ? 0 : 1);
      if (feature === 0) continue;
      for (let i = 0, d = p * rest.length; i < rest.length; i++, d++) rest[i]! += feature * directions[d]!;
    }
  }
}

/** The parameter that rotates each joint. SMPL-X's order is root, body, jaw, eyes (at rest), left hand, right hand. */
function rotationOrder(manifest: Manifest): { key: keyof SmplxParameters; index: number }[] {
  const order: { key: keyof SmplxParameters; index: number }[] = [];
  const add = (key: keyof SmplxParameters, at: number): void => {
    const count = manifest.outputs.find((output) => output.name === key)?.shape[1] ?? 0;
    for (let index = 0; index < count; index++) order[at + index] = { key, index };
  };
  const at = (joint: string): number => manifest.joint_names.indexOf(joint);
  add("global_orient", at("pelvis"));
  add("body_pose", at("pelvis") + 1);
  add("jaw_pose", at("jaw"));
  add("left_hand_pose", at("left_index1"));
  add("right_hand_pose", at("right_index1"));
  return order;
}

/** Transposes (rows, columns) to (columns, rows). */
function transpose(a: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(a.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = a[i * columns + j]!;
  return out;
}
