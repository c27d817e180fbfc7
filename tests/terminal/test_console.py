"""Exit codes of a command, and what its steps say where."""

import io
import sys
import time

import click
import pytest
from click.testing import CliRunner, Result

from coevoer_edge.errors import CheckFailed, InputError
from coevoer_edge.terminal import console
from coevoer_edge.terminal.console import Command, Steps


def outcome(error: BaseException) -> Result:
    @click.command(cls=Command)
    def command() -> None:
        raise error

    return CliRunner().invoke(command)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("No such photo."), 2, "Error: No such photo.\n"),
        (CheckFailed("Over the limit."), 1, "Error: Over the limit.\n"),
        (click.UsageError("Two options."), 2, "Error: Two options.\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
    ],
)
def test_exit_codes(error: BaseException, code: int, said: str) -> None:
    result = outcome(error)
    assert result.exit_code == code
    assert result.stderr.endswith(said)
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("x"), AttributeError("y"), MemoryError(), ModuleNotFoundError("z")]
)
def test_a_fault_of_ours_is_never_a_failed_check(error: Exception) -> None:
    result = outcome(error)
    assert result.exit_code == console.OWN_FAULT == 70
    assert "Traceback" in result.stderr
    assert "Please report it" in result.stderr


def test_results_go_to_stderr_where_stdout_is_for_json(capsys: pytest.CaptureFixture[str]) -> None:
    for json_only in (False, True):
        Steps(1, json_only=json_only).result("Wrote a.npz")
        out, err = capsys.readouterr()
        assert (out, err) == (("", "Wrote a.npz\n") if json_only else ("Wrote a.npz\n", ""))


def test_waiting_tells_that_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    monkeypatch.setattr(console, "_WAIT_S", 0.02)
    with Steps(1).waiting():
        time.sleep(0.2)
    lines = said.getvalue().splitlines()
    assert len(lines) >= 2
    assert all(line.startswith("      still working after ") for line in lines)
    with Steps(1, quiet=True).waiting():
        time.sleep(0.05)
    assert said.getvalue().splitlines() == lines


def test_waiting_lets_errors_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with pytest.raises(InputError), Steps(1).waiting():
        raise InputError("Stop.")
