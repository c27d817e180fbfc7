"""Workers: their reports, and the message that the user gets when one fails."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_bundles
import numpy as np
import pytest

from coevoer_edge.bench.processes import Worker
from coevoer_edge.bench.stream import draw_stream
from coevoer_edge.errors import CoEvoerError, PlatformError

Python = Callable[[str], Path]


@pytest.fixture
def python(tmp_path: Path) -> Python:
    """`python(words)` makes an interpreter that is started by this shell command; {} stands for the current one."""

    def make(words: str) -> Path:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{words.format(sys.executable)}\n")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stream")
    draw_stream(3).save(folder)
    return folder


def refusal(kind: type[CoEvoerError], job: dict[str, Any], path: Path | None = None) -> str:
    with pytest.raises(kind) as error:
        Worker("the row", job, path)
    return str(error.value)


def test_memory_is_its_own_and_not_that_of_whoever_started_it(stream: Path) -> None:
    ballast = np.ones(600_000_000, np.uint8)
    with Worker("mesh decode", {"do": "mesh", "stream": str(stream)}) as worker:
        assert worker.turn() > 0
        said = worker.finish()
    assert said["runtime"] == "numpy"
    assert 10_000_000 < said["peak_bytes"] < ballast.nbytes


def test_missing_mediapipe(python: Python, stream: Path) -> None:
    path = python('exec {} -S "$@"')
    assert refusal(PlatformError, {"do": "holistic", "stream": str(stream)}, path) == (
        f"{path} has no MediaPipe Holistic (No module named 'mediapipe'). The last mediapipe that includes it and "
        "its models is 0.10.21. It needs numpy below 2, so it cannot be installed beside coevoer-edge. Give it an "
        "environment of its own, with Python 3.9 to 3.12:  python3.11 -m venv holistic && "
        "holistic/bin/pip install mediapipe==0.10.21  Then add  --mediapipe-python holistic/bin/python"
    )


STAND_IN = """
import sys
class Holistic:
    def __init__(self, model_complexity, refine_face_landmarks):
        assert (model_complexity, refine_face_landmarks) == (1, True)
        self.turns = 0
    def process(self, frame):
        assert frame.shape == (480, 640, 3) and frame.flags.writeable
        assert not any("coevoer_edge" in path for path in sys.path), "sees our modules"
        self.turns += 1
        self.pose_landmarks, self.face_landmarks = [], None
        self.left_hand_landmarks = [] if self.turns % 2 else None
        self.right_hand_landmarks = None
        return self
"""


def test_mediapipe_s_part_with_a_stand_in(python: Python, stream: Path, tmp_path: Path) -> None:
    package = tmp_path / "site" / "mediapipe"
    (package / "python" / "solutions").mkdir(parents=True)
    for folder in (package, package / "python", package / "python" / "solutions"):
        (folder / "__init__.py").touch()
    (package / "python" / "solutions" / "holistic.py").write_text(STAND_IN)
    for name in ("pose_detection/pose_detection", "pose_landmark/pose_landmark_full", "iris_landmark/iris_landmark"):
        (package / "modules" / name).parent.mkdir(parents=True)
        (package / "modules" / f"{name}.tflite").write_bytes(b"0" * 1000)
    path = python(f'PYTHONPATH={tmp_path / "site"} exec {{}} "$@"')
    with Worker("peer", {"do": "holistic", "stream": str(stream)}, path) as worker:
        worker.turn()
        said = worker.finish()
    assert said.pop("peak_bytes") > 0
    assert said == {
        "runtime": "tflite",
        "megabytes": 0.002,
        "found": {"pose": 1.0, "face": 0.0, "left_hand": 2 / 3, "right_hand": 0.0},
    }


def test_no_such_python(stream: Path) -> None:
    message = refusal(PlatformError, {"do": "holistic", "stream": str(stream)}, Path("nowhere/python"))
    assert message.startswith("Cannot start nowhere/python (")
    assert message.endswith("); give the path of a Python interpreter.")


def test_a_process_that_dies_says_how(python: Python) -> None:
    path = python("echo first >&2; echo out of memory >&2; exit 9")
    assert refusal(CoEvoerError, {"do": "mesh"}, path) == (
        "the row: its process ended with exit code 9. Its last output: first / out of memory."
    )


def test_a_fault_of_the_job_is_told(tmp_path: Path) -> None:
    message = refusal(CoEvoerError, {"do": "mesh", "stream": str(tmp_path)})
    assert message.startswith("the row: its process failed. FileNotFoundError: ")


@pytest.mark.skipif(sys.platform == "darwin", reason="Core ML runs there")
def test_an_error_of_ours_comes_through_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "tiny.mlpackage").write_bytes(b"")
    bundle = bench_bundles.write_bundle(tmp_path / "tiny-coreml", tmp_path / "tiny.mlpackage", "coreml", "w8a8")
    job = {"do": "network", "bundle": str(bundle.path), "threads": None}
    assert refusal(PlatformError, job).startswith(
        "tiny.mlpackage is a Core ML package, which runs on macOS and iOS only."
    )


def test_nothing_is_left_running(stream: Path) -> None:
    with Worker("mesh decode", {"do": "mesh", "stream": str(stream)}) as worker:
        process = worker._process
        assert process.poll() is None
    assert process.poll() is not None
