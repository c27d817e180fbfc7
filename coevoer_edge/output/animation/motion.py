"""A clip as animation: one shape, a real camera, glTF's axes, no frames without a person.

In: a `Clip` and its body. Out: `Motion`, which the writers of BVH and GLB share.
"""

from dataclasses import dataclass

import numpy as np

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.joints import NUM_JOINTS, PARENTS
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from coevoer_edge.output.animation.clip import ROUNDING_MS, Clip, rest_joints
from coevoer_edge.output.meshes import CAMERA_TO_GLTF
from coevoer_edge.pipeline.camera import PinholeCamera


@dataclass(frozen=True, eq=False)
class Motion:
    """N frames with a person. World: glTF's (x right, y up, z towards the viewer), m, the camera at the origin."""

    times_s: Float64Array  # N, counted from the clip's first frame
    rotations: Float64Array  # N 55 3 3, each joint relative to its parent, the root relative to the world
    pelvis_m: Float64Array  # N 3, the pelvis joint in the world
    expression: Float64Array  # N 10
    betas: Float64Array  # 10, of the whole clip
    joints_m: Float64Array  # 55 3, at rest
    camera: PinholeCamera  # the lens that the positions are for
    frame_size_px: tuple[int, int]
    frames_per_second: float

    def world(self) -> tuple[Float64Array, Float64Array]:
        """Rotations (N, 55, 3, 3) and positions (N, 55, 3) of all joints in the world, without the expression."""
        turns, places = np.empty_like(self.rotations), np.empty((len(self.times_s), NUM_JOINTS, 3))
        turns[:, 0], places[:, 0] = self.rotations[:, 0], self.pelvis_m
        for joint in range(1, NUM_JOINTS):
            parent = PARENTS[joint]
            turns[:, joint] = turns[:, parent] @ self.rotations[:, joint]
            places[:, joint] = places[:, parent] + turns[:, parent] @ (self.joints_m[joint] - self.joints_m[parent])
        return turns, places


def real_camera(frame_size_px: tuple[int, int], focal_px: float | None = None) -> PinholeCamera:
    """The lens that positions people in a world: the network's own is 5000 px over a crop, which puts them 30 m away.

    Without a known focal length it is the frame's diagonal, as CLIFF assumes (Li et al. 2022), which gives a diagonal
    field of view of 53 degrees.
    """
    W, H = frame_size_px
    return PinholeCamera(float(np.hypot(W, H)) if focal_px is None else focal_px, (W / 2, H / 2))


def motion_of(clip: Clip, body: BodyModel, focal_px: float | None = None) -> Motion:
    """The frames with a person, under the camera of `real_camera`.

    A body keeps its position and size in the picture (`camera.convert_translation`, weak perspective). Rotations are
    unchanged. Raises `InputError` for a clip without any person.
    """
    betas = clip.shape()
    joints = rest_joints(body, betas)
    found = clip.found
    rotations = axis_angle_to_matrix(clip.poses[found])  # N 55 3 3
    rotations[:, 0] = CAMERA_TO_GLTF @ rotations[:, 0]
    camera = real_camera(clip.frame_size_px, focal_px)
    x, y, z = clip.translation_m[found].astype(np.float64).T
    shift = np.subtract(clip.camera.principal_point_px, camera.principal_point_px)[:, None] * z / clip.camera.focal_px
    translation = np.stack((x + shift[0], y + shift[1], z * camera.focal_px / clip.camera.focal_px), axis=1)
    return Motion(
        times_s=(clip.timestamps_ms[found] - clip.timestamps_ms[0]) / 1000,
        rotations=rotations,
        pelvis_m=(translation + joints[0]) @ CAMERA_TO_GLTF.T,
        expression=clip.expression[found].astype(np.float64),
        betas=betas,
        joints_m=joints,
        camera=camera,
        frame_size_px=clip.frame_size_px,
        frames_per_second=clip.frames_per_second,
    )


def at_even_rate(motion: Motion) -> Motion:
    """The same motion with a frame every 1 / rate seconds from 0 to the last, as BVH needs it.

    Rotations are interpolated the shortest way between neighbours, everything else linearly; before the first person
    and after the last the pose is held. Frames that lie on the grid (to 0.1 % of a step) are kept as they are.
    """
    steps = motion.times_s * motion.frames_per_second
    if np.abs(steps - steps.round()).max() <= ROUNDING_MS / 1000 * motion.frames_per_second:
        steps = steps.round()  # the file's times are only rounded
    grid = np.arange(int(np.floor(steps[-1] + 0.001)) + 1, dtype=np.float64)
    after = np.searchsorted(steps, grid).clip(0, len(steps) - 1)
    before = np.maximum(after - 1, 0)
    span = steps[after] - steps[before]
    share = np.where(span > 0, (grid - steps[before]) / np.where(span > 0, span, 1), 1.0).clip(0, 1)
    share = np.where(np.abs(share - share.round()) * np.maximum(span, 1) < 0.001, share.round(), share)

    def straight(values: Float64Array) -> Float64Array:
        between: Float64Array = values[before] + share[:, None] * (values[after] - values[before])
        return between

    start = motion.rotations[before]
    turn = matrix_to_axis_angle(np.swapaxes(start, -1, -2) @ motion.rotations[after])
    return Motion(
        times_s=grid / motion.frames_per_second,
        rotations=start @ axis_angle_to_matrix(share[:, None, None] * turn),
        pelvis_m=straight(motion.pelvis_m),
        expression=straight(motion.expression),
        betas=motion.betas,
        joints_m=motion.joints_m,
        camera=motion.camera,
        frame_size_px=motion.frame_size_px,
        frames_per_second=motion.frames_per_second,
    )
