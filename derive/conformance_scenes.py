"""The scenes of the kit's `track` cases: the people's motion, the frames' times, and faults of the network.

In: a seed. Out: `Scene`s. Positions are in frame heights.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from coevoer_edge.body.joints import BODY_JOINT_NAMES
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.conformance.stage import Actor, Place, Stage
from coevoer_edge.data.synthetic.gestures import SyntheticMotion

_UPRIGHT = axis_angle_to_matrix((np.pi, 0, 0))


@dataclass(frozen=True)
class Fault:
    """An error of the network in one frame."""

    visibility: float | None = None  # predicts this visibility of the person
    aside_torsos: float = 0.0  # predicts the body this far to the right, in torsos
    nearer: float = 1.0  # predicts the body larger by this factor
    other_posture: bool = False  # predicts a T-pose, seen from behind


@dataclass(frozen=True)
class Frame:
    """The time and size of a frame."""

    timestamp_ms: float
    width_px: int
    height_px: int


@dataclass(frozen=True)
class Scene:
    """One `track` case before it is played back."""

    about: str
    stage: Stage
    frames: Sequence[Frame]
    faults: dict[int, Fault] = field(default_factory=dict)
    exact: bool = False  # its decisions are exactly at thresholds, in numbers that float32 represents exactly


def scenes(seed: int, model: BodyModel) -> list[Scene]:
    """All scenes."""

    def somebody(number: int, way: Callable[[float], Place | None], yaw_deg: float | None = None) -> Actor:
        turn = None if yaw_deg is None else (_UPRIGHT @ axis_angle_to_matrix((0, np.radians(yaw_deg), 0)))
        motion = SyntheticMotion(np.random.default_rng((seed, number)), 6.0, turn)
        return Actor(motion.at, way)

    def still(number: int) -> Callable[[float], SmplxParameters]:
        person = SyntheticMotion(np.random.default_rng((seed, number)), 1.0).at(0.0)
        return lambda time_s: person

    def walks(time_s: float) -> Place | None:
        if 1.1 <= time_s < 1.3 or 1.6 <= time_s < 2.15:
            return None  # covered: for a moment, then for longer than the tracker waits
        if time_s < 3.2:
            return Place(1.95 - 0.75 * time_s, 0.68 + 0.01 * np.sin(9 * time_s), 0.2)
        return Place(-0.3 + 0.8 * (time_s - 3.3), 0.68, 0.26)  # comes back from the left, nearer

    def stands(time_s: float) -> Place:
        return Place(0.5 + 0.03 * np.sin(3 * time_s), 0.7, 0.25)

    def far_below(time_s: float) -> Place | None:
        # Small, in the lowest tile, with black frames before and in between.
        return None if time_s < 0.4 or 1.0 <= time_s < 1.6 else Place(0.25, 0.83 + 0.01 * np.sin(5 * time_s), 0.045)

    def close(time_s: float) -> Place:
        return Place(0.6 + 0.1 * time_s, 1.5 - 0.1 * time_s, 0.9)

    def runs(time_s: float) -> Place | None:
        return None if 0.8 <= time_s < 0.98 else Place(0.2 + 1.9 * time_s, 0.6, 0.27)

    def strolls(time_s: float) -> Place:
        return Place(0.4 + 0.38 * time_s, 0.6, 0.16)

    def turns_and_bows(time_s: float) -> SmplxParameters:
        yaw = np.radians(300.0 * min(time_s, 1.0))
        bow = np.radians(np.interp(time_s, (1.2, 1.4, 1.6), (0.0, 42.0, 78.0)))
        root = _UPRIGHT @ axis_angle_to_matrix((bow, 0, 0)) @ axis_angle_to_matrix((0, yaw, 0))
        return replace(SmplxParameters.rest(), global_orient=root[None])

    def flaps(time_s: float) -> SmplxParameters:
        rest = SmplxParameters.rest()
        body = np.array(rest.body_pose)
        if round(time_s / 0.04) // 3 % 2:
            for name, side in (("left_shoulder", -1), ("right_shoulder", 1)):
                body[BODY_JOINT_NAMES.index(name) - 1] = axis_angle_to_matrix((0, 0, side * np.radians(48)))
        return replace(rest, global_orient=_UPRIGHT[None], body_pose=body)

    return [
        Scene(
            "one person enters from the right, walks, is covered for 0.2 s, then for 0.55 s, leaves, returns",
            Stage([somebody(0, walks, -40)], model),
            _regular(90, 48.0, 640, 360),
        ),
        Scene(
            "two people pass each other, in one place of the image for a moment: the first stays the person",
            Stage(
                [
                    somebody(1, lambda t: Place(0.4 + 0.4 * t, 0.7, 0.22), 60),
                    somebody(2, lambda t: Place(1.27 - 0.5 * t, 0.7, 0.225), -60),
                ],
                model,
            ),
            _regular(60, 100 / 3, 640, 480),
        ),
        Scene(
            "false detections: aside, too near, in another posture, unsure; the person stays",
            Stage([somebody(3, stands)], model),
            _regular(40, 40.0, 300, 400),
            {
                0: Fault(visibility=0.42),
                6: Fault(aside_torsos=1.6),
                7: Fault(aside_torsos=-1.6),
                12: Fault(nearer=1.9),
                13: Fault(nearer=0.5),
                18: Fault(other_posture=True),
                23: Fault(visibility=0.38),
                24: Fault(visibility=0.22),
                28: Fault(aside_torsos=40.0),
                29: Fault(nearer=1e-4),
            },
        ),
        Scene(
            "black frames, then a small person whom only a tile shows, black again, the same person again",
            Stage([Actor(still(4), far_below)], model),
            _regular(56, 45.0, 270, 600),
        ),
        Scene(
            "irregular times, gaps, frames of another size, portrait and landscape",
            Stage([somebody(5, stands)], model),
            _irregular(seed),
        ),
        Scene(
            "a person larger than the frame: the box is cut at its edges",
            Stage([somebody(6, close)], model),
            _regular(24, 1000 / 30, 320, 240),
        ),
        Scene(
            "exactly on the thresholds: visibility 0.5, missed for 300 ms, a step of 1000 ms",
            Stage([Actor(still(7), stands)], model),
            [Frame(float(t), 300, 400) for t in (1000, 1040, 1140, 1240, 1340, 1350, 1390, 2390, 2430)],
            {0: Fault(visibility=0.5)} | {i: Fault(visibility=0.0) for i in (2, 3, 4)},
            exact=True,
        ),
        Scene(
            "a runner, hidden for 0.2 s: looked for where the velocity leads",
            Stage([Actor(still(8), runs)], model),
            _regular(34, 40.0, 1280, 320),
        ),
        Scene(
            "5 frames a second: steps of more than a third of a torso, larger and aside at once",
            Stage([Actor(still(9), strolls)], model),
            _regular(14, 200.0, 960, 480),
            {6: Fault(nearer=1.65), 8: Fault(nearer=1.5, aside_torsos=1.3)},
        ),
        Scene(
            "5 frames a second: a T-pose that turns, then bows towards the camera",
            Stage([Actor(turns_and_bows, stands)], model),
            _regular(14, 200.0, 480, 480),
        ),
        Scene(
            "arms that move at once with all fingers: a small change of the posture's body joints",
            Stage([Actor(flaps, stands)], model),
            _regular(12, 40.0, 480, 480),
        ),
    ]


def _regular(count: int, step_ms: float, width_px: int, height_px: int) -> list[Frame]:
    return [Frame(1000.0 + i * step_ms, width_px, height_px) for i in range(count)]


def _irregular(seed: int) -> list[Frame]:
    """Steps of 8 to 90 ms, with gaps before frames 12 and 30 and sizes that change at 20 and 40."""
    rng = np.random.default_rng((seed, 99))
    steps = rng.uniform(8, 90, 52)
    steps[[12, 30]] = 1500.0, 940.0  # the second gap is too short to lose the person
    sizes = [(640, 360)] * 20 + [(360, 640)] * 20 + [(320, 180)] * 12
    return [Frame(float(t), *size) for t, size in zip(np.cumsum(steps), sizes, strict=True)]
