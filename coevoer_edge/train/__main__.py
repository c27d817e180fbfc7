"""`python -m coevoer_edge.train`, the same as `coevoer-edge train`."""

from pathlib import Path

import click

from coevoer_edge.terminal.console import Command
from coevoer_edge.train import train
from coevoer_edge.training.session import Settings, shared_options


@click.command(cls=Command, name="train")
@click.option("--model", help="coevoer-t (default), -s, -b or -l.")
@click.option("--init", type=click.Path(path_type=Path), help="Start from these weights (.safetensors).")
@click.option("--grow", is_flag=True, help="Those of --init are a smaller model's: grow them into --model.")
@click.option("--no-enhancer", is_flag=True, help="Table 4's variant without the enhancer.")
@click.option("--no-foreground", is_flag=True, help="Table 4's variant without Portrait Foreground Extraction.")
@shared_options
def command(
    model: str | None,
    init: Path | None,
    grow: bool,
    no_enhancer: bool,
    no_foreground: bool,
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
    """Train a network on a data set.

    Writes a run folder: weights.safetensors (what export and run take), checkpoint.pt (what --resume takes),
    log.jsonl and curves.png. Ctrl-C and --max-minutes end with a checkpoint.
    """
    train(
        Settings(
            model=model,
            init=init,
            grow=grow,
            enhancer=not no_enhancer,
            foreground=not no_foreground,
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
        )
    )


if __name__ == "__main__":
    command()
