"""Grow a trained network into a larger one that initially computes the same function.

In: a network, the name of a larger model. Out: the larger network, which computes what the small one computes.

Source: Chen et al. 2016, Net2Net (arXiv:1511.05641), section 2. Wider: every new channel is a copy of an old one. The
weights that read the old channel are split among its copies in random shares, so that the copies are trained
differently from the first step on. Deeper: new blocks are inserted between the old ones and add nothing at first. They
are copies of the preceding block, except that the last Linear of attention and MLP is 0.

The function is preserved exactly if every channel gets the same number of copies. If some get more (the decoder of
coevoer-s has 4 heads, that of coevoer-t has 3), LayerNorm counts those more often and its output deviates slightly,
which moves the result by 2.4 mm on average.
"""

import math

import torch
from torch import Tensor

from coevoer_edge.errors import InputError
from coevoer_edge.model import CoEvoer, build

_HEAD = 64
"""Channels of an attention head in every model; heads are copied as a whole."""
_BLOCKS = "encoder.blocks."
_ADDING = ("attention.fc.", "mlp.2.")
"""The layers of a block whose outputs are added to the residual stream."""


@torch.no_grad()
def grow(small: CoEvoer, name: str, *, enhancer: bool = True, foreground: bool = True, seed: int = 0) -> CoEvoer:
    """Build the larger model `name` with the function of `small`, in eval mode.

    Args:
        small: a trained network.
        name: a model of the same kind (with or without a trunk), larger in everything.
        enhancer, foreground: whether both networks have these parts.
        seed: the seed of the random shares.

    Raises:
        InputError: the name is unknown, or `small` cannot grow into that model.
    """
    large = build(name, enhancer=enhancer, foreground=foreground)
    old, new = small.state_dict(), large.state_dict()
    depth, old_depth = len(large.encoder.blocks), len(small.encoder.blocks)
    generator = torch.Generator().manual_seed(seed)
    for key, value in new.items():
        source, is_added = key, False
        if key.startswith(_BLOCKS):
            number, rest = key.removeprefix(_BLOCKS).split(".", 1)
            before = int(number) * old_depth // depth
            source = f"{_BLOCKS}{before}.{rest}"
            is_added = int(number) > 0 and (int(number) - 1) * old_depth // depth == before
            if is_added and rest.startswith(_ADDING):
                value.zero_()
                continue
        if source not in old or any(o > n for o, n in zip(old[source].shape, value.shape, strict=True)):
            raise InputError(
                f"{small.name} cannot grow into {name} ({key}); coevoer-t can grow into coevoer-s, and coevoer-b into "
                "coevoer-l."
            )
        value.copy_(_widened(old[source], value.shape, reads=key.endswith("weight"), generator=generator))
    return large.eval()


def _widened(old: Tensor, shape: torch.Size, *, reads: bool, generator: torch.Generator) -> Tensor:
    """Copy channels along every axis; if `reads`, axis 1 is the input, and its weights are split among the copies."""
    for axis, (before, after) in enumerate(zip(old.shape, shape, strict=True)):
        if before == after:
            continue
        copied = copies(before, after)
        old = old.index_select(axis, copied)
        if reads and axis == 1:
            parts = 0.5 + torch.rand(shape[0], after, generator=generator)
            sums = torch.zeros(shape[0], before).index_add_(1, copied, parts)
            shares = parts / sums[:, copied]
            old = old * shares.view(*shares.shape, *[1] * (old.dim() - 2))
    return old


def copies(before: int, after: int) -> Tensor:
    """Index of the old channel (of `before`) that each new channel (of `after`) copies, (after,).

    Whole heads are copied if both sizes are multiples of a head. k concatenated tensors are each copied as they would
    be alone, so a layer's output and the next layer's input follow the same rule, whatever is between them.
    """
    unit = math.gcd(_HEAD, before, after)
    parts = math.gcd(before // unit, after // unit)  # equal parts of the whole
    few, many = before // unit // parts, after // unit // parts
    unit_of = torch.arange(parts)[:, None] * few + torch.arange(many) % few  # parts many
    return (unit_of.flatten()[:, None] * unit + torch.arange(unit)).flatten()
