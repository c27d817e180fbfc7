"""The command reference: `python -m derive.command_reference` writes docs/reference/commands.md.

In: the command line itself. Out: the page, which contains the help text of every command.
"""

import os
from pathlib import Path

import click

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "commands.md"
COLUMNS = 100
_HEAD = """# Commands

`coevoer-edge COMMAND` and `python -m coevoer_edge.COMMAND` are the same. Each of the seven verbs can also be called
from Python under the same name: `coevoer_edge.export(...)`, `coevoer_edge.run(...)` and so on. This page is written by
`python -m derive.command_reference`.
"""


def page() -> str:
    """The page in Markdown."""
    os.environ["COLUMNS"] = str(COLUMNS)  # click and rich wrap to it
    from coevoer_edge.cli import main

    context = click.Context(main, info_name="coevoer-edge")
    parts = [_HEAD]
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        # Without the command's own settings, the option names of --help would be those of the first command shown.
        settings = {**command.context_settings, "max_content_width": COLUMNS}
        help_text = command.get_help(click.Context(command, info_name=f"coevoer-edge {name}", **settings))
        parts.append(f"## {name}\n\n```text\n{help_text.strip()}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Wrote {PAGE}.")
