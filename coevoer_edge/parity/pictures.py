"""The worst images of a ladder, side by side, with the result of each rung.

In: `Climb`. Out: `PictureRow`s: image, overlay of each rung's body, ground truth where there is one.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from coevoer_edge import contract
from coevoer_edge.body.layer import BodyLayer, SmplxTensors, all_coefficients, all_rotations
from coevoer_edge.body.model import BodyModel
from coevoer_edge.data.record import Record
from coevoer_edge.evaluation.figures import TRUTH, TRUTH_COLOR, UNTRAINED_STAMP
from coevoer_edge.evaluation.measure import MAIN
from coevoer_edge.output.overlay import MESH_COLOR, Color, draw_overlay, stamp
from coevoer_edge.parity.compare import stack
from coevoer_edge.parity.ladder import Climb
from coevoer_edge.parity.result import PictureRow
from coevoer_edge.pipeline.camera import PinholeCamera
from coevoer_edge.pipeline.image import Pixels
from coevoer_edge.runtime.protocol import Outputs

PICTURED = 2  # images of each step
_ENLARGED = 2  # tiles are this many times the crop
_CAMERA = PinholeCamera(
    contract.VIRTUAL_FOCAL_PX * _ENLARGED,
    (contract.IMAGE_WIDTH_PX * _ENLARGED / 2, contract.IMAGE_HEIGHT_PX * _ENLARGED / 2),
)


@dataclass(frozen=True)
class _Shot:
    index: int
    caption: str


def draw(climb: Climb, number: int, body: BodyModel) -> list[PictureRow]:
    """The images with the largest loss in each step of ladder `number`, each image once; `body` is the measuring
    body."""
    layer = BodyLayer(body)
    rungs = {**{name: a.outputs for name, a in climb.networks.items()}, "artifact": climb.artifacts[number].outputs}
    rows = []
    for shot in _worst(climb, number):
        image = _enlarged(climb.samples.images[shot.index])
        tiles = {"image": image}
        for name, outputs in rungs.items():
            drawn = _overlay(image, outputs[shot.index], body, layer)
            tiles[name] = drawn if climb.trained else stamp(drawn, UNTRAINED_STAMP)
        truth = climb.samples.truth
        if truth is not None and truth.known[shot.index, 0] > 0:
            one = Record(*(tensor[shot.index : shot.index + 1] for tensor in truth))
            tiles[TRUTH] = _mesh(image, one, one.camera, body, layer, TRUTH_COLOR)
        rows.append(PictureRow(shot.index, shot.caption, tiles))
    return rows


def _worst(climb: Climb, number: int) -> list[_Shot]:
    ladder = climb.ladders[number]
    shots: dict[int, str] = {}
    for step, loss in ladder.losses.items():
        figure = loss.figures[MAIN]
        for place, index in enumerate(figure.worst[:PICTURED]):
            text = f"{step}: {figure.max:.2f} mm, the worst" if place == 0 else f"{step}: second worst"
            shots[index] = f"{shots[index]}; {text}" if index in shots else f"image {index}. {text}"
    return [_Shot(index, caption) for index, caption in shots.items()]


def _overlay(image: Pixels, outputs: Outputs, body: BodyModel, layer: BodyLayer) -> Pixels:
    if not all(np.isfinite(value).all() for value in outputs.values()):
        return stamp(np.zeros_like(image), "not finite")
    answer = stack([outputs])
    return _mesh(image, answer, answer.camera, body, layer, MESH_COLOR)


@torch.no_grad()
def _mesh(
    image: Pixels, parameters: SmplxTensors, camera: torch.Tensor, body: BodyModel, layer: BodyLayer, color: Color
) -> Pixels:
    """The body (batch of 1) over the crop it was seen in."""
    vertices, _ = layer(all_rotations(parameters).float(), all_coefficients(parameters).float())
    placed: NDArray[np.float64] = (vertices + camera.float()[:, None])[0].double().numpy()  # V 3
    return draw_overlay(image, placed, body.faces, _CAMERA, color=color)


def _enlarged(crop: Pixels) -> Pixels:
    size = (contract.IMAGE_WIDTH_PX * _ENLARGED, contract.IMAGE_HEIGHT_PX * _ENLARGED)
    return np.array(Image.fromarray(crop).resize(size, Image.Resampling.BICUBIC))
