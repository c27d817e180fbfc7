"""Weights of a Core ML package. In: `weight.bin` (MIL blob storage, version 2). Out: numpy arrays. A `reference`.

A file starts with a header of 64 bytes (count, version). A constant's offset points to a record of 64 bytes:
sentinel, data type, size and position of the data. Elements of fewer than 8 bits are packed from the low bit up.
Source: coremltools `MILBlob/Blob/StorageFormat.hpp`.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from coevoer_edge.body.arrays import AnyArray
from coevoer_edge.errors import BundleError

_SENTINEL = 0xDEADBEEF
_VERSION = 2
_RECORD = np.dtype([("sentinel", "<u4"), ("dtype", "<u4"), ("size", "<u8"), ("offset", "<u8")])
_BLOB_DTYPES: Mapping[int, str] = {
    1: "float16",
    2: "float32",
    3: "uint8",
    4: "int8",
    6: "int16",
    7: "uint16",
    8: "int4",
    9: "uint1",
    10: "uint2",
    11: "uint4",
    12: "uint3",
    13: "uint6",
    14: "int32",
    15: "uint32",
}
_PACKED_BITS: Mapping[str, int] = {"int4": 4, "uint1": 1, "uint2": 2, "uint3": 3, "uint4": 4, "uint6": 6}


class WeightFiles:
    """The package's weight files, each mapped into memory once."""

    def __init__(self, package: Path, model_directory: Path) -> None:
        self._package = package.resolve()
        self._model_directory = model_directory
        self._files: dict[str, AnyArray] = {}

    def read(self, name: str, offset: int, dtype: str, shape: tuple[int, ...]) -> AnyArray:
        """Read one constant; the record must agree with what the program declares."""
        if name not in self._files:
            self._files[name] = self._map(name)
        data = self._files[name]
        if offset + 64 > data.size:
            raise BundleError(
                f"{self._package}: {name} ends before offset {offset}: the weight file does not belong to this program."
            )
        record = data[offset : offset + _RECORD.itemsize].view(_RECORD)[0]
        if record["sentinel"] != _SENTINEL:
            raise BundleError(
                f"{self._package}: {name} holds no weight at offset {offset}: the file does not belong to this program."
            )
        stored = _BLOB_DTYPES.get(int(record["dtype"]), f"type {record['dtype']}")
        if stored != dtype:
            raise BundleError(
                f"{self._package}: {name} holds {stored} at offset {offset}, the program declares {dtype}."
            )
        start, size = int(record["offset"]), int(record["size"])
        if start + size > data.size:
            raise BundleError(
                f"{self._package}: {name} is cut short: {start + size} bytes are needed, {data.size} are there."
            )
        return decode_bytes(data[start : start + size].tobytes(), dtype, shape, f"{self._package}: {name} at {offset}")

    def _map(self, name: str) -> AnyArray:
        path = Path(name.replace("@model_path", str(self._model_directory))).resolve()
        if not path.is_relative_to(self._package) or not path.is_file():
            raise BundleError(
                f"{self._package}: the program takes weights from {name}, which is not in the package. Copy it whole."
            )
        data = np.memmap(path, dtype=np.uint8, mode="r")
        if data.size < 64 or data[4:8].view("<u4")[0] != _VERSION:
            raise BundleError(f"{self._package}: {name} is not a weight file of version {_VERSION}.")
        return data


def decode_bytes(data: bytes, dtype: str, shape: tuple[int, ...], where: str) -> AnyArray:
    """Turn raw bytes into an array of `shape`; types below 8 bits come out as int8 or uint8."""
    count = int(np.prod(shape))
    bits = _PACKED_BITS.get(dtype)
    expected = count * np.dtype(dtype).itemsize if bits is None else -(-count * bits // 8)
    if len(data) != expected:
        raise BundleError(f"{where}: {len(data)} bytes cannot be {dtype} of shape {shape}, which takes {expected}.")
    if bits is None:
        return np.frombuffer(data, dtype=np.dtype(dtype).newbyteorder("<")).reshape(shape)
    return unpack_bits(np.frombuffer(data, dtype=np.uint8), bits, count, signed=dtype.startswith("int")).reshape(shape)


def unpack_bits(packed: AnyArray, bits: int, count: int, *, signed: bool = False) -> AnyArray:
    """Unpack elements that lie in bytes from the low bit up and may cross from one byte into the next."""
    planes = np.unpackbits(packed, bitorder="little", count=count * bits).reshape(count, bits)
    values: AnyArray = (planes << np.arange(bits, dtype=np.uint8)).sum(axis=1, dtype=np.int16)
    if signed:
        values = np.where(values >= 1 << (bits - 1), values - (1 << bits), values)
    unpacked: AnyArray = values.astype(np.int8 if signed else np.uint8)
    return unpacked
