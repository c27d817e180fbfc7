"""The subjects of a benchmark run: one for each row, with the job that a worker process runs for it.

In: opened bundles, peers. Out: `Subject`s, grouped by kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from coevoer_edge.bundle import Bundle
from coevoer_edge.bundle.manifest import Manifest

if TYPE_CHECKING:
    from coevoer_edge.model import CoEvoer

SubjectKind = Literal["network", "pipeline", "mesh", "gemm"]

GEMM_SIZE = 1024
"""The fastest size from 512 to 4096: smaller products do not keep two cores busy, larger ones exceed the cache."""
HOLISTIC = "MediaPipe Holistic"


@dataclass(frozen=True)
class Subject:
    """One row before it is timed."""

    name: str
    kind: SubjectKind
    job: dict[str, Any]  # worker.py
    model: str = ""
    target: str = ""
    precision: str = ""
    megabytes: float | None = None
    macs: int | None = None  # multiply-accumulates of one turn, where known
    python: Path | None = None  # None: this interpreter

    @property
    def starts(self) -> bool:
        """Whether cold start and memory are meaningful for this row."""
        return self.kind in ("network", "pipeline")


def subjects(
    bundles: Sequence[Bundle],
    peers: Sequence[str],
    threads: int | None,
    stream: Path,
    mediapipe_python: Path,
) -> list[Subject]:
    """All subjects of a run. `Stream.save` wrote the folder `stream`; checkpoints of eager peers are written to it."""
    networks, pipelines = [], []
    models: dict[tuple[str, int], CoEvoer | None] = {}
    for bundle in bundles:
        manifest = bundle.manifest
        key = (manifest.model, manifest.parameters)
        if key not in models:
            models[key] = network_of(manifest)
        given = {"bundle": str(bundle.path.absolute()), "threads": threads}
        macs = _macs(models[key])
        network = Subject(
            bundle.path.name,
            "network",
            {"do": "network", **given},
            model=manifest.model,
            target=manifest.target,
            precision=manifest.precision,
            megabytes=manifest.artifact_bytes / 1e6,
            macs=macs,
        )
        networks.append(network)
        job = {"do": "pipeline", "stream": str(stream), **given}
        pipelines.append(replace(network, kind="pipeline", job=job, macs=None))
    if "eager" in peers:
        networks += [_eager(found, stream, threads) for found in models.values() if found is not None]
    if "mediapipe" in peers:
        job = {"do": "holistic", "stream": str(stream)}
        pipelines.append(Subject(HOLISTIC, "pipeline", job, python=mediapipe_python))
    return [
        *networks,
        *pipelines,
        Subject("mesh decode", "mesh", {"do": "mesh", "stream": str(stream)}, precision="fp32"),
        Subject(
            f"GEMM {GEMM_SIZE} x {GEMM_SIZE} x {GEMM_SIZE}",
            "gemm",
            {"do": "gemm", "size": GEMM_SIZE, "threads": threads},
            precision="int8",
            macs=GEMM_SIZE**3,
        ),
    ]


def network_of(manifest: Manifest) -> "CoEvoer | None":
    """A bundle's network with any weights: the variant (Table 4) of its model that the manifest names.

    None for an unknown model, and for bundles of version 0.1, whose manifest does not name the variant.
    """
    from coevoer_edge.model import MODEL_NAMES
    from coevoer_edge.model.build import blank

    variant = manifest.checkpoint
    if manifest.model not in MODEL_NAMES or variant.enhancer is None or variant.foreground is None:
        return None
    return blank(manifest.model, enhancer=variant.enhancer, foreground=variant.foreground).eval()


def _macs(network: "CoEvoer | None") -> int | None:
    from coevoer_edge.model.sizes import count_macs

    return None if network is None else count_macs(network)


def _eager(network: "CoEvoer", folder: Path, threads: int | None) -> Subject:
    """The float network from a checkpoint; its time does not depend on the weights."""
    from coevoer_edge.model.checkpoint import save

    path = folder / f"{network.name}.safetensors"
    save(network, path, trained=False)
    return Subject(
        f"{network.name} in PyTorch",
        "network",
        {"do": "eager", "checkpoint": str(path), "threads": threads},
        model=network.name,
        target="eager",
        precision="fp32",
        megabytes=path.stat().st_size / 1e6,
    )
