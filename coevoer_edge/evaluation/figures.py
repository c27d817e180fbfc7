"""Pictures of results as in the paper: photo, body over it, and the body from a second view.

In: a dataset's samples or photographs, networks. Out: uint8 RGB sheets (H, W, 3).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image
from torch import nn

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.layer import BodyLayer, SmplxTensors, all_coefficients, all_rotations
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.contract import IMAGE_HEIGHT_PX, IMAGE_WIDTH_PX
from coevoer_edge.data.record import RecordSource
from coevoer_edge.errors import InputError
from coevoer_edge.estimator import DEFAULT_PASSES, Estimator
from coevoer_edge.evaluation.predict import AsRuntime, NetworkOrRuntime, predict
from coevoer_edge.output.overlay import MESH_COLOR, Color, contact_sheet, draw_overlay, stamp
from coevoer_edge.pipeline.camera import VIRTUAL_CAMERA, PinholeCamera
from coevoer_edge.pipeline.image import ImageSource, Pixels, read_image

SECOND_VIEW_DEG = 60.0
UNTRAINED_STAMP = "untrained"
TRUTH = "ground truth"
TRUTH_COLOR: Color = (176, 222, 164)
_ENLARGED = 2  # size of a tile relative to the crop
_BACKGROUND = 236
_PHOTO_PX = 480  # longest side of a photograph's tile


def comparison(
    source: RecordSource,
    indices: Sequence[int],
    networks: Mapping[str, NetworkOrRuntime],
    body: BodyModel,
    untrained: bool = False,
) -> Pixels:
    """One row per sample: the image, then overlay and second view of each network, by its label, and of the ground
    truth.

    `untrained` marks the networks' predictions. No ground truth is rendered for samples whose body is not known.
    """
    if not indices or not networks:
        raise InputError(f"{len(indices)} samples and {len(networks)} networks to compare; give at least one of each.")
    record = source.batch(indices)
    layer = BodyLayer(body)
    predictions = {label: predict(network, record.image) for label, network in networks.items()}
    meshes = {label: _vertices(outputs, outputs.camera, layer) for label, outputs in predictions.items()}
    truth = _vertices(record, record.camera, layer)  # n V 3
    tiles: list[Pixels] = []
    labels: list[str] = []
    for i, index in enumerate(indices):
        image = _enlarge(record.image[i].permute(1, 2, 0).cpu().numpy())
        tiles.append(image)
        labels.append(f"sample {index}")
        for label, vertices in meshes.items():
            views = mesh_views(image, vertices[i], body)
            tiles += [stamp(view, UNTRAINED_STAMP) for view in views] if untrained else views
            labels += [label, f"{label}, {SECOND_VIEW_DEG:.0f} deg"]
        known = bool(record.known[i, 0] > 0)
        tiles += mesh_views(image, truth[i], body, TRUTH_COLOR) if known else [image, _blank(image)]
        labels += [TRUTH, f"{TRUTH}, {SECOND_VIEW_DEG:.0f} deg"] if known else [f"no {TRUTH}", ""]
    return contact_sheet(tiles, 3 + 2 * len(meshes), labels)


def mesh_views(image: Pixels, vertices_cam: Float64Array, body: BodyModel, color: Color = MESH_COLOR) -> list[Pixels]:
    """Overlay on an enlarged crop, and the mesh (V, 3) alone, seen from `SECOND_VIEW_DEG` to the side."""
    camera = _camera(image)
    turned = second_view(vertices_cam, camera, (image.shape[1], image.shape[0]))
    return [
        draw_overlay(image, vertices_cam, body.faces, camera, color=color),
        draw_overlay(_blank(image), turned, body.faces, camera, color=color, opacity=1.0),
    ]


def second_view(
    vertices_cam: Float64Array, camera: PinholeCamera, size_px: tuple[int, int], angle_deg: float = SECOND_VIEW_DEG
) -> Float64Array:
    """Rotate a mesh (V, 3) about the vertical axis through the middle of its visible part, and centre that part.

    The middle keeps its depth, so the scale does not change. Of a mesh that is wholly outside the image, all vertices
    count.
    """
    with np.errstate(invalid="ignore"):
        points = camera.project(vertices_cam)
        seen = ((points > 0) & (points < size_px)).all(1)
    shown = vertices_cam[seen] if seen.any() else vertices_cam
    middle = (shown.min(0) + shown.max(0)) / 2
    turned: Float64Array = (vertices_cam - middle) @ axis_angle_to_matrix((0.0, np.radians(angle_deg), 0.0)).T
    part = turned[seen] if seen.any() else turned
    centre = (part.min(0) + part.max(0)) / 2 * (1.0, 1.0, 0.0)
    turned += np.array((0.0, 0.0, middle[2])) - centre
    return turned


def photographs(
    images: Sequence[ImageSource],
    network: NetworkOrRuntime,
    body: BodyModel,
    *,
    trained: bool,
    columns: int = 3,
    passes: int = DEFAULT_PASSES,
) -> Pixels:
    """A sheet of pairs, photograph and overlay, through the whole running chain; `columns` pairs per row."""
    runtime = AsRuntime(network) if isinstance(network, nn.Module) else network
    estimator = Estimator(runtime, body, trained=trained, passes=passes)
    tiles: list[Pixels] = []
    for image in images:
        pixels = read_image(image)
        person = estimator(pixels)
        overlay = _fit(draw_overlay(pixels, person.mesh().vertices, body.faces, person.camera))
        tiles += [_fit(pixels), overlay if trained else stamp(overlay, UNTRAINED_STAMP)]
    return contact_sheet(tiles, 2 * columns)


@torch.no_grad()
def _vertices(parameters: SmplxTensors, camera: torch.Tensor, layer: BodyLayer) -> Float64Array:
    """(n, V, 3), m, in the camera frame."""
    rotations, coefficients = all_rotations(parameters).float().cpu(), all_coefficients(parameters).float().cpu()
    vertices, _ = layer(rotations, coefficients)
    placed: Float64Array = (vertices + camera.float().cpu()[:, None]).double().numpy()
    return placed


def _camera(image: Pixels) -> PinholeCamera:
    """The crop's virtual camera in pixels of an enlarged crop."""
    scale = image.shape[0] / IMAGE_HEIGHT_PX
    x, y = VIRTUAL_CAMERA.principal_point_px
    return PinholeCamera(VIRTUAL_CAMERA.focal_px * scale, (x * scale, y * scale))


def _enlarge(crop: Pixels) -> Pixels:
    size = (IMAGE_WIDTH_PX * _ENLARGED, IMAGE_HEIGHT_PX * _ENLARGED)
    return np.array(Image.fromarray(np.ascontiguousarray(crop)).resize(size, Image.Resampling.BICUBIC))


def _fit(image: Pixels) -> Pixels:
    """Shrink an image to at most `_PHOTO_PX` on the longer side."""
    picture = Image.fromarray(image)
    picture.thumbnail((_PHOTO_PX, _PHOTO_PX), Image.Resampling.LANCZOS)
    return np.array(picture)


def _blank(image: Pixels) -> Pixels:
    return np.full_like(image, _BACKGROUND)
