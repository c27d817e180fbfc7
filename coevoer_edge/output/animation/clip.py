"""One person's motion: the SMPL-X parameters of every frame of a stream.

In: frames, one after the other (`ClipRecorder`). Out: `Clip`, which the writers of npz, BVH and GLB take. It holds
about 1 kB per frame and neither pictures nor meshes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coevoer_edge import contract
from coevoer_edge.body.arrays import Float32Array, Float64Array
from coevoer_edge.body.joints import JOINT_NAMES, NUM_JOINTS
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from coevoer_edge.errors import InputError
from coevoer_edge.pipeline.camera import PinholeCamera

_EYES = np.tile(np.eye(3), (2, 1, 1))  # the network does not estimate gaze
_AT = {name: i for i, name in enumerate(JOINT_NAMES)}
USUAL_RATES = (24.0, 25.0, 30.0, 50.0, 60.0, 24000 / 1001, 30000 / 1001, 60000 / 1001, 48.0, 120.0, 15.0, 12.0, 10.0)
"""Frames per second, from the most to the least likely where two explain the times equally well."""
ROUNDING_MS = 1.0
"""Files that store whole milliseconds are off by at most this much, from a first frame that is rounded too."""
POSE_SLICES = {
    "global_orient": slice(0, 1),
    "body_pose": slice(1, 1 + contract.NUM_BODY_JOINTS),
    "jaw_pose": slice(_AT["jaw"], _AT["jaw"] + 1),
    "leye_pose": slice(_AT["left_eye_smplhf"], _AT["left_eye_smplhf"] + 1),
    "reye_pose": slice(_AT["right_eye_smplhf"], _AT["right_eye_smplhf"] + 1),
    "left_hand_pose": slice(_AT["left_index1"], _AT["left_thumb3"] + 1),
    "right_hand_pose": slice(_AT["right_index1"], _AT["right_thumb3"] + 1),
}
"""The 55 joints that each of SMPL-X's pose arguments covers."""


def joint_rotations(parameters: SmplxParameters) -> Float64Array:
    """(55, 3, 3) in SMPL-X's joint order, each relative to its parent; the eyes look straight ahead."""
    p = parameters
    parts = (p.global_orient, p.body_pose, p.jaw_pose, _EYES, p.left_hand_pose, p.right_hand_pose)
    return np.concatenate(parts).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Clip:
    """T frames of one stream; rows of frames without a person are NaN.

    Camera frame: x right, y down, z into the scene, m. Hands are absolute, no mean pose added.
    """

    timestamps_ms: Float64Array  # T, growing
    poses: Float32Array  # T 55 3, axis-angle, rad, in the order of JOINT_NAMES
    betas: Float32Array  # T 10
    expression: Float32Array  # T 10
    translation_m: Float32Array  # T 3: SMPL-X's `transl` under `camera`
    visibility: Float32Array  # T 4, contract.VISIBILITY
    camera: PinholeCamera  # one for the whole clip
    frame_size_px: tuple[int, int]  # width, height
    trained: bool

    def __post_init__(self) -> None:
        T = len(self.timestamps_ms)
        shapes = {"poses": (T, NUM_JOINTS, 3), "betas": (T, 10), "expression": (T, 10), "translation_m": (T, 3)}
        for name, shape in shapes.items():
            if (given := getattr(self, name).shape) != shape:
                raise InputError(f"{name} of the clip is {given}; {T} timestamps need {shape}.")
        if not np.isfinite(self.timestamps_ms).all() or (np.diff(self.timestamps_ms) <= 0).any():
            raise InputError("The clip's timestamps must increase; leave out frames that repeat or go back.")

    @property
    def found(self) -> NDArray[np.bool_]:
        """(T,): whether there is a person in the frame."""
        return np.asarray(np.isfinite(self.translation_m).all(1))

    @property
    def frames_per_second(self) -> float:
        """The rate of most frames; 30 for a single frame.

        1000 over the median interval, or the usual rate that explains all times where they are only rounded: some files
        store whole milliseconds, so that 24 frames a second have intervals of 42 and 41 ms.
        """
        times_ms = self.timestamps_ms - self.timestamps_ms[0]
        if len(times_ms) < 2:
            return 30.0
        median_ms = float(np.median(np.diff(times_ms)))
        errors = {}
        for rate in USUAL_RATES:
            off_ms = times_ms - (times_ms * rate / 1000).round() * 1000 / rate
            if abs(median_ms - 1000 / rate) <= ROUNDING_MS and np.abs(off_ms).max() <= ROUNDING_MS:
                errors[rate] = float(np.sqrt(np.mean(off_ms**2)))
        return min(errors, key=lambda rate: round(errors[rate], 1)) if errors else 1000 / median_ms

    def parameters(self, index: int) -> SmplxParameters:
        """The parameters of one frame. Raises `InputError` where there is no person in it."""
        if not self.found[index]:
            raise InputError(f"There is no person in frame {index}; choose one where `found` is true.")
        rotations = axis_angle_to_matrix(self.poses[index])
        names = ("global_orient", "body_pose", "left_hand_pose", "right_hand_pose", "jaw_pose")
        return SmplxParameters(
            **{name: rotations[POSE_SLICES[name]] for name in names},
            betas=self.betas[index].astype(np.float64),
            expression=self.expression[index].astype(np.float64),
        )

    def shape(self) -> Float64Array:
        """(10,): the betas of the whole clip, the median over its frames, because bones do not change their length.

        Raises `InputError` for a clip without any person.
        """
        if not self.found.any():
            raise InputError("There is no person in any frame of the clip; there is nothing to animate.")
        return np.median(self.betas[self.found].astype(np.float64), axis=0)

    def smplx_arrays(self) -> dict[str, Float32Array]:
        """SMPL-X's own names with T rows, as `smplx.SMPLX.forward` takes them: axis-angle in rad, m."""
        T = len(self.timestamps_ms)
        poses = {name: self.poses[:, joints].reshape(T, -1) for name, joints in POSE_SLICES.items()}
        return {**poses, "betas": self.betas, "expression": self.expression, "transl": self.translation_m}


class ClipRecorder:
    """Collects a stream frame by frame.

    Args:
        camera: the camera that every frame's translation is in, or None to take it from the first person.
        frame_size_px: width and height of the frames.
        trained: False for random weights.
    """

    def __init__(self, frame_size_px: tuple[int, int], *, trained: bool, camera: PinholeCamera | None = None) -> None:
        self.camera = camera
        self.frame_size_px = frame_size_px
        self.trained = trained
        self._timestamps_ms: list[float] = []
        self._rows: list[Float32Array] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(
        self,
        timestamp_ms: float,
        parameters: SmplxParameters | None = None,
        translation_m: Float64Array | None = None,
        visibility: Float64Array | None = None,
    ) -> None:
        """Append a frame; without `parameters`, one without a person."""
        row = np.full(NUM_JOINTS * 3 + 10 + 10 + 3 + len(contract.VISIBILITY), np.nan, np.float32)
        if parameters is not None:
            if translation_m is None:
                raise InputError("A frame with a person needs translation_m, (3,) in metres.")
            seen = np.full(len(contract.VISIBILITY), np.nan) if visibility is None else visibility
            poses = matrix_to_axis_angle(joint_rotations(parameters)).reshape(-1)
            row[:] = np.concatenate((poses, parameters.betas, parameters.expression, translation_m, seen))
        self._timestamps_ms.append(float(timestamp_ms))
        self._rows.append(row)

    def clip(self) -> Clip:
        """The clip collected so far. Raises `InputError` when it has no frames."""
        if not self._rows:
            raise InputError("The clip has no frames.")
        poses, betas, expression, translation, visibility = np.split(
            np.stack(self._rows), np.cumsum((NUM_JOINTS * 3, 10, 10, 3)), axis=1
        )
        W, H = self.frame_size_px
        return Clip(
            timestamps_ms=np.array(self._timestamps_ms),
            poses=poses.reshape(-1, NUM_JOINTS, 3),
            betas=betas,
            expression=expression,
            translation_m=translation,
            visibility=visibility,
            camera=self.camera or PinholeCamera(float(np.hypot(W, H)), (W / 2, H / 2)),
            frame_size_px=self.frame_size_px,
            trained=self.trained,
        )


def rest_joints(body: BodyModel, betas: Float64Array, expression: Float64Array | None = None) -> Float64Array:
    """(55, 3) joints of a shape at rest, m."""
    coefficients = np.concatenate((betas, np.zeros(10) if expression is None else expression))
    moved = body.joint_directions.astype(np.float64) @ coefficients
    return body.joint_template.astype(np.float64) + moved.reshape(NUM_JOINTS, 3)
