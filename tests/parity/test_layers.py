"""Layer by layer: the place of the damage is named, and what is compared is what runs."""

import copy
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Lower
from torch.export import ExportedProgram

from coevoer_edge import contract
from coevoer_edge.errors import InputError
from coevoer_edge.model import CoEvoer
from coevoer_edge.model.captured_program import capture
from coevoer_edge.parity.layers import lowering_layers, quantization_layers
from coevoer_edge.parity.result import LayerLoss
from coevoer_edge.pipeline.image import Pixels
from coevoer_edge.quantization.pt2e import to_tensor
from coevoer_edge.runtime.open import open_artifact

OUTPUTS = [f"outputs.{name}" for name in contract.OUTPUT_NAMES]
IMAGES = 2


def paths(losses: tuple[LayerLoss, ...]) -> list[str]:
    return [loss.path for loss in losses]


def modules(network: CoEvoer, *kinds: type[torch.nn.Module]) -> set[str]:
    return {name for name, module in network.named_modules() if isinstance(module, kinds)}


@pytest.fixture(scope="module")
def quantization(
    float_program: ExportedProgram, quantized_program: ExportedProgram, pictures: list[Pixels]
) -> tuple[LayerLoss, ...]:
    return quantization_layers(float_program, quantized_program, pictures[:IMAGES])


def test_every_layer_is_there_once_under_its_module_path(
    quantization: tuple[LayerLoss, ...], tiny_network: CoEvoer
) -> None:
    found = paths(quantization)
    assert len(found) == len(set(found))
    layers = modules(tiny_network, torch.nn.Linear, torch.nn.Conv2d, torch.nn.LayerNorm)
    assert layers <= set(found)
    assert set(OUTPUTS) <= set(found)
    attentions = {path for path in found if path.endswith(".attention") or path.startswith("foreground (attention")}
    assert len(attentions) == 11


def test_worst_first_by_what_a_layer_adds(quantization: tuple[LayerLoss, ...]) -> None:
    added = [loss.added for loss in quantization]
    assert added == sorted(added, reverse=True)
    assert 0.001 < added[0] < 0.1
    assert all(loss.added == 0 for loss in quantization if loss.path in OUTPUTS)  # nothing there is quantized


def test_sqnr_is_the_relative_error_in_decibels(quantization: tuple[LayerLoss, ...]) -> None:
    for loss in quantization:
        assert loss.sqnr_db == pytest.approx(-20 * math.log10(loss.relative_error))


def test_relative_error_of_an_output_is_that_of_the_programs(
    quantization: tuple[LayerLoss, ...],
    float_outputs: dict[str, np.ndarray],
    quantized_outputs: dict[str, np.ndarray],
) -> None:
    found = {loss.path: loss.relative_error for loss in quantization}
    for name in contract.OUTPUT_NAMES:
        exact, rounded = (outputs[name][:IMAGES].astype(np.float64) for outputs in (float_outputs, quantized_outputs))
        expected = np.sqrt(((rounded - exact) ** 2).sum() / (exact**2).sum())
        assert found[f"outputs.{name}"] == pytest.approx(expected, rel=1e-6)


def test_a_damaged_layer_is_first_and_those_behind_it_add_nothing(
    tiny_network: CoEvoer, float_program: ExportedProgram, pictures: list[Pixels]
) -> None:
    damaged = copy.deepcopy(tiny_network)
    with torch.no_grad():
        damaged.encoder.blocks[1].mlp[0].weight.mul_(0.5)
    first, *others = quantization_layers(float_program, capture(damaged), pictures[:1])
    assert first.path == "encoder.blocks.1.mlp.0"
    assert first.added == first.relative_error == pytest.approx(0.5, abs=0.01)  # but for its bias
    assert max(loss.added for loss in others) == 0
    assert next(loss for loss in others if loss.path == "body_head.out").relative_error > 0


def test_the_same_program_twice_loses_nothing(float_program: ExportedProgram, pictures: list[Pixels]) -> None:
    for loss in quantization_layers(float_program, float_program, pictures[:1]):
        assert (loss.relative_error, loss.sqnr_db, loss.added) == (0.0, math.inf, 0.0)


@pytest.mark.parametrize("target", ["onnx", "coreml"])
def test_artifacts_show_their_layers_and_are_run_as_they_are(
    target: str,
    lowered: Lower,
    quantized_program: ExportedProgram,
    quantized_outputs: dict[str, np.ndarray],
    quantization: tuple[LayerLoss, ...],
    pictures: list[Pixels],
) -> None:
    artifact = lowered(target, "w8a8")
    losses = lowering_layers(quantized_program, target, artifact, pictures[:IMAGES])
    missing = set(paths(quantization)) - set(paths(losses))
    assert all(".norm_" in path for path in missing)  # the untrained norms of one tensor are equal, and made one

    runtime = open_artifact(target, artifact, reference=True)
    answers = [runtime(picture) for picture in pictures[:IMAGES]]
    found = {loss.path: loss.relative_error for loss in losses}
    for name in contract.OUTPUT_NAMES:
        ours = quantized_outputs[name][:IMAGES].astype(np.float64)
        theirs = np.concatenate([answer[name] for answer in answers])
        expected = np.sqrt(((theirs - ours) ** 2).sum() / (ours**2).sum())
        assert found[f"outputs.{name}"] == pytest.approx(expected, rel=1e-4, abs=1e-7)


def test_a_delegate_shows_outputs_only(
    quantized_program: ExportedProgram, pictures: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = quantized_program.module()

    def runtime(crop: Pixels) -> dict[str, np.ndarray]:
        with torch.no_grad():
            answers = module(to_tensor(crop))
        return {name: 1.5 * answer.numpy() for name, answer in zip(contract.OUTPUT_NAMES, answers, strict=True)}

    monkeypatch.setattr("coevoer_edge.runtime.open.open_artifact", lambda target, artifact, reference: runtime)
    losses = lowering_layers(quantized_program, "executorch", Path("tiny.pte"), pictures[:1])
    assert sorted(paths(losses)) == sorted(OUTPUTS)
    for loss in losses:
        assert loss.relative_error == pytest.approx(0.5, rel=1e-5)


def test_no_image_is_refused(float_program: ExportedProgram) -> None:
    with pytest.raises(InputError) as error:
        quantization_layers(float_program, float_program, [])
    assert str(error.value) == "Layers are compared over images; give at least one."
