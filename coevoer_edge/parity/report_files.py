"""The reports of a parity run as files in a folder.

In: a `Climb`. Out: `parity.json`, `parity.xml` (JUnit), `parity.md` and `parity.html`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from coevoer_edge.errors import InputError
from coevoer_edge.files.staging import move_files, staging
from coevoer_edge.files.whole import write_whole

if TYPE_CHECKING:
    from coevoer_edge.parity.ladder import Climb

NAMES = ("parity.json", "parity.xml", "parity.md", "parity.html")


def refuse_existing(folder: Path, *, overwrite: bool) -> None:
    """Raise `InputError` where `folder` is a file or, without `overwrite`, where a report exists."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder with -o.")
    existing = [folder / name for name in NAMES if (folder / name).exists()]
    if existing and not overwrite:
        raise InputError(f"{existing[0]} exists; add --overwrite, or give another folder with -o.")


def write_reports(found: "Climb", folder: Path, body: Path | None = None) -> tuple[Path, ...]:
    """Write all reports, with pictures on the user's own SMPL-X `body` or the open body; returns their paths."""
    from coevoer_edge.body.model import BodyModel
    from coevoer_edge.parity.pictures import draw
    from coevoer_edge.parity.report import as_html, as_json, as_junit, as_markdown

    model = BodyModel.open(body)
    pictures = {ladder.bundle: draw(found, number, model) for number, ladder in enumerate(found.ladders)}
    texts = (
        as_json(found.ladders),
        as_junit(found.ladders),
        as_markdown(found.ladders),
        as_html(found.ladders, pictures),
    )
    with staging(folder, "parity") as place:
        for name, text in zip(NAMES, texts, strict=True):
            write_whole(place / name, text)
        move_files(place, folder, NAMES)
    return tuple(folder / name for name in NAMES)
