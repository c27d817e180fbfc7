"""Keep torch from copying, at each node of each pass, what the node came from in all the passes before.

In: nothing. Out: a context for lowering to ExecuTorch, whose hundred passes make that a fifth of the time.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from torch.fx.traceback import NodeSource


@contextlib.contextmanager
def shared_provenance() -> Iterator[None]:
    """Share `NodeSource`s, which nothing changes once they are made, instead of copying them deep."""

    def itself(source: NodeSource, memo: dict[int, Any]) -> NodeSource:
        return source

    NodeSource.__deepcopy__ = itself  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del NodeSource.__deepcopy__  # type: ignore[attr-defined]
