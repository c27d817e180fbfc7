"""The keypoints that supervise training: 55 joints, ten fingertips, 51 face landmarks; and their mirrored order.

In: a `BodyModel`. Out: `Keypoints`. The landmarks are iBUG's 68 without the jaw line, as in SMPL-X files.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coevoer_edge.body.joints import FINGER_NAMES, JOINT_NAMES, NUM_JOINTS
from coevoer_edge.body.model import BodyModel
from coevoer_edge.errors import InputError

FINGERTIP_NAMES = tuple(f"{side}_{finger}_tip" for side in ("left", "right") for finger in FINGER_NAMES)
LANDMARK_NAMES = tuple(f"face_{number}" for number in range(17, 68))
"""iBUG numbers, counted from 0: brows 17-26, nose 27-35, eyes 36-47, mouth 48-67."""

KEYPOINT_NAMES = (*JOINT_NAMES, *FINGERTIP_NAMES, *LANDMARK_NAMES)
NUM_KEYPOINTS = len(KEYPOINT_NAMES)  # 116

_FACE_PAIRS = (
    *((17 + i, 26 - i) for i in range(5)),  # brows
    *((31, 35), (32, 34)),  # nostrils
    *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),  # eyes
    *((48, 54), (49, 53), (50, 52), (55, 59), (56, 58)),  # outer lips
    *((60, 64), (61, 63), (65, 67)),  # inner lips
)


def _mirrored_name(name: str) -> str:
    pairs = {f"face_{a}": f"face_{b}" for pair in _FACE_PAIRS for a, b in (pair, pair[::-1])}
    if name.startswith("left_"):
        return "right_" + name.removeprefix("left_")
    if name.startswith("right_"):
        return "left_" + name.removeprefix("right_")
    return pairs.get(name, name)


MIRRORED_KEYPOINTS = tuple(KEYPOINT_NAMES.index(_mirrored_name(name)) for name in KEYPOINT_NAMES)
"""Index of each keypoint's counterpart in a mirror image."""


@dataclass(frozen=True)
class Keypoints:
    """The fingertips and landmarks on a body's surface, each as a weighted mean of three vertices."""

    corners: NDArray[np.int64]  # 61 3, vertices
    shares: NDArray[np.float64]  # 61 3, sum 1

    @classmethod
    def of(cls, model: BodyModel) -> "Keypoints":
        """Find the fingertips and landmarks of a body.

        A fingertip is the vertex farthest out along its last bone. The landmarks are read from the model file.

        Raises:
            InputError: the model file has no landmarks.
        """
        if not {"lmk_faces_idx", "lmk_bary_coords"} <= model.extras.keys():
            raise InputError(
                f"{model.name} has no lmk_faces_idx and lmk_bary_coords; training needs these face landmarks. "
                "Give SMPLX_NEUTRAL.npz v1.1, which contains them."
            )
        tips = np.array([_fingertip(model, f"{n.removesuffix('_tip')}3") for n in FINGERTIP_NAMES], np.int64)
        landmarks = model.faces[np.asarray(model.extras["lmk_faces_idx"], np.int64)].astype(np.int64)  # 51 3
        corners = np.concatenate((np.repeat(tips[:, None], 3, 1), landmarks))
        on_tips = np.broadcast_to((1.0, 0.0, 0.0), (len(tips), 3))
        return cls(corners, np.concatenate((on_tips, np.asarray(model.extras["lmk_bary_coords"], np.float64))))


def _fingertip(model: BodyModel, bone: str) -> int:
    """The vertex farthest along a finger's last bone, among the vertices that this bone moves most."""
    joint = JOINT_NAMES.index(bone)
    own = np.flatnonzero(model.file.weights.argmax(1) == joint)
    direction = model.joint_template[joint] - model.joint_template[joint - 1]
    return int(own[(model.file.v_template[own] @ direction).argmax()])


assert len(MIRRORED_KEYPOINTS) == NUM_KEYPOINTS > NUM_JOINTS
