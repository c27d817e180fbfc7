"""`python -m coevoer_edge.training.average`: average the weights of several networks with a common origin.

In: weights of one model that continue each other's training or share a start. Out: one .safetensors file.

Source: Wortsman et al. 2022, Model soups (arXiv:2203.05482), the uniform soup. Networks that were not trained from a
common start cannot be averaged, because their channels do not correspond.
"""

from collections.abc import Sequence
from pathlib import Path

import click
import torch

from coevoer_edge.errors import InputError
from coevoer_edge.model import checkpoint
from coevoer_edge.terminal.console import Command


@torch.no_grad()
def average(files: Sequence[Path], output: Path) -> None:
    """Write the mean of the files' weights, computed in float32.

    Raises:
        CheckpointError: a file cannot be read.
        InputError: there are fewer than two files, models or variants differ, weights are untrained, or the output
            exists.
    """
    if len(files) < 2:
        raise InputError(f"The number of weight files is {len(files)}; give two or more to average.")
    if output.exists():
        raise InputError(f"{output} already exists; give another file with -o.")
    networks, origins = zip(*(checkpoint.load(file) for file in files), strict=True)
    first = origins[0]
    for file, origin in zip(files, origins, strict=True):
        if not origin.trained:
            raise InputError(f"{file} is untrained; give trained weights only.")
        if (origin.model, origin.enhancer, origin.foreground) != (first.model, first.enhancer, first.foreground):
            raise InputError(
                f"{file} and {files[0]} are of different models or variants; give weights of one model and variant."
            )
    states = [network.state_dict() for network in networks]
    mean = networks[0]
    mean.load_state_dict({key: torch.stack([state[key] for state in states]).mean(0) for key in states[0]})
    checkpoint.save(mean, output, trained=True, enhancer=first.enhancer, foreground=first.foreground)


@click.command(cls=Command)
@click.argument("weights", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="File for the averaged weights.")
def main(weights: tuple[Path, ...], output: Path) -> None:
    """Average WEIGHTS that continue each other's training or share a common start."""
    average(weights, output)
    click.echo(f"Wrote {output}")
    click.echo(f"Next: python -m coevoer_edge.evaluate --checkpoint {output}")


if __name__ == "__main__":
    main(prog_name="python -m coevoer_edge.training.average")
