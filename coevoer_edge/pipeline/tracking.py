"""Which crop to look at next, and whether what was seen there is the person (docs/pipeline.md, sections 1, 2 and 6).

In: timestamps, frame sizes and people before smoothing. Out: crops and decisions. No pixels are read.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.joints import BODY_JOINT_NAMES, JOINT_NAMES
from coevoer_edge.errors import InputError
from coevoer_edge.pipeline.camera import ASPECT, Crop
from coevoer_edge.pipeline.constants import PIPELINE, Pipeline
from coevoer_edge.pipeline.image import CROP_RULE
from coevoer_edge.pipeline.person import Person, seen
from coevoer_edge.pipeline.smoothing import share_of_step

State = Literal["searching", "tracking"]

_FOLLOWED = [JOINT_NAMES.index(name) for name in CROP_RULE.next_crop_joints]
_POSTURE = [i for i in _FOLLOWED if i < len(BODY_JOINT_NAMES)]
_PELVIS, _NECK = JOINT_NAMES.index("pelvis"), JOINT_NAMES.index("neck")
_ROUNDING = 1e-6  # so that a rounding error adds no tile to tiles that fit exactly


def next_crop(seen: Person, image_width_px: int, image_height_px: int, rule: Pipeline = PIPELINE) -> Crop | None:
    """The crop that follows a body before smoothing, or None when the body cannot guide a crop.

    The box of the upper body (pelvis upwards, with hands and face) is clipped to the image, as OSX does
    (common/utils/preprocessing.py sanitize_bbox), so that the crop spends no pixels outside the image. None when
    the body's origin or a followed joint is not in front of the camera, when such a joint is not finite, when less than
    `smallest_overlap` of the box lies in the image, or when the crop would be below `smallest_crop` of the whole
    frame's.
    """
    depth_m, points = seen.joints_cam[_FOLLOWED, 2], seen.joints_px[_FOLLOWED]
    if not (seen.translation_m[2] > 0 and np.isfinite(points).all() and (depth_m > 0).all()):
        return None
    frame = np.array((image_width_px, image_height_px), np.float64)
    low, high = points.min(0), points.max(0)
    seen_low, seen_high = np.maximum(low, 0), np.minimum(high, frame)
    if (seen_low >= seen_high).any() or np.prod((seen_high - seen_low) / (high - low)) < rule.smallest_overlap:
        return None
    crop = Crop.around(np.concatenate((seen_low, seen_high)), CROP_RULE.next_crop_scale)
    if crop.width < rule.smallest_crop * Crop.whole_frame(image_width_px, image_height_px).width:
        return None
    return crop


def search_crops(image_width_px: int, image_height_px: int, rule: Pipeline = PIPELINE) -> list[Crop]:
    """One round of the search: the whole frame, then tiles along its longer side, from the middle outwards."""
    width = min(image_width_px, image_height_px * ASPECT)  # of the largest crop inside the frame
    height = width / ASPECT
    spare_x, spare_y = image_width_px - width, image_height_px - height
    spare, length = (spare_x, width) if spare_x >= spare_y else (spare_y, height)
    count = math.ceil(spare / (length * rule.tile_step) - _ROUNDING) + 1
    tiles = []
    for i in sorted(range(count), key=lambda i: (abs(2 * i - (count - 1)), i)):
        share = i / (count - 1) if count > 1 else 0.5
        tiles.append(Crop(spare_x * share, spare_y * share, width, height))
    return [Crop.whole_frame(image_width_px, image_height_px), *tiles]


class Sight(NamedTuple):
    """What distinguishes an accepted person from another: position, size and posture."""

    timestamp_ms: float
    middle_px: Float64Array  # 2, between pelvis and neck
    length_px: float  # of the torso, if it were turned upright in the image
    posture_m: Float64Array  # n 3: the body's followed joints from the pelvis, camera axes

    @classmethod
    def of(cls, timestamp_ms: float, person: Person) -> "Sight":
        """The sighting of a person who is given in the camera of the crop."""
        ends = person.joints_cam[[_PELVIS, _NECK]]
        length_m = float(np.linalg.norm(ends[1] - ends[0]))
        middle = person.joints_px[[_PELVIS, _NECK]].mean(0)
        length_px = length_m * person.camera.focal_px / float(ends[:, 2].mean())
        return cls(timestamp_ms, middle, length_px, person.joints_cam[_POSTURE] - ends[0])

    def may_be(self, earlier: "Sight", moved_px: Float64Array, rule: Pipeline) -> bool:
        """Whether this can be the person of an earlier sighting who has since moved by about `moved_px` (2,), px."""
        dt = (self.timestamp_ms - earlier.timestamp_ms) / 1000
        away = float(np.linalg.norm(self.middle_px - (earlier.middle_px + moved_px)))
        grown = abs(math.log(self.length_px / earlier.length_px))
        changed = float(np.linalg.norm(self.posture_m - earlier.posture_m, axis=-1).mean())
        reach = (rule.same_person_slack + rule.same_person_speed * dt) * max(self.length_px, earlier.length_px)
        return (
            away <= reach
            and grown <= rule.same_person_growth + rule.same_person_growth_speed * dt
            and changed <= rule.same_person_posture_m + rule.same_person_posture_m_s * dt
        )


@dataclass(frozen=True, eq=False, repr=False)
class TrackedFrame:
    """The result for one frame of a stream."""

    index: int  # among the frames given, from 0; skipped frames leave a gap
    timestamp_ms: float
    state: State  # after the frame
    crop: Crop  # what the network looked at
    person: Person | None  # in the frame camera, parameters smoothed; None where nobody was accepted

    def __repr__(self) -> str:
        found = "nobody" if self.person is None else seen(self.person.visibility)
        return f"<TrackedFrame {self.index} at {self.timestamp_ms:.0f} ms: {self.state}; {found}; crop {self.crop}>"


class Tracker:
    """Follows one person through a stream: `look` before the network runs, `judge` after it.

    A frame that is looked at and never judged (its network failed) counts as neither seen nor missed.
    """

    def __init__(self, rule: Pipeline = PIPELINE) -> None:
        self.rule = rule
        self.state: State = "searching"
        self._last_ms: float | None = None
        self._size: tuple[int, int] | None = None
        self._guide: Crop | None = None
        self._sight: Sight | None = None
        self._velocity_px_s = np.zeros(2)
        self._tried = 0

    def reset(self) -> None:
        """Begin a new stream."""
        self._last_ms = self._size = None
        self._search()

    def look(self, timestamp_ms: float, width_px: int, height_px: int) -> Crop:
        """The crop of the next frame.

        Raises:
            InputError: the timestamp is not finite or does not come after the last one. The state is unchanged then.
        """
        if not math.isfinite(timestamp_ms):
            raise InputError(f"The frame's timestamp is {timestamp_ms} ms; give a finite number of milliseconds.")
        if self._last_ms is not None and timestamp_ms <= self._last_ms:
            raise InputError(
                f"The frame's timestamp is {timestamp_ms:g} ms, the last one was {self._last_ms:g} ms; timestamps must "
                "increase. Leave the frame out, or begin another stream."
            )
        gap = self._last_ms is not None and timestamp_ms - self._last_ms > self.rule.max_gap_ms
        if gap or self._size != (width_px, height_px):
            self._search()
        self._last_ms, self._size = timestamp_ms, (width_px, height_px)
        if self._guide is not None:
            x, y = self._moved_px().tolist()
            return Crop(self._guide.x0 + x, self._guide.y0 + y, self._guide.width, self._guide.height)
        crops = search_crops(width_px, height_px, self.rule)
        return crops[self._tried % len(crops)]

    def judge(self, person: Person) -> bool:
        """Whether the body seen in the crop that `look` gave is the person; the state follows from it.

        `person` is in the camera of the crop and not smoothed.
        """
        if self._last_ms is None or self._size is None:
            raise RuntimeError("judge() comes after look()")
        crop = self._guided(person, *self._size)
        if crop is not None:
            sight = Sight.of(self._last_ms, person)
            if self._sight is None or sight.may_be(self._sight, self._moved_px(), self.rule):
                self._follow(crop, sight)
                return True
        if self._sight is None:
            self._tried += 1
        elif self._last_ms - self._sight.timestamp_ms > self.rule.max_missed_ms:
            self._search()
        return False

    def _guided(self, person: Person, width_px: int, height_px: int) -> Crop | None:
        """The crop that follows the person, or None where they are not visible enough or cannot guide a crop."""
        least = self.rule.keep_visibility if self.state == "tracking" else self.rule.acquire_visibility
        return None if person.visibility[0] < least else next_crop(person, width_px, height_px, self.rule)

    def _follow(self, crop: Crop, sight: Sight) -> None:
        if self._sight is not None:
            dt = (sight.timestamp_ms - self._sight.timestamp_ms) / 1000
            velocity = (sight.middle_px - self._sight.middle_px) / dt
            self._velocity_px_s += share_of_step(self.rule.motion_hz, dt) * (velocity - self._velocity_px_s)
        self.state, self._guide, self._sight = "tracking", crop, sight

    def _moved_px(self) -> Float64Array:
        """(2,): how far the person will have moved since the last sighting, at their last velocity."""
        if self._sight is None or self._last_ms is None:
            return np.zeros(2)
        since_ms = min(self._last_ms - self._sight.timestamp_ms, self.rule.max_missed_ms)
        return self._velocity_px_s * since_ms / 1000

    def _search(self) -> None:
        self.state = "searching"
        self._guide = self._sight = None
        self._velocity_px_s = np.zeros(2)
        self._tried = 0
