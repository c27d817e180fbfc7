"""Gathering, scattering and ordering. In: tensors and indices, negative ones from the end. Out: tensors."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from coevoer_edge.errors import PlatformError


def _positive(indices: Tensor, size: int) -> Tensor:
    indices = indices.long()
    return torch.where(indices < 0, indices + size, indices)


def _gather(x: Tensor, indices: Tensor, axis: int = 0, batch_dims: int = 0, validate_indices: bool = False) -> Tensor:
    """Out: x.shape[:axis] + indices.shape[batch_dims:] + x.shape[axis + 1:]."""
    del validate_indices
    axis %= x.ndim
    index = _positive(indices, x.shape[axis])
    if batch_dims == 0:
        taken = x.index_select(axis, index.reshape(-1))
        return taken.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    between = x.shape[batch_dims:axis]
    after = x.shape[axis + 1 :]
    moved = x.movedim(axis, batch_dims)  # batch, A, between, after
    flat = index.reshape(*index.shape[:batch_dims], -1, *(1,) * (len(between) + len(after)))
    taken = moved.gather(batch_dims, flat.expand(*flat.shape[: batch_dims + 1], *between, *after))
    taken = taken.movedim(batch_dims, axis)  # batch, between, n, after
    return taken.reshape(*x.shape[:axis], *indices.shape[batch_dims:], *after)


def _gather_along_axis(x: Tensor, indices: Tensor, axis: int = 0, validate_indices: bool = False) -> Tensor:
    del validate_indices
    return x.gather(axis, _positive(indices, x.shape[axis]))


def _linear_index(shape: tuple[int, ...], indices: Tensor) -> Tensor:
    """Place in the flattened leading dimensions of `shape`, for indices ... K with K <= len(shape)."""
    result = torch.zeros(indices.shape[:-1], dtype=torch.long)
    for k in range(indices.shape[-1]):
        result = result * shape[k] + _positive(indices[..., k], shape[k])
    return result


def _gather_nd(x: Tensor, indices: Tensor, batch_dims: int = 0, validate_indices: bool = False) -> Tensor:
    del validate_indices
    batch, depth = tuple(x.shape[:batch_dims]), indices.shape[-1]
    rows = x.reshape(-1, *x.shape[batch_dims : batch_dims + depth], *x.shape[batch_dims + depth :])
    index = _linear_index(tuple(rows.shape[1 : 1 + depth]), indices).reshape(rows.shape[0], -1)
    flat = rows.reshape(rows.shape[0], -1, *rows.shape[1 + depth :])
    taken = torch.stack([row[i] for row, i in zip(flat, index, strict=True)])
    return taken.reshape(*batch, *indices.shape[batch_dims:-1], *x.shape[batch_dims + depth :])


def _combine(data: Tensor, index: Tensor, updates: Tensor, mode: str) -> Tensor:
    """Combine flat `data` with flat `updates` at `index`; an index may occur more than once, save for `update`."""
    data, index, updates = data.clone().reshape(-1), index.reshape(-1), updates.to(data.dtype).reshape(-1)
    if mode == "update":
        return data.index_put((index,), updates)
    if mode in ("add", "sub"):
        return data.index_add(0, index, updates, alpha=1 if mode == "add" else -1)
    if mode == "div":
        return data / torch.ones_like(data).scatter_reduce(0, index, updates, "prod")
    reductions = {"mul": "prod", "max": "amax", "min": "amin"}
    if mode not in reductions:
        raise PlatformError(f"`scatter` has no mode '{mode}'.")
    return data.scatter_reduce(0, index, updates, reductions[mode])


def _scatter(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    axis: int = 0,
    mode: str = "add",
    validate_indices: bool = False,
) -> Tensor:
    """`updates` has the shape of `data` with `indices` in the place of `axis`."""
    del validate_indices
    axis %= data.ndim
    places = torch.arange(data.numel()).reshape(data.shape)
    index = _gather(places, indices, axis)
    return _combine(data, index, updates, mode).reshape(data.shape)


def _scatter_along_axis(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    axis: int = 0,
    mode: str = "add",
    validate_indices: bool = False,
) -> Tensor:
    del validate_indices
    places = torch.arange(data.numel()).reshape(data.shape)
    index = places.gather(axis, _positive(indices, data.shape[axis]))
    return _combine(data, index, updates, mode).reshape(data.shape)


def _scatter_nd(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    mode: str = "add",
    validate_indices: bool = False,
) -> Tensor:
    del validate_indices
    depth = indices.shape[-1]
    row = _linear_index(tuple(data.shape), indices)
    size = data[(0,) * depth].numel()
    index = row.reshape(-1, 1) * size + torch.arange(size)
    return _combine(data, index, updates, mode).reshape(data.shape)


def _one_hot(
    indices: Tensor,
    one_hot_vector_size: int,
    axis: int = -1,
    on_value: Tensor | None = None,
    off_value: Tensor | None = None,
) -> Tensor:
    """An index outside of 0 .. size - 1 gives a row without a one."""
    on = torch.tensor(1, dtype=torch.int32) if on_value is None else on_value
    off = torch.tensor(0, dtype=torch.int32) if off_value is None else off_value
    hit = indices.unsqueeze(axis if axis >= 0 else axis + indices.ndim + 1)
    dim = axis % hit.ndim
    classes = torch.arange(one_hot_vector_size).reshape(-1, *(1,) * (hit.ndim - dim - 1))
    return torch.where(hit == classes, on, off)


def _argsort(x: Tensor, axis: int = -1, ascending: bool = False) -> Tensor:
    return torch.argsort(x, dim=axis, descending=not ascending, stable=True).int()


def _topk(
    x: Tensor,
    k: int = 1,
    axis: int = -1,
    ascending: bool = False,
    sort: bool = True,
    return_indices: bool = True,
    output_indices_dtype: str = "int32",
) -> Tensor | tuple[Tensor, Tensor]:
    """Ties are ordered by their index; Core ML guarantees no order for them."""
    del sort, output_indices_dtype
    values, indices = torch.sort(x, dim=axis, descending=not ascending, stable=True)
    k = x.shape[axis] if k == -1 else k
    values, indices = values.narrow(axis, 0, k), indices.narrow(axis, 0, k).int()
    return (values, indices) if return_indices else values


def _non_zero(x: Tensor) -> Tensor:
    return torch.nonzero(x).int()


def _cumsum(x: Tensor, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Tensor:
    flipped = x.flip(axis) if reverse else x
    total = flipped.cumsum(axis, dtype=x.dtype)
    if exclusive:
        total = total - flipped
    return total.flip(axis) if reverse else total


KERNELS: Mapping[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {
    "argsort": _argsort,
    "cumsum": _cumsum,
    "gather": _gather,
    "gather_along_axis": _gather_along_axis,
    "gather_nd": _gather_nd,
    "non_zero": _non_zero,
    "one_hot": _one_hot,
    "scatter": _scatter,
    "scatter_along_axis": _scatter_along_axis,
    "scatter_nd": _scatter_nd,
    "topk": _topk,
}
