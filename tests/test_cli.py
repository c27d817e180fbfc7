import subprocess
import sys

import pytest
from click.testing import CliRunner, Result

from coevoer_edge import __version__
from coevoer_edge.cli import main

COMMANDS = ("bench", "distill", "evaluate", "export", "parity", "run", "train")


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


def test_unknown_command() -> None:
    result = cli("trian")
    assert result.exit_code == 2
    assert result.stderr == (
        "Usage: coevoer-edge [OPTIONS] COMMAND [ARGS]...\nTry 'coevoer-edge --help' for help.\n\n"
        "Error: No such command 'trian'.\n"
    )
    assert result.stdout == ""


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
