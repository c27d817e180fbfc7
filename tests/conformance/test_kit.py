"""The kit: the Python pipeline passes it, deriving it again gives the same kit, and wrong implementations fail it."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.rotations import geodesic_deg
from coevoer_edge.conformance import __main__ as command
from coevoer_edge.conformance import answers, stage
from coevoer_edge.conformance.answers import answer, decisions
from coevoer_edge.conformance.check import check, compare
from coevoer_edge.conformance.kit import EXPECTED, KIT_PATH, TOLERANCES, Case, Kit
from coevoer_edge.errors import InputError
from coevoer_edge.pipeline.constants import PIPELINE, Pipeline
from coevoer_edge.pipeline.tracking import Sight, Tracker
from derive.conformance_kit import derive

MOST_BYTES = 3_500_000


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.open()


@pytest.fixture(scope="module")
def kit() -> Kit:
    return Kit.open()


def test_python_passes(kit, body):
    faults = [fault for verdict in check(kit, body) for fault in verdict.faults]
    assert faults == []


def test_command(tmp_path):
    run = CliRunner().invoke(command.command)
    assert run.exit_code == 0, run.output
    assert [line.split()[0] for line in run.output.splitlines()] == list(EXPECTED)


def test_it_is_derived_again_alike(kit, body):
    again = derive(body)
    assert again.pipeline == kit.pipeline
    assert {**again.tolerances} == {**kit.tolerances} == {**TOLERANCES}
    assert [(case.prefix, case.about) for case in again.cases] == [(case.prefix, case.about) for case in kit.cases]
    for ours, theirs in zip(again.cases, kit.cases, strict=True):
        assert ours.tensors.keys() == theirs.tensors.keys()
        for name, value in ours.tensors.items():
            assert value.dtype == theirs.tensors[name].dtype, (ours.prefix, name)
            # Crops may round differently, as the rule allows. The rest must be within a hundredth of the kit's
            # tolerances: pixels depend on float32, whose last bit differs between machines.
            allowed = TOLERANCES.get(name, (0.0, 0.0))[0]
            atol = allowed if name == "tensor" else max(2e-5, allowed / 100)
            np.testing.assert_allclose(
                value, theirs.tensors[name], rtol=1e-5, atol=atol, err_msg=f"{ours.prefix}.{name}"
            )


def test_size_and_constants(kit):
    assert KIT_PATH.stat().st_size < MOST_BYTES
    assert kit.pipeline == PIPELINE.to_table()
    assert {case.kind for case in kit.cases} == set(EXPECTED)
    for case in kit.cases:
        assert set(EXPECTED[case.kind]) <= case.tensors.keys(), case.prefix


def test_what_the_track_cases_cover(kit):
    walk, passing, faults, black, times, near = (case.tensors for case in kit.of("track")[:6])
    changes = lambda tensors: np.flatnonzero(np.diff(tensors["states"])).size  # noqa: E731
    assert changes(walk) >= 5  # found, lost while occluded, found, lost, found
    covered = (walk["accepted"] == 0) & (walk["states"] == 1)
    assert covered.any()
    assert passing["states"].all()
    assert passing["accepted"].sum() > 50
    assert 8 <= (faults["accepted"] == 0).sum() <= 12
    assert faults["states"][1:].all()
    assert black["accepted"].any()
    assert changes(black) == 3
    assert len(np.unique(times["frame_sizes"], axis=0)) == 3
    assert np.diff(times["timestamps_ms"]).max() > PIPELINE.max_gap_ms
    assert near["accepted"].sum() > 15


def test_what_the_detect_cases_cover(kit):
    looks = [int(case.tensors["looks"][0]) for case in kit.of("detect")]
    assert looks == [2, 2, 2, 1, 1]


def test_decode_cases_have_reflections(kit):
    matrices = [case.tensors["body_pose"] for case in kit.of("decode")]
    assert any((np.linalg.det(m) < 0).all() for m in matrices)
    assert all((np.linalg.det(case.tensors["decoded_body_pose"]) > 0.99).all() for case in kit.of("decode"))


def test_decoded_bodies_are_near_the_truth(body):
    """The oracle's noise keeps its size through rounding and projection."""
    rng = np.random.default_rng(0)
    people = stage.Stage(
        [stage.Actor(lambda t: answers.SmplxParameters.rest(), lambda t: stage.Place(0.5, 0.6, 0.2))], body
    ).at(0.0, 480, 640)
    crop = answers.Crop.whole_frame(480, 640)
    said = stage.oracle(people, crop, 480, 640, rng)
    decoded = answers.decode(said, crop, "oracle")
    error = geodesic_deg(decoded.parameters.body_pose, people[0].parameters.body_pose)
    assert 0.5 < error.mean() < 3
    assert said["visibility"][0, 0] > 0.9


def faulty_answers(kit: Kit, body: BodyModel, kind: str, rule: Pipeline = PIPELINE) -> int:
    """The number of failing cases of one kind."""
    return sum(bool(compare(case, answer(case, body, rule), kit.tolerances).faults) for case in kit.of(kind))


@pytest.mark.parametrize(
    "wrong",
    [
        {"same_person_slack": 100.0},
        {"same_person_growth": 100.0},
        {"same_person_posture_m": 100.0},
        {"keep_visibility": 0.5},
        {"keep_visibility": 0.0},
        {"acquire_visibility": 0.3},
        {"max_missed_ms": 150.0},
        {"max_missed_ms": 700.0},
        {"max_gap_ms": 500.0},
        {"max_gap_ms": 2000.0},
        {"motion_hz": 1e-6},
        {"tile_step": 1.0},
        {"smallest_overlap": 0.4},
    ],
    ids=str,
)
def test_a_tracker_that_errs_does_not_pass(kit, body, wrong):
    rule = replace(PIPELINE, **wrong)
    assert any(errs(case, decisions(case, body, rule)) for case in kit.of("track"))


def errs(case: Case, decided: Mapping[str, np.ndarray]) -> bool:
    away = np.abs(decided["crops"] - case.tensors["crops"])
    return (
        bool((away > 0.02 + 1e-5 * np.abs(case.tensors["crops"])).any())
        or bool((decided["states"] != case.tensors["states"]).any())
        or bool((decided["accepted"] != case.tensors["accepted"]).any())
    )


def test_the_tracker_alone_decides_alike(kit, body):
    assert not any(errs(case, decisions(case, body)) for case in kit.of("track"))


@pytest.mark.parametrize(
    ("kind", "where", "name", "wrong"),
    [
        ("crop", answers, "extract_crop", lambda old: lambda image, crop: np.roll(old(image, crop), 1, axis=0)),
        ("decode", answers, "convert_translation", lambda old: lambda t, a, b: old(t, b, a)),
        ("decode", answers, "decode", lambda old: lambda o, c, s: replace(old(o, c, s), translation_m=np.zeros(3))),
        ("track", Tracker, "_moved_px", lambda old: lambda self: np.zeros(2)),
        ("track", Sight, "may_be", lambda old: lambda self, earlier, moved, rule: True),
    ],
)
def test_code_that_errs_does_not_pass(kit, body, monkeypatch, kind, where, name, wrong):
    monkeypatch.setattr(where, name, wrong(getattr(where, name)))
    assert faulty_answers(kit, body, kind) >= 1


def test_a_smoother_that_errs_does_not_pass(kit, body):
    for group in vars(PIPELINE.smoothing):
        rules = replace(PIPELINE.smoothing, **{group: replace(getattr(PIPELINE.smoothing, group), cutoff_hz=3.0)})
        assert faulty_answers(kit, body, "smooth", replace(PIPELINE, smoothing=rules)) == 2, group


def test_refuse_cases_are_refused_only_for_their_fault(kit, body):
    for case in kit.of("refuse"):
        assert answers.is_refused(case, body), case.about
    sound = kit.of("decode")[1]
    given = {name: sound.tensors[name] for name in sound.tensors if name not in EXPECTED["decode"]}
    assert not answers.is_refused(Case("refuse", 99, "sound", given), body)
    assert not answers.is_refused(Case("refuse", 99, "sound", {"timestamps_ms": np.array((0.0, 1.0))}), body)


def test_comparing(kit):
    case = Case("pose", 0, "x", {"joints": np.zeros((2, 3)), "vertices": np.ones(1)})
    right = {"joints": np.full((2, 3), 9e-6), "vertices": np.ones(1)}
    assert compare(case, right, TOLERANCES).faults == ()
    assert compare(case, right, TOLERANCES).worst["joints"] == pytest.approx(0.9)
    wrong = {"joints": np.array(((0, 0, 0), (0, 0.5, 0))), "vertices": np.ones(1)}
    assert compare(case, wrong, TOLERANCES).faults == ("pose.0.joints[1, 1]: 0.5, expected 0 (x)",)
    assert "shape (3,), expected (1,)" in compare(case, right | {"vertices": np.ones(3)}, TOLERANCES).faults[0]
    lost = {"joints": np.full((2, 3), np.nan), "vertices": np.ones(1)}
    assert compare(case, lost, TOLERANCES).faults


def test_no_kit(tmp_path):
    path = tmp_path / "kit.safetensors"
    with pytest.raises(InputError, match="is not a conformance kit"):
        Kit.open(path)
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="is not a conformance kit"):
        Kit.open(path)
