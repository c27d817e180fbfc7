/** What can go wrong, as one error class with a code that apps branch on and a message that people can act on. */

export type ErrorCode =
  | "input" // a bad argument: an empty image, a timestamp that does not grow
  | "missing" // a file of the bundle is not there
  | "network" // a download failed or stalled
  | "digest" // a file is not the one that SHA256SUMS lists
  | "bundle" // a bundle of another schema or contract, or an unreadable file of one
  | "platform" // the browser lacks something that is needed
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

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
