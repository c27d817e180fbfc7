"""One training run from its settings to its folder, shared by `train` and `distill`.

In: `Settings`, and a function that assembles the trainee and its criterion. Out: a run folder.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from coevoer_edge.body.layer import KeypointLayer
from coevoer_edge.body.model import BodyModel
from coevoer_edge.data.record import RecordSource
from coevoer_edge.data.sources import open_source
from coevoer_edge.errors import InputError
from coevoer_edge.model import CoEvoer, build, checkpoint
from coevoer_edge.model.build import refuse_unknown
from coevoer_edge.terminal.console import Steps
from coevoer_edge.terminal.device import find_device
from coevoer_edge.training.augment import Augmenter
from coevoer_edge.training.engine import Criterion, Evaluate, RunOptions, Trainer
from coevoer_edge.training.growth import grow
from coevoer_edge.training.losses import Average, alone
from coevoer_edge.training.optimizers import emulates_bfloat16
from coevoer_edge.training.recipe import TrainingRecipe
from coevoer_edge.training.run_folder import RunFolder
from coevoer_edge.training.session import Settings, chosen_recipe, is_first_process, launch, report, same_or_refuse
from coevoer_edge.training.validation import validation


@dataclass(frozen=True)
class Parts:
    """The parts that a trainee and a criterion are assembled from."""

    network: CoEvoer
    body: BodyModel
    recipe: TrainingRecipe
    fabric: Fabric
    average: Average
    seed: int


Assemble = Callable[[Parts], tuple[nn.Module, Criterion]]
OpenSource = Callable[[str, int, torch.device, BodyModel], RecordSource]


def conduct(
    settings: Settings,
    assemble: Assemble,
    purpose: str,
    command: str,
    evaluate: Evaluate | None = None,
    open_source: OpenSource = open_source,
) -> Path:
    """Train with the given settings and return the run's folder.

    Args:
        settings: the options of the command.
        assemble: makes the module to train and the criterion to minimise.
        purpose: the run's purpose in words; a resumed run must have the same.
        command: the command to name in the last line, for resuming.
        evaluate: computes figures of the network on validation data, every `evaluate_every` steps.
        open_source: opens a dataset by its specification.

    Raises:
        CoEvoerError: the request is invalid, or the loss became non-finite.
    """
    if settings.model is not None:
        refuse_unknown(settings.model)
    folder = RunFolder(settings.output_dir or Path("runs") / (settings.model or checkpoint.DEFAULT_MODEL))
    state = folder.load() if settings.resume else None
    if state is not None:
        settings = continued(settings, state, purpose)
    elif is_first_process():
        folder.refuse_occupied()
    recipe = chosen_recipe(settings, None if state is None else state["recipe"])
    emulated = recipe.precision == "bf16" and emulates_bfloat16(torch.device(find_device(settings.device)))
    fall_back = emulated and settings.precision is None and state is None
    if fall_back:
        recipe = replace(recipe, precision="fp32")
    network = _network(settings)
    body = BodyModel.open(settings.body)

    steps = Steps(3, quiet=settings.quiet or not is_first_process(), json_only=settings.as_json)
    parameters = sum(p.numel() for p in network.parameters())
    steps.step(f"Build {network.name}, {parameters / 1e6:.1f} M parameters; recipe {recipe.name}, {recipe.precision}")
    if fall_back:
        steps.note("This processor only emulates bf16, so the network trains in fp32.", style="bold yellow")
    elif emulated:
        steps.note("This processor only emulates bf16, which is many times slower than fp32.", style="bold yellow")
    fabric = launch(settings, recipe)
    seed = settings.seed or 0
    average = _average_of(fabric) if fabric.world_size > 1 else alone
    trainee, criterion = assemble(Parts(network, body, recipe, fabric, average, seed))

    steps.step(f"Open {settings.data}")
    source = open_source(settings.data, seed, fabric.device, body)
    augmenter = Augmenter(recipe.augmentation, KeypointLayer(body).body, seed).to(fabric.device)
    if evaluate is None and recipe.evaluate_every and fabric.is_global_zero:
        evaluate = validation(settings.data, body, fabric.device)
    options = RunOptions(
        seed=seed,
        purpose=purpose,
        num_workers=settings.num_workers,
        compile=settings.compile,
        max_minutes=settings.max_minutes or math.inf,
        enhancer=settings.enhancer,
        foreground=settings.foreground,
    )
    trainer = Trainer(
        fabric, trainee, criterion, augmenter, source, recipe, folder, options, evaluate=evaluate, steps=steps
    )
    if fabric.is_global_zero:
        folder.begin()
    fabric.barrier()
    if state is not None:
        trainer.resume()
    where = f"{fabric.world_size} x {fabric.device.type}"
    steps.step(f"Train from step {trainer.step} to {recipe.steps}, {recipe.batch_size} images each, on {where}")
    reached = trainer.fit()
    if fabric.is_global_zero:
        report(folder, reached, recipe, settings, command, steps)
    return folder.path


def continued(settings: Settings, state: dict[str, Any], purpose: str) -> Settings:
    """The settings of the resumed run.

    Raises:
        InputError: the command line contradicts them.
    """
    for flag in ("enhancer", "foreground"):
        if state[flag] and not getattr(settings, flag):
            raise InputError(
                f"--no-{flag} is given, but the run was started without it; omit --no-{flag} when you use --resume."
            )
    if purpose != state["purpose"]:
        raise InputError(
            f"The request is to {purpose}, but the run was started to {state['purpose']}; resume it with the command "
            "that started it, or begin a run in another --output-dir."
        )
    return replace(
        settings,
        init=None,
        model=same_or_refuse("--model", settings.model, state["model"]),
        seed=same_or_refuse("--seed", settings.seed, state["seed"]),
        enhancer=state["enhancer"],
        foreground=state["foreground"],
    )


def _network(settings: Settings) -> CoEvoer:
    """A network with seeded random weights, or with those of `--init`."""
    wanted = settings.enhancer, settings.foreground
    if settings.init is None:
        name = settings.model or checkpoint.DEFAULT_MODEL
        return build(name, enhancer=wanted[0], foreground=wanted[1], seed=settings.seed or 0)
    network, origin = checkpoint.load(settings.init, None if settings.grow else settings.model)
    if (origin.enhancer, origin.foreground) != wanted:
        raise InputError(
            f"{settings.init} is a network with enhancer {origin.enhancer} and foreground {origin.foreground}, but "
            f"the request is for {wanted[0]} and {wanted[1]}; change --no-enhancer and --no-foreground, or "
            "give other weights."
        )
    if settings.grow and settings.model is not None:
        return grow(network, settings.model, enhancer=wanted[0], foreground=wanted[1], seed=settings.seed or 0)
    return network


def _average_of(fabric: Fabric) -> Average:
    return lambda values: fabric.all_reduce(values, reduce_op="mean")  # type: ignore[return-value]
