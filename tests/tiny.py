"""A CoEvoer small enough to export in seconds, images for it, and the lowering of it in a process of its own.

`python tests/tiny.py FOLDER TARGET...` writes INT8 artifacts into FOLDER: tests/export/test_lower.py compares their
bytes with those it wrote itself.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.export import ExportedProgram

from coevoer_edge import contract
from coevoer_edge.lowering import coreml, executorch, onnx
from coevoer_edge.lowering.recipe import SUFFIXES, ExportRecipe
from coevoer_edge.model import CoEvoer
from coevoer_edge.model.build import Sizes, _assemble, _initialise
from coevoer_edge.pipeline.image import Pixels
from coevoer_edge.quantization.pt2e import quantize, to_tensor
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.runtime.mil.program import Operation

LOWERINGS = {"coreml": coreml, "executorch": executorch, "onnx": onnx}
METADATA = {"licence": "x"}
SIZES = Sizes(trunk=False, dim=64, depth=2, heads=2, decoder_dim=128, reduced=8, hidden=16)
torch.set_num_threads(1)  # two threads that wait for each other took 100 times as long on a machine that was busy

GAIN = 3.0
"""On every Linear weight: with ViT's initialisation alone hardly anything of the image reaches the outputs."""


PLACES = 0.03
"""On the position embeddings, which drown what untrained patches tell."""


def tiny_network(*, enhancer: bool = True, foreground: bool = True, depth: int = SIZES.depth) -> CoEvoer:
    sizes = replace(SIZES, depth=depth)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = _assemble("tiny", sizes, enhancer=enhancer, foreground=foreground)
        _initialise(network)
        for block in network.encoder.blocks:  # as it starts, an untrained task token looks at itself
            for layer in block.attention.children():
                torch.nn.init.trunc_normal_(layer.weight, std=0.02)
        for module in network.modules():
            if isinstance(module, torch.nn.Linear):
                module.weight.mul_(GAIN)
        network.encoder.pos_embed.mul_(PLACES)
    return network.eval()


def images(seed: int, count: int) -> list[Pixels]:
    """Blurred colour patches with a little noise: structured, and different from each other."""
    rng = np.random.default_rng(seed)
    size = (contract.IMAGE_WIDTH_PX, contract.IMAGE_HEIGHT_PX)
    made = []
    for _ in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 6, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.float64)
        made.append(np.clip(smooth + rng.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8))
    return made


def outputs(model: torch.nn.Module, pictures: list[Pixels]) -> dict[str, np.ndarray]:
    """The contract's outputs of a network or of a program's module, stacked over the images."""
    with torch.no_grad():
        rows = [model(to_tensor(picture)) for picture in pictures]
    return {name: torch.cat([row[i] for row in rows]).numpy() for i, name in enumerate(contract.OUTPUT_NAMES)}


def w8a8(network: CoEvoer) -> ExportedProgram:
    """By the shipped recipe, without equalisation: tests compare layer by layer with the network as it is."""
    return quantize(network, replace(QuantizationRecipe.open("w8a8"), equalisation_alphas=()), images(1, 16))


def artifact_name(target: str, precision: str) -> str:
    return f"tiny-{target}-{precision}{SUFFIXES[target]}"


def lower(program: ExportedProgram, target: str, precision: str, folder: Path) -> Path:
    path = folder / artifact_name(target, precision)
    LOWERINGS[target].lower(program, ExportRecipe.open(target), precision, path, METADATA)
    return path


MIL_TYPES = {
    "fp32": {"conv": {"float32"}, "abs": {"float32"}, "layer_norm": {"float32"}},
    "fp16": {"conv": {"float32", "float16"}, "abs": {"float32"}, "layer_norm": {"float16"}},
}
"""By kind of operation: abs is RoIAlign's; one convolution embeds patches, the others extract the foreground."""


def mil_types(operations: Sequence[Operation]) -> dict[str, set[str]]:
    """Types of what the operations of `MIL_TYPES`' kinds write."""
    found: dict[str, set[str]] = {}
    for operation in operations:
        if operation.kind in MIL_TYPES["fp32"]:
            found.setdefault(operation.kind, set()).add(operation.outputs[0].dtype)
    return found


if __name__ == "__main__":
    PROGRAM = w8a8(tiny_network())
    for TARGET in sys.argv[2:]:
        lower(PROGRAM, TARGET, "w8a8", Path(sys.argv[1]))
