"""Synthetic sequences with exact ground truth, and a network's estimates for each frame.

In: a seed, or a bundle's runtime. Out: `Sequence`: parameters and translations over time, true and raw. The errors are
sampled (partly independent from frame to frame, partly drifting), or they are those of the given network on rendered
images of the moving person.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.random import Generator

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix
from coevoer_edge.conformance.stage import NOISE_DEG, NOISE_DEPTH, NOISE_PX, Actor, Place, Stage
from coevoer_edge.data.synthetic.gestures import SyntheticMotion
from coevoer_edge.pipeline.camera import VIRTUAL_CAMERA
from coevoer_edge.pipeline.person import frame_camera, on_so3
from coevoer_edge.runtime.protocol import Runtime

FRAME_RATE_HZ = 30.0
WIDTH_PX, HEIGHT_PX = 1280, 720
DRIFT_S = 0.5
"""Time constant of the drifting part of the errors, which is as large as the independent part."""
COEFFICIENT_NOISE = 0.1  # standard deviations of shape and expression
_TORSO = 0.22  # its length in frame heights
_CAMERA_NOISE = 2.0  # standard deviation of pixel noise on rendered images, of 255
_CROP_PX = _TORSO * HEIGHT_PX / 50  # frame px per px of the crop around such a torso


@dataclass(frozen=True)
class Sequence:
    """Frames at `FRAME_RATE_HZ`. Parameters have a leading axis T; translations (T, 3) are in the frame camera."""

    truth: SmplxParameters
    truth_translation_m: Float64Array
    raw: SmplxParameters
    raw_translation_m: Float64Array
    focal_in_heights: float


def with_sampled_errors(seed: int, number: int, seconds: float, model: BodyModel, noise: float = 1.0) -> Sequence:
    """Sample a person who gestures and sways or walks; errors are `noise` times those of a network of this kind."""
    rng = np.random.default_rng((seed, number))
    motion = SyntheticMotion(rng, seconds)
    speed, sway_hz = rng.uniform(-0.25, 0.25), rng.uniform(0.2, 0.6, 2)
    middle = WIDTH_PX / HEIGHT_PX / 2

    def place(time_s: float) -> Place:
        walk = speed * (time_s - seconds / 2) if number % 2 else 0.0
        x = middle + walk + 0.05 * np.sin(2 * np.pi * sway_hz[0] * time_s)
        nearer = 0.15 * np.sin(2 * np.pi * sway_hz[1] * time_s)
        return Place(float(x), 0.7, _TORSO * float(np.exp(nearer)))

    stage = Stage([Actor(motion.at, place)], model)
    T = round(seconds * FRAME_RATE_HZ)
    bodies = [stage.at(i / FRAME_RATE_HZ, WIDTH_PX, HEIGHT_PX)[0] for i in range(T)]
    truth = stacked([body.parameters for body in bodies])
    translation = np.stack([body.translation_m for body in bodies])
    shift = noise * _noise(rng, (T, 2)) * NOISE_PX * _CROP_PX / frame_camera(WIDTH_PX, HEIGHT_PX).focal_px
    depth = translation[:, 2] * np.exp(noise * _noise(rng, (T, 1))[:, 0] * NOISE_DEPTH)
    raw = np.concatenate(((translation[:, :2] / translation[:, 2:] + shift) * depth[:, None], depth[:, None]), axis=1)
    focal_in_heights = frame_camera(WIDTH_PX, HEIGHT_PX).focal_px / HEIGHT_PX
    return Sequence(truth, translation, noised(rng, truth, noise), raw, focal_in_heights)


def seen_by(runtime: Runtime, seed: int, number: int, seconds: float, model: BodyModel) -> Sequence:
    """Render a person who gestures in front of one background, and run the network on each frame.

    The crop is fixed; the truth is in its camera, which takes the place of the frame camera.
    """
    from dataclasses import replace

    from coevoer_edge.data.synthetic.people import SyntheticPeople

    rng = np.random.default_rng((seed, number))
    source = SyntheticPeople(seed, "held_out", model)
    index = number * 1000
    while (scene := source.prepare([index])[0]).empty:
        index += 1
    motion = SyntheticMotion(rng, seconds)
    truths, raws, true_translations, raw_translations = [], [], [], []
    for i in range(round(seconds * FRAME_RATE_HZ)):
        record = source.finish([replace(scene, person=motion.at(i / FRAME_RATE_HZ))])
        picture = record.image[0].numpy().transpose(1, 2, 0) + rng.normal(0, _CAMERA_NOISE, (256, 192, 3))
        outputs = runtime(picture.round().clip(0, 255).astype(np.uint8))
        truths.append(SmplxParameters.from_outputs({f.name: getattr(record, f.name).numpy() for f in _FIELDS}))
        raws.append(on_so3(SmplxParameters.from_outputs(outputs)))
        true_translations.append(record.camera[0].numpy().astype(np.float64))
        raw_translations.append(outputs["camera"][0].astype(np.float64))
    return Sequence(
        stacked(truths),
        np.stack(true_translations),
        stacked(raws),
        np.stack(raw_translations),
        VIRTUAL_CAMERA.focal_px / 256,
    )


_FIELDS = fields(SmplxParameters)


def stacked(people: list[SmplxParameters]) -> SmplxParameters:
    """Stack the frames' parameters along a leading axis."""
    return SmplxParameters(**{f.name: np.stack([getattr(person, f.name) for person in people]) for f in _FIELDS})


def noised(rng: Generator, truth: SmplxParameters, noise: float) -> SmplxParameters:
    """Add errors to parameters (T, ...): `noise` times `NOISE_DEG` in each frame independently, plus as much drift."""
    values = {}
    for entry in _FIELDS:
        value = np.asarray(getattr(truth, entry.name), np.float64)
        if entry.name in NOISE_DEG:
            sigma = noise * np.radians(NOISE_DEG[entry.name]) / np.sqrt(3)  # per axis
            values[entry.name] = value @ axis_angle_to_matrix(sigma * _noise(rng, value.shape[:-1]))
        else:
            values[entry.name] = value + noise * COEFFICIENT_NOISE * _noise(rng, value.shape)
    return SmplxParameters(**values)


def _noise(rng: Generator, shape: tuple[int, ...]) -> Float64Array:
    """(T, ...): white noise plus a first-order drift with time constant `DRIFT_S`; standard deviation 1 each."""
    keep = np.exp(-1 / (DRIFT_S * FRAME_RATE_HZ))
    steps = rng.standard_normal(shape) * np.sqrt(1 - keep**2)
    drift = np.empty(shape)
    drift[0] = rng.standard_normal(shape[1:])
    for i in range(1, shape[0]):
        drift[i] = keep * drift[i - 1] + steps[i]
    return np.asarray(drift + rng.standard_normal(shape))
