"""`python -m coevoer_edge.train`, the same as `coevoer-edge train`."""

from pathlib import Path
from typing import Any

import click

from coevoer_edge.terminal.console import Command
from coevoer_edge.train import train
from coevoer_edge.training.session import Settings, shared_options, switch_off


@click.command(cls=Command, name="train")
@click.option("--model", help="Model: coevoer-t (default), coevoer-s, coevoer-b or coevoer-l.")
@click.option("--init", type=click.Path(path_type=Path), help="Start from these weights (.safetensors).")
@click.option("--grow", is_flag=True, help="Grow the weights of --init, of a smaller model, into --model.")
@switch_off("enhancer", "Omit the enhancer (Table 4).")
@switch_off("foreground", "Omit Portrait Foreground Extraction (Table 4).")
@shared_options
def command(**options: Any) -> None:
    """Train a network on a dataset.

    The run folder contains weights.safetensors (for export and evaluate), checkpoint.pt (for --resume), log.jsonl and
    curves.png. Ctrl-C and --max-minutes stop a run and write a checkpoint.
    """
    train(Settings(**options))


if __name__ == "__main__":
    command(prog_name="python -m coevoer_edge.train")
