"""Reductions. In: a tensor and the axes to reduce (all of them when none are given). Out: a tensor."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Axes = tuple[int, ...]


def _reduction(function: Callable[[Tensor, Axes, bool], Tensor]) -> Callable[..., Tensor]:
    def kernel(x: Tensor, axes: tuple[int, ...] | None = None, keep_dims: bool = False) -> Tensor:
        return function(x, tuple(range(x.ndim)) if axes is None else axes, keep_dims).to(x.dtype)

    return kernel


def _mean(x: Tensor, axes: Axes, keep: bool) -> Tensor:
    return x.float().mean(axes, keep)


def _sum(x: Tensor, axes: Axes, keep: bool) -> Tensor:
    return x.sum(axes, keep)


def _prod(x: Tensor, axes: Axes, keep: bool) -> Tensor:
    for axis in axes:
        x = x.prod(axis, keepdim=True)
    return x if keep else x.squeeze(axes)


def _log_sum_exp(x: Tensor, axes: Axes, keep: bool) -> Tensor:
    return torch.logsumexp(x.float(), axes, keep)


def _argmax(x: Tensor, axis: int = -1, keep_dims: bool = False, output_dtype: str = "int32") -> Tensor:
    del output_dtype
    return x.argmax(axis, keep_dims).int()


def _argmin(x: Tensor, axis: int = -1, keep_dims: bool = False, output_dtype: str = "int32") -> Tensor:
    del output_dtype
    return x.argmin(axis, keep_dims).int()


KERNELS: Mapping[str, Callable[..., Tensor]] = {
    "reduce_argmax": _argmax,
    "reduce_argmin": _argmin,
    "reduce_l1_norm": _reduction(lambda x, axes, keep: x.abs().sum(axes, keep)),
    "reduce_l2_norm": _reduction(lambda x, axes, keep: x.square().sum(axes, keep).sqrt()),
    "reduce_log_sum": _reduction(lambda x, axes, keep: x.sum(axes, keep).log()),
    "reduce_log_sum_exp": _reduction(_log_sum_exp),
    "reduce_max": _reduction(lambda x, axes, keep: x.amax(axes, keep)),
    "reduce_mean": _reduction(_mean),
    "reduce_min": _reduction(lambda x, axes, keep: x.amin(axes, keep)),
    "reduce_prod": _reduction(_prod),
    "reduce_sum": _reduction(_sum),
    "reduce_sum_square": _reduction(lambda x, axes, keep: x.square().sum(axes, keep)),
}
