"""`coevoer-edge`: every command under one name.

In: the command line. Out: the commands, each imported only when it is called.
"""

from importlib import import_module

import click

from coevoer_edge import __version__

_COMMANDS = {
    "export": "coevoer_edge.export.__main__",
    "run": "coevoer_edge.run.__main__",
    "bench": "coevoer_edge.bench.__main__",
    "train": "coevoer_edge.train.__main__",
    "distill": "coevoer_edge.distill.__main__",
    "evaluate": "coevoer_edge.evaluate.__main__",
    "parity": "coevoer_edge.parity.__main__",
}


class _Lazy(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(_COMMANDS[cmd_name]).command
        return command


@click.group(cls=_Lazy)
@click.version_option(__version__)
def main() -> None:
    """SMPL-X upper body, hands and face on a phone or in a browser."""
