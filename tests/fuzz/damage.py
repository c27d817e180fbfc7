"""Seeded damage: bytes flipped, cut, repeated or removed, and leaves of tables replaced by unusual values."""

import copy
from typing import Any

import numpy as np

ODD_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2**31,
        2**63,
        10**400,
        0.5,
        -0.0,
        1e308,
        "",
        "x",
        "false",
        "../x",
        "a/b",
        "\0",
        "é" * 300,
    ),
    *([], [1], [[]], ["a"], {}, {"a": 1}, [0] * 1000),
)


def damaged_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """One to eight places damaged in one way, or the end cut off."""
    data = bytearray(content)
    kind = rng.integers(0, 5)
    if kind == 0 or not data:
        return bytes(data[: rng.integers(0, len(data) + 1)])
    for _ in range(rng.integers(1, 9)):
        at = int(rng.integers(0, max(len(data), 1)))
        length = int(min(rng.integers(1, 64), len(data) - at))
        if kind == 1:
            data[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 2:
            data[at : at + length] = rng.integers(0, 256, length, dtype=np.uint8).tobytes()
        elif kind == 3:
            del data[at : at + length]
        else:
            data[at:at] = data[at : at + length]
        if not data:
            break
    return bytes(data)


def damaged_table(table: Any, rng: np.random.Generator, odd: tuple[Any, ...] = ODD_VALUES) -> Any:
    """A copy with one to three leaves or branches replaced, removed or added."""
    result = copy.deepcopy(table)
    for _ in range(rng.integers(1, 4)):
        places = list(_places(result))
        holder, key = places[rng.integers(0, len(places))]
        action = rng.integers(0, 6)
        if action == 0:
            del holder[key]
        elif action == 1 and isinstance(holder, dict):
            holder[f"{key}_"] = odd[rng.integers(0, len(odd))]
        else:
            holder[key] = copy.deepcopy(odd[rng.integers(0, len(odd))])
        if not list(_places(result)):
            break
    return result


def _places(value: Any) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from _places(item)
