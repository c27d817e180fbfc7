"""`python -m coevoer_edge.model`: parameters and multiply-accumulates of every named model."""

import click

from coevoer_edge.model.build import MODEL_NAMES, blank
from coevoer_edge.model.sizes import count_macs, parameters_by_part


@click.command()
@click.option("--parts", is_flag=True, help="Also print the parameters of each part.")
def command(parts: bool) -> None:
    """Print the parameter count and the multiply-accumulates (MACs) of every model."""
    click.echo(f"{'model':<12}{'parameters':>14}{'GMACs':>9}")
    for name in MODEL_NAMES:
        model = blank(name)
        by_part = parameters_by_part(model)
        click.echo(f"{name:<12}{sum(by_part.values()):>14,}{count_macs(model) / 1e9:>9.2f}")
        for part, count in by_part.items() if parts else ():
            click.echo(f"  {part:<20}{count:>12,}")


if __name__ == "__main__":
    command()
