"""Equalise channels between two linear layers where the operations in between allow it.

In: a float network, calibration images. Out: the same function with other weights (in place).

Cross-layer equalisation (Nagel et al. 2019, arXiv 1906.04721) where it is exact in this network:
- value to fc: attention averages value's channels, each channel by itself.
- query against key: only the products of their channels matter.
- strip_horizontal to strip_vertical: depth-wise, with a ReLU between them, which commutes with a positive factor.
- the sums between the trunk's blocks, to the layers that read them: projections, expansions and laterals are linear.
The two Linears of an Mlp are excluded, because GELU(s x) is not s GELU(x).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from coevoer_edge.model import CoEvoer
from coevoer_edge.model.attention import Attention
from coevoer_edge.model.foreground import ForegroundExtraction
from coevoer_edge.model.trunk import Trunk
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
            folds.append(Fold((f"{path}.value",), (f"{path}.fc",)))
        elif isinstance(module, ForegroundExtraction):
            folds.append(Fold((f"{path}.value",), tuple(f"{path}.out.{i}" for i in range(len(module.out)))))
            folds.append(Fold((f"{path}.strip_horizontal",), (f"{path}.strip_vertical",)))
        elif isinstance(module, Trunk):
            folds += [Fold(writers, readers) for writers, readers in _sums(module, path)]
    return tuple(folds)


def _sums(trunk: Trunk, path: str) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The sums between a trunk's blocks: the paths of the layers that contribute to each, and of those that read it.

    A block without a residual connection ends one sum and begins the next, as in `Trunk.forward`.
    """
    sums = []
    writers, readers = [f"{path}.stem.2.0"], []
    for number, stage in enumerate(trunk.stages):
        assert isinstance(stage, nn.Sequential)
        for place, block in enumerate(stage):
            name = f"{path}.stages.{number}.{place}"
            readers.append(f"{name}.expand.0")
            if not block.residual:
                sums.append((tuple(writers), tuple(readers)))
                writers, readers = [], []
            writers.append(f"{name}.project.0")
        last = number == len(trunk.stages) - 1
        readers.append(f"{path}.top.0.0" if last else f"{path}.laterals.{number}.0.0")
    return [*sums, (tuple(writers), tuple(readers))]


def _balance(network: CoEvoer, images: Sequence[Tensor]) -> None:
    """Give each channel of query and key the same largest value, sqrt(max|q_j| max|k_j|), their product unchanged.

    ForegroundExtraction has learned queries, which are also added to its attention's output, so they are not changed.
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
