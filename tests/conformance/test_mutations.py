"""The kit fails an implementation that lacks a rule of docs/pipeline.md: each rule is broken once, in Python.

A mutation replaces one piece of a function's source, which must occur there exactly once, so that the table stays in
step with the code.

Rules that no case can test, and why:

- 2, rounding of a half: the kit allows crops to differ by 1 of 255.
- 4, pose-dependent corrections of the body: the open body, with which the kit was made, has none.
- 6 (b), points behind the camera: with the virtual camera's focal length (16,667 px for a crop 853 px high) and the
  shipped `smallest_overlap`, such a near body is already refused by (c). tests/test_estimator.py tests the rule with
  other constants, and so do the tests of the apps.
- 6 (b), joints that are not finite: such outputs are refused earlier (section 3).
- 6 (c), a box entirely outside the frame: its share in the frame is 0 or negative, which (c) refuses as too small.
- 6, the middle position of a single tile: such a tile is as long as the frame, so it has only one position.
- 8, a refused frame does not change the stream: `track` cases contain no such frames; the tests of each language do.
"""

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

import numpy as np
import pytest

from coevoer_edge.body.model import BodyModel
from coevoer_edge.conformance.answers import answer, decisions, is_refused
from coevoer_edge.conformance.check import compare
from coevoer_edge.conformance.kit import Case, Kit
from coevoer_edge.errors import CoEvoerError
from coevoer_edge.pipeline.constants import Pipeline

CAMERA, IMAGE, PERSON = "pipeline.camera", "pipeline.image", "pipeline.person"
TRACKING, SMOOTHING, BODY, ESTIMATOR = "pipeline.tracking", "pipeline.smoothing", "body.model", "estimator"


@dataclass(frozen=True)
class Mutation:
    """One broken rule: a function's source with one piece replaced."""

    section: str  # of docs/pipeline.md
    rule: str
    function: str  # module:name, below coevoer_edge
    old: str
    new: str
    cases: str  # kinds, or prefixes of single cases, that may detect it


M = Mutation
MUTATIONS = [
    # 1. Frame and time.
    M(
        "1",
        "an equal timestamp is refused",
        f"{TRACKING}:Tracker.look",
        "<= self._last_ms",
        "< self._last_ms",
        "refuse",
    ),
    M(
        "1",
        "an earlier timestamp is refused",
        f"{TRACKING}:Tracker.look",
        "timestamp_ms <= self._last_ms",
        "False",
        "refuse",
    ),
    M("1", "NaN is refused", f"{TRACKING}:Tracker.look", "not math.isfinite(timestamp_ms)", "False", "refuse"),
    M(
        "1",
        "infinity is refused",
        f"{TRACKING}:Tracker.look",
        "not math.isfinite(timestamp_ms)",
        "math.isnan(timestamp_ms)",
        "refuse",
    ),
    M("1", "a long gap begins a search", f"{TRACKING}:Tracker.look", "if gap or ", "if ", "track"),
    M(
        "1",
        "another frame size begins a search",
        f"{TRACKING}:Tracker.look",
        "gap or self._size != (width_px, height_px)",
        "gap",
        "track",
    ),
    M(
        "1",
        "a portrait of the same area is another size",
        f"{TRACKING}:Tracker.look",
        "self._size != (width_px, height_px)",
        "self._size is None or self._size[0] * self._size[1] != width_px * height_px",
        "track",
    ),
    M(
        "1",
        "a gap of max_gap_ms itself is none",
        f"{TRACKING}:Tracker.look",
        "> self.rule.max_gap_ms",
        ">= self.rule.max_gap_ms",
        "track",
    ),
    M(
        "1",
        "smoothing restarts after a gap",
        f"{ESTIMATOR}:Estimator._forget_the_lost",
        'self._tracker.state == "searching"',
        "False",
        "track",
    ),
    # 2. Crop.
    M("2", "whole_frame holds the frame", f"{CAMERA}:Crop.whole_frame", "scale=1.0", "scale=0.9", "crop,search"),
    M("2", "a crop is centred on its box", f"{CAMERA}:Crop.around", "(x1 + x2 - width) / 2", "x1", "search"),
    M(
        "2",
        "a box is extended, not cut, to 192 : 256",
        f"{CAMERA}:Crop.around",
        "max(x2 - x1, (y2 - y1) * ASPECT)",
        "min(x2 - x1, (y2 - y1) * ASPECT)",
        "search",
    ),
    M("2", "both sides are multiplied by the scale", f"{CAMERA}:Crop.around", "* scale", "", "track"),
    M("2", "the filter grows with the scale", f"{IMAGE}:_means", "radius = max(1.0, scale)", "radius = 1.0", "crop"),
    M("2", "the filter is at least one pixel", f"{IMAGE}:_means", "radius = max(1.0, scale)", "radius = scale", "crop"),
    M("2", "centres are at half a pixel", f"{IMAGE}:_means", "(np.arange(size) + 0.5)", "np.arange(size)", "crop"),
    M(
        "2",
        "weights are a triangle",
        f"{IMAGE}:_means",
        "np.maximum(0, 1 - np.abs(seen[:, None] + 0.5 - centres[..., None]) / radius)",
        "(np.abs(seen[:, None] + 0.5 - centres[..., None]) <= radius).astype(float)",
        "crop",
    ),
    M(
        "2",
        "outside is black, with its weight",
        f"{IMAGE}:_means",
        "weights / weights.sum(-1, keepdims=True)",
        "weights / (weights * ((seen >= 0) & (seen < n))[:, None]).sum(-1, keepdims=True).clip(1e-9)",
        "crop",
    ),
    # 3. Outputs to parameters.
    M("3", "matrices become rotations", f"{PERSON}:on_so3", "nearest_rotation(", "np.asarray(", "decode"),
    M(
        "3",
        "a negative determinant is turned around",
        "body.rotations:nearest_rotation",
        "np.linalg.det(result) < 0",
        "np.linalg.det(result) < -9",
        "decode",
    ),
    M(
        "3",
        "boxes are fractions of the crop",
        f"{PERSON}:decode",
        "* (contract.IMAGE_WIDTH_PX, contract.IMAGE_HEIGHT_PX)",
        "* (contract.IMAGE_WIDTH_PX, contract.IMAGE_WIDTH_PX)",
        "decode",
    ),
    M(
        "3",
        "boxes are moved to the crop's place",
        f"{CAMERA}:Crop.crop_to_image",
        "+ np.array((self.x0, self.y0))",
        "",
        "decode",
    ),
    M(
        "3",
        "a missing output is an error",
        f"{PERSON}:check_outputs",
        "value is None or ",
        "value is not None and ",
        "refuse",
    ),
    M("3", "another shape is an error", f"{PERSON}:check_outputs", "shape != output.shape", "shape is None", "refuse"),
    M("3", "what is not finite is an error", f"{PERSON}:check_outputs", "np.isfinite", "np.isreal", "refuse"),
    # 4. Camera.
    M(
        "4",
        "the crop's camera has focal f s",
        f"{CAMERA}:Crop.camera",
        "VIRTUAL_CAMERA.focal_px * self.scale",
        "VIRTUAL_CAMERA.focal_px",
        "decode",
    ),
    M(
        "4",
        "its principal point is the crop's centre",
        f"{CAMERA}:Crop.camera",
        "(float(x), float(y))",
        "(0.0, 0.0)",
        "decode",
    ),
    M(
        "4",
        "the frame camera is that of whole_frame",
        f"{PERSON}:frame_camera",
        "Crop.whole_frame(width_px, height_px)",
        "Crop(0, 0, 192, 256)",
        "decode",
    ),
    M(
        "4",
        "depth goes with the focal length",
        f"{CAMERA}:convert_translation",
        "z * to_camera.focal_px / from_camera.focal_px",
        "z",
        "decode",
    ),
    M(
        "4",
        "the shift goes with depth over focal length",
        f"{CAMERA}:convert_translation",
        "* z / from_camera.focal_px",
        "* z / to_camera.focal_px",
        "decode",
    ),
    M(
        "4",
        "results of a stream are in the frame camera",
        f"{ESTIMATOR}:Estimator._in_frame_camera",
        "convert_translation(decoded.translation_m, decoded.crop.camera(), camera)",
        "decoded.translation_m",
        "track",
    ),
    # 5. Joints and mesh.
    M(
        "5.1",
        "betas shape the body",
        f"{BODY}:BodyModel.skeleton",
        "(parameters.betas, parameters.expression)",
        "(0 * np.asarray(parameters.betas), parameters.expression)",
        "pose",
    ),
    M(
        "5.1",
        "expression shapes the body",
        f"{BODY}:BodyModel.skeleton",
        "(parameters.betas, parameters.expression)",
        "(parameters.betas, 0 * np.asarray(parameters.expression))",
        "pose",
    ),
    M(
        "5.1",
        "betas come before expression",
        f"{BODY}:BodyModel.skeleton",
        "(parameters.betas, parameters.expression)",
        "(parameters.expression, parameters.betas)",
        "pose",
    ),
    M(
        "5.1",
        "rest joints follow the coefficients",
        f"{BODY}:BodyModel.skeleton",
        "self.joint_template + (self.joint_directions @ coefficients).reshape(NUM_JOINTS, 3)",
        "self.joint_template",
        "pose",
    ),
    M(
        "5.2",
        "rotations in the order of joint_names",
        f"{BODY}:_all_rotations",
        "p.left_hand_pose, p.right_hand_pose)",
        "p.right_hand_pose, p.left_hand_pose)",
        "pose",
    ),
    M(
        "5.2",
        "the jaw comes before the eyes",
        f"{BODY}:_all_rotations",
        "p.jaw_pose, _EYES",
        "_EYES[:1], p.jaw_pose, _EYES[:1]",
        "pose",
    ),
    M(
        "5.2",
        "the root turns about the pelvis",
        f"{BODY}:_forward_kinematics",
        "joints - (rotations @ joints[:, :, None])[..., 0]",
        "0 * joints",
        "pose",
    ),
    M(
        "5.2",
        "rotations are chained over the parents",
        f"{BODY}:_forward_kinematics",
        "chained[ancestor] @ chained",
        "chained",
        "pose",
    ),
    M(
        "5.3",
        "vertices follow the skin",
        f"{BODY}:BodyModel.skin",
        "posed += blended[:, :, 3].swapaxes(0, 1)",
        "pass",
        "pose",
    ),
    M(
        "5.3",
        "the template is moved by the directions",
        f"{BODY}:BodyModel.skin",
        "(_ONE, skeleton.coefficients)",
        "(_ONE, 0 * skeleton.coefficients)",
        "pose",
    ),
    M(
        "5.4",
        "the translation is added",
        f"{PERSON}:embody",
        "joints_cam = skeleton.joints + translation",
        "joints_cam = skeleton.joints + np.array((0, 0, translation[2]))",
        "decode",
    ),
    M(
        "5.4",
        "projection divides by depth",
        f"{CAMERA}:PinholeCamera.project",
        "points[..., 2:]",
        "points[..., :1, 2:]",
        "decode",
    ),
    # 6. Search, track, lose.
    M(
        "6 a",
        "acquire_visibility while searching",
        f"{TRACKING}:Tracker._guided",
        'self.rule.keep_visibility if self.state == "tracking" else self.rule.acquire_visibility',
        "self.rule.keep_visibility",
        "track",
    ),
    M(
        "6 a",
        "keep_visibility while tracking",
        f"{TRACKING}:Tracker._guided",
        'self.rule.keep_visibility if self.state == "tracking" else self.rule.acquire_visibility',
        "self.rule.acquire_visibility",
        "track",
    ),
    M(
        "6 a",
        "at least acquire_visibility, itself included",
        f"{TRACKING}:Tracker._guided",
        "< least",
        "<= least",
        "track",
    ),
    M(
        "6 a",
        "visibility is checked at all",
        f"{TRACKING}:Tracker._guided",
        "None if person.visibility[0] < least else ",
        "",
        "track",
    ),
    M(
        "6 c",
        "enough of the box is in the frame",
        f"{TRACKING}:next_crop",
        "np.prod((seen_high - seen_low) / (high - low)) < rule.smallest_overlap",
        "False",
        "track,detect",
    ),
    M(
        "6 d",
        "the next crop is large enough",
        f"{TRACKING}:next_crop",
        "crop.width < rule.smallest_crop",
        "crop.width < 0 * rule.smallest_crop",
        "track,detect",
    ),
    M(
        "6 d",
        "measured against whole_frame, not the frame",
        f"{TRACKING}:next_crop",
        "Crop.whole_frame(image_width_px, image_height_px).width",
        "image_width_px",
        "track,detect",
    ),
    M(
        "6",
        "the box is clipped to the frame",
        f"{TRACKING}:next_crop",
        "np.concatenate((seen_low, seen_high))",
        "np.concatenate((low, high))",
        "track",
    ),
    M("6", "the next crop is enlarged", f"{TRACKING}:next_crop", ", CROP_RULE.next_crop_scale)", ", 1.0)", "track"),
    M(
        "6",
        "only next_crop_joints are followed",
        f"{TRACKING}:next_crop",
        "seen.joints_cam[_FOLLOWED, 2], seen.joints_px[_FOLLOWED]",
        "seen.joints_cam[:, 2], seen.joints_px",
        "track",
    ),
    M(
        "6",
        "the next crop follows the network's own result",
        f"{TRACKING}:Tracker._follow",
        '"tracking", crop, sight',
        '"tracking", self._guide or crop, sight',
        "track",
    ),
    M(
        "6",
        "the search begins at whole_frame",
        f"{TRACKING}:search_crops",
        "[Crop.whole_frame(image_width_px, image_height_px), *tiles]",
        "[*tiles, Crop.whole_frame(image_width_px, image_height_px)]",
        "search",
    ),
    M(
        "6",
        "tiles are the largest crops in the frame",
        f"{TRACKING}:search_crops",
        "width = min(image_width_px, image_height_px * ASPECT)",
        "width = 0.9 * min(image_width_px, image_height_px * ASPECT)",
        "search",
    ),
    M(
        "6",
        "tiles slide along the longer way",
        f"{TRACKING}:search_crops",
        "if spare_x >= spare_y else",
        "if spare_x < spare_y else",
        "search",
    ),
    M("6", "steps are at most tile_step", f"{TRACKING}:search_crops", "length * rule.tile_step", "length", "search"),
    M(
        "6",
        "steps that fit exactly are not one more",
        f"{TRACKING}:search_crops",
        "- _ROUNDING) + 1",
        "+ _ROUNDING) + 1",
        "search",
    ),
    M(
        "6",
        "the nearest to the centre first",
        f"{TRACKING}:search_crops",
        "(abs(2 * i - (count - 1)), i)",
        "i",
        "search",
    ),
    M(
        "6",
        "of two, the lower coordinate first",
        f"{TRACKING}:search_crops",
        "(abs(2 * i - (count - 1)), i)",
        "(abs(2 * i - (count - 1)), -i)",
        "search",
    ),
    M(
        "6",
        "each frame of a search looks at one crop more",
        f"{TRACKING}:Tracker.judge",
        "self._tried += 1",
        "pass",
        "track",
    ),
    M(
        "6",
        "the round of the search begins again",
        f"{TRACKING}:Tracker.look",
        "self._tried % len(crops)",
        "min(self._tried, len(crops) - 1)",
        "track",
    ),
    M(
        "6",
        "the crop moves along with the person",
        f"{TRACKING}:Tracker.look",
        "self._guide.x0 + x, self._guide.y0 + y",
        "self._guide.x0, self._guide.y0",
        "track",
    ),
    M(
        "6",
        "movement counts no longer than max_missed_ms",
        f"{TRACKING}:Tracker._moved_px",
        "min(self._last_ms - self._sight.timestamp_ms, self.rule.max_missed_ms)",
        "self._last_ms - self._sight.timestamp_ms",
        "track",
    ),
    M(
        "6",
        "velocity is smoothed",
        f"{TRACKING}:Tracker._follow",
        "share_of_step(self.rule.motion_hz, dt)",
        "1.0",
        "track",
    ),
    M(
        "6",
        "the velocity of a new person is 0",
        f"{TRACKING}:Tracker._search",
        "self._velocity_px_s = np.zeros(2)",
        "pass",
        "track",
    ),
    M("6", "a far place is another person", f"{TRACKING}:Sight.may_be", "away <= reach", "True", "track"),
    M(
        "6",
        "place is measured from where the person moved to",
        f"{TRACKING}:Sight.may_be",
        "earlier.middle_px + moved_px",
        "earlier.middle_px",
        "track",
    ),
    M("6", "reach grows with time", f"{TRACKING}:Sight.may_be", "rule.same_person_speed * dt", "0.0", "track"),
    M(
        "6",
        "reach goes with the larger torso",
        f"{TRACKING}:Sight.may_be",
        "max(self.length_px, earlier.length_px)",
        "min(self.length_px, earlier.length_px)",
        "track",
    ),
    M("6", "another size is another person", f"{TRACKING}:Sight.may_be", "grown <= ", "True or grown <= ", "track"),
    M(
        "6",
        "size may change with time",
        f"{TRACKING}:Sight.may_be",
        "rule.same_person_growth_speed * dt",
        "0.0",
        "track",
    ),
    M(
        "6",
        "growing and shrinking are treated the same",
        f"{TRACKING}:Sight.may_be",
        "abs(math.log(self.length_px / earlier.length_px))",
        "math.log(self.length_px / earlier.length_px)",
        "track",
    ),
    M(
        "6",
        "another posture is another person",
        f"{TRACKING}:Sight.may_be",
        "changed <= ",
        "True or changed <= ",
        "track",
    ),
    M(
        "6",
        "posture may change with time",
        f"{TRACKING}:Sight.may_be",
        "rule.same_person_posture_m_s * dt",
        "0.0",
        "track",
    ),
    M(
        "6",
        "the middle of pelvis and neck",
        f"{TRACKING}:Sight.of",
        "person.joints_px[[_PELVIS, _NECK]].mean(0)",
        "person.joints_px[_PELVIS]",
        "track",
    ),
    M(
        "6",
        "the torso's length is three-dimensional",
        f"{TRACKING}:Sight.of",
        "np.linalg.norm(ends[1] - ends[0])",
        "np.linalg.norm((ends[1] - ends[0])[:2])",
        "track",
    ),
    M(
        "6",
        "in pixels by focal length and depth",
        f"{TRACKING}:Sight.of",
        "* person.camera.focal_px / float(ends[:, 2].mean())",
        "",
        "track",
    ),
    M(
        "6",
        "posture from the pelvis",
        f"{TRACKING}:Sight.of",
        "person.joints_cam[_POSTURE] - ends[0]",
        "person.joints_cam[_POSTURE]",
        "track",
    ),
    M("6", "posture of body joints, not of fingers", f"{TRACKING}:Sight.of", "_POSTURE", "_FOLLOWED", "track"),
    M(
        "6",
        "lost after max_missed_ms, not before",
        f"{TRACKING}:Tracker.judge",
        "> self.rule.max_missed_ms",
        "> 0.5 * self.rule.max_missed_ms",
        "track",
    ),
    M(
        "6",
        "lost when more than max_missed_ms have passed",
        f"{TRACKING}:Tracker.judge",
        "> self.rule.max_missed_ms",
        ">= self.rule.max_missed_ms",
        "track",
    ),
    M(
        "6",
        "a missed frame reports nobody",
        f"{ESTIMATOR}:Estimator.detect_for_video",
        "if self._tracker.judge(seen):",
        "if self._tracker.judge(seen) or True:",
        "track",
    ),
    # 7. Smoothing.
    M("7", "a step's share", f"{SMOOTHING}:share_of_step", "2 * math.pi * ", "", "smooth"),
    M(
        "7",
        "the first frame passes unchanged",
        f"{SMOOTHING}:OneEuro.__call__",
        "self._raw = self._smoothed = values",
        "self._raw = values; self._smoothed = 0.99 * values",
        "smooth",
    ),
    M(
        "7",
        "the speed is that of raw values",
        f"{SMOOTHING}:OneEuro.__call__",
        "self._raw = values\n    return",
        "self._raw = self._smoothed\n    return",
        "smooth",
    ),
    M(
        "7",
        "the speed is smoothed",
        f"{SMOOTHING}:OneEuro.__call__",
        "share_of_step(self._derivative_hz, dt_s)",
        "1.0",
        "smooth",
    ),
    M("7", "the speed is a second's", f"{SMOOTHING}:OneEuro.__call__", "moved / dt_s", "moved", "smooth"),
    M("7", "the cutoff grows with the speed", f"{SMOOTHING}:OneEuro.__call__", "self._gain * ", "0 * ", "smooth"),
    M(
        "7",
        "one cutoff for a vector, from its norm",
        f"{SMOOTHING}:OneEuro.__call__",
        "np.linalg.norm(self._speed, axis=-1, keepdims=True)",
        "np.abs(self._speed)",
        "smooth",
    ),
    M(
        "7",
        "a rotation's speed in its own frame",
        f"{SMOOTHING}:RotationFilter._way",
        "start.swapaxes(-1, -2) @ end",
        "end @ start.swapaxes(-1, -2)",
        "smooth",
    ),
    M(
        "7",
        "a rotation moves along the manifold",
        f"{SMOOTHING}:RotationFilter._moved",
        "start @ axis_angle_to_matrix(step)",
        "axis_angle_to_matrix(step) @ start",
        "smooth",
    ),
    M(
        "7",
        "place is divided by depth",
        f"{SMOOTHING}:PersonSmoother.__call__",
        "x / z * focal_in_heights, y / z * focal_in_heights",
        "x * focal_in_heights, y * focal_in_heights",
        "smooth",
    ),
    M(
        "7",
        "place is in frame heights",
        f"{SMOOTHING}:PersonSmoother.__call__",
        "x / z * focal_in_heights, y / z * focal_in_heights",
        "x / z, y / z",
        "smooth",
    ),
    M("7", "depth is smoothed as ln z", f"{SMOOTHING}:PersonSmoother.__call__", "math.log(z)", "z", "smooth"),
    M(
        "7",
        "place is combined with the smoothed depth",
        f"{SMOOTHING}:PersonSmoother.__call__",
        "place[:2] / focal_in_heights * depth",
        "place[:2] / focal_in_heights * z",
        "smooth",
    ),
    M(
        "7",
        "time since the last accepted frame",
        f"{ESTIMATOR}:Estimator._in_frame_camera",
        "self._smoother(timestamp_ms,",
        "self._smoother(33.0 * self._frames,",
        "track",
    ),
    M(
        "7",
        "the focal length in frame heights",
        f"{ESTIMATOR}:Estimator._in_frame_camera",
        "camera.focal_px / height",
        "camera.focal_px / width",
        "track",
    ),
    M(
        "7",
        "smoothing is applied to what is reported",
        f"{ESTIMATOR}:Estimator._in_frame_camera",
        "self._smoother is not None",
        "False",
        "track",
    ),
    # 8. What an implementation offers.
    M(
        "8",
        "a single image begins with the whole frame",
        f"{ESTIMATOR}:Estimator.__call__",
        "Crop.whole_frame(width, height)",
        "Crop.around((0.2 * width, 0.2 * height, 0.8 * width, 0.8 * height), 1.0)",
        "detect",
    ),
    M(
        "8",
        "a single image is looked at twice",
        f"{ESTIMATOR}:Estimator.__call__",
        "range(self.passes - 1)",
        "range(0)",
        "detect",
    ),
    M(
        "8",
        "not three times",
        f"{ESTIMATOR}:Estimator.__call__",
        "range(self.passes - 1)",
        "range(self.passes)",
        "detect",
    ),
    M(
        "8",
        "visibility does not decide about the second look",
        f"{ESTIMATOR}:Estimator.__call__",
        "if crop is None:",
        "if crop is None or person.visibility[0] < 0.5:",
        "detect",
    ),
    M(
        "8",
        "the last look is the result",
        f"{ESTIMATOR}:Estimator.__call__",
        "person = self._person(pixels, crop, views)",
        "self._person(pixels, crop, views)",
        "detect",
    ),
]


def mutated(mutation: Mutation) -> tuple[FunctionType, CodeType]:
    """The function that a mutation changes, and its code with the piece replaced."""
    module_name, _, path = mutation.function.partition(":")
    module = importlib.import_module(f"coevoer_edge.{module_name}")
    owner: Any = module
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    function = inspect.getattr_static(owner, name)
    function = getattr(function, "__func__", function)
    source = textwrap.dedent(inspect.getsource(function))
    while source.startswith("@"):  # classmethod and the like stay on the function itself
        source = source.partition("\n")[2]
    assert source.count(mutation.old) == 1, (
        f"{mutation.function} has {mutation.old!r} {source.count(mutation.old)} times"
    )
    space: dict[str, Any] = {}
    exec(
        compile("from __future__ import annotations\n" + source.replace(mutation.old, mutation.new), path, "exec"),
        vars(module) | {},
        space,
    )
    return function, space[name].__code__


@contextmanager
def broken(mutation: Mutation) -> Iterator[None]:
    function, code = mutated(mutation)
    kept = function.__code__
    function.__code__ = code
    try:
        yield
    finally:
        function.__code__ = kept


@pytest.fixture(scope="module")
def kit() -> Kit:
    return Kit.open()


def differs(given: np.ndarray, expected: np.ndarray, absolute: float, relative: float) -> bool:
    away = np.abs(np.asarray(given, np.float64) - expected)
    return bool((~(away <= absolute + relative * np.abs(expected))).any())


def noticed(case: Case, body: BodyModel, kit: Kit, rule: Pipeline, only_decides: bool) -> bool:
    """Whether a case fails with the current implementation."""
    if case.kind == "refuse":
        try:
            return not is_refused(case, body, rule)
        except Exception:  # not one of our errors
            return True
    try:
        if case.kind == "track" and only_decides:  # a fifth of the time: no pixels, no smoothing
            decided = decisions(case, body, rule)
            return any(differs(decided[name], case.tensors[name], *kit.tolerances[name]) for name in decided)
        return bool(compare(case, answer(case, body, rule), kit.tolerances).faults)
    except (CoEvoerError, ArithmeticError, ValueError, IndexError, TypeError, AttributeError):
        return True


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: f"{m.section}: {m.rule}")
def test_the_kit_fails_an_implementation_without(mutation, kit):
    body, rule = BodyModel.open(), Pipeline.from_table(kit.pipeline)
    names = mutation.cases.split(",")
    cases = [case for case in kit.cases if case.kind in names or case.prefix in names]
    assert cases, mutation.cases
    with broken(mutation):
        assert any(noticed(case, body, kit, rule, mutation.function.startswith(TRACKING)) for case in cases)
