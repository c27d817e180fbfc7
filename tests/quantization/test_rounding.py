"""The eager stand-in computes what the program computes."""

import copy

import pytest
import tiny
import torch
from torch import nn

from coevoer_edge.model import CoEvoer
from coevoer_edge.quantization.pt2e import Calibrated, calibrate, quantize, to_tensor
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.quantization.rounding import gemms, rounding, roundings

PICTURES = tiny.images(1, 4)
RECIPE = QuantizationRecipe(
    name="mine",
    precision="w8a8",
    keep_float=("*_head.out", "box_net.mlp.4"),
    smoothing_alphas=(0.5,),
    equalisation_alphas=(0.5,),
    bias_correction=True,
    num_calibration_samples=1,
    max_error_ratio=1.1,
)


@pytest.fixture(scope="module")
def network() -> CoEvoer:
    return tiny.tiny_network(depth=1)


@pytest.fixture(scope="module")
def calibrated(network: CoEvoer) -> Calibrated:
    return calibrate(network, RECIPE, PICTURES)


def test_every_layer_is_rounded_as_the_recipe_says(network: CoEvoer, calibrated: Calibrated) -> None:
    layers = roundings(calibrated.prepared)
    assert set(layers) == {path for path in gemms(network) if RECIPE.treatment(path) == "w8a8"}
    for path, layer in layers.items():
        assert None not in (layer.data, layer.output), path


def test_eager_rounding_is_the_program(network: CoEvoer, calibrated: Calibrated) -> None:
    """On three images of eight at least. Where a sum is very close to the middle of two steps, its order decides the
    step, and the layers after it round differently as well: on one image in four, differing between processors. A fault
    would show on every image.
    """
    program = quantize(network, RECIPE, PICTURES).module()
    same = []
    for image in tiny.images(2, 8):
        x = to_tensor(image)
        with torch.no_grad():
            exact = calibrated.network(x)
            with rounding(calibrated.network, roundings(calibrated.prepared)):
                eager = calibrated.network(x)
            outputs = zip(exact, program(x), eager, strict=True)
            same.append(all((c - b).abs().max() <= 0.02 * (a - b).abs().max() for a, b, c in outputs))
    assert sum(same) >= 3


def test_the_network_is_itself_again_behind_it(calibrated: Calibrated) -> None:
    network = calibrated.network
    before, x = copy.deepcopy(network.state_dict()), to_tensor(PICTURES[0])
    exact = network(x)
    with pytest.raises(RuntimeError), rounding(network, roundings(calibrated.prepared)):
        network(torch.zeros(1, 3, 8, 8))
    with rounding(network, roundings(calibrated.prepared)):
        assert not torch.equal(network.body_tokens.weight, before["body_tokens.weight"])
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())
    assert all(isinstance(value, nn.Parameter) for value in network.parameters())
    assert all(torch.equal(a, b) for a, b in zip(exact, network(x), strict=True))
