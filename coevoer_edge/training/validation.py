"""What training is watched on: the six main figures on people who are neither trained on nor tested on.

In: a data set's specification. Out: a function from a network to figures, for the log and the curves.
"""

import torch

from coevoer_edge.body.model import BodyModel
from coevoer_edge.data.sources import open_validation
from coevoer_edge.evaluation.measure import SETS, evaluate
from coevoer_edge.evaluation.measuring_body import MeasuringBody
from coevoer_edge.model import CoEvoer
from coevoer_edge.training.engine import Evaluate

_COUNT = 128  # samples: the mean is known to about 5 %, enough to see a run go wrong
VALIDATION_FIGURES = tuple(f"{kind}_mm.{name}" for kind in ("mpvpe", "pa_mpvpe") for name in SETS)


def validation(data: str, body: BodyModel, device: torch.device) -> Evaluate:
    """Evaluate on the first samples of `open_validation(data)`.

    Raises:
        InputError: the data set's test part cannot be opened, the body does not tell its hands and face.
    """
    place = torch.device("cpu") if device.type == "mps" else device  # which has no float64
    source = open_validation(data, body, place)
    measuring = MeasuringBody(body).to(place)
    indices = range(min(_COUNT, len(source)))

    def figures(network: CoEvoer) -> dict[str, float]:
        summary = evaluate(network, source, indices, measuring).summary()
        return {name: summary[name] for name in VALIDATION_FIGURES}

    return figures
