"""The conformance kit: cases that every implementation of docs/pipeline.md answers alike (section 9 of the page).

`coevoer_edge.conformance(...)` holds this package's own pipeline against a kit.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from coevoer_edge.callable_module import CallableModule

if TYPE_CHECKING:
    from coevoer_edge.conformance.check import Verdict

__all__ = ["conformance"]


def conformance(bundle: str | Path | None = None) -> "list[Verdict]":
    """Hold this package's pipeline against the kit of a bundle.

        failed = [verdict.faults for verdict in coevoer_edge.conformance() if verdict.faults]

    Args:
        bundle: the folder that an export wrote; None for the kit that comes with the package.

    Returns:
        A verdict for each case: its faults in words, none where it passed, and the worst error of each tensor as a
        share of what is allowed.

    Raises:
        BundleError: a bundle that cannot be opened, or a kit that cannot be read.
    """
    from coevoer_edge.body.model import BodyModel
    from coevoer_edge.bundle import Bundle
    from coevoer_edge.conformance.check import check
    from coevoer_edge.conformance.kit import KIT_PATH, Kit

    path = KIT_PATH if bundle is None else Bundle.open(bundle).conformance
    return check(Kit.open(path), BodyModel.open())


sys.modules[__name__].__class__ = CallableModule
