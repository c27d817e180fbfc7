"""Runs damaged inputs in child processes: what was accepted, refused clearly, a traceback, a crash or a hang.

In: a family of cases by name. Out: `Outcome`s. A child works through a range of cases and names each before it starts;
when it dies or hangs, the case is recorded and another child goes on behind it.
"""

import importlib
import json
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

CASE_TIMEOUT_S = 60.0
KINDS = ("accepted", "refused", "traceback", "crash", "hang")


@dataclass(frozen=True)
class Outcome:
    """What became of one case."""

    case: int
    kind: str  # of KINDS
    detail: str = ""


def run_family(family: str, count: int, folder: Path) -> list[Outcome]:
    """Run `count` cases of a family (a module of this folder with a function `run(case, folder)`)."""
    found: list[Outcome] = []
    while len(found) < count:
        found += _run_child(family, len(found), count, folder)
    return found


def table(families: dict[str, list[Outcome]]) -> str:
    """A Markdown table of the outcomes."""
    rows = [f"| family | tried | {' | '.join(KINDS)} |", f"|---|---:|{'---:|' * len(KINDS)}"]
    for name, outcomes in families.items():
        counts = Counter(outcome.kind for outcome in outcomes)
        rows.append(f"| {name} | {len(outcomes)} | {' | '.join(str(counts[kind]) for kind in KINDS)} |")
    return "\n".join(rows)


def _run_child(family: str, first: int, count: int, folder: Path) -> list[Outcome]:
    command = [sys.executable, str(Path(__file__)), family, str(first), str(count), str(folder)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert child.stdout is not None
    lines: Queue[str | None] = Queue()
    stdout = child.stdout
    Thread(target=lambda: [*map(lines.put, stdout), lines.put(None)], daemon=True).start()
    found = []
    try:
        for line in _lines(lines):
            found.append(Outcome(**json.loads(line)))
    except TimeoutError:
        found.append(Outcome(first + len(found), "hang", f"longer than {CASE_TIMEOUT_S:.0f} s"))
    finally:
        child.kill()
        code = child.wait()
    if (found and found[-1].kind != "hang" and first + len(found) < count) or not found:
        found.append(Outcome(first + len(found), "crash", f"exit code {code}"))
    return found


def _lines(lines: "Queue[str | None]") -> Iterator[str]:
    while True:
        try:
            line = lines.get(timeout=CASE_TIMEOUT_S)
        except Empty:
            raise TimeoutError from None
        if line is None:
            return
        yield line


def _main(family: str, first: int, count: int, folder: Path) -> None:
    from coevoer_edge.errors import CoEvoerError

    module = importlib.import_module(family)
    for case in range(first, count):
        try:
            detail = module.run(case, folder)
            outcome = {"case": case, "kind": "accepted", "detail": detail or ""}
        except CoEvoerError as error:
            outcome = {"case": case, "kind": "refused", "detail": str(error)[:200]}
        except Exception:
            outcome = {"case": case, "kind": "traceback", "detail": traceback.format_exc()[-1500:]}
        print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    _main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
