"""The constants of the live pipeline: whom it follows, when it loses them, how it smooths (docs/pipeline.md, 1, 6, 7).

In: the `pipeline` table of a manifest, or nothing for the defaults. Out: `Pipeline`. The page gives the reason for
each constant; a test compares its tables with these defaults.
"""

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from coevoer_edge.errors import BundleError

CONFORMANCE_FILE = "conformance.safetensors"


_LARGEST = sys.float_info.max  # whole numbers of any size are read from JSON


@dataclass(frozen=True)
class OneEuroRule:
    """The three numbers of a One-Euro filter (Casiez et al. 2012, doi:10.1145/2207676.2208639)."""

    cutoff_hz: float  # the cutoff for a quantity at rest
    gain: float  # Hz for each unit of speed: rad/s, frame heights a second, ln z a second, sigma a second
    derivative_hz: float  # cutoff of the speed itself

    def __post_init__(self) -> None:
        given = f"cutoff_hz {self.cutoff_hz}, gain {self.gain}, derivative_hz {self.derivative_hz}"
        if not (self.cutoff_hz > 0 and self.derivative_hz > 0 and self.gain >= 0):
            raise BundleError(f"A filter has {given}; the first and the last are above 0, gain is at least 0.")


@dataclass(frozen=True)
class SmoothingRules:
    """One filter rule for each group of quantities."""

    root: OneEuroRule = OneEuroRule(1.0, 5.0, 1.0)  # global_orient
    body: OneEuroRule = OneEuroRule(1.0, 5.0, 1.0)
    hands: OneEuroRule = OneEuroRule(1.0, 4.0, 1.0)
    jaw: OneEuroRule = OneEuroRule(1.5, 1.5, 3.0)
    place: OneEuroRule = OneEuroRule(1.5, 20.0, 1.5)
    depth: OneEuroRule = OneEuroRule(1.5, 12.0, 1.5)
    betas: OneEuroRule = OneEuroRule(0.2, 0.0, 1.0)
    expression: OneEuroRule = OneEuroRule(1.5, 0.5, 3.0)


@dataclass(frozen=True)
class Pipeline:
    """Constants of tracking and smoothing."""

    acquire_visibility: float = 0.5
    keep_visibility: float = 0.3
    smallest_overlap: float = 0.1
    smallest_crop: float = 0.0625
    tile_step: float = 0.5
    max_missed_ms: float = 300.0
    max_gap_ms: float = 1000.0
    same_person_slack: float = 0.35
    same_person_speed: float = 4.0
    same_person_growth: float = 0.35
    same_person_growth_speed: float = 1.5
    same_person_posture_m: float = 0.15
    same_person_posture_m_s: float = 1.5
    motion_hz: float = 2.0
    smoothing: SmoothingRules = field(default_factory=SmoothingRules)
    conformance: str = CONFORMANCE_FILE  # the kit, a file of the bundle

    def __post_init__(self) -> None:
        for name in ("tile_step", "max_missed_ms", "max_gap_ms", "motion_hz"):
            if not getattr(self, name) > 0:
                raise BundleError(f"Pipeline: {name} is {getattr(self, name)}; it must be above 0.")

    def to_table(self) -> dict[str, Any]:
        """The `pipeline` table of a manifest."""
        import json  # late: slow to load, and only exports write the table

        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    @classmethod
    def from_table(cls, table: object, where: str = "pipeline") -> Self:
        """Read a manifest's table. Raises `BundleError` on missing or unknown keys and on values other than numbers."""
        values = _checked(table, cls, where)
        name = values.pop("conformance")
        if not isinstance(name, str):
            raise BundleError(f"{where}.conformance is {name!r}, not the name of a file; export the bundle again.")
        groups = _checked(values.pop("smoothing"), SmoothingRules, f"{where}.smoothing")
        rules = {}
        for group, rule in groups.items():
            at = f"{where}.smoothing.{group}"
            rules[group] = OneEuroRule(**_numbers(_checked(rule, OneEuroRule, at), at))
        return cls(**_numbers(values, where), smoothing=SmoothingRules(**rules), conformance=name)


def _checked(table: object, kind: type[Any], where: str) -> dict[str, Any]:
    known = {entry.name for entry in fields(kind)}
    if not isinstance(table, Mapping):
        raise BundleError(f"{where} is {table!r}, not a table; export the bundle again.")
    if table.keys() != known:
        raise BundleError(f"{where}: missing or unknown keys {sorted(table.keys() ^ known)}; export the bundle again.")
    return dict(table)


def _numbers(table: Mapping[str, Any], where: str) -> dict[str, float]:
    for key, value in table.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST <= value <= _LARGEST:
            raise BundleError(f"{where}.{key} is {value!r}, not a number; export the bundle again.")
    return dict(table)


PIPELINE = Pipeline()
"""The defaults."""
