"""`python -m coevoer_edge.evaluation.steadiness`: how much smoothing steadies a stream, and how much lag it adds.

In: synthetic sequences with exact truth (`sequences`). Out, for each part: the jitter of the raw and of the smoothed
stream, the lag that smoothing adds, and the error of both. Jitter is the acceleration error: the mean length of the
difference between predicted and true second differences, in mm per frame^2 (at 30 frames per second, multiply by 0.9
for m/s^2). Lag is
the regression of the change that smoothing makes on the true velocity, in frames.
"""

from collections.abc import Sequence as Frames
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.joints import BODY_JOINT_NAMES, FACE_JOINT_NAMES, JOINT_NAMES, NUM_JOINTS
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.errors import InputError
from coevoer_edge.pipeline.constants import PIPELINE, SmoothingRules
from coevoer_edge.pipeline.image import CROP_RULE
from coevoer_edge.terminal.console import JSON_OPTION, Command, Steps, print_json

if TYPE_CHECKING:
    from coevoer_edge.evaluation.sequences import Sequence

Points = dict[str, Float64Array]

STEADINESS_PARTS = ("body", "hands", "face", "place", "depth")
UNITS = {"body": "mm", "hands": "mm", "face": "mm", "place": "mm", "depth": "1/1000 of z"}
_FIELDS = fields(SmplxParameters)
_BODY = [i for i, n in enumerate(JOINT_NAMES) if n in CROP_RULE.next_crop_joints and n in BODY_JOINT_NAMES[1:]]
_FINGERS = slice(len(BODY_JOINT_NAMES) + len(FACE_JOINT_NAMES), NUM_JOINTS + 10)  # including fingertips
_FACE = slice(NUM_JOINTS + 10, None)
_FIRST = 10  # frames before the filters have settled are not counted
_ROWS = "{part:6} {raw:8.2f} {smoothed:9.2f} {less:7.0%} {lag:8.2f}   {raw_error:7.2f} {smoothed_error:9.2f}   {unit}"


@dataclass(frozen=True)
class Steadiness:
    """The figures of one part over all sequences, in `unit`; jitter is per frame^2."""

    part: str
    unit: str
    raw: float
    smoothed: float
    lag: float  # frames
    raw_error: float  # mean distance to the truth
    smoothed_error: float

    @property
    def less(self) -> float:
        """The share of the jitter that smoothing removes."""
        return 1 - self.smoothed / self.raw


def steadiness_of(tracks: Frames[tuple[Points, Points, Points]]) -> list[Steadiness]:
    """Measure points over time (T, n, 3) of each part, given as one triple (true, raw, smoothed) for each sequence."""
    rows = []
    for part in STEADINESS_PARTS:
        jitter: list[list[Float64Array]] = [[], []]
        errors: list[list[Float64Array]] = [[], []]
        along, square = 0.0, 0.0
        for truth, raw, smoothed in tracks:
            for k, points in enumerate((raw[part], smoothed[part])):
                jitter[k].append(np.linalg.norm(np.diff(points - truth[part], 2, axis=0)[_FIRST:], axis=-1))
                errors[k].append(np.linalg.norm((points - truth[part])[_FIRST:], axis=-1))
            velocity = np.gradient(truth[part], axis=0)[_FIRST:]
            along += float((velocity * (smoothed[part] - raw[part])[_FIRST:]).sum())
            square += float((velocity**2).sum())
        means = [float(np.concatenate(values).mean()) for values in (*jitter, *errors)]
        rows.append(Steadiness(part, UNITS[part], means[0], means[1], -along / square, means[2], means[3]))
    return rows


class Tracks:
    """Converts sequences to points over time.

    The body's joints relative to the pelvis, fingers with the arm at rest, face landmarks with the head at rest and the
    position across the view at the person's depth are in mm, and the depth is in 1/1000.
    """

    def __init__(self) -> None:
        from coevoer_edge.body.layer import KeypointLayer
        from coevoer_edge.body.model import BodyModel

        self.model = BodyModel.open()
        self._layer = KeypointLayer(self.model)

    def of(self, sequence: "Sequence", rules: SmoothingRules) -> tuple[Points, Points, Points]:
        """True, raw and smoothed points."""
        from coevoer_edge.evaluation.sequences import FRAME_RATE_HZ, stacked
        from coevoer_edge.pipeline.smoothing import PersonSmoother

        smoother, smoothed = PersonSmoother(rules), []
        for i, translation in enumerate(sequence.raw_translation_m):
            frame = SmplxParameters(**{f.name: getattr(sequence.raw, f.name)[i] for f in _FIELDS})
            smoothed.append(smoother(1000 * i / FRAME_RATE_HZ, frame, translation, sequence.focal_in_heights))
        depth = float(sequence.truth_translation_m[:, 2].mean())
        return (
            self._points(sequence.truth, sequence.truth_translation_m, depth),
            self._points(sequence.raw, sequence.raw_translation_m, depth),
            self._points(stacked([p for p, _ in smoothed]), np.stack([t for _, t in smoothed]), depth),
        )

    def _points(self, people: SmplxParameters, translation_m: Float64Array, depth_m: float) -> Points:
        rest = SmplxParameters.rest()
        still = {f.name: np.broadcast_to(getattr(rest, f.name), getattr(people, f.name).shape) for f in _FIELDS}
        hands = still | {name: getattr(people, name) for name in ("left_hand_pose", "right_hand_pose")}
        face = still | {name: getattr(people, name) for name in ("jaw_pose", "expression")}
        body, fingers, landmarks = (
            self._keypoints(values) for values in ({f.name: getattr(people, f.name) for f in _FIELDS}, hands, face)
        )
        slopes = translation_m[:, None, :2] / translation_m[:, None, 2:]
        return {
            "body": 1000 * (body[:, _BODY] - body[:, :1]),
            "hands": 1000 * fingers[:, _FINGERS],
            "face": 1000 * landmarks[:, _FACE],
            "place": 1000 * depth_m * slopes,
            "depth": 1000 * np.log(translation_m[:, None, 2:] / depth_m),
        }

    def _keypoints(self, values: Points) -> Float64Array:
        import torch

        from coevoer_edge.body.layer import SmplxBatch, all_coefficients, all_rotations

        tensors = {name: torch.from_numpy(np.ascontiguousarray(value, np.float32)) for name, value in values.items()}
        batch = SmplxBatch(**tensors)
        with torch.inference_mode():
            points = self._layer(all_rotations(batch), all_coefficients(batch))
        return np.asarray(points.numpy(), np.float64)


def report(rows: Frames[Steadiness]) -> str:
    """Format the rows as a table."""
    head = "part        raw  smoothed    less      lag   err raw  err smth   unit (jitter: per frame^2)"
    return "\n".join([head, *[_ROWS.format(**asdict(row), less=row.less) for row in rows]])


@click.command(cls=Command)
@click.option("--bundle", type=click.Path(path_type=Path), help="Smooth this network's outputs for rendered images.")
@click.option("--sequences", default=16, show_default=True, help="Number of synthetic sequences.")
@click.option("--seconds", default=8.0, show_default=True, help="Length of each sequence in seconds.")
@click.option("--noise", default=1.0, show_default=True, help="Factor on the sampled errors; not valid with --bundle.")
@click.option("--seed", default=0, show_default=True)
@JSON_OPTION
@click.option("--quiet", is_flag=True, help="Print results only.")
def main(
    bundle: Path | None, sequences: int, seconds: float, noise: float, seed: int, as_json: bool, quiet: bool
) -> None:
    """Measure the smoothing of streams on synthetic sequences."""
    if sequences < 1 or seconds < 1 or seed < 0:
        raise InputError(f"--sequences is {sequences}, --seconds {seconds:g}, --seed {seed}; give at least 1, 1 and 0.")
    if noise <= 0 or (noise != 1 and bundle is not None):
        raise InputError(
            f"--noise is {noise:g}; give a number above 0, and omit it with --bundle, whose network has its own errors."
        )
    from coevoer_edge.bundle import Bundle
    from coevoer_edge.evaluation.sequences import seen_by, with_sampled_errors
    from coevoer_edge.runtime import open_runtime

    steps, tracks, triples = Steps(1, quiet=quiet or as_json), Tracks(), []
    rules = PIPELINE.smoothing
    opened = None if bundle is None else Bundle.open(bundle)
    if opened is not None:
        rules = opened.manifest.pipeline.smoothing
        if not opened.manifest.trained:
            steps.note("untrained: the weights are random, so these figures are meaningless", style="bold yellow")
    runtime = None if opened is None else open_runtime(opened)
    steps.step(f"Smooth {sequences} sequences of {seconds:g} s")
    for number in steps.track(range(sequences), lambda i: f"sequence {i}"):
        if runtime is None:
            sequence = with_sampled_errors(seed, number, seconds, tracks.model, noise)
        else:
            sequence = seen_by(runtime, seed, number, seconds, tracks.model)
        triples.append(tracks.of(sequence, rules))
    rows = steadiness_of(triples)
    if as_json:
        print_json([asdict(row) | {"less": row.less} for row in rows])
    else:
        click.echo(report(rows))


if __name__ == "__main__":
    main(prog_name="python -m coevoer_edge.evaluation.steadiness")
