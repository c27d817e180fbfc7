"""Validation during training: the six main figures on `data.sources.open_validation`, for the log and the curves.

In: a dataset's specification. Out: a function from a network to figures.
"""

import torch

from coevoer_edge.body.model import BodyModel
from coevoer_edge.data.sources import open_validation
from coevoer_edge.evaluation.measure import SETS, evaluate
from coevoer_edge.evaluation.measuring_body import MeasuringBody
from coevoer_edge.model import CoEvoer
from coevoer_edge.training.engine import Evaluate

_COUNT = 128  # samples: the mean is accurate to about 5 %, which is enough to notice a run that goes wrong
VALIDATION_FIGURES = tuple(f"{kind}_mm.{name}" for kind in ("mpvpe", "pa_mpvpe") for name in SETS)


def validation(data: str, body: BodyModel, device: torch.device) -> Evaluate:
    """Evaluate on the first samples of `open_validation(data)`.

    Raises:
        InputError: the dataset's test part cannot be opened, or the body does not mark its hands and face.
    """
    place = torch.device("cpu") if device.type == "mps" else device  # mps has no float64
    source = open_validation(data, body, place)
    measuring = MeasuringBody(body).to(place)
    indices = range(min(_COUNT, len(source)))

    def figures(network: CoEvoer) -> dict[str, float]:
        summary = evaluate(network, source, indices, measuring).summary()
        return {name: summary[name] for name in VALIDATION_FIGURES}

    return figures
