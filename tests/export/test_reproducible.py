"""The real export twice, in two processes: every file of all three bundles is the same, byte by byte.

tests/export/test_lower.py holds the tiny network's artifacts to the same in seconds.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from coevoer_edge.bundle import SUMS, Bundle

pytestmark = pytest.mark.slow  # two whole exports

TIMEOUT_S = 1800  # for one export; about 4 minutes on two cores


def export(folder: Path, hash_seed: str) -> Path:
    subprocess.run(
        [sys.executable, "-m", "coevoer_edge.export", "--target", "all", "-o", str(folder), "--quiet"],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        timeout=TIMEOUT_S,
        check=True,
    )
    return folder


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    first, second = export(tmp_path / "first", "1"), export(tmp_path / "second", "4711")
    names = sorted(path.name for path in first.iterdir())
    assert names == ["coevoer-t-coreml-w8a8", "coevoer-t-executorch-xnnpack-w8a8", "coevoer-t-onnx-w8a8"]
    assert sorted(path.name for path in second.iterdir()) == names
    for name in names:
        for folder in (first, second):
            Bundle.open(folder / name)  # so that the digests are those of the files
        assert (second / name / SUMS).read_text() == (first / name / SUMS).read_text()
