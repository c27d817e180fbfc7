"""Grow a trained network into a larger one that begins where the small one stands.

In: a network, the name of a larger model. Out: the larger network, computing what the small one does.

Source: Chen et al. 2016, Net2Net (arXiv:1511.05641), section 2. Wider: every new channel is a copy of an old one, and
the weights that read copies share in random parts what they read of the one, so that copies learn different things from
the first step on. Deeper: new blocks stand between the old ones and add nothing yet; they begin as the block before
them, but for the last Linear of attention and MLP, which are 0.

The function is kept exactly where every channel gets as many copies. Where some get more (the decoder of coevoer-s has
4 heads, that of coevoer-t 3), LayerNorm counts those more often and what it writes is a little off: 2.4 mm in the mean.
"""

import math

import torch
from torch import Tensor

from coevoer_edge.errors import InputError
from coevoer_edge.model import CoEvoer, build

_HEAD = 64
"""Channels of an attention head in every model: heads are copied whole."""
_BLOCKS = "encoder.blocks."
_ADDING = ("attention.fc.", "mlp.2.")
"""Of a block: what its sums are with."""


@torch.no_grad()
def grow(small: CoEvoer, name: str, *, enhancer: bool = True, foreground: bool = True, seed: int = 0) -> CoEvoer:
    """Build the larger model `name` with the function of `small`, in eval mode.

    Args:
        small: a trained network.
        name: a model of the same kind (with or without a trunk), larger in everything.
        enhancer, foreground: which parts both networks have.
        seed: of the shares.

    Raises:
        InputError: unknown name; a model that `small` cannot grow into.
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
            raise InputError(f"{small.name} cannot grow into {name} ({key}); valid: coevoer-t to -s, coevoer-b to -l.")
        value.copy_(_widened(old[source], value.shape, reads=key.endswith("weight"), generator=generator))
    return large.eval()


def _widened(old: Tensor, shape: torch.Size, *, reads: bool, generator: torch.Generator) -> Tensor:
    """Copies along every axis; where `reads`, axis 1 is what is read, and copies share it."""
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
    """Which of `before` channels each of `after` channels copies, (after,).

    Whole heads where both are whole heads, and evenly: of k tensors behind each other, each is copied as it would be
    alone. So what a layer writes and what the next one reads go by the same rule, whatever lies between.
    """
    unit = math.gcd(_HEAD, before, after)
    parts = math.gcd(before // unit, after // unit)  # of the whole, alike
    few, many = before // unit // parts, after // unit // parts
    unit_of = torch.arange(parts)[:, None] * few + torch.arange(many) % few  # parts many
    return (unit_of.flatten()[:, None] * unit + torch.arange(unit)).flatten()
