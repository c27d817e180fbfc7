"""A teacher's answers (outputs and features) on disk, so that later epochs need not compute them again.

In: answers for single samples, by index. Out: a folder with a file per sample, and `cache.json`, which identifies the
teacher and the data.

A cache is valid only without augmentation, when the same index always gives the same image. With augmentation hardly
any image occurs twice, so the teacher is evaluated on the fly. A sample takes about 3 kB for the outputs, and
220 x C + 240 x d half-precision numbers for the features: 0.5 MB for a teacher of coevoer-b's size.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file, save
from torch import Tensor

from coevoer_edge import contract
from coevoer_edge.errors import InputError

KEY = "cache.json"

Answer = Mapping[str, Tensor]
"""One sample's outputs and features by name, without the batch axis."""


class AnswerCache:
    """Answers of one teacher on one dataset.

    Args:
        folder: the folder of the answers, which is created if it does not exist.
        key: teacher, dataset, seed, and everything else that changes the answers.

    Raises:
        InputError: the folder contains answers of another teacher or for other images.
    """

    def __init__(self, folder: Path, key: Mapping[str, str]) -> None:
        self.folder = folder
        stated = folder / KEY
        if folder.exists() and not stated.is_file() and any(folder.iterdir()):
            raise InputError(f"{folder} is not a cache of a teacher's answers; give an empty or a new folder.")
        if stated.is_file() and (found := json.loads(stated.read_text("utf-8"))) != dict(key):
            differ = ", ".join(f"{k} is {found.get(k)}, not {v}" for k, v in key.items() if found.get(k) != v)
            raise InputError(f"{folder} contains other answers ({differ}); give another --cache.")
        folder.mkdir(parents=True, exist_ok=True)
        stated.write_text(json.dumps(dict(key), indent=2) + "\n", encoding="utf-8")

    def read(self, index: int) -> Answer | None:
        """The answer for a sample in float32, or None if it is not in the cache."""
        path = self._path(index)
        return {name: value.float() for name, value in load_file(path).items()} if path.is_file() else None

    def write(self, index: int, answer: Answer) -> None:
        """Store an answer: outputs in float32, features in half precision."""
        path = self._path(index)
        path.parent.mkdir(exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}.partial")  # several processes may write
        as_stored = {
            name: (value if name in contract.OUTPUT_NAMES else value.half()).cpu().contiguous()
            for name, value in answer.items()
        }
        beside.write_bytes(save(as_stored))  # `save_file` creates files that only their owner can read
        beside.replace(path)

    def _path(self, index: int) -> Path:
        return self.folder / f"{index // 1000:06d}" / f"{index:09d}.safetensors"
