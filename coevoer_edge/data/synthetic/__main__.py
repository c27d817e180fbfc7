"""`python -m coevoer_edge.data.synthetic`: render samples to a folder for training, or to a contact sheet.

In: a seed, a domain, a count. Out: a folder of chunks that `--data` of the training commands takes, or a PNG.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coevoer_edge.errors import InputError
from coevoer_edge.files.whole import writing_whole
from coevoer_edge.terminal.console import Command, Steps

if TYPE_CHECKING:
    from coevoer_edge.data.record import RecordSource

_COLUMNS = 8


@click.command(cls=Command)
@click.option("--count", default=64, show_default=True, help="Number of samples. With -o it must be a multiple of 512.")
@click.option("--first", default=0, show_default=True, help="Index of the first sample.")
@click.option("--seed", default=0, show_default=True, help="Training seed, as in the training commands.")
@click.option(
    "--domain",
    type=click.Choice(("train", "held_out")),
    default="train",
    show_default=True,
    help="Looks to render: those of training, or those held out from it.",
)
@click.option("--device", default="cpu", show_default=True, help="Device to render on: cpu or cuda.")
@click.option("--batch-size", default=32, show_default=True, help="Number of samples rendered together.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=None, help="Write the samples to this folder.")
@click.option(
    "--sheet", type=click.Path(path_type=Path), default=None, help="Write a PNG of all samples, and one with labels."
)
@click.option("--quiet", is_flag=True, help="Print results only.")
def main(
    count: int,
    first: int,
    seed: int,
    domain: str,
    device: str,
    batch_size: int,
    output: Path | None,
    sheet: Path | None,
    quiet: bool,
) -> None:
    """Render synthetic people to a folder for training, or to a contact sheet for inspection.

    Several processes can write to the same folder: give each its own --first and --count.
    """
    if (output is None) == (sheet is None):
        raise InputError("Give either -o FOLDER (samples for training) or --sheet FILE.png (a sheet for inspection).")
    if count < 1 or batch_size < 1 or first < 0 or seed < 0:
        raise InputError(
            f"The options are --count {count}, --batch-size {batch_size}, --first {first} and --seed {seed}; "
            "the first two must be at least 1, the others at least 0."
        )
    from coevoer_edge.data.shards import write_shards
    from coevoer_edge.data.sources import TRAINING_SEED_OFFSET
    from coevoer_edge.data.synthetic.people import SyntheticPeople

    steps = Steps(1, quiet=quiet)
    source = SyntheticPeople(
        TRAINING_SEED_OFFSET + seed, "held_out" if domain == "held_out" else "train", device=device
    )
    began = time.perf_counter()
    if output is not None:
        steps.step(f"Render {count} samples of seed {seed} to {output}")
        write_shards(
            source,
            first,
            count,
            output,
            batch_size=batch_size,
            progress=lambda done: steps.note(f"{done} / {count}, {done / (time.perf_counter() - began):.0f} images/s"),
        )
        click.echo(f"Wrote {count} samples to {output}")
        click.echo(f"Next: python -m coevoer_edge.train --data {output}")
    elif sheet is not None:
        steps.step(f"Render {count} samples of seed {seed}")
        labels = sheet.with_stem(f"{sheet.stem}-labels")
        draw_sheets(source, range(first, first + count), batch_size, sheet, labels)
        rate = count / (time.perf_counter() - began)
        click.echo(f"Wrote {count} samples to {sheet} and {labels} ({rate:.0f} images/s, including the labels)")


def draw_sheets(source: "RecordSource", indices: range, batch_size: int, sheet: Path, labels_sheet: Path) -> None:
    """Write a contact sheet of samples, and another with boxes, keypoints and part labels overlaid."""
    from PIL import Image

    from coevoer_edge.data.annotated import annotate
    from coevoer_edge.output.overlay import contact_sheet

    pictures, annotated = [], []
    for start in range(indices.start, indices.stop, batch_size):
        record = source.batch(range(start, min(start + batch_size, indices.stop))).to("cpu")
        pictures += [image.numpy().transpose(1, 2, 0) for image in record.image]
        annotated += annotate(record)
    for path, images in ((sheet, pictures), (labels_sheet, annotated)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing_whole(path) as beside:
            Image.fromarray(contact_sheet(images, columns=_COLUMNS)).save(beside)


if __name__ == "__main__":
    main(prog_name="python -m coevoer_edge.data.synthetic")
