"""A parity run as plain text for a terminal. In: `Ladder`s. Out: lines of at most 100 characters or so."""

from textwrap import wrap

from coevoer_edge.parity.report import words
from coevoer_edge.parity.report.words import Ladders
from coevoer_edge.parity.result import Ladder


def as_text(ladders: Ladders) -> str:
    """Verdict, what is over budget, main figures of each step, the worst layers."""
    return "\n\n".join("\n".join(_lines(ladder)) for ladder in words.each(ladders))


def _lines(ladder: Ladder) -> list[str]:
    lines = [words.headline(ladder), f"  {words.circumstances(ladder)}"]
    lines += [f"  {name:<10} {words.ran_by(rung)}; {rung.source}" for name, rung in words.rungs(ladder).items()]
    if note := words.interpreted_note(ladder):
        lines += _wrapped(note)
    lines += [f"  over budget: {violation}" for violation in ladder.violations]
    last = ""
    for step, name, figure in words.rows(ladder):
        if not words.is_main(ladder, step, name):
            continue
        if step != last:
            lines += ["", f"  {step:<36}" + "".join(f"{title:>9}" for title in words.STATISTICS) + "  limit"]
            last = step
        mark = "!" if words.violations(ladder, step, name) else " "
        values = "".join(f"{value:>9}" for value in words.values(figure))
        lines.append(f"  {mark} {name:<34}{values}  {words.limit(ladder, step, name)}".rstrip())
    if ladder.error_ratio:
        lines += ["", *_wrapped(words.RATIO_NOTE), f"  {'lowering':<36}{'ratio':>9}  limit"]
        for output, ratio, limit in words.ratios(ladder):
            mark = "!" if words.violations(ladder, "lowering", f"error_ratio.{output}") else " "
            lines.append(f"  {mark} {output:<34}{ratio:>9}  {limit}".rstrip())
    for rung, figures in ladder.truth.items():
        if figures:
            lines += ["", f"  {f'{rung} against ground truth':<36}{'mean':>9}"]
            lines += [f"    {name:<34}{words.number(f.mean):>9}" for name, f in figures.items() if f.count]
    for step, losses in words.layers(ladder).items():
        lines += ["", *_wrapped(words.layers_note(ladder, step))]
        lines.append(f"    {'layer':<50}{'relative':>9}{'dB':>7}{'added':>9}")
        for loss in losses[: words.SHOWN_LAYERS]:
            row = (words.number(loss.relative_error), words.number(loss.sqnr_db), words.number(loss.added))
            lines.append(f"    {loss.path:<50}{row[0]:>9}{row[1]:>7}{row[2]:>9}")
    return lines


def _wrapped(sentences: str) -> list[str]:
    return wrap(sentences, 98, initial_indent="  ", subsequent_indent="  ")
