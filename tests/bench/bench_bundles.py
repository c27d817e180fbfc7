"""Bundles of the tiny network, complete enough to open and run."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import tiny

from coevoer_edge import bundle
from coevoer_edge.bundle import Bundle, Manifest
from coevoer_edge.pipeline.constants import CONFORMANCE_FILE


def write_bundle(folder: Path, artifact: Path, target: str, precision: str, model: str = "tiny") -> Bundle:
    content = Manifest(
        **bundle.shared_tables(),
        model=model,
        trained=False,
        parameters=1,
        target=target,
        backend="",
        precision=precision,
        artifact=artifact.name,
        artifact_bytes=artifact.stat().st_size,
        checkpoint={},
        recipes={},
        calibration={},
        tools={},
        body_model={"name": "open body", "licence": "CC0-1.0", "file": "body.safetensors"},
        licence="Apache-2.0",
        fusion={},
        parity={},
    )
    with bundle.writing(folder, overwrite=False) as unfinished:
        (unfinished / artifact.name).write_bytes(artifact.read_bytes())
        (unfinished / bundle.MANIFEST).write_text(json.dumps(asdict(content)), encoding="utf-8")
        np.savez(unfinished / bundle.GOLDEN, image=np.stack(tiny.images(3, 4)))
        for name in ("body.safetensors", CONFORMANCE_FILE):
            (unfinished / name).write_bytes(b"")
    return Bundle.open(folder)
