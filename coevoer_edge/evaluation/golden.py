"""Measure the distance of the quantized program and the artifact from the float network over the golden images.

In: outputs of the three on the same images. Out: `GoldenParity`: errors by output, and mean vertex distance by part.

The float network is the reference. Two INT8 runtimes differ from each other by about as much as each differs from
float, because their rounding errors are uncorrelated. So the limit on an artifact's distance from float is relative to
the quantized program's.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coevoer_edge import contract, recipes
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.bundle.manifest import CheckEntry, PairEntry, ParityEntry
from coevoer_edge.pipeline.image import Pixels
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.runtime.protocol import Outputs

Network = Callable[[Any], Outputs]

GOLDEN_IN_BUNDLE = 8
"""The number of golden images in a bundle; they are the first ones."""

ROUNDING = 1e-5
"""float32 rounding through a network, absolute for values up to 1 and relative above: a smaller error counts as
this."""

SKIPPED = ParityEntry("skipped")
"""The manifest's entry for a parity that `export --skip-parity` did not measure."""

BUDGETS = "quantization/budgets"
DEFAULT_BUDGET = "default"


@dataclass(frozen=True)
class Ratio:
    """The ratio of two mean errors over the same images."""

    value: float
    standard_error: float  # due to the choice of images

    @property
    def at_least(self) -> float:
        """The value that the images establish: two standard errors below the ratio."""
        return self.value - 2 * self.standard_error


@dataclass(frozen=True)
class GoldenParity:
    """Distances from the float network over a set of images, by output."""

    images: int
    runtime: str  # backend that ran the artifact
    kind: Literal["runtime", "reference"]  # "reference" if the real one does not run here
    quantized_error: dict[str, float]  # root mean square over elements, mean over images
    artifact_error: dict[str, float]
    ratio: dict[str, Ratio]  # artifact error over quantized error; also for "all"
    self_check: float  # `self_check_ratio` over the images of the bundle
    scale: dict[str, float]  # size of the float output, computed like the errors
    quantized_vertices_mm: dict[str, float]  # mean vertex distance, aligned at the pelvis
    artifact_vertices_mm: dict[str, float]

    def faults(self, recipe: QuantizationRecipe) -> list[str]:
        """The violations of the recipe's limits as text; empty when there are none."""
        if recipe.precision == "w8a8":
            held = [(name, ratio.at_least, recipe.max_error_ratio) for name, ratio in self.ratio.items()]
            held.append((f"the self-check of {GOLDEN_IN_BUNDLE} images", self.self_check, recipe.max_self_check_ratio))
            return [
                f"{name} is {ratio:.2f} times as far from float as the quantized program is (limit {limit})"
                for name, ratio, limit in held
                if not ratio <= limit  # NaN fails
            ]
        return [
            f"{name} is off by {relative:.2g} of its size (limit {recipe.max_relative_error})"
            for name, error in self.artifact_error.items()
            if not (relative := over(error, self.scale[name], 0.0)) <= recipe.max_relative_error
        ]

    def lowering(self, recipe: QuantizationRecipe) -> CheckEntry:
        """The artifact against the quantized program: the error that lowering added."""
        if recipe.precision == "w8a8":
            return _check(self.ratio["all"].value, "times the quantized program's error", recipe.max_error_ratio)
        relative = [over(error, self.scale[name], 0.0) for name, error in self.artifact_error.items()]
        return _check(max(relative), "of an output's size", recipe.max_relative_error)

    def quantization(self) -> CheckEntry:
        """The quantized program against the float network: mean vertex distance, checked against the default budget."""
        return _check(self.quantized_vertices_mm["all"], "mm", quantization_limit_mm())

    def entry(self, recipe: QuantizationRecipe) -> ParityEntry:
        """The manifest's entry, with ratios if there is a quantized program."""
        ratio, spread, self_check = None, None, None
        if recipe.precision == "w8a8":
            ratio = _rounded({name: ratio.value for name, ratio in self.ratio.items()})
            spread = _rounded({name: ratio.standard_error for name, ratio in self.ratio.items()})
            self_check = float(f"{self.self_check:.3g}")
        return ParityEntry(
            verdict="fail" if self.faults(recipe) else "pass",
            images=self.images,
            runtime=self.runtime,
            kind=self.kind,
            mean_vertex_distance_mm=PairEntry(
                _rounded(self.quantized_vertices_mm), _rounded(self.artifact_vertices_mm)
            ),
            rms_error=PairEntry(_rounded(self.quantized_error), _rounded(self.artifact_error), ratio, spread),
            self_check_ratio=self_check,
            lowering=self.lowering(recipe),
            quantization=self.quantization() if recipe.precision == "w8a8" else None,
        )


def quantization_limit_mm() -> float:
    """The default budget's limit for the quantized program: mean vertex distance from float, all vertices."""
    limits = recipes.read(BUDGETS, DEFAULT_BUDGET)["limit"]
    wanted = {"step": "quantization", "figure": "mpvpe_mm.all", "statistic": "mean"}
    (limit,) = (each["limit"] for each in limits if wanted.items() <= each.items())
    return float(limit)


def _check(figure: float, unit: str, limit: float) -> CheckEntry:
    return CheckEntry(float(f"{figure:.3g}"), unit, limit, "pass" if figure <= limit else "over")  # NaN is over


def over(error: float, unit: float, both_zero: float) -> float:
    """An error relative to `unit`; infinite if only the unit is 0, and `both_zero` if both are."""
    if unit:
        return error / unit
    return math.inf if error else both_zero


def with_mirrors(images: Sequence[Pixels]) -> tuple[Pixels, ...]:
    """The images and their mirror images; these sample the rounding noise again, so ratios of errors vary less."""
    return (*images, *(np.ascontiguousarray(image[:, ::-1]) for image in images))


def golden_parity(
    float_outputs: Sequence[Outputs],
    quantized_outputs: Sequence[Outputs],
    artifact_outputs: Sequence[Outputs],
    body: BodyModel,
    runtime: str,
    kind: Literal["runtime", "reference"],
) -> GoldenParity:
    """Compare three sets of outputs on the same images."""
    meshes = [_mesh(outputs, body) for outputs in float_outputs]
    return GoldenParity(
        images=len(float_outputs),
        runtime=runtime,
        kind=kind,
        quantized_error=mean_rms(quantized_outputs, float_outputs),
        artifact_error=mean_rms(artifact_outputs, float_outputs),
        ratio=error_ratio(artifact_outputs, quantized_outputs, float_outputs),
        self_check=self_check_ratio(
            *(outputs[:GOLDEN_IN_BUNDLE] for outputs in (artifact_outputs, quantized_outputs, float_outputs))
        ),
        scale=sizes(float_outputs),
        quantized_vertices_mm=_distances_mm(quantized_outputs, meshes, body),
        artifact_vertices_mm=_distances_mm(artifact_outputs, meshes, body),
    )


def mean_rms(outputs: Sequence[Outputs], reference: Sequence[Outputs]) -> dict[str, float]:
    """Root mean square of the difference by output over its elements, mean over images.

    The mean over images is not a root mean square: the worst of 256 images is up to 45 times as far off as the median,
    so that the rounding noise of a few images would decide a ratio.
    """
    return {name: float(errors.mean()) for name, errors in _rms(outputs, reference).items()}


def _rms(outputs: Sequence[Outputs], reference: Sequence[Outputs]) -> dict[str, NDArray[np.float64]]:
    """Root mean square of the difference by output: (N,), one number per image."""
    pairs = list(zip(outputs, reference, strict=True))
    return {
        name: np.array([np.sqrt(np.mean(np.square(a[name] - b[name], dtype=np.float64))) for a, b in pairs])
        for name in contract.OUTPUT_NAMES
    }


def error_ratio(
    artifact: Sequence[Outputs], quantized: Sequence[Outputs], exact: Sequence[Outputs]
) -> dict[str, Ratio]:
    """The artifact's distance from float over the quantized program's, by output; 1 where both are exact.

    `all` combines the outputs, each in units of the quantized program's mean error.
    """
    found, allowed = _rms(artifact, exact), _rms(quantized, exact)
    ratios = {name: _ratio(errors, allowed[name]) for name, errors in found.items()}
    units = {name: errors.mean() for name, errors in allowed.items() if errors.mean()}
    together = [sum(errors[name] / unit for name, unit in units.items()) for errors in (found, allowed)]
    return ratios | {"all": _ratio(*together) if units else Ratio(1.0, 0.0)}


def _ratio(found: Any, allowed: Any) -> Ratio:
    """The ratio of means over N images, with the standard error of a ratio estimate (Cochran 1977, section 2.11)."""
    value, images = over(float(found.mean()), float(allowed.mean()), 1.0), len(found)
    if not allowed.mean() or images < 2:
        return Ratio(value, 0.0)
    spread = float(np.sum((found - value * allowed) ** 2)) / (images - 1) / images
    return Ratio(value, math.sqrt(spread) / float(allowed.mean()) if math.isfinite(spread) else 0.0)


def self_check_ratio(artifact: Sequence[Outputs], quantized: Sequence[Outputs], exact: Sequence[Outputs]) -> float:
    """Error of the artifact over that of the quantized program, geometric mean over images and outputs.

    Of the means that were tried over eight images it varies least (docs/pipeline.md, section 9).
    """
    found, allowed, size = _rms(artifact, exact), _rms(quantized, exact), sizes(exact)
    least = {name: ROUNDING * max(1.0, size[name]) for name in found}
    logs = [np.log(np.maximum(found[n], least[n]) / np.maximum(allowed[n], least[n])) for n in found]  # N each
    return float(np.exp(np.mean(logs)))


def sizes(outputs: Sequence[Outputs]) -> dict[str, float]:
    """Root mean square by output over its elements, mean over images."""
    return mean_rms(outputs, [{name: np.zeros_like(value) for name, value in each.items()} for each in outputs])


def _mesh(outputs: Outputs, body: BodyModel) -> NDArray[np.floating]:
    """Vertices (V, 3), m, relative to the pelvis: they show pose, shape and expression, but not the camera."""
    posed = body.pose(SmplxParameters.from_outputs(outputs))
    return posed.vertices - posed.joints[:1]


def _distances_mm(
    outputs: Sequence[Outputs], meshes: Sequence[NDArray[np.floating]], body: BodyModel
) -> dict[str, float]:
    distances = [
        np.linalg.norm(_mesh(o, body) - mesh, axis=1) * 1000 for o, mesh in zip(outputs, meshes, strict=True)
    ]  # V each
    mean = np.mean(distances, axis=0)
    return {"all": float(mean.mean())} | {part: float(mean[idx].mean()) for part, idx in body.part_vertices.items()}


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.3g}") for name, value in figures.items()}
