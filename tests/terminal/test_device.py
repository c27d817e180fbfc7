"""One rule for `--device`: what every command takes and refuses, here and on a machine with two GPUs."""

import pytest
import torch

from coevoer_edge.errors import InputError, PlatformError
from coevoer_edge.terminal.device import find_device
from coevoer_edge.training.session import Settings, _accelerator


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_default_without_a_gpu(no_gpu: None) -> None:
    assert find_device(None) == "cpu"


def test_default_with_gpus(two_gpus: None) -> None:
    assert find_device(None) == "cuda"


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:0", "cuda:1"])
def test_devices_that_are_here(two_gpus: None, name: str) -> None:
    assert find_device(name) == name


@pytest.mark.parametrize("name", ["tpu", "cpu:0", "mps:0", "cuda:", "cuda:x", "cuda:-1", "CUDA", ""])
def test_unknown_devices(two_gpus: None, name: str) -> None:
    with pytest.raises(InputError) as error:
        find_device(name)
    assert str(error.value) == f"Unknown device {name!r}; valid: cpu, cuda, cuda:1, mps."


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_devices_that_are_not_here(no_gpu: None, name: str) -> None:
    with pytest.raises(PlatformError) as error:
        find_device(name)
    assert str(error.value) == f"This machine has no device {name}; leave --device out, or give cpu."


def test_the_third_of_two(two_gpus: None) -> None:
    with pytest.raises(PlatformError, match=r"^This machine has no device cuda:2;"):
        find_device("cuda:2")


def test_training_takes_the_same_devices(two_gpus: None) -> None:
    assert _accelerator(Settings()) == ("cuda", 1)
    assert _accelerator(Settings(device="cpu", devices=2)) == ("cpu", 2)
    assert _accelerator(Settings(device="cuda:1")) == ("cuda", [1])
    with pytest.raises(InputError) as error:
        _accelerator(Settings(device="cuda:1", devices=2))
    assert str(error.value) == (
        "--device cuda:1 is one device, but --devices requests 2 processes; omit --devices, or give --device cuda."
    )
