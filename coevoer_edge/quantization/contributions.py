"""`python -m coevoer_edge.quantization.contributions`: the gain of each quantization measure, in millimetres.

In: weights and a recipe. Out: one row per measure, as a Markdown table; each row is a complete quantized program.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from coevoer_edge.errors import InputError
from coevoer_edge.model import CoEvoer
from coevoer_edge.pipeline.image import Pixels
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.terminal.console import Command, Steps
from coevoer_edge.terminal.quiet import quietly

with quietly():  # torchao logs at length what it was built without
    from coevoer_edge.quantization.pt2e import quantize
    from coevoer_edge.quantization.trial import Request, Trial, VertexLoss, shared_options

BASE: Mapping[str, Any] = {
    "activation_observer": "minmax",
    "smoothing_alphas": (),
    "equalisation_alphas": (),
    "weight_rounding": "nearest",
    "bias_correction": False,
}
"""Everything off."""

_ALPHAS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)

MEASURES: Mapping[str, Mapping[str, Any]] = {
    "min-max ranges only": {},
    "torchao's histogram ranges": {"activation_observer": "histogram"},
    "ranges of the 99.99th percentile": {"activation_observer": "percentile", "activation_percentile": 99.99},
    "ranges of the 99.9th percentile": {"activation_observer": "percentile", "activation_percentile": 99.9},
    "ranges of least squared error": {"activation_observer": "mse"},
    "smoothing, alpha 0.5": {"smoothing_alphas": (0.5,)},
    "smoothing, best alpha for each norm": {"smoothing_alphas": _ALPHAS},
    "equalisation, alpha 0.5": {"equalisation_alphas": (0.5,)},
    "equalisation, alpha 0.8": {"equalisation_alphas": (0.8,)},
    "equalisation, best alpha for each pair": {"equalisation_alphas": _ALPHAS},
    "bias correction": {"bias_correction": True},
    "weights rounded by GPTQ": {"weight_rounding": "gptq"},
    "least squared error and bias correction": {"activation_observer": "mse", "bias_correction": True},
    "least squared error and GPTQ": {"activation_observer": "mse", "weight_rounding": "gptq"},
    "least squared error, equalisation 0.8 and GPTQ": {
        "activation_observer": "mse",
        "equalisation_alphas": (0.8,),
        "weight_rounding": "gptq",
    },
    "the same, smoothing 0.5 and bias correction": {
        "activation_observer": "mse",
        "smoothing_alphas": (0.5,),
        "equalisation_alphas": (0.8,),
        "weight_rounding": "gptq",
        "bias_correction": True,
    },
}
"""Fields that differ from `BASE`, by the row's name."""

RECIPE = "the recipe as it stands"


@dataclass(frozen=True)
class Contribution:
    """One quantized program."""

    name: str
    loss: VertexLoss
    seconds: float  # to calibrate and convert


def ablation(
    network: CoEvoer,
    recipes: Mapping[str, QuantizationRecipe],
    calibration: Sequence[Pixels],
    trial: Trial,
    steps: Steps | None = None,
) -> list[Contribution]:
    """Quantize with each recipe and measure the program."""
    steps = steps or Steps(1, quiet=True)
    rows = []
    for name in steps.track(list(recipes)):
        start = time.perf_counter()
        program = quantize(network, recipes[name], calibration)
        seconds = time.perf_counter() - start
        rows.append(Contribution(name, trial.loss(program.module(), batch=1), seconds))
    return rows


def variants(recipe: QuantizationRecipe) -> dict[str, QuantizationRecipe]:
    """The recipe with each measure alone, and the recipe itself last; its layers and image count are kept."""
    base = replace(recipe, **BASE)
    made = {name: replace(base, **changes) for name, changes in MEASURES.items()}
    return made | {RECIPE: recipe}


def as_markdown(rows: Sequence[Contribution]) -> str:
    """A table, mm and seconds."""
    lines = ["| Measure | all | hand | face | seconds |", "|---|---:|---:|---:|---:|"]
    lines += [f"| {row.name} | {row.loss.cells()} | {row.seconds:.0f} |" for row in rows]
    return "\n".join(lines)


@click.command(cls=Command, name="ablation")
@shared_options
@click.option(
    "--row", "names", multiple=True, metavar="NAME", help="Measure only rows whose name contains this; repeatable."
)
def command(
    checkpoint: Path | None, model: str | None, recipe: str, num_images: int, quiet: bool, names: tuple[str, ...]
) -> None:
    """Print the mean vertex distance of the quantized program from the float network, one row per measure."""
    steps = Steps(2, quiet=quiet)
    steps.step("Load weights")
    request = Request.open(checkpoint, model, recipe, num_images)
    recipes = _chosen(variants(request.recipe), names)
    steps.step(f"Quantize with {len(recipes)} recipes")
    rows = ablation(request.network, recipes, request.calibration, request.trial, steps)
    click.echo(f"{request.heading()}\n\n{as_markdown(rows)}")


def _chosen(recipes: Mapping[str, QuantizationRecipe], names: Sequence[str]) -> dict[str, QuantizationRecipe]:
    for name in names:
        if not any(name in row for row in recipes):
            raise InputError(f"No row's name contains {name!r}; rows: {'; '.join(recipes)}.")
    return {row: recipe for row, recipe in recipes.items() if not names or any(name in row for name in names)}


if __name__ == "__main__":
    command(prog_name="python -m coevoer_edge.quantization.contributions")
