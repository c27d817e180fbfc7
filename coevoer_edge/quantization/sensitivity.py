"""`python -m coevoer_edge.quantization.sensitivity`: what each layer's quantization alone costs, in millimetres.

In: weights and a recipe. Out: every Linear and Conv2d, the costliest first, as a Markdown table.

Every other layer stays float, so the figures do not add up to the program's loss; they tell which layers to name in a
recipe's `keep_float`, and whether their weights or their activations are to blame. Layers that the recipe names there
are measured as if it did not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from coevoer_edge.console import Command, Steps
from coevoer_edge.image import Pixels
from coevoer_edge.model import CoEvoer
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.quiet import quietly

with quietly():  # torchao says at length what it was built without
    from coevoer_edge.quantization.pt2e import calibrate
    from coevoer_edge.quantization.rounding import Rounding, gemm, rounding, roundings
    from coevoer_edge.quantization.trial import Loss, Request, Trial, shared_options


@dataclass(frozen=True)
class Sensitivity:
    """One layer, quantized alone."""

    path: str
    loss: Loss  # weights and activations in int8
    of_weights: Loss | None  # weights in int8, activations float; None where it was not measured
    share: float  # of all weights of Linear and Conv2d
    treatment: str  # by the recipe


def sensitivity(
    network: CoEvoer,
    recipe: QuantizationRecipe,
    calibration: Sequence[Pixels],
    trial: Trial,
    steps: Steps | None = None,
    top: int = 20,
) -> list[Sensitivity]:
    """Measure every layer; the largest `loss.all_mm` first, the `top` ones also with float activations.

    Equalisation and smoothing are in force. Bias correction is not: it makes up for all layers at once.
    """
    steps = steps or Steps(1, quiet=True)
    everything = replace(recipe, keep_float=(), keep_float_in_trunk=(), bias_correction=False)
    calibrated = calibrate(network, everything, calibration)
    layers = roundings(calibrated.prepared)
    sizes = {path: gemm(calibrated.network, path).weight.numel() for path in layers}
    total = sum(sizes.values())

    def alone(path: str, layer: Rounding) -> Loss:
        with rounding(calibrated.network, {path: layer}):
            return trial.loss(calibrated.network)

    losses = {path: alone(path, layers[path]) for path in steps.track(list(layers))}
    costliest = sorted(losses, key=lambda path: losses[path].all_mm, reverse=True)
    without = {path: alone(path, replace(layers[path], data=None, output=None)) for path in costliest[:top]}
    return [
        Sensitivity(path, losses[path], without.get(path), sizes[path] / total, recipe.treatment(path))
        for path in costliest
    ]


def as_markdown(rows: Sequence[Sensitivity]) -> str:
    """A table, mm."""
    lines = [
        "| Layer | all | hand | face | of the weights: all | hand | face | weights, % | recipe |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        of_weights = row.of_weights.cells() if row.of_weights else "- | - | -"
        figures = f"{row.loss.cells()} | {of_weights} | {100 * row.share:.2f}"
        lines.append(f"| `{row.path}` | {figures} | {row.treatment} |")
    return "\n".join(lines)


@click.command(cls=Command, name="sensitivity")
@shared_options
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True, help="Print so many layers.")
def command(checkpoint: Path | None, model: str | None, recipe: str, num_images: int, quiet: bool, top: int) -> None:
    """Print what each layer's quantization alone costs in mm of mean vertex distance."""
    steps = Steps(2, quiet=quiet)
    steps.step("Load weights")
    request = Request.open(checkpoint, model, recipe, num_images)
    steps.step("Quantize one layer at a time")
    rows = sensitivity(request.network, request.recipe, request.calibration, request.trial, steps, top)
    click.echo(f"{request.heading()}\n\n{as_markdown(rows[:top])}")


if __name__ == "__main__":
    command(prog_name="python -m coevoer_edge.quantization.sensitivity")
