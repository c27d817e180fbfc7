"""`evaluate` on three people with known ground truth."""

import numpy as np
import pytest
import torch
from known_people import Knowing, KnowingRuntime, People, open_body

from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.errors import InputError
from coevoer_edge.evaluation.measure import Result, evaluate, join
from coevoer_edge.evaluation.measuring_body import MeasuringBody

MM = ("mpvpe_mm", "pa_mpvpe_mm", "mpvpe_in_crop_mm", "pa_mpvpe_in_crop_mm", "mpjpe_mm")
TEN_DEG = torch.from_numpy(axis_angle_to_matrix((0, 0, np.radians(10)))).float()


@pytest.fixture
def body():
    return open_body()


def turn_left_hand(values: dict[str, torch.Tensor]) -> None:
    values["body_pose"][:, 19] = values["body_pose"][:, 19] @ TEN_DEG  # left wrist


def test_the_truth_is_perfect(body):
    people = People(body)
    summary = evaluate(Knowing(people), people, range(3), body).summary()
    for name, value in summary.items():
        kind = name.partition(".")[0]
        if kind in MM or kind in ("keypoint_px", "geodesic_deg"):
            assert value == pytest.approx(0, abs=0.05), name
        else:
            assert value == pytest.approx(1), name


def test_summary_is_what_a_numpy_body_gives(body):
    people = People(body)
    found = evaluate(Knowing(people, turn_left_hand), people, [1], body).summary()
    values = {name: getattr(people.records, name)[1].numpy() for name in SmplxParameters.__dataclass_fields__}
    truth = SmplxParameters(**values)
    turned = values["body_pose"].copy()
    turned[19] = turned[19] @ TEN_DEG.numpy()
    a, b = (body.model.pose(p).vertices for p in (SmplxParameters(**(values | {"body_pose": turned})), truth))
    regressor = body.model.file.J_regressor
    all_ = np.linalg.norm((a - regressor[0] @ a) - (b - regressor[0] @ b), axis=1).mean() * 1000
    hand = body.model.part_vertices["left_hand"]
    left = np.linalg.norm((a - regressor[20] @ a)[hand] - (b - regressor[20] @ b)[hand], axis=1).mean() * 1000
    assert found["mpvpe_mm.all"] == pytest.approx(all_, rel=1e-3)
    assert found["mpvpe_mm.hand"] == pytest.approx(left / 2, rel=1e-3)
    assert found["mpvpe_mm.face"] == pytest.approx(0, abs=0.01)
    assert 0 < found["pa_mpvpe_mm.hand"] < found["mpvpe_mm.hand"]
    assert found["geodesic_deg.upper_body.p95"] > found["geodesic_deg.upper_body.p50"]
    assert found["geodesic_deg.legs.p95"] == pytest.approx(0, abs=0.05)


def test_the_camera_moves_pixels_only(body):
    def shift(values):
        values["camera"] += torch.tensor((0.007 * 10, 0.0, 0.0))  # 10 px at 35 m

    people = People(body)
    found = evaluate(Knowing(people, shift), people, range(3), body).summary()
    assert found["keypoint_px.all"] == pytest.approx(10, rel=0.05)
    assert found["mpvpe_mm.all"] == pytest.approx(0, abs=0.01)


def test_boxes_visibility_and_angles(body):
    def change(values):
        values["part_boxes"][:, 0] = torch.tensor((0.2, 0.2, 0.4, 0.5))  # half of it
        values["visibility"][0, 2] = 0.1
        values["jaw_pose"] = values["jaw_pose"] @ TEN_DEG

    people = People(body)
    found = evaluate(Knowing(people, change), people, range(3), body).summary()
    assert found["box_iou.face"] == pytest.approx(0.5)
    assert found["box_iou.left_hand"] == pytest.approx(1)
    assert found["visibility_accuracy.left_hand"] == pytest.approx(2 / 3)
    assert found["geodesic_deg.jaw.p50"] == pytest.approx(10, abs=0.05)


@pytest.mark.parametrize("how", ["known", "visibility"])
def test_hands_that_are_not_there_do_not_count(body, how):
    weights = torch.ones(3, 4)
    weights[0, 2] = 0  # left
    weights[1, 2:] = 0  # both
    people = People(body, **{how: weights})
    result = evaluate(Knowing(people, turn_left_hand), people, range(3), body)
    assert result.counted() == {"all": 3, "hand": 2, "face": 3}
    hand = result.values["mpvpe_mm.hand"]
    assert hand[0] == pytest.approx(0, abs=0.01)
    assert hand[1].isnan()
    assert hand[2] > 1
    assert result.summary()["mpvpe_mm.hand"] == pytest.approx((float(hand[0]) + float(hand[2])) / 2)
    assert result.angles["hands"].isnan().sum() == 3 * 15


def test_unknown_hand_vertices_do_not_spoil_the_whole_body(body):
    known = torch.ones(3, 4)
    known[:, 2] = 0

    def clench(values):
        values["left_hand_pose"] = values["left_hand_pose"] @ torch.linalg.matrix_power(TEN_DEG, 6)

    people = People(body, known=known)
    found = evaluate(Knowing(people, clench), people, range(3), body).summary()
    assert found["mpvpe_mm.all"] == pytest.approx(0, abs=0.01)
    assert found["pa_mpvpe_mm.all"] == pytest.approx(0, abs=0.01)


def test_without_any_truth_figures_are_missing_not_zero(body):
    people = People(body, known=torch.zeros(3, 4), keypoints_3d_weight=torch.zeros(3, 116))
    result = evaluate(Knowing(people), people, range(3), body)
    table = result.table()
    assert table["mpvpe_mm"] == {"all": None, "hand": None, "face": None}
    assert table["mpjpe_mm"]["body"] is None
    assert table["counted"] == {"all": 0, "hand": 0, "face": 0}
    assert result.worst(5) == []
    assert table["keypoint_px"]["all"] == pytest.approx(0, abs=0.05)


def test_in_crop_leaves_out_what_the_crop_does_not_show(body):
    def bend_knees(values):
        values["body_pose"][:, 3:5] = values["body_pose"][:, 3:5] @ torch.linalg.matrix_power(TEN_DEG, 4)

    camera = torch.tensor((0.0, 0.6, 12.0)).repeat(3, 1)  # close: the legs are outside the crop
    people = People(body, camera=camera)
    found = evaluate(Knowing(people, bend_knees), people, range(3), body).summary()
    assert found["mpvpe_mm.all"] > 10
    assert found["mpvpe_in_crop_mm.all"] < 0.1


def test_batches_do_not_matter(body):
    people = People(body)
    network = Knowing(people, turn_left_hand)
    whole = evaluate(network, people, [2, 0, 1], body).summary()
    assert people.asked == [[2, 0, 1]]
    single = evaluate(network, people, [2, 0, 1], body, batch_size=1).summary()
    assert people.asked[1:] == [[2], [0], [1]]
    assert single == pytest.approx(whole, abs=1e-3)


def test_a_runtime_gives_the_same(body):
    people = People(body)
    network = Knowing(people, turn_left_hand)
    expected = evaluate(network, people, range(3), body).summary()
    assert evaluate(KnowingRuntime(network), people, range(3), body).summary() == pytest.approx(expected, abs=1e-2)


@pytest.mark.parametrize("training", [True, False])
def test_the_network_runs_in_eval_mode_and_keeps_its_own(body, training):
    people = People(body)
    network = Knowing(people).train(training)
    evaluate(network, people, [0], body)
    assert network.trained_on == [False]
    assert network.training is training


def test_worst_and_join(body):
    def turn_second(values):
        values["body_pose"][1, 15] = values["body_pose"][1, 15] @ TEN_DEG

    people = People(body)
    result = evaluate(Knowing(people, turn_second), people, [2, 1, 0], body)
    assert result.worst(1) == [1]
    both = join([result, result])
    assert len(both.indices) == 6
    assert both.summary() == pytest.approx(result.summary())
    assert both.seconds == 2 * result.seconds
    assert isinstance(both, Result)


@pytest.mark.parametrize("as_runtime", [False, True])
def test_predictions_that_are_not_finite_are_refused(body, as_runtime):
    def spoil(values):
        values["body_pose"][0, 0, 0, 0] = torch.nan

    people = People(body)
    network = Knowing(people, spoil)
    with pytest.raises(InputError, match=r"values in body_pose that are not finite and cannot be measured"):
        evaluate(KnowingRuntime(network) if as_runtime else network, people, [0], body)


@pytest.mark.parametrize(
    ("indices", "batch_size", "message"),
    [
        ([], 1, "There are no samples to evaluate on"),
        ([0, 3], 1, "Indices 0 to 3 were requested; the dataset has 3 samples, counted from 0."),
        ([-1], 1, "Indices -1 to -1 were requested"),
        ([0], 0, "The batch size is 0; give 1 or more."),
    ],
)
def test_bad_requests(body, indices, batch_size, message):
    people = People(body)
    with pytest.raises(InputError, match=message):
        evaluate(Knowing(people), people, indices, body, batch_size=batch_size)


def test_a_body_without_vertex_sets_is_refused():
    model = BodyModel.open()
    model.part_vertices = {"face": model.part_vertices["face"]}
    with pytest.raises(
        InputError, match=r"does not identify the vertices of left_hand, right_hand.*MANO_SMPLX_vertex_ids"
    ):
        MeasuringBody(model)
