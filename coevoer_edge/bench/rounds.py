"""Turns taken in rounds, so that background load affects everything that is compared equally.

In: turns, each of which returns its milliseconds. Out: all of them (subjects, rounds).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from coevoer_edge.terminal.console import Steps


def in_rounds(turns: Sequence[Callable[[], float]], rounds: int, steps: Steps, seed: int = 0) -> NDArray[np.float64]:
    """Milliseconds (len(turns), rounds). Each round runs every turn once, in a new random order.

    In a fixed order, the row after one whose threads are slow to sleep would always be slowed down.
    """
    rng = np.random.default_rng(seed)
    times_ms = np.zeros((len(turns), rounds))
    for number in steps.track(range(rounds), lambda _: "rounds"):
        for i in rng.permutation(len(turns)):
            times_ms[i, number] = turns[i]()
    return times_ms
