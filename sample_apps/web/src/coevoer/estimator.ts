/**
 * The class that apps use, in the form of MediaPipe's tasks. The work is done in a worker, so every result is a
 * promise.
 */

import type { EngineOptions, Info, Progress } from "./engine.js";
import { CoEvoerError, messageOf } from "./errors.js";
import type { Answers, Reply, Request } from "./messages.js";
import type { EstimatorResult, ImageResult } from "./person.js";
import { defaultThreads, type Provider } from "./runtime.js";

export interface EstimatorOptions {
  /** URL of the bundle folder, relative to the page or absolute. */
  readonly bundle: string | URL;
  /** URL of the folder that serves onnxruntime-web's files (`RUNTIME_FILES`). */
  readonly runtime: string | URL;
  /** "auto" (the default) uses WebGPU where it is exact and faster, otherwise WebAssembly. */
  readonly delegate?: "auto" | Provider;
  /** Allow "auto" and "webgpu" to use a software adapter, for tests. Default false. */
  readonly allowSoftwareGpu?: boolean;
  /** Number of WebAssembly threads; the default depends on the machine. Always 1 without cross-origin isolation. */
  readonly threads?: number;
  /** Smooth streams with One-Euro filters. Default true. */
  readonly smooth?: boolean;
  /** Compute the mesh of each person. Default true. */
  readonly mesh?: boolean;
  /** How often the network runs on a single image: on the whole frame, then on the body found there. Default 2. */
  readonly passes?: number;
  readonly onProgress?: (progress: Progress) => void;
  /** Listener of `detectAsync`. */
  readonly onResult?: (result: EstimatorResult) => void;
  /** Listener of errors in `detectAsync`; without one they are reported as uncaught errors. */
  readonly onError?: (error: CoEvoerError) => void;
}

interface Pending {
  readonly resolve: (answer: Answers[keyof Answers]) => void;
  readonly reject: (error: CoEvoerError) => void;
}

const DELEGATES: readonly string[] = ["auto", "wasm", "webgpu"];
const SILENCE_MS = 60_000; // a worker that sends nothing for this long is considered dead

export class Estimator {
  private readonly pending = new Map<number, Pending>();
  private nextId = 0;
  private watch: ReturnType<typeof setTimeout> | undefined;
  private ended: CoEvoerError | null = null;
  private busy = false;
  private waiting: { frame: Promise<ImageBitmap>; timestampMs: number } | null = null;
  private opened: Info | null = null;

  private constructor(
    private readonly worker: Worker,
    private readonly options: EstimatorOptions,
  ) {
    worker.onmessage = ({ data }: MessageEvent<Reply>) => this.receive(data);
    worker.onerror = (event) => this.end("runtime", `The worker stopped: ${event.message || "its script did not load"}.`);
  }

  /** Loads a bundle, starts the runtime and checks it against golden images. Rejects with `CoEvoerError`. */
  static async createFromOptions(options: EstimatorOptions): Promise<Estimator> {
    if (typeof OffscreenCanvas === "undefined" || typeof createImageBitmap === "undefined") {
      throw new CoEvoerError("platform", "This browser lacks OffscreenCanvas; use Chrome 69, Firefox 105, Safari 16.4 or newer.");
    }
    const { delegate = "auto" } = options;
    if (!DELEGATES.includes(delegate)) {
      throw new CoEvoerError(
        "input",
        `The delegate is ${JSON.stringify(delegate)}; give one of ${DELEGATES.join(", ")}.`,
      );
    }
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    const estimator = new Estimator(worker, options);
    const page = document.baseURI;
    const engine: EngineOptions = {
      bundle: folder(options.bundle, page),
      runtime: folder(options.runtime, page),
      delegate,
      allowSoftwareGpu: options.allowSoftwareGpu ?? false,
      threads: options.threads ?? defaultThreads(),
      smooth: options.smooth ?? true,
      mesh: options.mesh ?? true,
      passes: options.passes ?? 2,
    };
    try {
      estimator.opened = await estimator.ask({ kind: "create", options: engine });
    } catch (error) {
      worker.terminate();
      throw error;
    }
    return estimator;
  }

  /** What was loaded: manifest, provider, self-check, the body's faces. */
  get info(): Info {
    if (!this.opened) {
      throw new CoEvoerError("closed", "The estimator is not open; create one with createFromOptions().");
    }
    return this.opened;
  }

  /** Finds the person in a single image. */
  async detect(image: ImageBitmapSource): Promise<ImageResult> {
    const frame = await toBitmap(image);
    return this.ask({ kind: "image", frame }, [frame]);
  }

  /** Finds the person in the next frame of a stream, tracked and smoothed. Timestamps must increase. */
  async detectForVideo(image: ImageBitmapSource, timestampMs: number): Promise<EstimatorResult> {
    const frame = await toBitmap(image);
    return this.ask({ kind: "video", frame, timestampMs }, [frame]);
  }

  /**
   * Takes the next frame of a live stream; the result goes to `onResult`. While a frame is processed, only the newest
   * of the frames that arrive is kept.
   */
  detectAsync(image: ImageBitmapSource, timestampMs: number): void {
    const frame = toBitmap(image);
    frame.catch(() => undefined); // reported when the frame is processed
    this.waiting?.frame.then((skipped) => skipped.close(), () => undefined);
    this.waiting = { frame, timestampMs };
    if (!this.busy) void this.drain();
  }

  /** Starts another stream, whose first timestamp may have any value. */
  async resetStream(): Promise<void> {
    await this.ask({ kind: "reset" });
  }

  /** Frees the runtime and ends the worker. Closing twice is harmless. */
  async close(): Promise<void> {
    if (this.ended) return;
    await this.ask({ kind: "close" }).catch(() => null);
    this.end("closed", "The estimator is closed; create another one.");
  }

  private async drain(): Promise<void> {
    this.busy = true;
    while (this.waiting) {
      const { frame, timestampMs } = this.waiting;
      this.waiting = null;
      try {
        const bitmap = await frame;
        const result = await this.ask({ kind: "video", frame: bitmap, timestampMs }, [bitmap]);
        this.options.onResult?.(result);
      } catch (error) {
        const own = error instanceof CoEvoerError ? error : new CoEvoerError("runtime", messageOf(error), { cause: error });
        (this.options.onError ?? reportError)(own);
      }
    }
    this.busy = false;
  }

  private ask<R extends Request>(request: R, transfer: Transferable[] = []): Promise<Answers[R["kind"]]> {
    return new Promise((resolve, reject) => {
      if (this.ended) return reject(this.ended);
      const id = this.nextId++;
      this.pending.set(id, { resolve: resolve as Pending["resolve"], reject });
      this.listen();
      this.worker.postMessage({ id, request }, transfer);
    });
  }

  private receive(reply: Reply): void {
    if ("progress" in reply) {
      this.listen();
      return this.options.onProgress?.(reply.progress);
    }
    const pending = this.pending.get(reply.id);
    this.pending.delete(reply.id);
    this.listen();
    if ("answer" in reply) pending?.resolve(reply.answer);
    else pending?.reject(new CoEvoerError(reply.error.code, reply.error.message));
  }

  /** Restarts the timeout for the worker's next message while requests are pending. */
  private listen(): void {
    clearTimeout(this.watch);
    if (!this.pending.size) return;
    const message = `The worker has not answered for ${SILENCE_MS / 1000} s; reload the page.`;
    this.watch = setTimeout(() => this.end("runtime", message), SILENCE_MS);
  }

  private end(code: CoEvoerError["code"], message: string): void {
    this.ended ??= new CoEvoerError(code, message);
    clearTimeout(this.watch);
    this.worker.terminate();
    for (const { reject } of this.pending.values()) reject(this.ended);
    this.pending.clear();
  }
}

async function toBitmap(image: ImageBitmapSource): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(image);
  } catch (error) {
    throw new CoEvoerError(
      "input",
      `The frame has no readable pixels (${messageOf(error)}); give an image that has loaded.`,
    );
  }
}

/** The absolute address with a slash at its end, so that file names can be appended. */
function folder(url: string | URL, page: string): string {
  const { href } = new URL(url, page);
  return href.endsWith("/") ? href : `${href}/`;
}
