"""A stream from Python, saved as `run` saves a video: each frame is followed and written as it comes.

In: frames with their times, and an estimator. Out: the files of `stream_files`.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from coevoer_edge.errors import CoEvoerError, InputError
from coevoer_edge.media.frames import Frame
from coevoer_edge.media.pyav import load_av
from coevoer_edge.output.results import file_stem, make_folder, refuse_existing, refuse_file
from coevoer_edge.output.stream_files import StreamFiles, stream_paths
from coevoer_edge.pipeline.image import ImageSource, Pixels, read_image
from coevoer_edge.pipeline.person import frame_camera

if TYPE_CHECKING:
    from coevoer_edge.body.model import BodyModel
    from coevoer_edge.pipeline.tracking import TrackedFrame


class StreamRecording:
    """Follows a person through the frames it is given and writes them; close it (`with` does) to complete the files.

    `Estimator.record` makes one. However the `with` block ends, the files are complete up to that frame; the `.json`
    states why it ended.

    Args:
        detect: `Estimator.detect_for_video`: a frame (H, W, 3) and its time in ms to its result.
        body: of the people.
        folder: where the files are written.
        name: what the files are called, without a suffix.
        trained: whether the estimator's weights are trained, for the files.
        smoothed: whether the estimator smooths over time, for the files.
        provenance: of the estimator's bundle, for the files.
        frames_per_second: nominal rate of the overlay video; the frames' own times decide when each is shown.
        focal_px: the real lens in pixels of the frame, for positions in the world; None takes the frame's diagonal.
        source: what the `.json` names as the source; None for `name`.
        overlay: False writes no `.overlay.mp4`.
        overwrite: replace files that exist.

    Raises:
        InputError: a file that exists, a name with a folder in it, a rate or a lens that is not above 0.
        PlatformError: an overlay without the extra [video].
    """

    def __init__(
        self,
        detect: "Callable[[Pixels, float], TrackedFrame]",
        body: "BodyModel",
        folder: str | Path,
        name: str,
        *,
        trained: bool,
        smoothed: bool,
        provenance: Mapping[str, str | None],
        frames_per_second: float,
        focal_px: float | None,
        source: str | None,
        overlay: bool,
        overwrite: bool,
    ) -> None:
        for argument, value in {"frames_per_second": frames_per_second, "focal_px": focal_px}.items():
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"The argument {argument} is {value}; give a finite number above 0.")
        self._folder = Path(folder)
        refuse_file(self._folder)
        self._paths = stream_paths(self._folder, file_stem(name), overlay=overlay)
        refuse_existing(list(self._paths.values()), overwrite)
        if overlay:
            load_av()
        self._detect, self._body, self._trained = detect, body, trained
        self._rate, self._focal_px = frames_per_second, focal_px
        self._about = {"every": 1, "smoothed": smoothed, "provenance": dict(provenance)}
        self._source = source or name
        self._files: StreamFiles | None = None
        self._size_px = (0, 0)
        self._first_ms = 0.0
        self._closed = False
        self.skipped = 0
        """Frames that were left out; the `.json` states the number."""
        self.files: tuple[Path, ...] = ()
        """The files that were written, once it is closed. Without a person there is no `.bvh` and no `.glb`; without a
        frame, nothing."""

    def add(self, frame: ImageSource, timestamp_ms: float) -> "TrackedFrame":
        """Follow the person into the next frame and write it; times in the files are relative to the first frame.

        Raises:
            InputError: an unusable image, one of another size than the first, or a timestamp that does not increase.
                The frame is not written, and the recording can continue.
            BundleError: the network breaks its contract.
            CoEvoerError: the recording is closed, or a file cannot be written.
        """
        if self._closed:
            raise CoEvoerError("The recording is closed; begin another with estimator.record(...).")
        pixels = read_image(frame)
        size_px = (pixels.shape[1], pixels.shape[0])
        if self._files is not None and size_px != self._size_px:
            raise InputError(
                f"The frame is {size_px[0]} x {size_px[1]} px, but the first one was {self._size_px[0]} x "
                f"{self._size_px[1]} px; all frames of a recording must have the same size."
            )
        tracked = self._detect(pixels, timestamp_ms)
        if self._files is None:
            self._files = self._open(size_px)
            self._size_px, self._first_ms = size_px, timestamp_ms
        self._files.add(Frame(tracked.index, timestamp_ms - self._first_ms, pixels), tracked)
        return tracked

    def close(self) -> None:
        """Complete the files. Closing twice is harmless."""
        self._close(interrupted=False, problem=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        interrupted = isinstance(error, KeyboardInterrupt)
        self._close(interrupted=interrupted, problem=None if error is None or interrupted else str(error))

    def _open(self, size_px: tuple[int, int]) -> StreamFiles:
        make_folder(self._folder)
        return StreamFiles(
            self._paths,
            size_px,
            self._rate,
            self._body,
            camera=frame_camera(*size_px),
            focal_px=self._focal_px,
            trained=self._trained,
        )

    def _close(self, *, interrupted: bool, problem: str | None) -> None:
        if self._closed:
            return
        self._closed = True
        if self._files is not None:
            about = {
                "source": self._source,
                "frames": len(self._files),
                "found": self._files.found,
                "skipped": self.skipped,
                "interrupted": interrupted,
                "problem": problem,
            }
            self.files = self._files.close(about | self._about)
