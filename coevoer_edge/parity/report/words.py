"""The wording that all reports share: verdicts, steps, what ran each rung, units and numbers.

In: `Ladder`s. Out: strings, and the ladder's parts in the order of reports.
"""

import math
from collections.abc import Iterator, Sequence

from coevoer_edge.parity.result import Ladder, LayerLoss, Loss, Rung, Statistics, Violation

Ladders = Ladder | Sequence[Ladder]

STATISTICS = ("mean", "p50", "p95", "max")
SHOWN_LAYERS = 12
"""How many layers reports for people show; the JSON has all."""

_UNITS = {
    "mpvpe_mm": "mm",
    "pa_mpvpe_mm": "mm",
    "worst_vertex_mm": "mm",
    "geodesic_deg": "deg",
    "keypoint_px": "px",
    "sqnr_db": "dB, higher is better",
}
_ROLES = {
    "network": "network",
    "stored": "stored outputs that come with the package; the network was not run here",
    "runtime": "runtime",
    "reference": "reference: an interpreter of the file, not the runtime of a device",
}


def each(ladders: Ladders) -> tuple[Ladder, ...]:
    """One ladder or several as a tuple."""
    return (ladders,) if isinstance(ladders, Ladder) else tuple(ladders)


def verdict(ladders: Ladders) -> str:
    """`pass` where every ladder passes; `fail` for none at all."""
    found = each(ladders)
    return "pass" if found and all(ladder.verdict == "pass" for ladder in found) else "fail"


def headline(ladder: Ladder) -> str:
    """The verdict as one line."""
    over = len(ladder.violations)
    found = "within budget" if not over else f"{over} figure{'' if over == 1 else 's'} over budget"
    return f"{ladder.verdict.upper()}: {ladder.bundle}, {found} {ladder.budget!r}"


def circumstances(ladder: Ladder) -> str:
    """What was run, and on which images."""
    return f"{ladder.target} {ladder.precision}, {ladder.images} images ({ladder.data}), {ladder.seconds:.0f} s"


def steps(ladder: Ladder) -> dict[str, Loss]:
    """Every comparison by the step's name, as violations spell it: the ladder's steps, the export, other bundles."""
    found: dict[str, Loss] = dict(ladder.losses)
    if ladder.export is not None:
        found["export"] = ladder.export
    return found | {f"agreement with {name}": loss for name, loss in ladder.agreement.items()}


def rungs(ladder: Ladder) -> dict[str, Rung]:
    """The ladder's rungs by name, in order."""
    found: dict[str, Rung] = {}
    for loss in ladder.losses.values():
        found |= {loss.before.name: loss.before, loss.after.name: loss.after}
    return found


def ran_by(rung: Rung) -> str:
    """What ran a rung; an interpreter is never called a runtime."""
    return f"{rung.runtime} ({_ROLES[rung.kind]})"


def is_reference(ladder: Ladder) -> bool:
    """Whether the artifact was interpreted instead of run."""
    return any(rung.kind == "reference" for rung in rungs(ladder).values())


def unit(figure: str) -> str:
    """Unit of a figure by its name; empty for relative errors and ratios."""
    return _UNITS.get(figure.partition(".")[0], "")


def number(value: float) -> str:
    """Three significant digits; `nan` and `inf` as they are."""
    return f"{value:.0f}" if 1000 <= abs(value) < math.inf else f"{value:.3g}"


def values(figure: Statistics) -> list[str]:
    """A figure's statistics, in the order of `STATISTICS`."""
    return [number(getattr(figure, name)) for name in STATISTICS]


def violations(ladder: Ladder, step: str, figure: str) -> list[Violation]:
    """The violations of one figure."""
    return [violation for violation in ladder.violations if (violation.step, violation.figure) == (step, figure)]


def limit(ladder: Ladder, step: str, figure: str) -> str:
    """The budget's limits of one figure, such as `mean 8.4`; empty where the budget has none.

    Of several limits of one statistic, the strictest. An error ratio is one number, so its statistic is not named.
    """
    higher = figure.startswith("sqnr_db.")
    strictest: dict[str, float] = {}
    for held in ladder.limits:
        if (held.step, held.figure) == (step, figure):
            one = strictest.get(held.statistic, held.limit)
            strictest[held.statistic] = max(one, held.limit) if higher else min(one, held.limit)
    if figure.startswith("error_ratio."):
        return "".join(f"{value:g}" for value in strictest.values())
    least = "at least " if higher else ""
    return ", ".join(f"{name} {least}{strictest[name]:g}" for name in STATISTICS if name in strictest)


def ratios(ladder: Ladder) -> list[tuple[str, str, str]]:
    """Output, its error ratio and the limit of that, by output and for all together."""
    return [
        (output, number(ratio), limit(ladder, "lowering", f"error_ratio.{output}"))
        for output, ratio in ladder.error_ratio.items()
    ]


RATIO_NOTE = (
    "The artifact's distance from float over the quantized program's. A ratio fails when, less two standard errors, "
    "it is above its limit."
)


def rows(ladder: Ladder) -> Iterator[tuple[str, str, Statistics]]:
    """Every step, figure and its statistics, without figures that no image contributes to, unless they are over
    budget."""
    for step, loss in steps(ladder).items():
        for name, figure in loss.figures.items():
            if figure.count or violations(ladder, step, name):
                yield step, name, figure


def is_main(ladder: Ladder, step: str, figure: str) -> bool:
    """Whether a short report shows a figure: those in mm and degrees, and all that are over budget."""
    return figure.startswith(("mpvpe_mm.", "geodesic_deg.", "worst_vertex_mm.")) or bool(
        violations(ladder, step, figure)
    )


def layers(ladder: Ladder) -> dict[str, tuple[LayerLoss, ...]]:
    """The layers' losses by step, where they were measured."""
    found = {"quantization": ladder.quantization_layers, "lowering": ladder.lowering_layers}
    return {step: losses for step, losses in found.items() if losses}


def layers_note(ladder: Ladder, step: str) -> str:
    """How the layers of a step were observed, and what their figures mean."""
    meaning = "sorted by the error that a layer adds itself, given the same inputs"
    if step == "quantization":
        return f"Quantized program against float, {meaning}."
    seen = {
        "onnx": "by ONNX Runtime, with the layers added to the file's outputs",
        "coreml": "by the reference interpreter, which is not the runtime of a device",
    }
    if ladder.target in seen:
        return f"Artifact against quantized program, run {seen[ladder.target]}; {meaning}."
    return (
        "Artifact against quantized program, outputs only: the network runs as one delegate that exposes no "
        "intermediate values. Lower the same program to ONNX to compare its layers."
    )


def interpreted_note(ladder: Ladder) -> str:
    """A sentence for ladders whose artifact was only interpreted; empty for others."""
    if not is_reference(ladder):
        return ""
    return (
        "The artifact was interpreted, not run: its figures show what the file defines, not what a device computes. "
        "Run this on macOS to measure Core ML itself."
    )
