"""`python -m coevoer_edge.distill`, the same as `coevoer-edge distill`."""

from pathlib import Path
from typing import Any

import click

from coevoer_edge.distill import distill
from coevoer_edge.terminal.console import Command
from coevoer_edge.training.session import Settings, shared_options


@click.command(cls=Command, name="distill")
@click.option("--teacher", required=True, help="Weights (.safetensors), or an embedded model.")
@click.option("--student", required=True, help="Weights to continue from, or a model to begin at random.")
@click.option(
    "--cache", type=click.Path(path_type=Path), help="Keep the outputs of the teacher; needs --no-augmentation."
)
@click.option("--qat", is_flag=True, help="Train with the rounding of the INT8 recipe; needs --precision fp32.")
@shared_options
def command(teacher: str, student: str, cache: Path | None, qat: bool, **options: Any) -> None:
    """Teach a small network (student) what a large one has learnt (teacher).

    The run folder is like that of train. The weights of the student fit export and evaluate.
    """
    distill(teacher, student, Settings(**options), cache=cache, qat=qat)


if __name__ == "__main__":
    command(prog_name="python -m coevoer_edge.distill")
