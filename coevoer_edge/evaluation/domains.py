"""Which samples of the test data are used: all, or an equal share of each domain.

In: named record sources. Out: `Domain`s.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from coevoer_edge.data.record import RecordSource
from coevoer_edge.errors import InputError


@dataclass(frozen=True)
class Domain:
    """A part of the test data, and which of its samples are used."""

    name: str
    source: RecordSource
    indices: range


def choose(sources: Sequence[tuple[str, RecordSource]], limit: int | None) -> list[Domain]:
    """The samples to use: all, or `limit` distributed evenly, so that each domain contributes its first `limit` /
    domains.

    Raises:
        InputError: there are fewer than `limit` samples.
    """
    total = sum(len(source) for _, source in sources)
    if limit is not None and limit > total:
        raise InputError(f"--limit {limit} exceeds the {total} available samples; omit it to use them all.")
    left, open_, counts = total if limit is None else limit, list(range(len(sources))), [0] * len(sources)
    while left:
        open_ = [i for i in open_ if counts[i] < len(sources[i][1])]
        share = max(1, min(left // len(open_), *(len(sources[i][1]) - counts[i] for i in open_)))
        for i in open_[:left]:
            counts[i] += share
            left -= share
    return [Domain(name, source, range(n)) for (name, source), n in zip(sources, counts, strict=True) if n]
