"""Weights survive saving and loading, and every file that is not the network's weights is refused with the reason.

"coevoer-t" has the tiny sizes of tests/tiny.py here, except where the embedded weights are loaded.
"""

import hashlib
from pathlib import Path

import pytest
import tiny
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from coevoer_edge.errors import CheckpointError, InputError
from coevoer_edge.model import MODEL_NAMES, CoEvoer, build, checkpoint
from coevoer_edge.model.build import _SIZES
from coevoer_edge.model.checkpoint import Checkpoint

MODEL = "coevoer-t"
VALID = "coevoer-l, coevoer-b, coevoer-s, coevoer-t"
HALF = 2.0**-11  # relative step of fp16


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_SIZES, MODEL, tiny.SIZES)


@pytest.fixture
def network(small: None) -> CoEvoer:
    return build(MODEL, seed=7).eval()


@pytest.fixture
def file(network: CoEvoer, tmp_path: Path) -> Path:
    path = tmp_path / "mine.safetensors"
    checkpoint.save(network, path, trained=True)
    return path


def rewrite(path: Path, metadata: dict[str, str] | None = None, **changed: Tensor | None) -> None:
    """Replace the file's weights (None removes them) or its metadata."""
    with safe_open(path, "pt") as opened:
        old = opened.metadata()
    weights = load_file(path)
    for key in changed:
        weights.pop(key, None)
    weights |= {key: value for key, value in changed.items() if value is not None}
    save_file(weights, path, old if metadata is None else metadata)


def refusal(path: Path, model: str | None = None) -> str:
    with pytest.raises(CheckpointError) as error:
        checkpoint.load(path, model)
    return str(error.value)


# Saving and loading.


def test_there_and_back(network: CoEvoer, file: Path) -> None:
    loaded, origin = checkpoint.load(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert origin == Checkpoint(MODEL, "mine.safetensors", digest, trained=True, enhancer=True, foreground=True)
    assert not loaded.training
    assert loaded.name == MODEL
    before, after = network.state_dict(), loaded.state_dict()
    assert before.keys() == after.keys()
    for key, value in before.items():
        assert after[key].dtype == torch.float32
        assert torch.equal(after[key], value.half().float()), key


def test_the_file_is_half_precision(network: CoEvoer, file: Path) -> None:
    weights = load_file(file)
    assert {value.dtype for value in weights.values()} == {torch.float16}
    for key, value in network.state_dict().items():
        torch.testing.assert_close(weights[key].float(), value, rtol=HALF, atol=2.0**-25)


def test_others_can_read_the_file_where_the_folder_lets_them(network: CoEvoer, tmp_path: Path) -> None:
    beside = tmp_path / "plain"
    beside.touch()
    checkpoint.save(network, tmp_path / "mine.safetensors", trained=True)
    assert (tmp_path / "mine.safetensors").stat().st_mode == beside.stat().st_mode


def test_second_trip_changes_nothing_more(file: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.safetensors"
    checkpoint.save(checkpoint.load(file)[0], again, trained=True)
    first, second = load_file(file), load_file(again)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("flag", ["trained", "enhancer", "foreground"])
def test_metadata_tells_each_flag(small: None, flag: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    flags = {"trained": True, "enhancer": True, "foreground": True} | {flag: False}
    variant = build(MODEL, enhancer=flags["enhancer"], foreground=flags["foreground"])
    checkpoint.save(variant, path, **flags)
    with safe_open(path, "pt") as opened:
        assert opened.metadata() == {"model": MODEL} | {key: str(value).lower() for key, value in flags.items()}
    loaded, origin = checkpoint.load(path)
    assert {key: getattr(origin, key) for key in flags} == flags
    assert loaded.state_dict().keys() == variant.state_dict().keys()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_float_types_load(network: CoEvoer, file: Path, dtype: torch.dtype) -> None:
    weights = {key: value.to(dtype) for key, value in network.state_dict().items()}
    save_file(weights, file, {"model": MODEL})
    loaded = checkpoint.load(file)[0].state_dict()
    assert all(torch.equal(loaded[key], value.float()) for key, value in weights.items())


def test_users_file_without_metadata_needs_only_the_model(network: CoEvoer, file: Path) -> None:
    rewrite(file, metadata={})
    assert checkpoint.peek(file, MODEL) == MODEL
    loaded, origin = checkpoint.load(file, MODEL)
    assert (origin.model, origin.trained, origin.enhancer, origin.foreground) == (MODEL, True, True, True)
    assert torch.equal(loaded.body_tokens.weight, network.body_tokens.weight.half().float())


def test_naming_the_model_that_the_file_names_is_fine(file: Path) -> None:
    assert checkpoint.peek(file) == checkpoint.peek(file, MODEL) == MODEL


# Refused files, with the reason.


@pytest.mark.parametrize("of", [checkpoint.load, checkpoint.peek])
def test_missing_file(of: object, tmp_path: Path) -> None:
    path = tmp_path / "none.safetensors"
    with pytest.raises(CheckpointError) as error:
        of(path)  # type: ignore[operator]
    assert str(error.value) == f"No checkpoint '{path}'; give the path of a .safetensors file."


def test_folder_in_place_of_a_file(file: Path, tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path} is a folder; give {file}."
    two = file.with_name("two.safetensors")
    two.touch()
    assert refusal(tmp_path) == f"{tmp_path} is a folder; give the path of a .safetensors file."
    (tmp_path / "manifest.json").touch()
    assert refusal(tmp_path) == (
        f"{tmp_path} is a folder; it is a bundle, whose weights cannot be read back; "
        "give the .safetensors file that it was exported from."
    )


def test_truncated_file(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])
    assert refusal(file) == (
        f"{file} is not a readable .safetensors file (Error while deserializing header: incomplete metadata, file not "
        "fully covered); save it again."
    )


def test_text_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.safetensors"
    path.write_text("these are not weights")
    assert refusal(path) == (
        f"{path} is not a readable .safetensors file (Error while deserializing header: header too large); "
        "save it again."
    )


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.safetensors"
    path.touch()
    assert refusal(path).startswith(f"{path} is not a readable .safetensors file (")


@pytest.mark.parametrize("name", ["mine.pth", "mine.pt", "mine.ckpt", "mine.bin", "mine.safetensors"])
def test_pickle_is_never_unpickled_and_told_how_to_convert(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    torch.save({"weight": torch.zeros(1)}, path)
    found = refusal(path)
    first = f"{path} is a PyTorch checkpoint, which can run code when it is opened. Convert it once, in Python:"
    assert found.splitlines()[0] == first
    assert f'torch.load("{path}", map_location="cpu", weights_only=True)' in found
    assert found.endswith("rename the keys to match its tensors, and give the new file.")


def test_pickle_of_an_older_torch(network: CoEvoer, tmp_path: Path) -> None:
    path = tmp_path / "old.weights"
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=False)
    assert refusal(path).startswith(f"{path} is a PyTorch checkpoint")


@pytest.mark.parametrize("inside", ["", "state_dict", "model"])
def test_the_lines_that_convert_a_checkpoint_give_a_file_that_loads(
    network: CoEvoer, tmp_path: Path, inside: str
) -> None:
    """The lines of code in the message, run as a user would run them."""
    path = tmp_path / "mine.pth"
    state = network.state_dict()
    torch.save({inside: state, "epoch": 3} if inside else state, path)
    exec("\n".join(line.strip() for line in refusal(path).splitlines() if line.startswith("    ")), {})
    loaded, origin = checkpoint.load(tmp_path / "mine.safetensors")
    assert (origin.model, origin.trained) == (MODEL, True)
    assert torch.equal(loaded.body_tokens.weight, network.body_tokens.weight.half().float())


def test_the_checkpoint_of_a_run_folder_names_the_weights_beside_it(tmp_path: Path) -> None:
    path, weights = tmp_path / "checkpoint.pt", tmp_path / "weights.safetensors"
    torch.save({"step": 1}, path)
    weights.touch()
    assert refusal(path) == (f"{path} is the state that --resume continues from, not weights; give {weights} instead.")


def test_pointer_of_git_lfs(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 71546036\n")
    assert refusal(path) == (f"{path} is a Git LFS pointer, not the weights themselves; fetch them with: git lfs pull.")


@pytest.mark.parametrize("text", ["<!DOCTYPE html>\n<html>", "\n<html lang='en'>", "<?xml version='1.0'?><Error/>"])
def test_web_page(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_text(text)
    assert refusal(path) == (
        f"{path} is a web page, not weights: the download saved a page instead of the file. "
        "Open the link in a browser, and download the file itself."
    )


@pytest.mark.parametrize("name", ["coevoer-t.onnx", "coevoer-t.pte", "coevoer-t.mlpackage"])
def test_exported_network(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.mkdir() if name.endswith(".mlpackage") else path.write_bytes(b"\x08\x0a")
    assert refusal(path) == (
        f"{path} is an exported network, whose weights cannot be read back; "
        "give the .safetensors file that it was exported from."
    )


def test_missing_keys(file: Path) -> None:
    rewrite(file, **{"body_tokens.bias": None, "body_tokens.weight": None})
    assert refusal(file) == f"{file} does not fit {MODEL}: 2 missing keys (body_tokens.bias, body_tokens.weight)."


def test_unknown_keys(file: Path) -> None:
    rewrite(file, extra=torch.zeros(1))
    assert refusal(file) == f"{file} does not fit {MODEL}: 1 unknown keys (extra)."


def test_only_the_first_five_keys_are_listed(file: Path) -> None:
    rewrite(file, **{f"extra{i}": torch.zeros(1) for i in range(6)})
    assert refusal(file) == (
        f"{file} does not fit {MODEL}: 6 unknown keys (extra0, extra1, extra2, extra3, extra4, ...)."
    )


def test_wrong_shape(network: CoEvoer, file: Path) -> None:
    rewrite(file, **{"body_tokens.bias": torch.zeros(3)})
    assert refusal(file) == (
        f"{file} does not fit {MODEL}: 1 keys of another shape (body_tokens.bias; body_tokens.bias is (3,), "
        f"not {tuple(network.body_tokens.bias.shape)})."
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(file: Path, value: float) -> None:
    broken = load_file(file)["body_tokens.bias"]
    broken[0] = value
    rewrite(file, **{"body_tokens.bias": broken})
    assert refusal(file) == (f"{file} does not fit {MODEL}: 1 keys with values that are not finite (body_tokens.bias).")


def test_all_faults_are_told_at_once(file: Path) -> None:
    rewrite(
        file, **{"body_tokens.bias": None, "body_tokens.weight": torch.full((1,), torch.nan), "more": torch.ones(1)}
    )
    assert refusal(file) == (
        f"{file} does not fit {MODEL}: 1 missing keys (body_tokens.bias); 1 unknown keys (more); "
        "1 keys of another shape (body_tokens.weight; body_tokens.weight is (1,), not (128, 64)); "
        "1 keys with values that are not finite (body_tokens.weight)."
    )


def test_weights_of_another_model(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # coevoer-t in its real size again
    assert refusal(file).startswith(f"{file} does not fit {MODEL}: ")


def test_weights_of_a_variant_do_not_fit_the_full_network(small: None, tmp_path: Path) -> None:
    path = tmp_path / "variant.safetensors"
    checkpoint.save(build(MODEL, enhancer=False), path, trained=True)  # without metadata
    assert refusal(path).startswith(f"{path} does not fit {MODEL}: ")


@pytest.mark.parametrize("of", [checkpoint.load, checkpoint.peek])
def test_file_contradicts_the_model(of: object, file: Path) -> None:
    with pytest.raises(CheckpointError) as error:
        of(file, "coevoer-s")  # type: ignore[operator]
    assert str(error.value) == f"{file} is for {MODEL}, not for coevoer-s; leave --model out or give the right file."


def test_no_model_named(file: Path) -> None:
    rewrite(file, metadata={})
    assert refusal(file) == f"{file} does not name its model; add --model, one of {VALID}."


@pytest.mark.parametrize(
    ("metadata", "model"), [({"model": "vit-h"}, None), ({}, "vit-h"), ({"model": "vit-h"}, "vit-h")]
)
def test_unknown_model(file: Path, metadata: dict[str, str], model: str | None) -> None:
    rewrite(file, metadata=metadata)
    assert refusal(file, model) == f"{file} is for unknown model 'vit-h'; valid: {VALID}."


# The weights that come with the package, and random ones.


def test_embedded_models() -> None:
    assert checkpoint.embedded_models() == (MODEL,) == (checkpoint.DEFAULT_MODEL,)


def test_embedded_weights_are_trained() -> None:
    network, origin = checkpoint.load_embedded(MODEL)
    assert (origin.model, origin.source, origin.trained) == (MODEL, f"{MODEL}.safetensors", True)
    assert len(origin.sha256) == 64
    assert (origin.enhancer, origin.foreground) == (True, True)
    assert not network.training


def test_the_default_is_embedded() -> None:
    _, origin = checkpoint.load_embedded()
    assert origin.model == MODEL


def test_by_name_or_file(file: Path, tmp_path: Path) -> None:
    assert checkpoint.load_named(file)[1].source == checkpoint.load_named(str(file))[1].source == file.name
    for missing in ("other.safetensors", "other.pth"):
        with pytest.raises(CheckpointError, match=r"^No checkpoint"):
            checkpoint.load_named(str(tmp_path / missing))
    with pytest.raises(CheckpointError, match="is a folder; give "):
        checkpoint.load_named(str(tmp_path))
    with pytest.raises(CheckpointError) as error:
        checkpoint.load_named("coevoer-s")
    assert str(error.value) == (
        "No weights for 'coevoer-s' come with the package, only for coevoer-t; "
        "give the path of a .safetensors file instead."
    )
    with pytest.raises(InputError, match=f"Unknown model 'other'; valid: {VALID}."):
        checkpoint.load_named("other")


@pytest.mark.parametrize("model", ["coevoer-s", "coevoer-b", "coevoer-l"])
def test_model_without_embedded_weights(model: str) -> None:
    assert model in MODEL_NAMES
    with pytest.raises(CheckpointError) as error:
        checkpoint.load_embedded(model)
    assert str(error.value) == (
        f"No weights for '{model}' come with the package, only for coevoer-t; "
        "give --checkpoint FILE, or --untrained for seeded random weights (to measure size and speed)."
    )


def test_untrained(small: None) -> None:
    network, origin = checkpoint.untrained(MODEL, seed=3)
    assert origin == Checkpoint(MODEL, "random initialisation, seed 3", "", trained=False, seed=3)
    assert not network.training
    same, other = checkpoint.untrained(MODEL, seed=3)[0], checkpoint.untrained(MODEL, seed=4)[0]
    assert torch.equal(network.body_tokens.weight, same.body_tokens.weight)
    assert not torch.equal(network.body_tokens.weight, other.body_tokens.weight)


def test_untrained_of_an_unknown_model() -> None:
    with pytest.raises(InputError) as error:
        checkpoint.untrained("vit-h")
    assert str(error.value) == f"Unknown model 'vit-h'; valid: {VALID}."
