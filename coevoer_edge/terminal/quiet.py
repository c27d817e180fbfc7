"""Keep the output of third-party packages out of our own progress.

In: nothing. Out: a context in which stderr and logging are silent; captured output is shown if an exception leaves it.
"""

import contextlib
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from typing import IO

_LOCK = threading.RLock()
_inside = 0  # blocks that are open now, in all threads: they share one capture
_capture: "contextlib.ExitStack | None" = None
_held: "IO[bytes] | None" = None


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Capture stderr (native code included), warnings and logging up to WARNING.

    Standard error belongs to the whole process, so blocks that overlap in several threads share one capture: the first
    begins it, and the last ends it.
    """
    began = _begin()
    try:
        yield
    except Exception:
        _show(began)
        raise
    finally:
        _end()


def _begin() -> int:
    """Enter a block; returns how much had been captured before."""
    global _inside, _capture, _held
    with _LOCK:
        if _inside == 0:
            with contextlib.ExitStack() as stack:
                _held = stack.enter_context(tempfile.TemporaryFile())
                stack.enter_context(_stderr_into(_held.fileno()))
                stack.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
                stack.callback(logging.disable, logging.root.manager.disable)
                logging.disable(logging.WARNING)
                _capture = stack.pop_all()
        _inside += 1
        assert _held is not None
        return os.fstat(_held.fileno()).st_size


def _end() -> None:
    global _inside, _capture, _held
    with _LOCK:
        _inside -= 1
        if _inside == 0 and _capture is not None:
            capture, _capture, _held = _capture, None, None
            capture.close()


def _show(began: int) -> None:
    """Print what was captured since a block began, where stderr was before."""
    with _LOCK:
        if _held is not None and _saved is not None:
            sys.stderr.flush()
            os.write(_saved, os.pread(_held.fileno(), os.fstat(_held.fileno()).st_size - began, began))


_saved: int | None = None  # the former standard error, while it is captured


@contextlib.contextmanager
def _stderr_into(number: int) -> Iterator[None]:
    global _saved
    sys.stderr.flush()
    _saved = os.dup(2)
    os.dup2(number, 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(_saved, 2)
        os.close(_saved)
        _saved = None
