"""The loss of equation (4) and the dense terms."""

import pytest
import torch
from fake_records import FakeSource, make_record

from coevoer_edge.body.layer import all_coefficients, all_rotations
from coevoer_edge.data.record import UNKNOWN
from coevoer_edge.evaluation import metrics
from coevoer_edge.model.coevoer import CoEvoerOutputs
from coevoer_edge.training.dense import DenseOutputs, class_shares, dense_terms, keypoint_splats
from coevoer_edge.training.losses import (
    FACE,
    LEFT_HAND,
    RIGHT_HAND,
    CoEvoerLoss,
    Term,
    combine,
    generalized_iou,
    project_for_loss,
)
from coevoer_edge.training.recipe import LossWeights

LAYER = FakeSource().keypoints
LOSS = CoEvoerLoss(LAYER, LossWeights())
WEIGHTS = ("known", "keypoints_3d_weight", "keypoints_2d_weight", "part_boxes_weight", "visibility_weight")


@pytest.fixture(scope="module")
def record():
    return make_record(LAYER, range(4))


def as_outputs(record) -> CoEvoerOutputs:
    """The outputs of a perfect network."""
    return CoEvoerOutputs(*(getattr(record, name).clone() for name in CoEvoerOutputs._fields))


def test_losses_and_metrics_differ_only_near_the_camera():
    def depths(*values):
        return torch.tensor([[[0.3, -0.2, z] for z in values]])

    far = depths(0.5, 12.0, 0.11)
    assert project_for_loss(far).equal(metrics.project(far))
    near = depths(0.05, 0.005, -3.0)
    assert project_for_loss(near).equal(metrics.project(depths(0.1, 0.1, 0.1)))
    assert metrics.project(near).equal(metrics.project(depths(0.05, 0.01, 0.01)))


def test_parts_have_their_keypoints():
    assert [len(part) for part in (LEFT_HAND, RIGHT_HAND, FACE)] == [20, 20, 52]
    assert not {*LEFT_HAND} & {*RIGHT_HAND}


def test_a_perfect_network_has_no_loss(record):
    losses = LOSS(as_outputs(record), record)
    assert {name: value.item() for name, value in losses.items() if value > 1e-4} == {}


def test_terms_have_their_units(record):
    outputs = as_outputs(record)
    outputs = outputs._replace(
        camera=outputs.camera * torch.tensor([1, 1, 1.1]) + torch.tensor([0.3, 0.0, 0.0]),
        betas=outputs.betas + 0.5,
        part_boxes=outputs.part_boxes + 0.1,
    )
    losses = LOSS(outputs, record)
    assert losses["camera"].item() == pytest.approx((0.3 + torch.tensor(1.1).log().item()) / 3, abs=1e-5)
    assert losses["betas"].item() == pytest.approx(0.5, abs=1e-5)
    assert losses["part_boxes"].item() == pytest.approx(0.1, abs=1e-5)
    assert losses["global_orient"].item() == 0


def test_total_is_the_weighted_sum(record):
    outputs = as_outputs(record)._replace(betas=record.betas + 1)
    losses = CoEvoerLoss(LAYER, LossWeights(betas=3.0, keypoints_3d=0, keypoints_2d=0))(outputs, record)
    rest = sum(losses[name] for name in ("hand_keypoints_3d", "face_keypoints_3d", "visibility"))
    assert losses["total"].item() == pytest.approx(3 + rest.item(), abs=1e-4)


def test_an_arm_does_not_hide_its_hand(record):
    outputs = as_outputs(record)
    turned = outputs.body_pose.clone()
    turned[:, 17] = torch.eye(3)  # left elbow
    losses = LOSS(outputs._replace(body_pose=turned), record)
    assert losses["keypoints_3d"] > 0.005
    assert losses["hand_keypoints_3d"] > 0  # rotated with the arm, but not translated
    assert losses["face_keypoints_3d"] < 1e-6


def test_what_is_unknown_does_not_count(record):
    wrong = as_outputs(make_record(LAYER, range(10, 14)))
    wrong = CoEvoerOutputs(*(tensor.requires_grad_() for tensor in wrong))
    nothing = record._replace(**{name: torch.zeros_like(getattr(record, name)) for name in WEIGHTS})
    losses = LOSS(wrong, nothing)
    losses["total"].backward()
    assert losses["total"] == 0
    assert all((tensor.grad == 0).all() for tensor in wrong)


@pytest.mark.parametrize(
    ("part", "terms"), [(0, {"global_orient", "body_pose", "betas", "camera"}), (2, {"hand_pose"})]
)
def test_each_column_of_known_masks_its_parameters(record, part, terms):
    wrong = as_outputs(make_record(LAYER, range(10, 14)))
    known = torch.zeros(4, 4)
    known[:, part] = 1
    parameters = LOSS.terms(wrong, record._replace(known=known))
    names = ("global_orient", "body_pose", "hand_pose", "jaw_pose", "betas", "expression", "camera")
    assert {name for name in names if parameters[name].error > 0} == terms


def test_losses_are_float32_under_autocast(record):
    with torch.autocast("cpu", torch.bfloat16):
        losses = LOSS(CoEvoerOutputs(*(t.bfloat16() for t in as_outputs(record))), record)
    assert {value.dtype for value in losses.values()} == {torch.float32}


def test_divisors_are_averaged_over_processes():
    terms = [Term(torch.tensor(3.0), torch.tensor(1.0)), Term(torch.tensor(1.0), torch.tensor(3.0))]
    mean = [combine({"a": t}, {"a": 1.0}, lambda _: torch.tensor([2.0]))["total"].item() for t in terms]
    assert sum(mean) / 2 == pytest.approx((3 + 1) / (1 + 3))


def test_generalized_iou():
    a = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    assert generalized_iou(a, a).item() == 1
    assert generalized_iou(a, a + 1).item() == pytest.approx(-0.5)


def test_class_shares_count_known_pixels():
    labels = torch.zeros(1, 256, 192, dtype=torch.uint8)
    labels[:, :16, :8] = 3
    labels[:, :8, 8:16] = UNKNOWN
    shares, known = class_shares(labels)
    assert shares.shape == (1, 192, 9)
    assert known[0, 0].item() == pytest.approx(0.75)
    assert shares[0, 0, 3].item() == pytest.approx(0.5 / 0.75)
    torch.testing.assert_close(shares.sum(-1), torch.ones(1, 192))


def test_splats_lie_where_the_keypoint_is():
    points = torch.tensor([[[8.0 + 16 * 5, 8.0 + 16 * 3], [16.0, 8.0], [-1.0, 5.0]]])
    splats, inside = keypoint_splats(points)
    assert splats[0, 3 * 12 + 5, 0] == 1
    assert splats[0, :2, 1].tolist() == [0.5, 0.5]
    assert inside.tolist() == [[1, 1, 0]]
    torch.testing.assert_close(splats.sum(1), torch.ones(1, 3))


def test_dense_terms_reach_zero_for_sure_and_right_logits(record):
    shares, _ = class_shares(torch.zeros_like(record.labels))
    at = torch.full_like(record.keypoints_2d, 8.0)
    splats, _ = keypoint_splats(at)
    record = record._replace(labels=record.labels * 0, keypoints_2d=at)
    body = LAYER.body
    right = DenseOutputs(
        labels=100 * shares,
        keypoints=100 * splats,
        depths=record.keypoints_3d[:, None, :, 2].expand_as(splats),
        positions=record.keypoints_3d[:, :22],
        orientations=body.orientations(all_rotations(record), all_coefficients(record))[:, :22],
    )
    assert all((term.error / term.weight).item() < 1e-5 for term in dense_terms(right, record, body).values())
    for name in DenseOutputs._fields:
        wrong = right._replace(**{name: 0.1 - getattr(right, name)})
        term = dense_terms(wrong, record, body)[f"dense_{name}"]
        assert (term.error / term.weight).item() > 0.01, name
