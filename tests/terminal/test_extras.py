"""A package that is not installed becomes one sentence with the command to type, on the command line and in Python."""

import subprocess
import sys
from pathlib import Path

import pytest

from coevoer_edge.terminal.extras import missing_extra, names_its_extra

ROOT = Path(__file__).parents[2]
LIGHT = (  # as after `pip install coevoer-edge` without an extra
    "import sys\n"
    "for name in ('torch', 'torchao', 'executorch', 'coremltools', 'onnx', 'onnxscript', 'lightning_fabric',\n"
    "             'matplotlib', 'av', 'rerun'):\n"
    "    sys.modules[name] = None\n"
)


def lightly(program: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", LIGHT + program], cwd=ROOT, capture_output=True, text=True, check=False
    )


def sentence(command: str, extra: str) -> str:
    return f"`{command}` needs the package torch, which is not installed; run `pip install 'coevoer-edge[{extra}]'`."


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["export", "--target", "onnx", "--quiet"], "export"),
        (["parity", "bundle", "--quiet"], "export"),
        (["evaluate", "--quiet"], "train"),
        (["train", "--quiet"], "train"),
        (["distill", "--teacher", "coevoer-s", "--student", "coevoer-t", "--quiet"], "train"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_names_its_extra(arguments, extra):
    done = lightly(f"from coevoer_edge.cli import main\nmain({arguments!r})")
    expected = f"Error: {sentence(arguments[0], extra)}\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


@pytest.mark.parametrize(
    ("call", "extra"),
    [("export('onnx')", "export"), ("parity('bundle')", "export"), ("evaluate()", "train")],
)
def test_a_call_names_its_extra(call, extra):
    done = lightly(
        "import coevoer_edge\n"
        f"try:\n    coevoer_edge.{call}\n"
        "except coevoer_edge.PlatformError as error:\n    print(error)"
    )
    assert done.stdout == sentence(call.partition("(")[0], extra) + "\n"


@pytest.mark.parametrize(
    ("package", "command", "extra"),
    [
        ("executorch.runtime", "run", "executorch"),
        ("executorch", "evaluate", "executorch"),
        ("executorch", "export", "export"),
        ("torch", "run", "executorch"),
        ("torch", "bench", "export"),
        ("matplotlib", "train", "train"),
        ("av", "run", "video"),
        ("av", "evaluate", "video"),
        ("rerun", "run", "view"),
    ],
)
def test_the_extra_is_the_smallest_that_serves_the_command(package, command, extra):
    error = missing_extra(ModuleNotFoundError("x", name=package), command)
    assert f"pip install 'coevoer-edge[{extra}]'" in str(error)


def test_a_fault_of_ours_is_not_hidden():
    @names_its_extra
    def run():
        raise ModuleNotFoundError("No module named 'coevoer_edge.nothing'", name="coevoer_edge.nothing")

    with pytest.raises(ModuleNotFoundError, match=r"coevoer_edge\.nothing"):
        run()
    assert missing_extra(ModuleNotFoundError("x"), "run") is None
