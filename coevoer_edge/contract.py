"""Every input and output of the network, in one place: exporters, manifest, runtimes and apps read them from here.

In: nothing. Out: `INPUT`, `OUTPUTS` and the sizes that follow from them.
"""

from dataclasses import dataclass
from typing import Literal

SCHEMA_VERSION = 2

# The network's input crop. OSX main/config.py: input_body_shape.
IMAGE_HEIGHT_PX = 256
IMAGE_WIDTH_PX = 192

# Virtual camera over that crop. OSX main/config.py: focal, camera_3d_size. Principal point: the crop's centre.
VIRTUAL_FOCAL_PX = 5000.0
CAMERA_3D_SIZE_M = 2.5

NUM_BODY_JOINTS = 21  # without the root (pelvis), in SMPL-X order
NUM_HAND_JOINTS = 15  # each hand, in SMPL-X order: index, middle, pinky, ring, thumb
NUM_BETAS = 10
NUM_EXPRESSION = 10

PARTS = ("face", "left_hand", "right_hand")
"""Order of the part boxes. Left and right are the person's own."""

VISIBILITY = ("person", *PARTS)
"""Order of the visibility output."""


@dataclass(frozen=True)
class ImageInput:
    """The single input. Core ML takes an 8-bit RGB image, the other targets a float tensor."""

    name: str
    shape: tuple[int, int, int, int]  # B 3 H W
    colour: Literal["RGB"]
    value_range: tuple[float, float]
    layout: Literal["NCHW"]


@dataclass(frozen=True)
class Output:
    """One output tensor: its SMPL-X name, its shape with batch 1, its unit, and a description with its frame."""

    name: str
    shape: tuple[int, ...]
    unit: str
    description: str


INPUT = ImageInput("image", (1, 3, IMAGE_HEIGHT_PX, IMAGE_WIDTH_PX), "RGB", (0.0, 1.0), "NCHW")

_ROTATION = "rotation matrix"

OUTPUTS = (
    Output("global_orient", (1, 1, 3, 3), _ROTATION, "SMPL-X root to camera (x right, y down, z into the scene)"),
    Output("body_pose", (1, NUM_BODY_JOINTS, 3, 3), _ROTATION, "each body joint to its parent, SMPL-X order"),
    Output("left_hand_pose", (1, NUM_HAND_JOINTS, 3, 3), _ROTATION, "each joint to its parent; no mean pose added"),
    Output("right_hand_pose", (1, NUM_HAND_JOINTS, 3, 3), _ROTATION, "each joint to its parent; no mean pose added"),
    Output("jaw_pose", (1, 1, 3, 3), _ROTATION, "jaw to head"),
    Output("betas", (1, NUM_BETAS), "standard deviations", "shape coefficients"),
    Output("expression", (1, NUM_EXPRESSION), "standard deviations", "expression coefficients"),
    Output("camera", (1, 3), "m", "translation of the body in the virtual camera of the crop (focal 5000 px)"),
    Output("part_boxes", (1, len(PARTS), 4), "fraction of the crop", "x1 y1 x2 y2 of face, left hand, right hand"),
    Output("visibility", (1, len(VISIBILITY)), "probability", "person, face, left hand, right hand is in the crop"),
)

OUTPUT_NAMES = tuple(output.name for output in OUTPUTS)
