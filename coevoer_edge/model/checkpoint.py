"""Weights on disk: fp16 safetensors with some metadata.

In: a file, or the name of an embedded model. Out: `CoEvoer` in eval mode, and a `Checkpoint` that describes its origin.

Metadata keys: `model` (a name in `MODEL_NAMES`), `trained`, `enhancer`, `foreground` ("true" or "false"; the last two
identify Table 4's ablation variants). All are optional in a user's own file; `--model` names the model if the file does
not.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from coevoer_edge.errors import CheckpointError
from coevoer_edge.files.whole import write_whole
from coevoer_edge.model import MODEL_NAMES, CoEvoer, build
from coevoer_edge.model.build import blank, refuse_unknown
from coevoer_edge.model.foreign import refuse_foreign

DEFAULT_MODEL = "coevoer-t"

_WEIGHTS = Path(__file__).parents[1] / "weights"
_SHOWN = 5  # key names in an error


@dataclass(frozen=True)
class Checkpoint:
    """Where a network's weights come from."""

    model: str
    source: str  # file name, or how the weights were made
    sha256: str  # of the file; empty without one
    trained: bool
    enhancer: bool = True
    foreground: bool = True
    seed: int | None = None  # of untrained weights


def embedded_models() -> tuple[str, ...]:
    """Names of the models whose weights come with the package."""
    return tuple(name for name in MODEL_NAMES if _embedded(name).is_file())


def load_embedded(model: str = DEFAULT_MODEL) -> tuple[CoEvoer, Checkpoint]:
    """Load the weights that come with the package.

    Raises:
        CheckpointError: no weights for that model come with the package.
        InputError: there is no such model.
    """
    refuse_unembedded(model)
    return load(_embedded(model))


def refuse_unembedded(model: str) -> None:
    """Refuse a model whose weights do not come with the package, as `load_embedded` does."""
    refuse_unknown(model)
    if model not in embedded_models():
        raise CheckpointError(
            f"No weights for {model!r} come with the package, only for {', '.join(embedded_models())}; "
            "give --checkpoint FILE, or --untrained for seeded random weights (to measure size and speed)."
        )


def untrained(model: str, seed: int = 0) -> tuple[CoEvoer, Checkpoint]:
    """Seeded random weights, for size and speed."""
    origin = Checkpoint(model, f"random initialisation, seed {seed}", "", trained=False, seed=seed)
    return build(model, seed=seed).eval(), origin


def load(path: str | Path, model: str | None = None) -> tuple[CoEvoer, Checkpoint]:
    """Load a user's own weights strictly: keys and shapes must be exactly those of the network.

    Args:
        path: a .safetensors file in fp16, bf16 or fp32.
        model: the model's name; needed only if the file does not contain it.

    Raises:
        CheckpointError: the file is missing or unreadable, the model is unknown or contradicts the file, or keys or
            shapes do not fit.
    """
    path = Path(path)
    checkpoint = _describe(path, _metadata(path), model)
    weights = load_file(path)
    network = blank(checkpoint.model, enhancer=checkpoint.enhancer, foreground=checkpoint.foreground)
    _refuse_misfits(path, checkpoint.model, network.state_dict(), weights)
    network.load_state_dict({key: value.float() for key, value in weights.items()}, strict=True)
    return network.eval(), checkpoint


def load_named(name_or_file: str | Path) -> tuple[CoEvoer, Checkpoint]:
    """Load a file, or the weights of the model of that name that come with the package.

    Raises:
        CheckpointError: as in `load`, or no weights for that model come with the package.
        InputError: the argument is neither a file nor a model.
    """
    if is_file(name_or_file):
        return load(name_or_file)
    model = str(name_or_file)
    refuse_unknown(model)
    if model not in embedded_models():
        raise CheckpointError(
            f"No weights for {model!r} come with the package, only for {', '.join(embedded_models())}; "
            f"give the path of a .safetensors file instead."
        )
    return load_embedded(model)


def is_file(name_or_file: str | Path) -> bool:
    """Whether it names a file and not a model: it has a suffix, or it exists and is not a model's name."""
    path = Path(name_or_file)
    return bool(path.suffix) or path.is_file() or (path.exists() and str(name_or_file) not in MODEL_NAMES)


def peek(path: str | Path, model: str | None = None) -> str:
    """Name of the model a file is for, without reading its weights.

    Raises:
        CheckpointError: as in `load`.
    """
    return _describe(Path(path), _metadata(Path(path)), model).model


def save(network: CoEvoer, path: str | Path, *, trained: bool, enhancer: bool = True, foreground: bool = True) -> None:
    """Write weights as fp16 safetensors with the metadata that `load` reads.

    The library's `save_file` is not used, because only the owner can read the file that it leaves.
    """
    flags = {"trained": trained, "enhancer": enhancer, "foreground": foreground}
    metadata = {"model": network.name} | {key: str(value).lower() for key, value in flags.items()}
    weights = {key: value.half().contiguous() for key, value in network.state_dict().items()}
    write_whole(path, to_bytes(weights, metadata))


def _embedded(model: str) -> Path:
    return _WEIGHTS / f"{model}.safetensors"


def _metadata(path: Path) -> dict[str, str]:
    refuse_foreign(path)
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a readable .safetensors file ({error}); save it again.") from error


def _describe(path: Path, metadata: dict[str, str], model: str | None) -> Checkpoint:
    named = metadata.get("model", model)
    if named is None:
        raise CheckpointError(f"{path} does not name its model; add --model, one of {', '.join(MODEL_NAMES)}.")
    if model is not None and named != model:
        raise CheckpointError(f"{path} is for {named}, not for {model}; leave --model out or give the right file.")
    if named not in MODEL_NAMES:
        raise CheckpointError(f"{path} is for unknown model {named!r}; valid: {', '.join(MODEL_NAMES)}.")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    flags = {key: metadata.get(key, "true") == "true" for key in ("trained", "enhancer", "foreground")}
    return Checkpoint(named, path.name, sha256, **flags)


def _refuse_misfits(path: Path, model: str, expected: dict[str, Tensor], given: dict[str, Tensor]) -> None:
    faults = []
    if missing := expected.keys() - given.keys():
        faults.append(f"{len(missing)} missing keys ({_some(missing)})")
    if unknown := given.keys() - expected.keys():
        faults.append(f"{len(unknown)} unknown keys ({_some(unknown)})")
    common = expected.keys() & given.keys()
    if misshapen := [key for key in common if expected[key].shape != given[key].shape]:
        first = min(misshapen)
        faults.append(
            f"{len(misshapen)} keys of another shape ({_some(misshapen)}; {first} is {tuple(given[first].shape)}, "
            f"not {tuple(expected[first].shape)})"
        )
    if broken := [key for key in common if not torch.isfinite(given[key]).all()]:
        faults.append(f"{len(broken)} keys with values that are not finite ({_some(broken)})")
    if faults:
        raise CheckpointError(f"{path} does not fit {model}: {'; '.join(faults)}.")


def _some(keys: Iterable[str]) -> str:
    ordered = sorted(keys)
    return ", ".join(ordered[:_SHOWN]) + (", ..." if len(ordered) > _SHOWN else "")
