"""The cost of a change to the network in millimetres: its bodies against the float network's, image by image.

In: a float network, images. Out: `VertexLoss` of another network on the same images.

Alignment is as in `evaluation`: all vertices at the pelvis, each hand's at its wrist, the face's at the neck.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
import torch
from torch import Tensor, nn

from coevoer_edge import contract
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.body.layer import BodyLayer, all_coefficients, all_rotations
from coevoer_edge.body.model import BodyModel
from coevoer_edge.data.folder import default_images
from coevoer_edge.errors import InputError
from coevoer_edge.model import CoEvoer, checkpoint
from coevoer_edge.model.checkpoint import Checkpoint
from coevoer_edge.model.coevoer import CoEvoerOutputs
from coevoer_edge.model.threads import one_thread
from coevoer_edge.pipeline.image import Pixels
from coevoer_edge.quantization.pt2e import to_tensor
from coevoer_edge.quantization.recipe import QuantizationRecipe

_ANCHORS = {"face": "neck", "left_hand": "left_wrist", "right_hand": "right_wrist"}
_BATCH = 16


class VertexLoss(NamedTuple):
    """Mean vertex distance from the float network's bodies, mm."""

    all_mm: float
    hand_mm: float  # mean of both
    face_mm: float

    def cells(self) -> str:
        """Three cells of a Markdown row."""
        return " | ".join(f"{value:.3f}" for value in self)


class Trial:
    """A float network and its bodies on some images."""

    def __init__(self, network: nn.Module, images: Sequence[Pixels]) -> None:
        self.inputs = torch.cat([to_tensor(image) for image in images])  # N 3 256 192
        body = BodyModel.open()
        self._layer = BodyLayer(body)
        self._parts = {part: torch.from_numpy(body.part_vertices[part]).long() for part in contract.PARTS}
        self._exact = self._bodies(network, _BATCH)

    def loss(self, network: nn.Module, batch: int = _BATCH) -> VertexLoss:
        """Measure the distance of another network's bodies; a quantized program takes a batch of 1."""
        rows = []
        for (vertices, joints), (exact, exact_joints) in zip(self._bodies(network, batch), self._exact, strict=True):
            moved = vertices - joints[:, :1] - (exact - exact_joints[:, :1])  # b V 3, the pelvis is joint 0
            row = [torch.linalg.vector_norm(moved, dim=-1).mean(1)]
            for part in contract.PARTS:
                at, joint = self._parts[part], JOINT_NAMES.index(_ANCHORS[part])
                shift = joints[:, joint, None] - exact_joints[:, joint, None]  # b 1 3
                row.append(torch.linalg.vector_norm(vertices[:, at] - exact[:, at] - shift, dim=-1).mean(1))
            rows.append(torch.stack(row))
        mean = torch.cat(rows, dim=1).mean(1) * 1000
        of = dict(zip(("all", *contract.PARTS), mean.tolist(), strict=True))
        return VertexLoss(of["all"], (of["left_hand"] + of["right_hand"]) / 2, of["face"])

    def _bodies(self, network: nn.Module, batch: int) -> list[tuple[Tensor, Tensor]]:
        """Vertices (b, V, 3) and joints (b, 55, 3), m, in blocks that do not depend on the network's batch."""
        with torch.no_grad(), one_thread():
            rows = [network(x) for x in torch.split(self.inputs, batch)]
            outputs = CoEvoerOutputs(*(torch.cat(column) for column in zip(*rows, strict=True)))
            rotations, coefficients = all_rotations(outputs), all_coefficients(outputs)
            return [
                self._layer(r, c)
                for r, c in zip(torch.split(rotations, _BATCH), torch.split(coefficients, _BATCH), strict=True)
            ]


class Request(NamedTuple):
    """The arguments of the two commands, opened."""

    network: CoEvoer
    checkpoint: Checkpoint
    recipe: QuantizationRecipe
    calibration: tuple[Pixels, ...]
    trial: Trial

    @classmethod
    def open(cls, file: Path | None, model: str | None, recipe: str | Path, num_images: int) -> "Request":
        """Open weights and recipe, and select the default images: calibration by the recipe, the trial's from golden.

        Raises:
            CoEvoerError: unknown weights or recipe, too many images, or a recipe without INT8.
        """
        opened = QuantizationRecipe.open(recipe)
        if opened.precision != "w8a8":
            raise InputError(f"Recipe {opened.name!r} has precision {opened.precision!r}; give a w8a8 recipe.")
        calibration = default_images("calibration", opened.num_calibration_samples).images
        golden = default_images("golden", num_images).images
        if file is not None:
            network, source = checkpoint.load(file, model)
        else:
            network, source = checkpoint.load_embedded(model or checkpoint.DEFAULT_MODEL)
        return cls(network, source, opened, calibration, Trial(network, golden))

    def heading(self) -> str:
        """A sentence that states what was measured."""
        trained = "" if self.checkpoint.trained else ", untrained"
        return (
            f"{self.checkpoint.model} ({self.checkpoint.source}{trained}), recipe `{self.recipe.name}`, "
            f"{len(self.calibration)} calibration images, measured on {len(self.trial.inputs)} others; "
            "mean vertex distance from float, mm"
        )


def shared_options(command: click.decorators.FC) -> click.decorators.FC:
    """Options that both commands take."""
    options = (
        click.option("--checkpoint", type=click.Path(path_type=Path), help="Use your own weights (.safetensors)."),
        click.option("--model", help="coevoer-t (default), -s, -b or -l."),
        click.option("--recipe", default="w8a8", show_default=True, help="Name or .toml file of a w8a8 recipe."),
        click.option("--num-images", type=click.IntRange(min=1), default=32, show_default=True, help="To measure on."),
        click.option("--quiet", is_flag=True, help="No progress."),
    )
    for option in reversed(options):
        command = option(command)
    return command
