"""A parity run as one HTML file with its pictures inside, no script, and nothing loaded from elsewhere.

In: `Ladder`s, `PictureRow`s. Out: HTML that is light or dark like the reader's system and whose tables scroll on a
phone.
"""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from PIL import Image

from coevoer_edge.parity.report import words
from coevoer_edge.parity.report.words import Ladders
from coevoer_edge.parity.result import Ladder, PictureRow
from coevoer_edge.pipeline.image import Pixels

_AMPLIFIED = 4
_RUNGS = ("reference", "student", "quantized", "artifact")
_STYLE = """
:root { color-scheme: light dark; --text: #1c1c1e; --page: #ffffff; --soft: #f2f2f5; --line: #d4d4da;
  --faint: #62626a; --pass: #1a7f37; --fail: #c62828; --tint: #fdecea; }
@media (prefers-color-scheme: dark) { :root { --text: #ececf0; --page: #17171a; --soft: #232328; --line: #3c3c44;
  --faint: #a2a2ac; --pass: #57c27a; --fail: #ff7b72; --tint: #3d1f1f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1, h2, h3 { line-height: 1.25; margin: 1.5em 0 .5em; }
h1 { margin-top: .25em; }
.pass { color: var(--pass); } .fail { color: var(--fail); }
.faint { color: var(--faint); }
.note { border-left: .25rem solid var(--line); padding: .25rem .75rem; background: var(--soft); }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--line); }
thead th { background: var(--soft); }
tr:last-child td { border-bottom: 0; }
td.n, th.n { text-align: right; }
td.wrap { white-space: normal; min-width: 16rem; }
tr.over td { background: var(--tint); font-weight: 600; }
details { margin: .5rem 0; } summary { cursor: pointer; font-weight: 600; padding: .35rem 0; }
.tiles { display: flex; gap: .5rem; overflow-x: auto; padding-bottom: .5rem; }
figure { margin: 0 0 1.25rem; } figcaption { margin-bottom: .35rem; }
.tile { flex: 0 1 12rem; min-width: 8rem; text-align: center; font-size: .8rem; color: var(--faint); }
.tile img { display: block; width: 100%; height: auto; border-radius: .3rem; }
@media print { .scroll, .tiles { overflow: visible; flex-wrap: wrap; } details > * { display: block; } }
"""


def as_html(ladders: Ladders, pictures: Sequence[PictureRow] | Mapping[str, Sequence[PictureRow]] = ()) -> str:
    """The whole report.

    Args:
        ladders: one or several.
        pictures: the worst images, of the single ladder or by the name of the bundle.
    """
    found = words.each(ladders)
    by_bundle = pictures if isinstance(pictures, Mapping) else {found[0].bundle: pictures} if pictures else {}
    result = words.verdict(found)
    body = [f'<h1>Parity: <span class="{result}">{result.upper()}</span></h1>']
    if len(found) > 1:
        body.append(_overview(found))
    for number, ladder in enumerate(found):
        body += _ladder(ladder, by_bundle.get(ladder.bundle, ()), number)
    title = html.escape(f"Parity {result}: {', '.join(ladder.bundle for ladder in found)}")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def _overview(ladders: Sequence[Ladder]) -> str:
    rows = [
        (
            f'<tr><td><a href="#bundle-{number}">{html.escape(ladder.bundle)}</a></td>'
            f'<td class="{ladder.verdict}">{ladder.verdict}</td>'
            f'<td class="n">{len(ladder.violations)}</td><td>{html.escape(_artifact(ladder))}</td></tr>'
        )
        for number, ladder in enumerate(ladders)
    ]
    return _table(("bundle", "verdict", "#over budget", "ran by"), rows)


def _artifact(ladder: Ladder) -> str:
    rung = words.rungs(ladder).get("artifact")
    return "" if rung is None else words.ran_by(rung)


def _ladder(ladder: Ladder, pictures: Sequence[PictureRow], number: int) -> list[str]:
    parts = [
        f'<section id="bundle-{number}">',
        f'<h2 class="{ladder.verdict}">{html.escape(words.headline(ladder))}</h2>',
        f'<p class="faint">{html.escape(words.circumstances(ladder))}</p>',
    ]
    if note := words.interpreted_note(ladder):
        parts.append(f'<p class="note">{html.escape(note)}</p>')
    if ladder.violations:
        rows = [
            _row((v.step, v.figure, v.statistic, words.number(v.value), words.number(v.limit)), (v.reason,), over=True)
            for v in ladder.violations
        ]
        parts += ["<h3>Over budget</h3>", _table(("step", "figure", "statistic", "#value", "#limit", "why"), rows)]
    if pictures:
        parts += ["<h3>Worst images</h3>", *map(_pictures, pictures)]
    parts += ["<h3>Rungs</h3>", _rungs(ladder), "<h3>Figures</h3>", _figures(ladder, main=True)]
    if ladder.error_ratio:
        ratios = [
            _row(row, over=bool(words.violations(ladder, "lowering", f"error_ratio.{row[0]}")))
            for row in words.ratios(ladder)
        ]
        parts += [f"<p>{html.escape(words.RATIO_NOTE)}</p>", _table(("output", "#error ratio", "#limit"), ratios)]
    parts.append(f"<details><summary>All figures</summary>{_figures(ladder, main=False)}</details>")
    parts += [*_truth(ladder), *_layers(ladder), "</section>"]
    return parts


def _pictures(row: PictureRow) -> str:
    tiles = dict(row.tiles)
    rungs = [name for name in _RUNGS if name in tiles]
    shown: dict[str, Pixels] = {name: tile for name, tile in tiles.items() if name not in rungs}
    ordered = {"image": shown.pop("image")} if "image" in shown else {}
    ordered |= {name: tiles[name] for name in rungs} | shown
    ordered |= {
        f"{before} to {after}, difference x {_AMPLIFIED}": _difference(tiles[before], tiles[after])
        for before, after in pairwise(rungs)
    }
    figures = "".join(
        f'<div class="tile"><img src="{_uri(tile)}" width="{tile.shape[1]}" height="{tile.shape[0]}" '
        f'alt="{html.escape(f"image {row.index}: {name}")}">{html.escape(name)}</div>'
        for name, tile in ordered.items()
    )
    return f'<figure><figcaption>{html.escape(row.caption)}</figcaption><div class="tiles">{figures}</div></figure>'


def _difference(before: Pixels, after: Pixels) -> Pixels:
    """The amplified difference of two pictures (H, W, 3), black where they are equal."""
    distance = np.abs(before.astype(np.int16) - after.astype(np.int16)) * _AMPLIFIED
    return distance.clip(0, 255).astype(np.uint8)


def _uri(picture: Pixels) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _rungs(ladder: Ladder) -> str:
    rows = [_row((r.name, r.model), (words.ran_by(r), r.source)) for r in words.rungs(ladder).values()]
    return _table(("rung", "model", "ran by", "source"), rows)


def _figures(ladder: Ladder, *, main: bool) -> str:
    rows = [
        _row(
            (step, name, words.unit(name), *words.values(figure), words.limit(ladder, step, name)),
            over=bool(words.violations(ladder, step, name)),
        )
        for step, name, figure in words.rows(ladder)
        if not main or words.is_main(ladder, step, name)
    ]
    return _table(("step", "figure", "unit", *(f"#{name}" for name in words.STATISTICS), "limit"), rows)


def _truth(ladder: Ladder) -> list[str]:
    rows = [
        _row((rung, name, words.unit(name), *words.values(figure)))
        for rung, figures in ladder.truth.items()
        for name, figure in figures.items()
        if figure.count
    ]
    titles = ("rung", "figure", "unit", *(f"#{name}" for name in words.STATISTICS))
    return ["<h3>Against ground truth</h3>", _table(titles, rows)] if rows else []


def _layers(ladder: Ladder) -> list[str]:
    parts = []
    for step, losses in words.layers(ladder).items():
        rows = [
            _row((loss.path, *(words.number(value) for value in (loss.relative_error, loss.sqnr_db, loss.added))))
            for loss in losses[: words.SHOWN_LAYERS]
        ]
        parts += [f"<h3>Layers: {step}</h3>", f'<p class="faint">{html.escape(words.layers_note(ladder, step))}</p>']
        parts.append(_table(("layer", "#relative error", "#SQNR, dB", "#added"), rows))
    return parts


def _table(titles: Sequence[str], rows: Sequence[str]) -> str:
    """A scrolling table; a title that begins with # is the head of a column of numbers."""
    head = "".join(
        f'<th scope="col" class="n">{html.escape(title[1:])}</th>'
        if title.startswith("#")
        else f'<th scope="col">{html.escape(title)}</th>'
        for title in titles
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{table}</div>'


def _row(cells: Sequence[str], sentences: Sequence[str] = (), *, over: bool = False) -> str:
    """Cells, with those that look like numbers aligned right, then cells of running text."""
    plain = "".join(f"<td{_side(cell)}>{html.escape(cell)}</td>" for cell in cells)
    wrapped = "".join(f'<td class="wrap">{html.escape(sentence)}</td>' for sentence in sentences)
    mark = ' class="over"' if over else ""
    return f"<tr{mark}>{plain}{wrapped}</tr>"


def _side(cell: str) -> str:
    return ' class="n"' if cell in ("nan", "inf", "-inf") or cell.lstrip("-")[:1].isdigit() else ""
