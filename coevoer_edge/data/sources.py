"""Datasets by the names that the commands accept.

In: a specification such as `synthetic`, `ubody:FOLDER` or a folder of rendered samples. Out: `RecordSource`s.
"""

from pathlib import Path
from typing import Literal

import torch

from coevoer_edge.body.model import BodyModel
from coevoer_edge.data.record import RecordSource
from coevoer_edge.data.shards import Shards
from coevoer_edge.errors import InputError

TRAINING_SEED_OFFSET = 1000
"""Training with seed n samples people with seed 1000 + n, so that it never uses a person of the test split."""

VALIDATION_SEED = 1
"""Seed of the people used for validation during training; they are in neither the training nor the test data."""

TEST_SEED = 0
TEST_COUNT = 1000
"""Samples per domain in the synthetic test split."""

VALID = (
    "synthetic (people rendered on the fly), a folder of rendered samples (python -m coevoer_edge.data.synthetic), "
    "ubody:FOLDER, agora:FOLDER or ehf:FOLDER (the last for testing only)"
)


def open_source(spec: str, seed: int, device: torch.device, body: BodyModel | None = None) -> RecordSource:
    """A dataset to train on.

    Raises:
        InputError: the specification is unknown or the folder is missing.
    """
    if spec == "synthetic":
        from coevoer_edge.data.synthetic.people import SyntheticPeople

        return SyntheticPeople(TRAINING_SEED_OFFSET + seed, body=body, device=device)
    return _on_disk(spec, "train", body)


def open_test(
    spec: str, body: BodyModel | None = None, device: torch.device | str = "cpu"
) -> list[tuple[str, RecordSource]]:
    """The domains of a test set, each with its name: two for `synthetic`, one for a licensed dataset.

    Raises:
        InputError: the specification is unknown or the folder is missing.
    """
    if spec == "synthetic":
        from coevoer_edge.data.synthetic.people import FirstSamples, SyntheticPeople

        return [
            ("training look", FirstSamples(SyntheticPeople(TEST_SEED, "train", body, device), TEST_COUNT)),
            ("held-out look", FirstSamples(SyntheticPeople(TEST_SEED, "held_out", body, device), TEST_COUNT)),
        ]
    return [(_licensed_name(spec) or Path(spec).name, _on_disk(spec, "test", body))]


def open_validation(spec: str, body: BodyModel | None = None, device: torch.device | str = "cpu") -> RecordSource:
    """The validation data for training on a dataset: a licensed dataset's test part, else synthetic people.

    The synthetic people have a seed of their own (`VALIDATION_SEED`).

    Raises:
        InputError: the folder is missing.
    """
    if _licensed_name(spec):
        return _on_disk(spec, "test", body)
    from coevoer_edge.data.synthetic.people import SyntheticPeople

    return SyntheticPeople(VALIDATION_SEED, body=body, device=device)


def _licensed_name(spec: str) -> str:
    """The name in NAME:FOLDER of a licensed dataset; empty for anything else."""
    name, separator, _ = spec.partition(":")
    return name if separator and name in ("ubody", "agora", "ehf") else ""


def _on_disk(spec: str, split: Literal["train", "test"], body: BodyModel | None) -> RecordSource:
    """A licensed dataset, or a folder of rendered samples.

    Raises:
        InputError: the specification is neither a licensed dataset nor a folder.
    """
    if name := _licensed_name(spec):
        return _licensed(name, Path(spec.partition(":")[2]), split, body)
    if Path(spec).is_dir():
        return Shards(spec)
    raise InputError(f"The dataset {spec!r} is unknown; valid are {VALID}.")


def _licensed(name: str, folder: Path, split: Literal["train", "test"], body: BodyModel | None) -> RecordSource:
    """A dataset in its published form.

    Raises:
        InputError: no SMPL-X file is given, or the folder differs from the published layout.
    """
    if body is None or body.name == BodyModel.open().name:
        raise InputError(
            f"The annotations of {name} are parameters of the licensed SMPL-X body; add --body SMPLX_NEUTRAL.npz "
            "(https://smpl-x.is.tue.mpg.de)."
        )
    from coevoer_edge.data.datasets.agora import AGORA
    from coevoer_edge.data.datasets.ehf import EHF
    from coevoer_edge.data.datasets.ubody import UBody

    if name == "ubody":
        return UBody(folder, split, body)
    if name == "agora":
        return AGORA(folder, split, body)
    if split == "train":
        raise InputError("EHF is made for evaluation and has no training part; train on ubody:FOLDER or agora:FOLDER.")
    return EHF(folder, "test", body)
