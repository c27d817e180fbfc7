"""Validation during training."""

import pytest
import torch

from coevoer_edge.body.model import BodyModel
from coevoer_edge.data.sources import TEST_SEED, TRAINING_SEED_OFFSET, VALIDATION_SEED
from coevoer_edge.errors import InputError
from coevoer_edge.model import build
from coevoer_edge.training import validation as module
from coevoer_edge.training.validation import VALIDATION_FIGURES, validation


def test_the_six_figures_of_people_nobody_trains_or_tests_on(monkeypatch):
    monkeypatch.setattr(module, "_COUNT", 4)
    figures = validation("synthetic", BodyModel.open(), torch.device("cpu"))(build("coevoer-t"))
    assert tuple(figures) == VALIDATION_FIGURES
    assert all(0 < value < 1000 for value in figures.values())
    assert VALIDATION_SEED not in (TEST_SEED, TRAINING_SEED_OFFSET)
    assert VALIDATION_SEED < TRAINING_SEED_OFFSET


def test_licensed_data_needs_the_licensed_body(tmp_path):
    with pytest.raises(
        InputError, match="The annotations of ubody are parameters of the licensed SMPL-X body; add --body"
    ):
        validation(f"ubody:{tmp_path}", BodyModel.open(), torch.device("cpu"))
