"""A stream saved from Python: what is written, counted and refused, and that what was done is kept."""

import json
import re
import sys

import numpy as np
import pytest
from fakes import FakeRuntime, outputs_of

from coevoer_edge.body.model import BodyModel
from coevoer_edge.errors import BundleError, CoEvoerError, InputError, PlatformError
from coevoer_edge.estimator import Estimator
from coevoer_edge.media.frames import VideoFile
from coevoer_edge.output.stream_files import STREAM_SUFFIXES

FRAME = np.full((48, 64, 3), 90, np.uint8)
NOW_MS = 5_000_000.0  # a clock that did not begin with the stream


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.open()


@pytest.fixture
def estimator(body) -> Estimator:
    return Estimator(FakeRuntime([outputs_of((0, 0, 60.0))]), body, trained=True)


def frames(count: int) -> list[tuple[np.ndarray, float]]:
    return [(FRAME, NOW_MS + 40.0 * i) for i in range(count)]


def record_of(folder) -> dict:
    return json.loads((folder / "walk.json").read_text())


def test_a_recording_writes_six_files_whose_times_count_from_the_first_frame(estimator, tmp_path):
    with estimator.record(tmp_path / "out", "walk", frames_per_second=25, focal_px=70) as recording:
        tracked = [recording.add(*given) for given in frames(5)]
        assert recording.files == ()
    assert recording.files == tuple(tmp_path / "out" / f"walk{suffix}" for suffix in STREAM_SUFFIXES)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"walk{suffix}" for suffix in STREAM_SUFFIXES}
    assert [t.index for t in tracked] == list(range(5))
    assert tracked[1].timestamp_ms == NOW_MS + 40
    with np.load(tmp_path / "out" / "walk.npz") as saved:
        np.testing.assert_allclose(saved["timestamps_ms"], np.arange(5) * 40.0)
        assert saved["found"].tolist() == [t.person is not None for t in tracked]
        assert saved["found"][0]
    with VideoFile(tmp_path / "out" / "walk.overlay.mp4") as video:
        assert len(list(video)) == 5
    record = record_of(tmp_path / "out")
    assert {k: record[k] for k in ("source", "frames", "found", "skipped", "interrupted", "problem", "smoothed")} == {
        "source": "walk",
        "frames": 5,
        "found": sum(t.person is not None for t in tracked),
        "skipped": 0,
        "interrupted": False,
        "problem": None,
        "smoothed": True,
    }
    assert record["real_lens"]["focal_px"] == 70
    assert record["provenance"]["body"] == "open body"


def test_save_stream_leaves_out_what_comes_out_of_order(estimator, tmp_path):
    given = frames(4)
    given.insert(2, (FRAME, NOW_MS))
    files = estimator.save_stream(given, tmp_path, "walk", overlay=False, source="walk.mp4")
    assert [file.name for file in files] == ["walk.jsonl", "walk.npz", "walk.bvh", "walk.glb", "walk.json"]
    record = record_of(tmp_path)
    assert (record["source"], record["frames"], record["skipped"]) == ("walk.mp4", 4, 1)
    lines = [json.loads(line) for line in (tmp_path / "walk.jsonl").read_text().splitlines()]
    assert [line["index"] for line in lines] == [0, 1, 3, 4]


def test_each_recording_is_a_new_stream(estimator, tmp_path):
    estimator.save_stream(frames(3), tmp_path, "walk", overlay=False)
    again = estimator.save_stream(frames(3), tmp_path, "again", overlay=False)  # the same times once more
    assert (tmp_path / "walk.jsonl").read_text() == again[0].read_text()


def test_without_frames_nothing_is_written(estimator, tmp_path):
    assert estimator.save_stream([], tmp_path / "out", "walk") == ()
    assert not (tmp_path / "out").exists()


def test_a_bad_frame_is_refused_and_the_recording_goes_on(estimator, tmp_path):
    with estimator.record(tmp_path, "walk", overlay=False) as recording:
        recording.add(FRAME, 0.0)
        with pytest.raises(InputError, match="The frame is 20 x 10 px, but the first one was 64 x 48 px;"):
            recording.add(np.zeros((10, 20, 3), np.uint8), 40.0)
        with pytest.raises(InputError, match="timestamp"):
            recording.add(FRAME, 0.0)
        recording.add(FRAME, 80.0)
    assert record_of(tmp_path)["frames"] == 2


@pytest.mark.parametrize(
    ("error", "interrupted", "problem"), [(BundleError("broken"), False, "broken"), (KeyboardInterrupt(), True, None)]
)
def test_what_was_done_before_an_error_is_kept(estimator, tmp_path, error, interrupted, problem):
    def break_off():
        with estimator.record(tmp_path, "walk") as recording:
            for given in frames(3):
                recording.add(*given)
            raise error

    with pytest.raises(type(error)):
        break_off()
    record = record_of(tmp_path)
    assert (record["frames"], record["interrupted"], record["problem"]) == (3, interrupted, problem)
    with VideoFile(tmp_path / "walk.overlay.mp4") as video:
        assert len(list(video)) == 3


def test_refusals(estimator, tmp_path):
    (tmp_path / "walk.npz").touch()
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / 'walk.npz'} exists; replace it with --overwrite (in")):
        estimator.record(tmp_path, "walk")
    estimator.record(tmp_path, "walk", overwrite=True).close()
    with pytest.raises(InputError, match="'a/b' is not a file name"):
        estimator.record(tmp_path, "a/b")
    with pytest.raises(InputError, match="The argument focal_px is 0; give a finite number above 0"):
        estimator.record(tmp_path, focal_px=0)
    with pytest.raises(InputError, match="The argument frames_per_second is nan"):
        estimator.record(tmp_path, frames_per_second=float("nan"))
    recording = estimator.record(tmp_path)
    recording.close()
    with pytest.raises(CoEvoerError, match="The recording is closed; begin another"):
        recording.add(FRAME, 0.0)
    estimator.close()
    with pytest.raises(CoEvoerError, match="The estimator is closed"):
        estimator.record(tmp_path)


def test_only_the_overlay_needs_the_video_extra(estimator, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(PlatformError, match=re.escape("coevoer-edge[video]")):
        estimator.record(tmp_path, "walk")
    assert len(estimator.save_stream(frames(2), tmp_path, "walk", overlay=False)) == 5
