"""Generate the teacher's outputs on the golden images again: `python -m derive.teacher_golden`.

In: `derive/teacher/coevoer-s.safetensors`, the golden images of the package and their mirror images. Out:
`coevoer_edge/weights/coevoer-s.golden.safetensors`, which `parity` uses as its reference. It contains the contract's
outputs in float32, the digest of each image, and in the metadata the teacher's name and digest, the digest of the
images, and the versions of the tools. The script takes about ten seconds on two cores.

Outputs are float32, because float16 would round the camera's depth of tens of metres to centimetres. The file has half
a megabyte.
"""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from coevoer_edge import contract
from coevoer_edge.bundle.tensor_file import write_tensors
from coevoer_edge.data.folder import default_images
from coevoer_edge.evaluation.golden import with_mirrors
from coevoer_edge.model import checkpoint
from coevoer_edge.parity import rungs
from coevoer_edge.parity.stored import DIGESTS, STORED_FILE, TEACHER, image_digest
from coevoer_edge.pipeline.image import Pixels

WEIGHTS = Path(__file__).parent / "teacher" / f"{TEACHER}.safetensors"
_TOOLS = ("numpy", "pillow", "safetensors", "torch")


def tensors(weights: Path, images: Sequence[Pixels]) -> dict[str, NDArray[Any]]:
    """The contract's outputs, each (N, ...), float32, and the digests of the N images (N, 32), uint8."""
    network, _ = checkpoint.load(weights)
    answers = rungs.run(network, images)  # on one thread, so that the sums are the same on every machine of a kind
    found: dict[str, NDArray[Any]] = {
        name: np.concatenate([answer[name] for answer in answers]) for name in contract.OUTPUT_NAMES
    }
    digests = np.frombuffer(b"".join(image_digest(image) for image in images), np.uint8)
    return found | {DIGESTS: digests.reshape(len(images), -1)}


def write(weights: Path = WEIGHTS, path: Path = STORED_FILE) -> None:
    """Run the teacher on the golden images and their mirror images, and write its outputs."""
    golden = default_images("golden")
    _, found = checkpoint.load(weights)
    metadata = {
        "model": found.model,
        "weights": rungs.weights_label(found),
        "weights_sha256": found.sha256,
        "images": f"{golden.source}, and their mirror images",
        "images_sha256": golden.sha256,
        "runtime": f"torch {torch.__version__} cpu",
        "tools": json.dumps({tool: version(tool) for tool in _TOOLS}),
    }
    write_tensors(path, tensors(weights, with_mirrors(golden.images)), metadata)


if __name__ == "__main__":
    write()
    print(f"Wrote {STORED_FILE}")
