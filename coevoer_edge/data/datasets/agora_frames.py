"""AGORA's published files: data frames of the people in the images, and pickles with their SMPL-X parameters.

In: the dataset's folder. Out: `AgoraPerson`s. Names, columns and units follow pixelite1201/agora_evaluation
(docs/gt_dataframe.md, docs/prediction_format.md, agora_processing_code/fetch_data.sh); folders also follow
IDEA-Research/OSX (tool/AGORA/README.md, agora2coco.py). Pickles are read by `Unpickler`s that cannot run code.
"""

import importlib
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.data.datasets.published import Published
from coevoer_edge.data.datasets.smplx_record import bounds, scaled_box
from coevoer_edge.data.record import BOX_SCALE
from coevoer_edge.errors import InputError

FULL_SIZE_PX = (3840, 2160)
"""Width and height of the images in whose pixels AGORA gives 2D joints."""
SMALL_SIZE_PX = (1280, 720)

AGORA_FILES = Published(
    "AGORA",
    "train_SMPLX/SMPLX/*.pkl and validation_SMPLX/SMPLX/*.pkl (data frames with SMPL-X joints), smplx_gt/ or "
    "smplx_gt_neutral_gender/ (parameters), 3840x2160/ or 1280x720/ with train_0 ... train_9 and validation (images); "
    "or as OSX's tool/AGORA converts it: AGORA_train.json, AGORA_validation.json, gt_joints_2d/, gt_joints_3d/",
    "It is available after registration at https://agora.is.tue.mpg.de; unpack the downloads into one folder.",
)

_COLUMNS = ("imgPath", "isValid", "kid", "gt_path_smplx", "gt_joints_2d", "gt_joints_3d")


@dataclass(frozen=True, eq=False)
class AgoraPerson:
    """One person. The callable fields read their files when they are called."""

    image_path: Path
    parameters_path: Path
    kid: bool
    box_px: Float64Array  # 4, x1 y1 x2 y2 px of the 3840 x 2160 image, not clipped
    to_file: Callable[[], Float64Array]  # 2 3: pixels of the 3840 x 2160 image to those of the file
    joints: Callable[[], tuple[Float64Array, Float64Array]]  # 127 2 px of the 3840 x 2160 image; 127 3 m, camera frame
    vertices: Callable[[], Float64Array]  # V 3 m, camera frame


def scaling(scale: float) -> Float64Array:
    """(2, 3): pixels of the full image to those of one `scale` times as large."""
    return np.array(((scale, 0, 0), (0, scale, 0)), np.float64)


def read_people(folder: Path, prefix: str) -> list[AgoraPerson]:
    """The valid people of `train` or `validation`, from the data frames.

    Raises:
        InputError: a file is missing or differs from the published form.
    """
    paths = _frame_paths(folder, prefix)
    return [person for path in paths for person in _people(folder, path, prefix)]


def _frame_paths(folder: Path, prefix: str) -> list[Path]:
    for place in (f"{prefix}_SMPLX/SMPLX", f"{prefix}_df/SMPLX", "SMPLX"):
        if paths := sorted((folder / place).glob(f"{prefix}*.pkl")):
            return paths
    raise AGORA_FILES.lacks(folder, f"{prefix}_SMPLX/SMPLX/{prefix}*.pkl and no AGORA_{prefix}.json")


def _people(folder: Path, path: Path, prefix: str) -> list[AgoraPerson]:
    columns = _columns(path)
    if missing := [name for name in _COLUMNS if name not in columns]:
        raise InputError(
            f"{path} has no {', '.join(missing)}; use the data frames with SMPL-X joints and vertices "
            f"({prefix}_SMPLX), not those that hold only cameras. {AGORA_FILES.get_it}"
        )
    group = path.stem.split("_withjv")[0] if prefix == "train" else prefix  # train_0_withjv.pkl: images in train_0
    find_image, scale = _images(folder, group, columns["imgPath"][0])
    root = parameters_root(folder, columns["gt_path_smplx"][0][0])
    people = []
    for row, name in enumerate(columns["imgPath"]):
        for index in np.flatnonzero(columns["isValid"][row]).tolist():
            joints_px, joints_m = (_points(columns[f"gt_joints_{n}d"][row][index], n) for n in (2, 3))
            people.append(
                AgoraPerson(
                    image_path=find_image(name),
                    parameters_path=root(columns["gt_path_smplx"][row][index]),
                    kid=bool(columns["kid"][row][index]),
                    box_px=scaled_box(bounds(joints_px), BOX_SCALE),  # as OSX's agora2coco.py
                    to_file=partial(scaling, scale),
                    joints=partial(_both, joints_px, joints_m),
                    vertices=partial(_vertices, path, row, index),
                )
            )
    return people


def _points(values: Any, size: int) -> NDArray[np.float32]:
    return np.array(values, np.float32).reshape(-1, size)


def _both(joints_px: NDArray[np.float32], joints_m: NDArray[np.float32]) -> tuple[Float64Array, Float64Array]:
    return joints_px.astype(np.float64), joints_m.astype(np.float64)


def _vertices(path: Path, row: int, index: int) -> Float64Array:
    columns = _frame_with_vertices(path)
    if "gt_verts" not in columns:
        raise InputError(f"{path} has no gt_verts; use the data frames with SMPL-X joints and vertices.")
    return np.asarray(columns["gt_verts"][row][index], np.float64).reshape(-1, 3)


def _images(folder: Path, group: str, first: str) -> tuple[Callable[[str], Path], float]:
    """A function from an image's name in the data frame to its path, and the image's scale relative to 3840 x 2160."""
    small = partial(_small_name, suffix="_{}x{}.png".format(*SMALL_SIZE_PX))
    ratio = SMALL_SIZE_PX[0] / FULL_SIZE_PX[0]
    for size, name_of, scale in (("3840x2160", str, 1.0), ("1280x720", small, ratio), ("images", small, ratio)):
        for place in (folder / size / group, folder / size):
            if (place / name_of(first)).is_file():
                return partial(_joined, place, name_of), scale
    raise AGORA_FILES.lacks(folder, f"3840x2160/{group}/{first} and no 1280x720/{group}/{small(first)}")


def _joined(place: Path, name_of: Callable[[str], str], name: str) -> Path:
    return place / name_of(name)


def _small_name(name: str, suffix: str) -> str:
    return name if name.endswith(suffix) else name.removesuffix(".png") + suffix


def parameters_root(folder: Path, first: str) -> Callable[[str], Path]:
    """A function from a `gt_path_smplx` to its parameter file, preferring the neutral body to the gendered ones.

    Raises:
        InputError: there are no parameter files.
    """
    name = Path(first).with_suffix(".pkl")
    below = Path(*name.parts[1:])  # without smplx_gt/
    neutral = folder / "smplx_gt_neutral_gender"
    for root, skip in ((neutral, 0), (neutral, 1), (folder, 0), (folder / "smplx_gt", 1)):
        if (root / (below if skip else name)).is_file():
            return partial(_parameters_path, root, skip)
    raise AGORA_FILES.lacks(folder, f"{name} and no smplx_gt_neutral_gender/{below}")


def _parameters_path(root: Path, skip: int, name: str) -> Path:
    return root.joinpath(*Path(name).with_suffix(".pkl").parts[skip:])


def read_parameters(path: Path) -> dict[str, Any]:
    """The SMPL-X parameters of one person: arrays by smplx's argument names, axis-angle, rad.

    Raises:
        InputError: the file is missing or contains anything but numpy arrays.
    """
    if not path.is_file():
        raise InputError(f"There is no parameter file {path}. {AGORA_FILES.get_it}")
    try:
        with path.open("rb") as file:
            content = _ArraysOnly(file, encoding="latin1").load()
    except InputError as error:
        raise InputError(f"{path} contains objects that are not loaded. {error}") from None
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, ImportError) as error:
        raise AGORA_FILES.damaged(path, error) from None
    if not isinstance(content, dict):
        raise AGORA_FILES.damaged(path, TypeError(f"it contains a {type(content).__name__}"))
    return content


def _allowed_array(module: str, name: str) -> bool:
    """Whether a pickle may use this name: only those that rebuild numpy arrays are allowed."""
    of_numpy = module in _NUMPY and name in ("_reconstruct", "_frombuffer", "ndarray", "dtype", "scalar")
    return of_numpy or (module, name) in _PLAIN


_NUMPY = frozenset(
    ("numpy", *(f"numpy.{core}.{part}" for core in ("core", "_core") for part in ("multiarray", "numeric")))
)
_PLAIN = frozenset(
    (("_codecs", "encode"), ("collections", "OrderedDict"), ("builtins", "slice"), ("__builtin__", "slice"))
)


class _ArraysOnly(pickle.Unpickler):
    """Loads pickles of numpy arrays and refuses everything that could run code."""

    def find_class(self, module: str, name: str) -> object:
        """Refuse every name except those that rebuild arrays."""
        if _allowed_array(module, name):
            return super().find_class(module, name)
        advice = ""
        if module.split(".")[0] == "torch":
            advice = "; OSX's tool/AGORA/tensor_to_numpy_smpl_parameter.py turns torch tensors into arrays"
        raise InputError(f"{module}.{name} is not allowed: only numpy arrays are loaded{advice}.")


def _columns(path: Path) -> Mapping[str, list[Any]]:
    """The columns that records are made from. Vertices, which are most of the file, are dropped immediately."""
    frame = _read_frame(path)
    return {name: frame[name].tolist() for name in _COLUMNS if name in frame}


@lru_cache(maxsize=1)
def _frame_with_vertices(path: Path) -> Mapping[str, list[Any]]:
    """The vertices of the most recently requested file."""
    frame = _read_frame(path)
    return {name: frame[name].tolist() for name in ("gt_verts",) if name in frame}


_PANDAS = ("pandas.core.frame", "pandas.core.series", "pandas.core.indexes.", "pandas.core.internals.", "pandas._libs.")
_PANDAS_FUNCTIONS = frozenset(
    ("_new_Index", "new_block", "make_block", "_unpickle_block", "__pyx_unpickle_NDArrayBacked")
)


def _read_frame(path: Path) -> Any:
    """Read a pickled pandas data frame with pandas' reader for old versions, restricted to the names it needs.

    Allowed are numpy arrays, and the pandas classes and functions that rebuild frames, indexes and blocks.
    """
    try:
        compat = importlib.import_module("pandas.compat.pickle_compat")
    except ImportError:
        raise InputError(
            f"{path} is a pandas data frame and pandas is not installed; run `pip install pandas`."
        ) from None

    class FrameOnly(compat.Unpickler):  # type: ignore[name-defined,misc]
        """Loads a pickled data frame of arrays and refuses everything that could run code."""

        def find_class(self, module: str, name: str) -> object:
            """Refuse every name except those that rebuild frames and arrays."""
            if _allowed_array(module, name):
                return super().find_class(module, name)
            public = module == "pandas" and name in ("DataFrame", "Index", "RangeIndex")  # where pandas 3 has them
            if (public or module.startswith(_PANDAS)) and "." not in name:
                found = super().find_class(module, name)
                own = str(getattr(found, "__module__", "")).split(".")[0] == "pandas"
                if own and (isinstance(found, type) or name in _PANDAS_FUNCTIONS):
                    return found
            raise InputError(f"{module}.{name} is not allowed: only data frames and numpy arrays are loaded.")

    try:
        with path.open("rb") as file:
            frame = FrameOnly(file, encoding="latin1").load()
    except InputError as error:
        raise InputError(f"{path} contains objects that are not loaded. {error}") from None
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, ImportError, IndexError) as error:
        raise AGORA_FILES.damaged(path, error) from None
    if not hasattr(frame, "columns"):
        raise AGORA_FILES.damaged(path, TypeError(f"it contains a {type(frame).__name__}, not a data frame"))
    return frame
