/** CoEvoer Edge in the browser: a person's upper body, hands and face as SMPL-X parameters, from images and video. */

export { Estimator, type EstimatorOptions } from "./estimator.js";
export { project, type Crop, type PinholeCamera } from "./camera.js";
export type { Info, Progress, Stage } from "./engine.js";
export { CoEvoerError, type ErrorCode } from "./errors.js";
export type { Manifest } from "./manifest.js";
export type { SmplxParameters } from "./parameters.js";
export type { EstimatorResult, ImageResult, Person, Timings } from "./person.js";
export { RUNTIME_FILES, type Provider } from "./runtime.js";
export type { SelfCheck } from "./selfcheck.js";
export type { State } from "./tracker.js";
