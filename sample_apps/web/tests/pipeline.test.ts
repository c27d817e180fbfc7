/** Invariants of crops, cameras, the clock and the filters that the kit does not cover. */

import { describe, expect, it } from "vitest";
import { Matrix4, Vector3 } from "three";
import { toProjection } from "../src/app/overlay.js";
import { Clock } from "../src/app/player.js";
import { vertexNormals } from "../src/app/surface.js";
import { convertTranslation, cropCamera, frameCamera, project } from "../src/coevoer/camera.js";
import { FramePipeline, type Frame } from "../src/coevoer/frame-pipeline.js";
import { nextCrop, type Seen } from "../src/coevoer/tracker.js";
import { extractCrop, toTensor } from "../src/coevoer/image.js";
import { Body } from "../src/coevoer/body.js";
import { readSafetensors } from "../src/coevoer/safetensors.js";
import { VectorFilter } from "../src/coevoer/smoothing.js";
import type { Outputs } from "../src/coevoer/parameters.js";
import { bundleFile, bundleManifest } from "./bundle.js";
import { seeded } from "./seeded.js";

const manifest = bundleManifest();
const rule = manifest.input.crop;

describe("crop", () => {
  it("keeps a uniform picture uniform at any scale, and black outside", () => {
    const [width, height] = [300, 200];
    const region = { data: new Uint8Array(width * height * 4).fill(77), left: 0, top: 0, width, height };
    for (const size of [30, 96, 150]) {
      const rgb = extractCrop(region, { x0: 70, y0: 20, width: size, height: (size * rule.height_px) / rule.width_px }, rule);
      const inside = rgb.subarray(0, rule.width_px * 3 * 8);
      expect(new Set(inside)).toEqual(new Set([77]));
    }
    const outside = extractCrop(region, { x0: 5000, y0: 0, width: 192, height: 256 }, rule);
    expect(outside.every((value) => value === 0)).toBe(true);
  });

  it("separates the channels and scales them to [0, 1]", () => {
    const tensor = toTensor(Uint8Array.of(255, 0, 51, 0, 255, 102));
    expect([...tensor]).toEqual([1, 0, 0, 1, 51 / 255, 102 / 255].map(Math.fround));
  });

  it("refuses a crop larger than the frames of any camera", () => {
    const region = { data: new Uint8Array(4), left: 0, top: 0, width: 1, height: 1 };
    expect(() => extractCrop(region, { x0: 0, y0: 0, width: 1e9, height: 1e9 }, rule)).toThrow("The crop is 1000000000 px wide");
  });
});

describe("camera", () => {
  it("keeps the origin's place in the image when a translation is converted to another camera, and back", () => {
    const from = cropCamera({ x0: 50, y0: 30, width: 96, height: 128 }, manifest);
    const to = frameCamera(640, 480, manifest);
    const t = [0.2, -0.1, 18];
    const moved = convertTranslation(t, from, to);
    expect(project(moved, to)[0]).toBeCloseTo(project(t, from)[0]!, 9);
    expect(project(moved, to)[1]).toBeCloseTo(project(t, from)[1]!, 9);
    convertTranslation(moved, to, from).forEach((value, i) => expect(value).toBeCloseTo(t[i]!, 9));
  });

  it("makes three.js draw a point where the camera sees it", () => {
    const [width, height] = [640, 480];
    const camera = { focalPx: 900, principalPointPx: [250, 300] as const };
    const flip = new Matrix4().makeRotationX(Math.PI);
    const point = [0.3, -0.2, 4];
    const projection = toProjection(camera, width, height, 2, 6);
    const seen = new Vector3(...(point as [number, number, number])).applyMatrix4(flip).applyMatrix4(projection);
    const [x, y] = project(point, camera);
    expect(((seen.x + 1) / 2) * width).toBeCloseTo(x!, 6);
    expect(((1 - seen.y) / 2) * height).toBeCloseTo(y!, 6);
    expect(Math.abs(seen.z)).toBeLessThan(1);
  });
});

describe("body", () => {
  const body = new Body(readSafetensors(bundleFile(manifest.body_model.file), manifest.body_model.file), manifest);

  it("has faces that point outward", () => {
    const pipeline = new FramePipeline(manifest, body, oracle(), { smooth: false, mesh: true, passes: 1 });
    return pipeline.detect(black(192, 256)).then(({ person }) => {
      const vertices = person.vertices!;
      const normals = new Float32Array(vertices.length);
      vertexNormals(vertices, body.faces, normals);
      let volume = 0; // by the divergence theorem: positive where normals point out
      for (let i = 0; i < vertices.length; i++) volume += (vertices[i]! - person.translation[i % 3]!) * normals[i]!;
      expect(volume / 18).toBeGreaterThan(0.03); // m^3; a person has about 0.07
      expect(volume / 18).toBeLessThan(0.15);
    });
  });

  it("moves as a whole with its translation", async () => {
    const options = { smooth: false, mesh: true, passes: 1 };
    const still = (await new FramePipeline(manifest, body, oracle(), options).detect(black(192, 256))).person;
    const moved = body.vertices(body.skeleton(still.parameters), still.parameters, [1, 2, 3]);
    const origin = body.vertices(body.skeleton(still.parameters), still.parameters);
    for (let i = 0; i < moved.length; i += 501) expect(moved[i]! - origin[i]!).toBeCloseTo([1, 2, 3][i % 3]!, 5);
  });

  it("reports no person who is not visible enough", async () => {
    const pipeline = new FramePipeline(manifest, body, oracle(0.1), { smooth: true, mesh: false, passes: 1 });
    const { person, state } = await pipeline.detectForVideo(black(192, 256), 0);
    expect([person, state]).toEqual([null, "searching"]);
  });

  it("reads the person's visibility from the manifest's column", async () => {
    const columns = ["face", "person", "left_hand", "right_hand"];
    const other = { ...manifest, outputs: manifest.outputs.map((o) => (o.name === "visibility" ? { ...o, columns } : o)) };
    const network = async (): Promise<Outputs> =>
      new Map(await oracle()()).set("visibility", { dims: [1, 4], data: Float32Array.of(0.1, 0.9, 0.1, 0.1) });
    const found = async (described: typeof manifest): Promise<boolean> => {
      const pipeline = new FramePipeline(described, body, network, { smooth: true, mesh: false, passes: 1 });
      return (await pipeline.detectForVideo(black(192, 256), 0)).person !== null;
    };
    expect(await found(other)).toBe(true);
    expect(await found(manifest)).toBe(false);
  });

  it("refuses outputs with fewer values than their shape requires, and continues the stream", async () => {
    let short = true;
    const network = async (): Promise<Outputs> => {
      const outputs = await oracle()();
      return short ? new Map(outputs).set("visibility", { dims: [1, 4], data: Float32Array.of(0.9, 0.9) }) : outputs;
    };
    const pipeline = new FramePipeline(manifest, body, network, { smooth: true, mesh: false, passes: 1 });
    const broken = pipeline.detectForVideo(black(192, 256), 0);
    await expect(broken).rejects.toThrow("1 x 4 (2 values) for visibility; the contract requires 1 x 4.");
    short = false;
    expect((await pipeline.detectForVideo(black(192, 256), 40)).person).not.toBeNull();
  });

  it("starts over with resetStream", async () => {
    const pipeline = new FramePipeline(manifest, body, oracle(), { smooth: true, mesh: false, passes: 1 });
    await pipeline.detectForVideo(black(192, 256), 1000);
    const again = pipeline.detectForVideo(black(192, 256), 1000);
    await expect(again).rejects.toThrow("timestamp is 1000 ms, the last one was 1000 ms");
    pipeline.resetStream();
    await expect(pipeline.detectForVideo(black(192, 256), 0)).resolves.toMatchObject({ timestampMs: 0 });
  });
});

describe("next crop", () => {
  const joints = manifest.joint_names.length;
  const jointsPx = Float64Array.from({ length: 2 * joints }, (_, i) => 20 + ((i * 37) % 60));
  const camera = { focalPx: 100, principalPoint: [50, 50] as const };
  const seen = (depth: number, headDepth = 1): Seen => {
    const jointsCam = new Float64Array(3 * joints).fill(1);
    jointsCam[3 * manifest.joint_names.indexOf("head") + 2] = headDepth;
    return { visibility: 1, depth, jointsCam, jointsPx, camera } as unknown as Seen;
  };

  it("requires the body's origin and its joints to be in front of the camera", () => {
    expect(nextCrop(seen(1), 100, 100, manifest)).not.toBeNull();
    for (const depth of [0, -0.5, NaN]) {
      expect(nextCrop(seen(depth), 100, 100, manifest)).toBeNull();
      expect(nextCrop(seen(1, depth), 100, 100, manifest)).toBeNull();
    }
  });
});

describe("clock", () => {
  it("increases over loops by more than the gap, and leaves out a frame that was shown already", () => {
    const clock = new Clock(1001);
    expect([0, 40, 40, 80, 0, 40].map((time) => clock.next(time))).toEqual([0, 40, null, 80, 1081, 1121]);
  });
});

describe("One-Euro", () => {
  it("with gain 0 is the exponential low-pass filter, in closed form", () => {
    const filter = new VectorFilter({ cutoff_hz: 2, gain: 0, derivative_hz: 1 });
    filter.next(Float64Array.of(0), 0);
    const share = 1 / (1 + 1 / (2 * Math.PI * 2 * 0.1));
    for (let n = 1; n < 6; n++) expect(filter.next(Float64Array.of(1), 0.1)[0]).toBeCloseTo(1 - (1 - share) ** n, 12);
  });

  it("follows fast changes more closely than slow ones", () => {
    const random = seeded(3);
    const left = (speed: number): number => {
      const filter = new VectorFilter({ cutoff_hz: 1, gain: 2, derivative_hz: 1 });
      let last = 0;
      for (let n = 0; n < 60; n++) last = speed * n - filter.next(Float64Array.of(speed * n + 0.001 * random()), 1 / 30)[0]!;
      return last / speed;
    };
    expect(left(1)).toBeLessThan(0.5 * left(0.01));
  });
});

/** A black frame. */
function black(width: number, height: number): Frame {
  return { width, height, read: (_left, _top, w, h) => new Uint8ClampedArray(w * h * 4) };
}

/** A network that always returns an upright person in the rest pose, in the middle of the crop. */
function oracle(visible = 0.9): () => Promise<Outputs> {
  const upright = [1, 0, 0, 0, -1, 0, 0, 0, -1]; // y up to y down
  const identity = [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const outputs = manifest.outputs.map(({ name, shape }) => {
    const size = shape.reduce((product, n) => product * n, 1);
    let data = new Float32Array(size);
    if (name === "global_orient") data = Float32Array.from(upright);
    else if (shape.at(-1) === 3 && shape.at(-2) === 3) data = data.map((_, i) => identity[i % 9]!);
    else if (name === "camera") data = Float32Array.of(0, 0.4, 40);
    else if (name === "visibility") data = data.fill(visible);
    return [name, { dims: shape, data }] as const;
  });
  return () => Promise.resolve(new Map(outputs));
}
