"""A worker process seen from outside: start it, run its turns, end it.

In: a job for worker.py. Out: `Worker`: its start in milliseconds, its turns in milliseconds, its final report.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from coevoer_edge import errors
from coevoer_edge.errors import CoEvoerError, PlatformError

_SCRIPT = Path(__file__).with_name("worker.py")
_SHOWN = 5  # lines of a process's output before it died
_HOLISTIC = (
    "{python} has no MediaPipe Holistic ({what}). The last mediapipe that includes it and its models is 0.10.21. "
    "It needs numpy below 2, so it cannot be installed beside coevoer-edge. Give it an environment of its own, with "
    "Python 3.9 to 3.12:  python3.11 -m venv holistic && holistic/bin/pip install mediapipe==0.10.21  "
    "Then add  --mediapipe-python holistic/bin/python"
)


class Worker:
    """A job that runs in a process of its own and has returned its first result.

    Raises the worker's own error where it is a `CoEvoerError`; `PlatformError` for a Python or a MediaPipe that is
    missing; `CoEvoerError` for a process that fails otherwise. `name` appears in these messages.
    """

    def __init__(self, name: str, job: dict[str, Any], python: Path | None = None) -> None:
        self.name, self._python, self._do = name, python or Path(sys.executable), job["do"]
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed in _end)
        begin = time.perf_counter()
        try:
            self._process = subprocess.Popen(
                [str(self._python), str(_SCRIPT), json.dumps(job)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
            )
        except OSError as error:
            self._said.close()
            raise PlatformError(
                f"Cannot start {self._python} ({error}); give the path of a Python interpreter."
            ) from error
        try:
            self._read()
        except BaseException:
            self._end()
            raise
        self.start_ms = (time.perf_counter() - begin) * 1000
        """Milliseconds from the start of the process to its first result."""

    def turn(self) -> float:
        """Run one turn and return its milliseconds."""
        self._write(b"\n")
        return float(self._read()["ms"])

    def finish(self) -> dict[str, Any]:
        """End the process and return its report: `runtime`, `peak_bytes`, and whatever else its job adds."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            return self._read()
        finally:
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _write(self, line: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except BrokenPipeError:
            self._read()  # raises the reason
            raise

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._said.seek(0)
            last = self._said.read().decode(errors="replace").strip().splitlines()[-_SHOWN:]
            raise CoEvoerError(
                f"{self.name}: its process ended with exit code {code}. Its last output: {' / '.join(last)}."
            )
        value: dict[str, Any] = json.loads(line)
        if "error" in value:
            raise self._error(value["kind"], value["error"])
        return value

    def _error(self, kind: str, message: str) -> CoEvoerError:
        if self._do == "holistic" and kind in ("ImportError", "ModuleNotFoundError"):
            return PlatformError(_HOLISTIC.format(python=self._python, what=message))
        ours = getattr(errors, kind, None)
        if isinstance(ours, type) and issubclass(ours, CoEvoerError):
            return ours(message)
        return CoEvoerError(f"{self.name}: its process failed. {kind}: {message}")

    def _end(self) -> None:
        """Leave nothing running, whatever happened."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()
