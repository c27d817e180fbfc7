"""The loss of equation (4) on SMPL-X parameters, keypoints and part boxes, and a loss on visibility.

In: the network's outputs and a `Record`. Out: named terms and their weighted sum, `total`.

L = L_param + L_kpts + L_bbox, each an L1 distance. L_kpts covers 3D keypoints and projected 2D keypoints. As in OSX
(main/OSX.py), hands and face are also compared relative to the wrist and the head, so that the arm's error does not
mask theirs. Every term is a mean weighted by which labels are known; if none is known, it is 0 with gradient 0.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from coevoer_edge import contract
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.body.keypoints import KEYPOINT_NAMES
from coevoer_edge.body.layer import PELVIS, KeypointLayer, all_coefficients, all_rotations
from coevoer_edge.data.record import Record
from coevoer_edge.evaluation import metrics
from coevoer_edge.model.coevoer import CoEvoerOutputs
from coevoer_edge.training.recipe import LossWeights

_HEAD, _LEFT_WRIST, _RIGHT_WRIST = (JOINT_NAMES.index(name) for name in ("head", "left_wrist", "right_wrist"))


def _hand(side: str) -> list[int]:
    """A hand's joints and fingertips: everything of that side whose name ends in a finger's segment or tip."""
    fingers = tuple(f"{side}_{finger}" for finger in ("index", "middle", "pinky", "ring", "thumb"))
    return [i for i, name in enumerate(KEYPOINT_NAMES) if name.startswith(fingers)]


LEFT_HAND, RIGHT_HAND = _hand("left"), _hand("right")
FACE = [i for i, name in enumerate(KEYPOINT_NAMES) if name == "jaw" or name.startswith("face_")]

LOSS_NEAREST_M = 0.1
"""Lower bound of depths in the losses. Metrics go down to `camera.NEAR_M`, 1 cm, where the camera's view begins. The
gradient of the projection is ten times as steep there, and a network at the beginning of training predicts any depth.
"""

Average = Callable[[Tensor], Tensor]
"""Mean of a tensor over all processes."""


def alone(values: Tensor) -> Tensor:
    """The `Average` of a single process."""
    return values


class Term(NamedTuple):
    """Numerator and denominator of a weighted mean, summed over the samples of one process."""

    error: Tensor  # sum of weight * error
    weight: Tensor  # sum of weight


def weighted(error: Tensor, weight: Tensor) -> Term:
    """Weight errors of any shape whose leading axes are those of `weight`; the other axes are averaged."""
    error = error.flatten(weight.ndim).mean(-1) if error.ndim > weight.ndim else error
    weight = weight.to(error.dtype)
    return Term((error * weight).sum(), weight.sum())


def l1(prediction: Tensor, target: Tensor, weight: Tensor) -> Term:
    """Weighted absolute difference."""
    return weighted((prediction - target).abs(), weight)


def combine(terms: Mapping[str, Term], weights: Mapping[str, float], average: Average) -> dict[str, Tensor]:
    """Divide each term by its weight and add `total`.

    With several processes the divisor is the mean of their weights. The mean of the processes' losses, and of their
    gradients, is then the weighted mean over all samples, however unevenly the known labels are distributed.
    """
    divisors = average(torch.stack([term.weight for term in terms.values()]).detach())
    means = {
        name: torch.where(divisor > 0, term.error / divisor.clamp_min(1e-6), term.error * 0)
        for (name, term), divisor in zip(terms.items(), divisors.unbind(), strict=True)
    }
    total = torch.stack([means[name] * weights[name] for name in means]).sum()
    return means | {"total": total}


def project_for_loss(points: Tensor) -> Tensor:
    """Project points (B, K, 3), m, camera frame, to (B, K, 2) px of the crop; depth is at least `LOSS_NEAREST_M`."""
    return metrics.project(points, LOSS_NEAREST_M)


def generalized_iou(a: Tensor, b: Tensor) -> Tensor:
    """GIoU of boxes (..., 4), x1 y1 x2 y2 (Rezatofighi et al. 2019)."""
    inner = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp_min(0).prod(-1)
    outer = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - inner
    return inner / union.clamp_min(1e-6) - (outer - union) / outer.clamp_min(1e-6)


class CoEvoerLoss(nn.Module):
    """Equation (4) and visibility, in float32 whatever precision the network computes in.

    Args:
        keypoints: keypoint layer of the body that the labels parametrise.
        weights: the weight of each term.
        average: mean over processes.
    """

    def __init__(self, keypoints: KeypointLayer, weights: LossWeights, average: Average = alone) -> None:
        super().__init__()
        self.keypoints = keypoints
        self.weights = asdict(weights)
        self.average = average

    def forward(self, outputs: CoEvoerOutputs, record: Record) -> dict[str, Tensor]:
        """Named terms, scalars in the units of `LossWeights`, and `total`."""
        with torch.autocast(record.camera.device.type, enabled=False):
            terms = self.terms(CoEvoerOutputs(*(output.float() for output in outputs)), record)
            return combine(terms, self.weights, self.average)

    def terms(self, o: CoEvoerOutputs, r: Record) -> dict[str, Term]:
        """All terms before division; outputs must be float32."""
        return self.parameter_terms(o, r) | self.keypoint_terms(o, r) | _boxes(o, r) | _visibility(o, r)

    def parameter_terms(self, o: CoEvoerOutputs, r: Record) -> dict[str, Term]:
        """L_param."""
        body, face, left, right = r.known.unbind(1)  # B each
        hands = torch.cat((o.left_hand_pose, o.right_hand_pose)), torch.cat((r.left_hand_pose, r.right_hand_pose))
        return {
            "global_orient": l1(o.global_orient, r.global_orient, body),
            "body_pose": l1(o.body_pose, r.body_pose, body),
            "hand_pose": l1(*hands, torch.cat((left, right))),
            "jaw_pose": l1(o.jaw_pose, r.jaw_pose, face),
            "betas": l1(o.betas, r.betas, body),
            "expression": l1(o.expression, r.expression, face),
            "camera": l1(_camera(o.camera), _camera(r.camera), body),
        }

    def keypoint_terms(self, o: CoEvoerOutputs, r: Record) -> dict[str, Term]:
        """L_kpts."""
        points = self.keypoints(all_rotations(o), all_coefficients(o))  # B K 3
        centred = points - points[:, PELVIS : PELVIS + 1]
        weight = r.keypoints_3d_weight
        return {
            "keypoints_3d": l1(centred, r.keypoints_3d, weight),
            "hand_keypoints_3d": _sum(
                _from(joint, part, centred, r.keypoints_3d, weight)
                for joint, part in ((_LEFT_WRIST, LEFT_HAND), (_RIGHT_WRIST, RIGHT_HAND))
            ),
            "face_keypoints_3d": _from(_HEAD, FACE, centred, r.keypoints_3d, weight),
            "keypoints_2d": l1(
                project_for_loss(points + o.camera[:, None]) / contract.IMAGE_HEIGHT_PX,
                r.keypoints_2d / contract.IMAGE_HEIGHT_PX,
                r.keypoints_2d_weight,
            ),
        }


def _camera(translation: Tensor) -> Tensor:
    """x and y in m, and the logarithm of depth, so that depth errors are relative."""
    return torch.cat((translation[:, :2], translation[:, 2:].clamp_min(LOSS_NEAREST_M).log()), dim=1)


def _from(joint: int, part: list[int], points: Tensor, target: Tensor, weight: Tensor) -> Term:
    """L1 of a part's keypoints relative to a joint."""
    mine, theirs = (p[:, part] - p[:, joint : joint + 1] for p in (points, target))
    return l1(mine, theirs, weight[:, part] * weight[:, joint : joint + 1])


def _sum(terms: Iterable[Term]) -> Term:
    errors, weights = zip(*terms, strict=True)
    return Term(torch.stack(errors).sum(), torch.stack(weights).sum())


def _boxes(o: CoEvoerOutputs, r: Record) -> dict[str, Term]:
    return {
        "part_boxes": l1(o.part_boxes, r.part_boxes, r.part_boxes_weight),
        "part_boxes_giou": weighted(1 - generalized_iou(o.part_boxes, r.part_boxes), r.part_boxes_weight),
    }


def _visibility(o: CoEvoerOutputs, r: Record) -> dict[str, Term]:
    """Binary cross-entropy of probabilities, which are kept away from 0 and 1 so that the logarithm is finite."""
    p = o.visibility.clamp(1e-6, 1 - 1e-6)
    return {"visibility": weighted(F.binary_cross_entropy(p, r.visibility, reduction="none"), r.visibility_weight)}
