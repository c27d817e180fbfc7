"""One photograph in, one person out: the running chain put together.

In: an image, a runtime, a body. Out: `Person`: SMPL-X parameters, full-image camera, joints in pixels, mesh on demand.
No torch, so that it runs where only a runtime is installed.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from coevoer_edge import contract
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.camera import Crop, PinholeCamera
from coevoer_edge.errors import BundleError, CoEvoerError, InputError
from coevoer_edge.image import CROP_RULE, ImageSource, Pixels, extract_crop, read_image
from coevoer_edge.parameters import SmplxParameters
from coevoer_edge.rotations import nearest_rotation

if TYPE_CHECKING:
    from coevoer_edge.body.model import BodyModel
    from coevoer_edge.bundle import Bundle
    from coevoer_edge.runtime import Runtime

Array = NDArray[np.float64]

DEFAULT_PASSES = 2
SMALLEST_CROP = 1 / 16
"""Of the whole frame's crop. A body smaller than that was 16 px high where it was found: too little to trust."""
SMALLEST_OVERLAP = 1 / 10
"""Part of the body's box that lies in the image. A face that fills the frame still leaves more than that."""

_FOLLOWED = [JOINT_NAMES.index(name) for name in CROP_RULE.next_crop_joints]


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
    _vertices_body: Array = field(repr=False)  # V 3, before the translation

    def mesh(self) -> Array:
        """Vertices (V, 3) in the camera frame, m; the faces are the body's."""
        return self._vertices_body + self.translation_m


class Estimator:
    """Finds the person in an image. The first crop is the whole frame; the next ones follow the predicted body.

    `passes` counts runs of the network on one image: 1 looks at the whole frame only, 2 (the default) once more at
    the crop around the upper body it found there. Where that body is no usable guide (`next_crop` tells which), the
    last crop stays. Give `trained=False` with random weights, so that every `Person` says so.
    """

    def __init__(self, runtime: "Runtime", body: "BodyModel", *, trained: bool, passes: int = DEFAULT_PASSES) -> None:
        if passes < 1:
            raise InputError(f"passes is {passes}; give 1 (whole frame only) or more.")
        self.runtime = runtime
        self.body = body
        self.trained = trained
        self.passes = passes
        self._closed = False

    @classmethod
    def open(cls, bundle_path: str | Path, body: str | Path | None = None, *, passes: int = DEFAULT_PASSES) -> Self:
        """Open a bundle folder, with the user's own SMPLX_NEUTRAL.npz as `body` or the open body without one."""
        from coevoer_edge.bundle import Bundle

        return cls.from_bundle(Bundle.open(bundle_path), body, passes=passes)

    @classmethod
    def from_bundle(cls, bundle: "Bundle", body: str | Path | None = None, *, passes: int = DEFAULT_PASSES) -> Self:
        """As `open`, for a bundle that is already open and verified."""
        from coevoer_edge.body.model import BodyModel
        from coevoer_edge.runtime import open_runtime

        body_model = BodyModel.open(body)  # before the runtime, which holds resources
        return cls(open_runtime(bundle), body_model, trained=bundle.manifest.trained, passes=passes)

    def __call__(self, image: ImageSource) -> Person:
        """Estimate the person in a path, a PIL image or a uint8 RGB array (H, W, 3).

        Raises `InputError` for an unusable image, `BundleError` when the network breaks its contract.
        """
        if self._closed:
            raise CoEvoerError("The estimator is closed; open another with Estimator.open(bundle).")
        pixels = read_image(image)
        height, width = pixels.shape[:2]
        person = self._look(pixels, Crop.whole_frame(width, height))
        for _ in range(self.passes - 1):
            crop = next_crop(person.joints_cam, person.joints_px, width, height)
            if crop is None:
                break
            person = self._look(pixels, crop)
        return person

    def detect(self, image: ImageSource) -> Person:
        """`estimator(image)` under MediaPipe's name, image mode."""
        return self(image)

    def close(self) -> None:
        """Free the runtime. Closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self.runtime.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _look(self, pixels: Pixels, crop: Crop) -> Person:
        """One run of the network on one crop."""
        outputs = self.runtime(extract_crop(pixels, crop))
        _check_outputs(outputs, self.runtime.name)
        parameters = _on_so3(SmplxParameters.from_outputs(outputs))
        translation = outputs["camera"][0].astype(np.float64)
        camera = crop.camera()
        posed = self.body.pose(parameters)
        joints_cam = np.asarray(posed.joints, np.float64) + translation
        in_crop = outputs["part_boxes"][0].astype(np.float64).reshape(-1, 2)  # two corners a part, fractions
        boxes = crop.crop_to_image(in_crop * (contract.IMAGE_WIDTH_PX, contract.IMAGE_HEIGHT_PX)).reshape(-1, 4)
        return Person(
            parameters=parameters,
            translation_m=translation,
            camera=camera,
            crop=crop,
            part_boxes_px=boxes,
            visibility=outputs["visibility"][0].astype(np.float64),
            joints_cam=joints_cam,
            joints_px=camera.project(joints_cam),
            trained=self.trained,
            _vertices_body=np.asarray(posed.vertices, np.float64),
        )


def next_crop(joints_cam: Array, joints_px: Array, image_width_px: int, image_height_px: int) -> Crop | None:
    """The crop that follows a predicted body by `CROP_RULE`, or None when the body is no usable guide.

    `joints_cam` is (55, 3), m; `joints_px` (55, 2). The box of the upper body (pelvis upwards, with hands and face) is
    clipped to the image, as OSX does (common/utils/preprocessing.py sanitize_bbox), so that the crop spends no pixels
    on what is out of sight. None when a followed joint is not finite or not in front of the camera, when less than
    `SMALLEST_OVERLAP` of the box lies in the image, or when the crop would be below `SMALLEST_CROP` of the whole
    frame's.
    """
    depth_m, points = joints_cam[_FOLLOWED, 2], joints_px[_FOLLOWED]
    if not (np.isfinite(points).all() and (depth_m > 0).all()):
        return None
    frame = np.array((image_width_px, image_height_px), np.float64)
    low, high = points.min(0), points.max(0)
    seen_low, seen_high = np.maximum(low, 0), np.minimum(high, frame)
    if (seen_low >= seen_high).any() or np.prod((seen_high - seen_low) / (high - low)) < SMALLEST_OVERLAP:
        return None
    crop = Crop.around(np.concatenate((seen_low, seen_high)), CROP_RULE.next_crop_scale)
    if crop.width < SMALLEST_CROP * Crop.whole_frame(image_width_px, image_height_px).width:
        return None
    return crop


def _check_outputs(outputs: dict[str, NDArray[np.float32]], runtime: str) -> None:
    for output in contract.OUTPUTS:
        value = outputs.get(output.name)
        shape = None if value is None else value.shape
        if value is None or shape != output.shape:
            raise BundleError(
                f"Runtime {runtime} gave {output.name} with shape {shape}; the contract says {output.shape}. "
                "Export the bundle again."
            )
        if not np.isfinite(value).all():
            raise BundleError(
                f"Runtime {runtime} gave values in {output.name} that are not finite. "
                "Check the bundle with `coevoer-edge parity`, or export it with --precision fp32."
            )


def _on_so3(parameters: SmplxParameters) -> SmplxParameters:
    """Project every rotation onto SO(3); see `rotations.nearest_rotation` for why the network's are not quite there."""
    values = {f.name: getattr(parameters, f.name) for f in fields(parameters)}
    return SmplxParameters(
        **{name: nearest_rotation(value) if value.shape[-2:] == (3, 3) else value for name, value in values.items()}
    )
