/**
 * Converts pixels to the network's input (docs/pipeline.md, section 2). In: RGBA pixels of a frame or a part of it, and
 * a crop. Out: RGB bytes (H, W, 3) and the tensor (1, 3, H, W) in [0, 1].
 */

import { scaleOf, type Crop } from "./camera.js";
import { CoEvoerError } from "./errors.js";
import type { CropRule } from "./manifest.js";

/** The widest crop that is accepted, px. It bounds the work and is far above the frames of any camera. */
export const MAX_CROP_PX = 1 << 17;

/**
 * RGBA bytes of the part of a frame that begins at (left, top), px. Pixels outside it are not needed or count as black.
 */
export interface Region {
  readonly data: Uint8ClampedArray | Uint8Array;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The part of a W x H frame that a crop needs, in whole pixels; its width or height is 0 if they do not overlap. */
export function neededRegion(
  crop: Crop,
  widthPx: number,
  heightPx: number,
  rule: CropRule,
): { left: number; top: number; width: number; height: number } {
  const margin = Math.ceil(Math.max(1, scaleOf(crop, rule))) + 1;
  const clip = (value: number, size: number): number => Math.min(Math.max(value, 0), size);
  const left = clip(Math.floor(crop.x0) - margin, widthPx);
  const top = clip(Math.floor(crop.y0) - margin, heightPx);
  return {
    left,
    top,
    width: Math.max(clip(Math.ceil(crop.x0 + crop.width) + margin, widthPx) - left, 0),
    height: Math.max(clip(Math.ceil(crop.y0 + crop.height) + margin, heightPx) - top, 0),
  };
}

/**
 * Cuts the crop: each input pixel is the mean of image pixels under a triangle of radius max(1, scale) about its
 * centre; pixels outside count as `rule.outside`. Values are rounded once. Returns RGB bytes (height_px, width_px, 3).
 */
export function extractCrop(region: Region, crop: Crop, rule: CropRule): Uint8Array {
  if (!(crop.width > 0 && crop.width <= MAX_CROP_PX)) {
    throw new CoEvoerError(
      "input",
      `The crop is ${crop.width} px wide; its width must be above 0 and at most ${MAX_CROP_PX} px.`,
    );
  }
  const scale = scaleOf(crop, rule);
  const across = triangles(crop.x0 - region.left, scale, rule.width_px, region.width);
  const down = triangles(crop.y0 - region.top, scale, rule.height_px, region.height);
  const rows = alongRows(region, across, rule.width_px, rule.outside);
  return alongColumns(rows, down, rule.width_px, rule.height_px, rule.outside);
}

/** Converts RGB bytes (H, W, 3) to floats (3, H, W) in [0, 1]. */
export function toTensor(rgb: Uint8Array): Float32Array {
  const plane = rgb.length / 3;
  const out = new Float32Array(rgb.length);
  for (let i = 0, j = 0; i < plane; i++, j += 3) {
    out[i] = rgb[j]! / 255;
    out[plane + i] = rgb[j + 1]! / 255;
    out[2 * plane + i] = rgb[j + 2]! / 255;
  }
  return out;
}

/**
 * For each output pixel: its first source pixel, the number of source pixels, their weights, and the weight outside.
 */
interface Triangles {
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Float64Array; // output pixel i begins at i * most
  readonly outside: Float64Array;
  readonly most: number;
}

function triangles(start: number, scale: number, size: number, available: number): Triangles {
  const radius = Math.max(1, scale);
  const most = Math.ceil(2 * radius) + 1;
  const first = new Int32Array(size);
  const count = new Int32Array(size);
  const weights = new Float64Array(size * most);
  const outside = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const centre = start + (i + 0.5) * scale;
    const low = Math.ceil(centre - radius - 0.5); // pixel m has its centre at m + 0.5
    const high = Math.floor(centre + radius - 0.5);
    let total = 0;
    for (let m = low; m <= high; m++) total += 1 - Math.abs(m + 0.5 - centre) / radius;
    const begin = Math.max(low, 0);
    const end = Math.min(high, available - 1);
    first[i] = begin;
    count[i] = Math.max(end - begin + 1, 0);
    let inside = 0;
    for (let m = begin; m <= end; m++) {
      const weight = (1 - Math.abs(m + 0.5 - centre) / radius) / total;
      weights[i * most + m - begin] = weight;
      inside += weight;
    }
    outside[i] = 1 - inside;
  }
  return { first, count, weights, outside, most };
}

/** Resamples the rows of (h, w, 4) bytes to (h, width, 3) floats. */
function alongRows(region: Region, t: Triangles, width: number, outside: number): Float32Array {
  const { data, height } = region;
  const { first, count, weights, most } = t;
  const out = new Float32Array(height * width * 3);
  for (let y = 0, to = 0; y < height; y++) {
    const row = y * region.width;
    for (let i = 0; i < width; i++, to += 3) {
      let r = t.outside[i]! * outside;
      let g = r;
      let b = r;
      let from = (row + first[i]!) * 4;
      for (let k = i * most, end = k + count[i]!; k < end; k++, from += 4) {
        const weight = weights[k]!;
        r += weight * data[from]!;
        g += weight * data[from + 1]!;
        b += weight * data[from + 2]!;
      }
      out[to] = r;
      out[to + 1] = g;
      out[to + 2] = b;
    }
  }
  return out;
}

/** Resamples the columns of (h, width, 3) floats to (height, width, 3) bytes. */
function alongColumns(rows: Float32Array, t: Triangles, width: number, height: number, outside: number): Uint8Array {
  const out = new Uint8Array(height * width * 3);
  const sum = new Float64Array(width * 3);
  for (let j = 0; j < height; j++) {
    sum.fill(t.outside[j]! * outside + 0.5); // + 0.5: the bytes below are rounded down
    for (let k = 0; k < t.count[j]!; k++) {
      const weight = t.weights[j * t.most + k]!;
      const from = (t.first[j]! + k) * width * 3;
      for (let i = 0; i < sum.length; i++) sum[i]! += weight * rows[from + i]!;
    }
    const to = j * width * 3;
    for (let i = 0; i < sum.length; i++) out[to + i] = sum[i]!;
  }
  return out;
}
