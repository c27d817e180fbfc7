"""`python -m coevoer_edge.train`, the same as `coevoer-edge train`."""

from pathlib import Path
from typing import Any

import click

from coevoer_edge.terminal.console import Command
from coevoer_edge.train import train
from coevoer_edge.training.session import Settings, shared_options, switch_off


@click.command(cls=Command, name="train")
@click.option("--model", help="coevoer-t (default), -s, -b or -l.")
@click.option("--init", type=click.Path(path_type=Path), help="Start from these weights (.safetensors).")
@click.option("--grow", is_flag=True, help="Those of --init are a smaller model's: grow them into --model.")
@switch_off("enhancer", "Table 4's variant without the enhancer.")
@switch_off("foreground", "Table 4's variant without Portrait Foreground Extraction.")
@shared_options
def command(**options: Any) -> None:
    """Train a network on a data set.

    Writes a run folder: weights.safetensors (what export and run take), checkpoint.pt (what --resume takes),
    log.jsonl and curves.png. Ctrl-C and --max-minutes end with a checkpoint.
    """
    train(Settings(**options))


if __name__ == "__main__":
    command()
