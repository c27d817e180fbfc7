"""The network's outputs on one crop, made into a person (docs/pipeline.md, sections 3 to 5).

In: outputs, the crop, a body. Out: `Person`: SMPL-X parameters, a camera of the full image, joints, mesh on demand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coevoer_edge import contract
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import nearest_rotation
from coevoer_edge.errors import BundleError
from coevoer_edge.pipeline.camera import Crop, PinholeCamera

if TYPE_CHECKING:
    from coevoer_edge.body.model import BodyModel, Skeleton

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Person:
    """One person in the full image, upright as `read_image` gives it.

    Camera frame: x right, y down, z into the scene, m. Pixels: x right, y down, the first centre at (0.5, 0.5).
    """

    parameters: SmplxParameters  # rotations projected onto SO(3)
    translation_m: Array  # 3, camera frame: SMPL-X's `transl`
    camera: PinholeCamera  # of the full image, a long lens; `camera.convert_translation` moves to another
    crop: Crop  # what the network saw
    part_boxes_px: Array  # 3 4, x1 y1 x2 y2 of contract.PARTS; may reach outside the image
    visibility: Array  # 4, probabilities of contract.VISIBILITY
    joints_cam: Array  # 55 3, camera frame
    joints_px: Array  # 55 2
    trained: bool  # False: the weights are random, and so are these numbers
    _body: "BodyModel" = field(repr=False)
    _skeleton: "Skeleton" = field(repr=False)

    def mesh(self) -> Array:
        """Vertices (V, 3) in the camera frame, m; the faces are the body's. Computed when first asked for."""
        skin = self._skin
        vertices = np.empty(skin.shape[::-1])
        for axis, shift in enumerate(self.translation_m):  # added to rows of three numbers it would take twice the time
            np.add(skin[axis], shift, out=vertices[:, axis])
        return vertices

    @cached_property
    def _skin(self) -> NDArray[np.float32]:
        """3 V, before the translation."""
        return self._body.skin(self._skeleton)


@dataclass(frozen=True, eq=False)
class Decoded:
    """What the outputs say, in the frame's pixels and the camera of the crop; no body yet."""

    parameters: SmplxParameters  # rotations projected onto SO(3)
    translation_m: Array  # 3, under `crop.camera()`
    crop: Crop
    part_boxes_px: Array  # 3 4
    visibility: Array  # 4


def decode(outputs: Mapping[str, NDArray[np.floating]], crop: Crop, source: str) -> Decoded:
    """Check the contract's outputs (batch 1) and read them. `source` names the runtime in errors.

    Raises:
        BundleError: an output is missing, of another shape, or not finite.
    """
    check_outputs(outputs, source)
    in_crop = outputs["part_boxes"][0].astype(np.float64).reshape(-1, 2)  # two corners a part, fractions
    return Decoded(
        parameters=on_so3(SmplxParameters.from_outputs(outputs)),
        translation_m=outputs["camera"][0].astype(np.float64),
        crop=crop,
        part_boxes_px=crop.crop_to_image(in_crop * (contract.IMAGE_WIDTH_PX, contract.IMAGE_HEIGHT_PX)).reshape(-1, 4),
        visibility=outputs["visibility"][0].astype(np.float64),
    )


def embody(
    decoded: Decoded,
    body: "BodyModel",
    *,
    trained: bool,
    parameters: SmplxParameters | None = None,
    translation_m: Array | None = None,
    camera: PinholeCamera | None = None,
) -> Person:
    """Pose the body; with parameters, translation (3,) and camera of one's own instead of the decoded ones."""
    parameters = decoded.parameters if parameters is None else parameters
    translation = decoded.translation_m if translation_m is None else translation_m
    camera = decoded.crop.camera() if camera is None else camera
    skeleton = body.skeleton(parameters)
    joints_cam = skeleton.joints + translation
    return Person(
        parameters=parameters,
        translation_m=translation,
        camera=camera,
        crop=decoded.crop,
        part_boxes_px=decoded.part_boxes_px,
        visibility=decoded.visibility,
        joints_cam=joints_cam,
        joints_px=camera.project(joints_cam),
        trained=trained,
        _body=body,
        _skeleton=skeleton,
    )


def frame_camera(width_px: int, height_px: int) -> PinholeCamera:
    """The one camera of a stream: that of the crop which holds the whole frame."""
    return Crop.whole_frame(width_px, height_px).camera()


def check_outputs(outputs: Mapping[str, NDArray[np.floating]], source: str) -> None:
    """Refuse outputs that break the contract. Raises `BundleError`."""
    for output in contract.OUTPUTS:
        value = outputs.get(output.name)
        shape = None if value is None else value.shape
        if value is None or shape != output.shape:
            raise BundleError(
                f"Runtime {source} gave {output.name} with shape {shape}; the contract says {output.shape}. "
                "Export the bundle again."
            )
        if not np.isfinite(value).all():
            raise BundleError(
                f"Runtime {source} gave values in {output.name} that are not finite. "
                "Check the bundle with `coevoer-edge parity`, or export it with --precision fp32."
            )


def on_so3(parameters: SmplxParameters) -> SmplxParameters:
    """Project every rotation onto SO(3); see `rotations.nearest_rotation` for why the network's are not quite there."""
    rotations = nearest_rotation(parameters.rotations())
    return SmplxParameters.from_rotations(rotations, parameters.betas, parameters.expression)
