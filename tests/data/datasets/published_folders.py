"""Writes small folders in the published form of the datasets: the same names, keys, units and axes, invented people."""

import json
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.pipeline.camera import PinholeCamera

UPRIGHT = np.array((np.pi, 0.0, 0.0))  # SMPL-X's y up to the camera's y down
COLUMN_NAMES = ("imgPath", "isValid", "kid", "gt_path_smplx", "gt_joints_2d", "gt_joints_3d", "gt_verts")
MEAN_LEFT, MEAN_RIGHT = 0.1 + np.arange(45) / 100, -0.2 - np.arange(45) / 100


def body_with_means() -> BodyModel:
    """The open body with a mean hand pose, which SMPL-X files have."""
    body = BodyModel.open()
    return BodyModel(replace(body.file, extras={**body.extras, "hands_meanl": MEAN_LEFT, "hands_meanr": MEAN_RIGHT}))


@dataclass(frozen=True)
class Pose:
    """Axis-angle as stored, without the hand mean."""

    root: np.ndarray
    body: np.ndarray
    left: np.ndarray
    right: np.ndarray
    jaw: np.ndarray
    betas: np.ndarray
    expression: np.ndarray
    trans: np.ndarray

    @classmethod
    def draw(cls, seed: int, trans: tuple[float, float, float] = (0.2, 0.1, 4.0)) -> "Pose":
        rng = np.random.default_rng(seed)
        small = [rng.normal(size=n) * 0.15 for n in (3, 63, 45, 45, 3)]
        small[0] = UPRIGHT + small[0]
        return cls(*small, rng.normal(size=10) * 0.5, rng.normal(size=10) * 0.5, np.array(trans))

    def parameters(self) -> SmplxParameters:
        """Computed by hand: mean plus stored pose, in axis-angle."""
        poses = (self.root, self.body, self.left + MEAN_LEFT, self.right + MEAN_RIGHT, self.jaw)
        return SmplxParameters(*(axis_angle_to_matrix(p.reshape(-1, 3)) for p in poses), self.betas, self.expression)


def noise_image(path: Path, width: int, height: int, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    small = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    Image.fromarray(small).resize((width, height)).save(path)


UBODY_CAMERA = PinholeCamera(1100.0, (330.0, 250.0))


def write_ubody(folder: Path, frames: dict[str, Pose], **changes: Any) -> None:
    """A scene `Talkshow` with one person per frame; `changes` are applied to every keypoint annotation."""
    images, annotations, fits = [], [], {}
    for number, (name, pose) in enumerate(frames.items()):
        images.append({"id": 10 + number, "file_name": f"/{name}", "width": 640, "height": 480})
        annotations.append(
            {
                "id": 500 + number,
                "image_id": 10 + number,
                "iscrowd": 0,
                "num_keypoints": 17,
                "valid_label": 2,
                "bbox": [280, 60, 200, 380],
                "keypoints": [100, 100, 2] * 17,
                "foot_kpts": [0, 0, 0] * 6,
                "lefthand_kpts": [0, 0, 0] * 21,
                "righthand_kpts": [0, 0, 0] * 21,
                "face_kpts": [300, 100, 1, 340, 150, 1, *([320, 120, 1] * 66)],
                "face_box": [300, 100, 40, 50],
                "lefthand_box": [400, 200, 100, 80],
                "righthand_box": [200, 220, 60, 60],
                "face_valid": True,
                "lefthand_valid": True,
                "righthand_valid": False,
            }
            | changes
        )
        fits[str(500 + number)] = {
            "smplx_param": {
                "root_pose": pose.root.tolist(),
                "body_pose": pose.body.tolist(),
                "lhand_pose": pose.left.tolist(),
                "rhand_pose": pose.right.tolist(),
                "jaw_pose": pose.jaw.tolist(),
                "shape": pose.betas.tolist(),
                "expr": pose.expression.tolist(),
                "trans": pose.trans.tolist(),
            },
            "cam_param": {"focal": [UBODY_CAMERA.focal_px] * 2, "princpt": list(UBODY_CAMERA.principal_point_px)},
        }
        noise_image(folder / "images" / "Talkshow" / name, 640, 480, number)
    scene = folder / "annotations" / "Talkshow"
    scene.mkdir(parents=True)
    (scene / "keypoint_annotation.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    (scene / "smplx_annotation.json").write_text(json.dumps(fits))
    (folder / "splits").mkdir()
    np.save(folder / "splits" / "intra_scene_test_list.npy", np.array(["talk_b"]))
    np.save(folder / "splits" / "inter_scene_test_list.npy", np.array(["talk_a", "talk_c"]))


def write_ply(path: Path, vertices: np.ndarray, faces: np.ndarray) -> None:
    """Write a binary file, like the published alignments."""
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(vertices)}\nproperty float x\nproperty float y\n"
        f"property float z\nelement face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    table = np.empty(len(faces), [("n", "u1"), ("i", "<i4", 3)])
    table["n"], table["i"] = 3, faces
    path.write_bytes(header.encode() + vertices.astype("<f4").tobytes() + table.tobytes())


AGORA_CAMERA = PinholeCamera(28 / 36 * 3840, (1920.0, 1080.0))


@dataclass(frozen=True)
class AgoraTruth:
    """One person in a data frame."""

    joints_px: np.ndarray  # 127 2
    joints_m: np.ndarray  # 127 3
    vertices: np.ndarray  # V 3
    global_orient: np.ndarray  # 3 3, to the camera


def agora_truth(body: BodyModel, pose: Pose, keypoints: np.ndarray, order: np.ndarray) -> AgoraTruth:
    """Keypoints (116, 3) of the posed body in AGORA's order, seen by a rotated camera."""
    turn = axis_angle_to_matrix(np.array((0.1, 0.7, -0.05)))
    place = np.array((-1.0, 0.3, 9.0))
    joints = np.zeros((127, 3))
    joints[order] = keypoints
    joints[55:66] = keypoints[15]  # head and feet points, not used
    joints = joints @ turn.T + place
    vertices = body.pose(pose.parameters()).vertices @ turn.T + place
    root = turn @ axis_angle_to_matrix(pose.root)
    return AgoraTruth(AGORA_CAMERA.project(joints), joints, vertices, root)


def write_agora_parameters(path: Path, pose: Pose, betas: np.ndarray | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        "global_orient": pose.root[None],
        "body_pose": pose.body[None],
        "left_hand_pose": pose.left[None],
        "right_hand_pose": pose.right[None],
        "jaw_pose": pose.jaw[None],
        "leye_pose": np.zeros((1, 3)),
        "reye_pose": np.zeros((1, 3)),
        "betas": pose.betas[None] if betas is None else betas[None],
        "expression": pose.expression[None],
        "transl": pose.trans[None],
    }
    path.write_bytes(pickle.dumps({key: value.astype(np.float32) for key, value in arrays.items()}))
