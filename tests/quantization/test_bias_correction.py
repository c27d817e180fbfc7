"""Rounding moves the mean of a layer's output; correction moves it back."""

import copy

import pytest
import tiny
import torch
from torch import Tensor

from coevoer_edge.model import CoEvoer
from coevoer_edge.quantization.bias_correction import correct, mean_outputs
from coevoer_edge.quantization.pt2e import Calibrated, calibrate, quantize, to_tensor
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.quantization.rounding import Rounding, gemms, rounding, roundings

PICTURES = tiny.images(1, 6)
INPUTS = [to_tensor(picture) for picture in PICTURES]


def recipe(**changes: object) -> QuantizationRecipe:
    values = {"name": "mine", "precision": "w8a8", "num_calibration_samples": 1, "max_error_ratio": 1.1} | changes
    return QuantizationRecipe(**values)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def network() -> CoEvoer:
    return tiny.tiny_network(enhancer=False, foreground=False)


@pytest.fixture(scope="module")
def calibrated(network: CoEvoer) -> Calibrated:
    return calibrate(network, recipe(keep_float=("*_head.out", "visibility_head.2")), PICTURES)


def mean_errors(network: CoEvoer, layers: dict[str, Rounding], exact: dict[str, Tensor]) -> dict[str, float]:
    """By layer: root mean square over channels of the output's mean error."""
    with rounding(network, layers):
        rounded = mean_outputs(network, INPUTS)
    return {path: float((rounded[path] - exact[path]).square().mean().sqrt()) for path in exact}


def test_the_mean_error_of_every_layer_falls(network: CoEvoer, calibrated: Calibrated) -> None:
    # Activations between layers stay float, so that what remains is exactly what correction is to remove.
    layers = {path: Rounding(r.weight, r.data, None) for path, r in roundings(calibrated.prepared).items()}
    exact, changed = mean_outputs(network, INPUTS), copy.deepcopy(network)
    before = mean_errors(changed, layers, exact)
    correct(changed, exact, layers, INPUTS)
    after = mean_errors(changed, layers, exact)
    assert set(before) == set(gemms(network))
    # A head gives one vector an image: where a sum in another order flips one of six roundings, it shows.
    left = {path: 0.25 if "_head." in path else 0.02 for path in before}
    assert {path for path in before if not after[path] < left[path] * before[path] + 1e-6} == set()


def test_the_mean_error_falls_with_rounded_outputs_too(network: CoEvoer, calibrated: Calibrated) -> None:
    layers = roundings(calibrated.prepared)
    exact, changed = mean_outputs(network, INPUTS), copy.deepcopy(network)
    before = mean_errors(changed, layers, exact)
    correct(changed, exact, layers, INPUTS)
    after = mean_errors(changed, layers, exact)
    assert sum(after.values()) < 0.5 * sum(before.values())
    assert {path for path in before if not after[path] < before[path]} == set()


def test_nothing_but_biases_changes(network: CoEvoer, calibrated: Calibrated) -> None:
    changed = copy.deepcopy(network)
    correct(changed, mean_outputs(network, INPUTS), roundings(calibrated.prepared), INPUTS)
    others = {name: value for name, value in network.state_dict().items() if not name.endswith(".bias")}
    assert all(torch.equal(value, changed.state_dict()[name]) for name, value in others.items())
    assert not torch.equal(changed.body_tokens.bias, network.body_tokens.bias)


def test_the_program_has_the_corrected_biases(network: CoEvoer) -> None:
    wanted = recipe(bias_correction=True)
    before = copy.deepcopy(network.state_dict())
    corrected = calibrate(network, wanted, PICTURES).network
    program = quantize(network, wanted, PICTURES)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())
    for path, module in gemms(corrected).items():
        assert torch.equal(program.state_dict[f"network.{path}.bias"], module.bias), path
