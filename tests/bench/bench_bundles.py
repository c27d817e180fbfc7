"""Bundles of the tiny network, complete enough to open and run."""

from pathlib import Path

import numpy as np
import tiny

from coevoer_edge import bundle
from coevoer_edge.bundle import Bundle
from coevoer_edge.bundle.manifest import (
    BodyEntry,
    CheckpointEntry,
    FusionEntry,
    Manifest,
    ParityEntry,
    RecipesEntry,
    shared_entries,
)
from coevoer_edge.pipeline.constants import CONFORMANCE_FILE


def write_bundle(folder: Path, artifact: Path, target: str, precision: str, model: str = "tiny") -> Bundle:
    content = Manifest(
        **shared_entries(),
        model=model,
        trained=False,
        parameters=1,
        target=target,
        backend="",
        precision=precision,
        artifact=artifact.name,
        artifact_bytes=artifact.stat().st_size,
        checkpoint=CheckpointEntry("tiny", "", True, True),
        recipes=RecipesEntry({}, {}),
        tools={},
        body_model=BodyEntry("open body", "CC0-1.0", "body.safetensors"),
        licence="Apache-2.0",
        fusion=FusionEntry(0, 0, 0, {}),
        parity=ParityEntry("skipped"),
    )
    with bundle.reserving(folder, overwrite=False) as unfinished:
        (unfinished / artifact.name).write_bytes(artifact.read_bytes())
        (unfinished / bundle.MANIFEST).write_text(content.to_json(), encoding="utf-8")
        np.savez(unfinished / bundle.GOLDEN, image=np.stack(tiny.images(3, 4)))
        for name in ("body.safetensors", CONFORMANCE_FILE):
            (unfinished / name).write_bytes(b"")
        bundle.finish(unfinished, folder)
    return Bundle.open(folder)
