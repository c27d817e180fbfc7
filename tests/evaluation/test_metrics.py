"""Metrics on cases worked out by hand: a cloud of 40 points, of which 10 each are face and hands."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.body.rotations import geodesic_deg as numpy_geodesic_deg
from coevoer_edge.evaluation.measure import vertex_errors
from coevoer_edge.evaluation.measuring_body import Meshes
from coevoer_edge.evaluation.metrics import (
    box_iou,
    geodesic_deg,
    in_crop,
    mean_distance,
    move_to,
    procrustes,
    project,
)
from coevoer_edge.pipeline.camera import VIRTUAL_CAMERA

FACE, LEFT, RIGHT = np.arange(10), np.arange(10, 20), np.arange(20, 30)
CLOUD = SimpleNamespace(
    part_vertices={"face": FACE, "left_hand": LEFT, "right_hand": RIGHT}, device=torch.device("cpu")
)
TURN = torch.from_numpy(axis_angle_to_matrix((0.4, -0.9, 1.3)))


def cloud(count: int = 1) -> Meshes:
    """Points within about 10 cm; the anchors are separate points."""
    random = torch.Generator().manual_seed(0)
    vertices = torch.randn(count, 40, 3, generator=random, dtype=torch.float64) * 0.1
    anchors = torch.randn(count, 4, 3, generator=random, dtype=torch.float64) * 0.1
    return Meshes(vertices, anchors, torch.zeros(count, 1, 3))


def errors(predicted: Meshes, truth: Meshes, weight=None, **absent) -> dict[str, float]:
    B = len(truth.vertices)
    counts = {part: torch.ones(B, dtype=torch.bool) for part in ("body", "face", "left_hand", "right_hand")}
    counts |= {part: torch.zeros(B, dtype=torch.bool) for part, gone in absent.items() if gone}
    weight = torch.ones(B, 40, dtype=torch.float64) if weight is None else weight
    found = vertex_errors(predicted, truth, CLOUD, weight, weight, counts, "")
    return {name.replace("_mm", ""): value.mean().item() for name, value in found.items()}


def test_the_truth_has_no_error():
    assert max(errors(cloud(2), cloud(2)).values()) < 1e-9


def test_a_translation_is_aligned_away():
    moved = Meshes(cloud().vertices + 0.7, cloud().anchors + 0.7, cloud().keypoints)
    assert max(errors(moved, cloud()).values()) < 1e-9


def test_scale_and_rotation_are_aligned_away_by_procrustes_only():
    turned = Meshes(1.3 * cloud().vertices @ TURN.T + 0.2, 1.3 * cloud().anchors @ TURN.T + 0.2, cloud().keypoints)
    found = errors(turned, cloud())
    assert max(value for name, value in found.items() if name.startswith("pa_")) < 1e-9
    assert min(value for name, value in found.items() if not name.startswith("pa_")) > 50


def test_a_hand_moved_from_its_wrist_counts_half_of_the_hand_figure():
    moved = cloud()
    moved.vertices[:, LEFT] += torch.tensor((0.0, 0.006, 0.008), dtype=torch.float64)  # 10 mm
    found = errors(moved, cloud())
    assert found["mpvpe.hand"] == pytest.approx(5)  # left 10, right 0
    assert found["pa_mpvpe.hand"] == pytest.approx(0, abs=1e-9)
    assert found["mpvpe.all"] == pytest.approx(10 * 10 / 40)
    assert found["mpvpe.face"] == pytest.approx(0, abs=1e-9)


def test_a_hand_moved_with_its_wrist_is_right():
    moved = cloud()
    moved.vertices[:, LEFT] += 0.01
    moved.anchors[:, 2] += 0.01
    found = errors(moved, cloud())
    assert found["mpvpe.hand"] == pytest.approx(0, abs=1e-9)
    assert found["mpvpe.all"] > 1


def test_a_hand_that_does_not_count_leaves_the_other():
    moved = cloud()
    moved.vertices[:, LEFT] += torch.tensor((0.01, 0.0, 0.0), dtype=torch.float64)
    assert errors(moved, cloud(), right_hand=True)["mpvpe.hand"] == pytest.approx(10)
    assert errors(moved, cloud(), left_hand=True)["mpvpe.hand"] == pytest.approx(0, abs=1e-9)
    assert np.isnan(errors(moved, cloud(), left_hand=True, right_hand=True)["mpvpe.hand"])
    assert np.isnan(errors(moved, cloud(), body=True)["mpvpe.all"])


def test_a_single_vertex():
    moved = cloud()
    moved.vertices[:, 35] += torch.tensor((0.0, 0.04, 0.0), dtype=torch.float64)
    found = errors(moved, cloud())
    assert found["mpvpe.all"] == pytest.approx(1)  # 40 mm of one in 40
    assert found["mpvpe.face"] == pytest.approx(0, abs=1e-9)
    assert 0.5 < found["pa_mpvpe.all"] < 4  # least squares spreads it


def test_the_face_is_placed_by_the_neck():
    moved = cloud()
    moved.anchors[:, 1] += torch.tensor((0.003, 0.0, 0.004), dtype=torch.float64)
    found = errors(moved, cloud())
    assert found["mpvpe.face"] == pytest.approx(5)
    assert (found["mpvpe.all"], found["mpvpe.hand"]) == pytest.approx((0, 0), abs=1e-9)


def test_vertices_without_weight_neither_count_nor_align():
    moved = cloud()
    moved.vertices[:, 30:] += torch.randn(10, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weight = torch.ones(1, 40, dtype=torch.float64)
    weight[:, 30:] = 0
    assert max(errors(moved, cloud(), weight).values()) < 1e-9
    assert errors(moved, cloud())["pa_mpvpe.all"] > 10


def test_procrustes_does_not_reflect():
    """Points at +-3, +-2, +-1 on the axes, mirrored in z: a proper rotation can only shrink them, to 12/14."""
    axes = torch.tensor([[3.0, 0, 0], [0, 2, 0], [0, 0, 1]], dtype=torch.float64)
    points = torch.cat((axes, -axes))[None]
    mirrored = points * torch.tensor((1.0, 1.0, -1.0))
    scale = (9 + 4 - 1) / (9 + 4 + 1)
    torch.testing.assert_close(procrustes(mirrored, points), scale * mirrored)
    torch.testing.assert_close(procrustes(mirrored @ TURN.T + 5, points), scale * mirrored)
    expected = 2 * (3 * (1 - scale) + 2 * (1 - scale) + (1 + scale)) / 6
    assert mean_distance(procrustes(mirrored, points), points).item() == pytest.approx(expected)


def test_procrustes_is_the_best_similarity():
    truth = cloud().vertices
    noisy = truth @ TURN.T + torch.randn(40, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 0.05
    best = procrustes(noisy, truth)
    least = (best - truth).square().sum()
    for axis in np.eye(3):
        for angle in (-0.01, 0.01):
            turned = best @ torch.from_numpy(axis_angle_to_matrix(axis * angle)).T
            assert (turned - truth).square().sum() > least
    for scale in (0.99, 1.01):
        assert (best * scale - truth).square().sum() > least


@pytest.mark.parametrize("points", [torch.zeros(2, 5, 3), torch.tensor([[[1.0, 0, 0]] * 2 + [[3.0, 0, 0]] * 3] * 2)])
def test_procrustes_of_degenerate_points_is_finite(points):
    truth = cloud(2).vertices[:, :5]
    assert procrustes(points, truth).isfinite().all()
    assert procrustes(truth, points).isfinite().all()


def test_move_to():
    points, anchor = torch.tensor([[[1.0, 2, 3]]]), torch.tensor([[1.0, 1, 1]])
    assert move_to(points, anchor, torch.zeros(1, 3)).tolist() == [[[0, 1, 2]]]


def test_geodesic_agrees_with_numpy():
    rng = np.random.default_rng(0)
    a, b = axis_angle_to_matrix(rng.normal(size=(50, 3))), axis_angle_to_matrix(rng.normal(size=(50, 3)))
    b[:3] = a[:3]
    found = geodesic_deg(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    np.testing.assert_allclose(found, numpy_geodesic_deg(a, b), atol=1e-6)


@pytest.mark.parametrize(
    ("box", "expected"),
    [((0, 0, 1, 1), 1), ((0, 0, 0.5, 1), 0.5), ((0.5, 0.5, 1.5, 1.5), 1 / 7), ((2, 2, 3, 3), 0), ((1, 1, 0, 0), 0)],
)
def test_box_iou(box, expected):
    assert box_iou(torch.tensor(box, dtype=torch.float64), torch.tensor((0.0, 0, 1, 1))).item() == pytest.approx(
        expected
    )


def test_project_is_the_virtual_camera():
    points = cloud().vertices + torch.tensor((0.1, 0.2, 30.0))
    np.testing.assert_allclose(project(points).numpy(), VIRTUAL_CAMERA.project(points.numpy()))
    assert project(torch.tensor([[[0.1, 0.1, -3.0]]])).isfinite().all()


def test_in_crop():
    points = torch.tensor([[[1.0, 1], [191, 255], [193, 100], [100, 257], [-1, 5]]])
    assert in_crop(points).tolist() == [[True, True, False, False, False]]
