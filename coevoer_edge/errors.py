"""The errors that a user can cause. Each message says what was given, what is valid and what to do."""


class CoEvoerError(Exception):
    """Base class of the errors that a user's request can cause, as opposed to bugs in this package.

    The command line prints the message without a traceback and exits with 2.
    """


class InputError(CoEvoerError, ValueError):
    """A value, file or image that cannot be used as given."""


class CheckpointError(CoEvoerError):
    """Weights that do not fit the named model."""


class BundleError(CoEvoerError):
    """A bundle that is incomplete, altered, or does not follow the contract."""


class PlatformError(CoEvoerError):
    """A request that this operating system or installation cannot serve."""


class CheckFailed(CoEvoerError):  # noqa: N818 (its name reads well without "Error")
    """A measured check failed: a fusion contract, a size, a parity budget. Exit code 1."""
