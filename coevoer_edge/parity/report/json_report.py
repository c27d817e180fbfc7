"""A parity run as JSON. In: `Ladder`s. Out: what `schema.json` describes; NaN and infinity are null."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from coevoer_edge.parity.report import words
from coevoer_edge.parity.report.words import Ladders
from coevoer_edge.parity.result import Ladder, Loss, Statistics

SCHEMA = Path(__file__).with_name("schema.json")
REPORT_SCHEMA_VERSION = 1


def as_json(ladders: Ladders) -> str:
    """The document as text."""
    return json.dumps(as_dict(ladders), indent=2, allow_nan=False) + "\n"


def as_dict(ladders: Ladders) -> dict[str, Any]:
    """The document."""
    found = words.each(ladders)
    document = {
        "schema_version": REPORT_SCHEMA_VERSION,
        "verdict": words.verdict(found),
        "ladders": [_ladder(ladder) for ladder in found],
    }
    plain: dict[str, Any] = _finite(document)
    return plain


def _ladder(ladder: Ladder) -> dict[str, Any]:
    return {
        "bundle": ladder.bundle,
        "target": ladder.target,
        "precision": ladder.precision,
        "data": ladder.data,
        "images": ladder.images,
        "budget": ladder.budget,
        "seconds": ladder.seconds,
        "verdict": ladder.verdict,
        "violations": [asdict(violation) for violation in ladder.violations],
        "limits": [asdict(limit) for limit in ladder.limits],
        "rungs": {name: asdict(rung) for name, rung in words.rungs(ladder).items()},
        "steps": {name: _loss(loss) for name, loss in ladder.losses.items()},
        "export": None if ladder.export is None else _loss(ladder.export),
        "agreement": {name: _loss(loss) for name, loss in ladder.agreement.items()},
        "error_ratio": dict(ladder.error_ratio),
        "truth": {rung: _figures(figures) for rung, figures in ladder.truth.items()},
        "layers": {step: [asdict(loss) for loss in losses] for step, losses in words.layers(ladder).items()},
    }


def _loss(loss: Loss) -> dict[str, Any]:
    return {"before": asdict(loss.before), "after": asdict(loss.after), "figures": _figures(loss.figures)}


def _figures(figures: Mapping[str, Statistics]) -> dict[str, Any]:
    return {name: asdict(figure) for name, figure in figures.items()}


def _finite(value: Any) -> Any:
    """Containers with lists for tuples and None for every number that JSON cannot express."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
