"""Format tables as in the paper: sections of published and measured rows, as terminal text and as Markdown.

In: `Section`s of `PublishedRow`s. Out: text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coevoer_edge.evaluation.paper_tables import PublishedRow, Triple

_SETS = ("all", "hand", "face")
_HEAD = ("All", "Hand", "Face")


@dataclass(frozen=True)
class Section:
    """Rows of the same origin: a published table, or figures measured here."""

    title: str
    rows: Sequence[PublishedRow]
    decimals: int = 1


def row_of(name: str, table: Mapping[str, Any], suffix: str = "") -> PublishedRow:
    """A row from a result's JSON table; `suffix` "_in_crop" uses the figures over vertices within the crop."""

    def triple(key: str) -> Triple:
        all_, hand, face = (table[key][part] for part in _SETS)
        return all_, hand, face

    return PublishedRow(name, triple(f"mpvpe{suffix}_mm"), triple(f"pa_mpvpe{suffix}_mm"))


def as_text(sections: Sequence[Section]) -> str:
    """The table for a terminal; figures in mm."""
    width = max(len(row.name) for section in sections for row in section.rows) + 2
    lines = [
        f"{'mm':<{width}}{'MPVPE':>21}   {'PA-MPVPE':>21}",
        " " * width + "   ".join("".join(f"{name:>7}" for name in _HEAD) for _ in range(2)),
    ]
    for section in sections:
        lines += ["", section.title]
        for row in section.rows:
            figures = "   ".join(
                "".join(f"{_cell(v, section.decimals):>7}" for v in t) for t in (row.mpvpe_mm, row.pa_mpvpe_mm)
            )
            lines.append(f"{row.name:<{width}}{figures}")
    return "\n".join(lines)


def as_markdown(sections: Sequence[Section]) -> str:
    """The table in Markdown; figures in mm."""
    lines = [
        "| Method | MPVPE all | hand | face | PA-MPVPE all | hand | face |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for section in sections:
        lines.append(f"| *{section.title}* | | | | | | |")
        for row in section.rows:
            cells = " | ".join(_cell(value, section.decimals) for value in (*row.mpvpe_mm, *row.pa_mpvpe_mm))
            lines.append(f"| {row.name} | {cells} |")
    return "\n".join(lines)


def _cell(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{round(value, decimals) + 0.0:.{decimals}f}"  # no "-0.0"
