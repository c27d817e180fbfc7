"""One person as a dictionary, as the files of `run`, and as a picture.

In: a `Person` and the image it was found in. Out: `.json`, `.npz`, `.glb` and `.overlay.png`, or their content.
`PersonFiles` is the `PersonViews` that the estimator gives to every person.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coevoer_edge import contract
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.errors import InputError
from coevoer_edge.files.staging import move_files, staging
from coevoer_edge.files.whole import refusing_os_errors
from coevoer_edge.media.images import OVERLAY_SUFFIX
from coevoer_edge.output.results import (
    CONVENTION,
    UNTRAINED,
    avatar_values,
    file_stem,
    make_folder,
    numbers,
    refuse_existing,
    refuse_file,
    smplx_arrays,
    write_json,
)
from coevoer_edge.pipeline.camera import PinholeCamera
from coevoer_edge.pipeline.image import ImageSource, Pixels, read_image

if TYPE_CHECKING:
    from PIL import Image

    from coevoer_edge.body.model import BodyModel
    from coevoer_edge.pipeline.person import Person

PERSON_SUFFIXES = (".json", ".npz", ".glb", OVERLAY_SUFFIX)
_DEFAULT_NAME = "person"  # of the files, where the picture did not come from a file
_NOTEBOOK_PX = 768  # longer side of the picture that a notebook shows


def person_paths(folder: Path, name: str, *, overlay: bool = True) -> tuple[Path, ...]:
    """The files of a person; without `overlay`, all but the `.overlay.png`."""
    return tuple(folder / (name + suffix) for suffix in PERSON_SUFFIXES if overlay or suffix != OVERLAY_SUFFIX)


@dataclass(frozen=True, eq=False)
class PersonFiles:
    """Makes dictionaries, files and pictures for the people of one image.

    body: of the people. provenance: `results.provenance`. size_px: width and height of the image. file_name: of the
    image, None where it came from no file. pixels: the image (H, W, 3), None for the frames of a stream.
    """

    body: "BodyModel"
    provenance: Mapping[str, str | None]
    size_px: tuple[int, int]
    file_name: str | None = None
    pixels: Pixels | None = None

    def to_dict(self, person: "Person") -> dict[str, Any]:
        """The content of the `.json`."""
        from coevoer_edge.output.animation.bvh import joint_tips

        crop = person.crop
        return {
            "trained": person.trained,
            **({} if person.trained else {"warning": UNTRAINED}),
            "image": {"file": self.file_name, "width_px": self.size_px[0], "height_px": self.size_px[1]},
            "provenance": dict(self.provenance),
            "convention": CONVENTION,
            "gender": "neutral",
            **{name: numbers(array[0]) for name, array in smplx_arrays(person).items()},
            "camera": {
                "focal_px": person.camera.focal_px,
                "principal_point_px": list(person.camera.principal_point_px),
            },
            "crop_px": {"x0": crop.x0, "y0": crop.y0, "width": crop.width, "height": crop.height},
            "part_boxes_px": dict(zip(contract.PARTS, numbers(person.part_boxes_px), strict=True)),
            "visibility": dict(zip(contract.VISIBILITY, numbers(person.visibility), strict=True)),
            "joints_px": dict(zip(JOINT_NAMES, numbers(person.joints_px), strict=True)),
            "joints_cam_m": dict(zip(JOINT_NAMES, numbers(person.joints_cam), strict=True)),
            **avatar_values(person.parameters, self.body, joint_tips(self.body)),
        }

    def save(
        self,
        person: "Person",
        folder: str | Path,
        *,
        name: str | None,
        image: ImageSource | None,
        overlay: bool,
        overwrite: bool,
    ) -> tuple[Path, ...]:
        """Write the files, each marked when the model is untrained. See `Person.save`."""
        from coevoer_edge.output.meshes import write_glb

        name = self._name(name)
        paths = person_paths(Path(folder), name, overlay=overlay)
        refuse_file(Path(folder))
        refuse_existing(paths, overwrite)
        picture = self.overlay(person, image) if overlay else None
        make_folder(Path(folder))
        record = self.to_dict(person)
        with staging(Path(folder), name) as place, refusing_os_errors(folder):
            json_path, npz_path, glb_path, *picture_path = person_paths(place, name, overlay=overlay)
            write_json(json_path, record)
            np.savez_compressed(npz_path, **_npz_arrays(person))
            mesh = person.mesh()
            extras = {key: str(record[key]) for key in ("trained", "warning") if key in record}
            write_glb(glb_path, mesh.vertices, mesh.faces, extras=extras | {"body_licence": self.body.licence})
            if picture is not None:
                picture.save(picture_path[0])
            former = [path.name for path in person_paths(place, name, overlay=True)]
            move_files(place, Path(folder), [path.name for path in paths], former)
        return paths

    def overlay(self, person: "Person", image: ImageSource | None) -> "Image.Image":
        """The image with the body over it. See `Person.overlay`."""
        return _overlay(self._pixels(image), person, person.camera)

    def png(self, person: "Person") -> bytes | None:
        """A small overlay for notebooks, as a PNG file; None for a stream, whose frames are not kept."""
        if self.pixels is None:
            return None
        from PIL import Image

        shown = Image.fromarray(self.pixels)
        shown.thumbnail((_NOTEBOOK_PX, _NOTEBOOK_PX), reducing_gap=2.0)
        share = shown.width / self.size_px[0]
        x, y = person.camera.principal_point_px
        camera = PinholeCamera(person.camera.focal_px * share, (x * share, y * share))
        content = io.BytesIO()
        _overlay(np.asarray(shown), person, camera).save(content, "PNG")
        return content.getvalue()

    def _name(self, name: str | None) -> str:
        """The stem of the files: the given name, else the image's."""
        if name is None:
            return _DEFAULT_NAME if self.file_name is None else Path(self.file_name).stem
        return file_stem(name)

    def _pixels(self, image: ImageSource | None) -> Pixels:
        """The given image, else the one that was kept."""
        if image is not None:
            pixels = read_image(image)
            if pixels.shape[1::-1] != self.size_px:
                width, height = pixels.shape[1::-1]
                raise InputError(
                    f"The image is {width} x {height} px, but the person was found in one of {self.size_px[0]} x "
                    f"{self.size_px[1]} px; give that image."
                )
            return pixels
        if self.pixels is None:
            raise InputError(
                "This person comes from a stream, which does not keep its frames; give the frame, as in "
                "overlay(frame) or save(folder, image=frame), or save without a picture: save(folder, overlay=False)."
            )
        return self.pixels


def _overlay(pixels: Pixels, person: "Person", camera: PinholeCamera) -> "Image.Image":
    """Mesh and joints over the image, and a banner where the weights are untrained."""
    from PIL import Image

    from coevoer_edge.output.overlay import draw_joints, draw_overlay, stamp

    mesh = person.mesh()
    picture = draw_overlay(pixels, mesh.vertices, mesh.faces, camera)
    picture = draw_joints(picture, person.joints_cam, camera)
    return Image.fromarray(picture if person.trained else stamp(picture, UNTRAINED))


def _npz_arrays(person: "Person") -> dict[str, Any]:
    """SMPL-X's parameters in float32, as `torch.from_numpy` and smplx want them, and the rest of the JSON file."""
    return {
        **{name: array.astype(np.float32) for name, array in smplx_arrays(person).items()},
        "gender": np.array("neutral"),
        "trained": np.array(person.trained),
        "focal_px": np.array(person.camera.focal_px),
        "principal_point_px": np.array(person.camera.principal_point_px),
        "joints_cam": person.joints_cam,
        "joints_px": person.joints_px,
        "part_boxes_px": person.part_boxes_px,
        "visibility": person.visibility,
    }
