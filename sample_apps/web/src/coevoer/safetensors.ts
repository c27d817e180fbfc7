/** Reads safetensors: an 8-byte length, a JSON header, raw little-endian arrays. In: bytes. Out: typed arrays. */

import { CoEvoerError, messageOf } from "./errors.js";

export type TensorData =
  | Float64Array
  | Float32Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array;

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: TensorData; // C order
}

export interface Safetensors {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

const TYPES: Readonly<Record<string, { readonly BYTES_PER_ELEMENT: number; new (buffer: ArrayBuffer): TensorData }>> = {
  F64: Float64Array,
  F32: Float32Array,
  I64: BigInt64Array,
  I32: Int32Array,
  U32: Uint32Array,
  I16: Int16Array,
  U16: Uint16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
};

const LENGTH_BYTES = 8;

/** Reads a whole file. `name` is used in messages. Raises `CoEvoerError` ("bundle") if the file is damaged. */
export function readSafetensors(bytes: Uint8Array, name: string): Safetensors {
  const damaged = (what: string): CoEvoerError =>
    new CoEvoerError("bundle", `${name} is damaged (${what}); copy it again.`);
  if (bytes.byteLength < LENGTH_BYTES) throw damaged(`it has only ${bytes.byteLength} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = LENGTH_BYTES + Number(view.getBigUint64(0, true));
  if (start > bytes.byteLength) throw damaged(`its header would end at byte ${start} of ${bytes.byteLength}`);
  let header: Record<string, unknown>;
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(LENGTH_BYTES, start))) as Record<string, unknown>;
  } catch (error) {
    throw damaged(`its header is not JSON: ${messageOf(error)}`);
  }
  const { __metadata__: metadata = {}, ...entries } = header;
  const tensors = new Map<string, Tensor>();
  for (const [key, entry] of Object.entries(entries)) {
    const { dtype, shape, data_offsets: offsets } = entry as { dtype: string; shape: number[]; data_offsets: number[] };
    const type = TYPES[dtype];
    if (!type) throw damaged(`${key} has type ${dtype}, which is none of ${Object.keys(TYPES).join(", ")}`);
    const [from, to] = [start + (offsets[0] ?? NaN), start + (offsets[1] ?? NaN)];
    const count = shape.reduce((product, size) => product * size, 1);
    if (!(to <= bytes.byteLength && to - from === count * type.BYTES_PER_ELEMENT)) {
      throw damaged(`${key} is ${dtype} ${JSON.stringify(shape)} in bytes ${from} to ${to} of ${bytes.byteLength}`);
    }
    tensors.set(key, { shape, data: new type(bytes.slice(from, to).buffer) }); // copied, so that it is aligned
  }
  return { tensors, metadata: metadata as Record<string, string> };
}

/**
 * A tensor as Float32Array of the given shape, where -1 is any size. Raises `CoEvoerError` ("bundle") if it does not
 * fit.
 */
export function float32(file: Safetensors, key: string, shape: readonly number[], name: string): Float32Array {
  const data = checked(file, key, shape, name);
  if (!(data instanceof Float32Array)) {
    throw new CoEvoerError("bundle", `${name}: ${key} is not float32; export the bundle again.`);
  }
  return data;
}

/** A tensor of integers as Int32Array. Raises as `float32`. */
export function int32(file: Safetensors, key: string, shape: readonly number[], name: string): Int32Array {
  const data = checked(file, key, shape, name);
  if (data instanceof Float32Array || data instanceof Float64Array || data instanceof BigInt64Array) {
    throw new CoEvoerError(
      "bundle",
      `${name}: ${key} does not hold integers of at most 32 bits; export the bundle again.`,
    );
  }
  return data instanceof Int32Array ? data : Int32Array.from(data);
}

function checked(file: Safetensors, key: string, shape: readonly number[], name: string): TensorData {
  const tensor = file.tensors.get(key);
  if (!tensor) throw new CoEvoerError("bundle", `${name} has no ${key}; export the bundle again.`);
  const fits = tensor.shape.length === shape.length && shape.every((size, i) => size < 0 || size === tensor.shape[i]);
  if (!fits) {
    const what = `${name}: ${key} has the shape ${JSON.stringify(tensor.shape)}, not ${JSON.stringify(shape)}`;
    throw new CoEvoerError("bundle", `${what}; export the bundle again.`);
  }
  return tensor.data;
}
