"""Whom the tracker follows: against an oracle that sees whoever is nearest to the crop's centre."""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fakes import FACING, FakeRuntime, outputs_of

from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.conformance.stage import Actor, Place, Stage, oracle
from coevoer_edge.data.synthetic.gestures import SyntheticMotion
from coevoer_edge.errors import BundleError, CoEvoerError, InputError
from coevoer_edge.estimator import Estimator, TrackedFrame
from coevoer_edge.pipeline.camera import ASPECT, Crop
from coevoer_edge.pipeline.constants import PIPELINE
from coevoer_edge.pipeline.person import frame_camera
from coevoer_edge.pipeline.tracking import Tracker, search_crops

W, H = 640, 480
BLACK = np.zeros((H, W, 3), np.uint8)
STEP_MS = 1000 / 30
CENTRED = (0.0, 0.45, 55.0)  # a T-pose that fills the crop's middle
ANYBODY = replace(PIPELINE, same_person_slack=100.0, same_person_growth=10.0)
"""For runtimes whose answers do not depend on the crop: in the frame, their body jumps with it."""


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.open()


class Oracle:
    """A runtime that does not look at the pixels: the stage and the estimator's own crops tell it all."""

    name, kind = "oracle", "reference"

    def __init__(self, stage: Stage, seed: int = 0) -> None:
        self.stage, self.rng = stage, np.random.default_rng(seed)
        self.time_s, self.crop, self.size = 0.0, Crop.whole_frame(W, H), (W, H)

    def __call__(self, pixels):
        return oracle(self.stage.at(self.time_s, *self.size), self.crop, *self.size, self.rng)

    def close(self) -> None:
        pass


def play(
    stage: Stage, times_ms: list[float], sizes=None, seed: int = 0, smooth: bool = True
) -> tuple[Estimator, list[TrackedFrame]]:
    runtime = Oracle(stage, seed)
    estimator = Estimator(runtime, stage.model, trained=True, smooth=smooth)
    look = estimator._tracker.look

    def told(timestamp_ms, width, height):
        runtime.crop = look(timestamp_ms, width, height)
        return runtime.crop

    estimator._tracker.look = told
    seen = []
    for i, time_ms in enumerate(times_ms):
        runtime.time_s = time_ms / 1000
        runtime.size = sizes[i] if sizes else (W, H)
        seen.append(estimator.detect_for_video(np.zeros(runtime.size[::-1], np.uint8), time_ms))
    return estimator, seen


def somebody(seed: int, place: Callable[[float], Place | None], yaw_deg: float | None = None) -> Actor:
    turn = None if yaw_deg is None else FACING @ axis_angle_to_matrix((0, np.radians(yaw_deg), 0))
    return Actor(SyntheticMotion(np.random.default_rng(seed), 5.0, turn).at, place)


def regular(seconds: float, rate_hz: float = 30.0) -> list[float]:
    return [1000 * i / rate_hz for i in range(round(seconds * rate_hz))]


def pelvis_x(frame: TrackedFrame) -> float:
    return float(frame.person.joints_px[0, 0])


# Search.


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (1920, 1080), (1080, 1920), (500, 1000), (1000, 30), (1, 1)])
def test_a_round_of_search(size):
    width, height = size
    whole, *tiles = search_crops(width, height)
    assert whole == Crop.whole_frame(width, height)
    for tile in tiles:
        assert min(tile.x0, tile.y0) >= 0
        assert tile.x0 + tile.width <= width + 1e-9
        assert tile.y0 + tile.height <= height + 1e-9
        assert tile.width == pytest.approx(min(width, height * ASPECT))
    away = [max(abs(t.x0 + t.width / 2 - width / 2), abs(t.y0 + t.height / 2 - height / 2)) for t in tiles]
    assert away == sorted(away) or np.allclose(away, sorted(away))
    ends = sorted(t.x0 + t.y0 for t in tiles)
    assert ends[0] == pytest.approx(0 if len(tiles) > 1 else max(width - tiles[0].width, height - tiles[0].height) / 2)
    length = tiles[0].width if width > height * ASPECT else tiles[0].height
    assert (np.diff(ends) <= PIPELINE.tile_step * length + 1e-6).all()


def test_tiles_that_fit_exactly():
    assert len(search_crops(500, 1000)) == 1 + 2
    assert len(search_crops(480, 640)) == 1 + 1
    assert len(search_crops(1080, 720)) == 1 + 3


def test_black_frames_search_and_find_nobody(body):
    _, seen = play(Stage([], body), regular(1.0))
    assert [frame.person for frame in seen] == [None] * 30
    assert {frame.state for frame in seen} == {"searching"}
    round_ = search_crops(W, H)
    assert [frame.crop for frame in seen] == [round_[i % len(round_)] for i in range(30)]


def test_whoever_is_small_is_found_in_a_tile(body):
    stage = Stage([somebody(1, lambda t: Place(1.1, 0.5, 0.06))], body)
    _, seen = play(stage, regular(0.5))
    found = next(frame for frame in seen if frame.person)
    assert found.crop in search_crops(W, H)[1:]
    assert all(frame.state == "tracking" for frame in seen[found.index :])


# Track.


def test_the_crop_follows_without_lag(body):
    """Walking at one torso a second, the person stays in the crop's middle."""
    stage = Stage([somebody(2, lambda t: Place(0.3 + 0.25 * t, 0.65, 0.25))], body)
    _, seen = play(stage, regular(2.5))
    for frame in seen[1:]:
        assert frame.person is not None
        middle = frame.crop.x0 + frame.crop.width / 2
        assert abs(middle - (0.3 + 0.25 * frame.timestamp_ms / 1000) * H) < 0.25 * frame.crop.width


def test_the_person_is_where_the_truth_is(body):
    stage = Stage([somebody(3, lambda t: Place(0.6, 0.65, 0.25))], body)
    _, seen = play(stage, regular(2.0))
    for frame in seen[10:]:
        truth = stage.at(frame.timestamp_ms / 1000, W, H)[0]
        assert frame.person.camera == frame_camera(W, H)
        assert np.linalg.norm(frame.person.joints_px - truth.joints_px, axis=-1)[:22].mean() < 6
        np.testing.assert_allclose(frame.person.camera.project(frame.person.joints_cam), frame.person.joints_px)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("speeds", [(0.4, -0.5), (0.0, 0.6), (0.7, -0.2)], ids=str)
def test_two_people_who_pass_do_not_swap(body, seed, speeds):
    """They are in one place of the image for a moment, of one size; the oracle sees either."""
    a, b = speeds
    yaw = [60 * np.sign(speed) if speed else 0 for speed in speeds]
    meet_x, meet_s = 0.68, 1.1
    stage = Stage(
        [
            somebody(10 + seed, lambda t: Place(meet_x + a * (t - meet_s), 0.68, 0.22), yaw[0]),
            somebody(30 + seed, lambda t: Place(meet_x + b * (t - meet_s), 0.68, 0.22), yaw[1]),
        ],
        body,
    )
    first = Stage(stage.actors[:1], body)
    estimator, seen = play(first, regular(0.3), seed=seed)
    runtime = estimator.runtime
    runtime.stage = stage
    reported = 0
    for time_ms in regular(2.2)[len(seen) :]:
        runtime.time_s = time_ms / 1000
        frame = estimator.detect_for_video(BLACK, time_ms)
        if frame.person is not None:
            reported += 1
            truth = [people.joints_px[0, 0] for people in stage.at(time_ms / 1000, W, H)]
            if abs(truth[0] - truth[1]) > 40:
                assert abs(pelvis_x(frame) - truth[0]) < abs(pelvis_x(frame) - truth[1]), time_ms
    assert reported > 45  # of 57


def test_a_false_detection_far_off_is_refused(body):
    stage = Stage([somebody(4, lambda t: Place(0.5, 0.65, 0.22))], body)
    ghost = Stage([somebody(5, lambda t: Place(1.0, 0.65, 0.22))], body)
    estimator, _ = play(stage, regular(0.5))
    runtime = estimator.runtime
    runtime.stage = ghost
    frame = estimator.detect_for_video(BLACK, 520.0)
    assert frame.person is None
    assert frame.state == "tracking"
    runtime.stage = stage
    runtime.time_s = 0.55
    assert estimator.detect_for_video(BLACK, 550.0).person is not None


def test_covered_for_a_moment_is_not_lost(body):
    stage = Stage([somebody(6, lambda t: None if 0.5 <= t < 0.75 else Place(0.4 + 0.3 * t, 0.65, 0.22))], body)
    _, seen = play(stage, regular(1.5))
    missed = [frame for frame in seen if 500 <= frame.timestamp_ms < 750]
    assert [frame.person for frame in missed] == [None] * len(missed)
    assert {frame.state for frame in seen} == {"tracking"}
    assert all(frame.person is not None for frame in seen if not 500 <= frame.timestamp_ms < 750)
    starts = np.diff([frame.crop.x0 for frame in missed[1:]])
    assert (starts > 0).all()  # the crop moves on


def test_lost_and_found(body):
    stage = Stage([somebody(7, lambda t: Place(0.4, 0.65, 0.22) if t < 0.5 or t > 1.5 else None)], body)
    _, seen = play(stage, regular(2.5))
    lost = next(frame for frame in seen[20:] if frame.state == "searching")
    assert lost.timestamp_ms - 500 == pytest.approx(PIPELINE.max_missed_ms, abs=2 * STEP_MS)
    assert seen[lost.index + 1].crop == Crop.whole_frame(W, H)
    found = next(frame for frame in seen[lost.index :] if frame.person)
    assert 1500 < found.timestamp_ms < 1500 + 8 * STEP_MS
    assert all(frame.person is not None for frame in seen[found.index :])


def test_smoothing_starts_anew_after_a_loss(body):
    stage = Stage([somebody(8, lambda t: Place(0.3, 0.65, 0.2) if t < 0.5 else Place(1.0, 0.65, 0.25))], body)
    _, smooth = play(stage, [*regular(0.5), 3000.0], seed=1)
    _, raw = play(stage, [*regular(0.5), 3000.0], seed=1, smooth=False)
    np.testing.assert_allclose(smooth[-1].person.joints_px, raw[-1].person.joints_px, atol=1e-3)
    assert np.abs(smooth[-2].person.joints_px - raw[-2].person.joints_px).max() > 0.3


def test_unsmoothed_parameters_are_those_of_the_network(body):
    answers = [outputs_of(CENTRED, noise=0.001 * i) for i in range(2)]
    estimator = Estimator(FakeRuntime(answers), body, trained=True, smooth=False, pipeline=ANYBODY)
    for i in range(2):
        frame = estimator.detect_for_video(BLACK, 33.0 * i)
        single = Estimator(FakeRuntime([answers[i]]), body, trained=True, passes=1)(BLACK)
        np.testing.assert_array_equal(frame.person.parameters.body_pose, single.parameters.body_pose)


def test_a_gap_and_another_size_search_again(body):
    stage = Stage([somebody(9, lambda t: Place(0.4, 0.65, 0.22))], body)
    times = [*regular(0.3), 300 + PIPELINE.max_gap_ms + 1]
    _, seen = play(stage, times)
    assert seen[-1].crop == Crop.whole_frame(W, H)
    assert seen[-2].crop != Crop.whole_frame(W, H)
    sizes = [(W, H)] * 8 + [(H, W)] * 4
    _, seen = play(stage, regular(0.4), sizes)
    assert seen[8].crop == Crop.whole_frame(H, W)
    assert seen[8].person.camera == frame_camera(H, W)


@pytest.mark.parametrize("rate_hz", [1.5, 10.0, 120.0])
def test_any_frame_rate(body, rate_hz):
    stage = Stage([somebody(12, lambda t: Place(0.5 + 0.02 * t, 0.65, 0.22))], body)
    _, seen = play(stage, regular(20 / rate_hz, rate_hz))
    assert sum(frame.person is not None for frame in seen) >= 18
    assert all(frame.crop != Crop.whole_frame(W, H) for frame in seen[2:] if frame.person)


# Times.


def test_times_that_do_not_grow_are_refused_and_change_nothing(body):
    stage = Stage([somebody(13, lambda t: Place(0.5, 0.65, 0.22))], body)
    estimator, _ = play(stage, [0.0, 33.0, 66.0])
    for time_ms in (66.0, 40.0):
        message = f"The frame's timestamp is {time_ms:g} ms, the last one was 66 ms; timestamps must increase."
        with pytest.raises(InputError, match=re.escape(message)):
            estimator.detect_for_video(BLACK, time_ms)
    for time_ms in (float("nan"), float("inf")):
        with pytest.raises(InputError, match="give a finite number of milliseconds"):
            estimator.detect_for_video(BLACK, time_ms)
    with pytest.raises(InputError, match="dtype float32"):
        estimator.detect_for_video(BLACK.astype(np.float32), 99.0)
    _, undisturbed = play(stage, [0.0, 33.0, 66.0, 99.0])
    frame = estimator.detect_for_video(BLACK, 99.0)
    assert (frame.index, frame.state, frame.crop) == (3, "tracking", undisturbed[3].crop)


def test_track_skips_repeated_and_backward_frames(body):
    times = [0.0, 33.0, 33.0, 20.0, 66.0]
    estimator = Estimator(FakeRuntime(), body, trained=True)
    frames = list(estimator.track((BLACK, time_ms) for time_ms in times))
    assert [(frame.index, frame.timestamp_ms) for frame in frames] == [(0, 0.0), (1, 33.0), (4, 66.0)]


def test_track_begins_a_new_stream_and_is_lazy(body):
    estimator = Estimator(FakeRuntime(), body, trained=True)
    first = list(estimator.track([(BLACK, 0.0), (BLACK, 33.0)]))
    again = list(estimator.track([(BLACK, 0.0), (BLACK, 33.0)]))
    assert [frame.crop for frame in first] == [frame.crop for frame in again]
    assert again[0].index == 0

    def endless():
        time_ms = 0.0
        while True:
            yield BLACK, time_ms
            time_ms += 33.0

    stream = estimator.track(endless())
    assert next(stream).index == 0
    assert next(stream).index == 1


def test_a_closed_estimator_and_a_broken_network(body):
    broken = {name: value for name, value in outputs_of().items() if name != "camera"}
    estimator = Estimator(
        FakeRuntime([outputs_of(CENTRED), broken, outputs_of(CENTRED)]), body, trained=True, pipeline=ANYBODY
    )
    assert estimator.detect_for_video(BLACK, 0.0).person is not None
    with pytest.raises(BundleError, match="returned camera with shape None"):
        estimator.detect_for_video(BLACK, 33.0)
    assert estimator.detect_for_video(BLACK, 66.0).person is not None
    estimator.close()
    with pytest.raises(CoEvoerError, match="The estimator is closed"):
        estimator.detect_for_video(BLACK, 99.0)


def test_a_body_around_the_camera_is_no_guide(body):
    for z in (-40.0, 0.0, 0.01):
        estimator = Estimator(FakeRuntime([outputs_of((0.0, 0.0, z))]), body, trained=True)
        assert estimator.detect_for_video(BLACK, 0.0).person is None


def test_judging_comes_after_looking(body):
    person = Estimator(FakeRuntime(), body, trained=True)(BLACK)
    with pytest.raises(RuntimeError, match="after look"):
        Tracker().judge(person)
