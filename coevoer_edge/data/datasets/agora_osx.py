"""AGORA as IDEA-Research/OSX converts it (tool/AGORA): a JSON file of people, and joints and vertices of each as JSON.

In: the folder that its README.md describes. Out: `AgoraPerson`s. The keys follow tool/AGORA/agora2coco.py,
affine_transform.py and data/AGORA/AGORA.py.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.data.datasets.agora_frames import (
    AGORA_FILES,
    FULL_SIZE_PX,
    SMALL_SIZE_PX,
    AgoraPerson,
    parameters_root,
    scaling,
)
from coevoer_edge.data.datasets.smplx_record import from_xywh


def is_converted(folder: Path, prefix: str) -> bool:
    """Whether the folder has OSX's file for `train` or `validation`."""
    return (folder / f"AGORA_{prefix}.json").is_file()


def read_converted(folder: Path, prefix: str) -> list[AgoraPerson]:
    """The valid people, from OSX's JSON.

    If the folder has OSX's crops (3840x2160/NAME_crop), those are used and people without a crop are left out, as in
    OSX. Otherwise the images of 3840x2160 are used, or those of 1280x720 if there are none.

    Raises:
        InputError: a file is missing or differs from what OSX writes.
    """
    name = f"AGORA_{prefix}.json"
    content = AGORA_FILES.json(folder, name)
    try:
        images = {image["id"]: image for image in content["images"]}
        valid = [ann for ann in content["annotations"] if ann["is_valid"]]
        if not valid:
            return []
        kind = _kind(folder, images[valid[0]["image_id"]], prefix)
        root = parameters_root(folder, valid[0]["smplx_param_path"])
        people = [_person(folder, kind, images[ann["image_id"]], ann, root(ann["smplx_param_path"])) for ann in valid]
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, ValueError) and type(error) is not ValueError:
            raise  # InputError
        raise AGORA_FILES.damaged(folder / name, error) from error
    return [person for person in people if person is not None]


def _kind(folder: Path, image: dict[str, Any], prefix: str) -> str:
    if any((folder / "3840x2160").glob(f"{prefix}*_crop")):
        return "crop"
    for kind in ("3840x2160", "1280x720"):
        if (folder / image[f"file_name_{kind}"]).is_file():
            return kind
    raise AGORA_FILES.lacks(folder, f"{image['file_name_3840x2160']} and no {image['file_name_1280x720']}")


def _person(
    folder: Path, kind: str, image: dict[str, Any], ann: dict[str, Any], parameters_path: Path
) -> AgoraPerson | None:
    """One person, or None if the crop that OSX would read is missing."""
    if kind == "crop":
        full = folder / image["file_name_3840x2160"]
        image_path = full.parent.with_name(f"{full.parent.name}_crop") / f"{full.stem}_ann_id_{ann['id']}.png"
        if not image_path.with_suffix(".json").is_file():
            return None
        to_file = partial(_crop_map, folder, str(image_path.with_suffix(".json").relative_to(folder)))
    else:
        image_path = folder / image[f"file_name_{kind}"]
        to_file = partial(scaling, 1.0 if kind == "3840x2160" else SMALL_SIZE_PX[0] / FULL_SIZE_PX[0])
    return AgoraPerson(
        image_path=image_path,
        parameters_path=parameters_path,
        kid=bool(ann["kid"]),
        box_px=from_xywh(ann["bbox"]),
        to_file=to_file,
        joints=partial(_joints, folder, ann["smplx_joints_2d_path"], ann["smplx_joints_3d_path"]),
        vertices=partial(_points, folder, ann["smplx_verts_path"], 3),
    )


def _crop_map(folder: Path, relative: str) -> Float64Array:
    """(2, 3): pixels of the 3840 x 2160 image to those of OSX's crop. It scales and shifts but does not rotate."""
    try:
        return np.asarray(AGORA_FILES.json(folder, relative)["img2bb_trans"], np.float64).reshape(2, 3)
    except (KeyError, TypeError) as error:
        raise AGORA_FILES.damaged(folder / relative, error) from None


def _joints(folder: Path, path_2d: str, path_3d: str) -> tuple[Float64Array, Float64Array]:
    return _points(folder, path_2d, 2), _points(folder, path_3d, 3)


def _points(folder: Path, relative: str, size: int) -> Float64Array:
    return np.asarray(AGORA_FILES.json(folder, relative), np.float64).reshape(-1, size)
