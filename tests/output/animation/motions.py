"""Clips with exact truth: synthetic people who move from pose to pose."""

from collections.abc import Collection, Iterator
from dataclasses import fields
from itertools import pairwise

import numpy as np

from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from coevoer_edge.data.synthetic.person import draw_person
from coevoer_edge.output.animation.clip import Clip, ClipRecorder
from coevoer_edge.pipeline.camera import PinholeCamera

SIZE_PX = (640, 480)
CAMERA = PinholeCamera(9375.0, (320.0, 240.0))  # the frame camera of 640 x 480


def moving_people(poses: int = 3, steps: int = 8, seed: int = 0) -> Iterator[SmplxParameters]:
    """One person, `steps` frames from each pose to the next."""
    rng = np.random.default_rng(seed)
    keys = [draw_person(rng, legs_seen=True) for _ in range(poses)]
    for start, end in pairwise(keys):
        for step in range(steps):
            blended = {f.name: _blend(getattr(start, f.name), getattr(end, f.name), step / steps) for f in fields(end)}
            yield SmplxParameters(**(blended | {"betas": keys[0].betas}))


def _blend(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    if start.shape[-2:] != (3, 3):
        return (1 - share) * start + share * end
    return start @ axis_angle_to_matrix(share * matrix_to_axis_angle(np.swapaxes(start, -1, -2) @ end))


def place_at(index: int) -> np.ndarray:
    """A translation that sways, m, under CAMERA."""
    return np.array((0.2 * np.sin(index / 5), 0.3, 27.0 + 2.0 * np.cos(index / 7)))


def moving_clip(frames_per_second: float = 25.0, gaps: Collection[int] = (), trained: bool = True) -> Clip:
    """16 frames; those in `gaps` without a person."""
    recorder = ClipRecorder(SIZE_PX, trained=trained, camera=CAMERA)
    for i, parameters in enumerate(moving_people()):
        time_ms = 1000 * i / frames_per_second
        if i in gaps:
            recorder.add(time_ms)
        else:
            recorder.add(time_ms, parameters, place_at(i), np.full(4, 0.9))
    return recorder.clip()
