"""EHF: 100 frames of one person with SMPL-X meshes aligned to scans, for evaluation (Pavlakos et al. 2019).

In: the dataset's folder. Out: `EHF`, records and vertices. Its README.txt lists the files: NN_img.png and NN_img.jpg,
NN_align.ply (the mesh, m), NN_2Djnt.json (OpenPose), NN_scan.obj and EHF_camera.txt. The camera's numbers are those in
vchoutas/expose (expose/data/datasets/ehf.py) and IDEA-Research/OSX (data/EHF/EHF.py: rotation).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from coevoer_edge import contract
from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.keypoints import Keypoints
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.data.datasets.published import Published
from coevoer_edge.data.datasets.smplx_record import (
    AnnotatedPerson,
    bounds,
    cut_box,
    from_xywh,
    keypoints_known,
    make_record,
)
from coevoer_edge.data.record import KNOWN, Record, collate
from coevoer_edge.errors import InputError
from coevoer_edge.pipeline.camera import PinholeCamera
from coevoer_edge.pipeline.image import load_image

EHF_CAMERA = PinholeCamera(1498.22426237, (790.263706, 578.90334))
ROTATION = axis_angle_to_matrix((-2.98747896, 0.01172457, -0.05704687))
TRANSLATION_M = np.array((-0.03609917, 0.43416458, 2.37101226))
"""The camera that all frames share: intrinsics, px, and the transform from the meshes' frame to the camera's frame."""

_EHF = Published(
    "EHF",
    "01_img.png (or .jpg), 01_align.ply and so on up to 100",
    "It can be downloaded from https://smpl-x.is.tue.mpg.de after registration; unpack it and give that folder.",
)


class EHF:
    """The frames in the order of their numbers. EHF has meshes but no parameters, so `known` is always 0.

    Keypoints come from the mesh: joints from the body's J_regressor, fingertips and landmarks from the mesh's vertices.
    The crop surrounds the box in OSX's EHF.json (see its data/EHF/EHF.py) if the folder has that file, and otherwise
    the projected mesh.

    Args:
        folder: the dataset's folder.
        split: "test", the only split.
        body: the user's SMPL-X file, which provides the joint regressor and the landmarks.

    Raises:
        InputError: a file is missing, the split is not "test", or the body is not SMPL-X.
    """

    def __init__(self, folder: Path | str, split: Literal["test"], body: BodyModel) -> None:
        if split != "test":
            raise InputError(f"Split {split!r} is unknown; EHF is made for evaluation and has only test.")
        self.folder = _EHF.folder(folder)
        self.body = body
        self._keypoints = Keypoints.of(body)
        self._meshes = sorted(self.folder.glob("*_align.ply"))
        if not self._meshes:
            raise _EHF.lacks(self.folder, "*_align.ply")
        self._images = [self._image(mesh) for mesh in self._meshes]
        self._boxes = self._boxes_of_osx()

    def __len__(self) -> int:
        return len(self._meshes)

    def batch(self, indices: Sequence[int]) -> Record:
        """Samples by index."""
        return collate([make_record(self._person(index), self.body) for index in indices])

    def vertices(self, indices: Sequence[int]) -> Tensor:
        """(B, V, 3), m, in the camera's frame."""
        return torch.from_numpy(np.stack([self._mesh(index) for index in indices]).astype(np.float32))

    def _mesh(self, index: int) -> Float64Array:
        import trimesh  # heavy

        path = self._meshes[index]
        try:
            mesh = trimesh.load_mesh(path, process=False)  # process would merge and reorder vertices
            vertices = np.asarray(mesh.vertices, np.float64)
        except (ValueError, KeyError, OSError, IndexError, AttributeError) as error:
            raise _EHF.damaged(path, error) from None
        if len(vertices) != self.body.num_vertices:
            raise InputError(
                f"{path} has {len(vertices)} vertices, but the body ({self.body.name}) has {self.body.num_vertices}; "
                "give SMPLX_NEUTRAL.npz as published at https://smpl-x.is.tue.mpg.de as the body."
            )
        return np.asarray(vertices @ ROTATION.T + TRANSLATION_M, np.float64)

    def _person(self, index: int) -> AnnotatedPerson:
        vertices = self._mesh(index)
        joints = self.body.file.J_regressor.astype(np.float64) @ vertices  # 55 3
        corners = vertices[self._keypoints.corners]  # 61 3 3: point, corner, xyz
        points = np.concatenate((joints, (corners * self._keypoints.shares[..., None]).sum(1)))
        height, width = load_image(self._images[index]).shape[:2]
        boxes = self._boxes.get(self._number(self._meshes[index]), np.full((4, 4), np.nan))
        around = bounds(EHF_CAMERA.project(vertices)) if np.isnan(boxes[0]).any() else boxes[0]
        box = cut_box(around, width, height)
        if box is None:
            raise InputError(
                f"{self._images[index]} is {width} x {height} px and does not show the mesh; unpack the download again."
            )
        return AnnotatedPerson(
            image_path=self._images[index],
            frame_px=np.array((0, 0, width, height), np.float64),
            box_px=box,
            parameters=SmplxParameters.rest(),
            known=np.zeros(len(KNOWN)),
            keypoints_cam_m=points,
            keypoints_px=EHF_CAMERA.project(points),
            keypoints_known=keypoints_known(np.ones(len(KNOWN))),
            part_boxes_px=boxes[1:],
            parts_seen=(False, False, False),
        )

    def _image(self, mesh: Path) -> Path:
        for suffix in (".png", ".jpg"):  # lossless first
            path = mesh.with_name(f"{self._number(mesh)}_img{suffix}")
            if path.is_file():
                return path
        raise _EHF.lacks(self.folder, f"{self._number(mesh)}_img.png")

    def _boxes_of_osx(self) -> dict[str, Float64Array]:
        """By frame number: boxes (4, 4) of person and contract.PARTS, x1 y1 x2 y2 px."""
        if not (self.folder / "EHF.json").is_file():
            return {}
        content = _EHF.json(self.folder, "EHF.json")
        try:
            names = {image["id"]: image["file_name"] for image in content["images"]}
            return {self._number(Path(names[ann["image_id"]])): _boxes(ann) for ann in content["annotations"]}
        except (KeyError, TypeError, ValueError) as error:
            raise _EHF.damaged(self.folder / "EHF.json", error) from None

    @staticmethod
    def _number(path: Path) -> str:
        return path.name.split("_")[0]


def _boxes(annotation: dict[str, Any]) -> Float64Array:
    keys = ("body", *(part.replace("_hand", "hand") for part in contract.PARTS))
    return np.stack([from_xywh(annotation[f"{key}_bbox"]) for key in keys])
