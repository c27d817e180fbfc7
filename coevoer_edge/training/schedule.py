"""Samples and learning rate of each step, as functions of seed and step, so that a resumed run is exact.

In: seed, step. Out: indices, learning rate.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import Dataset, Sampler

from coevoer_edge.data.record import RecordSource, StagedSource
from coevoer_edge.training.recipe import TrainingRecipe

ENDLESS = 2**24
"""A source of this length or more is treated as endless: its indices are used in order, without shuffling."""


def learning_rate(recipe: TrainingRecipe, step: int) -> float:
    """Learning rate at `step`, counted from 0: linear warm-up, then constant, a half cosine, or "wsd".

    "wsd" (warm-up, stable, decay; Hu et al. 2024, MiniCPM, arXiv:2404.06395) is constant until the last `decay_share`
    of the steps and falls linearly there. A run whose budget is extended can continue from a checkpoint before the
    decay as if it had been planned that way.
    """
    warm = min(1.0, (step + 1) / max(1, recipe.warmup_steps))
    if recipe.schedule == "constant" or step < recipe.warmup_steps:
        return recipe.lr * warm
    share = recipe.final_lr_share
    if recipe.schedule == "wsd":
        falls = recipe.steps * recipe.decay_share
        left = min(1.0, max(0, recipe.steps - step) / max(1.0, falls))
        return recipe.lr * (share + (1 - share) * left) * warm
    done = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return recipe.lr * (share + (1 - share) * (1 + math.cos(math.pi * min(1.0, done))) / 2)


class Order:
    """The index of the sample at each position of a run: a seeded permutation for each epoch."""

    def __init__(self, length: int, seed: int) -> None:
        self.length = length
        self.seed = seed
        self._epoch = -1
        self._permutation = torch.empty(0, dtype=torch.long)

    def __getitem__(self, position: int) -> int:
        if self.length >= ENDLESS:
            return position % self.length
        epoch, place = divmod(position, self.length)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % 2**63)
            self._epoch, self._permutation = epoch, torch.randperm(self.length, generator=generator)
        return int(self._permutation[place])


class StepSampler(Sampler[list[int]]):
    """Yields, for each step from `first` on, the indices of this process's contiguous slice of the batch."""

    def __init__(self, order: Order, batch_size: int, first: int, last: int, rank: int, processes: int) -> None:
        self.order = order
        self.batch_size = batch_size
        self.steps = range(first, last)
        self.rank = rank
        self.share = batch_size // processes

    def positions(self, step: int) -> list[int]:
        """Positions of this process's samples in the run."""
        start = step * self.batch_size + self.rank * self.share
        return list(range(start, start + self.share))

    def __iter__(self) -> Iterator[list[int]]:
        for step in self.steps:
            yield [self.order[position] for position in self.positions(step)]

    def __len__(self) -> int:
        return len(self.steps)


class Batches(Dataset[Any]):
    """A source as the dataset of a `DataLoader` whose sampler yields lists of indices.

    With `staged`, the loader's processes run only the source's first stage.
    """

    def __init__(self, source: RecordSource, *, staged: bool = False) -> None:
        self._make = source.prepare if staged and isinstance(source, StagedSource) else source.batch

    def __getitem__(self, indices: list[int]) -> tuple[list[int], Any]:
        return indices, self._make(indices)
