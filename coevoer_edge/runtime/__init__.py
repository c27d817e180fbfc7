"""Run a bundle's artifact: one protocol, one file for each backend.

In: an opened bundle. Out: a `Runtime` that turns a crop into the contract's outputs.
"""

from coevoer_edge.runtime.open import open_runtime
from coevoer_edge.runtime.protocol import Runtime

__all__ = ["Runtime", "open_runtime"]
