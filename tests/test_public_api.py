"""The public API: the names of `coevoer_edge`, that it is light and typed, and that commands are callable."""

import ast
import importlib
import inspect
import pydoc
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fakes import FakeRuntime
from photo import ASTRONAUT

import coevoer_edge
from coevoer_edge.body.model import BodyModel
from coevoer_edge.errors import InputError
from coevoer_edge.estimator import Estimator
from coevoer_edge.training.session import Settings

ROOT = Path(__file__).parent.parent
COMMANDS = ("bench", "conformance", "distill", "evaluate", "export", "parity", "run", "train")


def python(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("name", coevoer_edge.__all__)
def test_every_public_name_is_there_and_described(name):
    value = getattr(coevoer_edge, name)
    assert inspect.getdoc(value)
    assert name in dir(coevoer_edge)
    assert name in coevoer_edge.__doc__


def test_public_names_are_those_that_type_checkers_see():
    tree = ast.parse((ROOT / "coevoer_edge/__init__.py").read_text())
    block = next(node for node in tree.body if getattr(getattr(node, "test", None), "id", "") == "TYPE_CHECKING")
    for statement in block.body:
        for alias in statement.names:
            home = getattr(importlib.import_module(statement.module), alias.name)
            value = getattr(coevoer_edge, alias.name)
            assert value is home or inspect.signature(value) == inspect.signature(home), alias.name
    assert sorted(alias.name for node in block.body for alias in node.names) == sorted(coevoer_edge.__all__)


def test_unknown_names_are_refused_as_by_any_module():
    with pytest.raises(AttributeError, match="module 'coevoer_edge' has no attribute 'Estimater'"):
        _ = coevoer_edge.Estimater
    with pytest.raises(ImportError):
        exec("from coevoer_edge import Estimater")


def test_star_import_brings_no_torch():
    heavy = python(
        "import sys\nfrom coevoer_edge import *\nEstimator, Bundle, export, parity\n"
        "print(sorted({'torch', 'trimesh', 'rich', 'onnxruntime', 'onnx', 'av', 'PIL'} & set(sys.modules)))"
    )
    assert heavy == "[]"


def test_the_estimator_and_bundles_load_nothing_that_they_need_later():
    late = python(
        "import sys\nfrom coevoer_edge import Estimator, Bundle\n"
        "late = {'hashlib', 'shutil', 'PIL', 'click', 'coevoer_edge.output', 'coevoer_edge.runtime'}\n"
        "print(sorted(late & set(sys.modules)))"
    )
    assert late == "[]"


@pytest.mark.slow
def test_the_estimator_and_bundles_cost_at_most_half_of_numpy_more():
    """Processor time of the imports alone, in fresh processes that take turns; the smallest of each round.

    The best of three rounds counts, because background load slows both, by different amounts.
    """
    program = "import time; begin = time.process_time(); {}; print(time.process_time() - begin)"
    statements = ("import numpy", "from coevoer_edge import Estimator, Bundle")
    ratios = []
    for _ in range(3):
        seconds = [[float(python(program.format(statement))) for statement in statements] for _ in range(12)]
        numpy_s, ours_s = np.min(seconds, axis=0)
        ratios.append(ours_s / numpy_s)
    assert min(ratios) <= 1.5


def test_help_is_a_page_worth_reading():
    page = pydoc.plaintext.document(coevoer_edge)
    beginning = page[:4000]
    for words in ("Quick start", "Estimator.open(", "person.save(", "docs/outputs.md"):
        assert words in beginning
    assert "class Estimator" in page


def test_the_quick_start_runs(monkeypatch, tmp_path):
    """With a fake network in place of the export, which takes minutes."""
    lines = coevoer_edge.__doc__.partition("Quick start:")[2].partition("Public names:")[0]
    program = "\n".join(line[4:] for line in lines.splitlines())
    monkeypatch.setattr(coevoer_edge, "export", lambda target: [SimpleNamespace(path=target)], raising=False)
    estimator = Estimator(FakeRuntime(), BodyModel.open(), trained=True)
    monkeypatch.setattr(Estimator, "open", lambda path: estimator)
    shutil.copy(ASTRONAUT, tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    shown = []
    for statement in ast.parse(program).body:  # one after the other, as a notebook does
        if isinstance(statement, ast.Expr):
            shown.append(eval(ast.unparse(statement), names))
        else:
            exec(ast.unparse(statement), names)
    person, hand, vertices, files = shown
    assert isinstance(person, coevoer_edge.Person)
    assert hand.shape == (15, 3, 3)
    assert vertices.shape[1] == 3
    assert [file.as_posix() for file in files] == [f"out/photo{s}" for s in (".json", ".npz", ".glb", ".overlay.png")]


# Commands as functions.


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_are_packages_and_callable(name):
    module = importlib.import_module(f"coevoer_edge.{name}")
    assert getattr(coevoer_edge, name) is module
    assert callable(module)
    function = getattr(module, name)
    assert inspect.signature(module) == inspect.signature(function)
    for part in ("Args:", "Returns:", "Raises:"):
        assert part in function.__doc__
    for parameter in inspect.signature(function).parameters:
        assert f"        {parameter}: " in function.__doc__, parameter


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_an_argument(name):
    """The names are the same, except for switches that concern the terminal."""
    renamed = {"targets": "target", "no_smoothing": "smooth", "no_overlay": "overlay"}
    terminal_only = {"as_json", "markdown", "help"}
    if name == "conformance":  # the function prints nothing
        terminal_only.add("quiet")
    module = importlib.import_module(f"coevoer_edge.{name}.__main__")
    command = getattr(module, "command", None) or module.main
    options = {renamed.get(p.name, p.name) for p in command.params} - terminal_only
    arguments = set(inspect.signature(getattr(coevoer_edge, name)).parameters)
    if "options" in arguments:
        arguments |= {field.name for field in fields(Settings)}
    assert options <= arguments


def test_a_call_reaches_the_export_with_paths_and_strings(monkeypatch, tmp_path):
    from coevoer_edge.export import exporter

    asked = []
    monkeypatch.setattr(exporter, "export", lambda request, steps: asked.append((request, steps)) or ["bundle"])
    weights, photos = str(tmp_path / "mine.safetensors"), str(tmp_path / "photos")
    found = coevoer_edge.export(
        ["pte", "onnx"], checkpoint=weights, data=photos, num_calibration_samples=64, output_dir=str(tmp_path), seed=3
    )
    assert found == ["bundle"]
    request, steps = asked[0]
    assert request.targets == ("executorch", "onnx")
    assert (request.recipe.name, request.recipe.num_calibration_samples) == ("w8a8", 64)
    assert (request.checkpoint, request.data, request.output_dir) == (Path(weights), Path(photos), tmp_path)
    assert request.seed == 3
    assert (steps.quiet, steps.total) == (True, 6)
    assert coevoer_edge.export("all") == ["bundle"]
    assert len(asked[1][0].targets) == 3


def test_export_refuses_before_torch_is_imported():
    program = (
        "import sys, coevoer_edge\n"
        "for given in ({'target': 'tensorflow'}, {'target': []}, {'target': 'onnx', 'precision': 'w4'},\n"
        "              {'target': 'onnx', 'untrained': True, 'checkpoint': 'x'}):\n"
        "    try:\n"
        "        coevoer_edge.export(**given)\n"
        "    except coevoer_edge.InputError as error:\n"
        "        print(error)\n"
        "print('torch' in sys.modules)"
    )
    lines = python(program).splitlines()
    assert len(lines) == 5
    assert "tensorflow" in lines[0]
    assert lines[1] == "There is no target to export to; give coreml, executorch, onnx or all."
    assert "w4" in lines[2]
    assert lines[3].startswith("The arguments untrained and checkpoint exclude each other")
    assert lines[4] == "False"


def test_a_call_reaches_parity_and_writes_reports(monkeypatch, tmp_path):
    from coevoer_edge.parity import ladder, report_files

    asked, climb, written = [], SimpleNamespace(ladders=()), []
    monkeypatch.setattr(ladder, "climb", lambda request, steps: asked.append(request) or climb)
    monkeypatch.setattr(report_files, "write_reports", lambda *given: written.append(given))
    assert coevoer_edge.parity("bundle", budget="coevoer-t", limit=5, output_dir=str(tmp_path)) is climb
    assert asked[0].bundles == (Path("bundle"),)
    assert (asked[0].budget.name, asked[0].limit) == ("coevoer-t", 5)
    assert written == [(climb, tmp_path, None)]
    assert coevoer_edge.parity(["a", "b"]) is climb
    assert asked[1].bundles == (Path("a"), Path("b"))
    (tmp_path / "parity.md").touch()
    with pytest.raises(InputError, match=r"parity\.md exists"):
        coevoer_edge.parity("bundle", output_dir=tmp_path)


def test_a_call_reaches_the_bench(monkeypatch):
    from coevoer_edge.bench import report

    asked = []
    monkeypatch.setattr(report, "bench", lambda request, steps: asked.append(request) or "report")
    assert coevoer_edge.bench("bundle", rounds=2, peers=["eager", "eager"]) == "report"
    assert asked[0].bundles == (Path("bundle"),)
    assert (asked[0].rounds, asked[0].peers, asked[0].mediapipe_python) == (2, ("eager",), Path(sys.executable))
    with pytest.raises(InputError, match=re.escape("There is no peer 'torch'; give mediapipe or eager.")):
        coevoer_edge.bench("bundle", peers="torch")
    with pytest.raises(InputError, match=re.escape("The argument rounds is 0; give 1 or more.")):
        coevoer_edge.bench("bundle", rounds=0)


def test_a_call_reaches_the_evaluation(monkeypatch):
    from coevoer_edge.evaluate import evaluator

    asked = []
    monkeypatch.setattr(evaluator, "evaluate", lambda request, quiet: asked.append((request, quiet)) or "found")
    assert coevoer_edge.evaluate(bundle="bundle", beside="other.safetensors", limit=4, quiet=False) == "found"
    request, quiet = asked[0]
    assert (request.bundle, request.beside, request.limit) == (Path("bundle"), (Path("other.safetensors"),), 4)
    assert quiet is False
    with pytest.raises(InputError, match=re.escape("The argument limit is 0; give 1 or more.")):
        coevoer_edge.evaluate(limit=0)


@pytest.mark.parametrize(
    ("source", "given", "message"),
    [
        ("photo.jpg", {"every": 2}, "The argument every has no meaning for images; it is for videos and cameras."),
        ("photo.jpg", {"smooth": False}, "The argument smooth has no meaning for images;"),
        ("clip.mp4", {"passes": 2}, "The argument passes has no meaning for a video or camera; it is for images."),
        ("clip.mp4", {"every": 0}, "The argument every is 0; give 1 or more."),
        ("clip.mp4", {"focal_px": 0.0}, "The focal length is 0.0 px; give a finite number of pixels above 0."),
        ("photo.jpg", {}, "There is no image at photo.jpg;"),
    ],
)
def test_run_refuses_what_its_source_has_no_use_for(source, given, message, tmp_path):
    with pytest.raises(InputError, match=re.escape(message)):
        coevoer_edge.run("bundle", source, tmp_path, **given)


def test_conformance_gives_a_verdict_for_each_case():
    verdicts = coevoer_edge.conformance()
    assert len(verdicts) > 30
    assert all(repr(verdict).endswith(": pass>") and len(repr(verdict)) < 200 for verdict in verdicts)
    assert [fault for verdict in verdicts for fault in verdict.faults] == []
