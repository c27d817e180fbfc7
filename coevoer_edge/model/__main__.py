"""`python -m coevoer_edge.model`: parameters and multiply-accumulates of every named model."""

from collections import defaultdict

import click
import torch
from torch.utils.flop_counter import FlopCounterMode

from coevoer_edge import contract
from coevoer_edge.model.build import MODEL_NAMES, blank
from coevoer_edge.model.coevoer import CoEvoer


def parameters_by_part(model: CoEvoer) -> dict[str, int]:
    """Parameter count of each direct child, in the order of the forward pass."""
    counts: dict[str, int] = defaultdict(int)
    for key, parameter in model.named_parameters():
        counts[key.split(".")[0]] += parameter.numel()
    return dict(counts)


def count_macs(model: CoEvoer) -> int:
    """Multiply-accumulates of one image, attention included."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model.eval()(torch.zeros(contract.INPUT.shape))
    return counter.get_total_flops() // 2


@click.command()
@click.option("--parts", is_flag=True, help="Also print the parameters of each part.")
def command(parts: bool) -> None:
    """Print parameter count and MACs of every model."""
    click.echo(f"{'model':<12}{'parameters':>14}{'GMACs':>9}")
    for name in MODEL_NAMES:
        model = blank(name)
        by_part = parameters_by_part(model)
        click.echo(f"{name:<12}{sum(by_part.values()):>14,}{count_macs(model) / 1e9:>9.2f}")
        for part, count in by_part.items() if parts else ():
            click.echo(f"  {part:<20}{count:>12,}")


if __name__ == "__main__":
    command()
