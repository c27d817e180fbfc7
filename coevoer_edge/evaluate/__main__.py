"""`coevoer-edge evaluate`: MPVPE and PA-MPVPE of a network or an exported artifact, next to the paper's.

In: weights or a bundle, a dataset. Out: the paper's Table 1 with the figures measured here, JSON, pictures.
"""

from pathlib import Path

import click

from coevoer_edge.evaluate.evaluator import SYNTHETIC
from coevoer_edge.terminal.console import JSON_OPTION, Command, print_json
from coevoer_edge.terminal.device import DEVICE_HELP


@click.command(cls=Command, name="evaluate")
@click.option("--model", help="coevoer-t (default); -s, -b and -l need --checkpoint.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Evaluate your own weights (.safetensors).")
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    help="An exported bundle. With --model or --checkpoint, its float parent is evaluated and the loss is shown.",
)
@click.option("--data", default=SYNTHETIC, show_default=True, help="The test data.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="Number of samples, an equal share from each domain.  [default: all]",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True)
@click.option("--device", help=DEVICE_HELP)
@click.option(
    "--body",
    type=click.Path(path_type=Path),
    help="Your SMPLX_NEUTRAL.npz, for data and weights in its shape space.",
)
@click.option(
    "--figures", type=click.Path(path_type=Path), help="Folder for pictures of the first and the worst samples."
)
@click.option(
    "--beside",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Further weights to show in the figures. May be repeated.",
)
@click.option("--photographs", type=click.Path(path_type=Path), help="Folder of photos to show in the figures.")
@JSON_OPTION
@click.option("--quiet", is_flag=True, help="Print errors only.")
def command(
    model: str | None,
    checkpoint: Path | None,
    bundle: Path | None,
    data: str,
    limit: int | None,
    batch_size: int,
    device: str | None,
    body: Path | None,
    figures: Path | None,
    beside: tuple[Path, ...],
    photographs: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure body, hands and face of a network against a dataset.

    Without options, the embedded network is measured on the synthetic test split, which has two domains: the look of
    the training images, and a look that was held out from training. MPVPE and PA-MPVPE are aligned as in OSX.
    """
    from coevoer_edge.evaluate.evaluator import EvaluateRequest, evaluate

    found = evaluate(
        EvaluateRequest(
            model=model,
            checkpoint=checkpoint,
            bundle=bundle,
            data=data,
            limit=limit,
            batch_size=batch_size,
            device=device,
            body=body,
            figures=figures,
            beside=beside,
            photographs=photographs,
        ),
        quiet=quiet,
    )
    if not quiet:
        click.echo(found.text, err=as_json)
        for file in found.pictures:
            click.echo(f"Wrote {file}", err=as_json)
    if as_json:
        print_json(found.table)


if __name__ == "__main__":
    command(prog_name="python -m coevoer_edge.evaluate")
