"""`python -m coevoer_edge.train`, the same as `coevoer-edge train`: train a network with the loss of equation (4).

In: a model's name, a recipe, a dataset. Out: a run folder with weights that `export`, `evaluate` and `run` accept.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coevoer_edge.callable_module import CallableModule
from coevoer_edge.errors import InputError
from coevoer_edge.terminal.extras import names_its_extra
from coevoer_edge.training.session import Settings, settings_of

if TYPE_CHECKING:
    from torch import nn

    from coevoer_edge.training.conduct import Parts
    from coevoer_edge.training.engine import Criterion, Evaluate


@names_its_extra
def train(settings: Settings | None = None, evaluate: "Evaluate | None" = None, **options: Any) -> Path:
    """Train a network.

        run = coevoer_edge.train(model="coevoer-t", data="synthetic", steps=1000, output_dir="runs/mine")
        coevoer_edge.export("onnx", checkpoint=run / "weights.safetensors")

    Args:
        settings: how to train; None for the defaults, without terminal output.
        evaluate: computes figures of the network on validation data; None for those of the dataset.
        options: fields of `coevoer_edge.training.session.Settings` by name, which are the command's options: model,
            init, recipe, data, steps, batch_size, precision, seed, device, output_dir, resume, max_minutes, quiet, ...

    Returns:
        The run's folder: weights.safetensors, checkpoint.pt, log.jsonl and curves.png.

    Raises:
        CoEvoerError: the request is invalid, or the loss became non-finite.
    """
    from coevoer_edge.training.conduct import conduct

    settings = settings_of(settings, options)
    if settings.init is not None and settings.resume:
        raise InputError("--init starts a run and --resume continues one; omit one of them.")
    if settings.grow and (settings.init is None or settings.model is None):
        raise InputError("--grow grows the weights of --init into the larger --model; give both.")
    return conduct(settings, assemble, "train", "python -m coevoer_edge.train", evaluate)


def assemble(parts: "Parts") -> "tuple[nn.Module, Criterion]":
    """The network with its dense head, and the loss of equation (4) with visibility and the dense terms."""
    from coevoer_edge.body.layer import KeypointLayer
    from coevoer_edge.training.dense import Trainee, TrainingLoss

    loss = TrainingLoss(KeypointLayer(parts.body), parts.recipe, parts.average)
    return Trainee(parts.network, dense=parts.recipe.dense.on), loss.to(parts.fabric.device)


sys.modules[__name__].__class__ = CallableModule
