"""The action that users' own repositories call: its command line, run with a stand-in for Python."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from coevoer_edge.parity.__main__ import command

ACTION = Path(__file__).parents[2] / ".github/actions/parity/action.yml"


def script() -> str:
    """The shell lines of the step called Parity."""
    if not ACTION.is_file():
        pytest.skip("the action is not part of an sdist")
    block = re.search(r"- name: Parity\n.*?run: \|\n(.*?)\n    - uses", ACTION.read_text(), re.DOTALL)
    assert block is not None
    return "\n".join(line.removeprefix("        ") for line in block[1].splitlines())


def run(tmp_path: Path, status: int, **inputs: str) -> tuple[int, list[str], str]:
    """Exit code, the words that Python was called with, and the summary."""
    stand_in = tmp_path / "bin" / "python"
    stand_in.parent.mkdir()
    stand_in.write_text(
        f'#!/bin/sh\nmkdir -p parity; echo table > parity/parity.md; echo "$@" > called; exit {status}\n'
    )
    stand_in.chmod(stand_in.stat().st_mode | stat.S_IEXEC)
    names = ("BUNDLES", "CHECKPOINT", "REFERENCE", "DATA", "BUDGET")
    environment = {name: inputs.get(name.lower(), "") for name in names} | {
        "PATH": f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }
    done = subprocess.run(["bash", "-e", "-c", script()], cwd=tmp_path, env=environment, check=False)
    return done.returncode, (tmp_path / "called").read_text().split(), (tmp_path / "summary").read_text()


def test_it_calls_parity_with_what_was_given_and_keeps_its_exit_code(tmp_path: Path) -> None:
    status, words, summary = run(tmp_path, 1, bundles="a b", checkpoint="mine.safetensors", budget="budget.toml")
    assert status == 1
    assert words[:4] == ["-m", "coevoer_edge.parity", "a", "b"]
    assert words[4:8] == ["--checkpoint", "mine.safetensors", "--budget", "budget.toml"]
    assert summary == "table\n"


def test_without_options_it_gives_none_and_passes(tmp_path: Path) -> None:
    status, words, _ = run(tmp_path, 0, bundles="a")
    assert (status, words) == (0, ["-m", "coevoer_edge.parity", "a", "-o", "parity", "--overwrite"])


def test_every_option_of_it_exists() -> None:
    shown = CliRunner().invoke(command, ["--help"]).output
    for option in re.findall(r"--[a-z-]+", script()):
        assert option in shown
