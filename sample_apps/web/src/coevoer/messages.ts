/**
 * The messages between page and worker. Every request is answered once, in order, with progress messages in between.
 */

import type { EngineOptions, Info, Progress } from "./engine.js";
import type { ErrorCode } from "./errors.js";
import type { EstimatorResult, ImageResult } from "./person.js";

export type Request =
  | { readonly kind: "create"; readonly options: EngineOptions }
  | { readonly kind: "image"; readonly frame: ImageBitmap }
  | { readonly kind: "video"; readonly frame: ImageBitmap; readonly timestampMs: number }
  | { readonly kind: "reset" }
  | { readonly kind: "close" };

/** The type of the answer to each kind of request. */
export interface Answers {
  create: Info;
  image: ImageResult;
  video: EstimatorResult;
  reset: null;
  close: null;
}

export interface Envelope {
  readonly id: number;
  readonly request: Request;
}

export type Reply =
  | { readonly progress: Progress }
  | { readonly id: number; readonly answer: Answers[keyof Answers] }
  | { readonly id: number; readonly error: { readonly code: ErrorCode; readonly message: string } };
