"""One file, written beside its place and renamed when it is complete.

In: a path and its content. Out: the whole file, or the former one and a `CoEvoerError`.
"""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coevoer_edge.errors import CoEvoerError


def write_whole(path: str | Path, content: bytes | str) -> None:
    """Write a file; text is encoded as UTF-8. Raises `CoEvoerError` where it cannot be written."""
    with writing_whole(path) as beside, beside.open("wb") as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def writing_whole(path: str | Path) -> Iterator[Path]:
    """Yield a path beside the final one; its file gets the final name when the block ends without an error.

    The path has the same suffix and is unique, so that two processes do not write into one file. Raises `CoEvoerError`
    where the file cannot be written.
    """
    path = Path(path)
    beside = path.with_name(f".{path.stem[:200]}.{os.getpid()}.partial{path.suffix}")
    with refusing_os_errors(path):
        try:
            yield beside
            beside.replace(path)
        finally:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)


@contextmanager
def refusing_os_errors(path: str | Path) -> Iterator[None]:
    """Turn an `OSError` while a file or folder is written into a `CoEvoerError` that says what to do."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise cannot_write(path, error) from None


def cannot_write(path: str | Path, error: Exception) -> CoEvoerError:
    """The error for a file or folder that cannot be written, with the system's reason."""
    reason = getattr(error, "strerror", None) or str(error)
    return CoEvoerError(
        f"{path} cannot be written ({reason}). Free space on the disk, check the permissions, or give another folder."
    )
