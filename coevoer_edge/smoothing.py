"""One-Euro smoothing of a person's parameters (docs/pipeline.md, section 7; Casiez et al. 2012).

In: raw parameters and translations with their times. Out: the same, steadier. Rotations stay on SO(3), the translation
is smoothed as place and depth, so that a shaking depth does not move the person across the image.
"""

import math

import numpy as np
from numpy.typing import NDArray

from coevoer_edge.parameters import SmplxParameters
from coevoer_edge.pipeline import OneEuroRule, SmoothingRules
from coevoer_edge.rotations import axis_angle_to_matrix, matrix_to_axis_angle

Array = NDArray[np.float64]


def share_of_step(cutoff_hz: Array | float, dt_s: float) -> Array:
    """The share of the way to a new value that a low pass goes in one step: 1 / (1 + 1 / (2 pi f dt))."""
    turn = 2 * math.pi * np.asarray(cutoff_hz, np.float64) * dt_s
    result: Array = turn / (turn + 1)
    return result


class OneEuro:
    """The filter on values of any manifold; the subclasses say what a step is on theirs."""

    def __init__(self, rule: OneEuroRule) -> None:
        self.rule = rule
        self._raw: Array | None = None

    def __call__(self, value: Array, dt_s: float) -> Array:
        """The next value, dt_s seconds after the last one; the first passes unchanged."""
        if self._raw is None:
            self._raw = self._smoothed = value
            self._speed = np.zeros_like(self._way(value, value))
            return value
        speed = self._way(self._raw, value) / dt_s
        self._speed = self._speed + share_of_step(self.rule.derivative_hz, dt_s) * (speed - self._speed)
        cutoff = self.rule.cutoff_hz + self.rule.gain * np.linalg.norm(self._speed, axis=-1, keepdims=True)
        step = share_of_step(cutoff, dt_s) * self._way(self._smoothed, value)
        self._smoothed = self._moved(self._smoothed, step)
        self._raw = value
        return self._smoothed

    def _way(self, start: Array, end: Array) -> Array:
        """The step from one value to another; its last axis has the length that is its size."""
        raise NotImplementedError

    def _moved(self, start: Array, step: Array) -> Array:
        """Where a step leads."""
        raise NotImplementedError


class VectorFilter(OneEuro):
    """One-Euro on a vector (n,): one cutoff for all of it, from the norm of its speed."""

    def _way(self, start: Array, end: Array) -> Array:
        return end - start

    def _moved(self, start: Array, step: Array) -> Array:
        return start + step


class RotationFilter(OneEuro):
    """One-Euro on rotations (n, 3, 3), each by itself, along the manifold; speed is the rotation vector a second."""

    def _way(self, start: Array, end: Array) -> Array:
        return matrix_to_axis_angle(start.swapaxes(-1, -2) @ end)  # n 3

    def _moved(self, start: Array, step: Array) -> Array:
        moved: Array = start @ axis_angle_to_matrix(step)
        return moved


class PersonSmoother:
    """The filters of one person. Translations are in the stream's one camera, the frame camera."""

    def __init__(self, rules: SmoothingRules) -> None:
        self._rules = rules
        self.reset()

    def reset(self) -> None:
        """Forget the person: the next one passes unchanged."""
        rules = self._rules
        self._rotations = {
            "global_orient": RotationFilter(rules.root),
            "body_pose": RotationFilter(rules.body),
            "left_hand_pose": RotationFilter(rules.hands),
            "right_hand_pose": RotationFilter(rules.hands),
            "jaw_pose": RotationFilter(rules.jaw),
        }
        self._vectors = {"betas": VectorFilter(rules.betas), "expression": VectorFilter(rules.expression)}
        self._place, self._depth = VectorFilter(rules.place), VectorFilter(rules.depth)
        self._last_ms: float | None = None

    def __call__(
        self, timestamp_ms: float, parameters: SmplxParameters, translation_m: Array, focal_in_heights: float
    ) -> tuple[SmplxParameters, Array]:
        """Smooth one accepted frame.

        Args:
            timestamp_ms: after that of the last accepted frame.
            parameters: raw, rotations orthonormal.
            translation_m: (3,), raw, in the frame camera, z > 0.
            focal_in_heights: the frame camera's focal length over the frame's height.
        """
        dt = 0.0 if self._last_ms is None else (timestamp_ms - self._last_ms) / 1000  # unused by the first frame
        self._last_ms = timestamp_ms
        filters = self._rotations | self._vectors
        smoothed = SmplxParameters(
            **{name: filters[name](np.asarray(getattr(parameters, name), np.float64), dt) for name in filters}
        )
        x, y, z = translation_m
        slope = self._place(np.array((x, y)) / z * focal_in_heights, dt) / focal_in_heights
        depth = math.exp(float(self._depth(np.array((math.log(z),)), dt)[0]))
        return smoothed, np.array((slope[0] * depth, slope[1] * depth, depth))
