"""One program from one network: what is quantized, what is not, and how far it moves the outputs."""

import copy
import math
from collections.abc import Iterator

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import Node

from coevoer_edge import contract
from coevoer_edge.errors import InputError
from coevoer_edge.lowering.facts import DEQUANTIZE_ACTIVATION, DEQUANTIZE_WEIGHT, ProgramFacts, is_from
from coevoer_edge.model import CoEvoer
from coevoer_edge.pipeline.image import Pixels
from coevoer_edge.quantization.pt2e import quantize
from coevoer_edge.quantization.quantizer import GEMMS, module_path
from coevoer_edge.quantization.recipe import QuantizationRecipe

SNR_DB = 15.0
"""Of what the image changes in each output (its mean over images removed); measured 17 to 27 on the tiny network."""

QUANTIZE_ACTIVATION = torch.ops.quantized_decomposed.quantize_per_tensor.default
ATTENTIONS = 2 + 3 + 6  # encoder blocks, foreground queries, enhancer
KEPT_FLOAT = {
    "body_head.out",
    "face_head.out",
    "left_hand_head.out",
    "right_hand_head.out",
    "box_net.mlp.4",
    "visibility_head.2",
}


def gemms(program: ExportedProgram) -> dict[str, Node]:
    return {module_path(node): node for node in program.graph.nodes if node.target in GEMMS}


def int8_gemms(program: ExportedProgram) -> dict[str, Node]:
    return {path: node for path, node in gemms(program).items() if path not in KEPT_FLOAT}


def constant(program: ExportedProgram, node: Node) -> Tensor:
    signature = program.graph_signature
    name = signature.inputs_to_buffers.get(node.name) or signature.inputs_to_parameters[node.name]
    return program.state_dict[name] if name in program.state_dict else program.constants[name]


def recipe(**changes: object) -> QuantizationRecipe:
    values = {"name": "mine", "precision": "w8a8", "num_calibration_samples": 1, "max_error_ratio": 1.1} | changes
    return QuantizationRecipe(**values)  # type: ignore[arg-type]


def test_counts_of_the_program(quantized_program: ExportedProgram, tiny_network: CoEvoer) -> None:
    layers = sum(isinstance(m, torch.nn.Linear | torch.nn.Conv2d) for m in tiny_network.modules())
    facts = ProgramFacts.of(quantized_program)
    assert facts == ProgramFacts(ATTENTIONS, layers, layers - len(KEPT_FLOAT))


def test_every_weight_is_int8_with_a_scale_for_each_output_channel(quantized_program: ExportedProgram) -> None:
    for path, gemm in int8_gemms(quantized_program).items():
        dequantize = gemm.args[1]
        assert is_from(dequantize, DEQUANTIZE_WEIGHT), path
        weight, scale, zero_point = (constant(quantized_program, node) for node in dequantize.args[:3])
        assert weight.dtype == torch.int8, path
        assert weight.min() >= -127, path
        assert scale.shape == (weight.shape[0],), path
        assert dequantize.args[3] == 0, path  # axis: output channels
        assert not zero_point.any(), path


def test_weights_rounded_to_nearest_are_within_half_a_step_of_the_float_ones(tiny_network: CoEvoer) -> None:
    program = quantize(
        tiny_network, recipe(keep_float=("*_head.out", "box_net.mlp.4", "visibility_head.2")), tiny.images(1, 2)
    )
    for path, gemm in int8_gemms(program).items():
        weight, scale = (constant(program, node) for node in gemm.args[1].args[:2])
        assert (weight.flatten(1).abs().amax(1) == 127).all(), path  # the largest weight uses the whole range
        original = tiny_network.get_submodule(path).weight.detach().flatten(1)
        step = scale.float()[:, None]
        assert ((weight.flatten(1) * step - original).abs() <= 0.5001 * step).all(), path


def test_only_the_inputs_and_outputs_of_gemms_are_quantized(quantized_program: ExportedProgram) -> None:
    for node in quantized_program.graph.nodes:
        if node.target is QUANTIZE_ACTIVATION:
            readers = {user for dequantize in node.users for user in dequantize.users}
            assert node.args[0].target in GEMMS or any(r.target in GEMMS for r in readers), node
        if node.target is DEQUANTIZE_ACTIVATION:
            assert is_from(node.args[0], QUANTIZE_ACTIVATION), node
            # What comes from a float operation is read back as int8 by GEMMs only.
            if node.args[0].args[0].target not in GEMMS:
                assert all(user.target in GEMMS for user in node.users), node


def test_float_operations_write_float(quantized_program: ExportedProgram) -> None:
    """A sum, norm, softmax or GELU is quantized only where a GEMM reads it."""
    for node in quantized_program.graph.nodes:
        if node.op != "call_function" or node.target in GEMMS:
            continue
        for quantized in (user for user in node.users if user.target is QUANTIZE_ACTIVATION):
            readers = {user.target for dequantize in quantized.users for user in dequantize.users}
            assert readers <= set(GEMMS), (node, readers)


def test_last_layers_of_the_heads_stay_float(quantized_program: ExportedProgram) -> None:
    nodes = gemms(quantized_program)
    float_weight = {path for path, node in nodes.items() if not is_from(node.args[1], DEQUANTIZE_WEIGHT)}
    float_input = {path for path, node in nodes.items() if not is_from(node.args[0], DEQUANTIZE_ACTIVATION)}
    float_output = {
        path for path, node in nodes.items() if any(user.target is not QUANTIZE_ACTIVATION for user in node.users)
    }
    assert float_weight == float_input == float_output == KEPT_FLOAT


def test_keep_float_keeps_float() -> None:
    network = tiny.tiny_network(enhancer=False, foreground=False, depth=1)
    program = quantize(network, recipe(keep_float=("encoder.*",)), tiny.images(1, 1))
    nodes = gemms(program)
    kept = {path for path, node in nodes.items() if not is_from(node.args[1], DEQUANTIZE_WEIGHT)}
    assert kept == {path for path in nodes if path.startswith("encoder.")}
    assert "encoder.patch_embed.project" in kept
    assert ProgramFacts.of(program).int8_gemms == len(nodes) - len(kept)


def test_pattern_that_matches_nothing_is_refused() -> None:
    network = tiny.tiny_network(enhancer=False, foreground=False, depth=1)
    with pytest.raises(InputError) as error:
        quantize(network, recipe(keep_float=("*_head.out", "decoder.*")), tiny.images(1, 1))
    assert str(error.value) == (
        "Recipe 'mine': pattern 'decoder.*' matches no Linear or Conv2d; "
        "module paths look like 'encoder.blocks.0.attention.query', 'visibility_head.2'."
    )


def test_network_stays_as_it_was_and_two_calls_give_the_same_program() -> None:
    network = tiny.tiny_network(enhancer=False, foreground=False, depth=1)
    before = copy.deepcopy(network.state_dict())
    first, second = (quantize(network, recipe(), tiny.images(1, 2)) for _ in range(2))
    assert before.keys() == network.state_dict().keys()
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in before.items())
    assert not network.training
    assert first.graph_module.code == second.graph_module.code
    assert first.state_dict.keys() == second.state_dict.keys()
    assert all(torch.equal(value, second.state_dict[key]) for key, value in first.state_dict.items())
    assert first.constants.keys() == second.constants.keys()
    assert all(torch.equal(value, second.constants[key]) for key, value in first.constants.items())


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_float_recipes_only_capture_and_look_at_no_image(precision: str) -> None:
    def never() -> Iterator[Pixels]:
        raise AssertionError("calibration images were read")
        yield

    network = tiny.tiny_network(enhancer=False, foreground=False, depth=1)
    program = quantize(network, QuantizationRecipe.open(precision), never())
    facts = ProgramFacts.of(program)
    assert facts.int8_gemms == 0
    assert not any("quantize" in str(node.target) for node in program.graph.nodes)


@pytest.mark.parametrize("name", contract.OUTPUT_NAMES)
def test_quantized_outputs_follow_the_float_ones(
    name: str, float_outputs: dict[str, np.ndarray], quantized_outputs: dict[str, np.ndarray]
) -> None:
    signal = float_outputs[name] - float_outputs[name].mean(0)
    noise = quantized_outputs[name] - float_outputs[name]
    snr_db = 10 * math.log10((signal**2).mean() / (noise**2).mean())
    assert snr_db > SNR_DB
