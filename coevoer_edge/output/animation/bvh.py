"""A motion as BVH, the text format that Blender, MotionBuilder, Maya and game engines import.

In: a `Clip` and its body. Out: a .bvh file: 55 joints under SMPL-X's names, offsets in cm, y up, the rest pose a T-pose
that faces +z; the root has its position in the world, and every joint has rotations in the order Z, X, Y (degrees): R =
Rz Rx Ry. The frame time is constant; see `motion.at_even_rate` for streams with irregular frames. BVH carries no shape,
no face and no mesh.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.joints import JOINT_NAMES, NUM_JOINTS, PARENTS
from coevoer_edge.body.model import BodyModel
from coevoer_edge.files.whole import write_whole
from coevoer_edge.output.animation.clip import Clip
from coevoer_edge.output.animation.motion import Motion, at_even_rate, motion_of

ROTATION_ORDER = "ZXY"
CM_PER_M = 100.0

_CHILDREN = [[j for j in range(NUM_JOINTS) if PARENTS[j] == i] for i in range(NUM_JOINTS)]
_STEEP = 1 - 1e-12  # of the sine of the middle angle: Z and Y turn about one line


def write_bvh(path: Path | str, clip: Clip, body: BodyModel, *, focal_px: float | None = None) -> Path:
    """Write a clip; the same arguments give the same bytes.

    `focal_px` is the real lens in pixels of the frame (`motion.real_camera` without it). Raises `InputError` for a
    clip without any person.
    """
    motion = at_even_rate(motion_of(clip, body, focal_px))
    order = _depth_first(0)
    angles = np.degrees(matrix_to_zxy(motion.rotations))  # N 55 3
    angles = _unwrapped_deg(angles)
    rows = np.concatenate((motion.pelvis_m[:, None] * CM_PER_M, angles[:, order]), axis=1)  # N 56 3
    lines = [
        "HIERARCHY",
        *_joint_lines(0, motion, joint_tips(body)),
        "MOTION",
        f"Frames: {len(rows)}",
        f"Frame Time: {1 / motion.frames_per_second:.8f}",
        *(" ".join(f"{value:.6f}" for value in row.reshape(-1)) for row in rows),
    ]
    path = Path(path)
    write_whole(path, "\n".join(lines) + "\n")
    return path


def joint_tips(body: BodyModel) -> Float64Array:
    """(55, 3) where each bone without children ends in the mean shape, from its joint at rest, m; others are zero.

    The vertex farthest out along the bone among those that follow it most: fingertips, toes, chin, cornea.
    """
    template, follows = body.joint_template.astype(np.float64), body.file.weights.argmax(1)
    tips = np.zeros((NUM_JOINTS, 3))
    for joint in (j for j in range(NUM_JOINTS) if not _CHILDREN[j]):
        direction = template[joint] - template[PARENTS[joint]]
        own = body.file.v_template[follows == joint].astype(np.float64) - template[joint]
        tips[joint] = own[(own @ direction).argmax()] if len(own) else direction
    return tips


def matrix_to_zxy(matrix: Float64Array) -> Float64Array:
    """(..., 3, 3) to angles (..., 3) about z, x and y in rad, with Rz(a) Rx(b) Ry(c) the matrix; b in [-pi/2, pi/2].

    Where b is a right angle, c is 0.
    """
    R = np.asarray(matrix, np.float64)
    sine = R[..., 2, 1].clip(-1, 1)
    steep = np.abs(sine) > _STEEP
    z = np.where(steep, np.arctan2(R[..., 1, 0], R[..., 0, 0]), np.arctan2(-R[..., 0, 1], R[..., 1, 1]))
    y = np.where(steep, 0.0, np.arctan2(-R[..., 2, 0], R[..., 2, 2]))
    x = np.arctan2(sine, np.hypot(R[..., 0, 1], R[..., 1, 1]))
    return np.stack((z, x, y), axis=-1)


def _unwrapped_deg(angles: Float64Array) -> Float64Array:
    """The same rotations (N, 55, 3) with angles that do not jump from frame to frame.

    (z, x, y) and (z + 180, 180 - x, y + 180) are the same rotation; the one nearer to the previous frame is used, with
    full turns added. Programs that interpolate angles between frames would otherwise spin a limb.
    """
    out = angles.copy()
    flip, sign = np.array((180.0, 180.0, 180.0)), np.array((1.0, -1.0, 1.0))
    for i in range(1, len(out)):
        same, other = (_nearest_turn(choice, out[i - 1]) for choice in (angles[i], flip + sign * angles[i]))
        nearer = np.abs(other - out[i - 1]).sum(-1) < np.abs(same - out[i - 1]).sum(-1) - 1e-9
        out[i] = np.where(nearer[:, None], other, same)
    return out


def _nearest_turn(angles: Float64Array, to: Float64Array) -> Float64Array:
    result: Float64Array = angles + 360 * np.round((to - angles) / 360)
    return result


def _depth_first(joint: int) -> list[int]:
    """Joints in the order of the hierarchy, which is also the order of the channels."""
    return [joint, *(below for child in _CHILDREN[joint] for below in _depth_first(child))]


def _joint_lines(joint: int, motion: Motion, tips: NDArray[np.float64]) -> list[str]:
    parent = PARENTS[joint]
    offset = np.zeros(3) if parent < 0 else motion.joints_m[joint] - motion.joints_m[parent]
    turns = " ".join(f"{axis}rotation" for axis in ROTATION_ORDER)
    channels = f"CHANNELS 6 Xposition Yposition Zposition {turns}" if parent < 0 else f"CHANNELS 3 {turns}"
    body = [_offset(offset), channels]
    for child in _CHILDREN[joint]:
        body += _joint_lines(child, motion, tips)
    if not _CHILDREN[joint]:
        body += ["End Site", "{", "\t" + _offset(tips[joint]), "}"]
    head = [f"{'ROOT' if parent < 0 else 'JOINT'} {JOINT_NAMES[joint]}", "{"]
    return [*head, *("\t" + line for line in body), "}"]


def _offset(metres: Float64Array) -> str:
    return "OFFSET " + " ".join(f"{value:.6f}" for value in metres * CM_PER_M)
