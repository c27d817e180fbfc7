"""The command line's conventions, shared by all commands: errors and exit codes, numbered steps, progress.

In: errors, titles, items. Out: `Error: ...` and exit code 2 (1 for a failed check); steps and progress on stderr,
results on stdout, so that `--json` can be piped.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeVar

import click

from coevoer_edge import __version__
from coevoer_edge.errors import CheckFailed, CoEvoerError
from coevoer_edge.terminal.extras import missing_extra

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

PLAIN_LINES = 20  # a longer list of items gets about this many lines where there is no progress bar
_WAIT_S = 60  # between two progress lines where there is no terminal


HELP_OPTIONS = ["-h", "--help"]
ENDING = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a command as Ctrl-C does. SIGHUP comes when a terminal is closed."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as in shells."""
OWN_FAULT = 70
"""Exit code after an internal error (EX_SOFTWARE of sysexits.h); never 1, which means a failed check."""


JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print only a JSON document on stdout.")
"""The option of every command that can print its result for scripts; `print_json` prints it."""


class Command(click.Command):
    """A click command with exit code 1 for `CheckFailed` and 2 for every other `CoEvoerError`, without a traceback.

    An `OSError` (a full disk, a missing permission) also exits with 2. Ctrl-C exits with 130; SIGTERM and SIGHUP end a
    command as Ctrl-C does, so that files are completed or removed, and exit with 143 and 129. An internal error exits
    with 70, after its traceback and where to report it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context_settings.setdefault("help_option_names", HELP_OPTIONS)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; click handles its own usage errors (exit code 2)."""
        try:
            with ending_on_signals():
                return super().invoke(ctx)
        except CoEvoerError as error:
            raise (_CheckFailure if isinstance(error, CheckFailed) else _UserError)(str(error)) from error
        except ModuleNotFoundError as error:
            missing = missing_extra(error, self.name or "")
            if missing is None:
                _tell_own_fault(ctx)
            raise _UserError(str(missing)) from error
        except Terminated as ended:
            click.echo("Terminated.", err=True)
            ctx.exit(128 + ended.number)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except OSError as error:
            raise _UserError(_system_says(error)) from error
        except Exception:
            _tell_own_fault(ctx)


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP: whatever handles Ctrl-C handles it too."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise `Terminated` in the block, so that what it has begun is completed or removed."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield
        return

    def end(number: int, frame: object) -> NoReturn:
        raise Terminated(number)

    before = {number: signal.getsignal(number) for number in ENDING if signal.getsignal(number) == signal.SIG_DFL}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _system_says(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    reason = error.strerror or str(error)
    return f"{where}{reason}. Check the path, the permissions and the free space on the disk."


def _tell_own_fault(ctx: click.Context) -> NoReturn:
    traceback.print_exc()
    click.echo(
        f"This is a fault of CoEvoer Edge {__version__}, not of your input. Please report it with the lines above: "
        "https://github.com/coevoer-edge/coevoer-edge/issues",
        err=True,
    )
    ctx.exit(OWN_FAULT)


class _UserError(click.ClickException):
    exit_code = 2


class _CheckFailure(click.ClickException):
    exit_code = 1


def print_json(document: Any) -> None:
    """Print a JSON document as one line on stdout."""
    click.echo(json.dumps(document, allow_nan=False))


class Steps:
    """Reports what is being done: `[2/5] Title`, notes below it, a progress bar on a terminal, plain lines elsewhere.

    Silent when `quiet`. With `json_only`, results go to stderr as well, so that stdout holds the JSON alone. rich is
    imported only on a terminal.
    """

    def __init__(self, total: int, *, quiet: bool = False, json_only: bool = False) -> None:
        self.total = total
        self.quiet = quiet
        self._json_only = json_only
        self._done = 0
        self._console = _terminal() if not quiet else None

    def step(self, title: str) -> None:
        """Begin the next step."""
        self._done += 1
        self._line(f"[{self._done}/{self.total}] {title}", style="bold")

    def note(self, text: str, *, style: str = "") -> None:
        """Print a note on the current step. `style` is rich's and applies on a terminal only."""
        self._line(f"      {text}", style=style)

    def track(self, items: Sequence[T], label: Callable[[T], str] = str) -> Iterator[T]:
        """Iterate over items and show progress."""
        if self.quiet:
            yield from items
        elif self._console is None:
            every = -(-len(items) // PLAIN_LINES) or 1
            for i, item in enumerate(items):
                if i % every == 0:
                    self.note(f"{i + 1}/{len(items)} {label(item)}")
                yield item
        else:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
            with Progress(*columns, console=self._console, transient=True) as progress:
                task = progress.add_task("", total=len(items))
                for item in items:
                    progress.update(task, description=label(item).replace("[", r"\["))
                    yield item
                    progress.advance(task)

    def result(self, text: str) -> None:
        """Print a line of the result on stdout, or on stderr where stdout is reserved for JSON."""
        if not self.quiet:
            click.echo(text, err=self._json_only)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Show that work continues while the block runs, and for how long: a running clock, or a line every minute.

        The clock has a stream of its own, because converters run with stderr captured (see `quiet`).
        """
        if self.quiet:
            yield
            return
        with _own_stderr() as stream:
            if self._console is not None:
                from rich.console import Console
                from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

                columns = (SpinnerColumn(), TimeElapsedColumn())
                with Progress(*columns, console=Console(file=stream), transient=True) as progress:
                    progress.add_task("", total=None)
                    yield
                return
            done, began = threading.Event(), time.monotonic()

            def tell() -> None:
                while not done.wait(_WAIT_S):
                    stream.write(f"      still working after {time.monotonic() - began:.0f} s\n")
                    stream.flush()

            teller = threading.Thread(target=tell, daemon=True)
            teller.start()
            try:
                yield
            finally:
                done.set()
                teller.join()

    def _line(self, text: str, style: str) -> None:
        if self.quiet:
            return
        if self._console is None:
            click.echo(text, err=True)
        else:
            self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _own_stderr() -> Iterator[TextIO]:
    """A copy of the current stderr that later redirections do not affect; sys.stderr itself where it is not a file."""
    try:
        number = os.dup(sys.stderr.fileno())
    except (OSError, ValueError):  # a test's buffer
        yield sys.stderr
        return
    with os.fdopen(number, "w", encoding="utf-8", errors="replace") as stream:
        yield stream


def _terminal() -> "Console | None":
    if not sys.stderr.isatty():
        return None
    from rich.console import Console

    return Console(stderr=True)
