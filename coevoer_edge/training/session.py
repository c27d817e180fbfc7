"""What `train` and `distill` do alike: options, recipe, processes, a run's beginning and end.

In: the command line's values. Out: `Settings`, a launched `Fabric`, the network to start from, the last lines.
"""

import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coevoer_edge.errors import InputError, PlatformError
from coevoer_edge.terminal.console import Steps
from coevoer_edge.terminal.device import DEVICE_HELP, find_device
from coevoer_edge.training.recipe import Augmentation, TrainingRecipe, names

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from coevoer_edge.training.run_folder import RunFolder


@dataclass(frozen=True)
class Settings:
    """How a network is trained: the options of `train` and `distill`, under the same names. None: the recipe's value.

    Raises:
        InputError: a number out of range.
    """

    model: str | None = None  # coevoer-t (the default), -s, -b or -l
    init: Path | None = None  # weights to start from (.safetensors); None: random ones
    grow: bool = False  # those of `init` are a smaller model's
    enhancer: bool = True  # False: Table 4's variant without it
    foreground: bool = True  # False: Table 4's variant without Portrait Foreground Extraction
    recipe: str | None = None  # by name, or a .toml; None: scratch
    data: str = "synthetic"  # or a folder, or a dataset
    steps: int | None = None
    batch_size: int | None = None  # images of all processes together
    precision: str | None = None  # fp32 or bf16
    augmentation: bool = True  # False: every image as it is
    seed: int | None = None  # of weights, order and augmentation; None: 0
    device: str | None = None  # one of DEVICES; None: cuda where there is one
    devices: int = 1  # processes
    num_workers: int = 0  # data loading processes of each
    body: Path | None = None  # the user's SMPL-X; None: the open body
    output_dir: Path | None = None  # None: runs/{model}
    resume: bool = False  # continue the run in the output folder
    max_minutes: float | None = None  # stop with a checkpoint
    compile: bool = False  # torch.compile
    quiet: bool = False
    as_json: bool = False  # print the results as JSON alone on stdout

    def __post_init__(self) -> None:
        for name in ("init", "body", "output_dir"):
            if isinstance(path := getattr(self, name), str):
                object.__setattr__(self, name, Path(path))
        least = {"steps": 1, "batch_size": 1, "devices": 1, "num_workers": 0, "seed": 0}
        for name, lowest in least.items():
            if (value := getattr(self, name)) is not None and value < lowest:
                raise InputError(f"The training option {name} is {value}; give {lowest} or more.")
        if self.max_minutes is not None and not self.max_minutes > 0:
            raise InputError(f"The training option max_minutes is {self.max_minutes}; give a number above 0.")


def settings_of(settings: Settings | None, options: Mapping[str, Any]) -> Settings:
    """Settings with options changed by name; None begins with the defaults, and says nothing on the terminal.

    Raises:
        InputError: an option that there is not, or a number out of range.
    """
    known = [field.name for field in fields(Settings)]
    for name in options:
        if name not in known:
            raise InputError(f"There is no training option {name!r}; valid: {', '.join(known)}.")
    return replace(settings or Settings(quiet=True), **options)


def switch_off(name: str, help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The switch `--no-NAME` for a field of `Settings` that is True without it."""
    return click.option(
        f"--no-{name}", name, is_flag=True, callback=lambda _context, _switch, given: not given, help=help
    )


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of both commands, each under the name of a field of `Settings`."""
    path = click.Path(path_type=Path)
    options = (
        click.option("--recipe", help=f"{', '.join(names())}, or your own .toml file.  [default: scratch]"),
        click.option("--data", default="synthetic", show_default=True, help="Data set: synthetic, or a folder."),
        click.option("--steps", type=click.IntRange(min=1), help="Override the recipe's number of steps."),
        click.option(
            "--batch-size", type=click.IntRange(min=1), help="Override the recipe's batch size (all processes)."
        ),
        click.option("--precision", help="Override the recipe's precision: fp32 or bf16."),
        switch_off("augmentation", "Augment no image."),
        click.option(
            "--seed", type=click.IntRange(min=0), help="Seed for weights, order and augmentation.  [default: 0]"
        ),
        click.option("--device", help=DEVICE_HELP),
        click.option(
            "--devices", type=click.IntRange(min=1), default=1, show_default=True, help="Number of processes."
        ),
        click.option("--num-workers", type=click.IntRange(min=0), default=0, help="Data loading processes of each."),
        click.option("--body", type=path, help="Your own SMPLX_NEUTRAL.npz instead of the open body."),
        click.option("-o", "--output-dir", type=path, help="Run folder.  [default: runs/{model}]"),
        click.option("--resume", is_flag=True, help="Continue the run in the output folder."),
        click.option(
            "--max-minutes", type=click.FloatRange(min=0, min_open=True), help="Stop then, with a checkpoint."
        ),
        click.option("--compile", is_flag=True, help="Compile the network (torch.compile)."),
        click.option(
            "--json", "as_json", is_flag=True, help="Print a JSON document on stdout, and nothing else there."
        ),
        click.option("--quiet", is_flag=True, help="Print errors only."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def is_first_process() -> bool:
    """Whether this is the process that speaks: Fabric starts the others with LOCAL_RANK set."""
    return int(os.environ.get("LOCAL_RANK", "0")) == 0


def chosen_recipe(settings: Settings, saved: dict[str, Any] | None) -> TrainingRecipe:
    """The recipe with the command line's changes; on resuming, the saved one.

    Raises:
        InputError: the request contradicts the run that it resumes. Only `--steps` may change.
    """
    given = {key: getattr(settings, key) for key in ("steps", "batch_size", "precision")}
    changes = {key: value for key, value in given.items() if value is not None}
    if not settings.augmentation:
        changes["augmentation"] = Augmentation()
    if saved is None:
        return replace(TrainingRecipe.open(settings.recipe or "scratch"), **changes)
    before = TrainingRecipe.of(saved, "Recipe of the checkpoint")
    asked = replace(before if settings.recipe is None else TrainingRecipe.open(settings.recipe), **changes)
    steps = asked.steps if settings.steps else before.steps
    if replace(asked, steps=before.steps) != before:
        table, other = asked.table(), before.table()
        keys = ", ".join(key for key in table if table[key] != other[key] and key != "steps")
        raise InputError(
            f"The run was begun with another recipe ({keys} differ); leave --recipe, --batch-size, --precision and "
            "--no-augmentation out with --resume, or begin a run in another --output-dir."
        )
    return replace(before, steps=steps)


def same_or_refuse(what: str, given: Any, saved: Any) -> Any:
    """The saved value of an option, which the command line may only repeat."""
    if given is not None and given != saved:
        raise InputError(
            f"{what} {given} contradicts the run, which was begun with {saved}; leave it out with --resume."
        )
    return saved


def launch(settings: Settings, recipe: TrainingRecipe) -> "Fabric":
    """Start the processes.

    Raises:
        InputError: an unknown device, or a numbered one for several processes.
        PlatformError: no such device here, or no Lightning Fabric.
    """
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise PlatformError("Training needs Lightning Fabric; run `pip install 'coevoer-edge[train]'`.") from error

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces what our own steps say
    accelerator, devices = _accelerator(settings)
    strategy = "ddp" if settings.devices > 1 else "auto"
    precision = {"fp32": "32-true", "bf16": "bf16-mixed"}[recipe.precision]
    fabric = Fabric(accelerator=accelerator, devices=devices, strategy=strategy, precision=precision)  # type: ignore[arg-type]
    fabric.launch()
    return fabric


def _accelerator(settings: Settings) -> tuple[str, int | list[int]]:
    """Fabric's words for `--device` and `--devices`: a kind, and how many of it or which one."""
    kind, _, number = find_device(settings.device).partition(":")
    if not number:
        return kind, settings.devices
    if settings.devices > 1:
        raise InputError(
            f"--device {settings.device} is one device, and --devices asks for {settings.devices} processes; "
            f"leave --devices out, or give --device {kind}."
        )
    return kind, [int(number)]


def report(
    folder: "RunFolder", reached: int, recipe: TrainingRecipe, settings: Settings, command: str, steps: Steps
) -> None:
    """Name what was written and the next command."""
    from coevoer_edge.training.run_folder import CHECKPOINT, CURVES, LOG, WEIGHTS

    weights = folder.path / WEIGHTS
    steps.result(f"Wrote {weights} ({weights.stat().st_size / 1e6:.1f} MB, step {reached} of {recipe.steps})")
    steps.result(f"  {', '.join(str(folder.path / name) for name in (CHECKPOINT, LOG, CURVES))}")
    if reached < recipe.steps:
        steps.result(f"Next: {command} --resume -o {folder.path}")
    else:
        steps.result(f"Next: python -m coevoer_edge.evaluate --checkpoint {weights}")
    if settings.as_json and is_first_process():
        losses: dict[str, Any] = next((line for line in reversed(folder.lines()) if "total" in line), {})
        click.echo(json.dumps({"output": str(folder.path), "step": reached, "steps": recipe.steps, "last": losses}))
