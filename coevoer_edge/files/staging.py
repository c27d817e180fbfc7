"""A set of files or a folder, written in a hidden folder beside its place and moved when all of it is complete.

In: a folder and a name. Out: a locked, empty folder to write in. A process that dies leaves nothing under a final name,
and the next one takes its lock over.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from coevoer_edge.errors import InputError
from coevoer_edge.files.whole import refusing_os_errors

_NEW, _FORMER = ".new", ".former"


@contextmanager
def staging(folder: Path, name: str) -> Iterator[Path]:
    """Lock and yield the empty folder `.NAME.unfinished` in `folder`; it is removed at the end.

    Raises:
        InputError: another process is writing NAME there.
        CoEvoerError: the folder cannot be written.
    """
    import shutil  # late: it takes long to load

    place = folder / f".{name}.unfinished"
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    with refusing_os_errors(folder):
        lock = _lock(place)
    if lock is None:
        raise InputError(
            f"Another process is writing {folder / name}; wait until it ends, or give another folder for the results."
        )
    try:
        with refusing_os_errors(folder):
            _recover(place, folder / name)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(lock)
        for parent in made:  # those that are empty
            with contextlib.suppress(OSError):
                parent.rmdir()


def move_files(place: Path, folder: Path, names: Iterable[str], former: Iterable[str] = ()) -> None:
    """Move files from `place` to `folder`, each replacing the former one; then remove `former` files not among them.

    Raises `CoEvoerError` where that cannot be done.
    """
    names = list(names)
    with refusing_os_errors(folder):
        for name in names:
            (place / name).replace(folder / name)
        for name in set(former) - set(names):
            (folder / name).unlink(missing_ok=True)


def move_folder(place: Path, folder: Path) -> None:
    """Move everything in `place` to the new folder `folder`; a former one goes when the new one is there.

    Raises `CoEvoerError` where that cannot be done; the former folder is then in its place again.
    """
    whole, aside = place / _NEW, place / _FORMER
    with refusing_os_errors(folder):
        whole.mkdir()
        for path in list(place.iterdir()):
            if path != whole:
                path.rename(whole / path.name)
        if folder.exists():
            folder.rename(aside)
        try:
            whole.rename(folder)
        except OSError:
            with contextlib.suppress(OSError):
                aside.rename(folder)
            raise


def _recover(place: Path, folder: Path) -> None:
    """Empty the folder that a process left behind when it died, and put a folder back that it had moved aside."""
    import shutil

    if (place / _FORMER).is_dir() and not folder.exists():
        (place / _FORMER).rename(folder)
    for left in place.iterdir():
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()


def _lock(place: Path) -> int | None:
    """Make a folder and lock it; None where another process has it. The system unlocks it when this process ends."""
    import fcntl  # Linux and macOS

    while True:
        place.mkdir(parents=True, exist_ok=True)
        lock = os.open(place, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if place.stat().st_ino == os.fstat(lock).st_ino:
                return lock
        except BlockingIOError:
            os.close(lock)
            return None
        except FileNotFoundError:  # the process before removed it in between
            pass
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)
