"""Damaged checkpoints: the header of a safetensors file with unusual values, and bytes of the file."""

import json
from functools import cache
from pathlib import Path

import numpy as np
from damage import damaged_bytes, damaged_table

import coevoer_edge
from coevoer_edge.model import checkpoint


@cache
def _sound() -> bytes:
    return (Path(coevoer_edge.__file__).parent / "weights" / "coevoer-t.safetensors").read_bytes()


def run(case: int, folder: Path) -> None:
    rng = np.random.default_rng((3, case))
    content = _sound()
    path = folder / "damaged.safetensors"
    if case % 2:
        size = int.from_bytes(content[:8], "little")
        header = json.dumps(damaged_table(json.loads(content[8 : 8 + size]), rng)).encode()
        path.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + size :])
    else:
        path.write_bytes(damaged_bytes(content[:20_000], rng) + content[20_000:])
    checkpoint.load(path)
