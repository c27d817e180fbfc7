"""What the parity command refuses, asks of `climb`, writes, and how it ends. Nothing is run here."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from coevoer_edge.parity import ladder as ladder_module
from coevoer_edge.parity import pictures
from coevoer_edge.parity.__main__ import command
from coevoer_edge.parity.budget import Budget
from coevoer_edge.parity.ladder import ParityRequest
from coevoer_edge.parity.result import Ladder, Violation

OVER = Violation("lowering", "mpvpe_mm.hand", "mean", 0.31, 0.25, "the budget of quantization")


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def ladder(bundle: str, *violations: Violation) -> Ladder:
    return Ladder(bundle, "onnx", "w8a8", "golden", 4, {}, {}, {}, violations, "default", (), (), 1.0)


@pytest.fixture
def over() -> list[Violation]:
    return []


@pytest.fixture(autouse=True)
def requests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, over: list[Violation]) -> list[ParityRequest]:
    """The requests that reach `climb`, which answers with made-up ladders; reports say only what they are."""
    seen: list[ParityRequest] = []

    def climb(request: ParityRequest, steps: object) -> SimpleNamespace:
        seen.append(request)
        return SimpleNamespace(ladders=tuple(ladder(path.name, *over) for path in request.bundles))

    report = ModuleType("coevoer_edge.parity.report")
    for name in ("text", "json", "junit", "markdown"):
        setattr(report, f"as_{name}", lambda ladders, name=name: f"{name} of {' and '.join(x.bundle for x in ladders)}")
    report.as_dict = lambda ladders: {"bundles": [x.bundle for x in ladders]}  # type: ignore[attr-defined]
    report.as_html = lambda ladders, rows: f"html with {rows}"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "coevoer_edge.parity.report", report)
    monkeypatch.setattr(ladder_module, "climb", climb)
    monkeypatch.setattr(pictures, "draw", lambda found, number, body: f"picture {number}")
    monkeypatch.chdir(tmp_path)
    return seen


def test_defaults(requests: list[ParityRequest]) -> None:
    result = cli("artifacts/a")
    assert result.exit_code == 0, result.output
    assert requests == [ParityRequest((Path("artifacts/a"),), budget=Budget.open())]
    assert result.stdout.splitlines() == ["text of a", "Parity pass: a, 4 images, budget default"]


def test_every_option_arrives(requests: list[ParityRequest], tmp_path: Path) -> None:
    budget = tmp_path / "mine.toml"
    limit = 'step = "export"\nfigure = "mpvpe_mm.all"\nstatistic = "max"\nlimit = 3\nreason = "x"\n'
    budget.write_text(f'name = "mine"\n[[limit]]\n{limit}', encoding="utf-8")
    options = ["--reference", "l.safetensors", "--checkpoint", "t.safetensors", "--calibration-data", "photos"]
    result = cli("a", "b", *options, "--data", "synthetic", "--limit", 9, "--budget", budget, "--layers")
    assert result.exit_code == 0, result.output
    assert requests == [
        ParityRequest(
            bundles=(Path("a"), Path("b")),
            reference="l.safetensors",
            checkpoint=Path("t.safetensors"),
            calibration_data=Path("photos"),
            data="synthetic",
            limit=9,
            budget=Budget.open(budget),
            layers=True,
        )
    ]


def test_reports_are_written_and_named(tmp_path: Path) -> None:
    result = cli("a", "b", "-o", "reports")
    assert result.exit_code == 0, result.output
    written = {path.name: path.read_text() for path in (tmp_path / "reports").iterdir()}
    assert written == {
        "parity.json": "json of a and b",
        "parity.xml": "junit of a and b",
        "parity.md": "markdown of a and b",
        "parity.html": "html with {'a': 'picture 0', 'b': 'picture 1'}",
    }
    assert f"Wrote {Path('reports/parity.html')}" in result.stdout.splitlines()
    assert cli("a", "-o", "reports", "--overwrite").exit_code == 0


def test_over_budget_is_exit_code_1_after_the_reports(over: list[Violation], tmp_path: Path) -> None:
    over.append(OVER)
    result = cli("a", "b", "-o", "reports")
    assert result.exit_code == 1
    assert (tmp_path / "reports" / "parity.html").is_file()
    assert result.stdout.splitlines()[-1] == "Parity fail: b, 4 images, budget default"
    assert result.stderr.endswith(
        "Error: Over budget:\n  a: lowering: mpvpe_mm.hand mean is 0.31 (limit 0.25: the budget of quantization)\n"
    )


def test_quiet_json_is_one_line(over: list[Violation]) -> None:
    result = cli("a", "--json", "--quiet")
    assert json.loads(result.stdout) == {"bundles": ["a"]}
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing argument 'BUNDLE...'."),
        (("a", "--limit", "0"), "Invalid value for '--limit': 0 is not in the range x>=1."),
        (
            ("a", "--budget", "mine.toml"),
            "No quantization/budgets recipe 'mine.toml'; valid: coevoer-t, default, or the path of ",
        ),
        (("a", "-o", "file"), "file is a file; give a folder with -o."),
        (("a", "-o", "full"), f"{Path('full/parity.json')} exists; add --overwrite, or give another folder with -o."),
    ],
)
def test_refused(requests: list[ParityRequest], tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "parity.json").touch()
    result = cli(*arguments)
    assert result.exit_code == 2
    assert result.stderr.partition("Error: ")[2].startswith(message)
    assert requests == []


def test_no_such_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    result = CliRunner().invoke(command, ["nowhere", "--quiet"])
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: There is no bundle folder 'nowhere'; `python -m coevoer_edge.export ")
