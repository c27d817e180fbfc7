"""The parity measure, on hand-made outputs with known distances."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from coevoer_edge import contract
from coevoer_edge.body.joints import BODY_JOINT_NAMES, JOINT_NAMES, PARENTS
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.model_file import read_model_file
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.bundle.manifest import CheckEntry
from coevoer_edge.bundle.typed_table import to_table
from coevoer_edge.evaluation.golden import GoldenParity, Ratio, golden_parity, quantization_limit_mm
from coevoer_edge.parity.budget import Budget
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.runtime.protocol import Outputs

W8A8, FP16, FP32 = (QuantizationRecipe.open(name) for name in ("w8a8", "fp16", "fp32"))
TOLERANCE_MM = 1e-3  # the body layer computes in float32, about 1 m from its origin
PARTS = ("all", *contract.PARTS)


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.open()


def rest() -> Outputs:
    """The T-pose of the mean shape, with all other outputs 1."""
    outputs = {output.name: np.ones(output.shape, np.float32) for output in contract.OUTPUTS}
    for output in contract.OUTPUTS:
        if output.shape[-2:] == (3, 3):
            outputs[output.name] = np.broadcast_to(np.eye(3, dtype=np.float32), output.shape).copy()
    return outputs | {"betas": np.zeros((1, 10), np.float32), "expression": np.zeros((1, 10), np.float32)}


def shifted(by: float, name: str = "camera") -> Outputs:
    outputs = rest()
    outputs[name] = outputs[name] + np.float32(by)
    return outputs


def parity(body: BodyModel, quantized: list[Outputs], artifact: list[Outputs]) -> GoldenParity:
    return golden_parity([rest() for _ in quantized], quantized, artifact, body, "onnxruntime", "runtime")


def test_no_distance(body: BodyModel) -> None:
    same = parity(body, [rest(), rest()], [rest(), rest()])
    assert (same.images, same.runtime, same.kind) == (2, "onnxruntime", "runtime")
    for errors in (same.quantized_error, same.artifact_error):
        assert errors == dict.fromkeys(contract.OUTPUT_NAMES, 0.0)
    for distances in (same.quantized_vertices_mm, same.artifact_vertices_mm):
        assert distances == dict.fromkeys(PARTS, 0.0)
    assert same.ratio == dict.fromkeys([*contract.OUTPUT_NAMES, "all"], Ratio(1.0, 0.0))
    assert [same.faults(recipe) for recipe in (W8A8, FP16, FP32)] == [[], [], []]
    assert same.entry(W8A8).verdict == "pass"


@pytest.mark.parametrize("name", contract.OUTPUT_NAMES)
def test_error_is_the_mean_over_images_of_the_root_mean_square(body: BodyModel, name: str) -> None:
    # Off by 0.3 and 0.4 everywhere.
    far = parity(body, [shifted(0.1, name), shifted(0.1, name)], [shifted(0.3, name), shifted(0.4, name)])
    assert far.quantized_error[name] == pytest.approx(0.1, rel=1e-6)
    assert far.artifact_error[name] == pytest.approx(0.35, rel=1e-6)
    assert far.ratio[name].value == far.ratio["all"].value == pytest.approx(3.5, rel=1e-6)
    # Ratio estimate: errors 0.3 and 0.4 of 3.5 times 0.1 are off by 0.05 each; 0.05 / sqrt(2 - 1) / 0.1.
    assert far.ratio[name].standard_error == pytest.approx(0.5, rel=1e-5)
    assert far.ratio[name].at_least == pytest.approx(2.5, rel=1e-5)
    assert [other for other, error in far.artifact_error.items() if error] == [name]


def test_error_of_one_element_is_spread_over_the_output(body: BodyModel) -> None:
    outputs = rest()
    outputs["camera"][0, 2] += 0.3
    assert parity(body, [rest()], [outputs]).artifact_error["camera"] == pytest.approx(0.3 / math.sqrt(3), rel=1e-6)


def test_scale_is_the_size_of_the_float_output(body: BodyModel) -> None:
    scale = parity(body, [rest()], [rest()]).scale
    assert scale["camera"] == 1.0
    assert scale["jaw_pose"] == pytest.approx(1 / math.sqrt(3))  # an identity: 3 ones among 9 numbers
    assert scale["betas"] == 0.0


# Limits.


@pytest.mark.parametrize(("error", "passes"), [(0.1, True), (0.1 * 1.09, True), (0.1 * 1.11, False), (0.0, True)])
def test_int8_is_held_to_the_quantized_program(body: BodyModel, error: float, passes: bool) -> None:
    result = parity(body, [shifted(0.1)], [shifted(error)])
    over = "is 1.11 times as far from float as the quantized program is (limit 1.1)"
    assert result.faults(W8A8) == ([] if passes else [f"camera {over}", f"all {over}"])
    assert result.entry(W8A8).verdict == ("pass" if passes else "fail")


@pytest.mark.parametrize(("error", "passes"), [(0.12, True), (0.14, False)])
def test_the_self_check_is_held_to_a_limit_of_its_own(body: BodyModel, error: float, passes: bool) -> None:
    """Every output has the same error, in the images of the bundle only."""
    quantized, artifact = rest(), rest()
    for name in contract.OUTPUT_NAMES:
        quantized[name], artifact[name] = quantized[name] + np.float32(0.1), artifact[name] + np.float32(error)
    others = [quantized] * 1000
    found = parity(body, [quantized] * 8 + others, [artifact] * 8 + others)
    assert found.faults(replace(W8A8, max_error_ratio=1.1)) == (
        []
        if passes
        else ["the self-check of 8 images is 1.40 times as far from float as the quantized program is (limit 1.3)"]
    )


@pytest.mark.parametrize(("error", "passes"), [(0.009, True), (0.012, False)])
def test_fp16_is_held_to_the_size_of_the_output(body: BodyModel, error: float, passes: bool) -> None:
    assert parity(body, [rest()], [shifted(error)]).faults(FP16) == (
        [] if passes else ["camera is off by 0.012 of its size (limit 0.01)"]
    )


@pytest.mark.parametrize(("error", "passes"), [(9e-5, True), (1.2e-4, False)])
def test_fp32_is_held_to_less(body: BodyModel, error: float, passes: bool) -> None:
    assert parity(body, [rest()], [shifted(error)]).faults(FP32) == (
        [] if passes else ["camera is off by 0.00012 of its size (limit 0.0001)"]
    )


def test_every_output_over_its_limit_is_named(body: BodyModel) -> None:
    artifact = rest() | {name: shifted(0.5, name)[name] for name in ("camera", "visibility")}
    quantized = rest() | {name: shifted(0.25, name)[name] for name in ("camera", "visibility")}
    assert parity(body, [quantized], [artifact]).faults(W8A8) == [
        f"{name} is 2.00 times as far from float as the quantized program is (limit 1.1)"
        for name in ("camera", "visibility", "all")
    ]


@pytest.mark.parametrize(
    ("recipe", "fault"),
    [
        (W8A8, "camera is nan times as far from float as the quantized program is (limit 1.1)"),
        (FP16, "camera is off by nan of its size (limit 0.01)"),
        (FP32, "camera is off by nan of its size (limit 0.0001)"),
    ],
)
def test_nan_fails(body: BodyModel, recipe: QuantizationRecipe, fault: str) -> None:
    result = parity(body, [shifted(0.1)], [shifted(math.nan)])
    assert result.faults(recipe)[0] == fault
    assert result.entry(recipe).verdict == "fail"


def test_nan_in_one_element_of_one_image_fails(body: BodyModel) -> None:
    broken = rest()
    broken["visibility"][0, 3] = np.nan
    assert parity(body, [rest()] * 3, [rest(), broken, rest()]).faults(FP16) == [
        "visibility is off by nan of its size (limit 0.01)"
    ]


def test_nan_of_the_quantized_program_fails_too(body: BodyModel) -> None:
    assert parity(body, [shifted(math.nan)], [rest()]).faults(W8A8) != []


# Millimetres.


def turned(joint: str, angle_rad: float) -> Outputs:
    """The T-pose with one joint turned about x."""
    outputs, turn = rest(), axis_angle_to_matrix((angle_rad, 0, 0)).astype(np.float32)
    if joint == "pelvis":
        outputs["global_orient"][0, 0] = turn
    elif joint == "jaw":
        outputs["jaw_pose"][0, 0] = turn
    else:
        outputs["body_pose"][0, BODY_JOINT_NAMES.index(joint) - 1] = turn
    return outputs


def weight_below(joint: int) -> np.ndarray:
    """Each vertex's total weight on a joint and its descendants."""
    below = {joint}
    for child, parent in enumerate(PARENTS):
        if parent in below:
            below.add(child)
    return read_model_file(None).weights[:, sorted(below)].sum(axis=1)


@pytest.mark.parametrize("joint", ["pelvis", "jaw", "left_wrist", "right_elbow"])
def test_rotation_about_one_joint(body: BodyModel, joint: str) -> None:
    """A vertex at distance r from the axis moves by 2 r sin(angle / 2), times its weight on the joint."""
    angle_rad, index = 0.1, JOINT_NAMES.index(joint)
    still = body.pose(SmplxParameters.rest())
    r = np.linalg.norm((still.vertices - still.joints[index])[:, 1:], axis=1)
    expected_mm = weight_below(index) * 2 * r * math.sin(angle_rad / 2) * 1000
    distances = parity(body, [rest()], [turned(joint, angle_rad)]).artifact_vertices_mm
    assert list(distances) == list(PARTS)
    assert distances["all"] == pytest.approx(expected_mm.mean(), abs=TOLERANCE_MM)
    for part, vertices in body.part_vertices.items():
        assert distances[part] == pytest.approx(expected_mm[vertices].mean(), abs=TOLERANCE_MM)
    assert distances["all"] > 0


def test_distances_are_means_over_images(body: BodyModel) -> None:
    one = parity(body, [rest()], [turned("jaw", 0.2)]).artifact_vertices_mm
    half = parity(body, [rest()] * 2, [turned("jaw", 0.2), rest()]).artifact_vertices_mm
    assert half == pytest.approx({part: value / 2 for part, value in one.items()}, abs=TOLERANCE_MM)


@pytest.mark.parametrize("name", ["camera", "part_boxes", "visibility"])
def test_camera_boxes_and_visibility_move_no_vertex(body: BodyModel, name: str) -> None:
    assert parity(body, [rest()], [shifted(1, name)]).artifact_vertices_mm == dict.fromkeys(PARTS, 0.0)


def test_quantized_and_artifact_are_not_mixed_up(body: BodyModel) -> None:
    result = parity(body, [turned("jaw", 0.1)], [turned("jaw", 0.2)])
    assert result.ratio["jaw_pose"].value == pytest.approx(math.sin(0.1) / math.sin(0.05), rel=1e-5)
    assert result.artifact_vertices_mm["face"] > 1.9 * result.quantized_vertices_mm["face"] > 0


# The manifest's figures.


def test_entry(body: BodyModel) -> None:
    entry = parity(body, [shifted(1 / 3)], [shifted(1 / 6)]).entry(W8A8)
    assert entry.self_check_ratio == pytest.approx(0.5 ** (1 / 10), abs=5e-4)  # one output of ten
    errors = entry.rms_error
    assert errors is not None
    assert errors.ratio is not None
    assert errors.ratio_standard_error is not None
    assert (errors.quantized["camera"], errors.artifact["camera"], errors.ratio["camera"]) == (0.333, 0.167, 0.5)
    assert list(errors.ratio) == list(errors.ratio_standard_error) == [*contract.OUTPUT_NAMES, "all"]
    assert entry.mean_vertex_distance_mm is not None
    assert list(entry.mean_vertex_distance_mm.artifact) == list(PARTS)


def test_two_checks_with_two_limits(body: BodyModel) -> None:
    """A file as good as the quantized program passes the lowering check, however bad the quantized program is."""
    tilted = turned("spine1", 0.1)
    entry = parity(body, [tilted], [tilted]).entry(W8A8)
    assert entry.lowering == CheckEntry(1.0, "times the quantized program's error", 1.1, "pass")
    assert entry.quantization is not None
    assert (entry.quantization.unit, entry.quantization.limit, entry.quantization.verdict) == ("mm", 0.5, "over")
    assert entry.quantization.figure > 10
    assert entry.verdict == "pass"  # on the lowering, so a bundle is written
    near = parity(body, [rest()], [rest()]).entry(W8A8)
    assert near.quantization == CheckEntry(0.0, "mm", 0.5, "pass")


def test_the_limit_of_quantization_is_the_default_budgets() -> None:
    (limit,) = (
        limit.limit
        for limit in Budget.open().limits
        if (limit.step, limit.figure, limit.statistic) == ("quantization", "mpvpe_mm.all", "mean")
    )
    assert quantization_limit_mm() == limit


def test_a_float_format_has_no_ratios(body: BodyModel) -> None:
    """Its quantized program is the float network, and a ratio to 0 cannot be written as JSON."""
    entry = parity(body, [rest()], [shifted(1e-4)]).entry(QuantizationRecipe.open("fp16"))
    table = to_table(entry)
    assert list(table["rms_error"]) == ["quantized", "artifact"]
    assert table.keys().isdisjoint({"self_check_ratio", "quantization"})
    assert entry.lowering == CheckEntry(1e-4, "of an output's size", 0.01, "pass")
    json.dumps(table, allow_nan=False)


@pytest.mark.parametrize(("limit", "passes"), [(1.0, False), (2.0, True)])
def test_limit_is_the_recipes(body: BodyModel, limit: float, passes: bool) -> None:
    recipe = replace(W8A8, max_error_ratio=limit)
    assert bool(parity(body, [shifted(0.2)], [shifted(0.3)]).faults(recipe)) != passes


def test_an_error_where_the_quantized_program_has_none_fails(body: BodyModel) -> None:
    found = parity(body, [rest()], [shifted(0.05)])
    assert found.ratio["camera"].value == np.inf
    assert [fault.split(" is ")[0] for fault in found.faults(QuantizationRecipe.open("w8a8"))] == [
        "camera",
        "the self-check of 8 images",
    ]


def test_an_error_where_the_float_output_is_zero_fails(body: BodyModel) -> None:
    found = parity(body, [rest()], [shifted(0.05, "betas")])
    assert "betas is off by inf of its size (limit 0.01)" in found.faults(QuantizationRecipe.open("fp16"))
