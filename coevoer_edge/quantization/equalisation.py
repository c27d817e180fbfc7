"""Equalise channels between two linear layers where nothing in between would notice.

In: a float network, calibration images. Out: the same function with other weights (in place).

Cross-layer equalisation (Nagel et al. 2019, arXiv 1906.04721) where it is exact in this network:
- value to fc: attention takes means of value's channels, each channel by itself.
- query against key: only the products of their channels count.
- strip_horizontal to strip_vertical: depth-wise, with a ReLU between them, which a positive factor passes.
The two Linears of an Mlp are not among them: GELU(s x) is not s GELU(x).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from coevoer_edge.model import CoEvoer
from coevoer_edge.model.attention import Attention
from coevoer_edge.model.foreground import ForegroundExtraction
from coevoer_edge.quantization.folding import Fold, Treatment, alive, fold, read, scale_outputs


def equalise(
    network: CoEvoer, alphas: Sequence[float], images: Sequence[Tensor], treatment: Treatment
) -> dict[str, float | None]:
    """Apply `linear_folds`, and balance queries against keys, in place; arguments and result as in `folding.fold`."""
    _balance(network, images)
    return fold(network, linear_folds(network), alphas, images, treatment)


def linear_folds(network: CoEvoer) -> tuple[Fold, ...]:
    """Every pair of linear layers that nothing or a ReLU separates."""
    folds = []
    for path, module in network.named_modules():
        if isinstance(module, Attention):
            folds.append(Fold(f"{path}.value", (f"{path}.fc",)))
        elif isinstance(module, ForegroundExtraction):
            folds.append(Fold(f"{path}.value", tuple(f"{path}.out.{i}" for i in range(len(module.out)))))
            folds.append(Fold(f"{path}.strip_horizontal", (f"{path}.strip_vertical",)))
    return tuple(folds)


def _balance(network: CoEvoer, images: Sequence[Tensor]) -> None:
    """Give each channel of query and key the same largest value, sqrt(max|q_j| max|k_j|), their product unchanged.

    ForegroundExtraction has learnt queries, which are also added to what they find: they stay as they are.
    """
    attentions = {path: module for path, module in network.named_modules() if isinstance(module, Attention)}
    readings = read(
        network, [f"{path}.{name}" for path in attentions for name in ("query", "key")], images, outputs=True
    )
    with torch.no_grad():
        for path, attention in attentions.items():
            q, k = (alive(readings[f"{path}.{name}"].largest) for name in ("query", "key"))
            factor = (k / q).sqrt()
            scale_outputs(attention.query, factor)
            scale_outputs(attention.key, 1 / factor)
