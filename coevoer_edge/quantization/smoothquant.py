"""Fold the scale of a norm's channels into every layer that reads them.

In: a float network, calibration images. Out: the same function with other weights (in place).

The LayerNorm of a vision transformer leaves a few channels many times as large as the rest, and these few determine the
tensor's single step size (Xiao et al. 2022, arXiv 2211.10438). The norm's weight and bias absorb a factor at no cost.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from coevoer_edge.model import CoEvoer
from coevoer_edge.model.attention import Block
from coevoer_edge.model.enhancer import ConcatenatedSelfAttention, Correction
from coevoer_edge.model.foreground import ForegroundExtraction
from coevoer_edge.model.heads import TokenHead
from coevoer_edge.quantization.folding import Fold, Treatment, fold


def smooth(
    network: CoEvoer, alphas: Sequence[float], images: Sequence[Tensor], treatment: Treatment
) -> dict[str, float | None]:
    """Apply `norm_folds` in place; arguments and result as in `folding.fold`."""
    return fold(network, norm_folds(network), alphas, images, treatment)


def norm_folds(network: CoEvoer) -> tuple[Fold, ...]:
    """Every LayerNorm with all layers that read it, as in each module's own forward.

    Between encoder.norm and its readers there are slices, reshapes, average pooling and RoIAlign. All of them work
    within a channel, so a factor for each channel passes through.
    """
    folds = [Fold(("encoder.norm",), _readers_of_the_encoder(network))]
    for path, module in network.named_modules():
        folds += [
            Fold((f"{path}.{norm}",), tuple(f"{path}.{reader}" for reader in readers))
            for norm, readers in _norms(module).items()
        ]
    norms = {path for path, module in network.named_modules() if isinstance(module, nn.LayerNorm)}
    if missing := norms - {writer for f in folds for writer in f.writers}:
        raise RuntimeError(f"the readers of {', '.join(sorted(missing))} are not listed here")
    return tuple(folds)


def _readers_of_the_encoder(network: CoEvoer) -> tuple[str, ...]:
    """Readers of patches, body tasks and part tasks in `CoEvoer.forward`."""
    if isinstance(network.foreground, ForegroundExtraction):
        foreground: tuple[str, ...] = ("foreground.conv",)
    else:
        foreground = tuple(f"foreground.project.{i}" for i in range(len(network.foreground.project)))
    parts = tuple(f"part_features.project.{i}" for i in range(len(network.part_features.project)))
    return ("box_net.mlp.0", *foreground, *parts, "body_tokens", "visibility_head.0")


def _norms(module: nn.Module) -> dict[str, tuple[str, ...]]:
    """A module's own norms and their readers, by name within the module."""
    attention = tuple(f"attention.{name}" for name in ("query", "key", "value"))
    match module:
        case Block():
            return {"norm1": attention, "norm2": ("mlp.0",)}
        case ConcatenatedSelfAttention():
            return {"norm": attention}
        case Correction():
            return {"norm_query": attention[:1], "norm_context": attention[1:]}
        case ForegroundExtraction():
            return {"norm": ("key", "value")}
        case TokenHead():
            return {"norm": ("reduce",)}
    return {}
