"""The CoEvoer network (AAAI-26), designed for export: constructors take its parts, and `build` has the sizes."""

from coevoer_edge.model.build import MODEL_NAMES, build
from coevoer_edge.model.coevoer import CoEvoer, CoEvoerOutputs

__all__ = ["MODEL_NAMES", "CoEvoer", "CoEvoerOutputs", "build"]
