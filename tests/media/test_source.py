"""Addresses and devices that users of other tools type are refused with the form that works here."""

import pytest

from coevoer_edge.errors import InputError
from coevoer_edge.media.source import refuse_unusable


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("0", "There is no file 0; give camera number 0 as camera:0."),
        ("2", "There is no file 2; give camera number 2 as camera:2."),
        ("/dev/video1", "/dev/video1 is a camera; give it as camera:1."),
        ("https://example.org/a.mp4", "https://example.org/a.mp4 is a URL; `run` opens files and cameras of this"),
        ("rtsp://10.0.0.2/live", "rtsp://10.0.0.2/live is a URL; "),
    ],
)
def test_what_to_do_instead(source: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        refuse_unusable(source)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("source", ["camera", "camera:1", "photo.jpg", "a folder", "C:\\photos\\a.jpg"])
def test_sources_pass(source: str) -> None:
    refuse_unusable(source)


def test_a_file_that_is_named_by_a_number_passes(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "0").touch()
    refuse_unusable("0")
