"""The parts that `train` and `distill` share: options, recipe, processes, and the report at the end of a run.

In: the command line's values. Out: `Settings`, the recipe, a launched `Fabric`, the last lines of output.
"""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coevoer_edge.errors import InputError, PlatformError
from coevoer_edge.terminal.console import JSON_OPTION, Steps, print_json
from coevoer_edge.terminal.device import DEVICE_HELP, find_device
from coevoer_edge.training.recipe import Augmentation, TrainingRecipe, names

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from coevoer_edge.training.run_folder import RunFolder


@dataclass(frozen=True)
class Settings:
    """How a network is trained: the options of `train` and `distill` by name. None means the recipe's value.

    Raises:
        InputError: a number is out of range.
    """

    model: str | None = None  # coevoer-t (the default), -s, -b or -l
    init: Path | None = None  # weights to start from (.safetensors); None: random ones
    grow: bool = False  # `init` has weights of a smaller model, which are grown into `model`
    enhancer: bool = True  # False: Table 4's variant without it
    foreground: bool = True  # False: Table 4's variant without Portrait Foreground Extraction
    recipe: str | None = None  # a name or a .toml file; None: scratch
    data: str = "synthetic"  # or a folder of rendered samples, or NAME:FOLDER of a licensed dataset
    steps: int | None = None
    batch_size: int | None = None  # images of all processes together
    precision: str | None = None  # fp32 or bf16
    augmentation: bool = True  # False: use images unchanged
    seed: int | None = None  # for weights, order and augmentation; None: 0
    device: str | None = None  # one of DEVICES; None: cuda if there is one
    devices: int = 1  # number of training processes
    num_workers: int = 0  # data loading processes per training process
    body: Path | None = None  # the user's SMPL-X file; None: the open body
    output_dir: Path | None = None  # None: runs/{model}
    resume: bool = False  # continue the run in the output folder
    max_minutes: float | None = None  # stop after this time, with a checkpoint
    compile: bool = False  # torch.compile
    quiet: bool = False
    as_json: bool = False  # print only the results, as JSON, on stdout

    def __post_init__(self) -> None:
        for name in ("init", "body", "output_dir"):
            if isinstance(path := getattr(self, name), str):
                object.__setattr__(self, name, Path(path))
        least = {"steps": 1, "batch_size": 1, "devices": 1, "num_workers": 0, "seed": 0}
        for name, lowest in least.items():
            if (value := getattr(self, name)) is not None and value < lowest:
                raise InputError(f"The training option {name} is {value}; it must be at least {lowest}.")
        if self.max_minutes is not None and not self.max_minutes > 0:
            raise InputError(f"The training option max_minutes is {self.max_minutes}; it must be above 0.")


def settings_of(settings: Settings | None, options: Mapping[str, Any]) -> Settings:
    """Settings with options changed by name; None starts from the defaults with `quiet` on.

    Raises:
        InputError: an option is unknown, or a number is out of range.
    """
    known = [field.name for field in fields(Settings)]
    for name in options:
        if name not in known:
            raise InputError(f"There is no training option {name!r}; valid are {', '.join(known)}.")
    return replace(settings or Settings(quiet=True), **options)


def switch_off(name: str, help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The switch `--no-NAME` for a field of `Settings` that is True by default."""
    return click.option(
        f"--no-{name}", name, is_flag=True, callback=lambda _context, _switch, given: not given, help=help
    )


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of both commands, each under the name of a field of `Settings`."""
    path = click.Path(path_type=Path)
    options = (
        click.option("--recipe", help=f"Recipe: {', '.join(names())}, or your own .toml file.  [default: scratch]"),
        click.option(
            "--data",
            default="synthetic",
            show_default=True,
            help="Dataset: synthetic, a folder of rendered samples, ubody:FOLDER or agora:FOLDER.",
        ),
        click.option("--steps", type=click.IntRange(min=1), help="Override the recipe's number of steps."),
        click.option(
            "--batch-size", type=click.IntRange(min=1), help="Override the recipe's batch size (all processes)."
        ),
        click.option("--precision", help="Override the recipe's precision: fp32 or bf16."),
        switch_off("augmentation", "Disable augmentation."),
        click.option(
            "--seed", type=click.IntRange(min=0), help="Seed for weights, order and augmentation.  [default: 0]"
        ),
        click.option("--device", help=DEVICE_HELP),
        click.option(
            "--devices", type=click.IntRange(min=1), default=1, show_default=True, help="Number of training processes."
        ),
        click.option(
            "--num-workers",
            type=click.IntRange(min=0),
            default=0,
            help="Number of data loading processes per training process.",
        ),
        click.option("--body", type=path, help="Your own SMPLX_NEUTRAL.npz instead of the open body."),
        click.option("-o", "--output-dir", type=path, help="Run folder.  [default: runs/{model}]"),
        click.option("--resume", is_flag=True, help="Continue the run in the output folder."),
        click.option(
            "--max-minutes",
            type=click.FloatRange(min=0, min_open=True),
            help="Stop after this time, with a checkpoint.",
        ),
        click.option("--compile", is_flag=True, help="Compile the network (torch.compile)."),
        JSON_OPTION,
        click.option("--quiet", is_flag=True, help="Print errors only."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def is_first_process() -> bool:
    """Whether this is the process that reports; Fabric starts the others with LOCAL_RANK set."""
    return int(os.environ.get("LOCAL_RANK", "0")) == 0


def chosen_recipe(settings: Settings, saved: dict[str, Any] | None) -> TrainingRecipe:
    """The recipe with the command line's changes, or the saved recipe if a run is resumed.

    Raises:
        InputError: the request contradicts the resumed run. Only `--steps` may change.
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
            f"The run was started with another recipe (these keys differ: {keys}); omit --recipe, --batch-size, "
            "--precision and --no-augmentation when you use --resume, or begin a run in another --output-dir."
        )
    return replace(before, steps=steps)


def same_or_refuse(what: str, given: Any, saved: Any) -> Any:
    """The saved value of an option, which the command line may only repeat."""
    if given is not None and given != saved:
        raise InputError(f"{what} is {given}, but the run was started with {saved}; omit {what} when you use --resume.")
    return saved


def launch(settings: Settings, recipe: TrainingRecipe) -> "Fabric":
    """Start the processes.

    Raises:
        InputError: the device is unknown, or is a single numbered one although there are several processes.
        PlatformError: the device is not available, or Lightning Fabric is not installed.
    """
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise PlatformError("Training needs Lightning Fabric; run `pip install 'coevoer-edge[train]'`.") from error

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it repeats what our own steps print
    accelerator, devices = _accelerator(settings)
    strategy = "ddp" if settings.devices > 1 else "auto"
    precision = {"fp32": "32-true", "bf16": "bf16-mixed"}[recipe.precision]
    fabric = Fabric(accelerator=accelerator, devices=devices, strategy=strategy, precision=precision)  # type: ignore[arg-type]
    fabric.launch()
    return fabric


def _accelerator(settings: Settings) -> tuple[str, int | list[int]]:
    """Fabric's arguments for `--device` and `--devices`: a kind, and a number of devices or a list with one index."""
    kind, _, number = find_device(settings.device).partition(":")
    if not number:
        return kind, settings.devices
    if settings.devices > 1:
        raise InputError(
            f"--device {settings.device} is one device, but --devices requests {settings.devices} processes; "
            f"omit --devices, or give --device {kind}."
        )
    return kind, [int(number)]


def report(
    folder: "RunFolder", reached: int, recipe: TrainingRecipe, settings: Settings, command: str, steps: Steps
) -> None:
    """Print the files that were written and the next command."""
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
        print_json({"output": str(folder.path), "step": reached, "steps": recipe.steps, "last": losses})
