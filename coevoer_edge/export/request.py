"""Turn the names and paths that a user gives to `export` into targets and a quantization recipe.

In: the options of the command or the arguments of `coevoer_edge.export(...)`. Out: parts of an `ExportRequest`. It does
not import torch, so that an invalid request is refused at once.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from coevoer_edge.errors import InputError
from coevoer_edge.lowering.recipe import TARGETS, Target, canonical_target
from coevoer_edge.quantization.recipe import PRECISIONS, QuantizationRecipe


def targets_of(names: Iterable[str]) -> tuple[Target, ...]:
    """Targets by their names and aliases, each once; `all` stands for every one of them.

    Raises:
        InputError: an unknown target, or none at all.
    """
    names = tuple(names)
    chosen = tuple(dict.fromkeys(canonical_target(name) for name in names if name != "all"))
    if not names:
        raise InputError(f"There is no target to export to; give {', '.join(TARGETS)} or all.")
    return TARGETS if "all" in names else chosen


def recipe_of(
    precision: str | None, file: str | Path | None, data: str | Path | None, num_calibration_samples: int | None
) -> QuantizationRecipe:
    """The recipe of a precision that comes with the package, or of a file; the image count is overridden if given.

    Raises:
        InputError: both or an unknown precision, an unusable file, or calibration data for a recipe that needs none.
    """
    if precision is not None and file is not None:
        raise InputError("--precision names a recipe that comes with the package; leave it out with --recipe FILE.")
    if precision is not None and precision not in PRECISIONS:
        raise InputError(f"Unknown precision {precision!r}; valid: {', '.join(PRECISIONS)}.")
    recipe = QuantizationRecipe.open(file or precision or "w8a8")
    if recipe.precision != "w8a8" and (data is not None or num_calibration_samples is not None):
        raise InputError(f"--data and --num-calibration-samples are for w8a8; {recipe.precision} needs no calibration.")
    return replace(recipe, num_calibration_samples=num_calibration_samples) if num_calibration_samples else recipe
