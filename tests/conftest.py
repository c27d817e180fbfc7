"""What several test files share: the tiny network, its quantized program, and the artifacts it was lowered to."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from filelock import FileLock
from torch.export import ExportedProgram

from coevoer_edge.model import CoEvoer
from coevoer_edge.model.captured_program import capture
from coevoer_edge.pipeline.image import Pixels
from coevoer_edge.quantization.pt2e import quantize
from coevoer_edge.quantization.recipe import QuantizationRecipe

Lower = Callable[[str, str], Path]
PROGRAMS = {"w8a8": "quantized_program", "fp16": "half_program", "fp32": "float_program"}


def pytest_configure() -> None:
    """Workers share the cores: threads of torch, here and in processes of the tests, would wait for each other."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        torch.set_num_threads(1)
        os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def tiny_network() -> CoEvoer:
    """Full network (enhancer and foreground extraction) in eval mode; do not change it."""
    return tiny.tiny_network()


@pytest.fixture(scope="session")
def float_program(tiny_network: CoEvoer) -> ExportedProgram:
    return capture(tiny_network)


@pytest.fixture(scope="session")
def half_program(tiny_network: CoEvoer) -> ExportedProgram:
    return quantize(tiny_network, QuantizationRecipe.open("fp16"), ())


@pytest.fixture(scope="session")
def quantized_program(tiny_network: CoEvoer) -> ExportedProgram:
    """The tiny network in int8; do not change it."""
    return tiny.w8a8(tiny_network)


@pytest.fixture(scope="session")
def pictures() -> list[Pixels]:
    """64 crops that are not among the calibration images."""
    return tiny.images(2, 64)


@pytest.fixture(scope="session")
def float_outputs(tiny_network: CoEvoer, pictures: list[Pixels]) -> dict[str, np.ndarray]:
    return tiny.outputs(tiny_network, pictures)


@pytest.fixture(scope="session")
def quantized_outputs(quantized_program: ExportedProgram, pictures: list[Pixels]) -> dict[str, np.ndarray]:
    return tiny.outputs(quantized_program.module(), pictures)


@pytest.fixture(scope="session")
def lowered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Lower:
    """`lowered(target, precision)`: the tiny network's artifact, written once for all workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "lowered"
    folder.mkdir(exist_ok=True)

    def lower(target: str, precision: str) -> Path:
        path = folder / tiny.artifact_name(target, precision)
        with FileLock(folder / f"{path.name}.lock"):
            if not path.exists():
                program = request.getfixturevalue(PROGRAMS[precision])
                tiny.lower(program, target, precision, tmp_path_factory.mktemp("unfinished")).rename(path)
        return path

    return lower
