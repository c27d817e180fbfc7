from itertools import pairwise

import numpy as np

from coevoer_edge.bench.rounds import in_rounds
from coevoer_edge.terminal.console import Steps

ROUNDS = 40


def taken(seed: int = 0) -> tuple[list[int], np.ndarray]:
    """The order of the turns, and their times; turn n of subject s takes 100 s + n ms."""
    order: list[int] = []

    def turn(subject: int) -> float:
        order.append(subject)
        return 100.0 * subject + order.count(subject)

    turns = [lambda subject=subject: turn(subject) for subject in range(4)]
    return order, in_rounds(turns, ROUNDS, Steps(1, quiet=True), seed)


def test_everyone_has_one_turn_a_round() -> None:
    order, _ = taken()
    rounds = np.array(order).reshape(ROUNDS, 4)
    assert (np.sort(rounds) == np.arange(4)).all()


def test_nobody_always_follows_the_same_one() -> None:
    order, _ = taken()
    pairs = {(a, b) for r in np.array(order).reshape(ROUNDS, 4) for a, b in pairwise(r)}
    assert len(pairs) == 12


def test_times_are_kept_by_subject_and_round() -> None:
    _, times_ms = taken()
    assert (times_ms == 100.0 * np.arange(4)[:, None] + np.arange(1, ROUNDS + 1)).all()


def test_the_order_follows_from_the_seed() -> None:
    assert taken(1)[0] == taken(1)[0] != taken(2)[0]
