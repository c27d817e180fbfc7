"""The ladder: figures of outputs whose distance is known, and a climb from a tiny network's bundle."""

import math
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import tiny
from fakes import outputs_of
from photo import ASTRONAUT

from coevoer_edge import contract
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.bundle import SUMS, Bundle
from coevoer_edge.bundle.manifest import CheckpointEntry
from coevoer_edge.errors import CheckFailed, CheckpointError, CoEvoerError, InputError
from coevoer_edge.evaluation.golden import error_ratio
from coevoer_edge.evaluation.measuring_body import MeasuringBody
from coevoer_edge.export import exporter
from coevoer_edge.export.__main__ import _checks as checks_of
from coevoer_edge.model import CoEvoer, checkpoint
from coevoer_edge.parity import compare, rungs
from coevoer_edge.parity.budget import FIGURES, Budget, Limit
from coevoer_edge.parity.ladder import Climb, ParityRequest, climb, number_of_steps
from coevoer_edge.parity.pictures import draw
from coevoer_edge.parity.samples import open_samples
from coevoer_edge.parity.stored import StoredReference
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.runtime.protocol import Outputs
from coevoer_edge.terminal.console import Steps

LOWER_IS_BETTER = [name for name in FIGURES if not name.startswith("sqnr_db.")]
FLOAT32_DEG = 0.05  # rotations are float32 matrices
DEPTH_M = 40.0


@pytest.fixture(scope="module")
def body() -> MeasuringBody:
    return MeasuringBody(BodyModel.open())


def turned(name: str, degrees: float) -> Outputs:
    """A T-pose whose rotations of one output are each turned about z."""
    outputs = outputs_of()
    outputs[name] = (axis_angle_to_matrix((0, 0, math.radians(degrees))) @ outputs[name]).astype(np.float32)
    return outputs


# Figures.


def test_nothing_differs(body: MeasuringBody) -> None:
    same = compare.figures([outputs_of()] * 2, [outputs_of()] * 2, body)
    assert list(same) == list(FIGURES)
    assert {name: same[name].max for name in LOWER_IS_BETTER} == dict.fromkeys(LOWER_IS_BETTER, 0.0)
    camera = same["sqnr_db.camera"]
    assert (camera.mean, camera.p50, camera.p95, camera.max, camera.count) == (math.inf,) * 4 + (2,)


def test_a_hand_turned_by_ten_degrees(body: MeasuringBody) -> None:
    found = compare.figures([outputs_of()] * 3, [outputs_of(), turned("left_hand_pose", 10), outputs_of()], body)
    hands = found["geodesic_deg.hands"]  # 15 joints of 30, on one image of 3
    assert hands.max == pytest.approx(5, abs=FLOAT32_DEG)
    assert (hands.mean, hands.p50) == (pytest.approx(5 / 3, abs=FLOAT32_DEG), 0.0)
    assert hands.p95 == pytest.approx(0.9 * hands.max)
    assert (hands.count, hands.worst[0]) == (3, 1)
    assert found["geodesic_deg.legs"].max == found["geodesic_deg.jaw"].max == 0
    assert found["mpvpe_mm.hand"].max > found["mpvpe_mm.all"].max > found["mpvpe_mm.face"].max == 0
    assert found["sqnr_db.left_hand_pose"].worst[0] == 1
    assert found["sqnr_db.left_hand_pose"].max < 30 < found["sqnr_db.left_hand_pose"].p50 == math.inf


def test_turning_the_whole_body_is_undone_by_procrustes(body: MeasuringBody) -> None:
    found = compare.figures([outputs_of()], [turned("global_orient", 10)], body)
    assert found["geodesic_deg.global_orient"].mean == pytest.approx(10, abs=FLOAT32_DEG)
    assert found["mpvpe_mm.all"].mean > 50
    assert found["pa_mpvpe_mm.all"].mean < 0.01


def test_moving_the_camera_moves_pixels_only(body: MeasuringBody) -> None:
    moved = compare.figures([outputs_of((0, 0, DEPTH_M))], [outputs_of((0.04, 0, DEPTH_M))], body)
    assert moved["keypoint_px.all"].mean == pytest.approx(contract.VIRTUAL_FOCAL_PX * 0.04 / DEPTH_M, rel=0.02)
    assert moved["relative_error.camera"].mean == pytest.approx(0.001, rel=1e-4)
    assert moved["sqnr_db.camera"].mean == pytest.approx(60, abs=1e-3)
    assert moved["mpvpe_mm.all"].mean == 0


def test_values_that_are_not_finite_are_infinitely_far_off(body: MeasuringBody) -> None:
    broken = outputs_of()
    broken["jaw_pose"] = np.full_like(broken["jaw_pose"], np.nan)
    found = compare.figures([outputs_of()] * 2, [outputs_of(), broken], body)
    assert (found["mpvpe_mm.face"].mean, found["mpvpe_mm.face"].worst[0]) == (math.inf, 1)
    assert found["sqnr_db.camera"].max == -math.inf
    alone = compare.figures([outputs_of()], [broken], body)
    assert len(Budget.open().check("quantization", alone, "w8a8")) == 3
    assert compare.worst_vertex_mm([outputs_of()], [broken], body).max == math.inf


def test_worst_vertex(body: MeasuringBody) -> None:
    before, after = [outputs_of()], [turned("left_hand_pose", 10)]
    worst = compare.worst_vertex_mm(before, after, body)
    assert worst.max > 5 * compare.figures(before, after, body)["mpvpe_mm.all"].max
    assert compare.worst_vertex_mm(before, before, body).max == 0


def test_statistics_leave_out_what_does_not_count() -> None:
    found = compare.statistics(np.array([4.0, np.nan, 1.0, 2.0, 3.0]))
    assert (found.mean, found.p50, found.max, found.count) == (2.5, 2.5, 4.0, 4)
    assert found.p95 == pytest.approx(np.quantile([1, 2, 3, 4], 0.95))
    assert found.worst == (0, 4, 3, 2)
    nothing = compare.statistics(np.array([np.nan]))
    assert math.isnan(nothing.mean)
    assert (nothing.count, nothing.worst) == (0, ())


def test_more_is_better_for_sqnr() -> None:
    found = compare.statistics(np.array([10.0, 40.0, 20.0]), higher_is_better=True)
    assert (found.p50, found.p95, found.max, found.worst) == (20.0, pytest.approx(11), 10.0, (0, 2, 1))


def test_truth_counts_only_what_is_known(body: MeasuringBody) -> None:
    truth = compare.as_record(compare.stack([outputs_of()] * 2), body)
    known = truth.known.clone()
    known[1, 2:] = 0  # hands of the second
    found = compare.truth_figures([turned("left_hand_pose", 10)] * 2, truth._replace(known=known), None, body)
    assert (found["mpvpe_mm.hand"].count, found["mpvpe_mm.all"].count) == (1, 2)
    assert found["geodesic_deg.hands"].mean == pytest.approx(5, abs=FLOAT32_DEG)
    assert not any(name.startswith("sqnr_db") for name in found)


def test_error_ratio() -> None:
    def moved(by: float) -> list[Outputs]:
        return [outputs_of((by, 0, DEPTH_M))]

    ratio = error_ratio(moved(0.12), moved(0.1), moved(0))
    assert ratio["camera"].value == pytest.approx(1.2, rel=1e-5)
    assert ratio["betas"].value == 1.0


# Images.


def test_golden_images_come_with_their_mirrors() -> None:
    samples = open_samples(None, 2)
    assert len(samples.images) == 4
    np.testing.assert_array_equal(samples.images[2], samples.images[0][:, ::-1])
    assert samples.source == "default golden set, 2 of 128 images, and their mirror images"


def test_folder_of_photos(tmp_path: Path) -> None:
    shutil.copy(ASTRONAUT, tmp_path)
    samples = open_samples(str(tmp_path), None)
    assert [image.shape for image in samples.images] == [(256, 192, 3)]
    assert samples.truth is None
    with pytest.raises(InputError) as error:
        open_samples(str(tmp_path), 2)
    assert str(error.value) == f"--limit 2 is more than the 1 images in {tmp_path}; leave it out for all."


def test_dataset_with_truth() -> None:
    samples = open_samples("synthetic", 2)
    assert samples.truth is not None
    assert len(samples.images) == len(samples.truth.image) == 2
    np.testing.assert_array_equal(samples.images[1].transpose(2, 0, 1), samples.truth.image[1].numpy())
    assert samples.source == "synthetic: 1 of training look, 1 of held-out look"


def test_unknown_data() -> None:
    with pytest.raises(InputError, match=r"^The dataset 'photos' is unknown; valid are synthetic"):
        open_samples("photos", None)


# A climb.


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, tiny_network: CoEvoer) -> Iterator[Path]:
    """The tiny network on disk, where `checkpoint` knows it by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "MODEL_NAMES", ("tiny",))
        patch.setattr(checkpoint, "blank", lambda name, **_: tiny.tiny_network())
        patch.setattr(exporter, "_check_size", lambda *_: None)  # small networks have large headers
        path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
        checkpoint.save(tiny_network, path, trained=False)
        yield path


@pytest.fixture(scope="module")
def bundle(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    recipe = replace(QuantizationRecipe.open("w8a8"), num_calibration_samples=4)
    folder = tmp_path_factory.mktemp("bundles")
    request = exporter.ExportRequest(("onnx",), recipe, checkpoint=weights, output_dir=folder, skip_parity=True)
    return exporter.export(request)[0]


@pytest.fixture(scope="module")
def request_(bundle: Bundle, weights: Path) -> ParityRequest:
    """Two bundles of one program, against limits of which one is broken."""
    copy = bundle.path.with_name("copy")
    shutil.copytree(bundle.path, copy)
    budget = Budget(
        "strict",
        (
            Limit("quantization", "mpvpe_mm.all", "mean", 0, "quantization costs something"),
            Limit("lowering", "mpvpe_mm.all", "mean", 1000, "lowering does not cost a metre"),
            Limit("agreement", "worst_vertex_mm.all", "max", 0, "a file agrees with itself"),
        ),
    )
    return ParityRequest((bundle.path, copy), reference=str(weights), checkpoint=weights, limit=2, budget=budget)


@pytest.fixture(scope="module")
def climbed(request_: ParityRequest) -> Climb:
    steps = Steps(number_of_steps(request_), quiet=True)
    found = climb(request_, steps)
    assert steps._done == steps.total
    return found


def test_skipped_parity_is_said(bundle: Bundle) -> None:
    assert bundle.manifest.parity.lowering is None
    assert "Not measured (`export --skip-parity`)" in (bundle.path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert checks_of(bundle) == [f"Not measured. Measure it with: python -m coevoer_edge.parity {bundle.path}"]


def test_every_step_is_measured(climbed: Climb) -> None:
    ladder = climbed.ladders[0]
    assert list(ladder.losses) == ["distillation", "quantization", "lowering"]
    assert ladder.losses["distillation"].figures["mpvpe_mm.all"].max == pytest.approx(0, abs=1e-2)
    for loss in (ladder.losses["quantization"], ladder.losses["lowering"], ladder.export):
        assert loss is not None
        assert 0 < loss.figures["mpvpe_mm.all"].mean < 100
        assert loss.figures["mpvpe_mm.all"].count == ladder.images == 4
    assert (ladder.bundle, ladder.target, ladder.precision) == ("tiny-onnx-w8a8", "onnx", "w8a8")
    assert list(ladder.error_ratio) == [*contract.OUTPUT_NAMES, "all"]
    assert ladder.error_ratio["all"] < 2  # the ratio of a single output varies by more over four images
    assert ladder.truth == {}


def test_rungs_say_what_they_are(climbed: Climb, bundle: Bundle) -> None:
    ladder = climbed.ladders[0]
    assert [climbed.networks[name].rung.name for name in climbed.networks] == ["reference", "student", "quantized"]
    artifact = ladder.losses["lowering"].after
    assert (artifact.runtime.split()[0], artifact.kind) == ("onnxruntime", "runtime")
    digest = next(
        line for line in (bundle.path / SUMS).read_text().splitlines() if line.endswith(bundle.manifest.artifact)
    )
    assert artifact.source == f"{bundle.manifest.artifact}, sha256 {digest[:16]}"


def test_what_is_over_budget_is_named_and_looked_into(climbed: Climb) -> None:
    for ladder in climbed.ladders:
        assert [(v.step, v.figure) for v in ladder.violations] == [("quantization", "mpvpe_mm.all")]
        assert ladder.verdict == "fail"
        assert ladder.quantization_layers
        assert [(x.step, x.figure, x.limit) for x in ladder.limits] == [
            ("quantization", "mpvpe_mm.all", 0),
            ("lowering", "mpvpe_mm.all", 1000),
            (f"agreement with {next(iter(ladder.agreement))}", "worst_vertex_mm.all", 0),
        ]
        assert ladder.lowering_layers == ()


def test_artifacts_are_compared_with_each_other(climbed: Climb) -> None:
    one, other = climbed.ladders
    assert (list(one.agreement), list(other.agreement)) == (["copy"], ["tiny-onnx-w8a8"])
    assert one.agreement["copy"].figures["worst_vertex_mm.all"].max == 0


def test_pictures_of_the_worst_images(climbed: Climb) -> None:
    rows = draw(climbed, 0, BodyModel.open())
    assert climbed.ladders[0].losses["quantization"].figures["mpvpe_mm.all"].worst[0] in [row.index for row in rows]
    assert len({row.index for row in rows}) == len(rows)
    for row in rows:
        assert list(row.tiles) == ["image", "reference", "student", "quantized", "artifact"]
        assert {tile.shape for tile in row.tiles.values()} == {(512, 384, 3)}


def test_nothing_is_quantized(bundle: Bundle, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same file behind a manifest that calls it fp32: the step from student to program is none."""
    recipes = replace(bundle.manifest.recipes, quantization=asdict(QuantizationRecipe.open("fp32")))
    called_float = with_manifest(bundle, precision="fp32", recipes=recipes, calibration=None)
    monkeypatch.setattr(Bundle, "open", lambda path: called_float)
    budget = Budget("lax", (Limit("export", "mpvpe_mm.all", "mean", 1000, "not a metre"),))
    (ladder,) = climb(ParityRequest((bundle.path,), checkpoint=weights, limit=1, budget=budget)).ladders
    assert ladder.losses["quantization"].figures["mpvpe_mm.all"].max == 0
    assert ladder.export is not None
    assert ladder.export.figures == ladder.losses["lowering"].figures
    assert ladder.export.before.name == "student"
    assert (ladder.error_ratio, ladder.verdict) == ({}, "pass")


# The reference of the default model: outputs of its teacher that come with the package.


def noted(request: ParityRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Climb, list[str]]:
    """Climb, and what was noted on the way."""
    notes: list[str] = []
    monkeypatch.setattr(Steps, "note", lambda self, text, style="": notes.append(text))
    return climb(request), notes


@pytest.fixture
def as_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny network stands for the trained default model whose weights come with the package."""
    found = rungs.load_student
    monkeypatch.setattr(checkpoint, "DEFAULT_MODEL", "tiny")
    monkeypatch.setattr(checkpoint, "embedded_models", lambda: ("tiny",))

    def trained(bundle: Bundle, file: Path | None) -> tuple[CoEvoer, checkpoint.Checkpoint]:
        network, origin = found(bundle, file)
        return network, replace(origin, trained=True)

    monkeypatch.setattr(rungs, "load_student", trained)


@pytest.fixture
def embedded(bundle: Bundle, weights: Path, monkeypatch: pytest.MonkeyPatch, as_default: None) -> ParityRequest:
    monkeypatch.setattr(checkpoint, "load_embedded", lambda model: checkpoint.load(weights))
    return ParityRequest((bundle.path,), limit=1)


def test_the_default_models_reference_is_its_teachers_stored_outputs(
    embedded: ParityRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, notes = noted(embedded, monkeypatch)
    reference = found.networks["reference"]
    assert (reference.rung.model, reference.rung.kind) == ("coevoer-s", "stored")
    assert "the outputs of the reference, coevoer-s, come with the package" in notes
    stored = StoredReference.open().answers(found.samples.images)
    assert stored is not None
    for answer, kept in zip(reference.outputs, stored, strict=True):
        assert all(np.array_equal(answer[name], kept[name]) for name in contract.OUTPUT_NAMES)
    (ladder,) = found.ladders
    assert ladder.losses["distillation"].before == reference.rung
    assert ladder.losses["distillation"].figures["mpvpe_mm.all"].count == 2
    assert list(draw(found, 0, BodyModel.open())[0].tiles)[:3] == ["image", "reference", "student"]


def test_other_images_begin_at_the_student_and_say_why(
    embedded: ParityRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ASTRONAUT, tmp_path)
    found, notes = noted(replace(embedded, data=str(tmp_path), layers=True), monkeypatch)
    assert list(found.networks) == ["student", "quantized"]
    (ladder,) = found.ladders
    assert "distillation" not in ladder.losses
    assert ladder.quantization_layers
    assert [note for note in notes if "starts at" in note] == [
        "The ladder starts at the student, because only the outputs of coevoer-s on the default golden images come "
        "with the package; to measure distillation on other images, add --reference FILE with its weights "
        "(derive/teacher/coevoer-s.safetensors in the repository)."
    ]


def test_a_stored_reference_that_is_asked_for_by_name(bundle: Bundle, weights: Path, tmp_path: Path) -> None:
    request = ParityRequest((bundle.path,), reference="coevoer-s", checkpoint=weights, limit=1)
    assert climb(request).networks["reference"].rung.kind == "stored"
    shutil.copy(ASTRONAUT, tmp_path)
    assert refusal(replace(request, data=str(tmp_path)), of=climb) == (
        "--reference coevoer-s is not possible on these images, because only the outputs of coevoer-s on the default "
        "golden images come with the package; add --reference FILE with its weights "
        "(derive/teacher/coevoer-s.safetensors in the repository)."
    )


def test_own_weights_have_no_reference_unless_it_is_given(
    bundle: Bundle, weights: Path, as_default: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, notes = noted(ParityRequest((bundle.path,), checkpoint=weights, limit=1), monkeypatch)
    assert list(found.networks) == ["student", "quantized"]
    assert not [note for note in notes if "coevoer-s" in note]


# What cannot be made again.


def refusal(*arguments: object, of: object) -> str:
    with pytest.raises(CoEvoerError) as error:
        of(*arguments)  # type: ignore[operator]
    return str(error.value)


def with_manifest(bundle: Bundle, **changes: object) -> Bundle:
    return Bundle(bundle.path, replace(bundle.manifest, **changes))


def test_weights_that_do_not_come_with_the_package(bundle: Bundle) -> None:
    digest = bundle.manifest.checkpoint.sha256[:16]
    assert refusal(bundle, None, of=rungs.load_student) == (
        "tiny-onnx-w8a8 was exported from tiny.safetensors, which does not come with the package; "
        f"add --checkpoint with that file (sha256 {digest})."
    )


def test_other_weights(bundle: Bundle, weights: Path) -> None:
    other = with_manifest(bundle, checkpoint=CheckpointEntry("mine.safetensors", "ab" * 32))
    with pytest.raises(CheckpointError, match=r"was exported from mine.safetensors \(sha256 abababababababab\), and"):
        rungs.load_student(other, weights)


def test_other_calibration(bundle: Bundle, tmp_path: Path) -> None:
    for number in range(4):
        shutil.copy(ASTRONAUT, tmp_path / f"{number}.jpg")
    assert refusal(bundle, tmp_path, of=rungs.calibration_images).startswith(
        f"{tmp_path} does not hold the images of tiny-onnx-w8a8 (sha256 "
    )
    stated = bundle.manifest.calibration
    assert stated is not None
    many = with_manifest(bundle, calibration=replace(stated, count=500, source="folder mine", kind="folder"))
    assert refusal(many, None, of=rungs.calibration_images) == (
        "Add --calibration-data with the folder that tiny-onnx-w8a8 was calibrated on (folder mine)."
    )
    exact = with_manifest(bundle, calibration=None, precision="fp32")
    assert rungs.calibration_images(exact, None) is None
    assert refusal(exact, tmp_path, of=rungs.calibration_images) == (
        "--calibration-data is for int8; tiny-onnx-w8a8 is fp32."
    )


def test_bundles_of_two_programs(bundle: Bundle) -> None:
    other = Bundle(bundle.path.with_name("other"), replace(bundle.manifest, checkpoint=CheckpointEntry("x", "1")))
    assert refusal([bundle, other], of=rungs.one_program) == (
        "other and tiny-onnx-w8a8 are not of one quantized program: their checkpoint differ. "
        "Export both in one run, or measure them separately."
    )
    assert refusal([bundle, bundle], of=rungs.one_program).startswith("tiny-onnx-w8a8 is given twice")


def test_networks_that_do_not_give_the_golden_outputs(bundle: Bundle, weights: Path) -> None:
    student, _ = rungs.load_student(bundle, weights)
    with pytest.raises(
        CheckFailed, match=r"^The rebuilt quantized network is 0\.\S+ times as far from float as that of "
    ):
        rungs.check_golden(bundle, student, student)
    student.body_head.out.bias.data[0] += 1
    older = with_manifest(bundle, tools=bundle.manifest.tools | {"torch": "2.0"})
    with pytest.raises(CheckFailed, match=r"It was exported with torch 2\.0, here 2.*: export again\.$"):
        rungs.check_golden(older, student, None)
