"""Make the one quantized program that every target lowers.

In: float network, recipe, calibration images. Out: `torch.export.ExportedProgram`, quantized where the recipe says so.
"""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.export import ExportedProgram

from coevoer_edge.export.program import capture, example_input
from coevoer_edge.image import Pixels
from coevoer_edge.model import CoEvoer
from coevoer_edge.quantization.quantizer import GemmQuantizer
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.quiet import quietly
from coevoer_edge.threads import one_thread


def quantize(network: CoEvoer, recipe: QuantizationRecipe, images: Iterable[Pixels]) -> ExportedProgram:
    """Quantize a network with PT2E; with an `fp16` or `fp32` recipe, only capture it.

    Args:
        network: float weights; not changed.
        recipe: what is quantized and how.
        images: calibration images (256, 192, 3) uint8 RGB; iterated once, and not at all without INT8.
    """
    program = capture(network)
    if recipe.precision != "w8a8":
        return program
    with quietly():
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        prepared = prepare_pt2e(copy.deepcopy(program).module(), GemmQuantizer(recipe))
    with torch.no_grad(), one_thread():
        for image in images:
            prepared(to_tensor(image))
    with quietly():
        return torch.export.export(convert_pt2e(prepared), (example_input(),))


def to_tensor(image: Pixels) -> Tensor:
    """(256, 192, 3) uint8 RGB to the network's input (1, 3, 256, 192) in [0, 1]."""
    return torch.tensor(image).permute(2, 0, 1)[None].float().contiguous() / 255  # 1 3 H W
