"""MPVPE and PA-MPVPE of a network, of an exported artifact, or of both side by side.

In: `EvaluateRequest`. Out: `Evaluation`: figures as a table for JSON, the same as text below the paper's, pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coevoer_edge.errors import InputError
from coevoer_edge.files.whole import refusing_os_errors, writing_whole
from coevoer_edge.media.images import image_files
from coevoer_edge.terminal.console import Steps
from coevoer_edge.terminal.device import find_device

if TYPE_CHECKING:
    from coevoer_edge.body.model import BodyModel
    from coevoer_edge.bundle import Bundle
    from coevoer_edge.evaluation.domains import Domain
    from coevoer_edge.evaluation.measure import Result
    from coevoer_edge.evaluation.predict import NetworkOrRuntime
    from coevoer_edge.pipeline.image import Pixels

SYNTHETIC = "synthetic"
UNTRAINED_NOTE = "Untrained weights: these figures are meaningless."
_WORST = 10  # indices named in the JSON
_PICTURED = 6  # rows of a figure


@dataclass(frozen=True)
class EvaluateRequest:
    """What to measure."""

    model: str | None = None  # None: the checkpoint's model, else the default
    checkpoint: Path | None = None  # None: the embedded weights
    bundle: Path | None = None  # an exported bundle; with a model or checkpoint, its float parent is measured too
    data: str = SYNTHETIC
    limit: int | None = None  # samples; None: all
    batch_size: int = 32
    device: str | None = None  # None: cuda if there is one, else cpu
    body: Path | None = None  # the user's SMPL-X; None: the open body
    figures: Path | None = None  # folder for pictures
    beside: Sequence[Path] = ()  # other weights, in the pictures only
    photographs: Path | None = None  # folder of photos, in the pictures only


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation."""

    table: dict[str, Any]  # ready for JSON
    text: str  # the paper's Table 1 with the same figures below it
    pictures: tuple[Path, ...]

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        known = {part: value for part, value in self.table["pa_mpvpe_mm"].items() if value is not None}
        figures = ", ".join(f"{part} {value:.1f}" for part, value in known.items())
        return f"<Evaluation: {self.table['model']} on {self.table['count']} samples; PA-MPVPE {figures} mm>"


@dataclass(frozen=True)
class Evaluated:
    """A network or artifact that is evaluated."""

    label: str
    network: "NetworkOrRuntime"
    facts: dict[str, Any]  # for the JSON: model, source, sha256, trained, ...


def evaluate(request: EvaluateRequest, *, quiet: bool = True) -> Evaluation:
    """Measure hands, face and body against a dataset; `quiet=False` prints steps and progress on stderr.

    Raises:
        InputError: an impossible request, or data that cannot be read.
        CheckpointError: weights that do not fit.
        BundleError: a bundle that cannot be opened.
        PlatformError: a device or a runtime that this machine does not have.
    """
    from coevoer_edge import __version__
    from coevoer_edge.body.model import BodyModel
    from coevoer_edge.data.sources import open_test
    from coevoer_edge.evaluation.domains import choose
    from coevoer_edge.evaluation.measure import evaluate as measure
    from coevoer_edge.evaluation.measuring_body import MeasuringBody

    place, figures = find_device(request.device), request.figures
    _check_folder(figures)
    if figures is None and (request.beside or request.photographs):
        raise InputError("--beside and --photographs affect only the pictures; add --figures FOLDER.")
    photos = [] if request.photographs is None else image_files(request.photographs)
    body, without_float64 = BodyModel.open(request.body), place == "mps"
    measuring = MeasuringBody(body).to("cpu" if without_float64 else place)
    subjects = _subjects(request.model, request.checkpoint, request.bundle, place)
    pictured = subjects + [_network(path, None, place) for path in request.beside]
    try:
        sources = open_test(request.data, body if request.body else None, "cpu" if without_float64 else place)
        domains = choose(sources, request.limit)
        steps = Steps(len(subjects) * len(domains) + (figures is not None), quiet=quiet)
        results = []
        for subject in subjects:
            by_domain = {}
            for domain in domains:
                steps.step(f"Evaluate {subject.label} on {domain.name}, {len(domain.indices)} samples")
                by_domain[domain.name] = measure(
                    subject.network,
                    domain.source,
                    domain.indices,
                    measuring,
                    batch_size=request.batch_size,
                    steps=steps,
                )
            results.append(by_domain)
        tables = [_table(s, r) for s, r in zip(subjects, results, strict=True)]
        table = tables[0] | {"data": request.data, "limit": request.limit, "body": body.name, "device": place}
        if len(tables) > 1:
            table |= {"float_parent": tables[1], "loss": _difference(tables[0], tables[1])}
        pictures: tuple[Path, ...] = ()
        if figures is not None:
            steps.step(f"Render pictures to {figures}")
            pictures = tuple(_draw(figures, pictured, domains, results[0], body, photos))
    finally:
        for subject in subjects:
            _close(subject)
    text = _report(subjects, tables, request.data, body)
    return Evaluation(table | {"coevoer_edge": __version__}, text, pictures)


def _subjects(model: str | None, checkpoint: Path | None, bundle: Path | None, device: str) -> list[Evaluated]:
    """The bundle if there is one, then the network if one is named or there is no bundle."""
    from coevoer_edge.bundle import Bundle

    opened = None if bundle is None else Bundle.open(bundle)
    subjects = []
    if opened is None or model is not None or checkpoint is not None:
        subject = _network(checkpoint, model, device)
        if opened is not None and opened.manifest.checkpoint.sha256 != subject.facts["sha256"]:
            raise InputError(
                f"{opened.path} was exported from {opened.manifest.checkpoint.source}, not from "
                f"{subject.facts['source']} (their sha256 differ); give the bundle's own weights, or omit --model "
                "and --checkpoint."
            )
        subjects.append(subject)
    if opened is not None:
        subjects.insert(0, _artifact(opened))
    return subjects


def _network(checkpoint: Path | None, model: str | None, device: str) -> Evaluated:
    """A file's weights, or a model's embedded ones."""
    from coevoer_edge.model.checkpoint import DEFAULT_MODEL, load, load_embedded

    network, described = load_embedded(model or DEFAULT_MODEL) if checkpoint is None else load(checkpoint, model)
    removed = [name for name in ("enhancer", "foreground") if not getattr(described, name)]
    label = described.model + "".join(f" without {name}" for name in removed)
    facts = vars(described) | {"precision": "fp32"}
    return Evaluated(label, network.to(device), facts)


def _artifact(bundle: "Bundle") -> Evaluated:
    from coevoer_edge.runtime import open_runtime

    manifest = bundle.manifest
    runtime = open_runtime(bundle)
    facts = {
        "model": manifest.model,
        "source": bundle.path.name,
        "sha256": manifest.checkpoint.sha256,
        "trained": manifest.trained,
        "target": manifest.target,
        "runtime": runtime.name,
        "precision": manifest.precision,
    }
    return Evaluated(bundle.path.name, runtime, facts)


def _close(subject: Evaluated) -> None:
    from torch import nn

    if not isinstance(subject.network, nn.Module):
        subject.network.close()


def _check_folder(figures: Path | None) -> None:
    if figures is not None and figures.exists() and not figures.is_dir():
        raise InputError(f"{figures} is a file; give a folder with --figures.")


def _table(subject: Evaluated, results: "dict[str, Result]") -> dict[str, Any]:
    """One subject's part of the JSON: figures over all samples, then for each domain with its worst samples."""
    from coevoer_edge.evaluation.measure import join

    domains = {name: result.table() | {"worst": result.worst(_WORST)} for name, result in results.items()}
    return (
        {"model": subject.facts["model"]} | join(list(results.values())).table() | subject.facts | {"domains": domains}
    )


def _difference(artifact: dict[str, Any], parent: dict[str, Any]) -> dict[str, Any]:
    """The artifact's main figures minus those of its float parent, mm."""

    def minus(key: str) -> dict[str, float | None]:
        pairs = {part: (value, parent[key][part]) for part, value in artifact[key].items()}
        return {part: None if a is None or b is None else round(a - b, 4) for part, (a, b) in pairs.items()}

    return {key: minus(key) for key in ("mpvpe_mm", "pa_mpvpe_mm")}


def _report(subjects: list[Evaluated], tables: list[dict[str, Any]], data: str, body: "BodyModel") -> str:
    """The paper's Table 1 with the figures measured here below it."""
    from coevoer_edge.evaluation.paper_tables import PAPER, TABLE_1
    from coevoer_edge.evaluation.tables import Section, as_text, row_of

    sections = [Section(f"Published, on UBody: {PAPER}, Table 1", TABLE_1)]
    for subject, table in zip(subjects, tables, strict=True):
        rows = [row_of(subject.label, table)]
        if len(table["domains"]) > 1:
            rows += [row_of(f"  {name}", part) for name, part in table["domains"].items()]
        rows.append(row_of("  vertices in the crop", table, "_in_crop"))
        sections.append(Section(f"Measured here, on {data}, {table['count']} samples, body: {body.name}", rows))
    if len(tables) > 1:
        sections.append(Section("Loss", [row_of("artifact - float parent", _difference(tables[0], tables[1]))], 2))
    lines = [as_text(sections), ""]
    if data == SYNTHETIC:
        lines.append(
            "Not comparable: UBody is video of people, while this split is rendered with a body other than SMPL-X."
        )
    else:
        lines.append(f"The published rows are comparable only if {data} is UBody's test split on the SMPL-X body.")
    lines.append("On UBody, OSX averages over the vertices within the image; the last row of a block does the same.")
    return "\n".join(lines + ([] if tables[0]["trained"] else [UNTRAINED_NOTE]))


def _draw(
    folder: Path,
    subjects: list[Evaluated],
    domains: "list[Domain]",
    results: "dict[str, Result]",
    body: "BodyModel",
    photos: list[Path],
) -> list[Path]:
    """Render the first and the worst samples of each domain, and the photographs."""
    from coevoer_edge.evaluation.figures import comparison, photographs

    with refusing_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    untrained = not all(subject.facts["trained"] for subject in subjects)
    labels = [subject.label for subject in subjects]
    networks = {
        s.label if labels.count(s.label) == 1 else f"{s.label}, {i + 1}": s.network for i, s in enumerate(subjects)
    }
    files = []
    for domain in domains:
        stem = "-".join(domain.name.split())
        for kind, indices in (
            ("first", list(domain.indices[:_PICTURED])),
            ("worst", results[domain.name].worst(_PICTURED)),
        ):
            if indices:
                files.append(folder / f"{stem}-{kind}.png")
                _save(comparison(domain.source, indices, networks, body, untrained), files[-1])
    if photos:
        files.append(folder / "photographs.png")
        _save(photographs(photos, subjects[0].network, body, trained=not untrained), files[-1])
    return files


def _save(picture: "Pixels", path: Path) -> None:
    from PIL import Image

    with writing_whole(path) as beside:
        Image.fromarray(picture).save(beside)
