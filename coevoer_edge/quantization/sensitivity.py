"""`python -m coevoer_edge.quantization.sensitivity`: the cost of quantizing each layer alone, in millimetres.

In: weights and a recipe. Out: two Markdown tables. The first is of all layers that the recipe quantizes, and of their
weights, inputs and outputs alone: an error that remains where everything else is float cannot be removed by
calibration. The second is of every Linear and Conv2d, the most costly first.

In the second table every other layer stays float, so the figures do not add up to the program's loss; they show which
layers to name in a recipe's `keep_float`, and whether their weights or their activations cause the error. Layers that
the recipe already names there are measured as if it did not.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from coevoer_edge.model import CoEvoer
from coevoer_edge.pipeline.image import Pixels
from coevoer_edge.quantization.recipe import TRUNK, QuantizationRecipe
from coevoer_edge.terminal.console import Command, Steps
from coevoer_edge.terminal.quiet import quietly

with quietly():  # torchao logs at length what it was built without
    from coevoer_edge.quantization.gptq import round_weights
    from coevoer_edge.quantization.pt2e import Calibrated, calibrate, to_tensor
    from coevoer_edge.quantization.rounding import Rounding, gemm, rounding, roundings
    from coevoer_edge.quantization.trial import Request, Trial, VertexLoss, shared_options


@dataclass(frozen=True)
class Sensitivity:
    """One layer, quantized alone."""

    path: str
    loss: VertexLoss  # weights and activations in int8
    of_weights: VertexLoss | None  # weights in int8, activations float; None where it was not measured
    share: float  # of all weights of Linear and Conv2d
    treatment: str  # by the recipe


_KINDS = {
    "weights, inputs and outputs": {},
    "weights": {"data": None, "output": None},
    "inputs and outputs": {"weight": None},
    "inputs": {"weight": None, "output": None},
}
"""Which parts of the layers are rounded, and which parts of a `Rounding` are left out for it."""


def calibrate_all(network: CoEvoer, recipe: QuantizationRecipe, images: Sequence[Pixels]) -> Calibrated:
    """Calibrate every layer, including those that the recipe keeps float.

    Equalisation and smoothing are applied. GPTQ and bias correction are not: weights are rounded to nearest.
    """
    everything = replace(
        recipe, keep_float=(), keep_float_in_trunk=(), weight_rounding="nearest", bias_correction=False
    )
    return calibrate(network, everything, images)


def by_kind(
    calibrated: Calibrated, recipe: QuantizationRecipe, images: Sequence[Pixels], trial: Trial
) -> dict[str, VertexLoss]:
    """The cost of all layers that the recipe quantizes together, by which parts of them are rounded.

    Args:
        calibrated: the result of `calibrate_all`.
        recipe: selects the layers, and decides whether to show their weights rounded by GPTQ as well.
        images: calibration images.
        trial: measures.
    """
    layers = {path: r for path, r in roundings(calibrated.prepared).items() if recipe.treatment(path) == "w8a8"}
    beyond = {path: r for path, r in layers.items() if not path.startswith(TRUNK)}
    chosen = {"": layers} | ({" of all but the trunk": beyond} if len(beyond) < len(layers) else {})

    def loss(network: CoEvoer, layers: Mapping[str, Rounding], left_out: Mapping[str, None]) -> VertexLoss:
        with rounding(network, {path: replace(r, **left_out) for path, r in layers.items()}):
            return trial.loss(network)

    losses: dict[str, VertexLoss] = {}
    for where, some in chosen.items():
        losses |= {kind + where: loss(calibrated.network, some, out) for kind, out in _KINDS.items()}
        if recipe.weight_rounding == "gptq":
            careful = copy.deepcopy(calibrated.network)
            round_weights(careful, some, [to_tensor(image) for image in images])
            losses[f"weights by GPTQ{where}"] = loss(careful, some, _KINDS["weights"])
    return losses


def sensitivity(
    calibrated: Calibrated,
    recipe: QuantizationRecipe,
    trial: Trial,
    steps: Steps | None = None,
    top: int = 20,
) -> list[Sensitivity]:
    """Measure every layer, the largest `loss.all_mm` first; measure the `top` ones with float activations as well.

    The arguments are those of `by_kind`.
    """
    steps = steps or Steps(1, quiet=True)
    layers = roundings(calibrated.prepared)
    sizes = {path: gemm(calibrated.network, path).weight.numel() for path in layers}
    total = sum(sizes.values())

    def alone(path: str, layer: Rounding) -> VertexLoss:
        with rounding(calibrated.network, {path: layer}):
            return trial.loss(calibrated.network)

    losses = {path: alone(path, layers[path]) for path in steps.track(list(layers))}
    costliest = sorted(losses, key=lambda path: losses[path].all_mm, reverse=True)
    without = {path: alone(path, replace(layers[path], data=None, output=None)) for path in costliest[:top]}
    return [
        Sensitivity(path, losses[path], without.get(path), sizes[path] / total, recipe.treatment(path))
        for path in costliest
    ]


def kinds_as_markdown(losses: Mapping[str, VertexLoss]) -> str:
    """A table, mm."""
    lines = ["| Rounded to int8 | all | hand | face |", "|---|---:|---:|---:|"]
    return "\n".join(lines + [f"| {kind} | {loss.cells()} |" for kind, loss in losses.items()])


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
@click.option("--top", type=click.IntRange(min=0), default=20, show_default=True, help="How many layers to print.")
def command(checkpoint: Path | None, model: str | None, recipe: str, num_images: int, quiet: bool, top: int) -> None:
    """Print the cost of quantizing each layer alone, in mm of mean vertex distance."""
    steps = Steps(3, quiet=quiet)
    steps.step("Load weights")
    request = Request.open(checkpoint, model, recipe, num_images)
    steps.step("Calibrate")
    calibrated = calibrate_all(request.network, request.recipe, request.calibration)
    together = by_kind(calibrated, request.recipe, request.calibration, request.trial)
    click.echo(f"{request.heading()}\n\n{kinds_as_markdown(together)}\n")
    if top:
        steps.step("Quantize one layer at a time")
        click.echo(as_markdown(sensitivity(calibrated, request.recipe, request.trial, steps, top)[:top]))


if __name__ == "__main__":
    command(prog_name="python -m coevoer_edge.quantization.sensitivity")
