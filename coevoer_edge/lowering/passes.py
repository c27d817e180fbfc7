"""Named rewrites of an exported program, each mathematically the identity, each with the reason for it.

In: `ExportedProgram`. Out: `ExportedProgram`.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

aten = torch.ops.aten


def attention_as_bmm(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention as 3-D bmm, softmax, bmm, which XNNPACK delegates, unlike the "safe softmax" of torch's decomposition.

    q (B, h, N, d), k and v (B, h, M, d). Heads are folded into the batch: a 4-D matmul would leave copies outside.
    """
    B, h, N, d = q.shape
    q = (q * d**-0.5).reshape(B * h, N, d)
    k, v = (x.reshape(B * h, -1, d) for x in (k, v))  # B*h M d
    weights = torch.softmax(torch.bmm(q, k.transpose(1, 2)), dim=-1)  # B*h N M
    return torch.bmm(weights, v).view(B, h, N, d)


def layer_norm_as_means(
    x: Tensor, shape: list[int], weight: Tensor, bias: Tensor, eps: float, cudnn_enable: bool = False
) -> Tensor:
    """LayerNorm over the last axis by means over a 4-D view: a reduction over the last of 3 axes is not delegated."""
    B, N, C = x.shape
    x = x.view(B, N, 1, C)
    centred = x - x.mean((2, 3), keepdim=True)
    variance = (centred * centred).mean((2, 3), keepdim=True)
    return (centred * torch.rsqrt(variance + eps)).view(B, N, C) * weight + bias


def _same(x: Tensor, *_: object, **__: object) -> Tensor:
    """Remove `expand` and `detach`, which change nothing at batch 1 but stay outside the delegate as copies."""
    return x


XNNPACK_DECOMPOSITIONS: dict[Any, Callable[..., Tensor]] = {
    aten.scaled_dot_product_attention.default: attention_as_bmm,
    aten.layer_norm.default: layer_norm_as_means,
    aten.expand.default: _same,
    aten.detach.default: _same,
}


def decompose_for_xnnpack(program: ExportedProgram) -> ExportedProgram:
    """Rewrite the operations that XNNPACK does not delegate."""
    decomposed: ExportedProgram = program.run_decompositions(XNNPACK_DECOMPOSITIONS)
    return decomposed
