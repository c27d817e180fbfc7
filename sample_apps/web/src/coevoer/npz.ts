/** Reads NumPy's npz (a zip of npy files). In: bytes. Out: typed arrays. fflate does the unzipping. */

import { unzipSync } from "fflate";
import { CoEvoerError, messageOf } from "./errors.js";

export interface NpyArray {
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint8Array; // C order
}

/** Reads the arrays that `wanted` accepts. Raises `CoEvoerError` ("bundle") if the file is damaged. */
export function readNpz(bytes: Uint8Array, name: string, wanted: (key: string) => boolean): Map<string, NpyArray> {
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(bytes, { filter: (file) => wanted(file.name.replace(/\.npy$/, "")) });
  } catch (error) {
    throw new CoEvoerError("bundle", `${name} is not a readable npz (${messageOf(error)}); copy the bundle again.`);
  }
  return new Map(Object.entries(files).map(([file, npy]) => [file.replace(/\.npy$/, ""), readNpy(npy, `${name}: ${file}`)]));
}

function readNpy(bytes: Uint8Array, name: string): NpyArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const long = (bytes[6] ?? 0) > 1; // version 1 counts the header in 2 bytes, later ones in 4
  const start = (long ? 12 : 10) + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = new TextDecoder().decode(bytes.subarray(long ? 12 : 10, start));
  const dtype = /'descr':\s*'([^']+)'/.exec(header)?.[1];
  const sizes = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (sizes === undefined || !/'fortran_order':\s*False/.test(header)) {
    throw new CoEvoerError(
      "bundle",
      `${name} has the npy header ${header.trim()}, which is not in C order; export the bundle again.`,
    );
  }
  const shape = sizes.split(",").filter((size) => size.trim()).map(Number);
  const body = bytes.slice(start);
  if (dtype === "<f4") return { shape, data: new Float32Array(body.buffer) };
  if (dtype === "|u1") return { shape, data: body };
  throw new CoEvoerError(
    "bundle",
    `${name} has type ${dtype}, but only float32 and uint8 can be read; export the bundle again.`,
  );
}
