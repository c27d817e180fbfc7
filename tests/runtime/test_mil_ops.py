"""MIL operations that compute: elementwise, products and norms, reductions, quantization."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813 (coremltools' own name for it)
from coremltools.converters.mil.mil import types
from mil_case import RNG, Case, check, random, unary
from torch.nn import functional as F

from coevoer_edge.runtime.mil.ops import elementwise, linear, quantization, reduction

WEIGHT = random(5, 6)
GAMMA = random(4)
VARIANCE = np.abs(random(4)) + 0.1


def positive(op: str, expect: Callable[[torch.Tensor], torch.Tensor], **arguments: Any) -> Case:
    return Case(op, lambda v: getattr(mb, op)(x=mb.abs(x=v["a"]), **arguments), lambda t: expect(t["a"].abs()))


def bounded(op: str, expect: Callable[[torch.Tensor], torch.Tensor]) -> Case:
    return Case(
        op,
        lambda v: getattr(mb, op)(x=mb.clip(x=v["a"], alpha=-0.9, beta=0.9)),
        lambda t: expect(t["a"].clamp(-0.9, 0.9)),
    )


def binary(op: str, expect: Callable[..., torch.Tensor], x: str = "a", y: str = "b") -> Case:
    return Case(op, lambda v: getattr(mb, op)(x=v[x], y=v[y]), lambda t: expect(t[x], t[y]))


def flags(op: str, expect: Callable[..., torch.Tensor]) -> Case:
    return Case(
        op,
        lambda v: getattr(mb, op)(x=mb.greater(x=v["a"], y=0.0), y=mb.greater(x=v["b"], y=0.0)),
        lambda t: expect(t["a"] > 0, t["b"] > 0),
    )


def torch_pow(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.exp(y * torch.log(x))


ELEMENTWISE = [
    unary("abs", torch.abs),
    bounded("acos", torch.acos),
    binary("add", torch.add),
    bounded("asin", torch.asin),
    unary("atan", torch.atan),
    bounded("atanh", torch.atanh),
    unary("cast", torch.trunc, dtype="int32"),
    Case("cast", lambda v: mb.cast(x=v["ints"], dtype="bool"), lambda t: t["ints"] != 0),
    unary("ceil", torch.ceil),
    unary("clamped_relu", lambda x: torch.where(x >= 0, x, 0.2 * x).clamp(max=0.7), alpha=0.2, beta=0.7),
    unary("clip", lambda x: x.clamp(-0.3, 0.6), alpha=-0.3, beta=0.6),
    unary("cos", torch.cos),
    unary("cosh", torch.cosh),
    unary("elu", lambda x: F.elu(x, 0.7), alpha=0.7),
    binary("equal", torch.eq, "ints", "divisors"),
    unary("erf", torch.erf),
    unary("exp", torch.exp),
    unary("exp2", torch.exp2),
    unary("floor", torch.floor),
    binary("floor_div", lambda x, y: torch.floor(x / y)),
    binary("floor_div", lambda x, y: torch.floor(x / y).int(), "ints", "divisors"),
    unary("gelu", lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2))), mode="EXACT"),
    unary("gelu", lambda x: F.gelu(x, approximate="tanh"), mode="TANH_APPROXIMATION"),
    unary("gelu", lambda x: x * torch.sigmoid(1.702 * x), mode="SIGMOID_APPROXIMATION"),
    binary("greater", torch.gt),
    binary("greater_equal", torch.ge, "ints", "divisors"),
    unary("identity", lambda x: x),
    positive("inverse", lambda x: 1 / (x + 0.25), epsilon=0.25),
    unary("leaky_relu", lambda x: F.leaky_relu(x, 0.3), alpha=0.3),
    binary("less", torch.lt),
    binary("less_equal", torch.le, "ints", "divisors"),
    unary("linear_activation", lambda x: 2 * x - 3, alpha=2.0, beta=-3.0),
    positive("log", lambda x: torch.log(x + 0.5), epsilon=0.5),
    flags("logical_and", torch.logical_and),
    Case("logical_not", lambda v: mb.logical_not(x=mb.greater(x=v["a"], y=0.0)), lambda t: t["a"] <= 0),
    flags("logical_or", torch.logical_or),
    flags("logical_xor", torch.logical_xor),
    binary("maximum", torch.maximum),
    binary("minimum", torch.minimum),
    binary("mod", lambda x, y: x - y * torch.floor(x / y)),
    binary("mod", lambda x, y: x - y * torch.floor(x / y).int(), "ints", "divisors"),
    binary("mul", torch.mul),
    binary("not_equal", torch.ne, "ints", "divisors"),
    Case(
        "pow",
        lambda v: mb.pow(x=mb.add(x=mb.abs(x=v["a"]), y=0.1), y=v["b"]),
        lambda t: torch_pow(t["a"].abs() + 0.1, t["b"]),
    ),
    unary("prelu", lambda x: F.prelu(x, torch.tensor([0.1, 0.2, 0.3])), alpha=np.array([0.1, 0.2, 0.3], np.float32)),
    binary("real_div", torch.div),
    unary("relu", torch.relu),
    Case("relu6", lambda v: mb.relu6(x=mb.mul(x=v["a"], y=5.0)), lambda t: (5 * t["a"]).clamp(0, 6)),
    unary("round", lambda x: torch.tensor([[-2.0, -2.0, -0.0, 0.0, 2.0, 2.0, 0.0, 7.0]]), "ties"),
    positive("rsqrt", lambda x: (x + 0.01) ** -0.5, epsilon=0.01),
    unary("scaled_tanh", lambda x: 1.5 * torch.tanh(0.5 * x), alpha=1.5, beta=0.5),
    Case(
        "select",
        lambda v: mb.select(cond=mb.greater(x=v["a"], y=v["b"]), a=v["a"], b=v["b"]),
        lambda t: torch.maximum(t["a"], t["b"]),
    ),
    unary("sigmoid", lambda x: 1 / (1 + torch.exp(-x))),
    unary("sigmoid_hard", lambda x: (0.4 * x + 0.3).clamp(0, 1), alpha=0.4, beta=0.3),
    unary("sign", torch.sign),
    unary("silu", lambda x: x / (1 + torch.exp(-x))),
    unary("sin", torch.sin),
    unary("sinh", torch.sinh),
    unary("softmax", lambda x: torch.exp(x) / torch.exp(x).sum(1, keepdim=True), axis=1),
    unary("softplus", F.softplus),
    unary("softsign", F.softsign),
    positive("sqrt", torch.sqrt),
    unary("square", lambda x: x * x),
    binary("sub", torch.sub),
    unary("tan", torch.tan),
    unary("tanh", torch.tanh),
    unary("threshold", lambda x: x.clamp(min=0.2), alpha=0.2),
    unary("thresholded_relu", lambda x: torch.where(x >= 0.5, x, 0.0), alpha=0.5),
]


def layer_norm_over_first_axes(x: torch.Tensor) -> torch.Tensor:
    """Written out over axes 1 and 2 of four."""
    gamma = torch.arange(12.0).reshape(1, 3, 4, 1)
    mean = x.mean((1, 2), keepdim=True)
    variance = ((x - mean) ** 2).mean((1, 2), keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-3) * gamma + 1


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | float = 0.0) -> torch.Tensor:
    return torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]) + mask, -1) @ v


CAUSAL = np.tril(np.ones((4, 4), bool))
FLOAT_MASK = random(4, 4)

LINEAR = [
    Case(
        "linear",
        lambda v: mb.linear(x=v["matrix"], weight=WEIGHT, bias=np.ones(5, np.float32)),
        lambda t: t["matrix"] @ torch.from_numpy(WEIGHT).T + 1,
    ),
    Case("matmul", lambda v: mb.matmul(x=v["a"], y=v["b"], transpose_y=True), lambda t: t["a"] @ t["b"].mT),
    Case("matmul", lambda v: mb.matmul(x=v["a"], y=v["b"], transpose_x=True), lambda t: t["a"].mT @ t["b"]),
    Case(
        "einsum",
        lambda v: mb.einsum(values=(v["a"], mb.transpose(x=v["b"], perm=[0, 3, 2, 1])), equation="nchw,nwhu->nchu"),
        lambda t: (t["a"].transpose(1, 2) @ t["b"].permute(0, 2, 3, 1)).transpose(1, 2),
    ),
    Case(
        "scaled_dot_product_attention",
        lambda v: mb.scaled_dot_product_attention(query=v["a"], key=v["b"], value=v["b"]),
        lambda t: attention(t["a"], t["b"], t["b"]),
    ),
    Case(
        "scaled_dot_product_attention",
        lambda v: mb.scaled_dot_product_attention(query=v["a"], key=v["b"], value=v["b"], attn_mask=CAUSAL),
        lambda t: attention(
            t["a"], t["b"], t["b"], torch.zeros(4, 4).masked_fill(~torch.from_numpy(CAUSAL), -math.inf)
        ),
    ),
    Case(
        "scaled_dot_product_attention",
        lambda v: mb.scaled_dot_product_attention(query=v["a"], key=v["b"], value=v["b"], attn_mask=FLOAT_MASK),
        lambda t: attention(t["a"], t["b"], t["b"], torch.from_numpy(FLOAT_MASK)),
    ),
    unary("layer_norm", lambda x: F.layer_norm(x, (5,), eps=1e-4), axes=[-1], epsilon=1e-4),
    unary(
        "layer_norm",
        layer_norm_over_first_axes,
        axes=[1, 2],
        gamma=np.arange(12, dtype=np.float32).reshape(3, 4),
        beta=np.ones((3, 4), np.float32),
        epsilon=1e-3,
    ),
    unary(
        "batch_norm",
        lambda x: (
            (x - torch.from_numpy(GAMMA).reshape(1, 4, 1, 1))
            / torch.sqrt(torch.from_numpy(VARIANCE).reshape(1, 4, 1, 1) + 1e-3)
        ),
        "image",
        mean=GAMMA,
        variance=VARIANCE,
        epsilon=1e-3,
    ),
    unary(
        "instance_norm",
        lambda x: (
            (x - x.mean((2, 3), keepdim=True))
            / torch.sqrt(x.var((2, 3), unbiased=False, keepdim=True) + 1e-5)
            * torch.from_numpy(GAMMA).reshape(1, 4, 1, 1)
        ),
        "image",
        gamma=GAMMA,
        beta=np.zeros(4, np.float32),
    ),
    unary("l2_norm", lambda x: x / torch.sqrt((x**2).sum((1, 2, 3), keepdim=True) + 1e-6), epsilon=1e-6),
    unary(
        "local_response_norm",
        lambda x: F.local_response_norm(x, 3, 1e-2, 0.6, 2.0),
        "image",
        size=3,
        alpha=1e-2,
        beta=0.6,
        k=2.0,
    ),
]

REDUCTION = [
    unary("reduce_argmax", lambda x: x.argmax(2), axis=2),
    unary("reduce_argmin", lambda x: x.argmin(1, keepdim=True), axis=1, keep_dims=True),
    unary("reduce_l1_norm", lambda x: x.abs().sum((1, 3)), axes=[1, -1]),
    unary("reduce_l2_norm", lambda x: x.norm(dim=(2, 3), keepdim=True), axes=[2, 3], keep_dims=True),
    positive("reduce_log_sum", lambda x: x.sum(1).log(), axes=[1]),
    unary("reduce_log_sum_exp", lambda x: x.exp().sum((0, 2)).log(), axes=[0, 2]),
    unary("reduce_max", lambda x: x.amax((1, 2)), axes=[1, 2]),
    unary("reduce_mean", lambda x: x.mean((2, 3), keepdim=True), axes=[2, 3], keep_dims=True),
    unary("reduce_mean", torch.mean),
    unary("reduce_min", lambda x: x.amin(-1), axes=[-1]),
    unary("reduce_prod", lambda x: x.prod(3).prod(1), axes=[1, 3]),
    unary("reduce_sum", lambda x: x.sum(0), axes=[0]),
    unary("reduce_sum", torch.sum, "ints"),
    unary("reduce_sum_square", lambda x: (x * x).sum((1, 2)), axes=[1, 2]),
]


ZERO_POINTS = np.array([-3, 0, 5], np.int8)
SCALES = np.array([0.1, 0.02, 0.05], np.float32)
BLOCKS = RNG.integers(-128, 128, (4, 6)).astype(np.int8)
BLOCK_SCALES = np.abs(random(2, 3))
BLOCK_OFFSETS = RNG.integers(-20, 20, (2, 3)).astype(np.int8)
PALETTE = random(2, 1, 4, 1)
PALETTE_INDICES = RNG.integers(0, 4, (4, 6)).astype(types.np_uint2_dtype)
VECTORS = random(1, 2, 4, 3)
BYTES = RNG.integers(0, 256, (4, 6)).astype(np.uint8)


def fake_quantized(x: torch.Tensor, zero_points: np.ndarray, low: int, high: int) -> torch.Tensor:
    scale = torch.from_numpy(SCALES).reshape(1, 3, 1, 1)
    zero = torch.from_numpy(zero_points.astype(np.int32)).reshape(1, 3, 1, 1)
    return (torch.clamp(torch.round(x / scale) + zero, low, high) - zero) * scale


def there_and_back(x: Any, zero_point: np.ndarray, dtype: str) -> Any:
    q = mb.quantize(input=x, scale=SCALES, zero_point=zero_point, axis=-3, output_dtype=dtype)
    return mb.dequantize(input=q, scale=SCALES, zero_point=zero_point, axis=1)


def weights_of(op: str, build: Callable[[], Any], dense: np.ndarray) -> Case:
    return Case(
        op, lambda v: mb.linear(x=v["matrix"], weight=build()), lambda t: t["matrix"] @ torch.from_numpy(dense).T
    )


def vector_palette() -> np.ndarray:
    picked = [[VECTORS[0, j // 3, int(PALETTE_INDICES[i, j])] for j in range(6)] for i in range(4)]
    return np.array(picked, np.float32).reshape(4, 18)


QUANTIZATION = [
    Case(
        "quantize",
        lambda v: there_and_back(v["a"], ZERO_POINTS, "int8"),
        lambda t: fake_quantized(t["a"], ZERO_POINTS, -128, 127),
    ),
    Case(
        "dequantize",
        lambda v: there_and_back(v["a"], (ZERO_POINTS.astype(np.int32) + 9).astype(np.uint8), "uint8"),
        lambda t: fake_quantized(t["a"], ZERO_POINTS.astype(np.int32) + 9, 0, 255),
    ),
    Case(
        "quantize",
        lambda v: mb.dequantize(
            input=mb.quantize(input=v["ties"], scale=np.float32(1), output_dtype="int8"), scale=np.float32(1)
        ),
        lambda t: torch.tensor([[-2.0, -2.0, 0.0, 0.0, 2.0, 2.0, 0.0, 7.0]]),
    ),
    weights_of(
        "constexpr_blockwise_shift_scale",
        lambda: mb.constexpr_blockwise_shift_scale(data=BLOCKS, scale=BLOCK_SCALES, offset=BLOCK_OFFSETS),
        (BLOCKS.astype(np.float32) - np.kron(BLOCK_OFFSETS, np.ones((2, 2)))).astype(np.float32)
        * np.kron(BLOCK_SCALES, np.ones((2, 2))).astype(np.float32),
    ),
    weights_of(
        "constexpr_blockwise_shift_scale",
        lambda: mb.constexpr_blockwise_shift_scale(
            data=(BLOCKS // 16).astype(types.np_int4_dtype), scale=BLOCK_SCALES[:1, :1]
        ),
        (BLOCKS // 16) * BLOCK_SCALES[0, 0],
    ),
    weights_of(
        "constexpr_affine_dequantize",
        lambda: mb.constexpr_affine_dequantize(
            quantized_data=BYTES, zero_point=np.uint8(100), scale=np.float32(0.03), axis=0
        ),
        (BYTES.astype(np.float32) - 100) * np.float32(0.03),
    ),
    weights_of(
        "constexpr_lut_to_dense",
        lambda: mb.constexpr_lut_to_dense(indices=PALETTE_INDICES, lut=PALETTE),
        np.array([[PALETTE[i // 2, 0, int(PALETTE_INDICES[i, j]), 0] for j in range(6)] for i in range(4)]),
    ),
    Case(
        "constexpr_lut_to_dense",
        lambda v: mb.linear(
            x=mb.concat(values=(v["matrix"], v["matrix"], v["matrix"]), axis=1),
            weight=mb.constexpr_lut_to_dense(indices=PALETTE_INDICES, lut=VECTORS, vector_axis=1),
        ),
        lambda t: torch.cat([t["matrix"]] * 3, 1) @ torch.from_numpy(vector_palette()).T,
    ),
]


TESTED_WITH_PACKAGES = {"constexpr_cast", "constexpr_sparse_to_dense"}  # in test_mil.py
FAMILIES = {
    "elementwise": (ELEMENTWISE, elementwise.KERNELS),
    "linear": (LINEAR, linear.KERNELS),
    "reduction": (REDUCTION, reduction.KERNELS),
    "quantization": (QUANTIZATION, quantization.KERNELS),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_each_operation_computes_what_torch_does(family: str, tmp_path: Path) -> None:
    check(FAMILIES[family][0], tmp_path / "ops.mlpackage")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kernel_has_a_case(family: str) -> None:
    cases, kernels = FAMILIES[family]
    assert {case.op for case in cases} == set(kernels) - TESTED_WITH_PACKAGES
