"""A file is whole or not there, and a system error becomes one of ours."""

import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest

from coevoer_edge.errors import CoEvoerError
from coevoer_edge.files.whole import refusing_os_errors, write_whole, writing_whole


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_text_and_bytes(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.txt", "ä\n")
    write_whole(str(tmp_path / "b.bin"), b"\x00")
    assert (tmp_path / "a.txt").read_bytes() == "ä\n".encode()
    assert (tmp_path / "b.bin").read_bytes() == b"\x00"
    assert names(tmp_path) == {"a.txt", "b.bin"}


def test_an_error_leaves_the_former_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, "former")
    with suppress(ZeroDivisionError), writing_whole(path) as beside:
        assert beside.suffix == ".txt"
        beside.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "former"
    assert names(tmp_path) == {"a.txt"}


def test_the_mode_is_the_umasks(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_whole(tmp_path / "a", b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize(
    ("path", "reason"),
    [("no-folder/a.txt", "No such file or directory"), ("file/a.txt", "Not a directory"), ("x" * 300, "too long")],
)
def test_what_cannot_be_written_is_one_clear_error(tmp_path: Path, path: str, reason: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CoEvoerError, match=rf"cannot be written \(.*{reason}\)\. Free space on the disk, check the"):
        write_whole(tmp_path / path, b"")


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(CoEvoerError, match=r"a\.txt cannot be written \(Is a directory\)"):
        write_whole(tmp_path / "a.txt", b"")
    assert names(tmp_path) == {"a.txt"}


def test_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(CoEvoerError, match=r"^out cannot be written \(No space left"), refusing_os_errors("out"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_closed_pipe_is_not_a_full_disk() -> None:
    with pytest.raises(BrokenPipeError), refusing_os_errors("out"):
        raise BrokenPipeError
