"""`python -m coevoer_edge.train`, the same as `coevoer-edge train`: the loss of equation (4) on a data set.

In: a model's name, a recipe, a data set. Out: a run folder with weights that `export`, `evaluate` and `run` take.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from coevoer_edge.errors import InputError
from coevoer_edge.training.session import Settings

if TYPE_CHECKING:
    from torch import nn

    from coevoer_edge.training.conduct import Parts
    from coevoer_edge.training.engine import Criterion, Evaluate


def train(settings: Settings, evaluate: "Evaluate | None" = None) -> Path:
    """Train a network; returns the run's folder.

    Raises:
        CoEvoerError: the request cannot be served, or the loss stopped being finite.
    """
    from coevoer_edge.training.conduct import conduct

    if settings.init is not None and settings.resume:
        raise InputError("--init begins a run and --resume continues one; leave one of them out.")
    if settings.grow and (settings.init is None or settings.model is None):
        raise InputError("--grow makes --model of the smaller --init; give both.")
    return conduct(settings, assemble, "train", "python -m coevoer_edge.train", evaluate)


def assemble(parts: "Parts") -> "tuple[nn.Module, Criterion]":
    """The network with its dense head, and the loss of equation (4) with visibility and the dense terms."""
    from coevoer_edge.body.layer import KeypointLayer
    from coevoer_edge.training.dense import Trainee, TrainingLoss

    loss = TrainingLoss(KeypointLayer(parts.body), parts.recipe, parts.average)
    return Trainee(parts.network, dense=parts.recipe.dense.on), loss.to(parts.fabric.device)
