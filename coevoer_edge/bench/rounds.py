"""Turns taken in rounds, so that what else the machine does meets everything that is compared alike.

In: turns, each of which tells its milliseconds. Out: all of them (subjects, rounds).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from coevoer_edge.terminal.console import Steps


def in_rounds(turns: Sequence[Callable[[], float]], rounds: int, steps: Steps, seed: int = 0) -> NDArray[np.float64]:
    """Milliseconds (len(turns), rounds). Every turn once a round, in an order drawn anew for each round.

    In one fixed order, whoever follows a row whose threads are slow to fall asleep would always pay for it.
    """
    rng = np.random.default_rng(seed)
    times_ms = np.zeros((len(turns), rounds))
    for number in steps.track(range(rounds), lambda _: "rounds"):
        for i in rng.permutation(len(turns)):
            times_ms[i, number] = turns[i]()
    return times_ms
