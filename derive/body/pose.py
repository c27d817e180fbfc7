"""From MakeHuman's A-pose, with bent elbows and curled fingers, to SMPL-X's T-pose.

In: people in the A-pose. Out: the same people in the T-pose, with their bone heads. Each person's own bones are aligned
with fixed directions, so people differ only in shape. Only `derive` imports this module.
"""

import numpy as np

from coevoer_edge.body.arrays import Float64Array
from derive.body.source import Source

_LEG_SPREAD_DEG = 2.5
_COLLAR_RAISE_DEG = 14.0  # the shoulder girdle's share when an arm rises from the A-pose
_FINGER_SPREAD = 0.75  # of the spread in the A-pose
_THUMB_RAISE_DEG = 25.0  # towards the plane of the palm
_FLIP = np.diag((-1.0, 1.0, 1.0))

_FINGERS = ("finger2", "finger3", "finger4", "finger5")


def to_t_pose(
    source: Source, vertices: Float64Array, heads: Float64Array, tails: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Convert vertices (B, V, 3) and bone heads (B, K, 3) in the A-pose to the T-pose; `tails` are the bones' ends.

    This is linear blend skinning with MakeHuman's own weights and all its bones, so the forearm's twist is distributed
    along the forearm.
    """
    rotations = _bone_rotations(source, heads, tails)  # B K 3 3
    posed_heads = heads.copy()
    for bone, parent in enumerate(source.bone_parents):
        if parent >= 0:
            offset = heads[:, bone] - heads[:, parent]
            posed_heads[:, bone] = posed_heads[:, parent] + np.einsum("bij,bj->bi", rotations[:, parent], offset)
    shifts = posed_heads - np.einsum("bkij,bkj->bki", rotations, heads)  # B K 3
    transforms = np.concatenate((rotations, shifts[..., None]), axis=-1)  # B K 3 4
    posed = np.empty_like(vertices)
    for person in range(len(vertices)):
        blended = (source.weights @ transforms[person].reshape(-1, 12)).reshape(-1, 3, 4)
        posed[person] = np.einsum("vij,vj->vi", blended[..., :3], vertices[person]) + blended[..., 3]
    return posed, posed_heads


def _bone_rotations(source: Source, heads: Float64Array, tails: Float64Array) -> Float64Array:
    """Rotation of each bone from the A-pose to the T-pose, in the body's frame: (B, K, 3, 3)."""
    index = {name: i for i, name in enumerate(source.bone_names)}
    head = {name: heads[:, i] for name, i in index.items()}
    tail = {name: tails[:, i] for name, i in index.items()}
    own = _left_arm(head, tail) | _left_leg(head)
    B, K = heads.shape[:2]
    result = np.tile(np.eye(3), (B, K, 1, 1))
    for bone, name in enumerate(source.bone_names):
        left = name[:-2] + ".L" if name.endswith(".R") else name
        if left in own:
            result[:, bone] = own[left] if left == name else _FLIP @ own[left] @ _FLIP
        elif source.bone_parents[bone] >= 0:
            result[:, bone] = result[:, source.bone_parents[bone]]
    return result


def _left_arm(head: dict[str, Float64Array], tail: dict[str, Float64Array]) -> dict[str, Float64Array]:
    """Arm along +x, elbow bending forward, palm down, fingers straight, thumb beside the palm."""
    x, up = np.array((1.0, 0.0, 0.0)), np.array((0.0, 1.0, 0.0))
    upper = head["lowerarm01.L"] - head["upperarm01.L"]
    fore = head["wrist.L"] - head["lowerarm01.L"]
    hinge = np.cross(upper, fore)
    middle = head["finger3-1.L"] - head["wrist.L"]
    palm = np.cross(middle, head["finger2-1.L"] - head["finger5-1.L"])
    elbow = _frame_to_frame(fore, hinge, x, -up)
    hand = _frame_to_frame(middle, palm, x, -up)
    rotations = {
        "clavicle.L": np.tile(_about_z(np.radians(_COLLAR_RAISE_DEG)), (len(upper), 1, 1)),
        "upperarm01.L": _frame_to_frame(upper, hinge, x, -up),
        "lowerarm01.L": _twist_share(elbow, _frame_to_frame(fore, palm, x, -up), 0.35),
        "lowerarm02.L": _twist_share(elbow, _frame_to_frame(fore, palm, x, -up), 0.8),
        "wrist.L": hand,
        "finger1-1.L": _about_x(np.full(len(upper), -np.radians(_THUMB_RAISE_DEG))) @ hand,
    }
    for finger in _FINGERS:
        first, second, third = (head[f"{finger}-{i}.L"] for i in (1, 2, 3))
        along = np.einsum("bij,bj->bi", hand, second - first)
        along[:, 1] = 0.0
        along[:, 2] *= _FINGER_SPREAD
        curl = np.cross(second - first, tail[f"{finger}-3.L"] - third)
        target_curl = np.cross(along, -up)
        for i, bone in enumerate((second - first, third - second, tail[f"{finger}-3.L"] - third), 1):
            rotations[f"{finger}-{i}.L"] = _frame_to_frame(bone, curl, along, target_curl)
    return rotations


def _left_leg(head: dict[str, Float64Array]) -> dict[str, Float64Array]:
    """Thigh and shank on one line; the foot keeps its orientation on the floor."""
    spread = np.radians(_LEG_SPREAD_DEG)
    down, forward = np.array((np.sin(spread), -np.cos(spread), 0.0)), np.array((0.0, 0.0, 1.0))
    hip, knee, ankle = head["upperleg01.L"], head["lowerleg01.L"], head["foot.L"]
    return {
        "upperleg01.L": _frame_to_frame(knee - hip, np.broadcast_to(forward, hip.shape), down, forward),
        "lowerleg01.L": _frame_to_frame(ankle - knee, np.broadcast_to(forward, hip.shape), down, forward),
        "foot.L": np.tile(np.eye(3), (len(hip), 1, 1)),
    }


def _frame_to_frame(a: Float64Array, b: Float64Array, to_a: Float64Array, to_b: Float64Array) -> Float64Array:
    """The rotation (B, 3, 3) that takes `a` to `to_a` and the plane of `a` and `b` to that of `to_a` and `to_b`."""
    return _frame(to_a, to_b) @ np.swapaxes(_frame(a, b), -1, -2)


def _frame(a: Float64Array, b: Float64Array) -> Float64Array:
    first = a / np.linalg.norm(a, axis=-1, keepdims=True)
    third = np.cross(first, b)
    third = third / np.linalg.norm(third, axis=-1, keepdims=True)
    return np.stack((first, np.cross(third, first), third), axis=-1)


def _twist_share(start: Float64Array, end: Float64Array, share: float) -> Float64Array:
    """Interpolate between two (B, 3, 3) rotations that differ by a turn about +x in the posed frame."""
    between = end @ np.swapaxes(start, -1, -2)
    angle = share * np.arctan2(between[:, 2, 1], between[:, 1, 1])
    return _about_x(angle) @ start


def _about_x(angle: Float64Array) -> Float64Array:
    """Angles (B,), rad, to rotations (B, 3, 3)."""
    turn = np.zeros((len(angle), 3, 3))
    turn[:, 0, 0] = 1.0
    turn[:, 1, 1] = turn[:, 2, 2] = np.cos(angle)
    turn[:, 2, 1] = np.sin(angle)
    turn[:, 1, 2] = -turn[:, 2, 1]
    return turn


def _about_z(angle: float) -> Float64Array:
    return np.array(((np.cos(angle), -np.sin(angle), 0.0), (np.sin(angle), np.cos(angle), 0.0), (0.0, 0.0, 1.0)))
