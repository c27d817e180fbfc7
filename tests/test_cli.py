import subprocess
import sys

import click
import pytest
from click.testing import CliRunner, Result

from coevoer_edge import __version__
from coevoer_edge.cli import main

COMMANDS = ("export", "run", "parity", "bench", "evaluate", "train", "distill", "conformance")


def cli(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), prog_name="coevoer-edge")


def test_help_lists_the_commands() -> None:
    result = cli("--help")
    assert result.exit_code == 0
    commands = result.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in commands if line.startswith("  ") and line[2] != " "] == [*COMMANDS]


def test_version() -> None:
    result = cli("--version")
    assert (result.exit_code, result.output) == (0, f"coevoer-edge, version {__version__}\n")


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("trian", "did you mean train?"),
        ("evalaute", "did you mean evaluate?"),
        ("frobnicate", "valid: export, run, parity, bench, evaluate, train, distill, conformance."),
    ],
)
def test_a_mistyped_command_gets_a_hint(typed: str, hint: str) -> None:
    result = cli(typed)
    assert result.exit_code == 2
    assert result.stderr.endswith(f"Error: There is no command '{typed}'; {hint}\n")
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [("-h",), ("run", "-h"), ("train", "-h"), ("conformance", "-h")])
def test_short_help(arguments: tuple[str, ...]) -> None:
    short, long = cli(*arguments), cli(*(word.replace("-h", "--help") for word in arguments))
    assert short.exit_code == 0
    assert short.stdout == long.stdout


def test_python_m_of_the_package() -> None:
    command = [sys.executable, "-m", "coevoer_edge", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == f"python -m coevoer_edge, version {__version__}\n"


def test_every_help_text_is_a_sentence() -> None:
    """Each option's help begins with a capital, a name or a value, and ends with a full stop before any [default]."""
    for name in COMMANDS:
        command = main.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        for parameter in command.params:
            if isinstance(parameter, click.Option) and (text := parameter.help):
                assert text.partition("  [default")[0].endswith("."), f"{name} {parameter.opts[0]}: {text}"


def test_no_command_shows_the_help() -> None:
    result = cli()
    assert result.exit_code == 2
    assert result.output.startswith("Usage: coevoer-edge [OPTIONS] COMMAND [ARGS]...\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(command: str) -> None:
    result = cli(command, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: coevoer-edge {command} [OPTIONS]")
    assert all(option in result.stdout for option in ("--json", "--quiet", "--help"))


def test_help_and_errors_of_ours_come_without_the_heavy_packages() -> None:
    """`export --help` and a wrong option must answer at once."""
    code = (
        "import sys; from click.testing import CliRunner; from coevoer_edge.cli import main\n"
        "for arguments in (['--help'], ['run', '--help'], ['export', '--help'], ['export', '--target', 'tflite']):\n"
        "    assert CliRunner().invoke(main, arguments).exit_code == (2 if 'tflite' in arguments else 0)\n"
        "print(sorted(sys.modules.keys() & {'torch', 'torchao', 'onnx', 'onnxruntime', 'coremltools', 'executorch'}))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == "[]\n"
