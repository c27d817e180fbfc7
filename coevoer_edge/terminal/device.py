"""Where torch computes: one rule for every command that takes `--device`.

In: a name as the user gives it, or none. Out: the name of a device that is here.
"""

from coevoer_edge.errors import InputError, PlatformError

DEVICE_HELP = "cpu, cuda, cuda:1, mps.  [default: cuda where there is one, else cpu]"
"""What `--help` says of `--device`."""


def find_device(name: str | None) -> str:
    """A device that is here: `name`, or without one cuda where there is one, else cpu.

    Raises:
        InputError: no such kind of device.
        PlatformError: none of that kind and number here.
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
