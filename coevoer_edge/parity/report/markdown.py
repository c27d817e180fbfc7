"""A parity run as Markdown, for a pull request's comment or a CI summary. In: `Ladder`s. Out: GitHub's Markdown."""

from collections.abc import Sequence

from coevoer_edge.parity.report import words
from coevoer_edge.parity.report.words import Ladders
from coevoer_edge.parity.result import Ladder, Violation


def as_markdown(ladders: Ladders) -> str:
    """Verdicts and violations visible, tables folded."""
    found = words.each(ladders)
    lines = [f"# Parity: {words.verdict(found)}", ""]
    for ladder in found:
        lines += [*_ladder(ladder), ""]
    return "\n".join(lines)


def _ladder(ladder: Ladder) -> list[str]:
    lines = [f"## {_cell(words.headline(ladder))}", "", f"{_cell(words.circumstances(ladder))}.", ""]
    if note := words.interpreted_note(ladder):
        lines += [f"> {note}", ""]
    if ladder.violations:
        lines += _table(
            ("step", "figure", "statistic", "value", "limit", "why"), [_violation(v) for v in ladder.violations]
        )
    main = [
        (step, name, *words.values(figure), words.limit(ladder, step, name))
        for step, name, figure in words.rows(ladder)
        if name.startswith("mpvpe_mm.") or words.violations(ladder, step, name)
    ]
    titles = ("step", "figure", *words.STATISTICS, "limit")
    lines += _table(titles, main)
    rungs = [(rung.name, rung.model, rung.source, words.ran_by(rung)) for rung in words.rungs(ladder).values()]
    lines += _folded("Rungs", _table(("rung", "model", "source", "ran by"), rungs))
    every = [
        (step, name, *words.values(figure), words.limit(ladder, step, name))
        for step, name, figure in words.rows(ladder)
    ]
    lines += _folded("All figures", _table(titles, every))
    if ladder.error_ratio:
        table = _table(("output", "error ratio", "limit"), words.ratios(ladder))
        lines += _folded("Error ratios", [words.RATIO_NOTE, "", *table])
    truth = [
        (rung, name, *words.values(figure))
        for rung, figures in ladder.truth.items()
        for name, figure in figures.items()
        if figure.count
    ]
    if truth:
        lines += _folded("Against ground truth", _table(("rung", "figure", *words.STATISTICS), truth))
    for step, losses in words.layers(ladder).items():
        shown = [
            (loss.path, *(words.number(value) for value in (loss.relative_error, loss.sqnr_db, loss.added)))
            for loss in losses[: words.SHOWN_LAYERS]
        ]
        table = _table(("layer", "relative error", "SQNR, dB", "added"), shown)
        lines += _folded(f"Layers: {step}", [words.layers_note(ladder, step), "", *table])
    return lines


def _violation(violation: Violation) -> tuple[str, ...]:
    value, limit = words.number(violation.value), words.number(violation.limit)
    return violation.step, violation.figure, violation.statistic, value, limit, violation.reason


def _table(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = [" | ".join(titles), " | ".join("---" for _ in titles)]
    lines += [" | ".join(map(_cell, (*row, *[""] * (len(titles) - len(row))))) for row in rows]
    return [*(f"| {line} |" for line in lines), ""]


def _folded(title: str, lines: list[str]) -> list[str]:
    return [f"<details><summary>{title}</summary>", "", *lines, "</details>", ""]


def _cell(text: str) -> str:
    """Escape text so that it cannot end its cell, open a tag or become a link."""
    for sign, spelled in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("`", "\\`"), ("*", "\\*"), ("[", "\\[")):
        text = text.replace(sign, spelled)
    return " ".join(text.split())
