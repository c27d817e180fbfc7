"""`python -m coevoer_edge.distill`, the same as `coevoer-edge distill`."""

from pathlib import Path
from typing import Any

import click

from coevoer_edge.distill import distill
from coevoer_edge.terminal.console import Command
from coevoer_edge.training.session import Settings, shared_options


@click.command(cls=Command, name="distill")
@click.option(
    "--teacher", required=True, help="Weights (.safetensors), or a model whose weights come with the package."
)
@click.option("--student", required=True, help="coevoer-t, -s, -b or -l to begin, or weights to go on from.")
@click.option("--cache", type=click.Path(path_type=Path), help="Keep the teacher's answers; with --no-augmentation.")
@click.option("--qat", is_flag=True, help="Train with the INT8 recipe's rounding; with --precision fp32.")
@shared_options
def command(teacher: str, student: str, cache: Path | None, qat: bool, **options: Any) -> None:
    """Teach a small network what a large one sees.

    Writes a run folder, as train does. The student's files fit export and run.
    """
    distill(teacher, student, Settings(**options), cache=cache, qat=qat)


if __name__ == "__main__":
    command()
