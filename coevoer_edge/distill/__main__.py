"""`python -m coevoer_edge.distill`, the same as `coevoer-edge distill`."""

from pathlib import Path

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
def command(
    teacher: str,
    student: str,
    cache: Path | None,
    qat: bool,
    recipe: str | None,
    data: str,
    steps: int | None,
    batch_size: int | None,
    precision: str | None,
    no_augmentation: bool,
    seed: int | None,
    device: str | None,
    devices: int,
    num_workers: int,
    body: Path | None,
    output_dir: Path | None,
    resume: bool,
    max_minutes: float | None,
    compile: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Teach a small network what a large one sees.

    Writes a run folder, as train does. The student's files fit export and run.
    """
    distill(
        Settings(
            recipe=recipe,
            data=data,
            steps=steps,
            batch_size=batch_size,
            precision=precision,
            augmentation=not no_augmentation,
            seed=seed,
            device=device,
            devices=devices,
            num_workers=num_workers,
            body=body,
            output_dir=output_dir,
            resume=resume,
            max_minutes=max_minutes,
            compile=compile,
            as_json=as_json,
            quiet=quiet,
        ),
        teacher,
        student,
        cache,
        qat,
    )


if __name__ == "__main__":
    command()
