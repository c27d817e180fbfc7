"""UBody: upper bodies in video frames, SMPL-X fitted to whole-body keypoints (Lin et al. 2023, OSX).

In: the dataset's folder. Out: `UBody`, records. Names, keys and conventions are those of IDEA-Research/OSX: README.md
(folders), data/UBody/UBody.py (keys, splits, boxes), common/utils/preprocessing.py (parameters, camera) and
common/utils/human_models.py (hand mean).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coevoer_edge import contract
from coevoer_edge.body.keypoints import NUM_KEYPOINTS
from coevoer_edge.body.layer import PELVIS, KeypointLayer
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from coevoer_edge.data.datasets.published import Published, Split
from coevoer_edge.data.datasets.smplx_record import (
    AnnotatedPerson,
    bounds,
    cut_box,
    from_xywh,
    hand_means,
    keypoints_known,
    make_record,
    posed_keypoints,
    scaled_box,
    smplx_parameters,
)
from coevoer_edge.data.record import BOX_SCALE, Record, collate
from coevoer_edge.errors import InputError

Protocol = Literal["intra_scene", "inter_scene"]


_UBODY = Published(
    "UBody",
    "images/SCENE/..., annotations/SCENE/keypoint_annotation.json and smplx_annotation.json, "
    "splits/intra_scene_test_list.npy and inter_scene_test_list.npy",
    "Its authors provide it on request: see https://osx-ubody.github.io and the README of "
    "https://github.com/IDEA-Research/OSX, whose tool/UBody/video2image.py makes images/ from videos/.",
)

_HAND_BOX_SCALE = 0.65
"""OSX scales UBody's hand boxes by this factor."""

# The parts of `_Annotation.pose`: OSX's keys and their numbers.
_POSE = {"root_pose": 3, "body_pose": 63, "lhand_pose": 45, "rhand_pose": 45, "jaw_pose": 3, "shape": 10, "expr": 10}
_OPTIONAL = ("lhand_pose", "rhand_pose", "jaw_pose", "expr")


@dataclass(frozen=True, eq=False, slots=True)
class _Annotation:
    """One person, stored compactly because the dataset has about a million of them."""

    image_path: Path
    size_px: tuple[int, int]  # width, height
    boxes: NDArray[np.float32]  # 4 4, x1 y1 x2 y2 px: person, face, left hand, right hand; NaN: none
    pose: NDArray[np.float32]  # 179: _POSE
    trans: NDArray[np.float32]  # 3, m
    camera: NDArray[np.float32]  # 4, px: focal x y, principal point x y
    extrinsics: NDArray[np.float32] | None  # 3 4: R | t, if the annotation has them
    valid: tuple[bool, bool, bool]  # face, left hand, right hand


class UBody:
    """The training or the test videos of a protocol, one sample per annotation.

    The constructor reads the index (which takes minutes for all scenes); images are read on demand. Frames that are not
    on disk are left out, as in OSX, and counted in `num_missing_images`. Keypoints are those of the fitted SMPL-X body
    seen by the annotation's camera. The SMPL-X file's mean pose is added to hand rotations, because OSX poses its body
    with `smplx.create(...)`, whose `flat_hand_mean` is off.

    Args:
        folder: the dataset's folder, which contains images, annotations and splits.
        split: "test" selects the videos in the protocol's list, "train" all others.
        body: the user's SMPL-X file.
        protocol: which list to use. OSX trains and tests with the intra-scene list.
        scenes: which folders in annotations to read; all by default.
        interval: use every n-th annotation of a scene, counted as in OSX (100 for its test figures, 10 for training).

    Raises:
        InputError: a file is missing or differs from the published form, no frame is on disk, or the body has no mean
            hand pose.
    """

    def __init__(
        self,
        folder: Path | str,
        split: Split,
        body: BodyModel,
        *,
        protocol: Protocol = "intra_scene",
        scenes: Sequence[str] | None = None,
        interval: int = 1,
    ) -> None:
        if split not in ("train", "test"):
            raise InputError(f"Split {split!r} is unknown; UBody has train and test.")
        if protocol not in ("intra_scene", "inter_scene"):
            raise InputError(f"Protocol {protocol!r} is unknown; UBody has intra_scene and inter_scene.")
        if interval < 1:
            raise InputError(f"The interval is {interval}; it must be at least 1 (1 uses every annotation).")
        self.folder = _UBODY.folder(folder)
        self.body = body
        self._means = hand_means(body)
        self._layer = KeypointLayer(body)
        self.num_missing_images = 0
        tested = self._test_videos(protocol)
        self._annotations: list[_Annotation] = []
        for scene in self._scenes(scenes):
            self._read_scene(scene, split, tested, interval)
        if not self._annotations:
            if self.num_missing_images:
                raise _UBODY.lacks(self.folder, f"images/ of the {self.num_missing_images} annotated {split} frames")
            raise InputError(f"{self.folder} has no annotation of the {split} split ({protocol}). {_UBODY.get_it}")

    def __len__(self) -> int:
        return len(self._annotations)

    def batch(self, indices: Sequence[int]) -> Record:
        """Samples by index."""
        return collate([make_record(self._person(self._annotations[index]), self.body) for index in indices])

    def _test_videos(self, protocol: Protocol) -> frozenset[str]:
        path = self.folder / "splits" / f"{protocol}_test_list.npy"
        if not path.is_file():
            raise _UBODY.lacks(self.folder, f"splits/{path.name}")
        try:
            return frozenset(str(name) for name in np.load(path, allow_pickle=False).ravel().tolist())
        except (ValueError, OSError, EOFError) as error:
            raise _UBODY.damaged(path, error) from None

    def _scenes(self, wanted: Sequence[str] | None) -> list[str]:
        annotations = self.folder / "annotations"
        if not annotations.is_dir():
            raise _UBODY.lacks(self.folder, "annotations/")
        found = sorted(path.name for path in annotations.iterdir() if path.is_dir())
        if unknown := sorted(set(wanted or ()) - set(found)):
            raise InputError(f"{annotations} has no scene {', '.join(unknown)}; it has {', '.join(found)}.")
        return found if wanted is None else list(wanted)

    def _read_scene(self, scene: str, split: Split, tested: frozenset[str], interval: int) -> None:
        relative = f"annotations/{scene}/keypoint_annotation.json"
        keypoints = _UBODY.json(self.folder, relative)
        fits = _UBODY.json(self.folder, f"annotations/{scene}/smplx_annotation.json")
        on_disk = cache(_file_names)
        try:
            images = {image["id"]: image for image in keypoints["images"]}
            for number, annotation in enumerate(keypoints["annotations"], start=1):
                if number % interval:
                    continue
                image = images[annotation["image_id"]]
                name = image["file_name"].removeprefix("/")
                if (_video(name) in tested) != (split == "test"):
                    continue
                fit = fits.get(str(annotation["id"]))
                if annotation["iscrowd"] or not annotation["num_keypoints"] or not annotation["valid_label"] or not fit:
                    continue
                path = self.folder / "images" / scene / name
                read = _annotation(path, image, annotation, fit)
                if read is None:
                    continue
                if path.name not in on_disk(path.parent):
                    self.num_missing_images += 1
                else:
                    self._annotations.append(read)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _UBODY.damaged(self.folder / relative, error) from error

    def _person(self, a: _Annotation) -> AnnotatedPerson:
        pose = dict(zip(_POSE, np.split(a.pose, np.cumsum(list(_POSE.values()))[:-1]), strict=True))
        rotation, shift = np.eye(3), np.zeros(3)
        if a.extrinsics is not None:
            rotation, shift = a.extrinsics[:, :3].astype(np.float64), a.extrinsics[:, 3].astype(np.float64)
        root = matrix_to_axis_angle(rotation @ axis_angle_to_matrix(pose["root_pose"]))
        parameters = smplx_parameters(
            global_orient=root,
            body_pose=pose["body_pose"],
            left_hand_pose=pose["lhand_pose"],
            right_hand_pose=pose["rhand_pose"],
            jaw_pose=pose["jaw_pose"],
            betas=pose["shape"],
            expression=pose["expr"],
            hand_means=self._means,
        )
        points = posed_keypoints(self._layer, parameters)  # K 3
        pelvis = points[PELVIS]
        points = points - pelvis + rotation @ (pelvis + a.trans) + shift  # the camera rotates about its own origin
        focal, principal = a.camera[:2].astype(np.float64), a.camera[2:].astype(np.float64)
        in_front = points[:, 2] > 0
        pixels = np.full((NUM_KEYPOINTS, 2), np.nan)
        pixels[in_front] = focal * points[in_front, :2] / points[in_front, 2:] + principal
        known = np.array((True, *a.valid), np.float64)
        return AnnotatedPerson(
            image_path=a.image_path,
            frame_px=np.array((0, 0, *a.size_px), np.float64),
            box_px=a.boxes[0].astype(np.float64),
            parameters=parameters,
            known=known,
            keypoints_cam_m=points,
            keypoints_px=pixels,
            keypoints_known=keypoints_known(known),
            part_boxes_px=a.boxes[1:].astype(np.float64),
            parts_seen=a.valid,
        )


def _video(file_name: str) -> str:
    """The video a frame belongs to: its folder, where trimmed pieces (NAME_Trim...) count as the whole video."""
    return file_name.split("/")[-2].split("_Trim")[0]


def _file_names(folder: Path) -> frozenset[str]:
    return frozenset(path.name for path in folder.iterdir()) if folder.is_dir() else frozenset()


def _annotation(path: Path, image: dict[str, Any], ann: dict[str, Any], fit: dict[str, Any]) -> _Annotation | None:
    """One entry of both files, or None if the person's box is outside the image."""
    size = (int(image["width"]), int(image["height"]))
    person = cut_box(from_xywh(ann["bbox"]), *size)
    if person is None:
        return None
    boxes = np.full((1 + len(contract.PARTS), 4), np.nan, np.float32)
    boxes[0] = person
    if ann["face_valid"]:
        boxes[1] = scaled_box(bounds(np.reshape(ann["face_kpts"], (-1, 3))[:, :2]), BOX_SCALE)
    for row, side in ((2, "left"), (3, "right")):
        if ann[f"{side}hand_valid"]:
            boxes[row] = scaled_box(from_xywh(ann[f"{side}hand_box"]), _HAND_BOX_SCALE)
    p, camera = fit["smplx_param"], fit["cam_param"]
    valid = (
        bool(p.get("face_valid", ann["face_valid"]) and "jaw_pose" in p and "expr" in p),
        bool(p.get("lhand_valid", ann["lefthand_valid"]) and "lhand_pose" in p),
        bool(p.get("rhand_valid", ann["righthand_valid"]) and "rhand_pose" in p),
    )
    extrinsics = None
    if "R" in camera:
        turn, shift = np.reshape(camera["R"], (3, 3)), np.reshape(camera["t"], (3, 1))
        extrinsics = np.concatenate((turn, shift), axis=1).astype(np.float32)
    return _Annotation(
        image_path=path,
        size_px=size,
        boxes=boxes,
        pose=np.concatenate([_numbers(p, key, count) for key, count in _POSE.items()]),
        trans=np.reshape(p["trans"], 3).astype(np.float32),
        camera=np.concatenate((np.reshape(camera["focal"], 2), np.reshape(camera["princpt"], 2))).astype(np.float32),
        extrinsics=extrinsics,
        valid=valid,
    )


def _numbers(parameters: dict[str, Any], key: str, count: int) -> NDArray[np.float32]:
    """One entry of `_POSE`: zeros for a part that was not fitted; only the first `count` of a longer shape or expr."""
    if key in _OPTIONAL and key not in parameters:
        return np.zeros(count, np.float32)
    values = np.reshape(parameters[key], -1).astype(np.float32)
    if values.size < count or (values.size > count and key not in ("shape", "expr")):
        raise ValueError(f"{key} has {values.size} numbers, not {count}")
    return values[:count]
