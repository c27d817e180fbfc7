"""Jitter and lag are measured correctly, and the default smoothing reaches the published figures."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from coevoer_edge.body.rotations import geodesic_deg
from coevoer_edge.evaluation import steadiness
from coevoer_edge.evaluation.sequences import with_sampled_errors
from coevoer_edge.evaluation.steadiness import STEADINESS_PARTS, Tracks, steadiness_of
from coevoer_edge.pipeline.constants import PIPELINE


@pytest.fixture(scope="module")
def tracks() -> Tracks:
    return Tracks()


def everywhere(points: np.ndarray) -> dict[str, np.ndarray]:
    return dict.fromkeys(STEADINESS_PARTS, points)


def test_a_delay_is_measured_as_lag():
    time = np.arange(300.0)[:, None, None]
    at = lambda t: np.concatenate((50 * np.sin(t / 40), 30 * np.cos(t / 55), t), axis=-1)  # noqa: E731
    for frames in (0.5, 1.0, 2.0):
        for row in steadiness_of([(everywhere(at(time)), everywhere(at(time)), everywhere(at(time - frames)))]):
            assert row.lag == pytest.approx(frames, rel=0.02)


def test_white_noise_is_measured_as_jitter():
    """The second difference of white noise of deviation s has deviation sqrt(6) s on each axis."""
    rng = np.random.default_rng(0)
    truth = np.cumsum(rng.normal(0, 5, (4000, 1, 3)), axis=0)
    noise = rng.normal(0, 2.0, truth.shape)
    row = steadiness_of([(everywhere(truth), everywhere(truth + noise), everywhere(truth + noise / 4))])[0]
    assert row.raw == pytest.approx(2.0 * np.sqrt(6) * np.sqrt(8 / np.pi), rel=0.03)
    assert row.less == pytest.approx(0.75)
    assert row.raw_error == pytest.approx(2.0 * np.sqrt(8 / np.pi), rel=0.03)


def test_smoothing_takes_more_than_half_the_jitter_for_less_than_a_frame(tracks):
    """The page's figures are of 16 longer sequences; these few vary by some percent."""
    triples = [tracks.of(with_sampled_errors(3, i, 4.0, tracks.model), PIPELINE.smoothing) for i in range(3)]
    for row in steadiness_of(triples):
        assert row.less > 0.55, row
        assert row.lag < 1.2, row


def test_sequences_move_like_people_and_stay_the_same(tracks):
    one, again = (with_sampled_errors(5, 1, 2.0, tracks.model) for _ in range(2))
    np.testing.assert_array_equal(one.raw.body_pose, again.raw.body_pose)
    assert one.truth.body_pose.shape == (60, 21, 3, 3)
    np.testing.assert_array_equal(one.truth.betas, np.tile(one.truth.betas[0], (60, 1)))
    turns = geodesic_deg(one.truth.body_pose[1:], one.truth.body_pose[:-1])
    assert 0.05 < turns.mean() < 3
    assert turns.max() < 40  # per frame: nobody jumps
    error = geodesic_deg(one.raw.body_pose, one.truth.body_pose)
    assert 1.0 < error.mean() < 4.0


def test_command():
    run = CliRunner().invoke(steadiness.main, ["--sequences", "1", "--seconds", "2", "--json"])
    assert run.exit_code == 0, run.output
    assert [row["part"] for row in json.loads(run.stdout)] == list(STEADINESS_PARTS)
    table = CliRunner().invoke(steadiness.main, ["--sequences", "1", "--seconds", "2", "--quiet"])
    assert len(table.output.splitlines()) == 1 + len(STEADINESS_PARTS)


@pytest.mark.parametrize("options", [["--sequences", "0"], ["--seconds", "0"], ["--noise", "0"], ["--bundle", "none"]])
def test_bad_requests(options):
    run = CliRunner().invoke(steadiness.main, options)
    assert run.exit_code == 2
    assert run.output.startswith("Error: ")
