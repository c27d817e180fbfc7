"""Damaged conformance kits: the header with unusual values, and bytes of the file."""

import json
from functools import cache
from pathlib import Path

import numpy as np
from damage import damaged_bytes, damaged_table

from coevoer_edge.conformance.kit import KIT_PATH, Kit


@cache
def _sound() -> bytes:
    return KIT_PATH.read_bytes()


def run(case: int, folder: Path) -> None:
    rng = np.random.default_rng((6, case))
    path, content = folder / "damaged.safetensors", _sound()
    size = int.from_bytes(content[:8], "little")
    if case % 2:
        header = json.loads(content[8 : 8 + size])
        metadata = header["__metadata__"]
        key = sorted(metadata)[rng.integers(0, len(metadata))]
        try:
            metadata[key] = json.dumps(damaged_table(json.loads(metadata[key]), rng))
        except ValueError:
            metadata[key] = "damaged"
        text = json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])
    else:
        path.write_bytes(damaged_bytes(content[: size + 8], rng) + content[size + 8 :])
    Kit.open(path)
