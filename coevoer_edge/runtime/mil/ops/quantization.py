"""Quantization at run time and compressed weights. In: tensors with their scales. Out: integers, or floats again.

Everything is exact in float32: 8-bit numbers times an 11-bit scale fit into 24 bits.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from coevoer_edge.errors import BundleError, PlatformError
from coevoer_edge.runtime.mil.weights import unpack_bits

_RANGES: Mapping[str, tuple[int, int, torch.dtype]] = {
    "int8": (-128, 127, torch.int8),
    "uint8": (0, 255, torch.uint8),
}


def _along(parameter: Tensor, x: Tensor, axis: int | None) -> Tensor:
    """Shape a scale or zero point, scalar or vector along `axis`, so that it broadcasts over `x`."""
    if parameter.ndim == 0:
        return parameter.float()
    if axis is None:
        raise BundleError("A vector of scales needs an axis.")
    return parameter.float().reshape(-1, *(1,) * (x.ndim - axis % x.ndim - 1))


def _quantize(
    input: Tensor,
    scale: Tensor,
    output_dtype: str,
    zero_point: Tensor | None = None,
    axis: int | None = None,
) -> Tensor:
    """clip(round(input / scale) + zero_point), halves to even."""
    if output_dtype not in _RANGES:
        raise PlatformError(f"`quantize` has no output_dtype '{output_dtype}'; int8 and uint8 are known.")
    low, high, dtype = _RANGES[output_dtype]
    q = (input / _along(scale, input, axis)).round_()
    if zero_point is not None:
        q += _along(zero_point, input, axis)
    return q.clamp_(low, high).to(dtype)


def _dequantize(input: Tensor, scale: Tensor, zero_point: Tensor | None = None, axis: int | None = None) -> Tensor:
    shifted = input.to(torch.float32, copy=True)
    if zero_point is not None:
        shifted -= _along(zero_point, input, axis)
    return shifted.mul_(_along(scale, input, axis))


def _affine_dequantize(quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: int) -> Tensor:
    return _dequantize(quantized_data, scale, zero_point, axis)


def _spread(parameter: Tensor, shape: torch.Size) -> Tensor:
    """Repeat each element over its block: block size = shape / parameter.shape, on every axis by itself."""
    for axis, size in enumerate(shape):
        blocks = parameter.shape[axis]
        if size % blocks:
            raise BundleError(f"{blocks} blocks do not divide a dimension of {size}.")
        if 1 < blocks < size:
            parameter = parameter.repeat_interleave(size // blocks, axis)
    return parameter


def _blockwise_shift_scale(data: Tensor, scale: Tensor, offset: Tensor | None = None) -> Tensor:
    shifted = data.float()
    if offset is not None:
        shifted = shifted - _spread(offset.float(), data.shape)
    return shifted * _spread(scale.float(), data.shape)


def _lut_to_dense(
    indices: Tensor,
    lut: Tensor,
    vector_axis: int | None = None,
    shape: tuple[int, ...] | None = None,
) -> Tensor:
    """With `shape` (iOS16) the indices are packed bits into one table; without (iOS18) a table per block of indices.

    iOS18: `lut` is (blocks on each axis of `indices`), palette, vector; each index gives a vector along `vector_axis`.
    """
    if shape is not None:
        bits = lut.numel().bit_length() - 1
        unpacked = unpack_bits(indices.numpy(), bits, int(np.prod(shape)))
        return lut[torch.from_numpy(unpacked).long()].reshape(shape)
    vector = lut.shape[-1]
    tables = _spread(lut, torch.Size((*indices.shape, *lut.shape[-2:])))
    tables = tables.expand(*indices.shape, *lut.shape[-2:])
    picked = indices.long()[..., None, None].expand(*indices.shape, 1, vector)
    dense = tables.gather(-2, picked).squeeze(-2)  # indices.shape vector
    if vector == 1:
        return dense.squeeze(-1)
    if vector_axis is None:
        raise BundleError("constexpr_lut_to_dense with vectors needs a vector_axis.")
    axis = vector_axis % indices.ndim
    return dense.movedim(-1, axis + 1).flatten(axis, axis + 1)


def _sparse_to_dense(nonzero_data: Tensor, mask: Tensor, shape: tuple[int, ...] | None = None) -> Tensor:
    """The mask is packed bits with `shape` (iOS16), or one element each (iOS18)."""
    if shape is not None:
        mask = torch.from_numpy(unpack_bits(mask.numpy(), 1, int(np.prod(shape)))).reshape(shape)
    dense = torch.zeros(mask.shape, dtype=nonzero_data.dtype)
    dense[mask.bool()] = nonzero_data
    return dense


def _constexpr_cast(source_val: Tensor, output_dtype: str) -> Tensor:
    del output_dtype  # only float16 to float32 exists
    return source_val


KERNELS: Mapping[str, Callable[..., Tensor]] = {
    "constexpr_affine_dequantize": _affine_dequantize,
    "constexpr_blockwise_shift_scale": _blockwise_shift_scale,
    "constexpr_cast": _constexpr_cast,
    "constexpr_lut_to_dense": _lut_to_dense,
    "constexpr_sparse_to_dense": _sparse_to_dense,
    "dequantize": _dequantize,
    "quantize": _quantize,
}
