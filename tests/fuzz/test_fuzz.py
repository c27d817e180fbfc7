"""Thousands of damaged inputs: each is accepted or refused with one of our errors; no traceback, crash or hang.

Run with `pytest -m fuzz -n 0`. Seeds are fixed, so a case that fails can be run again; the table goes to the terminal.
"""

import sys
from pathlib import Path

import pytest
from harness import Outcome, run_family, table

sys.path.insert(0, str(Path(__file__).parents[1] / "bundle"))
from test_bundle import write

pytestmark = pytest.mark.fuzz

COUNTS = {"bundles": 3000, "tomls": 6000, "checkpoints": 600, "images": 7000, "bodies": 400, "kits": 3200}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Outcome]]:
    found = {}
    for family, count in COUNTS.items():
        folder = tmp_path_factory.mktemp(family)
        write(folder / "bundle")
        found[family] = run_family(family, count, folder)
    return found


def test_the_table(found: dict[str, list[Outcome]], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{table(found)}")
    assert {family: len(outcomes) for family, outcomes in found.items()} == COUNTS


@pytest.mark.parametrize("family", COUNTS)
def test_nothing_but_results_and_clear_errors(found: dict[str, list[Outcome]], family: str) -> None:
    bad = [outcome for outcome in found[family] if outcome.kind not in ("accepted", "refused")]
    shown = [f"{outcome.kind}, case {outcome.case}: {outcome.detail}" for outcome in bad[:3]]
    assert not bad, f"{len(bad)} of {len(found[family])}: {' / '.join(shown)}"


@pytest.mark.parametrize("family", COUNTS)
def test_refusals_say_what_to_do(found: dict[str, list[Outcome]], family: str) -> None:
    refused = [outcome for outcome in found[family] if outcome.kind == "refused"]
    assert refused
    assert all(outcome.detail for outcome in refused)
