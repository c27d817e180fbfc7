"""The structure of the code: the order of imports, their cost, the length of files, and forbidden content."""

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

# Folders and flat modules from the first to the last: each imports only from those before it, so no two of them import
# each other. A new folder gets its place here.
RUNNING = (
    "callable_module",
    "errors",
    "files",
    "contract",
    "body",
    "pipeline",
    "terminal",
    "media",
    "bundle",
    "runtime",
    "output",
    "estimator",
    "run",
)
"""Image -> crop -> network (a bundle's artifact) -> SMPL-X parameters -> body."""

BUILDING = (
    "recipes",
    "model",
    "data",
    "conformance",
    "quantization",
    "evaluation",
    "training",
    "lowering",
    "export",
    "parity",
    "train",
    "distill",
    "evaluate",
    "bench",
    "cli",
    "__main__",
)
"""Checkpoint -> exported program -> quantized program -> lowered file -> bundle -> runtime -> parity."""

ORDER = (*RUNNING, *BUILDING, "coevoer_edge")
"""The package itself comes last: its public names are those of its modules, imported when they are used."""

COMMANDS = ("run", "export", "parity", "bench", "train", "distill", "evaluate")
MAX_FLAT_MODULES = 8
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
                    if not base and alias.name == "__version__":  # a constant, which all modules may state
                        continue
                    below = f"{base}.{alias.name}".removeprefix(".")
                    found.add(below if below in modules() else base or "coevoer_edge")
        elif isinstance(node, ast.Import):
            ours = (alias.name for alias in node.names if alias.name.partition(".")[0] == "coevoer_edge")
            found |= {name.removeprefix("coevoer_edge.") for name in ours}
    return found - {name}


def folder(name: str) -> str:
    """The folder or flat module directly below the package that holds a module."""
    return name.partition(".")[0]


def imports_between_folders() -> dict[tuple[str, str], list[str]]:
    """Each pair of folders of which the first imports the second, with the imports themselves."""
    found: dict[tuple[str, str], list[str]] = {}
    for name in modules():
        for other in sorted(imports_of(name)):
            if folder(name) != folder(other):
                found.setdefault((folder(name), folder(other)), []).append(f"{name} imports {other}")
    return found


def imported_by(statement: str) -> set[str]:
    """Third-party packages that a statement loads in a new interpreter."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return {name.partition(".")[0] for name in output.split()} - sys.stdlib_module_names - {"coevoer_edge"}


def test_importing_the_package_is_instant():
    assert imported_by("import coevoer_edge") == set()


@pytest.mark.parametrize(
    "module", ["contract", "pipeline.image", "body.model", "bundle", "runtime", "pipeline.tracking", "estimator", "run"]
)
def test_the_running_chain_starts_without_the_heavy_packages(module):
    assert imported_by(f"import coevoer_edge.{module}") & HEAVY == set()


def test_the_command_line_starts_without_the_heavy_packages():
    assert imported_by("import coevoer_edge.cli") & HEAVY == set()


def test_the_order_names_every_folder_once():
    assert sorted(ORDER) == sorted({folder(name) for name in modules()})


def test_a_folder_imports_only_what_stands_before_it():
    wrong = [
        line
        for (importer, imported), lines in imports_between_folders().items()
        if ORDER.index(imported) > ORDER.index(importer)
        for line in lines
    ]
    assert wrong == []


def test_no_two_folders_import_each_other():
    pairs = imports_between_folders()
    assert [pair for pair in pairs if pair[::-1] in pairs] == []


def test_no_library_imports_a_command():
    wrong = [
        line
        for (importer, imported), lines in imports_between_folders().items()
        if imported in COMMANDS and importer not in ("cli", "coevoer_edge")
        for line in lines
    ]
    assert wrong == []


def test_few_modules_lie_flat_in_the_package():
    assert len(list(PACKAGE.glob("*.py"))) <= MAX_FLAT_MODULES


def test_the_package_does_not_know_the_scripts_that_derive_its_data():
    wrong = [
        name
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "derive"
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
    lines = re.findall(r"^      ((?:[\w.]+/? ?)+)  ", layout, re.MULTILINE)
    in_layout = {name for line in lines for name in line.split()}
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
        ("a path of a developer's machine", r"(?<![\w.])/(work|root|home|Users|opt)/\w|[A-Z]:\\Users\\"),
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
