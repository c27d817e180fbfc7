"""Write safetensors files reproducibly: the same tensors give the same bytes.

In: tensors and metadata. Out: a file. The safetensors library writes metadata in arbitrary order. Bundles are compared
by digest, so the header is sorted here.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coevoer_edge.files.whole import write_whole


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write a little-endian safetensors file with metadata and tensors sorted by name."""
    from safetensors.numpy import save

    data = save({name: np.ascontiguousarray(value) for name, value in tensors.items()}, dict(metadata))
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    ordered = {"__metadata__": dict(sorted(header.pop("__metadata__").items()))} | dict(sorted(header.items()))
    text = json.dumps(ordered, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the tensors begin at a multiple of eight
    write_whole(path, len(text).to_bytes(8, "little") + text + data[start:])
