"""The folder of one training run: log, curves, checkpoint, weights.

In: the state of a run. Out: `log.jsonl` (a line per interval), `curves.png`, `checkpoint.pt` (everything needed to
resume the run), `weights.safetensors` (the network, fp16). All but the appended log are written under another name and
then renamed, so a file is never incomplete.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from coevoer_edge.errors import CheckpointError, InputError
from coevoer_edge.files.whole import write_whole, writing_whole
from coevoer_edge.model import CoEvoer, checkpoint

LOG = "log.jsonl"
CURVES = "curves.png"
CHECKPOINT = "checkpoint.pt"
WEIGHTS = "weights.safetensors"

_FORMAT = 1
_SCALARS = ("step", "samples", "lr", "images_per_second", "seconds")


class RunFolder:
    """Reads and writes a run's files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def refuse_occupied(self) -> None:
        """Refuse a folder in which a new run would overwrite another.

        Raises:
            InputError: it already contains a run.
        """
        if (self.path / CHECKPOINT).exists() or (self.path / LOG).exists():
            raise InputError(
                f"{self.path} already contains a run; add --resume to continue it, or give another --output-dir."
            )

    def begin(self) -> None:
        """Make the folder for a new run."""
        self.path.mkdir(parents=True, exist_ok=True)

    def log(self, line: Mapping[str, Any]) -> None:
        """Append one line to the log."""
        with (self.path / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def lines(self) -> list[dict[str, Any]]:
        """The log so far."""
        path = self.path / LOG
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.is_file() else []

    def rewind(self, step: int) -> None:
        """Drop the lines that were logged after the checkpoint that the run is resumed from."""
        kept = [line for line in self.lines() if line["step"] <= step]
        write_whole(self.path / LOG, "".join(json.dumps(line) + "\n" for line in kept).encode())

    def save(self, state: Mapping[str, Any], keep: bool) -> None:
        """Write the checkpoint; with `keep`, also keep a numbered copy."""
        with writing_whole(self.path / CHECKPOINT) as beside:
            with beside.open("wb") as file:
                torch.save({"format": _FORMAT, **state}, file)
            if keep:
                numbered = self.path / f"checkpoint-{state['step']:07d}.pt"
                numbered.unlink(missing_ok=True)
                os.link(beside, numbered)

    def load(self) -> dict[str, Any]:
        """Read the checkpoint.

        Raises:
            InputError: the folder has none.
            CheckpointError: it cannot be read.
        """
        path = self.path / CHECKPOINT
        if not path.is_file():
            raise InputError(
                f"{self.path} contains no {CHECKPOINT} to resume from; omit --resume to begin a run there."
            )
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch.load can raise any exception of its unpickler
            raise CheckpointError(f"{path} is not a readable checkpoint ({error}); begin the run again.") from error
        if state.get("format") != _FORMAT:
            raise CheckpointError(
                f"{path} has format {state.get('format')!r}, but this version reads {_FORMAT}; begin the run again."
            )
        return state

    def save_weights(self, network: CoEvoer, *, enhancer: bool, foreground: bool) -> None:
        """Write the network in the form that `checkpoint.load` reads."""
        checkpoint.save(network, self.path / WEIGHTS, trained=True, enhancer=enhancer, foreground=foreground)

    def draw_curves(self) -> None:
        """Plot every term of the log over the steps."""
        import matplotlib as mpl  # takes a second to import, and only the process that writes needs it

        mpl.use("Agg")
        from matplotlib import pyplot as plt

        lines = self.lines()
        names = list(dict.fromkeys(key for line in lines for key in line if key not in _SCALARS))
        if not names:
            return
        columns = 4
        rows = -(-len(names) // columns)
        figure, axes = plt.subplots(rows, columns, figsize=(4 * columns, 2.6 * rows), squeeze=False)
        for axis, name in zip(axes.flat, names, strict=False):
            points = [(line["step"], line[name]) for line in lines if name in line]
            axis.plot(*zip(*points, strict=True), linewidth=1)
            axis.set_title(name, fontsize=9)
            axis.grid(alpha=0.3)
            if min(value for _, value in points) > 0:
                axis.set_yscale("log")
        for axis in axes.flat[len(names) :]:
            axis.axis("off")
        figure.subplots_adjust(
            0.04, 0.05, 0.99, 0.95, wspace=0.2, hspace=0.45
        )  # tight_layout takes as long as the rest
        with writing_whole(self.path / CURVES) as beside:
            figure.savefig(beside, dpi=80)
        plt.close(figure)
