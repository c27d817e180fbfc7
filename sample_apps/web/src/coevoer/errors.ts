/** The errors of this module: one class with a code for apps to branch on and a message for people to act on. */

export type ErrorCode =
  | "input" // a bad argument: an empty image, a timestamp that does not increase
  | "missing" // a file of the bundle or of the runtime is missing
  | "network" // a download failed or stalled
  | "digest" // a file is not the one that SHA256SUMS lists
  | "bundle" // the bundle has another schema or contract, or one of its files is unreadable
  | "platform" // the browser lacks a feature that is needed
  | "runtime" // the inference runtime failed, or broke the contract
  | "closed"; // used after close()

/** Every error this module raises on purpose. `message` says what was given, what is valid and what to do. */
export class CoEvoerError extends Error {
  override readonly name = "CoEvoerError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The message of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
