/**
 * Crops and cameras (docs/pipeline.md, sections 2 and 4). Pixels: x right, y down, the centre of the top left pixel is
 * (0.5, 0.5). Camera frame: x right, y down, z into the scene, m.
 */

import { CoEvoerError } from "./errors.js";
import type { CropRule, Manifest } from "./manifest.js";

/** An upright rectangle of the frame, px, with the input's proportions; it may extend outside the frame. */
export interface Crop {
  readonly x0: number;
  readonly y0: number;
  readonly width: number;
  readonly height: number;
}

/** A camera without distortion and with square pixels. */
export interface PinholeCamera {
  readonly focalPx: number;
  readonly principalPointPx: readonly [number, number];
}

/** x1 y1 x2 y2, px. */
export type Box = readonly [number, number, number, number];

/**
 * The crop around a box: the box is extended to the input's proportions about its centre, then both sides are scaled.
 */
export function around(box: Box, scale: number, rule: CropRule): Crop {
  const aspect = rule.width_px / rule.height_px;
  const [x1, y1, x2, y2] = box;
  const width = Math.max(x2 - x1, (y2 - y1) * aspect) * scale;
  const height = width / aspect;
  return { x0: (x1 + x2 - width) / 2, y0: (y1 + y2 - height) / 2, width, height };
}

/** The smallest crop that holds the whole frame, centred on it. */
export function wholeFrame(widthPx: number, heightPx: number, rule: CropRule): Crop {
  if (!(widthPx > 0 && heightPx > 0)) {
    throw new CoEvoerError("input", `The frame is ${widthPx} x ${heightPx} px; both sides must be above 0.`);
  }
  return around([0, 0, widthPx, heightPx], 1, rule);
}

/** Pixels of the frame per pixel of the input. */
export function scaleOf(crop: Crop, rule: CropRule): number {
  return crop.width / rule.width_px;
}

/** The crop's virtual camera in pixels of the frame; the conversion is exact and leaves the translation unchanged. */
export function cropCamera(crop: Crop, manifest: Manifest): PinholeCamera {
  return {
    focalPx: manifest.camera.focal_px * scaleOf(crop, manifest.input.crop),
    principalPointPx: [crop.x0 + crop.width / 2, crop.y0 + crop.height / 2],
  };
}

/** The single camera of a stream, which is that of the crop around the whole frame. */
export function frameCamera(widthPx: number, heightPx: number, manifest: Manifest): PinholeCamera {
  return cropCamera(wholeFrame(widthPx, heightPx, manifest.input.crop), manifest);
}

/**
 * The translation (3), m, under another camera, such that the body keeps its place and size in the image.
 *
 * Weak perspective (Li et al. 2022, CLIFF): exact at the depth of the body's origin.
 */
export function convertTranslation(t: ArrayLike<number>, from: PinholeCamera, to: PinholeCamera): Float64Array {
  const [x, y, z] = [t[0]!, t[1]!, t[2]!];
  return Float64Array.of(
    x + ((from.principalPointPx[0] - to.principalPointPx[0]) * z) / from.focalPx,
    y + ((from.principalPointPx[1] - to.principalPointPx[1]) * z) / from.focalPx,
    (z * to.focalPx) / from.focalPx,
  );
}

/** Points (n, 3) in the camera frame, m, to pixels (n, 2). Meaningless for points with z <= 0. */
export function project(points: ArrayLike<number>, camera: PinholeCamera): Float64Array {
  const out = new Float64Array((points.length / 3) * 2);
  for (let i = 0, j = 0; i < points.length; i += 3, j += 2) {
    out[j] = (camera.focalPx * points[i]!) / points[i + 2]! + camera.principalPointPx[0];
    out[j + 1] = (camera.focalPx * points[i + 1]!) / points[i + 2]! + camera.principalPointPx[1];
  }
  return out;
}
