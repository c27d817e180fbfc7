"""An animated GIF, PNG or WebP as frames with timestamps.

In: a path. Out: `AnimatedImage`, an iterable of `Frame`s like `VideoFile`. Pillow decodes it, because FFmpeg does not
read animated WebP.
"""

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, Self

from coevoer_edge.errors import InputError
from coevoer_edge.media.frames import Count, Frame
from coevoer_edge.pipeline.image import read_image

ANIMATED_SUFFIXES = (".gif", ".png", ".apng", ".webp")
_SHORTEST_MS = 10.0  # players show a frame with this duration or less for `_DEFAULT_MS`, as browsers do
_DEFAULT_MS = 100.0


def is_animated(path: Path) -> bool:
    """Whether an image file holds several frames; False for files that Pillow does not read."""
    from PIL import Image

    if path.suffix.lower() not in ANIMATED_SUFFIXES:
        return False
    try:
        with Image.open(path) as image:
            return bool(getattr(image, "is_animated", False))
    except Exception:  # reading the image says what is wrong with it
        return False


class AnimatedImage:
    """The frames of an animated image, in 8-bit RGB; transparent places are white. Raises `InputError`."""

    live: bool = False

    def __init__(self, path: str | Path) -> None:
        from PIL import Image

        self.path = Path(path)
        self.name = self.path.stem
        self.count = Count()
        self.problem: str | None = None
        self._image: Any = None
        try:
            self._image = Image.open(self.path)
            self.frames: int | None = self._image.n_frames
            durations = [self._seek(index) for index in range(self.frames or 0)]
        except Exception as error:  # decoders raise errors of many kinds
            raise InputError(f"{self.path} cannot be read as an animation ({error}); copy or save it again.") from None
        self._durations_ms = durations
        self.size_px: tuple[int, int] = self._image.size
        self.frames_per_second = 1000 / median(durations)

    def __iter__(self) -> Iterator[Frame]:
        time_ms = 0.0
        for index, duration_ms in enumerate(self._durations_ms):
            try:
                self._seek(index)
                pixels = read_image(self._image)
            except (InputError, EOFError) as error:
                self.problem = f"It cannot be decoded from frame {index} on ({str(error).rstrip('.')})."
                return
            self.count.decoded += 1
            yield Frame(index, time_ms, pixels)
            time_ms += duration_ms

    def _seek(self, index: int) -> float:
        """Go to a frame; returns how long it is shown, in ms."""
        self._image.seek(index)
        self._image.load()
        duration_ms = float(self._image.info.get("duration", 0))
        return duration_ms if duration_ms > _SHORTEST_MS else _DEFAULT_MS

    def close(self) -> None:
        """Close the file."""
        self._image.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
