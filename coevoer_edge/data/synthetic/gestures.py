"""Synthetic people in motion: smooth gestures with exact ground truth, to test and measure tracking and smoothing.

In: a random generator. Out: `SyntheticMotion`, which gives the person at any time. Each group of joints (root, spine,
head, each arm with its hand, face) moves independently from one natural posture to the next, with rests in between,
along minimum-jerk paths (Flash and Hogan 1985, doi:10.1523/JNEUROSCI.05-07-01688.1985). The whole body sways slightly.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.joints import BODY_JOINT_NAMES
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from coevoer_edge.data.synthetic.person import draw_person

MOVE_S, REST_S = (0.45, 1.4), (0.0, 0.8)
"""Bounds of the duration of a move and of a rest. Hand gestures peak at 1 to 3 m/s."""
FACE_MOVE_S, FACE_REST_S = (0.12, 0.5), (0.0, 0.3)  # speech
SWAY_DEG, SWAY_HZ = 1.2, (0.2, 1.1)

_BODY = [n for n in BODY_JOINT_NAMES if n != "pelvis"]
_GROUPS = {
    "trunk": ("spine1", "spine2", "spine3"),
    "head": ("neck", "head"),
    "left": tuple(f"left_{j}" for j in ("collar", "shoulder", "elbow", "wrist")),
    "right": tuple(f"right_{j}" for j in ("collar", "shoulder", "elbow", "wrist")),
}


@dataclass(frozen=True)
class _Way:
    """Postures (K, n, 3, 3) or numbers (K, n); each is reached at an end time and left at the next start time."""

    postures: Float64Array
    starts_s: Float64Array  # K - 1
    ends_s: Float64Array  # K - 1

    def at(self, time_s: float) -> Float64Array:
        k = int(np.clip(np.searchsorted(self.starts_s, time_s, side="right") - 1, 0, len(self.starts_s) - 1))
        tau = float(np.clip((time_s - self.starts_s[k]) / (self.ends_s[k] - self.starts_s[k]), 0, 1))
        share = tau**3 * (10 + tau * (6 * tau - 15))
        a, b = self.postures[k], self.postures[k + 1]
        if a.shape[-2:] != (3, 3):
            return np.asarray(a + share * (b - a))
        return np.asarray(a @ axis_angle_to_matrix(share * matrix_to_axis_angle(a.swapaxes(-1, -2) @ b)))


class SyntheticMotion:
    """One moving person of constant shape.

    Args:
        rng: the source of all random numbers.
        duration_s: length of the motion; afterwards the person keeps the last posture, swaying.
        facing: root rotation (3, 3) to hold instead of turning, for example for a walking person.
    """

    def __init__(self, rng: Generator, duration_s: float, facing: Float64Array | None = None) -> None:
        count = 2 + int(np.ceil(duration_s / MOVE_S[0]))
        people = [draw_person(rng, legs_seen=False) for _ in range(count)]
        self.betas = people[0].betas
        body = np.stack([p.body_pose for p in people])  # K 21 3 3
        roots = np.stack([p.global_orient for p in people])
        if facing is not None:
            roots[:] = facing
        self._rest = body[0]
        self._ways = {"root": _way(rng, roots, duration_s, MOVE_S, REST_S)}
        for name, joints in _GROUPS.items():
            chosen = body[:, [_BODY.index(joint) for joint in joints]]
            if name in ("left", "right"):
                hands = np.stack([getattr(p, f"{name}_hand_pose") for p in people])
                chosen = np.concatenate((chosen, hands), axis=1)
            self._ways[name] = _way(rng, chosen, duration_s, MOVE_S, REST_S)
        faces = [draw_person(rng, legs_seen=False) for _ in range(2 + int(np.ceil(duration_s / FACE_MOVE_S[0])))]
        jaws, expressions = np.stack([p.jaw_pose for p in faces]), np.stack([p.expression for p in faces])
        self._ways["jaw"] = _way(rng, jaws, duration_s, FACE_MOVE_S, FACE_REST_S)
        self._ways["expression"] = _way(rng, expressions, duration_s, FACE_MOVE_S, FACE_REST_S)
        count = 1 + len(_BODY)
        self._sway_rad = np.radians(SWAY_DEG) * rng.standard_normal((count, 3))
        self._sway_hz, self._sway_phase = rng.uniform(*SWAY_HZ, count), rng.uniform(0, 2 * np.pi, count)

    def at(self, time_s: float) -> SmplxParameters:
        """The person at a time in seconds from the start; float64."""
        parts = {name: way.at(time_s) for name, way in self._ways.items()}
        phase = np.sin(2 * np.pi * self._sway_hz * time_s + self._sway_phase)
        sway = axis_angle_to_matrix(self._sway_rad * phase[:, None])  # 22 3 3
        body = self._rest.copy()
        for name, joints in _GROUPS.items():
            body[[_BODY.index(joint) for joint in joints]] = parts[name][: len(joints)]
        return SmplxParameters(
            global_orient=parts["root"] @ sway[:1],
            body_pose=body @ sway[1:],
            left_hand_pose=parts["left"][len(_GROUPS["left"]) :],
            right_hand_pose=parts["right"][len(_GROUPS["right"]) :],
            jaw_pose=parts["jaw"],
            betas=self.betas,
            expression=parts["expression"],
        )


def _way(
    rng: Generator,
    postures: NDArray[np.floating],
    duration_s: float,
    move_s: tuple[float, float],
    rest_s: tuple[float, float],
) -> _Way:
    """Assign times to the postures; the first move may begin before time 0."""
    moves, rests = rng.uniform(*move_s, len(postures) - 1), rng.uniform(*rest_s, len(postures) - 1)
    starts = np.cumsum(moves + rests) - moves - rests[0] - rng.uniform(0, move_s[1])
    needed = max(1, int(np.searchsorted(starts, duration_s)))
    return _Way(np.asarray(postures[: needed + 1], np.float64), starts[:needed], (starts + moves)[:needed])
