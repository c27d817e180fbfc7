"""The images that a ladder is measured on, with ground truth where the data has it.

In: what `--data` names. Out: `Samples`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from coevoer_edge.body.model import BodyModel
from coevoer_edge.data.folder import default_images
from coevoer_edge.data.record import Record, RecordSource, VertexSource
from coevoer_edge.data.sources import open_test
from coevoer_edge.errors import InputError
from coevoer_edge.evaluation.domains import choose
from coevoer_edge.evaluation.golden import with_mirrors
from coevoer_edge.media.images import find_images
from coevoer_edge.pipeline.camera import Crop
from coevoer_edge.pipeline.image import Pixels, extract_crop, load_image

DEFAULT_COUNT = 128
_BATCH = 32


@dataclass(frozen=True, eq=False)
class Samples:
    """N crops, the network's inputs."""

    source: str  # in words
    images: tuple[Pixels, ...]  # each 256 192 3, uint8 RGB
    truth: Record | None = None  # N
    vertices: Tensor | None = None  # N V 3, m: true meshes, where the dataset has them


def open_samples(data: str | None, limit: int | None, body: BodyModel | None = None) -> Samples:
    """Read images: the default golden set with its mirror images, as in `export`, a folder of photos, or a dataset.

    Args:
        data: None for the golden set, a folder, or a dataset as `evaluate --data` takes it.
        limit: how many photos or samples; None for 128, or as many as there are.
        body: the user's SMPL-X, which licensed datasets need.

    Raises:
        InputError: unknown data, fewer images than asked for, images that cannot be read.
    """
    if data is None:
        chosen = default_images("golden", limit)
        return Samples(f"{chosen.source}, and their mirror images", with_mirrors(chosen.images))
    if Path(data).is_dir() and not any(path.is_dir() for path in Path(data).glob("[0-9]*")):  # no synthetic samples
        return _photos(Path(data), limit)
    return _dataset(data, limit, body)


def _photos(folder: Path, limit: int | None) -> Samples:
    files = find_images(folder)
    if limit is not None and limit > len(files):
        raise InputError(f"--limit {limit} is more than the {len(files)} images in {folder}; leave it out for all.")
    chosen = files[: limit or DEFAULT_COUNT]
    images = tuple(_whole_frame(load_image(path)) for path in chosen)
    return Samples(f"folder {folder.resolve().name}, {len(chosen)} of {len(files)} images", images)


def _whole_frame(image: Pixels) -> Pixels:
    return extract_crop(image, Crop.whole_frame(image.shape[1], image.shape[0]))


def _dataset(spec: str, limit: int | None, body: BodyModel | None) -> Samples:
    sources = open_test(spec, body)
    available = sum(len(source) for _, source in sources)
    domains = choose(sources, min(DEFAULT_COUNT, available) if limit is None else limit)
    parts = [_read(domain.source, domain.indices) for domain in domains]
    truth = Record(*(torch.cat(tensors) for tensors in zip(*(record for record, _ in parts), strict=True)))
    meshes = [vertices for _, vertices in parts if vertices is not None]
    names = ", ".join(f"{len(domain.indices)} of {domain.name}" for domain in domains)
    images = tuple(np.ascontiguousarray(image) for image in truth.image.permute(0, 2, 3, 1).numpy())  # N x 256 192 3
    return Samples(f"{spec}: {names}", images, truth, torch.cat(meshes) if meshes else None)


def _read(source: RecordSource, indices: range) -> tuple[Record, Tensor | None]:
    batches = [indices[i : i + _BATCH] for i in range(0, len(indices), _BATCH)]
    records = [source.batch(batch).to("cpu") for batch in batches]
    record = Record(*(torch.cat(tensors) for tensors in zip(*records, strict=True)))
    if not isinstance(source, VertexSource):
        return record, None
    return record, torch.cat([source.vertices(batch).cpu().float() for batch in batches])
