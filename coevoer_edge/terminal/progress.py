"""Progress over frames whose number may not be known: frames per second, how many had a person.

In: one call per frame. Out: a bar on a terminal, an occasional plain line elsewhere, both on stderr.
"""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from coevoer_edge.terminal.console import PLAIN_LINES, Steps

if TYPE_CHECKING:
    from rich.progress import Progress

_PLAIN_EVERY = 100  # frames, where it is not


class FrameProgress:
    """Reports how far a stream has come, below the current step of `steps`; silent when that is quiet."""

    def __init__(self, steps: Steps, total: int | None) -> None:
        self._steps, self._total, self._done = steps, total, 0
        self._began = time.perf_counter()
        self._every = max(1, -(-total // PLAIN_LINES)) if total else _PLAIN_EVERY
        self._bar: Progress | None = None
        if not steps.quiet and sys.stderr.isatty():
            self._bar = _bar()
            self._task = self._bar.add_task("", total=total)

    def advance(self, found: int) -> None:
        """One more frame is done; `found` of them so far had a person."""
        self._done += 1
        rate = self._done / max(time.perf_counter() - self._began, 1e-9)
        text = f"{rate:.1f} frames/s, a person in {found}"
        if self._bar is not None:
            self._bar.update(self._task, advance=1, description=text)
        elif self._done % self._every == 0 or self._done == self._total:
            of = f"/{self._total}" if self._total else ""
            self._steps.note(f"{self._done}{of} frames, {text}")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def _bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    return Progress(*columns, console=Console(stderr=True), transient=True)
