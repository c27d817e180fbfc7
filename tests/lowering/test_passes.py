"""Rewrites for XNNPACK are the identity: against torch's own operators, and over whole programs."""

import numpy as np
import pytest
import tiny
import torch
from torch.export import ExportedProgram
from torch.nn import functional as F

from coevoer_edge.lowering.passes import (
    XNNPACK_DECOMPOSITIONS,
    attention_as_bmm,
    decompose_for_xnnpack,
    layer_norm_as_means,
)
from coevoer_edge.model.captured_program import ATTENTION, count_attentions
from coevoer_edge.pipeline.image import Pixels

OPERATOR = 1e-5  # largest difference of one operator, float32, values of RMS 1; measured 1e-6
PROGRAM = 1e-5  # relative and absolute, the whole float program; measured 2e-6 at a depth of 22 m
FLIPS = 0.5
"""RMS distance of the rewritten quantized program from the quantized one, over the latter's from float.

The last bit of a norm or softmax decides now and then which int8 value follows, so this cannot be 1e-5;
measured 0.08 to 0.29.
"""
IMAGES = 64


@pytest.mark.parametrize(("B", "h", "N", "M", "d"), [(1, 2, 64, 16, 8), (1, 2, 16, 64, 8), (1, 3, 20, 20, 16)])
def test_attention_as_bmm_is_scaled_dot_product_attention(B: int, h: int, N: int, M: int, d: int) -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(B, h, N, d), torch.randn(B, h, M, d), torch.randn(B, h, M, d)
    out = attention_as_bmm(q, k, v)
    assert out.shape == (B, h, N, d)
    torch.testing.assert_close(out, F.scaled_dot_product_attention(q, k, v), rtol=0, atol=OPERATOR)


def test_attention_as_bmm_keeps_batch_and_heads_apart() -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 5, 4), torch.randn(3, 2, 7, 4), torch.randn(3, 2, 7, 4)
    torch.testing.assert_close(
        attention_as_bmm(q, k, v), F.scaled_dot_product_attention(q, k, v), rtol=0, atol=OPERATOR
    )


@pytest.mark.parametrize("offset", [0.0, 10.0])
def test_layer_norm_as_means_is_layer_norm(offset: float) -> None:
    torch.manual_seed(0)
    x, weight, bias = torch.randn(2, 9, 64) + offset, torch.randn(64), torch.randn(64)
    expected = F.layer_norm(x, [64], weight, bias, 1e-6)
    torch.testing.assert_close(layer_norm_as_means(x, [64], weight, bias, 1e-6), expected, rtol=0, atol=OPERATOR)


def test_layer_norm_as_means_of_a_constant_is_its_bias() -> None:
    bias = torch.randn(8)
    out = layer_norm_as_means(torch.full((1, 3, 8), 5.0), [8], torch.ones(8), bias, 1e-6)
    torch.testing.assert_close(out, bias.expand(1, 3, 8))


def test_decomposed_program_holds_none_of_what_xnnpack_does_not_take(float_program: ExportedProgram) -> None:
    assert count_attentions(float_program) == sum(n.target is ATTENTION for n in float_program.graph.nodes) > 0
    decomposed = decompose_for_xnnpack(float_program)
    assert not {node.target for node in decomposed.graph.nodes} & XNNPACK_DECOMPOSITIONS.keys()


def test_decomposing_leaves_the_float_program_what_it_was(
    float_program: ExportedProgram, float_outputs: dict[str, np.ndarray], pictures: list[Pixels]
) -> None:
    decomposed = tiny.outputs(decompose_for_xnnpack(float_program).module(), pictures[:4])
    for name, values in decomposed.items():
        np.testing.assert_allclose(values, float_outputs[name][:4], rtol=PROGRAM, atol=PROGRAM, err_msg=name)


@pytest.fixture(scope="module")
def decomposed(quantized_program: ExportedProgram) -> ExportedProgram:
    return decompose_for_xnnpack(quantized_program)


def test_decomposing_moves_the_quantized_program_by_less_than_quantizing_does(
    decomposed: ExportedProgram,
    float_outputs: dict[str, np.ndarray],
    quantized_outputs: dict[str, np.ndarray],
    pictures: list[Pixels],
) -> None:
    for name, values in tiny.outputs(decomposed.module(), pictures[:IMAGES]).items():
        quantized = quantized_outputs[name][:IMAGES]
        moved = np.sqrt(((values - quantized) ** 2).mean())
        assert moved < FLIPS * np.sqrt(((quantized - float_outputs[name][:IMAGES]) ** 2).mean()), name
