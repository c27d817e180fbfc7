"""Round weights so that their errors cancel in a layer's output.

In: a network, the grids of its weights, calibration images. Out: the weights on those grids.

Source: Frantar et al. 2022, GPTQ (arXiv:2210.17323). A layer's inputs are correlated, so weights that are not rounded
yet can compensate for the rounding of one weight. Columns are rounded in order, and the error of each is distributed
over the rest by the inverse of the inputs' second moments. Each output channel keeps its own scale.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coevoer_edge.model.threads import one_thread
from coevoer_edge.quantization.rounding import Gemm, Grid, Rounding, gemm

_DAMPING = 0.01
"""Damping: this share of the mean second moment is added to each, as in GPTQ."""
_BLOCK = 128
"""How many columns' errors are distributed over the others at once."""


def round_weights(network: nn.Module, layers: Mapping[str, Rounding], images: Sequence[Tensor]) -> None:
    """Round the weights of the layers to their grids, in place.

    Args:
        network: float network in eval mode.
        layers: what is rounded, by module path; layers whose weights have no grid are unchanged.
        images: calibration images, each (1, 3, 256, 192) in [0, 1].
    """
    grids = {path: layer.weight for path, layer in layers.items() if layer.weight is not None}
    with torch.no_grad(), one_thread():
        for path, moments in second_moments(network, list(grids), images).items():
            weight = gemm(network, path).weight
            weight.copy_(rounded(weight, moments, grids[path]))


class _Moments:
    """Sums of products of each pair of a layer's inputs, and the number of inputs."""

    def __init__(self) -> None:
        self.sums: Tensor | None = None  # G K K: one for each group of a convolution
        self.count = 0
        self._waiting: list[
            Tensor
        ] = []  # collected until there are K rows, because a product with few rows costs as much

    def add(self, x: Tensor) -> None:
        """Add N inputs, (G, N, K)."""
        self._waiting.append(x)
        self.count += x.shape[1]
        if sum(x.shape[1] for x in self._waiting) >= x.shape[2]:
            self.flush()

    def flush(self) -> None:
        """Add the collected inputs to the sums."""
        if self._waiting:
            x = torch.cat(self._waiting, dim=1)
            products = x.mT @ x
            self.sums = products if self.sums is None else self.sums + products
            self._waiting = []


def second_moments(network: nn.Module, paths: Sequence[str], images: Sequence[Tensor]) -> dict[str, Tensor]:
    """Sums (G, K, K) of the products of each pair of inputs, separately for each group of a convolution.

    Layers with fewer inputs than columns are left out, because their moments are not invertible.
    """
    found = {path: _Moments() for path in paths}

    def watch(path: str) -> Any:
        return lambda module, args: found[path].add(_columns(module, args[0]))

    hooks = [gemm(network, path).register_forward_pre_hook(watch(path)) for path in paths]
    try:
        for image in images:
            network(image)
    finally:
        for hook in hooks:
            hook.remove()
    for moments in found.values():
        moments.flush()
    return {p: m.sums for p, m in found.items() if m.sums is not None and m.count >= m.sums.shape[-1]}


def _columns(module: Gemm, x: Tensor) -> Tensor:
    """The inputs that each output value is a product with: (G, N, K), K in the order of the flattened weight."""
    if isinstance(module, nn.Linear):
        return x.reshape(1, -1, x.shape[-1])
    if module.kernel_size == (1, 1) == module.stride and module.groups == 1:
        return x.flatten(2).transpose(1, 2).reshape(1, -1, x.shape[1])
    assert not isinstance(module.padding, str)
    patches = F.unfold(x, module.kernel_size, module.dilation, module.padding, module.stride)  # B C*k*k L
    B, rows, L = patches.shape
    return (
        patches.view(B, module.groups, rows // module.groups, L).permute(1, 0, 3, 2).reshape(module.groups, B * L, -1)
    )


def rounded(weight: Tensor, moments: Tensor, grid: Grid) -> Tensor:
    """The weights rounded to their grid, of the same shape.

    Args:
        weight: (O, ...), its other axes K numbers in all.
        moments: (G, K, K) of the inputs; outputs are in G equal groups.
        grid: a scale for each output.
    """
    G, K, _ = moments.shape
    w = weight.detach().double().reshape(G, -1, K)  # G O/G K
    scale = grid.scale.double().view(G, -1)  # G O/G
    moments = moments.double()
    mean = moments.diagonal(dim1=1, dim2=2).mean(1)  # G
    damped = moments + torch.diag_embed((_DAMPING * mean).clamp_min(1e-12)[:, None].expand(G, K))
    # Row k of U distributes the error of column k: the Cholesky factor of the inverse.
    U = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(damped)), upper=True)
    done = torch.empty_like(w)
    for start in range(0, K, _BLOCK):
        end = min(start + _BLOCK, K)
        errors = torch.empty_like(w[:, :, start:end])
        for k in range(start, end):
            done[:, :, k] = (w[:, :, k] / scale).round().clamp(grid.low, grid.high) * scale
            errors[:, :, k - start] = (w[:, :, k] - done[:, :, k]) / U[:, k, k, None]
            w[:, :, k + 1 : end] -= errors[:, :, k - start, None] * U[:, None, k, k + 1 : end]
        w[:, :, end:] -= errors @ U[:, start:end, end:]
    return done.reshape(weight.shape).to(weight.dtype)
