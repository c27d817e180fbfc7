"""`python -m coevoer_edge.training.card`: the model card of trained weights.

In: a run folder, and the JSON line that `evaluate --json` prints. Out: a Markdown file to store next to the weights,
with data, seed, steps, hardware, figures, limits and licence.
"""

import json
from pathlib import Path
from typing import Any

import click

from coevoer_edge.errors import InputError
from coevoer_edge.files.whole import write_whole
from coevoer_edge.terminal.console import Command

_CARD = """\
# {model}, trained on synthetic people

The model estimates SMPL-X parameters of a person's upper body, hands and face from one 256 x 192 crop (CoEvoer,
AAAI-26). The weights come with the package: `python -m coevoer_edge.export --model {model}`.

| | |
|---|---|
| File | `{file}`, sha256 `{sha256}` |
| Data | {data} |
| Recipe | `{recipe}`, seed {seed} |
| Steps | {steps:,} steps of {batch_size} images: {samples:,} images in all |
| Hardware | {hardware}, {hours:.1f} hours |
| Teacher | {teacher} |
| Licence | Apache-2.0; data and body are the project's own (see NOTICE) |

## Figures

The figures were measured with `python -m coevoer_edge.evaluate --model {model} --json` on {count:,} images of the
synthetic test split. Half of the images have the looks of the training images, half have looks that were held out from
training. Errors are in millimetres, aligned as in OSX.

| | MPVPE all | hand | face | PA-MPVPE all | hand | face |
|---|---|---|---|---|---|---|
{rows}

![Training curves: the terms of the loss and the validation figures by step]({curves})

## Limits

- The model was trained on synthetic people only, with one body model without pose correctives and with procedural
  clothes. Errors on photographs are larger than on the test split; how much larger has not been measured. Check the
  overlays on your own images before you rely on the model.
- It expects one person in the crop and is made for the upper body: few training images show legs.
- Betas and expression are those of the open body, not of the licensed SMPL-X model; rotations and joints can be used
  with either.
- Do not use the model to identify or judge people.
"""


def render(run: Path, evaluation: dict[str, Any], *, data: str, hardware: str, teacher: str, curves: str) -> str:
    """Fill in the card.

    Raises:
        InputError: the run has no checkpoint, or the evaluation is of other weights.
    """
    from coevoer_edge.model.checkpoint import load
    from coevoer_edge.training.run_folder import WEIGHTS, RunFolder

    folder = RunFolder(run)
    state = folder.load()
    _, origin = load(run / WEIGHTS)
    if evaluation.get("sha256") != origin.sha256:
        raise InputError(
            f"The evaluation is of weights {str(evaluation.get('sha256'))[:16]}, but the run's weights are "
            f"{origin.sha256[:16]}; evaluate those with `python -m coevoer_edge.evaluate --checkpoint {run / WEIGHTS} "
            "--json`."
        )
    domains = {"both": evaluation} | evaluation["domains"]
    batch_size = state["recipe"]["batch_size"]
    return _CARD.format(
        model=origin.model,
        file=f"{origin.model}.safetensors",
        sha256=origin.sha256,
        data=data,
        recipe=state["recipe"]["name"],
        seed=state["seed"],
        steps=state["step"],
        batch_size=batch_size,
        samples=state["step"] * batch_size,
        hardware=hardware,
        hours=state["seconds"] / 3600,
        teacher=teacher,
        count=evaluation["count"],
        rows="\n".join(_row(name, figures) for name, figures in domains.items()),
        curves=curves,
    )


def _row(name: str, figures: dict[str, Any]) -> str:
    values = [figures[kind][part] for kind in ("mpvpe_mm", "pa_mpvpe_mm") for part in ("all", "hand", "face")]
    return f"| {name} | " + " | ".join(f"{value:.1f}" for value in values) + " |"


@click.command(cls=Command)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--evaluation", type=click.Path(path_type=Path), required=True, help="Output of evaluate --json.")
@click.option("--data", required=True, help="Description of the training data.")
@click.option("--hardware", required=True, help="Description of the training hardware.")
@click.option(
    "--teacher", default="none: labels of the data only", show_default=True, help="Description of the teacher."
)
@click.option("--curves", default="curves.png", show_default=True, help="Path of the curves, relative to the card.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="File for the card.")
def main(run: Path, evaluation: Path, data: str, hardware: str, teacher: str, curves: str, output: Path) -> None:
    """Write the model card of a training run's weights."""
    if not evaluation.is_file():
        raise InputError(
            f"There is no file {evaluation}; write it with `python -m coevoer_edge.evaluate --json > {evaluation}`."
        )
    try:
        figures = json.loads(evaluation.read_text(encoding="utf-8").splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        raise InputError(f"{evaluation} does not end with a line of JSON; write it with `evaluate --json`.") from None
    text = render(run, figures, data=data, hardware=hardware, teacher=teacher, curves=curves)
    write_whole(output, text)
    click.echo(f"Wrote {output}")


if __name__ == "__main__":
    main(prog_name="python -m coevoer_edge.training.card")
