"""`python -m coevoer_edge.train`, the same as `coevoer-edge train`."""

from pathlib import Path
from typing import Any

import click

from coevoer_edge.terminal.console import Command
from coevoer_edge.train import train
from coevoer_edge.training.session import Settings, shared_options, switch_off


@click.command(cls=Command, name="train")
@click.option("--model", help="coevoer-t (default), coevoer-s, coevoer-b or coevoer-l.")
@click.option("--init", type=click.Path(path_type=Path), help="Start from these weights (.safetensors).")
@click.option("--grow", is_flag=True, help="Grow the weights of --init, a smaller model's, into --model.")
@switch_off("enhancer", "Leave the enhancer out (Table 4).")
@switch_off("foreground", "Leave Portrait Foreground Extraction out (Table 4).")
@shared_options
def command(**options: Any) -> None:
    """Train a network on a data set.

    The run folder holds weights.safetensors (which export and evaluate take), checkpoint.pt (which --resume takes),
    log.jsonl and curves.png. Ctrl-C and --max-minutes end a run with a checkpoint.
    """
    train(Settings(**options))


if __name__ == "__main__":
    command(prog_name="python -m coevoer_edge.train")
