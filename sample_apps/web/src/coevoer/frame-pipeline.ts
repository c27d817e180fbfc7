/**
 * The complete pipeline, from frames to people, without browser APIs. The network and the reading of pixels are passed
 * in, so that it also runs, and is tested, in Node.
 */

import type { Body } from "./body.js";
import { convertTranslation, cropCamera, frameCamera, wholeFrame, type Crop } from "./camera.js";
import { CoEvoerError } from "./errors.js";
import { extractCrop, neededRegion, toTensor, type Region } from "./image.js";
import type { Manifest } from "./manifest.js";
import { decode, type Decoded, type Outputs } from "./parameters.js";
import { embody, pose, type EstimatorResult, type ImageResult, type Person, type Timings } from "./person.js";
import { Smoother } from "./smoothing.js";
import { nextCrop, Tracker } from "./tracker.js";

/**
 * An upright frame. `read` returns the RGBA pixels of a part of it, with transparent pixels laid over the manifest's
 * grey.
 */
export interface Frame {
  readonly width: number;
  readonly height: number;
  read(left: number, top: number, width: number, height: number): Uint8ClampedArray;
}

/** The network: (1, 3, H, W) floats in [0, 1] to outputs by name. */
export type Network = (tensor: Float32Array) => Promise<Outputs>;

export interface PipelineOptions {
  readonly smooth: boolean; // apply One-Euro filters to streams
  readonly mesh: boolean; // compute vertices
  readonly passes: number; // runs of the network on a single image
}

interface Look {
  readonly decoded: Decoded;
  readonly timings: Timings;
}

export class FramePipeline {
  private readonly tracker: Tracker;
  private readonly smoother: Smoother;

  constructor(
    private readonly manifest: Manifest,
    private readonly body: Body,
    private readonly network: Network,
    private readonly options: PipelineOptions,
  ) {
    if (!(Number.isInteger(options.passes) && options.passes >= 1)) {
      throw new CoEvoerError("input", `The number of passes is ${options.passes}; give 1 (whole frame only) or more.`);
    }
    this.tracker = new Tracker(manifest);
    this.smoother = new Smoother(manifest.pipeline.smoothing);
  }

  /**
   * Looks at a single image: the whole frame, then the crop around the body found there. The camera is the last crop's.
   */
  async detect(frame: Frame): Promise<ImageResult> {
    let crop = wholeFrame(frame.width, frame.height, this.manifest.input.crop);
    let look = await this.look(frame, crop);
    let { timings } = look;
    for (let pass = 1; pass < this.options.passes; pass++) {
      const { seen } = pose(look.decoded, crop, this.body, this.manifest);
      const next = nextCrop(seen, frame.width, frame.height, this.manifest);
      if (!next) break;
      crop = next;
      look = await this.look(frame, crop);
      timings = added(timings, look.timings);
    }
    const start = performance.now();
    const { decoded } = look;
    const camera = cropCamera(crop, this.manifest);
    const person = embody(decoded, decoded.parameters, decoded.translation, camera, this.body, this.options.mesh);
    timings = { ...timings, decodeMs: timings.decodeMs + performance.now() - start };
    return this.result(null, "image", frame, crop, person, timings);
  }

  /** Looks at the next frame of a stream. Raises `CoEvoerError` ("input") for a timestamp that does not increase. */
  async detectForVideo(frame: Frame, timestampMs: number): Promise<EstimatorResult> {
    const crop = this.tracker.look(timestampMs, frame.width, frame.height);
    if (this.tracker.state === "searching") this.smoother.reset();
    const { decoded, timings } = await this.look(frame, crop);
    const start = performance.now();
    const person = this.follow(decoded, crop, frame, timestampMs);
    const decodeMs = timings.decodeMs + performance.now() - start;
    return this.result(timestampMs, this.tracker.state, frame, crop, person, { ...timings, decodeMs });
  }

  /** Starts another stream, whose first timestamp may have any value. */
  resetStream(): void {
    this.tracker.reset();
    this.smoother.reset();
  }

  private follow(decoded: Decoded, crop: Crop, frame: Frame, timestampMs: number): Person | null {
    const { seen } = pose(decoded, crop, this.body, this.manifest);
    if (!this.tracker.judge(seen)) return null;
    const camera = frameCamera(frame.width, frame.height, this.manifest);
    const raw = { parameters: decoded.parameters, translation: convertTranslation(decoded.translation, seen.camera, camera) };
    const { parameters, translation } = this.options.smooth
      ? this.smoother.next(timestampMs, raw.parameters, raw.translation, camera.focalPx / frame.height)
      : raw;
    return embody(decoded, parameters, translation, camera, this.body, this.options.mesh);
  }

  private async look(frame: Frame, crop: Crop): Promise<Look> {
    const start = performance.now();
    const rule = this.manifest.input.crop;
    const { left, top, width, height } = neededRegion(crop, frame.width, frame.height, rule);
    const data = width && height ? frame.read(left, top, width, height) : new Uint8ClampedArray();
    const region: Region = { data, left, top, width, height };
    const tensor = toTensor(extractCrop(region, crop, rule));
    const cropped = performance.now();
    const outputs = await this.network(tensor);
    const answered = performance.now();
    const decoded = decode(outputs, crop, this.manifest);
    const timings = {
      cropMs: cropped - start,
      networkMs: answered - cropped,
      decodeMs: performance.now() - answered,
    };
    return { decoded, timings };
  }

  private result<P extends Person | null>(
    timestampMs: number | null,
    state: EstimatorResult["state"],
    frame: Frame,
    crop: Crop,
    person: P,
    timings: Timings,
  ): EstimatorResult & { readonly person: P } {
    const frameSize = [frame.width, frame.height] as const;
    return { timestampMs, state, frameSize, crop, person, trained: this.manifest.trained, timings };
  }
}

function added(a: Timings, b: Timings): Timings {
  return { cropMs: a.cropMs + b.cropMs, networkMs: a.networkMs + b.networkMs, decodeMs: a.decodeMs + b.decodeMs };
}
