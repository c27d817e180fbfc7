"""From the network's outputs on one crop to a person (docs/pipeline.md, sections 3 to 5).

In: outputs, the crop, a body. Out: `Person`: SMPL-X parameters, a camera of the full image, joints, mesh on demand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from coevoer_edge import contract
from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import nearest_rotation
from coevoer_edge.errors import BundleError, CoEvoerError
from coevoer_edge.pipeline.camera import Crop, PinholeCamera

if TYPE_CHECKING:
    from PIL import Image

    from coevoer_edge.body.model import BodyModel, Skeleton
    from coevoer_edge.pipeline.image import ImageSource


@dataclass(frozen=True, eq=False, repr=False)
class Mesh:
    """Triangles between vertices; outward faces run counterclockwise."""

    vertices: Float64Array  # V 3, camera frame, m
    faces: NDArray[np.int32]  # F 3, indices of vertices; the body's own array, shared by all of its meshes

    def __repr__(self) -> str:
        return f"<Mesh: {len(self.vertices)} vertices, {len(self.faces)} faces>"


class PersonViews(Protocol):
    """Makes dictionaries, files and images of a person.

    `coevoer_edge.output.person_files` implements it; the estimator passes it in, because `output` imports this module.
    """

    def to_dict(self, person: "Person") -> dict[str, Any]:
        """The content of the `.json` file that `run` writes."""
        ...

    def save(
        self,
        person: "Person",
        folder: str | Path,
        *,
        name: str | None,
        image: "ImageSource | None",
        overlay: bool,
        overwrite: bool,
    ) -> tuple[Path, ...]:
        """Write the files that `run` writes, and return their paths."""
        ...

    def overlay(self, person: "Person", image: "ImageSource | None") -> "Image.Image":
        """The image with the body over it."""
        ...

    def png(self, person: "Person") -> bytes | None:
        """A small overlay for notebooks; None where there is no image."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class Person:
    """One person in the full image, upright as `read_image` gives it.

    Camera frame: x right, y down, z into the scene, m. Pixels: x right, y down, the first centre at (0.5, 0.5).
    A person of a photograph keeps its pixels, for `overlay` and `save`; one of a stream does not keep its frame.
    """

    parameters: SmplxParameters  # rotations projected onto SO(3)
    translation_m: Float64Array  # 3, camera frame: SMPL-X's `transl`
    camera: PinholeCamera  # of the full image, a long lens; `camera.convert_translation` moves to another
    crop: Crop  # the network's input
    part_boxes_px: Float64Array  # 3 4, x1 y1 x2 y2 of contract.PARTS; may reach outside the image
    visibility: Float64Array  # 4, probabilities of contract.VISIBILITY
    joints_cam: Float64Array  # 55 3, camera frame
    joints_px: Float64Array  # 55 2
    trained: bool  # False: the weights are random, and so are these numbers
    _body: "BodyModel"
    _skeleton: "Skeleton"
    _views: PersonViews | None = field(default=None)

    def __repr__(self) -> str:
        trained = "trained" if self.trained else "untrained, so that its numbers are random"
        return f"<Person: {seen(self.visibility)}; crop {self.crop}; {trained}>"

    def mesh(self) -> Mesh:
        """The body's surface in the camera frame, m. Its vertices are computed when first asked for."""
        skin = self._skin
        vertices = np.empty(skin.shape[::-1])
        for axis, shift in enumerate(self.translation_m):  # added to rows of three numbers it would take twice the time
            np.add(skin[axis], shift, out=vertices[:, axis])
        return Mesh(vertices, self._body.faces)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the mesh, ready for JSON: the same as in the `.json` file that `save` and `run` write.

        SMPL-X's parameters under their own names (axis-angle in rad, m), camera, crop, boxes, visibility and joints by
        name (px and m), ARKit weights and VRM rotations, and their origin. docs/outputs.md describes each key.

        Raises:
            CoEvoerError: a person that no `Estimator` made.
        """
        return self._outside().to_dict(self)

    def save(
        self,
        folder: str | Path,
        name: str | None = None,
        *,
        image: "ImageSource | None" = None,
        overlay: bool = True,
        overwrite: bool = False,
    ) -> tuple[Path, ...]:
        """Write the same files as `run` for a photograph: `.json`, `.npz`, `.glb` and `.overlay.png`.

        Args:
            folder: where to write them; it is made if it does not exist.
            name: what the files are called, without a suffix; None for the name of the image's own file, or "person"
                where it came from memory.
            image: the frame, for a person of a stream, which does not keep it; as for `overlay`.
            overlay: False leaves the `.overlay.png` out.
            overwrite: replace files that exist.

        Returns:
            The files, in the order above.

        Raises:
            InputError: a file that exists, a name with a folder in it, a frame that is missing or of another size.
            CoEvoerError: a folder that cannot be made, or a person that no `Estimator` made.
        """
        return self._outside().save(self, folder, name=name, image=image, overlay=overlay, overwrite=overwrite)

    def overlay(self, image: "ImageSource | None" = None) -> "Image.Image":
        """The image with the shaded mesh and the joints over it, as a PIL image of the same size.

        `numpy.asarray(person.overlay())` is the same as (H, W, 3) uint8 RGB. A banner says so where the weights are
        untrained.

        Args:
            image: a path, a PIL image or a uint8 RGB array (H, W, 3); None for the photograph itself. A person of a
                stream needs the frame it was found in.

        Raises:
            InputError: an image that is missing, unusable or of another size than the one the person was found in.
            CoEvoerError: a person that no `Estimator` made.
        """
        return self._outside().overlay(self, image)

    def _repr_png_(self) -> bytes | None:
        """The overlay in a notebook, at most 768 px long; None for a stream, whose frames are not kept."""
        return None if self._views is None else self._views.png(self)

    def _outside(self) -> PersonViews:
        if self._views is None:
            raise CoEvoerError(
                "This person was made without an Estimator, so it has no image and no origin to write; use "
                "the person that Estimator gives."
            )
        return self._views

    @cached_property
    def _skin(self) -> NDArray[np.float32]:
        """3 V, before the translation."""
        return self._body.skin(self._skeleton)


def seen(visibility: Float64Array) -> str:
    """Probabilities of `contract.VISIBILITY` (4,) as text: person 0.98, face 0.97, left hand 0.40, right hand 0.91."""
    pairs = zip(contract.VISIBILITY, visibility, strict=True)
    return ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in pairs)


@dataclass(frozen=True, eq=False)
class Decoded:
    """The decoded outputs, in the frame's pixels and the camera of the crop, before a body is posed."""

    parameters: SmplxParameters  # rotations projected onto SO(3)
    translation_m: Float64Array  # 3, under `crop.camera()`
    crop: Crop
    part_boxes_px: Float64Array  # 3 4
    visibility: Float64Array  # 4


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
    translation_m: Float64Array | None = None,
    camera: PinholeCamera | None = None,
    views: PersonViews | None = None,
) -> Person:
    """Pose the body; parameters, translation (3,), m, and camera replace the decoded ones where they are given.

    `views` writes and shows the person; without it, `Person.to_dict`, `save` and `overlay` are refused.
    """
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
        _views=views,
    )


def frame_camera(width_px: int, height_px: int) -> PinholeCamera:
    """The one camera of a stream: that of the crop which holds the whole frame."""
    return Crop.whole_frame(width_px, height_px).camera()


def check_outputs(outputs: Mapping[str, NDArray[np.floating]], source: str) -> None:
    """Check outputs against the contract. Raises `BundleError`."""
    for output in contract.OUTPUTS:
        value = outputs.get(output.name)
        shape = None if value is None else value.shape
        if value is None or shape != output.shape:
            raise BundleError(
                f"Runtime {source} returned {output.name} with shape {shape}; the contract says {output.shape}. "
                "Export the bundle again."
            )
        if not np.isfinite(value).all():
            raise BundleError(
                f"Runtime {source} returned values in {output.name} that are not finite. "
                "Check the bundle with `coevoer-edge parity`, or export it with --precision fp32."
            )


def on_so3(parameters: SmplxParameters) -> SmplxParameters:
    """Project every rotation onto SO(3); see `rotations.nearest_rotation` for why this is needed."""
    rotations = nearest_rotation(parameters.rotations())
    return SmplxParameters.from_rotations(rotations, parameters.betas, parameters.expression)
