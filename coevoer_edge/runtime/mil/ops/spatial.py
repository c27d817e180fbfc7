"""Convolution, pooling and resizing. In: float32 tensors N C and 1 to 3 spatial dimensions. Out: the same layout."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from coevoer_edge.errors import PlatformError

Ints = tuple[int, ...]

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
_AVG_POOL: Mapping[int, Callable[..., Tensor]] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_MAX_POOL: Mapping[int, Callable[..., Tensor]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


def _paddings(pad_type: str, pad: Ints | None, sizes: Ints, extents: Ints, strides: Ints) -> list[tuple[int, int]]:
    """Padding before and after each spatial dimension. `pad` counts only for `custom`; files carry it for all.

    `same` makes ceil(size / stride) outputs and puts an odd element after, `same_lower` before (coremltools
    `_utils.aggregated_pad`).
    """
    if pad_type == "valid":
        return [(0, 0)] * len(sizes)
    if pad_type == "custom":
        pad = pad or (0,) * (2 * len(sizes))
        return [(pad[2 * i], pad[2 * i + 1]) for i in range(len(sizes))]
    if pad_type not in ("same", "same_lower"):
        raise PlatformError(f"There is no pad_type '{pad_type}'; valid, custom, same and same_lower are known.")
    result = []
    for size, extent, stride in zip(sizes, extents, strides, strict=True):
        total = max(0, (-(-size // stride) - 1) * stride + extent - size)
        less, more = total // 2, total - total // 2
        result.append((less, more) if pad_type == "same" else (more, less))
    return result


def _pad_spatial(x: Tensor, paddings: Sequence[tuple[int, int]], value: float = 0.0) -> Tensor:
    return F.pad(x, [side for pair in reversed(paddings) for side in pair], value=value)


def _conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    strides: Ints | None = None,
    pad_type: str = "valid",
    pad: Ints | None = None,
    dilations: Ints | None = None,
    groups: int = 1,
) -> Tensor:
    rank = x.ndim - 2
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    extents = tuple((k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilations, strict=True))
    paddings = _paddings(pad_type, pad, tuple(x.shape[2:]), extents, strides)
    if any(before != after for before, after in paddings):
        x, paddings = _pad_spatial(x, paddings), [(0, 0)] * rank
    return _CONV[rank](x, weight, bias, strides, [before for before, _ in paddings], dilations, groups)


def _conv_transpose(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    pad: Ints | None = None,
    output_shape: Ints | None = None,
    pad_type: str = "valid",
    strides: Ints | None = None,
    dilations: Ints | None = None,
    groups: int = 1,
) -> Tensor:
    """The full product, cut to the declared size; `output_shape` can reach beyond it, where only the bias is left."""
    rank = x.ndim - 2
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    y = _CONV_TRANSPOSE[rank](x, weight, None, strides, 0, 0, groups, dilations)
    for i in range(rank):
        full = y.shape[2 + i]
        if pad_type == "same":
            size = x.shape[2 + i] * strides[i]
            before = max(0, full - size) // 2
        else:
            before, after = _paddings(pad_type, pad, tuple(x.shape[2:]), (), ())[i]
            size = full - before - after
        if output_shape is not None:
            size = output_shape[2 + i] if len(output_shape) == rank + 2 else output_shape[i]
        y = y.narrow(2 + i, before, min(size, full - before))
        if y.shape[2 + i] < size:
            missing = [(0, size - y.shape[2 + i]) if j == i else (0, 0) for j in range(rank)]
            y = _pad_spatial(y, missing)
    return y if bias is None else y + bias.reshape(-1, *(1,) * rank)


def _avg_pool(
    x: Tensor,
    kernel_sizes: Ints,
    pad_type: str,
    strides: Ints | None = None,
    pad: Ints | None = None,
    exclude_padding_from_average: bool = False,
    ceil_mode: bool = False,
) -> Tensor:
    rank = x.ndim - 2
    strides = strides or (1,) * rank
    paddings = _paddings(pad_type, pad, tuple(x.shape[2:]), kernel_sizes, strides)
    pool = _AVG_POOL[rank]
    if all(before == after and 2 * before <= k for (before, after), k in zip(paddings, kernel_sizes, strict=True)):
        sides = [before for before, _ in paddings]
        return pool(x, kernel_sizes, strides, sides, ceil_mode, not exclude_padding_from_average)
    if ceil_mode:
        raise PlatformError("avg_pool with ceil_mode takes symmetric padding of at most half the kernel.")
    total = pool(_pad_spatial(x, paddings), kernel_sizes, strides)
    if not exclude_padding_from_average:
        return total
    inside = _pad_spatial(torch.ones(1, 1, *x.shape[2:]), paddings)
    return total / pool(inside, kernel_sizes, strides)


def _max_pool(
    x: Tensor,
    kernel_sizes: Ints,
    pad_type: str,
    strides: Ints | None = None,
    pad: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    rank = x.ndim - 2
    strides = strides or (1,) * rank
    paddings = _paddings(pad_type, pad, tuple(x.shape[2:]), kernel_sizes, strides)
    if all(before == after and 2 * before <= k for (before, after), k in zip(paddings, kernel_sizes, strict=True)):
        sides = [before for before, _ in paddings]
        return _MAX_POOL[rank](x, kernel_sizes, strides, sides, ceil_mode=ceil_mode)
    if ceil_mode:
        raise PlatformError("max_pool with ceil_mode takes symmetric padding of at most half the kernel.")
    return _MAX_POOL[rank](_pad_spatial(x, paddings, float("-inf")), kernel_sizes, strides)


def _grid(size: int, target: int, mode: str) -> Tensor:
    """Where each output samples along one dimension, in elements (coremltools `iOS15`, `resize_bilinear`)."""
    i = torch.arange(target, dtype=torch.float64)
    if mode == "DEFAULT":
        grid = i * size / target
    elif mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
        grid = i * ((size - 1) / max(1, target - 1))
        if mode == "ALIGN_CORNERS" and target == 1:
            grid = torch.full_like(i, (size - 1) / 2)
    elif mode == "OFFSET_CORNERS":
        grid = (i + 0.5) * (max(1, size - 1) / target)
    elif mode == "UNALIGN_CORNERS":
        grid = (i + 0.5) * (size / target) - 0.5
    else:
        raise PlatformError(f"There is no sampling_mode '{mode}'.")
    return grid.clamp(0, size - 1)


def _resample(x: Tensor, dim: int, target: int, mode: str, *, nearest: bool = False) -> Tensor:
    size = x.shape[dim]
    if nearest:  # floor(i * size / target), in integers
        if mode != "DEFAULT":
            raise PlatformError(f"Nearest-neighbour resizing with sampling_mode '{mode}' is not known.")
        return x.index_select(dim, torch.arange(target) * size // target)
    grid = _grid(size, target, mode)
    low = grid.floor().long()
    high = (low + 1).clamp(max=size - 1)
    fraction = (grid - low).float().reshape(-1, *(1,) * (-dim - 1))
    return x.index_select(dim, low) * (1 - fraction) + x.index_select(dim, high) * fraction


def _resize_bilinear(
    x: Tensor,
    target_size_height: int = 1,
    target_size_width: int = 1,
    sampling_mode: str = "DEFAULT",
) -> Tensor:
    return _resample(_resample(x, -2, target_size_height, sampling_mode), -1, target_size_width, sampling_mode)


def _resize_nearest_neighbor(x: Tensor, target_size_height: int, target_size_width: int) -> Tensor:
    tall = _resample(x, -2, target_size_height, "DEFAULT", nearest=True)
    return _resample(tall, -1, target_size_width, "DEFAULT", nearest=True)


def _resize(
    x: Tensor,
    shape: Ints,
    resized_dims: int,
    interpolation_mode: str = "LINEAR",
    sampling_mode: str = "DEFAULT",
) -> Tensor:
    """The last `resized_dims` numbers of `shape` are the new sizes of the last dimensions; 0 keeps one."""
    for i in range(1, resized_dims + 1):
        target = shape[-i] or x.shape[-i]
        if target != x.shape[-i]:
            x = _resample(x, -i, target, sampling_mode, nearest=interpolation_mode == "NEAREST_NEIGHBOR")
    return x


def _upsample_bilinear(
    x: Tensor,
    scale_factor_height: float = 1,
    scale_factor_width: float = 1,
    align_corners: bool = True,
    half_pixel_centers: bool | None = None,
) -> Tensor:
    if half_pixel_centers is None:
        half_pixel_centers = not align_corners
    mode = "STRICT_ALIGN_CORNERS" if align_corners else "UNALIGN_CORNERS" if half_pixel_centers else "DEFAULT"
    height, width = int(x.shape[-2] * scale_factor_height), int(x.shape[-1] * scale_factor_width)
    return _resize_bilinear(x, height, width, mode)


def _upsample_nearest_neighbor(x: Tensor, scale_factor_height: float = 1, scale_factor_width: float = 1) -> Tensor:
    height, width = int(x.shape[-2] * scale_factor_height), int(x.shape[-1] * scale_factor_width)
    return _resize_nearest_neighbor(x, height, width)


def _crop(x: Tensor, crop_height: Ints, crop_width: Ints) -> Tensor:
    H, W = x.shape[-2:]
    return x[..., crop_height[0] : H - crop_height[1], crop_width[0] : W - crop_width[1]]


def _pixel_shuffle(x: Tensor, upscale_factor: int) -> Tensor:
    return F.pixel_shuffle(x, upscale_factor)


def _pixel_unshuffle(x: Tensor, downscale_factor: int) -> Tensor:
    return F.pixel_unshuffle(x, downscale_factor)


def _space_to_depth(x: Tensor, block_size: int) -> Tensor:
    """Unlike pixel_unshuffle, the place inside the block is the slower part of the new channel."""
    N, C, H, W = x.shape
    b = block_size
    blocks = x.reshape(N, C, H // b, b, W // b, b)  # N C H/b b W/b b
    return blocks.permute(0, 3, 5, 1, 2, 4).reshape(N, C * b * b, H // b, W // b)


def _depth_to_space(x: Tensor, block_size: int) -> Tensor:
    N, C, H, W = x.shape
    b = block_size
    blocks = x.reshape(N, b, b, C // (b * b), H, W)  # N b b C/b^2 H W
    return blocks.permute(0, 3, 4, 1, 5, 2).reshape(N, C // (b * b), H * b, W * b)


KERNELS: Mapping[str, Callable[..., Tensor]] = {
    "avg_pool": _avg_pool,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "crop": _crop,
    "depth_to_space": _depth_to_space,
    "max_pool": _max_pool,
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
    "resize": _resize,
    "resize_bilinear": _resize_bilinear,
    "resize_nearest_neighbor": _resize_nearest_neighbor,
    "space_to_depth": _space_to_depth,
    "upsample_bilinear": _upsample_bilinear,
    "upsample_nearest_neighbor": _upsample_nearest_neighbor,
}
