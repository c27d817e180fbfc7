"""Sets of files and folders: whole under their names, one writer at a time, and taken over from a process that died."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from coevoer_edge.errors import CoEvoerError, InputError
from coevoer_edge.files.staging import move_files, move_folder, staging

WRITE_AND_WAIT = """
import sys, time
from pathlib import Path
from coevoer_edge.files.staging import staging
with staging(Path(sys.argv[1]), "walk") as place:
    (place / "walk.npz").write_bytes(b"half")
    print("written", flush=True)
    time.sleep(60)
"""


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def another_process(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the place of `walk`."""
    command = [sys.executable, "-c", WRITE_AND_WAIT, str(folder)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "written\n"
    return child


def test_files_are_moved_and_former_ones_go(tmp_path: Path) -> None:
    for name in ("walk.npz", "walk.bvh", "other.bvh"):
        (tmp_path / name).write_text("former")
    with staging(tmp_path, "walk") as place:
        (place / "walk.npz").write_text("new")
        assert (tmp_path / "walk.npz").read_text() == "former"
        move_files(place, tmp_path, ["walk.npz"], former=["walk.npz", "walk.bvh", "walk.glb"])
    assert names(tmp_path) == {"walk.npz", "other.bvh"}
    assert (tmp_path / "walk.npz").read_text() == "new"


def test_an_error_leaves_everything_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "walk.npz").write_text("former")
    with suppress(ZeroDivisionError), staging(tmp_path, "walk") as place:
        (place / "walk.npz").write_text("half")
        raise ZeroDivisionError
    assert names(tmp_path) == {"walk.npz"}
    assert (tmp_path / "walk.npz").read_text() == "former"


def test_folders_that_were_made_and_stayed_empty_go(tmp_path: Path) -> None:
    with staging(tmp_path / "a" / "b", "walk"):
        pass
    assert names(tmp_path) == set()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    child = another_process(tmp_path)
    try:
        with pytest.raises(InputError, match=r"Another process is writing .*walk; wait"), staging(tmp_path, "walk"):
            pass
        with staging(tmp_path, "run"):  # another name in the same folder
            pass
        assert names(tmp_path) == {".walk.unfinished"}
    finally:
        child.kill()
        child.wait()


def test_the_same_process_is_refused_too(tmp_path: Path) -> None:
    with staging(tmp_path, "walk"), pytest.raises(InputError, match="Another process"), staging(tmp_path, "walk"):
        pass


def test_the_place_of_a_process_that_was_killed_is_taken_over(tmp_path: Path) -> None:
    child = another_process(tmp_path)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert names(tmp_path) == {".walk.unfinished"}
    with staging(tmp_path, "walk") as place:
        assert names(place) == set()
    assert names(tmp_path) == set()


def test_a_folder_is_replaced_when_the_new_one_is_whole(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "old").touch()
    with staging(tmp_path, "bundle") as place:
        (place / "new").touch()
        move_folder(place, tmp_path / "bundle")
    assert names(tmp_path) == {"bundle"}
    assert names(tmp_path / "bundle") == {"new"}


def test_the_former_folder_is_back_when_the_new_one_cannot_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "old").touch()
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name == ".new":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    with staging(tmp_path, "bundle") as place:
        (place / "new").touch()
        monkeypatch.setattr(Path, "rename", fail)
        with pytest.raises(CoEvoerError, match=r"bundle cannot be written \(Input/output error\)"):
            move_folder(place, tmp_path / "bundle")
    assert names(tmp_path) == {"bundle"}
    assert names(tmp_path / "bundle") == {"old"}


def test_a_folder_that_a_killed_process_had_moved_aside_is_put_back(tmp_path: Path) -> None:
    aside = tmp_path / ".bundle.unfinished" / ".former"
    aside.mkdir(parents=True)
    (aside / "old").touch()
    with staging(tmp_path, "bundle"):
        assert names(tmp_path / "bundle") == {"old"}
