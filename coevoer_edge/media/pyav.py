"""PyAV, which decodes and encodes video: imported late, with an error that says how to install it.

In: nothing. Out: the module `av`.
"""

from types import ModuleType

from coevoer_edge.errors import PlatformError


def load_av() -> ModuleType:
    """Import PyAV. Raises `PlatformError` where it is not installed."""
    try:
        import av
    except ImportError as error:
        raise PlatformError(
            f"Video needs PyAV, which is not installed ({error}); run `pip install 'coevoer-edge[video]'`."
        ) from None
    av.logging.set_level(None)  # silences FFmpeg's log; errors arrive as exceptions
    module: ModuleType = av
    return module
