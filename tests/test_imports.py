"""The shape of the code: what imports what, what an import costs, how long files are, what they must not contain."""

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "coevoer_edge"
MAX_LINES = 350

# A module imports only what stands on a line before its own (or beside it, under the same name). A name stands for a
# module or, where no longer name fits, for everything in a subpackage. A new module gets its place here.
RUNNING = (
    "coevoer_edge",
    "errors",
    "contract",
    "rotations",
    "body.joints",
    "parameters",
    "camera",
    "image",
    "tensor_file",
    "pipeline",
    "smoothing",
    "media",
    "body.model_file",
    "body.model",
    "person",
    "tracking",
    "mesh_io",
    "animation",
    "avatar",
    "render",
    "overlay",
    "console",
    "progress",
    "quiet",
    "threads",
    "bundle",
    "runtime.protocol",
    "runtime",
    "estimator",
    "run_files",
    "viewer",
    "stream_files",
    "run_images",
    "run_stream",
    "run",
)
"""Image -> crop -> network (a bundle's artifact) -> SMPL-X parameters -> body."""

BUILDING = (
    "body",  # derive*: how the open body was made
    "body.pack",
    "avatar.derive_arkit",
    "recipes",
    "export.recipe",
    "quantization.recipe",
    "model",
    "checkpoint",
    "weights",
    "body.keypoints",
    "body.layer",
    "data",
    "conformance",
    "export.program",
    "quantization",
    "evaluation",
    "evaluate",
    "training",
    "train",
    "distill",
    "export.facts",
    "export.passes",
    "export",
    "export.model_card",
    "parity",
    "export.exporter",
    "export.__main__",
    "bench",
    "cli",
)
"""Checkpoint -> exported program -> quantized program -> lowered file -> bundle -> runtime -> parity."""

ORDER = (*RUNNING, *BUILDING)
OWN_PATTERNS = "tests/test_imports.py"  # spells out what no other file may contain

HEAVY = {
    *("torch", "torchao", "coremltools", "executorch", "onnx", "onnxruntime", "onnxscript"),
    *("smplx", "trimesh", "av", "rerun"),
}


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package by its name below `coevoer_edge` (the package itself: `coevoer_edge`)."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "coevoer_edge"
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def imports_of(name: str) -> set[str]:
    """Our modules that a module imports, at its top, inside functions and for its types."""
    found = set()
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: line {node.lineno}: relative import"
            if (node.module or "").partition(".")[0] == "coevoer_edge":
                base = node.module.removeprefix("coevoer_edge").removeprefix(".")
                for alias in node.names:
                    below = f"{base}.{alias.name}".removeprefix(".")
                    found.add(below if below in modules() else base or "coevoer_edge")
        elif isinstance(node, ast.Import):
            ours = (alias.name for alias in node.names if alias.name.partition(".")[0] == "coevoer_edge")
            found |= {name.removeprefix("coevoer_edge.") for name in ours}
    return found - {name}


def place(name: str) -> int | None:
    """Index in `ORDER` of the longest name that covers a module; None for a module without a place."""
    covers = [i for i, entry in enumerate(ORDER) if name == entry or name.startswith(f"{entry}.")]
    return max(covers, key=lambda i: len(ORDER[i])) if covers else None


def imported_by(statement: str) -> set[str]:
    """Third-party packages that a statement loads in a new interpreter."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return {name.partition(".")[0] for name in output.split()} - sys.stdlib_module_names - {"coevoer_edge"}


def test_importing_the_package_is_instant():
    assert imported_by("import coevoer_edge") == set()


@pytest.mark.parametrize(
    "module", ["contract", "image", "body.model", "bundle", "runtime", "tracking", "smoothing", "estimator", "run"]
)
def test_the_running_chain_starts_without_the_heavy_packages(module):
    assert imported_by(f"import coevoer_edge.{module}") & HEAVY == set()


def test_the_command_line_starts_without_the_heavy_packages():
    if "cli" not in modules():
        pytest.skip("coevoer_edge/cli.py does not exist")
    assert imported_by("import coevoer_edge.cli") & HEAVY == set()


def test_every_module_has_a_place():
    unplaced = sorted(name for name in modules() if place(name) is None)
    assert unplaced == [], "give these a place in RUNNING or BUILDING"


def test_every_place_is_taken():
    named = {ORDER[i] for name in modules() if (i := place(name)) is not None}
    assert [entry for entry in ORDER if entry not in named] == [], "take these out of RUNNING or BUILDING"


def test_a_module_imports_only_what_stands_before_it():
    wrong = [
        f"{name} imports {other}"
        for name in modules()
        for other in sorted(imports_of(name))
        if (place(other) or 0) > (place(name) or 0)
    ]
    assert wrong == []


def test_the_running_chain_knows_nothing_of_the_building_chain():
    wrong = [
        f"{name} imports {other}"
        for name in modules()
        if (place(name) or 0) < len(RUNNING)
        for other in sorted(imports_of(name))
        if (place(other) or 0) >= len(RUNNING)
    ]
    assert wrong == []


def test_no_import_runs_in_a_circle():
    graph = {name: imports_of(name) & modules().keys() for name in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_files_stay_short():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert [f"{p.relative_to(ROOT)}: {n} lines" for p, n in lengths.items() if n > MAX_LINES] == []


def test_every_module_says_what_it_is():
    assert [name for name, tree in modules().items() if not ast.get_docstring(tree)] == []


def test_the_layout_in_contributing_is_complete():
    layout = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    in_package = {p.name if p.is_file() else f"{p.name}/" for p in PACKAGE.iterdir()}
    in_layout = set(re.findall(r"^      ([\w.]+/?)  ", layout, re.MULTILINE))
    assert in_layout == in_package - {"__init__.py", "__main__.py", "__pycache__/", "_recipes/", "py.typed"}


@cache
def tracked_texts() -> dict[str, str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0 or not listed.stdout:
        pytest.skip(f"git knows no files here: {listed.stderr.strip() or 'not a checkout'}")
    texts = {}
    for name in listed.stdout.split("\0"):
        path = ROOT / name
        if path.is_file() and b"\0" not in (data := path.read_bytes()):
            texts[name] = data.decode("utf-8", errors="replace")
    return texts


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a note of work left undone", r"\b(TODO|FIXME|XXX)\b"),
        ("a path of somebody's machine", r"(?<![\w.])/(work|root|home|Users|opt)/\w|[A-Z]:\\Users\\"),
    ],
)
def test_no_tracked_file_contains(what, pattern):
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in tracked_texts().items()
        if name != OWN_PATTERNS
        for number, line in enumerate(text.splitlines(), start=1)
        if re.search(pattern, line)
    ]
    assert found == [], what
