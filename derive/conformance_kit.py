"""Generate the conformance kit again: `python -m derive.conformance_kit [-o FILE]`.

In: a seed; the cases use synthetic people with exact ground truth and no network. Out: the cases of docs/pipeline.md,
section 9. The expected results are those of this package. A track case is refused if one of its decisions depends on
rounding.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import click
import numpy as np
from numpy.random import Generator

from coevoer_edge import contract
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.conformance.answers import PARAMETERS, answer, decisions, numbers_of
from coevoer_edge.conformance.kit import EXPECTED, KIT_PATH, TOLERANCES, Case, Kit, Tensors
from coevoer_edge.conformance.stage import Actor, Place, Stage, as_outputs, noisy, oracle
from coevoer_edge.data.synthetic.gestures import SyntheticMotion
from coevoer_edge.data.synthetic.person import draw_person
from coevoer_edge.pipeline.camera import Crop
from coevoer_edge.pipeline.constants import PIPELINE
from coevoer_edge.pipeline.person import Person, decode, embody
from coevoer_edge.pipeline.tracking import Tracker, next_crop
from coevoer_edge.runtime.protocol import Outputs
from coevoer_edge.terminal.console import Command
from derive.conformance_scenes import Fault, Scene, scenes

SEED = 20261122
_EDGE = 0.01  # moving a threshold by this fraction must not change any decision
_EDGES = (
    *("acquire_visibility", "keep_visibility", "smallest_overlap", "smallest_crop", "max_missed_ms", "max_gap_ms"),
    *("same_person_slack", "same_person_growth", "same_person_posture_m"),
)


def derive(model: BodyModel, seed: int = SEED) -> Kit:
    """All cases with their expected results.

    Raises:
        RuntimeError: a decision depends on rounding.
    """
    played = scenes(seed, model)
    unanswered = [
        *_crop_cases(np.random.default_rng((seed, 1))),
        *_decode_cases(np.random.default_rng((seed, 2)), model),
        *_pose_cases(np.random.default_rng((seed, 3))),
        *_search_cases(),
        *[_played(number, scene, seed) for number, scene in enumerate(played)],
        *_smooth_cases(seed, model),
        *_detect_cases(np.random.default_rng((seed, 7)), model),
        *_refuse_cases(np.random.default_rng((seed, 4)), model),
    ]
    for scene, case in zip(played, (case for case in unanswered if case.kind == "track"), strict=True):
        if not scene.exact:
            _refuse_edges(case, model)
    return Kit(PIPELINE.to_table(), TOLERANCES, [_answered(case, model) for case in unanswered])


def _answered(case: Case, model: BodyModel) -> Case:
    if case.kind == "refuse":
        return case
    answers = answer(case, model)
    kept = {name: _stored(name, answers[name]) for name in EXPECTED[case.kind]}
    return Case(case.kind, case.number, case.about, case.tensors | kept)


def _stored(name: str, value: np.ndarray) -> np.ndarray:
    """Store as float32, which is enough except for values far from 0."""
    double = name.startswith(("crops", "translation", "person_translation", "smoothed_translation"))
    return np.asarray(value, np.float32) if value.dtype == np.float64 and not double else value


def _refuse_edges(case: Case, model: BodyModel) -> None:
    """Raise an error if a decision changes when a threshold is moved by the fraction `_EDGE`."""
    usual = decisions(case, model)
    for name in _EDGES:
        for factor in (1 - _EDGE, 1 + _EDGE):
            moved = decisions(case, model, replace(PIPELINE, **{name: getattr(PIPELINE, name) * factor}))
            if any((usual[key] != moved[key]).any() for key in ("states", "accepted")):
                raise RuntimeError(f"{case.prefix}: {name} times {factor} changes a decision; change the scene.")


# Crops.


def _pattern(rng: Generator, width: int, height: int) -> np.ndarray:
    """Ramps, edges and noise by integer arithmetic only, so that they are the same on every machine."""
    x, y = np.arange(width), np.arange(height)[:, None]
    ramps = np.stack((x * 255 // max(1, width - 1) + 0 * y, y * 255 // max(1, height - 1) + 0 * x, (x * 7 + y * 5)), -1)
    checks = ((x // 5 + y // 5) % 2 * 255)[..., None]
    noise = rng.integers(0, 256, (height, width, 3))
    return np.asarray((2 * ramps % 256 + checks + noise) // 3 % 256, np.uint8)


def _crop_cases(rng: Generator) -> list[Case]:
    frames: dict[tuple[int, int], list[tuple[str, Crop]]] = {
        (192, 256): [("as it is, whole pixels", Crop(0, 0, 192, 256))],
        (150, 110): [
            ("shrunk, the whole frame and black around it", Crop.around((-220.0, -60.0, 320.5, 200.25), 1.0)),
            ("enlarged, between pixels", Crop(31.37, 18.81, 48, 64)),
            ("over the upper left corner, enlarged", Crop(-20.6, -33.3, 90, 120)),
            ("far outside: black", Crop(400.0, -700.0, 300, 400)),
            ("a few pixels, enlarged", Crop(143.2, 101.9, 6, 8)),
        ],
        (330, 40): [("shrunk, wide and thin", Crop.whole_frame(330, 40))],
        (1, 1): [("one pixel", Crop.whole_frame(1, 1))],
    }
    cases: list[Case] = []
    for (width, height), asked in frames.items():
        frame = _pattern(rng, width, height)
        for about, crop in asked:
            cases.append(Case("crop", len(cases), about, {"frame": frame, "crop": numbers_of(crop)}))
    return cases


# Outputs.


def _outputs(rng: Generator, model: BodyModel, place: Place, crop: Crop, width: int, height: int) -> Outputs:
    person = draw_person(rng, legs_seen=False)
    stage = Stage([Actor(lambda time_s: person, lambda time_s: place)], model)
    return oracle(stage.at(0.0, width, height), crop, width, height, rng)


def _single(outputs: Outputs, crop: Crop, width: int, height: int) -> Tensors:
    return {**outputs, "crop": numbers_of(crop), "frame_size": np.array((width, height), np.int32)}


def _decode_cases(rng: Generator, model: BodyModel) -> list[Case]:
    crops = {
        "the whole frame, landscape": (Crop.whole_frame(640, 480), Place(0.7, 0.7, 0.25), 640, 480),
        "a close crop": (Crop(210.3, 90.7, 180, 240), Place(0.62, 0.62, 0.2), 640, 480),
        "a crop over the edge, portrait": (Crop(-120.5, 300.25, 600, 800), Place(0.2, 0.5, 0.2), 720, 1280),
        "a small crop of a large frame": (Crop(3000.0, 1700.0, 210, 280), Place(1.44, 0.85, 0.04), 3840, 2160),
    }
    given = []
    for about, (crop, place, width, height) in crops.items():
        given.append((about, _single(_outputs(rng, model, place, crop, width, height), crop, width, height)))
    turned = dict(given[1][1])
    for name in PARAMETERS:
        if turned[name].shape[-2:] == (3, 3):
            turned[name] = _reflections(rng, turned[name].shape)
    given.append(("matrices of negative determinant, sheared and scaled", turned))
    return [Case("decode", i, about, tensors) for i, (about, tensors) in enumerate(given)]


def _reflections(rng: Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Matrices whose nearest rotation depends on the determinant's sign, with well separated singular values."""
    turns = axis_angle_to_matrix(rng.normal(0, 1.2, (2, *shape[:-2], 3)))
    values = np.stack(
        (rng.uniform(1.0, 1.3, shape[:-2]), rng.uniform(0.7, 0.9, shape[:-2]), rng.uniform(-0.4, -0.1, shape[:-2])), -1
    )
    return np.asarray(turns[0] * values[..., None, :] @ turns[1].swapaxes(-1, -2), np.float32)


# The body.


def _pose_cases(rng: Generator) -> list[Case]:
    rest = SmplxParameters.rest()
    anything = {}
    for entry in fields(rest):
        shape = np.shape(getattr(rest, entry.name))
        is_rotation = shape[-2:] == (3, 3)
        anything[entry.name] = (
            axis_angle_to_matrix(rng.normal(0, 1.0, (shape[0], 3))) if is_rotation else (rng.normal(0, 1.5, shape))
        )
    people = {
        "at rest, the mean shape": rest,
        "somebody": draw_person(rng, legs_seen=True),
        "rotations far beyond what joints can do": SmplxParameters(**anything),
    }
    return [
        Case("pose", i, about, {name: np.asarray(getattr(person, name), np.float32) for name in PARAMETERS})
        for i, (about, person) in enumerate(people.items())
    ]


# Tracking.


def _search_cases() -> list[Case]:
    sizes = {
        "landscape": (640, 480),
        "wide": (1920, 1080),
        "portrait": (720, 1280),
        "192 : 256: the tile is the frame": (480, 640),
        "twice as high as wide: steps that fit exactly": (500, 1000),
        "a thin strip": (1000, 30),
        "one pixel": (1, 1),
    }
    return [
        Case("search", i, about, {"frame_size": np.array(size, np.int32)})
        for i, (about, size) in enumerate(sizes.items())
    ]


def _played(number: int, scene: Scene, seed: int) -> Case:
    """Play the scene frame by frame with the oracle, in the crops that the tracker requests."""
    rng = np.random.default_rng((seed, 5, number))
    tracker, outputs = Tracker(), []
    start_ms = scene.frames[0].timestamp_ms
    for i, frame in enumerate(scene.frames):
        crop = tracker.look(frame.timestamp_ms, frame.width_px, frame.height_px)
        bodies = scene.stage.at((frame.timestamp_ms - start_ms) / 1000, frame.width_px, frame.height_px)
        said = oracle(bodies, crop, frame.width_px, frame.height_px, rng)
        if i in scene.faults:
            said = _faulty(said, scene.faults[i], rng)
        outputs.append(said)
        tracker.judge(_person(said, crop, scene.stage.model))
    return Case(
        "track",
        number,
        scene.about,
        {
            "timestamps_ms": np.array([frame.timestamp_ms for frame in scene.frames]),
            "frame_sizes": np.array([(frame.width_px, frame.height_px) for frame in scene.frames], np.int32),
            **{name: np.concatenate([said[name] for said in outputs]) for name in contract.OUTPUT_NAMES},
        },
    )


def _person(outputs: Outputs, crop: Crop, model: BodyModel) -> Person:
    return embody(decode(outputs, crop, "oracle"), model, trained=False)


def _faulty(outputs: Outputs, fault: Fault, rng: Generator) -> Outputs:
    """The same outputs with a fault."""
    said = {name: value.copy() for name, value in outputs.items()}
    if fault.visibility is not None:
        said["visibility"][0, 0] = fault.visibility
    camera = said["camera"][0].astype(np.float64)
    camera[0] += 0.5 * fault.aside_torsos
    said["camera"][0] = camera / fault.nearer
    if fault.other_posture:
        rest = SmplxParameters.rest()
        turned = noisy(replace(rest, global_orient=axis_angle_to_matrix((0, 0, np.pi))[None]), rng)
        other = as_outputs(turned, said["camera"][0], said["part_boxes"][0], said["visibility"][0])
        said |= {name: other[name] for name in PARAMETERS}
    return said


# Smoothing.


def _smooth_cases(seed: int, model: BodyModel) -> list[Case]:
    rng = np.random.default_rng((seed, 6))
    regular = np.arange(36) * 1000 / 30
    irregular = np.cumsum(rng.uniform(5, 120, 24))
    times = {
        "30 frames a second": (regular, 640, 360),
        "irregular times, missed frames between": (np.delete(irregular, [7, 8, 9, 15]) + 7e6, 480, 640),
    }
    return [
        Case("smooth", i, about, _moving(rng, model, stamps, width, height))
        for i, (about, (stamps, width, height)) in enumerate(times.items())
    ]


def _moving(rng: Generator, model: BodyModel, times_ms: np.ndarray, width: int, height: int) -> Tensors:
    motion = SyntheticMotion(rng, 2.0)
    stage = Stage([Actor(motion.at, lambda t: Place(0.6 + 0.2 * t, 0.7 - 0.05 * t, 0.2 + 0.05 * np.sin(2 * t)))], model)
    frames = []
    for time_s in (times_ms - times_ms[0]) / 1000:
        body = stage.at(float(time_s), width, height)[0]
        shaken = body.translation_m * np.exp(rng.normal(0, 0.01)) + rng.normal(0, 0.004, 3)
        frames.append((noisy(body.parameters, rng), shaken))
    return {
        "timestamps_ms": times_ms,
        "frame_size": np.array((width, height), np.int32),
        **{name: np.stack([getattr(p, name) for p, _ in frames]).astype(np.float32) for name in PARAMETERS},
        "translation": np.stack([translation for _, translation in frames]),
    }


# Single images.


def _detect_cases(rng: Generator, model: BodyModel) -> list[Case]:
    """Two passes each; if the first cannot guide a second one, the second row holds outputs that must not be used."""
    given: list[tuple[str, Tensors]] = []

    def add(about: str, width: int, height: int, place: Place, fault: Fault | None = None) -> None:
        person = draw_person(rng, legs_seen=False)
        stage = Stage([Actor(lambda time_s: person, lambda time_s: place)], model)
        bodies, crop, looks = stage.at(0.0, width, height), Crop.whole_frame(width, height), []
        for _ in range(2):
            said = oracle(bodies, crop, width, height, rng)
            if fault is not None:
                said = _faulty(said, fault, rng)
            looks.append(said)
            crop = next_crop(_person(said, crop, model), width, height) or crop
        outputs = {name: np.concatenate([said[name] for said in looks]) for name in contract.OUTPUT_NAMES}
        given.append((about, {"frame_size": np.array((width, height), np.int32), **outputs}))

    far = Fault(nearer=0.35)  # so small that the oracle no longer detects the person
    add("two looks, landscape", 640, 480, Place(0.7, 0.7, 0.25))
    add("two looks, at the edge of a portrait", 480, 640, Place(0.1, 0.6, 0.3))
    add("little visibility: two looks all the same", 640, 480, Place(0.5, 0.6, 0.2), Fault(visibility=0.1))
    add("most of the body's box lies outside: one look", 640, 480, Place(0.0, 0.5, 0.25), Fault(aside_torsos=-1.3))
    add(
        "the next crop would be too small, against whole_frame of a tall frame: one look",
        300,
        1000,
        Place(0.15, 0.5, 0.05),
        far,
    )
    return [Case("detect", i, about, tensors) for i, (about, tensors) in enumerate(given)]


# Refused inputs.


def _refuse_cases(rng: Generator, model: BodyModel) -> list[Case]:
    crop = Crop(100, 50, 240, 320)
    sound = _single(_outputs(rng, model, Place(0.6, 0.6, 0.2), crop, 640, 480), crop, 640, 480)

    def spoiled(name: str, at: int, value: float) -> Tensors:
        array = sound[name].copy()
        array.flat[at] = value
        return sound | {name: array}

    given: Sequence[tuple[str, Tensors]] = (
        ("camera is missing", {name: value for name, value in sound.items() if name != "camera"}),
        ("body_pose has 20 joints", sound | {"body_pose": sound["body_pose"][:, 1:]}),
        ("visibility has no batch axis", sound | {"visibility": sound["visibility"][0]}),
        ("left_hand_pose holds NaN", spoiled("left_hand_pose", 40, np.nan)),
        ("expression holds infinity", spoiled("expression", 9, np.inf)),
        ("the last time is that before it", {"timestamps_ms": np.array((0.0, 33.0, 33.0))}),
        ("the last time is earlier", {"timestamps_ms": np.array((100.0, 133.0, 120.0))}),
        ("the last time is NaN", {"timestamps_ms": np.array((100.0, 133.0, np.nan))}),
        ("the last time is infinity", {"timestamps_ms": np.array((100.0, 133.0, np.inf))}),
    )
    return [Case("refuse", i, about, tensors) for i, (about, tensors) in enumerate(given)]


@click.command(cls=Command)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=KIT_PATH, show_default="the package's own")
def main(output: Path) -> None:
    """Write the conformance kit."""
    kit = derive(BodyModel.open())
    kit.write(output)
    click.echo(f"Wrote {len(kit.cases)} cases to {output} ({output.stat().st_size / 1e6:.2f} MB)")


if __name__ == "__main__":
    main(prog_name="python -m derive.conformance_kit")
