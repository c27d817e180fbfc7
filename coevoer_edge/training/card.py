"""`python -m coevoer_edge.training.card`: the model card of trained weights.

In: a run folder, and the JSON line of `evaluate --json`. Out: Markdown beside the weights, with data, seed, steps,
hardware, figures, limits and licence.
"""

import json
from pathlib import Path
from typing import Any

import click

from coevoer_edge.errors import InputError
from coevoer_edge.terminal.console import Command

_CARD = """\
# {model}, trained on synthetic people

SMPL-X parameters of a person's upper body, hands and face from one 256 x 192 crop (CoEvoer, AAAI-26). These weights
come with the package: `python -m coevoer_edge.export --model {model}`.

| | |
|---|---|
| File | `{file}`, sha256 `{sha256}` |
| Data | {data} |
| Recipe | `{recipe}`, seed {seed} |
| Steps | {steps:,} of {batch_size} images: {samples:,} images seen |
| Hardware | {hardware}, {hours:.1f} hours |
| Teacher | {teacher} |
| Licence | Apache-2.0; data and body are the project's own (see NOTICE) |

## Figures

`python -m coevoer_edge.evaluate --model {model} --json`, synthetic test split, {count:,} images: half with the look of
the training images, half with a look that training never saw. Millimetres, aligned as OSX aligns them.

| | MPVPE all | hand | face | PA-MPVPE all | hand | face |
|---|---|---|---|---|---|---|
{rows}

![Every term of the loss, and the watched figures, over the steps]({curves})

## Limits

- It has seen synthetic people only, of one body model without pose correctives, in procedural clothes. On photographs
  it is off by more than on the test split; by how much is not known. Look at its overlays before you rely on it.
- One person in the crop, upper body first: legs are seen in few training images.
- Betas and expression are those of the open body, not of the licensed SMPL-X model; rotations and joints carry over.
- Do not use it to identify people or to judge them.
"""


def render(run: Path, evaluation: dict[str, Any], *, data: str, hardware: str, teacher: str, curves: str) -> str:
    """Fill the card.

    Raises:
        InputError: the run or the evaluation lacks what the card says.
    """
    from coevoer_edge.model.checkpoint import load
    from coevoer_edge.training.run_folder import WEIGHTS, RunFolder

    folder = RunFolder(run)
    state = folder.load()
    _, origin = load(run / WEIGHTS)
    if evaluation.get("sha256") != origin.sha256:
        raise InputError(
            f"The evaluation is of weights {str(evaluation.get('sha256'))[:16]}, the run's are {origin.sha256[:16]}; "
            f"evaluate them with `python -m coevoer_edge.evaluate --checkpoint {run / WEIGHTS} --json`."
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
@click.option("--evaluation", type=click.Path(path_type=Path), required=True, help="File that ends with its JSON line.")
@click.option("--data", required=True, help="What it was trained on, in words.")
@click.option("--hardware", required=True, help="What it was trained on, in words.")
@click.option("--teacher", default="none: labels of the data only", show_default=True)
@click.option("--curves", default="curves.png", show_default=True, help="Path of the picture, from the card.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
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
    output.write_text(text, encoding="utf-8")
    click.echo(f"Wrote {output}")


if __name__ == "__main__":
    main(prog_name="python -m coevoer_edge.training.card")
