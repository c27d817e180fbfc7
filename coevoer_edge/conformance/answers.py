"""This package's own results for the cases of the kit.

In: a `Case`. Out: the expected tensors, computed by the running chain itself. `derive` writes the kit from them, and
`check` compares a kit with them; other platforms have their own implementation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields

import numpy as np

from coevoer_edge import contract
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.conformance.kit import Case, Tensors
from coevoer_edge.errors import CoEvoerError
from coevoer_edge.estimator import Estimator
from coevoer_edge.pipeline.camera import Crop, convert_translation
from coevoer_edge.pipeline.constants import PIPELINE, Pipeline
from coevoer_edge.pipeline.image import extract_crop
from coevoer_edge.pipeline.person import decode, embody, frame_camera
from coevoer_edge.pipeline.smoothing import PersonSmoother
from coevoer_edge.pipeline.tracking import Tracker, search_crops
from coevoer_edge.runtime.protocol import Outputs, RuntimeKind

EVERY_VERTEX = 50
PARAMETERS = tuple(entry.name for entry in fields(SmplxParameters))
STATES = ("searching", "tracking")
_SMALL_FRAME_PX = 4096  # for refused cases; any size would do


def answer(case: Case, body: BodyModel, rule: Pipeline = PIPELINE) -> Tensors:
    """Compute the expected tensors of a case. A `refuse` case raises `CoEvoerError`, as intended."""
    return _ANSWERS[case.kind](case.tensors, body, rule)


def is_refused(case: Case, body: BodyModel, rule: Pipeline = PIPELINE) -> bool:
    """Whether a `refuse` case is refused with one of our errors."""
    try:
        answer(case, body, rule)
    except CoEvoerError:
        return True
    return False


def decisions(case: Case, body: BodyModel, rule: Pipeline = PIPELINE) -> Tensors:
    """Compute `crops`, `states` and `accepted` of a `track` case by the tracker alone, without pixels or smoothing."""
    tracker, given = Tracker(rule), case.tensors
    count = len(given["timestamps_ms"])
    crops, states, accepted = np.zeros((count, 4)), np.zeros(count, np.uint8), np.zeros(count, np.uint8)
    for i, (timestamp_ms, size) in enumerate(zip(given["timestamps_ms"], given["frame_sizes"], strict=True)):
        crop = tracker.look(float(timestamp_ms), int(size[0]), int(size[1]))
        crops[i] = numbers_of(crop)
        accepted[i] = tracker.judge(embody(decode(outputs_of(given, i), crop, "of the kit"), body, trained=False))
        states[i] = STATES.index(tracker.state)
    return {"crops": crops, "states": states, "accepted": accepted}


def crop_of(values: np.ndarray) -> Crop:
    """A crop from x0, y0, width, height."""
    x0, y0, width, height = (float(value) for value in values)
    return Crop(x0, y0, width, height)


def numbers_of(crop: Crop) -> np.ndarray:
    """(4,) x0, y0, width, height, float64."""
    return np.array((crop.x0, crop.y0, crop.width, crop.height))


def outputs_of(tensors: Tensors, frame: int | None = None) -> Outputs:
    """A case's network outputs, or those of one of its frames."""
    names = [name for name in contract.OUTPUT_NAMES if name in tensors]
    return {name: tensors[name] if frame is None else tensors[name][frame][None] for name in names}


def parameters_of(tensors: Tensors, frame: int | None = None) -> SmplxParameters:
    """A case's parameters, or those of one of its frames, float64."""
    values = {name: tensors[name] if frame is None else tensors[name][frame] for name in PARAMETERS}
    return SmplxParameters(**{name: np.asarray(value, np.float64) for name, value in values.items()})


def _crop(given: Tensors, body: BodyModel, rule: Pipeline) -> Tensors:
    return {"tensor": extract_crop(given["frame"], crop_of(given["crop"]))}


def _decode(given: Tensors, body: BodyModel, rule: Pipeline) -> Tensors:
    crop = crop_of(given["crop"])
    decoded = decode(outputs_of(given), crop, "of the kit")
    person = embody(decoded, body, trained=False)
    width, height = (int(v) for v in given["frame_size"])
    in_frame = convert_translation(decoded.translation_m, crop.camera(), frame_camera(width, height))
    return {
        **{f"decoded_{name}": getattr(decoded.parameters, name) for name in PARAMETERS},
        "translation_crop": decoded.translation_m,
        "translation_frame": in_frame,
        "boxes_px": decoded.part_boxes_px,
        "joints_cam": person.joints_cam,
        "joints_px": person.joints_px,
    }


def _pose(given: Tensors, body: BodyModel, rule: Pipeline) -> Tensors:
    posed = body.pose(parameters_of(given))
    return {"joints": posed.joints, "vertices": posed.vertices[::EVERY_VERTEX]}


def _search(given: Tensors, body: BodyModel, rule: Pipeline) -> Tensors:
    width, height = (int(v) for v in given["frame_size"])
    return {"crops": np.stack([numbers_of(crop) for crop in search_crops(width, height, rule)])}


@dataclass
class _Replay:
    """A runtime that returns a case's outputs frame by frame and ignores its input."""

    given: Tensors
    name: str = "of the kit"
    kind: RuntimeKind = "reference"
    frame: int = field(default=0, init=False)

    def __call__(self, crop: np.ndarray) -> Outputs:
        self.frame += 1
        return outputs_of(self.given, self.frame - 1)

    def close(self) -> None:
        """There is nothing to release."""


def _track(given: Tensors, body: BodyModel, rule: Pipeline) -> Tensors:
    estimator = Estimator(_Replay(given), body, trained=False, pipeline=rule)
    sizes, times = given["frame_sizes"], given["timestamps_ms"]
    count = len(times)
    result: Tensors = {
        "crops": np.zeros((count, 4)),
        "states": np.zeros(count, np.uint8),
        "accepted": np.zeros(count, np.uint8),
        "person_global_orient": np.zeros((count, 1, 3, 3)),
        "person_translation": np.zeros((count, 3)),
        "person_joints_px": np.zeros((count, len(body.joint_names), 2)),
    }
    for i in range(count):
        width, height = (int(v) for v in sizes[i])
        seen = estimator.detect_for_video(np.zeros((height, width), np.uint8), float(times[i]))
        result["crops"][i] = numbers_of(seen.crop)
        result["states"][i] = STATES.index(seen.state)
        if seen.person is not None:
            result["accepted"][i] = 1
            result["person_global_orient"][i] = seen.person.parameters.global_orient
            result["person_translation"][i] = seen.person.translation_m
            result["person_joints_px"][i] = seen.person.joints_px
    return result


def _detect(given: Tensors, body: BodyModel, rule: Pipeline) -> Tensors:
    width, height = (int(v) for v in given["frame_size"])
    replay = _Replay(given)
    person = Estimator(replay, body, trained=False, pipeline=rule)(np.zeros((height, width, 3), np.uint8))
    return {
        "looks": np.array([replay.frame], np.uint8),
        "last_crop": numbers_of(person.crop),
        "translation_crop": person.translation_m,
        "joints_px": person.joints_px,
    }


def _smooth(given: Tensors, body: BodyModel, rule: Pipeline) -> Tensors:
    smoother = PersonSmoother(rule.smoothing)
    width, height = (int(v) for v in given["frame_size"])
    focal = frame_camera(width, height).focal_px / height
    frames = []
    for i, timestamp_ms in enumerate(given["timestamps_ms"]):
        parameters, translation = smoother(float(timestamp_ms), parameters_of(given, i), given["translation"][i], focal)
        frames.append({name: getattr(parameters, name) for name in PARAMETERS} | {"translation": translation})
    return {f"smoothed_{name}": np.stack([frame[name] for frame in frames]) for name in frames[0]}


def _refuse(given: Tensors, body: BodyModel, rule: Pipeline) -> Tensors:
    if "timestamps_ms" in given:
        tracker = Tracker(rule)
        for timestamp_ms in given["timestamps_ms"]:
            tracker.look(float(timestamp_ms), _SMALL_FRAME_PX, _SMALL_FRAME_PX)
    else:
        decode(outputs_of(given), crop_of(given["crop"]), "of the kit")
    return {}


_ANSWERS: Mapping[str, Callable[[Tensors, BodyModel, Pipeline], Tensors]] = {
    "crop": _crop,
    "decode": _decode,
    "pose": _pose,
    "search": _search,
    "track": _track,
    "smooth": _smooth,
    "detect": _detect,
    "refuse": _refuse,
}
