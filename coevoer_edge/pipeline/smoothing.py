"""One-Euro smoothing of a person's parameters (docs/pipeline.md, section 7; Casiez et al. 2012).

In: raw parameters and translations with their times. Out: the same, steadier. Rotations stay on SO(3). The translation
is smoothed as position in the image and depth, so that an unsteady depth does not move the person across the image.
"""

import math
from itertools import chain

import numpy as np

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.parameters import ROTATIONS, SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from coevoer_edge.contract import NUM_BETAS, NUM_EXPRESSION
from coevoer_edge.pipeline.constants import OneEuroRule, SmoothingRules


def share_of_step(cutoff_hz: Float64Array | float, dt_s: float) -> Float64Array:
    """The fraction of the distance to a new value that a low pass covers in one step: 1 / (1 + 1 / (2 pi f dt))."""
    turn = 2 * math.pi * np.asarray(cutoff_hz, np.float64) * dt_s
    result: Float64Array = turn / (turn + 1)
    return result


class OneEuro:
    """The filter for values on any manifold; subclasses define a step on theirs."""

    def __init__(self, *rules: OneEuroRule) -> None:
        """One rule for all values, or one for each."""
        numbers = np.array([(rule.cutoff_hz, rule.gain, rule.derivative_hz) for rule in rules])
        self._cutoff_hz, self._gain, self._derivative_hz = numbers.T[..., None] if len(rules) > 1 else numbers[0]
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next values pass unchanged."""
        self._raw: Float64Array | None = None

    def __call__(self, values: Float64Array, dt_s: float) -> Float64Array:
        """Smooth the next values, dt_s seconds after the last ones; the first values pass unchanged."""
        if self._raw is None:
            self._raw = self._smoothed = values
            self._speed = np.zeros_like(self._way(values, values))
            return values
        moved, way = self._way(np.stack((self._raw, self._smoothed)), values)
        self._speed = self._speed + share_of_step(self._derivative_hz, dt_s) * (moved / dt_s - self._speed)
        cutoff = self._cutoff_hz + self._gain * np.linalg.norm(self._speed, axis=-1, keepdims=True)
        self._smoothed = self._moved(self._smoothed, share_of_step(cutoff, dt_s) * way)
        self._raw = values
        return self._smoothed

    def _way(self, start: Float64Array, end: Float64Array) -> Float64Array:
        """The step from one value to another; its size is the norm over the last axis."""
        raise NotImplementedError

    def _moved(self, start: Float64Array, step: Float64Array) -> Float64Array:
        """The value after a step."""
        raise NotImplementedError


class VectorFilter(OneEuro):
    """One-Euro on vectors (..., n): one cutoff for the whole vector, from the norm of its speed."""

    def _way(self, start: Float64Array, end: Float64Array) -> Float64Array:
        return end - start

    def _moved(self, start: Float64Array, step: Float64Array) -> Float64Array:
        return start + step


class RotationFilter(OneEuro):
    """One-Euro on rotations (n, 3, 3), each separately, along the manifold; speed is the rotation vector per second."""

    def _way(self, start: Float64Array, end: Float64Array) -> Float64Array:
        return matrix_to_axis_angle(start.swapaxes(-1, -2) @ end)  # ... n 3

    def _moved(self, start: Float64Array, step: Float64Array) -> Float64Array:
        moved: Float64Array = start @ axis_angle_to_matrix(step)
        return moved


class PersonSmoother:
    """The filters of one person. Translations are in the stream's one camera, the frame camera."""

    def __init__(self, rules: SmoothingRules) -> None:
        rest = SmplxParameters.rest()
        of_rotations = {
            "global_orient": rules.root,
            "body_pose": rules.body,
            "left_hand_pose": rules.hands,
            "right_hand_pose": rules.hands,
            "jaw_pose": rules.jaw,
        }
        each = [[of_rotations[name]] * len(getattr(rest, name)) for name in ROTATIONS]
        self._rotations = RotationFilter(*chain.from_iterable(each))
        self._vectors = VectorFilter(rules.betas, rules.expression, rules.place, rules.depth)
        self.reset()

    def reset(self) -> None:
        """Forget the person: the next one passes unchanged."""
        self._rotations.reset()
        self._vectors.reset()
        self._last_ms: float | None = None

    def __call__(
        self, timestamp_ms: float, parameters: SmplxParameters, translation_m: Float64Array, focal_in_heights: float
    ) -> tuple[SmplxParameters, Float64Array]:
        """Smooth one accepted frame.

        Args:
            timestamp_ms: after that of the last accepted frame.
            parameters: raw, rotations orthonormal.
            translation_m: (3,), raw, in the frame camera, z > 0.
            focal_in_heights: the frame camera's focal length over the frame's height.
        """
        dt = 0.0 if self._last_ms is None else (timestamp_ms - self._last_ms) / 1000  # unused by the first frame
        self._last_ms = timestamp_ms
        x, y, z = translation_m
        vectors = np.zeros((4, max(NUM_BETAS, NUM_EXPRESSION)))  # zeros pad the shorter vectors and stay zero
        vectors[0, :NUM_BETAS], vectors[1, :NUM_EXPRESSION] = parameters.betas, parameters.expression
        vectors[2, :2] = x / z * focal_in_heights, y / z * focal_in_heights
        vectors[3, 0] = math.log(z)
        rotations = self._rotations(parameters.rotations(), dt)
        betas, expression, place, log_depth = self._vectors(vectors, dt)
        depth = math.exp(log_depth[0])
        translation = np.array((*(place[:2] / focal_in_heights * depth), depth))
        return SmplxParameters.from_rotations(rotations, betas[:NUM_BETAS], expression[:NUM_EXPRESSION]), translation
