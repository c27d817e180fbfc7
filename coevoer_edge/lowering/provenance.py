"""Keep torch from copying, for each node in each pass, the node's history in all previous passes.

In: nothing. Out: a context for lowering to ExecuTorch, where these copies take a fifth of the time of its hundred
passes.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from torch.fx.traceback import NodeSource


@contextlib.contextmanager
def shared_provenance() -> Iterator[None]:
    """Share `NodeSource`s, which never change, instead of deep-copying them."""

    def itself(source: NodeSource, memo: dict[int, Any]) -> NodeSource:
        return source

    NodeSource.__deepcopy__ = itself  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del NodeSource.__deepcopy__  # type: ignore[attr-defined]
