"""The outputs of the default model's teacher on the golden images: the reference of a ladder without its weights.

In: images. Out: the outputs of `coevoer-s` for each, found by the digest of the image's pixels. The teacher is no
better than the student, so its weights (71 MB) stay in the repository, in `derive/teacher/`, and are not shipped. The
file is written by `python -m derive.teacher_golden`.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import safe_open

from coevoer_edge import contract
from coevoer_edge.parity.result import Rung
from coevoer_edge.pipeline.image import Pixels
from coevoer_edge.runtime.protocol import Outputs

TEACHER = "coevoer-s"
"""The model that the default weights were distilled from."""

STORED_FILE = Path(__file__).parents[1] / "weights" / f"{TEACHER}.golden.safetensors"
DIGESTS = "image_sha256"
"""Name of the tensor (N, 32), uint8, beside the contract's outputs, each (N, ...), float32."""


@dataclass(frozen=True, eq=False)
class StoredReference:
    """Outputs of a network that is not installed, by the SHA-256 digest of the input image."""

    rung: Rung
    images_sha256: str  # digest of the golden images, as `data.folder.ImageSet` has it
    outputs: dict[bytes, Outputs]

    @classmethod
    def open(cls, path: Path = STORED_FILE) -> "StoredReference":
        """Read the file that `python -m derive.teacher_golden` wrote."""
        with safe_open(path, "np") as file:
            words = file.metadata()
            digests = file.get_tensor(DIGESTS)
            values = {name: file.get_tensor(name) for name in contract.OUTPUT_NAMES}
        rung = Rung("reference", words["model"], words["weights"], words["runtime"], "stored")
        outputs = {
            digest.tobytes(): {name: value[i : i + 1] for name, value in values.items()}
            for i, digest in enumerate(digests)
        }
        return cls(rung, words["images_sha256"], outputs)

    def answers(self, images: Iterable[Pixels]) -> list[Outputs] | None:
        """The outputs for each image (256, 192, 3), uint8 RGB; None where any image is not among those stored."""
        found = [self.outputs.get(image_digest(image)) for image in images]
        return None if None in found else [outputs for outputs in found if outputs is not None]


def image_digest(image: Pixels) -> bytes:
    """SHA-256 of an image's pixels, 32 bytes."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest()
