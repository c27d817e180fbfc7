"""The synthetic dataset: endless, seeded and indexable; sample i of seed s is always the same.

In: a seed and a domain of looks. Out: `Record`s with exact labels. The labels are in the frame of a camera that points
at the centre of the crop, because a crop does not show where in the photograph it was taken from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from coevoer_edge import contract
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.body.layer import PELVIS, BodyLayer, KeypointLayer, SmplxBatch, all_coefficients, all_rotations
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.data.record import BOX_SCALE, Record
from coevoer_edge.data.synthetic.kinds import DomainName
from coevoer_edge.data.synthetic.look import Look, draw_look
from coevoer_edge.data.synthetic.person import draw_person
from coevoer_edge.data.synthetic.picture import Painter
from coevoer_edge.data.synthetic.view import SHOWS_LEGS, View, draw_framing, draw_view
from coevoer_edge.pipeline.camera import fit_translation

ENDLESS = 1 << 40
"""The `len` of an endless dataset; every index below it is a sample."""

PART_SEEN = 0.3
"""Minimum visible share of a part for the part to count as visible."""

_EMPTY_SHARE = 0.03  # pictures without a person
_BARS_SHARE, _SIDE_SHARE = 0.2, 0.1  # crops that extend beyond the photograph's top and bottom edge; beyond one edge
_OUTSIDE_WEIGHT = 0.3  # of keypoints outside the photograph
_OUTSIDE_CROPS = 1.5  # distance from the crop's centre beyond which keypoints have weight 0
_BEHIND_M = -10.0  # depth of a person who is not in the picture
_BELOW_PELVIS = [i for i, n in enumerate(JOINT_NAMES) if n.endswith(("_knee", "_ankle", "_foot"))]
_NO_CAMERA_M = (0.0, 0.7, 22.0)  # for a picture without a person; any finite value would do
_SIZE_PX = np.array((contract.IMAGE_WIDTH_PX, contract.IMAGE_HEIGHT_PX), np.float64)
_DOMAIN_KEYS: dict[DomainName, int] = {"train": 0, "held_out": 1}


@dataclass(frozen=True)
class Scene:
    """One sample before it is rendered."""

    person: SmplxParameters  # root in the level camera's frame
    view: View
    look: Look
    frame_px: NDArray[np.float64]  # x1 y1 x2 y2 of the photograph within the crop; the rest is black
    empty: bool
    legs_seen: bool


class SyntheticPeople:
    """Synthetic upper bodies, rendered from the open body.

    Args:
        seed: any integer of at least 0; different seeds share no sample.
        domain: "train", or "held_out" for looks that are not used in training.
        body: the body to render; the open body by default.
        device: the device to render on. Random numbers are sampled on the CPU, so labels are the same everywhere;
            pictures may differ between devices by rounding.
    """

    def __init__(
        self,
        seed: int = 0,
        domain: DomainName = "train",
        body: BodyModel | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        model = body or BodyModel.open()
        self.seed, self.domain, self.device = seed, domain, torch.device(device)
        self._painter = Painter(model, self.device)
        self._body = BodyLayer(model).to(self.device)
        self._keypoints = KeypointLayer(model).to(self.device)
        self._joints = BodyLayer(model, np.zeros(0, np.int64))
        self._parts = [torch.from_numpy(model.part_vertices[part]).to(self.device) for part in contract.PARTS]

    def __len__(self) -> int:
        return ENDLESS

    def batch(self, indices: Sequence[int]) -> Record:
        """Samples by index, rendered together; each is the same as when rendered alone."""
        return self.finish(self.prepare(indices))

    def prepare(self, indices: Sequence[int]) -> list[Scene]:
        """Sample the random numbers, with numpy on the CPU."""
        return [self._scene(index) for index in indices]

    def _scene(self, index: int) -> Scene:
        rng = np.random.default_rng((self.seed, _DOMAIN_KEYS[self.domain], index))
        framing = draw_framing(rng)
        person = draw_person(rng, legs_seen=framing in SHOWS_LEGS)
        tensors = SmplxBatch.of([person])
        with torch.no_grad():
            joints = self._joints.joints(all_rotations(tensors), all_coefficients(tensors))[0].numpy()
        view = draw_view(rng, framing, joints.astype(np.float64) - joints[PELVIS])
        look = draw_look(rng, self.domain)
        frame = draw_frame(rng)
        return Scene(person, view, look, frame, rng.random() < _EMPTY_SHARE, framing in SHOWS_LEGS)

    @torch.no_grad()
    def finish(self, prepared: Sequence[Scene]) -> Record:
        """Pose, render and label the samples on the source's device."""
        scenes, B, device = prepared, len(prepared), self.device
        person = SmplxBatch.of([scene.person for scene in scenes], device)
        rotation = _tensor([scene.view.rotation for scene in scenes], device)  # B 3 3
        translation = _tensor([scene.view.translation_m for scene in scenes], device)  # B 3
        focal = _tensor([scene.view.focal_px for scene in scenes], device)
        principal = _tensor([scene.view.principal_px for scene in scenes], device)
        turn = _tensor([scene.view.towards_crop for scene in scenes], device)
        frame = _tensor([scene.frame_px for scene in scenes], device)
        empty = torch.tensor([scene.empty for scene in scenes], device=device)
        person = person._replace(global_orient=rotation[:, None] @ person.global_orient)

        rotations, coefficients = all_rotations(person), all_coefficients(person)
        vertices, joints = self._body(rotations, coefficients)
        # `draw_view` got joints relative to the pelvis; the posed body has its pelvis where the shape puts it.
        shift = (translation - joints[:, PELVIS])[:, None]
        vertices = vertices + shift
        keypoints = self._keypoints(rotations, coefficients) + shift  # B K 3
        hidden = vertices.new_tensor((0.0, 0.0, _BEHIND_M))
        picture = self._painter.paint(
            torch.where(empty[:, None, None], hidden, vertices), focal, principal, [scene.look for scene in scenes]
        )
        image, labels = _blacken(picture.image, picture.labels, frame)

        keypoints_2d = focal[:, None, None] * keypoints[..., :2] / keypoints[..., 2:] + principal[:, None]
        in_front = keypoints[..., 2] > 0.05
        from_pelvis = (keypoints - keypoints[:, PELVIS : PELVIS + 1]) @ turn.mT
        weight = _keypoint_weights(keypoints_2d, frame) * in_front * ~empty[:, None]
        legs = torch.tensor([scene.legs_seen for scene in scenes], device=device)
        weight[:, _BELOW_PELVIS] *= legs[:, None]
        boxes, box_share = _part_boxes(vertices, self._parts, focal, principal, frame)
        seen = picture.part_seen.clone()
        seen[:, 1:] *= box_share
        least = seen.new_tensor((0.02, *(PART_SEEN,) * len(contract.PARTS)))
        visible = ((seen >= least) & ~empty[:, None]).float()
        body_known = (~empty).float()[:, None]
        camera = fit_translation(
            *((t.double().cpu().numpy()) for t in (from_pelvis + joints[:, PELVIS : PELVIS + 1], keypoints_2d, weight))
        )
        return Record(
            image=image,
            global_orient=turn[:, None] @ person.global_orient,
            body_pose=person.body_pose,
            left_hand_pose=person.left_hand_pose,
            right_hand_pose=person.right_hand_pose,
            jaw_pose=person.jaw_pose,
            betas=person.betas,
            expression=person.expression,
            camera=torch.from_numpy(np.where(np.isnan(camera), _NO_CAMERA_M, camera)).float().to(device),
            known=torch.cat((body_known, visible[:, 1:]), dim=1),
            keypoints_3d=from_pelvis,
            keypoints_3d_weight=body_known.expand(B, keypoints.shape[1]).clone(),
            keypoints_2d=keypoints_2d.where(in_front[..., None], 0.0),
            keypoints_2d_weight=weight,
            part_boxes=boxes,
            part_boxes_weight=visible[:, 1:],
            visibility=visible,
            visibility_weight=torch.ones_like(visible),
            labels=labels,
        )


class FirstSamples:
    """The first `count` samples of an endless source: a fixed test set."""

    def __init__(self, source: SyntheticPeople, count: int) -> None:
        self.source, self.count = source, count

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: Sequence[int]) -> Record:
        """Samples by index, 0 to `count`."""
        if any(not 0 <= index < self.count for index in indices):
            raise IndexError(f"The samples {list(indices)} are not all among the {self.count} of this set.")
        return self.source.batch(indices)


def draw_frame(rng: Generator) -> NDArray[np.float64]:
    """Sample the part of the crop that the photograph covers, x1 y1 x2 y2 px; the rest is black, as in `CropRule`."""
    x1, y1, x2, y2 = 0.0, 0.0, *_SIZE_PX
    kind = rng.random()
    if kind < _BARS_SHARE:  # a landscape photograph, whole
        bar = rng.uniform(0.02, 0.26) * y2
        y1, y2 = bar, y2 - bar * rng.uniform(0.8, 1.2)
    elif kind < _BARS_SHARE + _SIDE_SHARE:
        side, width = rng.integers(4), rng.uniform(0.02, 0.25)
        x1 += (side == 0) * width * x2
        y1 += (side == 1) * width * y2
        x2 -= (side == 2) * width * x2
        y2 -= (side == 3) * width * y2
    return np.array((x1, y1, x2, y2)).round()


def _blacken(image: Tensor, labels: Tensor, frame: Tensor) -> tuple[Tensor, Tensor]:
    """Make pixels outside the photograph black and background: image (B, 3, H, W), labels (B, H, W), frame (B, 4)."""
    H, W = labels.shape[1:]
    x = torch.arange(W, device=frame.device) + 0.5
    y = torch.arange(H, device=frame.device) + 0.5
    x1, y1, x2, y2 = frame[:, :, None].unbind(1)  # each B 1
    inside = ((y > y1) & (y < y2))[:, :, None] & ((x > x1) & (x < x2))[:, None]  # B H W
    return image * inside[:, None], labels * inside


def _keypoint_weights(points_px: Tensor, frame: Tensor) -> Tensor:
    """(B, K): 1 on the photograph, less outside it up to 1.5 crops from the crop's centre, 0 farther out."""
    inside = ((points_px > frame[:, None, :2]) & (points_px < frame[:, None, 2:])).all(-1)
    away = (points_px / points_px.new_tensor(_SIZE_PX) - 0.5).abs().amax(-1)  # 0.5 at the crop's edge
    return torch.where(inside, 1.0, (away <= _OUTSIDE_CROPS) * _OUTSIDE_WEIGHT)


def _part_boxes(
    vertices: Tensor, parts: Sequence[Tensor], focal_px: Tensor, principal_px: Tensor, frame: Tensor
) -> tuple[Tensor, Tensor]:
    """Boxes (B, 3, 4) as fractions of the crop, clipped to the photograph, and the remaining share (B, 3) of each."""
    size = vertices.new_tensor(_SIZE_PX)
    boxes, shares = [], []
    for part in parts:
        points = vertices[:, part]
        pixels = focal_px[:, None, None] * points[..., :2] / points[..., 2:].clamp(min=0.05) + principal_px[:, None]
        low, high = pixels.amin(1), pixels.amax(1)  # B 2
        middle, half = (low + high) / 2, (high - low) / 2 * BOX_SCALE
        whole = torch.cat((middle - half, middle + half), dim=1)
        cut = torch.cat((whole[:, :2].maximum(frame[:, :2]), whole[:, 2:].minimum(frame[:, 2:])), dim=1)
        extent = (cut[:, 2:] - cut[:, :2]).clamp(min=0)
        shares.append(extent.prod(1) / (2 * half).prod(1).clamp(min=1e-6))
        cut = torch.where((extent > 0).all(1)[:, None], cut, 0.0)
        boxes.append((cut.view(-1, 2, 2) / size).view(-1, 4))
    return torch.stack(boxes, dim=1), torch.stack(shares, dim=1)


def _tensor(values: Sequence[object], device: torch.device) -> Tensor:
    return torch.from_numpy(np.array(values, np.float32)).to(device)
