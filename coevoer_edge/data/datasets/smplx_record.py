"""One annotated person to a training record: SMPL-X parameters, keypoints and boxes in, `Record` out.

In: `AnnotatedPerson`, as a dataset's reader fills it in. Out: `Record`, one sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from coevoer_edge import contract
from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.joints import FACE_JOINT_NAMES, LEFT_HAND_JOINT_NAMES, RIGHT_HAND_JOINT_NAMES
from coevoer_edge.body.keypoints import FINGERTIP_NAMES, KEYPOINT_NAMES, LANDMARK_NAMES
from coevoer_edge.body.layer import PELVIS, KeypointLayer
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.data.record import BOX_SCALE, UNKNOWN, Record
from coevoer_edge.errors import InputError
from coevoer_edge.pipeline.camera import Crop, fit_translation
from coevoer_edge.pipeline.image import extract_crop, load_image

NO_CAMERA_M = (0.0, 0.0, 40.0)
"""Placeholder for a translation that cannot be fitted; its weight is 0."""

_SIZE_PX = np.array((contract.IMAGE_WIDTH_PX, contract.IMAGE_HEIGHT_PX), np.float64)


def _indices(names: Sequence[str]) -> NDArray[np.int64]:
    return np.array([KEYPOINT_NAMES.index(name) for name in names], np.int64)


_TIPS = len(FINGERTIP_NAMES) // 2
PART_KEYPOINTS = {
    "face": _indices((*FACE_JOINT_NAMES, *LANDMARK_NAMES)),
    "left_hand": _indices((*LEFT_HAND_JOINT_NAMES, *FINGERTIP_NAMES[:_TIPS])),
    "right_hand": _indices((*RIGHT_HAND_JOINT_NAMES, *FINGERTIP_NAMES[_TIPS:])),
}
"""Keypoints whose position depends on a part's own parameters, by `contract.PARTS`. The wrist belongs to the body."""


@dataclass(frozen=True, eq=False)
class AnnotatedPerson:
    """One person as annotated. Pixels are those of the image file; camera frame: x right, y down, z into the scene, m.

    parameters: `global_orient` is the root's orientation in the annotation's camera frame. Cropping does not change it,
    neither in OSX (common/utils/preprocessing.py: process_human_model_output) nor in `make_record`: the crop's rays
    are not turned onto the optical axis.
    """

    image_path: Path
    frame_px: Float64Array  # 4, x1 y1 x2 y2: the part of the file's pixels that the photograph covers
    box_px: Float64Array  # 4, x1 y1 x2 y2, clipped to the photograph
    parameters: SmplxParameters
    known: Float64Array  # 4: weights of record.KNOWN
    keypoints_cam_m: Float64Array  # K 3
    keypoints_px: Float64Array  # K 2
    keypoints_known: NDArray[np.bool_]  # K
    part_boxes_px: Float64Array  # 3 4 of contract.PARTS; NaN: computed from the keypoints
    parts_seen: tuple[bool, bool, bool]  # True: annotated as visible; False: not annotated


def make_record(person: AnnotatedPerson, body: BodyModel) -> Record:
    """Crop the person and convert everything to the crop's units; one sample, without the batch axis.

    `camera` translates the body layer's points. 2D keypoints outside the crop have weight 0, as in OSX (joint_trunc).
    """
    crop = Crop.around(person.box_px)
    image = extract_crop(load_image(person.image_path), crop)
    points_px = crop.image_to_crop(person.keypoints_px)  # K 2
    known = person.keypoints_known & np.all(np.isfinite(points_px), axis=-1)
    inside = np.all((points_px >= 0) & (points_px <= _SIZE_PX), axis=-1)
    from_pelvis = person.keypoints_cam_m - person.keypoints_cam_m[PELVIS]
    camera = fit_translation(from_pelvis + pelvis_at_rest(body, person.parameters), points_px, known & inside)
    weights = person.known if np.isfinite(camera).all() else person.known * (0, 1, 1, 1)
    boxes, boxes_known = _part_boxes(person, crop)
    visibility, visibility_known = _visibility(person, inside, boxes)
    return Record(
        image=torch.from_numpy(image.transpose(2, 0, 1).copy()),
        **{f.name: _tensor(getattr(person.parameters, f.name)) for f in fields(SmplxParameters)},
        camera=_tensor(np.where(np.isfinite(camera), camera, NO_CAMERA_M)),
        known=_tensor(weights),
        keypoints_3d=_tensor(from_pelvis),
        keypoints_3d_weight=_tensor(person.keypoints_known),
        keypoints_2d=_tensor(np.where(np.isfinite(points_px), points_px, 0.0)),
        keypoints_2d_weight=_tensor(known & inside),
        part_boxes=_tensor(boxes),
        part_boxes_weight=_tensor(boxes_known),
        visibility=_tensor(visibility),
        visibility_weight=_tensor(visibility_known),
        labels=torch.full(image.shape[:2], UNKNOWN, dtype=torch.uint8),
    )


def _part_boxes(person: AnnotatedPerson, crop: Crop) -> tuple[Float64Array, NDArray[np.bool_]]:
    """Boxes (3, 4) as fractions of the crop, and which are known (3,). They may reach outside the crop."""
    boxes = person.part_boxes_px.copy()
    for i, part in enumerate(contract.PARTS):
        points = PART_KEYPOINTS[part]
        if np.isnan(boxes[i]).any() and person.keypoints_known[points].all():
            boxes[i] = scaled_box(bounds(person.keypoints_px[points]), BOX_SCALE)
    known = np.all(np.isfinite(boxes), axis=-1)
    fractions = crop.image_to_crop(boxes.reshape(-1, 2, 2)) / _SIZE_PX
    return np.where(known[:, None], fractions.reshape(-1, 4), 0.0), known


def _visibility(
    person: AnnotatedPerson, in_crop: NDArray[np.bool_], boxes: Float64Array
) -> tuple[Float64Array, NDArray[np.bool_]]:
    """Visibility (4,) and which of its entries are known.

    A part annotated as visible is visible here if the centre of its box (3, 4), in fractions, is inside the crop. Any
    other part can only be known to be absent, when all its keypoints are outside the picture.
    """
    x1, y1, x2, y2 = person.frame_px
    x, y = person.keypoints_px.T
    in_picture = in_crop & (x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)
    visible, known = [1.0], [True]
    for part, seen, box in zip(contract.PARTS, person.parts_seen, boxes, strict=True):
        middle = (box[:2] + box[2:]) / 2
        visible.append(float(seen and bool((abs(middle - 0.5) <= 0.5).all())))
        known.append(seen or not in_picture[PART_KEYPOINTS[part]].any())
    return np.array(visible), np.array(known)


def smplx_parameters(
    *,
    global_orient: ArrayLike,
    body_pose: ArrayLike,
    left_hand_pose: ArrayLike,
    right_hand_pose: ArrayLike,
    jaw_pose: ArrayLike,
    betas: ArrayLike,
    expression: ArrayLike,
    hand_means: tuple[Float64Array, Float64Array],
) -> SmplxParameters:
    """Convert axis-angle, rad, as datasets store it, to the contract's matrices; keep ten coefficients of each kind.

    Args:
        hand_means: mean pose of left and right hand (15, 3), which `smplx.SMPLX` adds to the stored hand poses unless
            `flat_hand_mean=True` (smplx/body_models.py). For a dataset made that way give `hand_means(body)`.
    """
    return SmplxParameters(
        global_orient=_rotations("global_orient", global_orient, 1),
        body_pose=_rotations("body_pose", body_pose, contract.NUM_BODY_JOINTS),
        left_hand_pose=_rotations("left_hand_pose", left_hand_pose, contract.NUM_HAND_JOINTS, hand_means[0]),
        right_hand_pose=_rotations("right_hand_pose", right_hand_pose, contract.NUM_HAND_JOINTS, hand_means[1]),
        jaw_pose=_rotations("jaw_pose", jaw_pose, 1),
        betas=_first("betas", betas, contract.NUM_BETAS),
        expression=_first("expression", expression, contract.NUM_EXPRESSION),
    )


def hand_means(body: BodyModel) -> tuple[Float64Array, Float64Array]:
    """Mean pose of left and right hand (15, 3), axis-angle, rad.

    Raises:
        InputError: the file does not contain them.
    """
    if not {"hands_meanl", "hands_meanr"} <= body.extras.keys():
        raise InputError(
            f"{body.name} has no hands_meanl and hands_meanr, which are added to the dataset's hand poses; give "
            "SMPLX_NEUTRAL.npz (v1.1) as published at https://smpl-x.is.tue.mpg.de."
        )
    left, right = (np.asarray(body.extras[f"hands_mean{side}"], np.float64).reshape(-1, 3) for side in "lr")
    return left, right


def posed_keypoints(layer: KeypointLayer, parameters: SmplxParameters) -> Float64Array:
    """(K, 3) m, as the body layer computes them: the root rotates about the pelvis and nothing is translated."""
    p = parameters
    eyes = np.tile(np.eye(3), (2, 1, 1))
    rotations = np.concatenate((p.global_orient, p.body_pose, p.jaw_pose, eyes, p.left_hand_pose, p.right_hand_pose))
    with torch.no_grad():
        points = layer(_tensor(rotations)[None], _tensor(np.concatenate((p.betas, p.expression)))[None])
    return np.asarray(points[0].numpy(), np.float64)


def pelvis_at_rest(body: BodyModel, parameters: SmplxParameters) -> Float64Array:
    """(3,) m: position of the pelvis in the body layer's output, which does not depend on the pose."""
    coefficients = np.concatenate((parameters.betas, parameters.expression))
    rows = slice(PELVIS * 3, PELVIS * 3 + 3)
    return np.asarray(body.joint_template[PELVIS] + body.joint_directions[rows] @ coefficients, np.float64)


def keypoints_known(known: ArrayLike) -> NDArray[np.bool_]:
    """(4,) weights of record.KNOWN to (K,): the body's keypoints and those of the parts that are known as well."""
    body, *parts = np.asarray(known) > 0
    result = np.full(len(KEYPOINT_NAMES), body)
    for part, is_known in zip(contract.PARTS, parts, strict=True):
        result[PART_KEYPOINTS[part]] &= is_known
    return result


def bounds(points_px: ArrayLike) -> Float64Array:
    """(N, 2) points to the box (4,) x1 y1 x2 y2 around them."""
    points = np.asarray(points_px, np.float64)
    return np.concatenate((points.min(0), points.max(0)))


def scaled_box(box: ArrayLike, scale: float) -> Float64Array:
    """Scale a box (4,) x1 y1 x2 y2 about its centre."""
    low, high = np.asarray(box, np.float64).reshape(2, 2)
    middle, half = (low + high) / 2, (high - low) / 2 * scale
    return np.concatenate((middle - half, middle + half))


def from_xywh(box: ArrayLike) -> Float64Array:
    """COCO's x y width height to x1 y1 x2 y2."""
    x, y, width, height = np.asarray(box, np.float64)
    return np.array((x, y, x + width, y + height))


def cut_box(box: ArrayLike, width_px: float, height_px: float) -> Float64Array | None:
    """A box (4,) clipped to the image, or None if nothing is left. OSX's sanitize_bbox without the last pixel."""
    x1, y1, x2, y2 = np.asarray(box, np.float64)
    cut = np.array((max(x1, 0), max(y1, 0), min(x2, width_px), min(y2, height_px)))
    return cut if cut[2] > cut[0] and cut[3] > cut[1] else None


def _tensor(values: ArrayLike) -> Tensor:
    return torch.from_numpy(np.array(values, np.float32))


def _rotations(name: str, axis_angle: ArrayLike, count: int, mean: ArrayLike = 0.0) -> Float64Array:
    array = np.asarray(axis_angle, np.float64).reshape(-1)
    if array.size != count * 3:
        raise InputError(f"{name} has {array.size} numbers; SMPL-X has {count * 3} (axis-angle).")
    return axis_angle_to_matrix(array.reshape(count, 3) + np.asarray(mean))


def _first(name: str, coefficients: ArrayLike, count: int) -> Float64Array:
    array = np.asarray(coefficients, np.float64).reshape(-1)
    if array.size < count:
        raise InputError(f"{name} has {array.size} coefficients; at least {count} are needed.")
    return array[:count]
