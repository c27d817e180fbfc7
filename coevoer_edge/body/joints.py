"""The 55 SMPL-X joints: names, parents and parts, in SMPL-X order.

In: nothing. Out: names and indices (source: smplx/joint_names.py and kintree_table of SMPLX_NEUTRAL.npz).
"""

BODY_JOINT_NAMES = (
    "pelvis",
    "left_hip",
    "right_hip",
    "spine1",
    "left_knee",
    "right_knee",
    "spine2",
    "left_ankle",
    "right_ankle",
    "spine3",
    "left_foot",
    "right_foot",
    "neck",
    "left_collar",
    "right_collar",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
)
FACE_JOINT_NAMES = ("jaw", "left_eye_smplhf", "right_eye_smplhf")
FINGER_NAMES = ("index", "middle", "pinky", "ring", "thumb")


def _hand_joint_names(side: str) -> tuple[str, ...]:
    return tuple(f"{side}_{finger}{segment}" for finger in FINGER_NAMES for segment in (1, 2, 3))


LEFT_HAND_JOINT_NAMES = _hand_joint_names("left")
RIGHT_HAND_JOINT_NAMES = _hand_joint_names("right")

JOINT_NAMES = (*BODY_JOINT_NAMES, *FACE_JOINT_NAMES, *LEFT_HAND_JOINT_NAMES, *RIGHT_HAND_JOINT_NAMES)
NUM_JOINTS = len(JOINT_NAMES)  # 55

_BODY_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
_HEAD, _LEFT_WRIST, _RIGHT_WRIST = (BODY_JOINT_NAMES.index(n) for n in ("head", "left_wrist", "right_wrist"))


def _hand_parents(wrist: int, first: int) -> tuple[int, ...]:
    """Each finger is a chain of three that starts at the wrist."""
    return tuple(wrist if i % 3 == 0 else first + i - 1 for i in range(len(FINGER_NAMES) * 3))


PARENTS = (*_BODY_PARENTS, _HEAD, _HEAD, _HEAD, *_hand_parents(_LEFT_WRIST, 25), *_hand_parents(_RIGHT_WRIST, 40))
"""Index of each joint's parent, -1 for the root."""
