"""`coevoer-edge`: every command under one name.

In: the command line. Out: the commands, each imported only when it is called.
"""

from difflib import get_close_matches
from importlib import import_module

import click

from coevoer_edge import __version__
from coevoer_edge.terminal.console import HELP_OPTIONS

COMMANDS = {
    "export": "coevoer_edge.export.__main__",
    "run": "coevoer_edge.run.__main__",
    "parity": "coevoer_edge.parity.__main__",
    "bench": "coevoer_edge.bench.__main__",
    "evaluate": "coevoer_edge.evaluate.__main__",
    "train": "coevoer_edge.train.__main__",
    "distill": "coevoer_edge.distill.__main__",
    "conformance": "coevoer_edge.conformance.__main__",
}
"""The module of each command, in the order of the help."""


class Commands(click.Group):
    """A group that imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or suggest one if it was mistyped."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            close = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"valid: {', '.join(COMMANDS)}."
            ctx.fail(f"There is no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": HELP_OPTIONS})
@click.version_option(__version__)
def main() -> None:
    """Export CoEvoer to phones and browsers, run it, and verify that the exported network matches the trained one.

    CoEvoer estimates SMPL-X parameters of a person's upper body, hands and face from images. Each command can also be
    run as `python -m coevoer_edge.COMMAND`, and called as `coevoer_edge.COMMAND(...)` in Python.
    """
