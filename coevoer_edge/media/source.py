"""Refuse addresses and devices that other tools accept as a source, and say what to type instead.

In: the source of `run`. Out: nothing, or an `InputError` that says what to do.
"""

import re
from pathlib import Path

from coevoer_edge.errors import InputError

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_DEVICE = re.compile(r"/dev/video(\d+)")


def refuse_unusable(source: str | Path) -> None:
    """Refuse camera numbers, camera devices and URLs.

    Raises:
        InputError: names the form that works.
    """
    text = str(source)
    if _ADDRESS.match(text):
        raise InputError(
            f"{text} is a URL; `run` opens files and cameras of this machine. Download it first, or give a camera "
            "as camera or camera:N."
        )
    if device := _DEVICE.fullmatch(text):
        raise InputError(f"{text} is a camera; give it as camera:{device[1]}.")
    if text.isdecimal() and not Path(text).exists():
        raise InputError(f"There is no file {text}; give camera number {text} as camera:{text}.")
