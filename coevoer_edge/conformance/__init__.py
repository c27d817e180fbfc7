"""The conformance kit: test cases with expected results for every implementation of docs/pipeline.md (section 9).

`coevoer_edge.conformance(...)` checks this package's own pipeline against a kit.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from coevoer_edge.callable_module import CallableModule

if TYPE_CHECKING:
    from coevoer_edge.conformance.check import Verdict

__all__ = ["conformance"]


def conformance(bundle: str | Path | None = None) -> "list[Verdict]":
    """Check this package's pipeline against the kit of a bundle.

        failed = [verdict.faults for verdict in coevoer_edge.conformance() if verdict.faults]

    Args:
        bundle: the folder that an export wrote; None for the kit that comes with the package.

    Returns:
        A verdict for each case: its faults as text (empty if the case passed), and the worst error of each tensor as a
        fraction of its tolerance.

    Raises:
        BundleError: the bundle cannot be opened.
        InputError: the kit cannot be read.
    """
    from coevoer_edge.body.model import BodyModel
    from coevoer_edge.bundle import Bundle
    from coevoer_edge.conformance.check import check
    from coevoer_edge.conformance.kit import KIT_PATH, Kit

    path = KIT_PATH if bundle is None else Bundle.open(bundle).conformance
    return check(Kit.open(path), BodyModel.open())


sys.modules[__name__].__class__ = CallableModule
