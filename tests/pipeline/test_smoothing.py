"""One-Euro: the paper's scalar formula, closed forms, rotations that stay rotations, and what is steadier after all."""

import math

import numpy as np
import pytest

from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix, geodesic_deg
from coevoer_edge.errors import BundleError
from coevoer_edge.pipeline.camera import PinholeCamera
from coevoer_edge.pipeline.constants import PIPELINE, OneEuroRule, Pipeline, SmoothingRules
from coevoer_edge.pipeline.smoothing import PersonSmoother, RotationFilter, VectorFilter, share_of_step

RULE = OneEuroRule(cutoff_hz=1.2, gain=0.7, derivative_hz=1.0)


def one_euro_of_the_paper(values, times, rule):
    """Casiez et al. 2012, appendix A, in its own variables: alpha from Te and tau, hatx the last filtered value."""

    def alpha(cutoff, rate):
        tau, te = 1 / (2 * math.pi * cutoff), 1 / rate
        return 1 / (1 + tau / te)

    out, x_hat, dx_hat, last = [], None, 0.0, None
    for x, t in zip(values, times, strict=True):
        if x_hat is None:
            x_hat = x
        else:
            rate = 1 / (t - last[1])
            dx = (x - last[0]) * rate
            dx_hat = alpha(rule.derivative_hz, rate) * dx + (1 - alpha(rule.derivative_hz, rate)) * dx_hat
            a = alpha(rule.cutoff_hz + rule.gain * abs(dx_hat), rate)
            x_hat = a * x + (1 - a) * x_hat
        last = (x, t)
        out.append(x_hat)
    return np.array(out)


def test_scalar_is_the_papers():
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.005, 0.2, 200))
    values = np.cumsum(rng.normal(0, 0.3, 200))
    filtered, apply = [], VectorFilter(RULE)
    for x, dt in zip(values, np.diff(times, prepend=0), strict=True):
        filtered.append(apply(np.array([x]), dt)[0])
    np.testing.assert_allclose(filtered, one_euro_of_the_paper(values, times, RULE), atol=1e-12)


def test_turns_about_one_axis_are_the_scalar():
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.uniform(0.005, 0.1, 300))
    angles = np.cumsum(rng.normal(0, 0.1, 300))  # several turns: no wrap shows
    axis = np.array((2.0, -1.0, 2.0)) / 3
    apply = RotationFilter(RULE)
    expected = one_euro_of_the_paper(angles, times, RULE)
    for angle, dt, wanted in zip(angles, np.diff(times, prepend=0), expected, strict=True):
        R = apply(axis_angle_to_matrix(axis * angle)[None], dt)[0]
        np.testing.assert_allclose(R, axis_angle_to_matrix(axis * wanted), atol=1e-9)


def test_step_without_gain_is_exponential():
    rule, dt = OneEuroRule(2.0, 0.0, 1.0), 0.02
    apply = VectorFilter(rule)
    apply(np.zeros(1), dt)
    keep = 1 - share_of_step(2.0, dt)
    steps = [apply(np.ones(1), dt)[0] for _ in range(50)]
    np.testing.assert_allclose(steps, 1 - keep ** np.arange(1, 51), atol=1e-12)


def test_ramp_without_gain_lags_by_its_time_constant():
    rule, dt, slope = OneEuroRule(1.5, 0.0, 1.0), 1 / 30, 0.4
    apply = VectorFilter(rule)
    late = [slope * i * dt - apply(np.array([slope * i * dt]), dt)[0] for i in range(600)]
    assert late[-1] == pytest.approx(slope / (2 * math.pi * rule.cutoff_hz), rel=1e-9)


def test_ramp_with_gain_lags_less():
    dt, slope = 1 / 30, 2.0
    apply = VectorFilter(OneEuroRule(1.5, 3.0, 1.0))
    late = [slope * i * dt - apply(np.array([slope * i * dt]), dt)[0] for i in range(600)]
    assert late[-1] == pytest.approx(slope / (2 * math.pi * (1.5 + 3.0 * slope)), rel=1e-9)


def test_the_first_passes_and_rest_stays():
    value = np.array((0.3, -4.0))
    apply = VectorFilter(RULE)
    for dt in (0.0, 0.033, 0.2, 0.9):
        np.testing.assert_array_equal(apply(value, dt), value)
    R = axis_angle_to_matrix(np.array(((0.3, 0.2, -3.0), (0.0, 0.0, 0.0))))
    turn = RotationFilter(RULE)
    for dt in (0.0, 0.033, 0.2, 0.9):
        np.testing.assert_allclose(turn(R, dt), R, atol=1e-12)


def test_rotations_stay_on_so3():
    rng = np.random.default_rng(2)
    apply = RotationFilter(RULE)
    R = axis_angle_to_matrix(rng.normal(0, 1, (21, 3)))
    for _ in range(3000):
        R = R @ axis_angle_to_matrix(rng.normal(0, 0.5, (21, 3)))
        smoothed = apply(R, 1 / 30)
    np.testing.assert_allclose(smoothed @ smoothed.swapaxes(-1, -2), np.broadcast_to(np.eye(3), R.shape), atol=1e-10)
    np.testing.assert_allclose(np.linalg.det(smoothed), 1, atol=1e-10)


def test_turning_the_frame_turns_the_result():
    rng = np.random.default_rng(3)
    turn = axis_angle_to_matrix((0.7, -1.9, 0.4))
    one, other = RotationFilter(RULE), RotationFilter(RULE)
    R = axis_angle_to_matrix(rng.normal(0, 1, (3, 3)))
    for _ in range(50):
        R = R @ axis_angle_to_matrix(rng.normal(0, 0.2, (3, 3)))
        np.testing.assert_allclose(turn @ one(R, 0.03), other(turn @ R, 0.03), atol=1e-10)


def test_a_rule_for_each_is_a_filter_for_each():
    rng = np.random.default_rng(7)
    rules = (RULE, OneEuroRule(2.0, 3.0, 0.5), OneEuroRule(0.3, 0.0, 2.0))
    together, apart = RotationFilter(*rules), [RotationFilter(rule) for rule in rules]
    R = axis_angle_to_matrix(rng.normal(0, 1, (3, 3)))
    for _ in range(30):
        R = R @ axis_angle_to_matrix(rng.normal(0, 0.3, (3, 3)))
        expected = np.concatenate([one(R[i : i + 1], 0.03) for i, one in enumerate(apart)])
        np.testing.assert_allclose(together(R, 0.03), expected, atol=1e-12)


def test_rotations_of_a_person_there_and_back():
    before = person(np.random.default_rng(8), 0.5)
    after = SmplxParameters.from_rotations(before.rotations(), before.betas, before.expression)
    for name in vars(before):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def person(rng, sigma):
    rest = SmplxParameters.rest()
    values = {}
    for name, value in vars(rest).items():
        noise = rng.normal(0, sigma, (len(value), 3) if value.ndim == 3 else value.shape)
        values[name] = value @ axis_angle_to_matrix(noise) if value.ndim == 3 else value + noise
    return SmplxParameters(**values)


def test_a_person_at_rest_is_steadier_in_every_part():
    rng = np.random.default_rng(4)
    smoother = PersonSmoother(PIPELINE.smoothing)
    raw, smooth = [], []
    for i in range(300):
        p = person(rng, 0.03)
        t = np.array((1.0, 0.5, 80.0)) * np.exp(rng.normal(0, 0.01)) + rng.normal(0, 0.005, 3)
        q, u = smoother(i * 1000 / 30, p, t, 7.0)
        raw.append((p, t))
        smooth.append((q, u))
    for name in vars(raw[0][0]):
        a, b = (np.stack([getattr(p, name) for p, _ in frames[30:]]) for frames in (raw, smooth))
        assert np.diff(b, 2, axis=0).std() < 0.4 * np.diff(a, 2, axis=0).std(), name
    a, b = (np.stack([t for _, t in frames[30:]]) for frames in (raw, smooth))
    assert (np.diff(b, 2, axis=0).std(0) < 0.4 * np.diff(a, 2, axis=0).std(0)).all()


def test_a_shaking_depth_does_not_move_the_person_across_the_image():
    camera = PinholeCamera(5000.0, (0.0, 0.0))
    smoother = PersonSmoother(PIPELINE.smoothing)
    rest = SmplxParameters.rest()
    for i, z in enumerate((40.0, 44.0, 38.0, 41.0, 60.0)):
        _, t = smoother(40.0 * i, rest, np.array((0.02 * z, -0.01 * z, z)), 7.0)
        np.testing.assert_allclose(camera.project(t), (100.0, -50.0), atol=1e-9)


def test_units_of_place_are_frame_heights():
    """The same picture in twice the pixels gives the same result."""
    rng = np.random.default_rng(5)
    small, large = PersonSmoother(PIPELINE.smoothing), PersonSmoother(PIPELINE.smoothing)
    rest = SmplxParameters.rest()
    x = 0.0
    for i in range(40):
        x += rng.normal(0, 0.2)
        _, a = small(33.0 * i, rest, np.array((x, 0.1, 40.0)), 5000 / 400)
        _, b = large(33.0 * i, rest, np.array((x, 0.1, 40.0)), 10000 / 800)
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_reset_forgets():
    smoother = PersonSmoother(PIPELINE.smoothing)
    rng = np.random.default_rng(6)
    for i in range(5):
        smoother(33.0 * i, person(rng, 0.2), np.array((0.0, 0.0, 40.0)), 7.0)
    smoother.reset()
    p, t = person(rng, 0.2), np.array((3.0, 1.0, 55.0))
    q, u = smoother(1.0, p, t, 7.0)  # an earlier time, too
    np.testing.assert_allclose(u, t, rtol=1e-12)
    for name in vars(p):
        np.testing.assert_array_equal(getattr(q, name), getattr(p, name))


def test_missed_frames_count_as_time():
    """After a pause the filter goes further towards the new value."""
    near, far = RotationFilter(RULE), RotationFilter(RULE)
    a, b = np.eye(3)[None], axis_angle_to_matrix((0.0, 0.3, 0.0))[None]
    near(a, 0), far(a, 0)
    assert geodesic_deg(far(b, 0.3)[0], b[0]) < geodesic_deg(near(b, 0.033)[0], b[0])


def test_constants_go_there_and_back():
    table = PIPELINE.to_table()
    assert Pipeline.from_table(table) == PIPELINE
    other = Pipeline(max_missed_ms=100.0, smoothing=SmoothingRules(jaw=OneEuroRule(1, 2, 3)))
    assert Pipeline.from_table(other.to_table()) == other


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.pop("tile_step"), r"pipeline: missing or unknown keys \['tile_step'\]"),
        (lambda t: t.update(extra=1), r"pipeline: missing or unknown keys \['extra'\]"),
        (lambda t: t["smoothing"].pop("jaw"), r"pipeline.smoothing: missing or unknown keys \['jaw'\]"),
        (lambda t: t["smoothing"]["jaw"].update(gain="much"), "pipeline.smoothing.jaw.gain is 'much', not a number"),
        (lambda t: t.update(smoothing=3), "pipeline.smoothing is 3, not a table"),
        (lambda t: t.update(max_gap_ms=float("nan")), "pipeline.max_gap_ms is nan, not a number"),
        (lambda t: t.update(max_gap_ms=0), "max_gap_ms is 0; it must be above 0."),
        (lambda t: t["smoothing"]["root"].update(cutoff_hz=0), "A filter has cutoff_hz 0"),
    ],
)
def test_bad_constants_are_refused(edit, message):
    table = PIPELINE.to_table()
    edit(table)
    with pytest.raises(BundleError, match=message):
        Pipeline.from_table(table)
