"""Read JSON tables into frozen dataclasses, and check every field against its annotated type.

In: a table from `json.loads`, a dataclass. Out: an instance of the dataclass, or a `BundleError` that names the field,
its value and what is valid. Nothing is converted: `"false"` is not a bool, 1.5 is not an int, and true is not a number.
"""

import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from coevoer_edge.errors import BundleError

T = TypeVar("T")

_LARGEST = sys.float_info.max  # whole numbers of any size are read from JSON and TOML
_ADVICE = "export the bundle again, or install the coevoer-edge that wrote it"


def read_table(cls: type[T], table: object, where: str) -> T:
    """Build a dataclass from a table. Fields with a default may be missing.

    Annotations may be str, int, float, bool, Any, Literal, dataclasses, tuple[X, ...], tuple[X, Y], dict[str, X],
    and X | None. A
    class with a classmethod `from_table(table, where)` reads itself.

    Raises:
        BundleError: keys are missing or unknown, or a value has the wrong type; the message calls the table `where`.
    """
    if not isinstance(table, Mapping):
        raise BundleError(f"{where} is {_shown(table)}, not a table; {_ADVICE}.")
    entries = fields(cls)  # type: ignore[arg-type]
    known = {entry.name for entry in entries}
    required = {e.name for e in entries if e.default is MISSING and e.default_factory is MISSING}
    if wrong := sorted((table.keys() - known) | (required - table.keys())):
        raise BundleError(f"{where}: missing or unknown keys {wrong}; {_ADVICE}.")
    hints = get_type_hints(cls)
    try:
        return cls(**{key: typed_value(hints[key], value, f"{where}.{key}") for key, value in table.items()})
    except WrongTypeError as error:
        raise BundleError(f"{error}: {_ADVICE}.") from None


def to_table(value: Any) -> dict[str, Any]:
    """Convert a dataclass to the table that `read_table` reads, without fields that are None."""
    return {key: item for key, item in asdict(value, dict_factory=_without_none).items() if item is not None}


def _without_none(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value for key, value in pairs if value is not None}


class WrongTypeError(ValueError):
    """A value of another type than its annotation's: what it is, and what it must be."""


def typed_value(hint: Any, value: object, where: str) -> Any:
    """Check a value that was read from JSON or TOML against an annotation; lists become tuples.

    Raises:
        WrongTypeError: the value has another type; the message calls it `where`.
        BundleError: as `read_table`, where the annotation is a dataclass.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (kind,) = (argument for argument in arguments if argument is not type(None))
        return typed_value(kind, value, where)
    if origin is tuple and Ellipsis not in arguments and isinstance(value, list | tuple):
        if len(value) != len(arguments):
            raise WrongTypeError(f"{where} has {len(value)} values; it must have {len(arguments)}")
        return tuple(typed_value(arguments[i], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(typed_value(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict and isinstance(value, Mapping):
        return {str(key): typed_value(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if hasattr(hint, "from_table"):
        return hint.from_table(value, where)
    if is_dataclass(hint) and isinstance(hint, type):
        if isinstance(value, hint):
            return value
        return read_table(hint, value, where)
    if origin is Literal and value in arguments and isinstance(value, type(arguments[0])):
        return value
    if _is_plain(hint, value):
        return value
    raise WrongTypeError(f"{where} is {_shown(value)}; it must be {_named(hint)}")


def _is_plain(hint: Any, value: object) -> bool:
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return hint in (str, bool) and isinstance(value, hint)


def _named(hint: Any) -> str:
    origin = get_origin(hint)
    if origin is Literal:
        return f"one of {', '.join(map(repr, get_args(hint)))}"
    names = {str: "a string", int: "a whole number", float: "a finite number", bool: "true or false"}
    return names.get(hint) or {tuple: "a list", dict: "a table"}[origin]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
