"""Recipes are data: TOML files in the top-level `export/` and `quantization/`, read into frozen dataclasses.

In: a recipe's name or file. Out: its table, checked against the dataclass that takes it.

In a wheel the two folders are in `coevoer_edge/_recipes/`, in a checkout next to the package (see pyproject.toml).
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_origin, get_type_hints

from coevoer_edge.bundle.typed_table import WrongTypeError, typed_value
from coevoer_edge.errors import InputError

_PACKAGE = Path(__file__).parent
_LARGEST_BYTES = 1_000_000

T = TypeVar("T")


def folder(kind: str) -> Path:
    """Folder of the recipes of one kind: `export` or `quantization`."""
    in_wheel = _PACKAGE / "_recipes" / kind
    return in_wheel if in_wheel.is_dir() else _PACKAGE.parent / kind


def names(kind: str) -> tuple[str, ...]:
    """Names of the recipes that come with the package."""
    return tuple(sorted(path.stem for path in folder(kind).glob("*.toml")))


def read(kind: str, name_or_file: str | Path) -> dict[str, Any]:
    """Read a recipe by name, if it comes with the package, or from a user's own file.

    Raises:
        InputError: there is no such recipe, or the file is not TOML.
    """
    path = Path(name_or_file)
    if path.suffix != ".toml":
        path = folder(kind) / f"{name_or_file}.toml"
    if not path.is_file():
        raise InputError(
            f"No {kind} recipe {str(name_or_file)!r}; valid: {', '.join(names(kind))}, or the path of a .toml file."
        )
    return read_toml(path)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises `InputError` for a file that cannot be read or is not TOML."""
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise InputError(f"{path} has {path.stat().st_size:,} bytes; a recipe has at most {_LARGEST_BYTES:,}.")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, a number of too many digits, too deep
        raise InputError(f"{path} is not a TOML file ({error}); correct it.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error


def into(cls: type[T], table: Mapping[str, Any], where: str) -> T:
    """Build a frozen dataclass from a table; lists become tuples.

    Raises:
        InputError: keys are unknown or missing, or a value has another type; the message names them.
    """
    known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    required = {f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING}  # type: ignore[arg-type]
    _refuse(where, "unknown", table.keys() - known, known)
    _refuse(where, "missing", required - table.keys(), required)
    hints = get_type_hints(cls)
    try:
        return cls(**{key: _checked(hints[key], value, f"{where}: {key}") for key, value in table.items()})
    except WrongTypeError as error:
        raise InputError(f"{error}.") from None


def _checked(hint: Any, value: object, where: str) -> Any:
    """The value, of its annotated type; which words a `Literal` takes, its own class says."""
    return typed_value(str if get_origin(hint) is Literal else hint, value, where)


def _refuse(where: str, what: str, keys: Iterable[str], valid: Iterable[str]) -> None:
    if keys := sorted(keys):
        raise InputError(f"{where}: {what} {', '.join(map(repr, keys))}; it takes {', '.join(sorted(valid))}.")
