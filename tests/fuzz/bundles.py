"""Damaged bundles: tables of the manifest with digests rewritten to match, and bytes of any file with and without."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
from damage import damaged_bytes, damaged_table

from coevoer_edge.bundle import MANIFEST, SUMS, Bundle


def run(case: int, folder: Path) -> None:
    rng = np.random.default_rng((1, case))
    source, target = folder / "bundle", folder / f"bundle-{case}"
    shutil.copytree(source, target)
    try:
        if case % 3:
            path = target / MANIFEST
            table = damaged_table(json.loads(path.read_text(encoding="utf-8")), rng)
            path.write_text(json.dumps(table), encoding="utf-8")
        else:
            files = sorted(path for path in target.rglob("*") if path.is_file())
            path = files[rng.integers(0, len(files))]
            path.write_bytes(damaged_bytes(path.read_bytes(), rng))
        if case % 2:
            _seal(target)
        opened = Bundle.open(target)
        repr(opened)
    finally:
        shutil.rmtree(target)


def _seal(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
