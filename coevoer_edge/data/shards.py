"""Records on disk: rendered once, then read many times through memory maps.

In: a `RecordSource`. Out: a folder of chunks, each a folder with one .npy file per field; `Shards` reads it. A chunk
gets its final name only when it is complete, so writing can be interrupted, resumed and shared by several processes.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from coevoer_edge.data.record import Record, RecordSource, collate
from coevoer_edge.errors import InputError

CHUNK = 512
"""Samples per chunk, which takes 101 MB."""


def write_shards(
    source: RecordSource,
    first: int,
    count: int,
    folder: Path,
    *,
    batch_size: int = 32,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Write samples `first` to `first + count` in chunks; existing chunks are kept.

    Raises:
        InputError: first or count is not a multiple of `CHUNK`.
    """
    if first % CHUNK or count % CHUNK or first < 0 or count <= 0:
        raise InputError(
            f"The first sample is {first} and the count is {count}; both must be multiples of {CHUNK}, the size of a "
            "chunk, and the count must be positive."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(first, first + count, CHUNK):
        chunk = folder / f"{start // CHUNK:06d}"
        if not chunk.is_dir():
            _write_chunk(source, start, chunk, batch_size)
        progress(start + CHUNK - first)


def _write_chunk(source: RecordSource, start: int, chunk: Path, batch_size: int) -> None:
    batches = [
        source.batch(range(i, min(i + batch_size, start + CHUNK))) for i in range(start, start + CHUNK, batch_size)
    ]
    partial = chunk.with_name(f".{chunk.name}.{os.getpid()}")
    partial.mkdir()
    try:
        for name, parts in zip(Record._fields, zip(*batches, strict=True), strict=True):
            np.save(partial / f"{name}.npy", torch.cat([part.cpu() for part in parts]).numpy())
        partial.rename(chunk)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        if not chunk.is_dir():  # otherwise another process was faster
            raise


class Shards:
    """The chunks of a folder as one dataset, with samples in the order of the chunks' names."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._chunks = sorted(path for path in self.folder.glob("[0-9]*") if path.is_dir())
        if not self._chunks:
            raise InputError(
                f"{self.folder} contains no samples; render some with "
                f"`python -m coevoer_edge.data.synthetic --count 20480 -o {self.folder}`."
            )
        self._open: dict[int, dict[str, NDArray[np.generic]]] = {}

    def __len__(self) -> int:
        return len(self._chunks) * CHUNK

    def batch(self, indices: Sequence[int]) -> Record:
        """Samples by index; each is a copy."""
        return collate([self._sample(index) for index in indices])

    def _sample(self, index: int) -> Record:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        number, row = divmod(index, CHUNK)
        if number not in self._open:
            chunk = self._chunks[number]
            self._open[number] = {name: np.load(chunk / f"{name}.npy", mmap_mode="r") for name in Record._fields}
        return Record(*(torch.from_numpy(np.array(array[row])) for array in self._open[number].values()))
