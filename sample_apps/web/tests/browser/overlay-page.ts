/** Draws the sample clip's true body over its frames with the app's own stage. In: the truth file. Out: `window.overlay`. */

import { MeshOverlay } from "../../src/app/overlay.js";
import { part } from "../../src/app/page.js";
import { Stage } from "../../src/app/stage.js";
import { Surface } from "../../src/app/surface.js";
import { Body } from "../../src/coevoer/body.js";
import { BundleReader } from "../../src/coevoer/bundle.js";
import type { Info } from "../../src/coevoer/engine.js";
import type { Decoded, SmplxParameters } from "../../src/coevoer/parameters.js";
import { embody } from "../../src/coevoer/person.js";
import { readSafetensors } from "../../src/coevoer/safetensors.js";

/**
 * Draws the truth of frame `i`. Returns the share of the mesh inside the silhouette, and of the silhouette under the
 * mesh.
 */
async function overlay(i: number): Promise<{ inside: number; covered: number }> {
  const reader = await BundleReader.open(new URL("/bundle/", location.href), () => undefined);
  const { manifest } = reader;
  const body = new Body(readSafetensors(await reader.read(manifest.body_model.file), "body"), manifest);
  const bytes = new Uint8Array(await (await fetch("/tests/data/sample_truth.safetensors")).arrayBuffer());
  const { tensors } = readSafetensors(bytes, "truth");
  const row = (name: string): Float64Array => {
    const { shape, data } = tensors.get(name)!;
    const size = data.length / shape[0]!;
    return Float64Array.from((data as Float32Array).subarray(i * size, (i + 1) * size));
  };
  const names = ["global_orient", "body_pose", "left_hand_pose", "right_hand_pose", "jaw_pose", "betas", "expression"];
  const parameters = Object.fromEntries(names.map((name) => [name, row(name)])) as unknown as SmplxParameters;

  const video = document.createElement("video");
  Object.assign(video, { muted: true, src: "/sample.webm" });
  await new Promise((resolve) => (video.onloadeddata = resolve));
  video.currentTime = row("times_s")[0]!;
  await new Promise((resolve) => (video.onseeked = resolve));
  const frame = await createImageBitmap(video);

  const focalPx = Number(tensors.get("focal_px")!.data[0]);
  const camera = { focalPx, principalPointPx: [frame.width / 2, frame.height / 2] as const };
  const visibility = Float64Array.of(1, 1, 1, 1);
  const decoded: Decoded = { parameters, translation: row("translation"), boxesPx: new Float64Array(12), visibility };
  const person = embody(decoded, parameters, decoded.translation, camera, body, true);
  const canvas = part("mesh", HTMLCanvasElement);
  const mesh = new MeshOverlay(canvas, new Surface(body.faces, person.vertices!));
  const stage = new Stage({ manifest, body } as unknown as Info, mesh, canvas);
  const crop = { x0: 0, y0: 0, width: frame.width, height: frame.height };
  const timings = { cropMs: 0, networkMs: 0, decodeMs: 0 };
  const size = [frame.width, frame.height] as const;
  stage.show(frame, { timestampMs: 0, state: "tracking", frameSize: size, crop, person, trained: true, timings });

  const { shape, data } = tensors.get("silhouette")!;
  const [, high, wide] = shape as [number, number, number];
  const small = new OffscreenCanvas(wide, high).getContext("2d")!;
  small.drawImage(canvas, 0, 0, wide, high);
  const drawn = small.getImageData(0, 0, wide, high).data;
  let [both, drawnCount, trueCount] = [0, 0, 0];
  for (let k = 0; k < wide * high; k++) {
    const [mine, truth] = [drawn[4 * k + 3]! > 127, Number(data[i * wide * high + k]) > 0];
    both += Number(mine && truth);
    drawnCount += Number(mine);
    trueCount += Number(truth);
  }
  return { inside: both / drawnCount, covered: both / trueCount };
}

declare global {
  interface Window {
    overlay: typeof overlay;
  }
}
window.overlay = overlay;
