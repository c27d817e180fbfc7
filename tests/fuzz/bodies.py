"""Damaged body models: arrays of other shapes, types and values, and bytes of the archive."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from damage import damaged_bytes

from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.model_file import OPEN_BODY_PATH
from coevoer_edge.body.parameters import SmplxParameters


@cache
def _arrays() -> dict[str, Any]:
    with np.load(OPEN_BODY_PATH, allow_pickle=False) as opened:
        arrays = dict(opened)
    return arrays


@cache
def _sound() -> bytes:
    return OPEN_BODY_PATH.read_bytes()


def run(case: int, folder: Path) -> None:
    rng = np.random.default_rng((5, case))
    path = folder / "damaged.npz"
    if case % 4:
        arrays = dict(_arrays())
        name = sorted(arrays)[rng.integers(0, len(arrays))]
        arrays[name] = _odd(arrays[name], rng)
        if arrays[name] is None:
            del arrays[name]
        content = io.BytesIO()
        np.savez_compressed(content, **arrays)
        path.write_bytes(content.getvalue())
    else:
        path.write_bytes(damaged_bytes(_sound(), rng))
    body = BodyModel.open(path)
    assert np.isfinite(body.pose(SmplxParameters.rest()).vertices).all()


def _odd(array: Any, rng: np.random.Generator) -> Any:
    kind = rng.integers(0, 9) if array.ndim else 0
    if kind == 0:
        return None
    if kind == 1:
        return array[..., None]
    if kind == 2:
        return array[:1]
    if kind == 3 and array.dtype.kind == "f":
        changed = array.copy()
        changed.flat[rng.integers(0, max(changed.size, 1))] = (np.nan, np.inf, 1e38)[rng.integers(0, 3)]
        return changed
    if kind == 4:
        return array.astype(str) if array.size < 10_000 else array.astype(np.float16)
    if kind == 5:
        return array.astype(object)
    if kind == 6 and array.dtype.kind in "iu":
        changed = array.copy()
        odd = (np.iinfo(array.dtype).min, np.iinfo(array.dtype).max, min(len(array), np.iinfo(array.dtype).max))
        changed.flat[rng.integers(0, max(changed.size, 1))] = odd[rng.integers(0, 3)]
        return changed
    if kind == 7:
        return np.zeros((0, *array.shape[1:]), array.dtype)
    return np.asarray(0)
