"""Keep the output of third-party packages out of our own progress.

In: nothing. Out: a context in which stderr and logging are silent; captured output is shown if an exception leaves it.
"""

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Capture stderr (native code included), warnings and logging up to WARNING."""
    sys.stderr.flush()
    saved, disabled = os.dup(2), logging.root.manager.disable
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        logging.disable(logging.WARNING)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except Exception:
            sys.stderr.flush()
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            sys.stderr.flush()
            logging.disable(disabled)
            os.dup2(saved, 2)
            os.close(saved)
