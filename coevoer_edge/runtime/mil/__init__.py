"""A reference interpreter for Core ML packages. In: a `.mlpackage`. Out: its results and its structure.

It runs on any system, so that a file on disk can be checked where Core ML is not available. It is a `reference`, never
Apple's runtime: it says what the file means, not what a device's compiler makes of it, and nothing about speed.
"""

from coevoer_edge.runtime.mil.interpreter import Arithmetic, MilProgram
from coevoer_edge.runtime.mil.program import Operation, Value

__all__ = ["Arithmetic", "MilProgram", "Operation", "Value"]
