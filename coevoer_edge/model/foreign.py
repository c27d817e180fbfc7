"""Refuse files that are given as weights but are something else, and say what they are and what to do.

In: a path. Out: nothing, or a `CheckpointError`. A file is recognised by its first bytes, and by its suffix where those
are not enough.
"""

from pathlib import Path

from coevoer_edge.errors import CheckpointError

_PICKLES = (".pth", ".pt", ".ckpt", ".bin", ".tar", ".pkl")
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # torch.save: a zip, or before 1.6
_EXPORTED = (".onnx", ".pte", ".mlpackage", ".mlmodel", ".mlmodelc", ".aimodel", ".tflite", ".pt2")
_HEAD = 512  # bytes to inspect


def refuse_foreign(path: Path) -> None:
    """Refuse files that are known not to be in safetensors format. Nothing is unpickled.

    Raises:
        CheckpointError: the path is missing, a folder, an exported network, a PyTorch checkpoint, a Git LFS pointer or
            a web page.
    """
    if path.suffix.lower() in _EXPORTED and path.exists():
        raise CheckpointError(
            f"{path} is an exported network, whose weights cannot be read back; "
            "give the .safetensors file that it was exported from."
        )
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder; {_advice_on(path)}.")
    if not path.is_file():
        raise CheckpointError(f"No checkpoint {str(path)!r}; give the path of a .safetensors file.")
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(b"version https://git-lfs.github.com"):
        raise CheckpointError(
            f"{path} is a Git LFS pointer, not the weights themselves; fetch them with: git lfs pull."
        )
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise CheckpointError(
            f"{path} is a web page, not weights: the download saved a page instead of the file. "
            "Open the link in a browser, and download the file itself."
        )
    if head.startswith(_PICKLE_STARTS) or path.suffix.lower() in _PICKLES:
        raise CheckpointError(_convert(path))


def _advice_on(folder: Path) -> str:
    """What to give instead of a folder."""
    if (folder / "manifest.json").is_file():
        return "it is a bundle, whose weights cannot be read back; give the .safetensors file that it was exported from"
    inside = sorted(folder.glob("*.safetensors"))
    return f"give {inside[0]}" if len(inside) == 1 else "give the path of a .safetensors file"


def _convert(path: Path) -> str:
    """How to make a safetensors file from a PyTorch checkpoint."""
    beside = path.with_name("weights.safetensors")
    if path.stem.startswith("checkpoint") and beside.is_file():  # a run folder of `train`
        return f"{path} is the state that --resume continues from, not weights; give {beside} instead."
    return "\n".join(
        (
            f"{path} is a PyTorch checkpoint, which can run code when it is opened. Convert it once, in Python:",
            "",
            "    import torch",
            "    from safetensors.torch import save_file",
            "",
            f'    state = torch.load("{path.as_posix()}", map_location="cpu", weights_only=True)',
            '    state = state.get("state_dict", state.get("model", state))  # unpack nested weights',
            "    weights = {key: value.half().contiguous() for key, value in state.items()}",
            f'    save_file(weights, "{path.with_suffix(".safetensors").as_posix()}", {{"model": "coevoer-t"}})',
            "",
            "Replace coevoer-t by the name of your model, rename the keys to match its tensors, and give the new file.",
        )
    )
