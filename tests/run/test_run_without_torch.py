"""Photographs and videos run on an ONNX bundle where nothing of an exporter or a trainer is installed."""

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from photo import ASTRONAUT
from PIL import Image

TESTS = Path(__file__).parents[1]
PROGRAM = """
import sys
from types import ModuleType, SimpleNamespace

for name in ("torch", "torchao", "executorch", "coremltools", "onnx", "onnxscript", "lightning_fabric", "matplotlib"):
    sys.modules[name] = None
sys.path.insert(0, "tests")
import coevoer_edge.runtime.onnx  # the runtime, whose answers are replaced: the network is not under test
from fakes import FakeRuntime, fake_bundle, outputs_of
from coevoer_edge.pipeline.constants import PIPELINE


def open_bundle(path):
    opened = fake_bundle(path, True)
    opened.manifest.pipeline = PIPELINE
    return opened


bundle, runtime = ModuleType("coevoer_edge.bundle"), ModuleType("coevoer_edge.runtime")
bundle.Bundle = SimpleNamespace(open=open_bundle)
runtime.open_runtime = lambda _: FakeRuntime([outputs_of((0, 0, 60.0), noise=0.01)])
sys.modules |= {"coevoer_edge.bundle": bundle, "coevoer_edge.runtime": runtime}
from coevoer_edge.cli import main

main(["run", "bundle-x", *sys.argv[1:]])
"""


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    photo = np.asarray(Image.open(ASTRONAUT).convert("RGB").resize((96, 96)))
    with av.open(str(tmp_path / "clip.mp4"), "w") as file:
        stream = file.add_stream("mpeg4", rate=25, width=96, height=96)
        for shift in range(3):
            picture = np.ascontiguousarray(np.roll(photo, shift, axis=1))
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())
    return tmp_path / "clip.mp4"


def run(*arguments: str | Path) -> None:
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    done = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_photograph(tmp_path):
    run(ASTRONAUT, "-o", tmp_path / "out")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {f"astronaut{suffix}" for suffix in (".json", ".npz", ".glb", ".overlay.png")}
    overlay = np.asarray(Image.open(tmp_path / "out" / "astronaut.overlay.png").convert("RGB"))
    assert (overlay != np.asarray(Image.open(ASTRONAUT).convert("RGB"))).any()


def test_a_video(clip, tmp_path):
    run(clip, "-o", tmp_path / "out")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {f"clip{suffix}" for suffix in (".overlay.mp4", ".jsonl", ".npz", ".json")} <= written
