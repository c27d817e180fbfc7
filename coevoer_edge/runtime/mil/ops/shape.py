"""Operations that move values without changing them. In: tensors of any type. Out: tensors of the same type."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from coevoer_edge.errors import BundleError, PlatformError

Ints = tuple[int, ...]
Bools = tuple[bool, ...]


def _reshape(x: Tensor, shape: Ints) -> Tensor:
    """0 keeps the dimension at its place (only where the rank stays), and one -1 is inferred from the rest."""
    if 0 in shape and x.numel():
        if len(shape) != x.ndim:
            raise BundleError(f"`reshape` with a 0 keeps the rank; got {tuple(x.shape)} to {shape}.")
        shape = tuple(size or x.shape[i] for i, size in enumerate(shape))
    return x.reshape(shape)


def _reshape_like(x: Tensor, ref_tensors: Sequence[Tensor], begins: Ints, ends: Ints, end_masks: Bools) -> Tensor:
    shape: list[int] = []
    for ref, begin, end, to_the_end in zip(ref_tensors, begins, ends, end_masks, strict=True):
        shape.extend(ref.shape[begin:] if to_the_end else ref.shape[begin:end])
    return x.reshape(shape)


def _transpose(x: Tensor, perm: Ints) -> Tensor:
    return x.permute(perm)


def _expand_dims(x: Tensor, axes: Ints) -> Tensor:
    rank = x.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _squeeze(x: Tensor, axes: Ints | None = None) -> Tensor:
    return x.squeeze() if axes is None else x.squeeze(axes)


def _flatten2d(x: Tensor, axis: int = 1) -> Tensor:
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


def _concat(values: Sequence[Tensor], axis: int, interleave: bool = False) -> Tensor:
    if not interleave:
        return torch.cat(list(values), axis)
    axis %= values[0].ndim
    return torch.stack(list(values), axis + 1).flatten(axis, axis + 1)


def _stack(values: Sequence[Tensor], axis: int) -> Tensor:
    return torch.stack(list(values), axis)


def _split(x: Tensor, axis: int, num_splits: int | None = None, split_sizes: Ints | None = None) -> tuple[Tensor, ...]:
    if split_sizes is not None:
        return torch.split_with_sizes(x, split_sizes, axis)
    if not num_splits or x.shape[axis] % num_splits:
        raise BundleError(f"`split` cannot cut {x.shape[axis]} into {num_splits} equal parts.")
    return torch.tensor_split(x, num_splits, axis)


def _slices(
    shape: Sequence[int],
    begin: Ints,
    end: Ints,
    stride: Ints | None,
    begin_mask: Bools | None,
    end_mask: Bools | None,
    squeeze_mask: Bools | None,
) -> list[range]:
    """Indices that each dimension keeps. A mask makes its bound open; a squeezed dimension keeps `begin` alone."""
    kept = []
    for i, size in enumerate(shape):
        first = None if begin_mask and begin_mask[i] else begin[i]
        last = None if end_mask and end_mask[i] else end[i]
        step = stride[i] if stride else 1
        if squeeze_mask and squeeze_mask[i]:
            index = (first or 0) % size
            kept.append(range(index, index + 1))
        else:
            kept.append(range(*slice(first, last, step).indices(size)))
    return kept


def _slice_by_index(
    x: Tensor,
    begin: Ints,
    end: Ints,
    stride: Ints | None = None,
    begin_mask: Bools | None = None,
    end_mask: Bools | None = None,
    squeeze_mask: Bools | None = None,
) -> Tensor:
    """As numpy slices, negative indices and steps included."""
    for dim, kept in enumerate(_slices(x.shape, begin, end, stride, begin_mask, end_mask, squeeze_mask)):
        if kept == range(x.shape[dim]):
            continue
        if kept.step == 1:
            x = x.narrow(dim, kept.start if kept else 0, len(kept))
        else:
            x = x.index_select(dim, torch.tensor(kept, dtype=torch.long))
    if squeeze_mask and any(squeeze_mask):
        x = x.squeeze(tuple(i for i, squeezed in enumerate(squeeze_mask) if squeezed))
    return x


def _slice_update(
    x: Tensor,
    update: Tensor,
    begin: Ints,
    end: Ints,
    stride: Ints | None = None,
    begin_mask: Bools | None = None,
    end_mask: Bools | None = None,
    squeeze_mask: Bools | None = None,
) -> Tensor:
    kept = _slices(x.shape, begin, end, stride, begin_mask, end_mask, squeeze_mask)
    where = torch.meshgrid(*(torch.tensor(k, dtype=torch.long) for k in kept), indexing="ij")
    result = x.clone()
    result[where] = update.reshape([len(k) for k in kept])
    return result


def _slice_by_size(x: Tensor, begin: Ints, size: Ints) -> Tensor:
    """A size of -1 takes everything that follows."""
    for dim, (first, length) in enumerate(zip(begin, size, strict=True)):
        first %= x.shape[dim]
        x = x.narrow(dim, first, x.shape[dim] - first if length == -1 else length)
    return x


def _pad(x: Tensor, pad: Ints, mode: str = "constant", constant_val: Tensor | None = None) -> Tensor:
    """`pad` is before, after for each of the last len(pad) / 2 dimensions, the outermost first."""
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    if mode == "constant":
        return F.pad(
            x,
            [side for pair in reversed(pairs) for side in pair],
            value=constant_val.item() if constant_val is not None else 0,
        )
    if mode not in ("reflect", "replicate"):
        raise PlatformError(f"`pad` has no mode '{mode}'; constant, reflect and replicate are known.")
    for i, (before, after) in enumerate(pairs):
        dim = x.ndim - len(pairs) + i
        size = x.shape[dim]
        index = torch.arange(-before, size + after)
        index = index.clamp(0, size - 1) if mode == "replicate" else _reflected(index, size)
        if before or after:
            x = x.index_select(dim, index)
    return x


def _reflected(index: Tensor, size: int) -> Tensor:
    return (size - 1) - ((size - 1) - index.abs()).abs()


def _tile(x: Tensor, reps: Ints) -> Tensor:
    return x.repeat(reps)


def _reverse(x: Tensor, axes: Ints | None = None) -> Tensor:
    return x.flip(tuple(range(x.ndim)) if axes is None else axes)


def _band_part(x: Tensor, lower: int = -1, upper: int = -1) -> Tensor:
    """Keep `lower` diagonals below and `upper` above the main one of the last two dimensions; negative keeps all."""
    rows, columns = torch.arange(x.shape[-2])[:, None], torch.arange(x.shape[-1])[None]
    inside = torch.ones(x.shape[-2:], dtype=torch.bool)
    if lower >= 0:
        inside &= rows - columns <= lower
    if upper >= 0:
        inside &= columns - rows <= upper
    return torch.where(inside, x, torch.zeros((), dtype=x.dtype))


def _fill(shape: Ints, value: Tensor | None = None) -> Tensor:
    return (torch.zeros(()) if value is None else value).expand(shape).clone()


def _fill_like(ref_tensor: Tensor, value: Tensor | None = None) -> Tensor:
    return _fill(tuple(ref_tensor.shape), value)


def _shape(x: Tensor) -> Tensor:
    return torch.tensor(x.shape, dtype=torch.int32)


def _range_1d(end: Tensor, start: Tensor, step: Tensor) -> Tensor:
    return torch.arange(start.item(), end.item(), step.item(), dtype=start.dtype)


def _sliding_windows(x: Tensor, axis: int, size: int, stride: int = 1) -> Tensor:
    axis %= x.ndim
    return x.unfold(axis, size, stride).movedim(-1, axis + 1)


KERNELS: Mapping[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {
    "band_part": _band_part,
    "concat": _concat,
    "expand_dims": _expand_dims,
    "fill": _fill,
    "fill_like": _fill_like,
    "flatten2d": _flatten2d,
    "pad": _pad,
    "range_1d": _range_1d,
    "reshape": _reshape,
    "reshape_like": _reshape_like,
    "reverse": _reverse,
    "shape": _shape,
    "slice_by_index": _slice_by_index,
    "slice_by_size": _slice_by_size,
    "slice_update": _slice_update,
    "sliding_windows": _sliding_windows,
    "split": _split,
    "squeeze": _squeeze,
    "stack": _stack,
    "tile": _tile,
    "transpose": _transpose,
}
