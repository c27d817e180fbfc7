"""Products, attention and norms. In: float32 tensors. Out: float32 tensors, accumulated in float32."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return F.linear(x, weight, bias)


def _matmul(x: Tensor, y: Tensor, transpose_x: bool = False, transpose_y: bool = False) -> Tensor:
    if transpose_x and x.ndim > 1:
        x = x.transpose(-1, -2)
    if transpose_y and y.ndim > 1:
        y = y.transpose(-1, -2)
    return torch.matmul(x, y)


def _einsum(values: Sequence[Tensor], equation: str) -> Tensor:
    return torch.einsum(equation, *values)


def _scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None) -> Tensor:
    """Query B ... L E, key B ... S E, value B ... S EV. A bool mask keeps where true, a float mask is added."""
    if attn_mask is not None and attn_mask.ndim == 1:
        attn_mask = attn_mask[None]  # 1 S
    return F.scaled_dot_product_attention(query, key, value, attn_mask)


def _layer_norm(
    x: Tensor,
    axes: tuple[int, ...] | None = None,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    """Gamma and beta have the sizes of `axes`, in ascending order of the axes."""
    positive = sorted(axis % x.ndim for axis in (axes if axes is not None else range(x.ndim)))
    last = list(range(x.ndim - len(positive), x.ndim))
    moved = x if positive == last else x.movedim(positive, last)
    y = F.layer_norm(moved, moved.shape[-len(positive) :], gamma, beta, epsilon)
    return y if positive == last else y.movedim(last, positive)


def _batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    return F.batch_norm(x, mean, variance, gamma, beta, eps=epsilon)


def _instance_norm(x: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None, epsilon: float = 1e-5) -> Tensor:
    return F.instance_norm(x, weight=gamma, bias=beta, eps=epsilon)


def _l2_norm(x: Tensor, epsilon: float = 1e-6) -> Tensor:
    """Over the last three dimensions together, separately for each leading index."""
    return x * torch.rsqrt(x.square().sum((-3, -2, -1), keepdim=True) + epsilon)


def _local_response_norm(x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    return F.local_response_norm(x, size, alpha, beta, k)


KERNELS: Mapping[str, Callable[..., Tensor]] = {
    "batch_norm": _batch_norm,
    "einsum": _einsum,
    "instance_norm": _instance_norm,
    "l2_norm": _l2_norm,
    "layer_norm": _layer_norm,
    "linear": _linear,
    "local_response_norm": _local_response_norm,
    "matmul": _matmul,
    "scaled_dot_product_attention": _scaled_dot_product_attention,
}
