"""docs/pipeline.md says what the code does: its tables of constants are the defaults."""

import re
from dataclasses import asdict
from pathlib import Path

import pytest

from coevoer_edge.conformance.kit import EXPECTED
from coevoer_edge.pipeline.constants import PIPELINE

PAGE = Path(__file__).parents[2] / "docs" / "pipeline.md"


@pytest.fixture(scope="module")
def rows() -> list[list[str]]:
    if not PAGE.is_file():
        pytest.skip("docs/ is not part of this distribution")
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")
    ]


def test_tracking(rows):
    constants = asdict(PIPELINE)
    del constants["smoothing"], constants["conformance"]  # a table of its own, and the name of a file
    stated = {row[0]: float(row[1]) for row in rows if row[0] in constants}
    assert stated == constants


def test_smoothing(rows):
    groups = asdict(PIPELINE)["smoothing"]
    stated = {row[0]: tuple(float(value) for value in row[1:4]) for row in rows if row[0] in groups and len(row) == 5}
    assert stated == {name: tuple(rule.values()) for name, rule in groups.items()}


def test_the_kits_tensors(rows):
    for kind, names in EXPECTED.items():
        row = next(row for row in rows if row[0] == f"{kind}.N.")
        for name in names:
            word = re.sub(r"^(decoded|smoothed)_(?!translation).*", r"\1_{parameter}", name)
            assert f"`{word}`" in f"| {row[2]} |".replace("| ", "| `") or word in row[2], (kind, name)
