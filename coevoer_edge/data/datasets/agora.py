"""AGORA: rendered people with SMPL-X ground truth (Patel et al. 2021).

In: the dataset's folder, as published (`agora_frames`) or as OSX converts it (`agora_osx`). Out: `AGORA`, records and
vertices. The 127 joints are those of smplx: 55 joints, 5 points of the head, 6 of the feet, 10 fingertips (thumb,
index, middle, ring, pinky; left, then right) and 51 landmarks, which start at iBUG's landmark 17 (IDEA-Research/OSX
data/AGORA/AGORA.py).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.joints import FINGER_NAMES, NUM_JOINTS
from coevoer_edge.body.keypoints import LANDMARK_NAMES
from coevoer_edge.body.layer import KeypointLayer
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import nearest_rotation
from coevoer_edge.data.datasets.agora_frames import AGORA_FILES, FULL_SIZE_PX, AgoraPerson, read_parameters, read_people
from coevoer_edge.data.datasets.agora_osx import is_converted, read_converted
from coevoer_edge.data.datasets.published import Split
from coevoer_edge.data.datasets.smplx_record import (
    AnnotatedPerson,
    bounds,
    cut_box,
    hand_means,
    keypoints_known,
    make_record,
    posed_keypoints,
    scaled_box,
    smplx_parameters,
)
from coevoer_edge.data.record import BOX_SCALE, Record, collate
from coevoer_edge.errors import InputError

NUM_PUBLISHED_JOINTS = 127
_PUBLISHED_FINGERS = ("thumb", "index", "middle", "ring", "pinky")
_FIRST_TIP, _FIRST_LANDMARK = 66, 76
_HAND_TIPS = [_PUBLISHED_FINGERS.index(finger) for finger in FINGER_NAMES]
_ORDER = np.array(
    [
        *range(NUM_JOINTS),
        *(_FIRST_TIP + side * len(_HAND_TIPS) + tip for side in (0, 1) for tip in _HAND_TIPS),
        *range(_FIRST_LANDMARK, _FIRST_LANDMARK + len(LANDMARK_NAMES)),
    ]
)
"""Index of each of our keypoints among the published joints."""

_FINGERS = {"left": range(25, 40), "right": range(40, 55)}
_BOXED = (  # contract.PARTS: the joints that OSX's agora2coco.py puts a part's box around
    np.arange(_FIRST_LANDMARK, NUM_PUBLISHED_JOINTS),
    np.array([*_FINGERS["left"], *range(_FIRST_TIP, _FIRST_TIP + 5)]),
    np.array([*_FINGERS["right"], *range(_FIRST_TIP + 5, _FIRST_TIP + 10)]),
)


class AGORA:
    """The people that AGORA marks as valid (at most 90 % occluded) and whose box overlaps the image.

    Keypoints are the published joints. The published root orientation is in the scan's own frame. `global_orient` is
    that root turned by the rotation that aligns the posed joints with the published ones in the camera's frame
    (Kabsch 1976); OSX excludes it from the loss instead. The mean pose is added to hand poses, as in agora_evaluation
    (`smplx.create(..., use_pca=False)` with `flat_hand_mean` off). Betas are used unchanged, as in OSX: they are
    correct for the fits in smplx_gt_neutral_gender, which are preferred, and otherwise are those of a gendered body.
    Children have an eleventh coefficient that the contract has no place for, so their keypoints are used and their
    body parameters are not. The annotations do not say whether a hand is occluded, so visibility is known only for
    parts outside the picture.

    Args:
        folder: the dataset's folder.
        split: "test" reads the validation set, because the ground truth of AGORA's own test set is not published.
        body: the user's SMPL-X file.

    Raises:
        InputError: a file is missing or differs from the published form, or the body has no mean hand pose.
    """

    def __init__(self, folder: Path | str, split: Split, body: BodyModel) -> None:
        if split not in ("train", "test"):
            raise InputError(f"Split {split!r} is unknown; AGORA has train and test (its validation set).")
        self.folder = AGORA_FILES.folder(folder)
        self.body = body
        self._means = hand_means(body)
        self._layer = KeypointLayer(body)
        prefix = "train" if split == "train" else "validation"
        read = read_converted if is_converted(self.folder, prefix) else read_people
        self._people = [person for person in read(self.folder, prefix) if _cut(person) is not None]
        if not self._people:
            raise InputError(f"{self.folder} contains no valid person of the {prefix} set. {AGORA_FILES.get_it}")

    def __len__(self) -> int:
        return len(self._people)

    def batch(self, indices: Sequence[int]) -> Record:
        """Samples by index."""
        return collate([make_record(self._person(self._people[index]), self.body) for index in indices])

    def vertices(self, indices: Sequence[int]) -> Tensor:
        """(B, V, 3), m, in the camera's frame. Read indices in order: a whole data frame is loaded at a time."""
        meshes = [self._people[index].vertices() for index in indices]
        return torch.from_numpy(np.stack(meshes).astype(np.float32))

    def _person(self, person: AgoraPerson) -> AnnotatedPerson:
        joints_px, joints_m = _joints(person)
        points = joints_m[_ORDER]  # K 3
        parameters = self._parameters(person, points)
        known = np.array((float(not person.kid), 1.0, 1.0, 1.0))
        to_file = person.to_file()  # 2 3
        frame = np.array(((0, 0), FULL_SIZE_PX), np.float64)
        part_boxes = np.stack([_mapped(scaled_box(bounds(joints_px[part]), BOX_SCALE), to_file) for part in _BOXED])
        box = _cut(person)
        assert box is not None
        return AnnotatedPerson(
            image_path=person.image_path,
            frame_px=_mapped(frame.ravel(), to_file),
            box_px=_mapped(box, to_file),
            parameters=parameters,
            known=known,
            keypoints_cam_m=points,
            keypoints_px=joints_px[_ORDER] @ to_file[:, :2].T + to_file[:, 2],
            keypoints_known=keypoints_known(np.ones(4)),
            part_boxes_px=part_boxes,
            parts_seen=(False, False, False),
        )

    def _parameters(self, person: AgoraPerson, points_cam: Float64Array) -> SmplxParameters:
        p = read_parameters(person.parameters_path)
        try:
            local = smplx_parameters(
                global_orient=p["global_orient"],
                body_pose=p["body_pose"],
                left_hand_pose=p["left_hand_pose"],
                right_hand_pose=p["right_hand_pose"],
                jaw_pose=p["jaw_pose"],
                betas=p["betas"],
                expression=p["expression"],
                hand_means=self._means,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise AGORA_FILES.damaged(person.parameters_path, error) from None
        posed = posed_keypoints(self._layer, local)[:NUM_JOINTS]
        target = points_cam[:NUM_JOINTS]
        turn = nearest_rotation((target - target.mean(0)).T @ (posed - posed.mean(0)))
        return SmplxParameters(**{**vars(local), "global_orient": turn @ local.global_orient})


def _joints(person: AgoraPerson) -> tuple[Float64Array, Float64Array]:
    joints_px, joints_m = person.joints()
    if len(joints_px) != NUM_PUBLISHED_JOINTS or len(joints_m) != NUM_PUBLISHED_JOINTS:
        raise InputError(
            f"{person.image_path.name} has a person with {len(joints_px)} and {len(joints_m)} joints; AGORA with "
            f"SMPL-X has {NUM_PUBLISHED_JOINTS}. {AGORA_FILES.get_it}"
        )
    return joints_px, joints_m


def _cut(person: AgoraPerson) -> Float64Array | None:
    return cut_box(person.box_px, *FULL_SIZE_PX)


def _mapped(box: Float64Array, to_file: Float64Array) -> Float64Array:
    """Apply a map (2, 3) that scales and shifts to a box."""
    return np.asarray(box.reshape(2, 2) @ to_file[:, :2].T + to_file[:, 2]).ravel()
