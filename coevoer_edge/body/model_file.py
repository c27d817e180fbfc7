"""Read a body model file in SMPL-X's schema, or report why it cannot be used.

In: a path. Out: `ModelFile`, the checked arrays. No torch.
"""

import pickle
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coevoer_edge.body.arrays import Float32Array, Int32Array
from coevoer_edge.body.joints import NUM_JOINTS, PARENTS
from coevoer_edge.contract import NUM_BETAS, NUM_EXPRESSION, PARTS
from coevoer_edge.errors import InputError

OPEN_BODY_PATH = Path(__file__).with_name("open_body.npz")

_KEYS = ("v_template", "f", "weights", "kintree_table", "J_regressor", "shapedirs", "posedirs")
_NUM_POSE_FEATURES = 9 * (NUM_JOINTS - 1)  # 486
_SHAPE_SPACE = 300  # smplx.SMPL.SHAPE_SPACE_DIM
_EXPRESSION_SPACE = 100  # smplx.SMPLX.EXPRESSION_SPACE_DIM
_SMPLX_VERTICES = 10475
_FACE_FILE, _HANDS_FILE = "SMPL-X__FLAME_vertex_ids.npy", "MANO_SMPLX_vertex_ids.pkl"
_GET_IT = "Give SMPLX_NEUTRAL.npz as published at https://smpl-x.is.tue.mpg.de, or no path for the open body."

_UNREADABLE = (ValueError, OSError, EOFError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)
"""What numpy and zipfile raise on damaged, encrypted and absurdly large archives."""

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class ModelFile:
    """Arrays of one model; V vertices, F faces, 55 joints; m."""

    name: str
    licence: str
    v_template: Float32Array  # V 3
    faces: Int32Array  # F 3
    weights: Float32Array  # V 55
    J_regressor: Float32Array  # 55 V
    shapedirs: Float32Array  # V 3 20: betas, then expression
    posedirs: Float32Array | None  # V 3 486, None if all zero
    parts: Mapping[str, Int32Array]  # vertex indices of contract.PARTS; empty if not known
    extras: Mapping[str, NDArray[Any]]  # other arrays of the file


def read_model_file(path: Path | str | None) -> ModelFile:
    """Read and check; `InputError` names the file, what is missing and what to do. None is the open body."""
    path = OPEN_BODY_PATH if path is None else Path(path)
    arrays = _read_npz(path)
    posedirs = arrays.pop("posedirs", None)
    shapedirs = arrays.pop("shapedirs")
    start = NUM_BETAS if shapedirs.shape[-1] < _SHAPE_SPACE + _EXPRESSION_SPACE else _SHAPE_SPACE  # smplx.SMPLX's rule
    is_open = "licence" in arrays
    v_template = _float32(arrays.pop("v_template"))
    return ModelFile(
        name="open body" if is_open else "SMPL-X",
        licence=str(arrays.pop("licence", "SMPL-X licence (non-commercial)")),
        v_template=v_template,
        faces=arrays.pop("f").astype(np.int32),
        weights=_float32(arrays.pop("weights")),
        J_regressor=_float32(arrays.pop("J_regressor")),
        shapedirs=_float32(
            np.concatenate((shapedirs[..., :NUM_BETAS], shapedirs[..., start : start + NUM_EXPRESSION]), axis=-1)
        ),
        posedirs=_float32(posedirs) if posedirs is not None and posedirs.any() else None,
        parts=_part_vertices(path, len(v_template), arrays),
        extras=arrays,
    )


def _read_npz(path: Path) -> Arrays:
    """All plain arrays of a checked file. Shapes are checked first, from the headers alone."""
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a body model file. {_GET_IT}")
    if not path.is_file():
        raise InputError(f"There is no body model file at {path}. {_GET_IT}")
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path} is not an npz archive. {_GET_IT} The .pkl edition cannot be used.")
    try:
        with zipfile.ZipFile(path) as archive:
            shapes, plain = _headers(archive)
        _check(path, shapes)
        with np.load(path, allow_pickle=False) as arrays:
            needed = set(_KEYS) - ({"posedirs"} if "no_posedirs" in plain else set())
            if "no_posedirs" in plain:  # the open body's are all zero, so these 20 MB need not be unpacked
                plain -= {"no_posedirs", "posedirs"}
            result: Arrays = {key: arrays[key] for key in plain}
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(f"{path} cannot be read as an npz archive ({error}). {_GET_IT}") from error
    if path != OPEN_BODY_PATH:
        _check_values(path, result, needed)
    if not np.array_equal(result["kintree_table"][0, 1:], PARENTS[1:]):
        raise InputError(f"{path}: kintree_table is not SMPL-X's, so its joints have another order. {_GET_IT}")
    return result


def _check_values(path: Path, arrays: Arrays, needed: set[str]) -> None:
    """Refuse numbers that are none, not finite, or indices of vertices and faces that do not exist."""
    if objects := sorted(needed - arrays.keys()):
        raise InputError(f"{path}: {', '.join(objects)} holds Python objects, not numbers. {_GET_IT}")
    for key, array in arrays.items():
        if key in _KEYS and array.dtype.kind not in "fiu":
            raise InputError(f"{path}: {key} holds {array.dtype}, not numbers. {_GET_IT}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"{path}: {key} has values that are not finite. {_GET_IT}")
    counts = {"f": len(arrays["v_template"]), "lmk_faces_idx": len(arrays["f"])}
    counts |= {f"part_{part}_vertices": len(arrays["v_template"]) for part in PARTS}
    for key, count in counts.items():
        indices = arrays.get(key)
        if indices is None:
            continue
        if indices.dtype.kind not in "iu" or (indices.size and not 0 <= indices.min() <= indices.max() < count):
            raise InputError(f"{path}: {key} must hold indices from 0 to {count - 1}. {_GET_IT}")


def _headers(archive: zipfile.ZipFile) -> tuple[dict[str, tuple[int, ...]], set[str]]:
    """Shape of each array, and the names of those that are plain.

    Published files contain object arrays too; they are not needed here, and unpickling them could run code.
    """
    shapes, plain = {}, set()
    for member in archive.namelist():
        key = member.removesuffix(".npy")
        with archive.open(member) as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shapes[key], _, dtype = read(file)
        if not dtype.hasobject:
            plain.add(key)
    return shapes, plain


def _check(path: Path, shape: Mapping[str, tuple[int, ...]]) -> None:
    V = next(iter(shape.get("v_template", ())), 0)
    joints = next(reversed(shape.get("kintree_table", ())), 0)
    if joints in (24, 52):
        kind = {24: "SMPL", 52: "SMPL-H"}[joints]
        raise InputError(f"{path} is a {kind} file ({V} vertices, {joints} joints), not SMPL-X (55). {_GET_IT}")
    missing = [key for key in _KEYS if key not in shape]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)} and is not a complete SMPL-X file. {_GET_IT}")
    expected: dict[str, tuple[int | None, ...]] = {
        "v_template": (V, 3),
        "f": (None, 3),
        "weights": (V, NUM_JOINTS),
        "kintree_table": (2, NUM_JOINTS),
        "J_regressor": (NUM_JOINTS, V),
        "shapedirs": (V, 3, None),
        "posedirs": (V, 3, _NUM_POSE_FEATURES),
    }
    for key, wanted in expected.items():
        fits = len(shape[key]) == len(wanted) and all(
            want in (None, have) for want, have in zip(wanted, shape[key], strict=True)
        )
        if not fits:
            words = " x ".join("any" if size is None else str(size) for size in wanted)
            raise InputError(f"{path}: {key} has shape {shape[key]}; SMPL-X has {words}. {_GET_IT}")
    if shape["shapedirs"][-1] < NUM_BETAS + NUM_EXPRESSION:
        raise InputError(
            f"{path}: shapedirs has {shape['shapedirs'][-1]} directions; at least 20 are needed. {_GET_IT}"
        )


def _part_vertices(path: Path, num_vertices: int, arrays: Arrays) -> dict[str, Int32Array]:
    """From the file itself (open body), or from the two index files published beside SMPL-X."""
    own = {part: arrays.pop(f"part_{part}_vertices", None) for part in PARTS}
    parts = {part: indices.astype(np.int32) for part, indices in own.items() if indices is not None}
    if parts or num_vertices != _SMPLX_VERTICES:
        return parts
    face, hands = path.with_name(_FACE_FILE), path.with_name(_HANDS_FILE)
    if face.is_file():
        parts["face"] = np.load(face, allow_pickle=False).astype(np.int32)
    if hands.is_file():
        with hands.open("rb") as file:
            both = _ArraysOnly(file, encoding="latin1").load()
        parts |= {part: np.asarray(both[part]).astype(np.int32) for part in ("left_hand", "right_hand")}
    return parts


class _ArraysOnly(pickle.Unpickler):
    """Loads a pickle of numpy arrays in a dict, and refuses anything that could run code."""

    _ALLOWED = frozenset(("_reconstruct", "ndarray", "dtype", "scalar", "encode", "OrderedDict"))

    def find_class(self, module: str, name: str) -> object:
        """Allow only what is needed to rebuild arrays."""
        if name not in self._ALLOWED or module.split(".")[0] not in ("numpy", "_codecs", "collections"):
            raise InputError(
                f"{_HANDS_FILE} contains {module}.{name}, but the published file has only numpy arrays; "
                "download it again."
            )
        return super().find_class(module, name)


def _float32(array: NDArray[Any]) -> Float32Array:
    return np.ascontiguousarray(array, dtype=np.float32)
