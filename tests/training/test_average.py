"""The mean of several networks' weights, and refused requests."""

import pytest
import tiny
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from coevoer_edge.errors import InputError
from coevoer_edge.model import build, checkpoint
from coevoer_edge.model.build import _SIZES
from coevoer_edge.training.average import average, main


@pytest.fixture
def write(monkeypatch, tmp_path):
    """Writes weights by seed; returns their file."""
    monkeypatch.setitem(_SIZES, "coevoer-t", tiny.SIZES)

    def written(seed, *, trained=True, enhancer=True):
        path = tmp_path / f"{seed}-{trained}-{enhancer}.safetensors"
        checkpoint.save(build("coevoer-t", enhancer=enhancer, seed=seed), path, trained=trained, enhancer=enhancer)
        return path

    return written


def test_the_mean_of_three(write, tmp_path):
    files, out = [write(seed) for seed in (1, 2, 3)], tmp_path / "mean.safetensors"
    result = CliRunner().invoke(main, [*map(str, files), "-o", str(out)])
    assert result.exit_code == 0, result.output
    _, origin = checkpoint.load(out)
    assert (origin.model, origin.trained) == ("coevoer-t", True)
    states, mean = [load_file(file) for file in files], load_file(out)
    for key, value in mean.items():
        exact = sum(state[key].double() for state in states) / 3
        torch.testing.assert_close(value.double(), exact, atol=1e-4, rtol=2.0**-11)


def test_what_does_not_average(write, tmp_path):
    one, out = write(1), tmp_path / "mean.safetensors"
    with pytest.raises(InputError, match=r"The number of weight files is 1; give two or more"):
        average([one], out)
    with pytest.raises(InputError, match="is untrained; give trained weights only"):
        average([one, write(2, trained=False)], out)
    with pytest.raises(
        InputError, match=r"are of different models or variants; give weights of one model and variant."
    ):
        average([one, write(2, enhancer=False)], out)
    with pytest.raises(InputError, match="exists; give another file with -o"):
        average([one, one], one)
    assert not out.exists()
