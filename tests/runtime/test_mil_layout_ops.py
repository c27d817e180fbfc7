"""MIL operations that move values or see their neighbours: shapes, indices, convolution, pooling, resizing."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813 (coremltools' own name for it)
from mil_case import RNG, A, Case, check, random, unary
from torch.nn import functional as F

from coevoer_edge.runtime.mil.ops import indexing, shape, spatial

KERNEL = random(6, 4, 3, 2)
KERNEL_GROUPED = random(6, 2, 3, 3)
KERNEL_TRANSPOSED = random(4, 3, 3, 3)
BIAS = random(6)


SHAPE = [
    unary("reshape", lambda x: x.reshape(2, 12, 5), shape=[2, -1, 5]),
    unary("reshape", lambda x: x.reshape(2, 4, 3, 5), shape=[0, 4, -1, 5]),
    Case(
        "reshape_like",
        lambda v: mb.reshape_like(
            x=v["a"],
            ref_tensors=(v["b"], v["b"]),
            begins=(np.int32(0), np.int32(2)),
            ends=(np.int32(2), np.int32(0)),
            end_masks=(False, True),
        ),
        lambda t: t["a"],
    ),
    unary("transpose", lambda x: x.permute(2, 0, 3, 1), perm=[2, 0, -1, 1]),
    unary("expand_dims", lambda x: x[:, None, ..., None], "matrix", axes=[-1, 1]),
    unary("squeeze", lambda x: x[0], "image", axes=[0]),
    Case("flatten2d", lambda v: mb.flatten2d(x=v["a"], axis=2), lambda t: t["a"].reshape(6, 20)),
    Case("concat", lambda v: mb.concat(values=(v["a"], v["b"]), axis=-2), lambda t: torch.cat((t["a"], t["b"]), 2)),
    Case(
        "concat",
        lambda v: mb.concat(values=(v["a"], v["b"]), axis=1, interleave=True),
        lambda t: torch.stack((t["a"], t["b"]), 2).reshape(2, 6, 4, 5),
    ),
    Case("stack", lambda v: mb.stack(values=(v["a"], v["b"]), axis=1), lambda t: torch.stack((t["a"], t["b"]), 1)),
    Case("split", lambda v: mb.split(x=v["a"], split_sizes=[1, 4], axis=-1)[1], lambda t: t["a"][..., 1:]),
    Case("split", lambda v: mb.split(x=v["a"], num_splits=2, axis=2)[1], lambda t: t["a"][:, :, 2:]),
    unary(
        "slice_by_index",
        lambda x: x[1:2, :, 1:-1, ::2],
        begin=[1, 0, 1, 0],
        end=[2, 0, -1, 5],
        stride=[1, 1, 1, 2],
        end_mask=[False, True, False, False],
    ),
    unary(
        "slice_by_index",
        lambda x: x[-1, :, :, 1],
        begin=[-1, 2, 0, 1],
        end=[0, 0, 0, 0],
        begin_mask=[False, True, True, False],
        end_mask=[False, True, True, False],
        squeeze_mask=[True, False, False, True],
    ),
    unary(
        "slice_by_index",
        lambda x: x.flip(3)[..., ::2],
        begin=[0, 0, 0, 0],
        end=[0, 0, 0, 0],
        stride=[1, 1, 1, -2],
        begin_mask=[True] * 4,
        end_mask=[True] * 4,
    ),
    unary("slice_by_size", lambda x: x[1:, 1:3, :, 2:], begin=[1, 1, 0, 2], size=[-1, 2, 4, -1]),
    Case(
        "slice_update",
        lambda v: mb.slice_update(
            x=v["a"],
            update=mb.slice_by_size(x=v["b"], begin=[0, 0, 0, 0], size=[2, 1, 4, 5]),
            begin=[0, 1, 0, 0],
            end=[2, 2, 4, 5],
        ),
        lambda t: torch.stack((t["a"][:, 0], t["b"][:, 0], t["a"][:, 2]), 1),
    ),
    unary("pad", lambda x: F.pad(x, (1, 2, 0, 3), value=0.5), pad=[0, 3, 1, 2], constant_val=0.5),
    unary(
        "pad", lambda x: F.pad(x, (2, 1, 1, 2), mode="reflect"), "image", pad=[0, 0, 0, 0, 1, 2, 2, 1], mode="reflect"
    ),
    unary("pad", lambda x: F.pad(x, (2, 1, 1, 2), mode="replicate"), "image", pad=[1, 2, 2, 1], mode="replicate"),
    unary("tile", lambda x: x.repeat(1, 2, 1, 3), reps=[1, 2, 1, 3]),
    unary("reverse", lambda x: x.flip(1, 3), axes=[1, -1]),
    unary("band_part", lambda x: x.triu(), lower=0, upper=-1),
    unary("band_part", lambda x: x.tril(1).triu(-2), lower=2, upper=1),
    Case("fill", lambda v: mb.fill(shape=mb.shape(x=v["a"]), value=1.5), lambda t: torch.full_like(t["a"], 1.5)),
    Case("fill_like", lambda v: mb.fill_like(ref_tensor=v["a"], value=2.5), lambda t: torch.full_like(t["a"], 2.5)),
    Case("shape", lambda v: mb.shape(x=v["a"]), lambda t: torch.tensor([2, 3, 4, 5])),
    Case(
        "range_1d",
        lambda v: mb.range_1d(
            start=1, end=mb.squeeze(x=mb.slice_by_size(x=v["ints"], begin=[0, 5], size=[1, 1])), step=3
        ),
        lambda t: torch.tensor([1, 4, 7]),
    ),
    unary("sliding_windows", lambda x: x.unfold(2, 3, 1).movedim(-1, 3), axis=2, size=3, stride=1),
]

ROWS = np.array([[2, 0], [1, -1]], np.int32)
ALONG = RNG.integers(0, 3, (2, 2, 4, 5)).astype(np.int32)
PAIRS = np.array([[0, 2], [1, 0], [1, 1]], np.int32)
UNIQUE = np.array([[0, 2], [1, 0]], np.int32)
BATCHED = np.array([[2, 0], [1, 1]], np.int32)
UPDATES = random(2, 4, 5)


def scattered(mode: str) -> torch.Tensor:
    result = torch.from_numpy(A).clone()
    for (i, j), update in zip(UNIQUE, torch.from_numpy(UPDATES), strict=True):
        old = result[i, j]
        result[i, j] = {
            "update": update,
            "add": old + update,
            "sub": old - update,
            "mul": old * update,
            "div": old / update,
            "max": torch.maximum(old, update),
            "min": torch.minimum(old, update),
        }[mode]
    return result


def put_along(x: torch.Tensor) -> torch.Tensor:
    return x.scatter_add(1, torch.from_numpy(ALONG).long(), torch.ones(2, 2, 4, 5))


INDEXING = [
    unary("gather", lambda x: x[:, torch.from_numpy(ROWS)], indices=ROWS, axis=1),
    unary("gather", lambda x: torch.stack([x[i, :, ROWS[i]] for i in range(2)]), indices=ROWS, axis=2, batch_dims=1),
    unary("gather_along_axis", lambda x: x.gather(1, torch.from_numpy(ALONG).long()), indices=ALONG, axis=1),
    unary("gather_nd", lambda x: x[PAIRS[:, 0], PAIRS[:, 1]], indices=PAIRS),
    unary(
        "gather_nd",
        lambda x: torch.stack([x[i, BATCHED[i, 0], BATCHED[i, 1]] for i in range(2)]),
        indices=BATCHED,
        batch_dims=1,
    ),
    *(
        Case(
            "scatter_nd",
            lambda v, mode=mode: mb.scatter_nd(data=v["a"], indices=UNIQUE, updates=UPDATES, mode=mode),
            lambda t, mode=mode: scattered(mode),
        )
        for mode in ("update", "add", "sub", "mul", "div", "max", "min")
    ),
    Case(
        "scatter",
        lambda v: mb.scatter(
            data=v["a"],
            indices=np.array([3, 0], np.int32),
            updates=np.ones((2, 3, 2, 5), np.float32),
            axis=2,
            mode="update",
        ),
        lambda t: t["a"].index_fill(2, torch.tensor([0, 3]), 1.0),
    ),
    Case(
        "scatter_along_axis",
        lambda v: mb.scatter_along_axis(
            data=v["a"], indices=ALONG, updates=np.ones((2, 2, 4, 5), np.float32), axis=1, mode="add"
        ),
        lambda t: put_along(t["a"]),
    ),
    Case(
        "one_hot",
        lambda v: mb.one_hot(indices=v["ints"], one_hot_vector_size=6, axis=1),
        lambda t: (t["ints"][:, None] == torch.arange(6)[:, None]).int(),
    ),
    unary("argsort", lambda x: x.argsort(2, descending=True), axis=2),
    Case("topk", lambda v: mb.topk(x=v["a"], k=2, axis=1)[0], lambda t: t["a"].topk(2, 1).values),
    Case(
        "topk",
        lambda v: mb.topk(x=v["a"], k=2, axis=3, ascending=True)[1],
        lambda t: t["a"].topk(2, 3, largest=False).indices,
    ),
    Case("non_zero", lambda v: mb.non_zero(x=v["ints"]), lambda t: torch.nonzero(t["ints"])),
    unary("cumsum", lambda x: x.cumsum(2), axis=2),
    unary("cumsum", lambda x: x.flip(1).cumsum(1).flip(1) - x, axis=1, exclusive=True, reverse=True),
]


def same_padded(x: torch.Tensor, lower: bool) -> torch.Tensor:
    """7 x 9 under a 3 x 2 kernel of stride 2: 4 x 5 outputs, so 2 rows and 1 column are added."""
    return F.pad(x, (1, 0, 1, 1) if lower else (0, 1, 1, 1))


CONVOLUTION = [
    unary(
        "conv",
        lambda x: F.conv2d(x, torch.from_numpy(KERNEL), torch.from_numpy(BIAS)),
        "image",
        weight=KERNEL,
        bias=BIAS,
        pad_type="valid",
    ),
    unary(
        "conv",
        lambda x: F.conv2d(same_padded(x, False), torch.from_numpy(KERNEL), stride=2),
        "image",
        weight=KERNEL,
        pad_type="same",
        strides=[2, 2],
    ),
    unary(
        "conv",
        lambda x: F.conv2d(same_padded(x, True), torch.from_numpy(KERNEL), stride=2),
        "image",
        weight=KERNEL,
        pad_type="same_lower",
        strides=[2, 2],
    ),
    unary(
        "conv",
        lambda x: F.conv2d(F.pad(x, (3, 0, 1, 2)), torch.from_numpy(KERNEL_GROUPED), dilation=2, groups=2),
        "image",
        weight=KERNEL_GROUPED,
        pad_type="custom",
        pad=[1, 2, 3, 0],
        dilations=[2, 2],
        groups=2,
    ),
    Case(
        "conv",
        lambda v: mb.conv(
            x=mb.expand_dims(x=v["matrix"], axes=[0]), weight=KERNEL[:, :3, :, 0], pad_type="custom", pad=[1, 1]
        ),
        lambda t: F.conv1d(t["matrix"][None], torch.from_numpy(KERNEL[:, :3, :, 0]), padding=1),
    ),
    unary(
        "conv_transpose",
        lambda x: F.conv_transpose2d(
            x, torch.from_numpy(KERNEL_TRANSPOSED), torch.from_numpy(BIAS[:3]), stride=2, padding=1
        ),
        "image",
        weight=KERNEL_TRANSPOSED,
        bias=BIAS[:3],
        strides=[2, 2],
        pad_type="custom",
        pad=[1, 1, 1, 1],
    ),
    unary(
        "conv_transpose",
        lambda x: F.conv_transpose2d(x, torch.from_numpy(KERNEL_TRANSPOSED), stride=2, padding=1, output_padding=1),
        "image",
        weight=KERNEL_TRANSPOSED,
        strides=[2, 2],
        pad_type="custom",
        pad=[1, 1, 1, 1],
        output_shape=[1, 3, 14, 18],
    ),
]


def average_inside(x: torch.Tensor, pads: tuple[int, ...]) -> torch.Tensor:
    ones = F.pad(torch.ones_like(x), pads)
    return F.avg_pool2d(F.pad(x, pads), 3, 2) / F.avg_pool2d(ones, 3, 2)


def hat_resize(x: torch.Tensor, grid: Callable[[int, int], np.ndarray], size: tuple[int, int]) -> torch.Tensor:
    """Linear interpolation as a product with hat functions, from a grid formula of the MIL documentation."""
    for dim, target in ((2, size[0]), (3, size[1])):
        n = x.shape[dim]
        at = torch.from_numpy(np.clip(grid(n, target), 0, n - 1)).float()
        weights = torch.relu(1 - (at[:, None] - torch.arange(n)).abs())  # target n
        x = (x.movedim(dim, -1) @ weights.T).movedim(-1, dim)
    return x


POOL = {"kernel_sizes": [3, 3], "strides": [2, 2]}
SPATIAL = [
    unary("avg_pool", lambda x: F.avg_pool2d(x, 3, 2), "image", pad_type="valid", **POOL),
    unary("avg_pool", lambda x: F.avg_pool2d(x, 3, 2, 1), "image", pad_type="custom", pad=[1, 1, 1, 1], **POOL),
    unary(
        "avg_pool",
        lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
        "image",
        pad_type="custom",
        pad=[1, 1, 1, 1],
        exclude_padding_from_average=True,
        **POOL,
    ),
    unary(
        "avg_pool",
        lambda x: average_inside(x, (0, 2, 1, 0)),
        "image",
        pad_type="custom",
        pad=[1, 0, 0, 2],
        exclude_padding_from_average=True,
        **POOL,
    ),
    unary("max_pool", lambda x: F.max_pool2d(x, 3, 2, 1), "image", pad_type="same", **POOL),
    unary(
        "max_pool",
        lambda x: F.max_pool2d(F.pad(x, (2, 0, 0, 1), value=-math.inf), 3, 2),
        "image",
        pad_type="custom",
        pad=[0, 1, 2, 0],
        **POOL,
    ),
    unary(
        "max_pool",
        lambda x: F.max_pool2d(x, 2, 2, ceil_mode=True),
        "image",
        kernel_sizes=[2, 2],
        strides=[2, 2],
        pad_type="valid",
        ceil_mode=True,
    ),
    unary("crop", lambda x: x[:, :, 1:-2, 3:], "image", crop_height=[1, 2], crop_width=[3, 0]),
    unary("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), "image", upscale_factor=2),
    Case(
        "pixel_unshuffle",
        lambda v: mb.pixel_unshuffle(
            x=mb.slice_by_size(x=v["image"], begin=[0, 0, 0, 0], size=[1, 4, 6, 8]), downscale_factor=np.uint32(2)
        ),
        lambda t: F.pixel_unshuffle(t["image"][:, :, :6, :8], 2),
    ),
    Case(
        "space_to_depth",
        lambda v: mb.space_to_depth(
            x=mb.slice_by_size(x=v["image"], begin=[0, 0, 0, 0], size=[1, 4, 6, 8]), block_size=2
        ),
        lambda t: torch.cat([t["image"][:, :, i:6:2, j:8:2] for i in range(2) for j in range(2)], 1),
    ),
    Case(
        "depth_to_space",
        lambda v: mb.depth_to_space(
            x=mb.space_to_depth(x=mb.slice_by_size(x=v["image"], begin=[0, 0, 0, 0], size=[1, 4, 6, 8]), block_size=2),
            block_size=2,
        ),
        lambda t: t["image"][:, :, :6, :8],
    ),
    unary(
        "upsample_nearest_neighbor",
        lambda x: F.interpolate(x, scale_factor=(2, 3)),
        "image",
        scale_factor_height=2,
        scale_factor_width=3,
    ),
    unary(
        "resize_nearest_neighbor",
        lambda x: F.interpolate(x, (5, 13)),
        "image",
        target_size_height=5,
        target_size_width=13,
    ),
    *(
        unary(
            "upsample_bilinear",
            lambda x, corners=corners: F.interpolate(x, (14, 27), mode="bilinear", align_corners=corners),
            "image",
            scale_factor_height=2,
            scale_factor_width=3,
            align_corners=corners,
            half_pixel_centers=not corners,
        )
        for corners in (False, True)
    ),
    *(
        unary(
            "resize_bilinear",
            lambda x, grid=grid: hat_resize(x, grid, (5, 12)),
            "image",
            target_size_height=5,
            target_size_width=12,
            sampling_mode=mode,
        )
        for mode, grid in {
            "STRICT_ALIGN_CORNERS": lambda n, m: np.arange(m) * (n - 1) / (m - 1),
            "ALIGN_CORNERS": lambda n, m: np.arange(m) * (n - 1) / (m - 1),
            "DEFAULT": lambda n, m: np.arange(m) * (n - n / m) / (m - 1),
            "OFFSET_CORNERS": lambda n, m: (np.arange(m) + 0.5) * max(1, n - 1) / m,
            "UNALIGN_CORNERS": lambda n, m: np.arange(m) * n / m + 0.5 * n / m - 0.5,
        }.items()
    ),
    unary(
        "resize",
        lambda x: F.interpolate(x, (7, 18), mode="bilinear", align_corners=True),
        "image",
        shape=[0, 18],
        resized_dims=np.uint32(2),
        sampling_mode="STRICT_ALIGN_CORNERS",
    ),
]

FAMILIES = {
    "shape": (SHAPE, shape.KERNELS),
    "indexing": (INDEXING, indexing.KERNELS),
    "spatial": (CONVOLUTION + SPATIAL, spatial.KERNELS),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_each_operation_computes_what_torch_does(family: str, tmp_path: Path) -> None:
    check(FAMILIES[family][0], tmp_path / "ops.mlpackage")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kernel_has_a_case(family: str) -> None:
    cases, kernels = FAMILIES[family]
    assert {case.op for case in cases} == set(kernels)
