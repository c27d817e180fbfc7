"""A glTF 2.0 file under construction: its JSON tree and its one buffer.

In: arrays and glTF objects. Out: bytes of a .glb. trimesh, which writes our still meshes, writes no skins, morph
targets or animations.
"""

import json
import struct
from pathlib import Path
from typing import Any, Literal, NewType

import numpy as np
from numpy.typing import NDArray

from coevoer_edge.files.whole import write_whole

Index = NewType("Index", int)
ElementType = Literal["SCALAR", "VEC3", "VEC4", "MAT4"]

_COMPONENTS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_TYPES = {np.dtype(np.uint8): 5121, np.dtype(np.uint32): 5125, np.dtype(np.float32): 5126}
_TARGETS = {"vertices": 34962, "faces": 34963}
_JSON, _BINARY = 0x4E4F534A, 0x004E4942


class GltfFile:
    """Objects are added to their glTF collection and referred to by their index in it."""

    def __init__(self, extras: dict[str, str] | None = None) -> None:
        asset: dict[str, Any] = {"version": "2.0", "generator": "coevoer-edge"}
        if extras:
            asset["extras"] = dict(sorted(extras.items()))
        self._tree: dict[str, Any] = {"asset": asset, "scene": 0}
        self._buffer = bytearray()

    def count(self, collection: str) -> int:
        """How many objects a collection has."""
        return len(self._tree.get(collection, ()))

    def add(self, collection: str, item: dict[str, Any]) -> Index:
        """Append an object to a collection such as "nodes"."""
        items = self._tree.setdefault(collection, [])
        items.append(item)
        return Index(len(items) - 1)

    def accessor(
        self,
        values: NDArray[Any],
        kind: ElementType,
        *,
        target: Literal["vertices", "faces"] | None = None,
        bounds: bool = False,
    ) -> Index:
        """Store an array, floats as float32; `bounds` adds min and max, which positions and times must have."""
        array = np.ascontiguousarray(values, np.float32 if values.dtype.kind == "f" else values.dtype)
        rows = array.reshape(-1, _COMPONENTS[kind])
        accessor = {
            "bufferView": self._view(array, target),
            "componentType": _TYPES[array.dtype],
            "count": len(rows),
            "type": kind,
        }
        if bounds:
            accessor |= {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
        return self.add("accessors", accessor)

    def sparse(self, values: NDArray[Any]) -> Index:
        """Store a (V, 3) array that is mostly zero, such as a morph target: only the other rows take space."""
        array = np.asarray(values, np.float32)
        rows = np.flatnonzero(array.any(axis=1))
        accessor = {
            "componentType": _TYPES[array.dtype],
            "count": len(array),
            "type": "VEC3",
            "min": array.min(0).tolist(),
            "max": array.max(0).tolist(),
        }
        if len(rows):
            accessor["sparse"] = {
                "count": len(rows),
                "indices": {"bufferView": self._view(rows.astype(np.uint32)), "componentType": 5125},
                "values": {"bufferView": self._view(array[rows])},
            }
        return self.add("accessors", accessor)

    def write(self, path: Path | str) -> Path:
        """Write the .glb: header, JSON padded with spaces, buffer padded with zeros."""
        tree = self._tree | {"buffers": [{"byteLength": len(self._buffer)}]}
        text = json.dumps(tree, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        chunks = b"".join(
            struct.pack("<II", len(data), kind) + data for kind, data in ((_JSON, text), (_BINARY, bytes(self._buffer)))
        )
        path = Path(path)
        write_whole(path, struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
        return path

    def _view(self, array: NDArray[Any], target: Literal["vertices", "faces"] | None = None) -> Index:
        data = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self._buffer), "byteLength": len(data)}
        if target:
            view["target"] = _TARGETS[target]
        self._buffer += data + b"\0" * (-len(data) % 4)
        return self.add("bufferViews", view)
