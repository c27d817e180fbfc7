"""The device that torch computes on: one rule for every command that takes `--device`.

In: a name as the user gives it, or none. Out: the name of a device of this machine.
"""

from coevoer_edge.errors import InputError, PlatformError

DEVICE_HELP = "cpu, cuda, cuda:1, mps.  [default: cuda if available, else cpu]"
"""The help text of `--device`."""


def find_device(name: str | None) -> str:
    """The device `name`; without a name, cuda if available, else cpu.

    Raises:
        InputError: no such kind of device.
        PlatformError: this machine has no device of that kind and number.
    """
    import torch

    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, colon, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (colon and not (kind == "cuda" and number.isdecimal())):
        raise InputError(f"Unknown device {name!r}; valid: cpu, cuda, cuda:1, mps.")
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}[kind]
    if int(number or 0) >= count:
        raise PlatformError(f"This machine has no device {name}; leave --device out, or give cpu.")
    return name
