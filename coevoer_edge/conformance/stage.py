"""Simulated scenes for the tracker: people with exact ground truth, and an oracle that imitates a network.

In: actors, a crop, a time. Out: the contract's outputs. The oracle returns the person nearest to the crop's centre,
with noise; its rotation matrices are rounded as in int8 and therefore not exactly orthonormal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from coevoer_edge import contract
from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.pipeline.camera import Crop, convert_translation
from coevoer_edge.pipeline.image import CROP_RULE
from coevoer_edge.pipeline.person import frame_camera
from coevoer_edge.runtime.protocol import Outputs

NOISE_DEG = {"global_orient": 1.5, "body_pose": 1.5, "left_hand_pose": 3.0, "right_hand_pose": 3.0, "jaw_pose": 1.5}
NOISE_PX, NOISE_DEPTH = 0.6, 0.01  # in pixels of the 192 x 256 crop; in ln z
_LEVELS = 127  # levels of int8
_LEAST_TORSO_PX = 10.0  # in the crop; a smaller person is not detected
_EVEN_SHARE, _STEEPNESS = 0.35, 12.0  # visible share with visibility 0.5; the sigmoid's steepness
_PELVIS, _NECK = JOINT_NAMES.index("pelvis"), JOINT_NAMES.index("neck")
_UPPER = [JOINT_NAMES.index(name) for name in CROP_RULE.next_crop_joints]
_PARTS = [
    [i for i, n in enumerate(JOINT_NAMES) if n in ("head", "jaw") or "eye" in n],
    [i for i, n in enumerate(JOINT_NAMES) if n.startswith("left_") and i >= JOINT_NAMES.index("left_index1")],
    [i for i, n in enumerate(JOINT_NAMES) if n.startswith("right_") and i >= JOINT_NAMES.index("left_index1")],
]
_SIZE = np.array((contract.IMAGE_WIDTH_PX, contract.IMAGE_HEIGHT_PX), np.float64)


class Place(NamedTuple):
    """The place of a person in frame heights: pelvis (x from the left edge), and length of the torso."""

    x: float
    y: float
    torso: float


@dataclass(frozen=True)
class Actor:
    """A moving person. `place` returns None while they are absent or occluded."""

    posture: Callable[[float], SmplxParameters]  # s
    place: Callable[[float], Place | None]  # s


class Body(NamedTuple):
    """An actor at one time, in the frame camera."""

    parameters: SmplxParameters
    translation_m: Float64Array
    joints_px: Float64Array  # 55 2
    torso_px: float


@dataclass(frozen=True)
class Stage:
    """Actors in front of one camera."""

    actors: Sequence[Actor]
    model: BodyModel

    def at(self, time_s: float, width_px: int, height_px: int) -> list[Body]:
        """The people who are visible at one time."""
        bodies = []
        camera = frame_camera(width_px, height_px)
        for actor in self.actors:
            place = actor.place(time_s)
            if place is None:
                continue
            parameters = actor.posture(time_s)
            joints = self.model.skeleton(parameters).joints
            torso_px = place.torso * height_px
            depth = camera.focal_px * float(np.linalg.norm(joints[_NECK] - joints[_PELVIS])) / torso_px
            pixel = np.array((place.x, place.y)) * height_px
            pelvis = np.array((*((pixel - camera.principal_point_px) * depth / camera.focal_px), depth))
            translation = pelvis - joints[_PELVIS]
            bodies.append(Body(parameters, translation, camera.project(joints + translation), torso_px))
        return bodies


def oracle(bodies: Sequence[Body], crop: Crop, width_px: int, height_px: int, rng: Generator) -> Outputs:
    """Imitate a network's outputs for the crop."""
    seen = [body for body in bodies if body.torso_px / crop.scale >= _LEAST_TORSO_PX]
    shares = [float(_in_sight(body.joints_px[_UPPER], crop, width_px, height_px).mean()) for body in seen]
    seen = [body for body, share in zip(seen, shares, strict=True) if share > 0.1]
    if not seen:
        return nobody(rng)
    centre = np.array((crop.x0 + crop.width / 2, crop.y0 + crop.height / 2))
    body = min(seen, key=lambda body: float(np.linalg.norm(_middle(body.joints_px) - centre)))
    share = float(_in_sight(body.joints_px[_UPPER], crop, width_px, height_px).mean())
    in_crop = crop.image_to_crop(body.joints_px)
    boxes, visible = np.zeros((3, 4)), np.zeros(4)
    visible[0] = share
    for i, joints in enumerate(_PARTS):
        visible[1 + i] = float(_in_sight(body.joints_px[joints], crop, width_px, height_px).mean())
        low, high = in_crop[joints].min(0), in_crop[joints].max(0)
        middle, half = (low + high) / 2, (high - low) * 0.7 + rng.normal(0, NOISE_PX, 2)
        boxes[i] = np.concatenate(((middle - half) / _SIZE, (middle + half) / _SIZE))
    camera = convert_translation(body.translation_m, frame_camera(width_px, height_px), crop.camera())
    camera[:2] += rng.normal(0, NOISE_PX, 2) * camera[2] / contract.VIRTUAL_FOCAL_PX
    depth = camera[2] * np.exp(rng.normal(0, NOISE_DEPTH))
    camera = np.array((*(camera[:2] * depth / camera[2]), depth))
    return as_outputs(
        noisy(body.parameters, rng), camera, boxes, 1 / (1 + np.exp(_STEEPNESS * (_EVEN_SHARE - visible)))
    )


def nobody(rng: Generator) -> Outputs:
    """Outputs for a crop without a person: an arbitrary body with low visibility."""
    rest = SmplxParameters.rest()
    turned = {"global_orient": axis_angle_to_matrix((np.pi, 0, 0)) @ rest.global_orient}
    body = SmplxParameters(**{f.name: getattr(rest, f.name) for f in fields(rest)} | turned)
    camera = np.array((0.0, 0.3, 25.0)) + rng.normal(0, 0.1, 3)
    return as_outputs(noisy(body, rng), camera, np.tile((0.4, 0.4, 0.6, 0.6), (3, 1)), rng.uniform(0.01, 0.1, 4))


def noisy(parameters: SmplxParameters, rng: Generator, factor: float = 1.0) -> SmplxParameters:
    """Add a network's frame-to-frame errors: about `NOISE_DEG` to rotations, 0.1 to coefficients."""
    values = {}
    for entry in fields(parameters):
        value = np.asarray(getattr(parameters, entry.name), np.float64)
        if entry.name in NOISE_DEG:
            sigma = factor * np.radians(NOISE_DEG[entry.name]) / np.sqrt(3)  # per axis
            value = value @ axis_angle_to_matrix(rng.normal(0, sigma, (len(value), 3)))
        else:
            value = value + factor * rng.normal(0, 0.1, value.shape)
        values[entry.name] = value
    return SmplxParameters(**values)


def as_outputs(
    parameters: SmplxParameters, camera: Float64Array, boxes: Float64Array, visibility: Float64Array
) -> Outputs:
    """The contract's outputs, float32, with rotations rounded as in int8."""
    values: dict[str, Float64Array] = {"camera": camera, "part_boxes": boxes, "visibility": visibility}
    for entry in fields(parameters):
        value = np.asarray(getattr(parameters, entry.name), np.float64)
        values[entry.name] = np.round(value * _LEVELS) / _LEVELS if entry.name in NOISE_DEG else value
    return {name: values[name][None].astype(np.float32) for name in contract.OUTPUT_NAMES}


def _in_sight(points_px: Float64Array, crop: Crop, width_px: int, height_px: int) -> NDArray[np.bool_]:
    low = np.maximum((crop.x0, crop.y0), 0.0)
    high = np.minimum((crop.x0 + crop.width, crop.y0 + crop.height), (width_px, height_px))
    return np.asarray(((points_px > low) & (points_px < high)).all(-1))


def _middle(joints_px: Float64Array) -> Float64Array:
    points = joints_px[_UPPER]
    result: Float64Array = (points.min(0) + points.max(0)) / 2
    return result
