"""Structural: every message to the user has one form.

A message begins with a capital letter, or with what was given (a value, an `--option`, a name in code) and is one
sentence or several: it ends with a full stop, a question mark, or a placeholder that contains complete sentences.
"""

import ast
import re
from pathlib import Path

import pytest

import coevoer_edge
from coevoer_edge import errors

PACKAGE = Path(coevoer_edge.__file__).parent
OURS = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
CLICK = {"BadParameter", "ClickException", "UsageError"}
BEGINNING = re.compile(r"[A-Z]|--?[a-z]|[`'\"\[0-9]|[a-z0-9]+_\w+")
"""A capital, an option, a quotation, a number, or a name with an underscore."""


def texts(message: ast.expr) -> list[str | None] | None:
    """The parts of a message, None for a placeholder; None for a message that is not written in the call."""
    if isinstance(message, ast.Constant) and isinstance(message.value, str):
        return [message.value]
    if isinstance(message, ast.JoinedStr):
        return [part.value if isinstance(part, ast.Constant) else None for part in message.values]  # type: ignore[misc]
    return None


def fault(parts: list[str | None]) -> str | None:
    """What is wrong with the form of a message."""
    first, last = parts[0], parts[-1]
    if first is not None and not BEGINNING.match(first):
        return "begins with a small letter"
    if last is None:
        before = parts[-2] if len(parts) > 1 else None
        return None if before is not None and before.endswith((". ", ": ")) else "ends without a full stop"
    if not last.endswith((".", "?")):
        return "ends without a full stop"
    if last.endswith(("?.", "..", ":.")):
        return "ends twice"
    return None


def faults(source: str) -> list[str]:
    """The faults of all messages in a module's source."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args:
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            parts = texts(node.args[0]) if called in OURS | CLICK else None
            if parts is not None and (what := fault(parts)):
                found.append(f"line {node.lineno}: {ast.unparse(node.args[0])} {what}")
    return found


@pytest.mark.parametrize(
    "message",
    [
        "'There is no image.'",
        "'--qat rounds in fp32; add --precision fp32.'",
        "'-o takes a folder.'",
        "'`faces` is 3; give (F, 3) integers.'",
        "'points_px is (3,); give points (N, 2).'",
        "f'{path} cannot be written; is the disk full?'",
        "f'{path} has no frame. {_GET_IT}'",
        "f'{path}: {error}'",
        "'Two parts, ' f'of which {one} is a value, make one message.'",
    ],
)
def test_good_messages(message: str) -> None:
    assert faults(f"raise InputError({message}) from None") == []


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ("'there is no image.'", "begins with a small letter"),
        ("f'unknown model {name!r}.'", "begins with a small letter"),
        ("''", "begins with a small letter"),
        ("'There is no image'", "ends without a full stop"),
        ("f'{path} exists; add --overwrite'", "ends without a full stop"),
        ("f'{path} is for {model}'", "ends without a full stop"),
        ("f'{path}'", "ends without a full stop"),
        ("f'{path} cannot be written; is the disk full?.'", "ends twice"),
        ("'There is no image..'", "ends twice"),
    ],
)
@pytest.mark.parametrize("called", [*sorted(OURS), "errors.InputError", "click.UsageError"])
def test_the_check_can_fail(called: str, message: str, what: str) -> None:
    (found,) = faults(f"def refuse():\n    raise {called}({message})")
    assert found.startswith("line 2: ")
    assert found.endswith(what)


def test_all_messages_have_the_form() -> None:
    modules = [path for path in sorted(PACKAGE.rglob("*.py")) if "__pycache__" not in path.parts]
    written = [f"{path.relative_to(PACKAGE)}, {found}" for path in modules for found in faults(path.read_text("utf-8"))]
    assert not written, "\n".join(written)


def test_the_messages_are_many() -> None:
    """The check covers most of our errors: they are raised with a message that is written in the call."""
    calls = sum(path.read_text("utf-8").count("raise InputError(") for path in PACKAGE.rglob("*.py"))
    assert calls > 150
