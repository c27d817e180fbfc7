"""A benchmark run as terminal text and as Markdown. In: `Report`. Out: text."""

from collections.abc import Sequence

from coevoer_edge.bench.report import Comparison, Report, Row
from coevoer_edge.bench.subjects import SubjectKind

TITLES: dict[SubjectKind, str] = {
    "network": "network alone",
    "pipeline": "whole pipeline",
    "mesh": "mesh decode alone",
    "gemm": "INT8 peak",
}
HEAD = ("runtime", "median ms", "p90 ms", "speed", "cold start s", "peak MB", "file MB", "of INT8 peak")
_LEFT = 1  # number of text columns in HEAD
_GAP = 2


def as_text(report: Report) -> str:
    """Text for a terminal: a block for each kind, then the comparisons."""
    width = max(len(row.name) for row in report.rows)
    cells = [_cells(row) for row in report.rows]
    widths = [max(len(line[i]) for line in (HEAD, *cells)) + _GAP for i in range(len(HEAD))]

    def line(name: str, values: Sequence[str]) -> str:
        words = (f"{v:<{w}}" if i < _LEFT else f"{v:>{w}}" for i, (v, w) in enumerate(zip(values, widths, strict=True)))
        return f"{name:<{width + _GAP}}{''.join(words)}".rstrip()

    lines = [line("", HEAD)]
    for kind, title in TITLES.items():
        lines += ["", title]
        lines += [line(row.name, cells[i]) for i, row in enumerate(report.rows) if row.kind == kind]
    return "\n".join([*lines, "", *_closing(report)])


def as_markdown(report: Report) -> str:
    """For a page."""
    lines = ["| | " + " | ".join(HEAD) + " |", "|---|---|" + "---:|" * (len(HEAD) - _LEFT)]
    for kind, title in TITLES.items():
        lines.append(f"| *{title}* |" + " |" * len(HEAD))
        for row in report.rows:
            if row.kind == kind:
                lines.append("| " + " | ".join((row.name, *_cells(row))) + " |")
    return "\n".join([*lines, "", *(f"- {words}" for words in _closing(report))])


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.runtime,
        _number(row.median_ms, 2 if row.median_ms < 10 else 1),
        _number(row.p90_ms, 2 if row.p90_ms < 10 else 1),
        f"{row.ratio:.2f}x",
        _number(None if row.cold_start_ms is None else row.cold_start_ms / 1000, 2),
        _number(row.peak_mb, 0),
        _number(row.megabytes, 1),
        "-" if row.share_of_peak is None else f"{row.share_of_peak:.0%}",
    )


def _number(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def _closing(report: Report) -> list[str]:
    lines = [_sentence(comparison) for comparison in report.comparisons]
    for row in report.rows:
        if row.kind == "gemm" and row.gmacs_per_s is not None:
            lines.append(f"INT8 peak of this machine, measured with a matrix product: {row.gmacs_per_s:.0f} GMACs/s")
        if row.found:
            shares = ", ".join(f"{part.replace('_', ' ')} {share:.0%}" for part, share in row.found.items())
            lines.append(f"{row.name}, share of frames with a detection: {shares}")
    threads = f"--threads {report.threads}" if report.threads else "threads chosen by each runtime"
    lines.append(f"{report.cpu}, {report.cores} cores, {threads}; medians of {report.rounds} rounds")
    return lines


def _sentence(c: Comparison) -> str:
    if c.what == "int8_speed":
        return f"{c.name}: {c.value:.2f}x as fast as {c.against}"
    return f"{c.name}, whole pipeline: {c.value:.2f}x the time of {c.against}"
