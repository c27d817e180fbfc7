"""Compare results with a kit.

In: a `Kit`, a body. Out: a `Verdict` for each case, with the worst error of each tensor.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from coevoer_edge.body.model import BodyModel
from coevoer_edge.conformance.answers import answer, is_refused
from coevoer_edge.conformance.kit import Case, Kit, Tensors
from coevoer_edge.pipeline.constants import Pipeline


@dataclass(frozen=True)
class Verdict:
    """The outcome of one case; `faults` is empty if it passed."""

    case: Case
    worst: Mapping[str, float]  # by expected tensor, as a fraction of its tolerance; 0 or inf if that is 0
    faults: tuple[str, ...]

    def __repr__(self) -> str:
        outcome = f"{len(self.faults)} faults" if self.faults else "pass"
        return f"<Verdict {self.case.kind} {self.case.number}, {self.case.about}: {outcome}>"


def check(kit: Kit, body: BodyModel) -> list[Verdict]:
    """Check this package's own results for all cases, with the kit's constants."""
    rule = Pipeline.from_table(kit.pipeline)
    verdicts = []
    for case in kit.cases:
        if case.kind == "refuse":
            faults = () if is_refused(case, body, rule) else (f"{case.prefix}: was not refused ({case.about})",)
            verdicts.append(Verdict(case, {}, faults))
        else:
            verdicts.append(compare(case, answer(case, body, rule), kit.tolerances))
    return verdicts


def compare(case: Case, answers: Tensors, tolerances: Mapping[str, tuple[float, float]]) -> Verdict:
    """Compare the results for one case with the expected ones."""
    worst, faults = {}, []
    for name, expected in case.expected.items():
        given = np.asarray(answers[name], np.float64)
        if given.shape != expected.shape:
            faults.append(f"{case.prefix}.{name}: shape {given.shape}, expected {expected.shape}")
            worst[name] = np.inf
            continue
        absolute, relative = tolerances[name]
        allowed = absolute + relative * np.abs(expected.astype(np.float64))
        error = np.abs(given - expected)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.nan_to_num(np.where(error == 0, 0.0, error / allowed), nan=np.inf)
        worst[name] = float(shares.max(initial=0.0))
        if not worst[name] <= 1:
            at = tuple(int(i) for i in np.unravel_index(int(shares.argmax()), shares.shape))
            faults.append(f"{case.prefix}.{name}{list(at)}: {given[at]:g}, expected {expected[at]:g} ({case.about})")
    return Verdict(case, worst, tuple(faults))
