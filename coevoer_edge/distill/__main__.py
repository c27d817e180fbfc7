"""`python -m coevoer_edge.distill`, the same as `coevoer-edge distill`."""

from pathlib import Path
from typing import Any

import click

from coevoer_edge.distill import distill
from coevoer_edge.terminal.console import Command
from coevoer_edge.training.session import Settings, shared_options


@click.command(cls=Command, name="distill")
@click.option("--teacher", required=True, help="Weights (.safetensors), or a model that comes with the package.")
@click.option("--student", required=True, help="Weights to continue from, or a model to start with random weights.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    help="Store the teacher's outputs in this folder; needs --no-augmentation.",
)
@click.option("--qat", is_flag=True, help="Train with the rounding of the INT8 recipe; needs --precision fp32.")
@shared_options
def command(teacher: str, student: str, cache: Path | None, qat: bool, **options: Any) -> None:
    """Train a small network (student) to match a large one (teacher).

    The run folder has the same files as that of train. The student's weights can be used with export and evaluate.
    """
    distill(teacher, student, Settings(**options), cache=cache, qat=qat)


if __name__ == "__main__":
    command(prog_name="python -m coevoer_edge.distill")
