"""The CoEvoer network (AAAI-26), built so that it exports well: parts handed to constructors, sizes in `build`."""

from coevoer_edge.model.build import MODEL_NAMES, build
from coevoer_edge.model.coevoer import CoEvoer, CoEvoerOutputs

__all__ = ["MODEL_NAMES", "CoEvoer", "CoEvoerOutputs", "build"]
