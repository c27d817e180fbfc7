"""Datasets by name, as the commands take them.

In: a specification such as `synthetic`, `ubody:FOLDER` or the folder of drawn samples. Out: `RecordSource`s.
"""

from pathlib import Path
from typing import Literal

import torch

from coevoer_edge.body.model import BodyModel
from coevoer_edge.data.record import RecordSource
from coevoer_edge.data.shards import Shards
from coevoer_edge.errors import InputError

TRAINING_SEED_OFFSET = 1000
"""Training with seed n draws people with seed 1000 + n, so that none of the test split's is among them."""

VALIDATION_SEED = 1
"""People that training is watched on; neither trained on nor tested on."""

TEST_SEED = 0
TEST_COUNT = 1000
"""Samples of each domain in the synthetic test split."""

VALID = (
    "synthetic (people drawn as they are needed), a folder of drawn samples (python -m coevoer_edge.data.synthetic), "
    "ubody:FOLDER, agora:FOLDER or ehf:FOLDER (the last to test only)"
)


def open_source(spec: str, seed: int, device: torch.device, body: BodyModel | None = None) -> RecordSource:
    """A dataset to train on.

    Raises:
        InputError: unknown specification, missing folder.
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
        InputError: unknown specification, missing folder.
    """
    if spec == "synthetic":
        from coevoer_edge.data.synthetic.people import FirstSamples, SyntheticPeople

        return [
            ("training look", FirstSamples(SyntheticPeople(TEST_SEED, "train", body, device), TEST_COUNT)),
            ("held-out look", FirstSamples(SyntheticPeople(TEST_SEED, "held_out", body, device), TEST_COUNT)),
        ]
    return [(_licensed_name(spec) or Path(spec).name, _on_disk(spec, "test", body))]


def open_validation(spec: str, body: BodyModel | None = None, device: torch.device | str = "cpu") -> RecordSource:
    """What training on a dataset is watched on: synthetic people of their own seed, or a licensed dataset's test part.

    Raises:
        InputError: missing folder.
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
    """A licensed dataset, or a folder of drawn samples.

    Raises:
        InputError: it is neither.
    """
    if name := _licensed_name(spec):
        return _licensed(name, Path(spec.partition(":")[2]), split, body)
    if Path(spec).is_dir():
        return Shards(spec)
    raise InputError(f"No data {spec!r}; valid: {VALID}.")


def _licensed(name: str, folder: Path, split: Literal["train", "test"], body: BodyModel | None) -> RecordSource:
    """A dataset in its published form.

    Raises:
        InputError: no SMPL-X file is given, the folder is not laid out as published.
    """
    if body is None or body.name == BodyModel.open().name:
        raise InputError(
            f"{name}'s annotations are parameters of the licensed SMPL-X body; add --body SMPLX_NEUTRAL.npz "
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
