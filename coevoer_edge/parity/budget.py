"""How much each step of the ladder may lose, read from `quantization/budgets/*.toml`.

In: a budget's name or file, figures. Out: `Budget`, and a `Violation` for each figure that is over its limit.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, get_args

from coevoer_edge import contract, recipes
from coevoer_edge.errors import InputError
from coevoer_edge.evaluation.golden import BUDGETS, DEFAULT_BUDGET
from coevoer_edge.evaluation.measure import SETS
from coevoer_edge.parity.result import AppliedLimit, StatisticName, Statistics, Violation
from coevoer_edge.quantization.recipe import PRECISIONS

FIGURES = (
    *(f"{kind}.{part}" for kind in ("mpvpe_mm", "pa_mpvpe_mm") for part in SETS),
    *(f"geodesic_deg.{part}" for part in ("global_orient", "upper_body", "legs", "hands", "jaw")),
    *(f"keypoint_px.{part}" for part in ("all", "body", "hand", "face")),
    *(f"{kind}.{name}" for kind in ("relative_error", "sqnr_db") for name in contract.OUTPUT_NAMES),
)
"""The figures of a `Loss`, in the order of reports."""

ERROR_RATIOS = tuple(f"error_ratio.{name}" for name in (*contract.OUTPUT_NAMES, "all"))
"""The artifact's distance from float over the quantized program's, less two standard errors: the part that the images
establish. It is one number over all images, so its statistic is mean.
"""

WORST_VERTEX = "worst_vertex_mm.all"

_FIGURES_OF_STEP: Mapping[str, tuple[str, ...]] = {
    "distillation": FIGURES,
    "quantization": FIGURES,
    "lowering": (*FIGURES, *ERROR_RATIOS),
    "export": FIGURES,  # quantization and lowering together
    "agreement": (*FIGURES, WORST_VERTEX),  # between artifacts of one program
}


@dataclass(frozen=True)
class Limit:
    """The largest value that a figure may have; for `sqnr_db` the smallest. `figure` may have wildcards:
    `error_ratio.*`."""

    step: str
    figure: str
    statistic: StatisticName
    limit: float
    reason: str
    precision: tuple[str, ...] = PRECISIONS  # of the bundles that it is for

    def __post_init__(self) -> None:
        where = f"Budget, {self.step}: {self.figure}"
        _refuse_unknown("Budget: step", self.step, tuple(_FIGURES_OF_STEP))
        if not self.figures:
            raise InputError(f"{where} is no figure of that step; valid: {', '.join(_FIGURES_OF_STEP[self.step])}.")
        _refuse_unknown(f"{where}: statistic", self.statistic, get_args(StatisticName))
        if not self.reason.strip():
            raise InputError(f"{where}: reason {self.reason!r}; state in one line where the limit comes from.")
        for precision in self.precision:
            _refuse_unknown(f"{where}: precision", precision, PRECISIONS)
        if set(self.figures) & set(ERROR_RATIOS) and (self.precision != ("w8a8",) or self.statistic != "mean"):
            raise InputError(
                f"{where}: an error ratio is one number, of int8 alone; give statistic 'mean' and precision ['w8a8']."
            )

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures that the limit applies to."""
        return tuple(name for name in _FIGURES_OF_STEP[self.step] if fnmatchcase(name, self.figure))


@dataclass(frozen=True)
class Budget:
    """Limits by step and figure."""

    name: str
    limits: tuple[Limit, ...]

    @classmethod
    def open(cls, name_or_file: str | Path = DEFAULT_BUDGET) -> "Budget":
        """Read a budget that comes with the package by its name, or a TOML file of your own.

        Raises:
            InputError: no such budget, not TOML, unknown keys, steps, figures or statistics.
        """
        return cls.of(recipes.read(BUDGETS, name_or_file), f"Budget {name_or_file}")

    @classmethod
    def of(cls, table: dict[str, Any], where: str) -> "Budget":
        """Make a budget from a TOML file's table; errors as in `open`, which call it `where`."""
        if table.keys() != {"name", "limit"}:
            raise InputError(
                f"{where} has {', '.join(sorted(table)) or 'nothing'}; it takes a name and [[limit]] tables."
            )
        limits = table["limit"]
        if not isinstance(limits, list) or not all(isinstance(limit, dict) for limit in limits):
            raise InputError(f"{where}: 'limit' is not a list of tables; write each as [[limit]].")
        return cls(table["name"], tuple(recipes.into(Limit, limit, where) for limit in limits))

    def check(
        self, step: str, figures: Mapping[str, Statistics], precision: str, called: str | None = None
    ) -> tuple[Violation, ...]:
        """The violations of a step; NaN is one. `called` names the step in them."""
        return self._check(
            step,
            {name: {s: getattr(figure, s) for s in get_args(StatisticName)} for name, figure in figures.items()},
            precision,
            called or step,
        )

    def check_ratios(self, ratios: Mapping[str, float], precision: str) -> tuple[Violation, ...]:
        """The same for the error ratios of `lowering`, by output."""
        return self._check(
            "lowering",
            {f"error_ratio.{name}": {"mean": ratio} for name, ratio in ratios.items()},
            precision,
            "lowering",
        )

    def applied(
        self, step: str, figures: Collection[str], precision: str, called: str | None = None
    ) -> tuple[AppliedLimit, ...]:
        """The limits of a step's figures, whether they were kept or not. `called` names the step in them."""
        return tuple(
            AppliedLimit(called or step, name, limit.statistic, limit.limit, limit.reason)
            for limit in self.limits
            if limit.step == step and precision in limit.precision
            for name in limit.figures
            if name in figures
        )

    def _check(
        self, step: str, figures: Mapping[str, Mapping[StatisticName, float]], precision: str, called: str
    ) -> tuple[Violation, ...]:
        return tuple(
            Violation(called, held.figure, held.statistic, value, held.limit, held.reason)
            for held in self.applied(step, figures, precision, called)
            if not _within(held.figure, value := figures[held.figure][held.statistic], held.limit)
        )


def _within(figure: str, value: float, limit: float) -> bool:
    return value >= limit if figure.startswith("sqnr_db.") else value <= limit  # NaN is never within a limit


def _refuse_unknown(what: str, name: str, valid: tuple[str, ...]) -> None:
    if name not in valid:
        raise InputError(f"{what} {name!r}; valid: {', '.join(valid)}.")
