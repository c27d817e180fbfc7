"""Make the one quantized program that every target lowers.

In: float network, recipe, calibration images. Out: `torch.export.ExportedProgram`, quantized where the recipe says so.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import GraphModule

from coevoer_edge.model import CoEvoer
from coevoer_edge.model.captured_program import capture, example_input
from coevoer_edge.model.threads import one_thread
from coevoer_edge.pipeline.image import Pixels
from coevoer_edge.quantization.bias_correction import correct, mean_outputs
from coevoer_edge.quantization.equalisation import equalise
from coevoer_edge.quantization.gptq import round_weights
from coevoer_edge.quantization.marks import mark
from coevoer_edge.quantization.quantizer import GemmQuantizer
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.quantization.rounding import roundings
from coevoer_edge.quantization.smoothquant import smooth
from coevoer_edge.terminal.quiet import quietly


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A network that is ready to be converted."""

    network: CoEvoer  # float, with the recipe's changes to its weights except rounding
    prepared: GraphModule  # the network as a graph, with calibrated observers; weights may be rounded by GPTQ


def quantize(network: CoEvoer, recipe: QuantizationRecipe, images: Iterable[Pixels]) -> ExportedProgram:
    """Quantize a network with PT2E; with an `fp16` or `fp32` recipe, only capture it, and mark what stays float32.

    Args:
        network: float weights; not changed.
        recipe: which layers are quantized and how.
        images: calibration images (256, 192, 3) uint8 RGB; iterated once, and not at all without INT8.

    Raises:
        InputError: a pattern of the recipe that matches nothing in the network.
    """
    if recipe.precision == "w8a8":
        return convert(calibrate(network, recipe, images))
    program = capture(network)
    if recipe.precision == "fp16":
        mark(program, recipe)
    return program


def convert(calibrated: Calibrated) -> ExportedProgram:
    """The quantized program of a calibrated network, which must not be used afterwards."""
    with quietly():
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

        return torch.export.export(convert_pt2e(calibrated.prepared), (example_input(),))


def calibrate(network: CoEvoer, recipe: QuantizationRecipe, images: Iterable[Pixels]) -> Calibrated:
    """Change weights as the recipe asks, then set ranges; arguments as in `quantize`, the recipe a `w8a8` one."""
    edited = copy.deepcopy(network).eval()
    inputs: Iterable[Tensor] = map(to_tensor, images)
    after = recipe.weight_rounding == "gptq" or recipe.bias_correction
    if recipe.equalisation_alphas or recipe.smoothing_alphas or after:
        inputs = list(inputs)  # each of these runs on all images
        if recipe.equalisation_alphas:
            equalise(edited, recipe.equalisation_alphas, inputs, recipe.treatment)
        if recipe.smoothing_alphas:
            smooth(edited, recipe.smoothing_alphas, inputs, recipe.treatment)
    with quietly():
        from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

        prepared = prepare_pt2e(copy.deepcopy(capture(edited)).module(), GemmQuantizer(recipe))
    with torch.no_grad(), one_thread():
        for image in inputs:
            prepared(image)
        if after:
            _correct(edited, prepared, recipe, list(inputs))
    return Calibrated(edited, prepared)


def _correct(network: CoEvoer, prepared: GraphModule, recipe: QuantizationRecipe, images: list[Tensor]) -> None:
    """Round weights by GPTQ and correct biases, as the recipe asks: both in the graph, the biases in the network too.

    The graph's observers have seen the weights before, so the scales do not change.
    """
    layers = roundings(prepared)
    rounded = copy.deepcopy(network)
    if recipe.weight_rounding == "gptq":
        round_weights(rounded, layers, images)
    if recipe.bias_correction:
        correct(rounded, mean_outputs(network, images), layers, images)
    for name, parameter in rounded.named_parameters():
        prepared.get_parameter(f"network.{name}").copy_(parameter)
        if name.endswith(".bias"):
            network.get_parameter(name).copy_(parameter)


def to_tensor(image: Pixels) -> Tensor:
    """(256, 192, 3) uint8 RGB to the network's input (1, 3, 256, 192) in [0, 1]."""
    return torch.tensor(image).permute(2, 0, 1)[None].float().contiguous() / 255  # 1 3 H W
