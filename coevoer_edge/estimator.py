"""The complete running chain: it takes a photograph or a stream of frames and returns a person.

In: images, a runtime, a body. Out: `Person`, and for streams `TrackedFrame`. docs/pipeline.md defines the steps.
It does not need torch, so it runs where only a runtime is installed.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from coevoer_edge.errors import CoEvoerError, InputError
from coevoer_edge.pipeline.camera import Crop, convert_translation
from coevoer_edge.pipeline.constants import PIPELINE, Pipeline
from coevoer_edge.pipeline.image import ImageSource, Pixels, extract_crop, read_image
from coevoer_edge.pipeline.person import Decoded, Person, decode, embody, frame_camera
from coevoer_edge.pipeline.smoothing import PersonSmoother
from coevoer_edge.pipeline.tracking import TrackedFrame, Tracker, next_crop

if TYPE_CHECKING:
    from coevoer_edge.body.model import BodyModel
    from coevoer_edge.bundle import Bundle
    from coevoer_edge.output.person_files import PersonFiles
    from coevoer_edge.output.stream_recording import StreamRecording
    from coevoer_edge.runtime import Runtime

__all__ = ["DEFAULT_PASSES", "Estimator", "Person", "TrackedFrame"]


DEFAULT_PASSES = 2


class Estimator:
    """Estimates the person in an image, or tracks one person through a stream.

    Single images: the first crop is the whole frame; the next ones follow the predicted body. `passes` is the number of
    runs of the network on one image: 1 uses the whole frame only, 2 (the default) adds a run on the crop around the
    upper body that the first run found. If that body cannot guide a crop (see `tracking.next_crop`), the last crop is
    kept.

    Streams: the network runs on one crop per frame, which follows the person of the previous frame. An estimator
    handles one stream at a time; `smooth` turns the smoothing of its parameters on or off. Pass `trained=False` for
    random weights, so that every `Person` is marked as untrained. `pipeline` contains the constants of tracking and
    smoothing, by default those of docs/pipeline.md. `bundle` is the bundle that the runtime was opened from, if there
    is one; results name it.
    """

    def __init__(
        self,
        runtime: "Runtime",
        body: "BodyModel",
        *,
        trained: bool,
        passes: int = DEFAULT_PASSES,
        smooth: bool = True,
        pipeline: Pipeline | None = None,
        bundle: "Bundle | None" = None,
    ) -> None:
        if passes < 1:
            raise InputError(f"`passes` is {passes}; give 1 (whole frame only) or more.")
        from coevoer_edge.output.person_files import PersonFiles
        from coevoer_edge.output.results import provenance

        self.runtime = runtime
        self.body = body
        self.trained = trained
        self.passes = passes
        self.smooth = smooth
        self.provenance = provenance(bundle, body)
        self._views = partial(PersonFiles, body, self.provenance)
        rule = PIPELINE if pipeline is None else pipeline
        self._tracker = Tracker(rule)
        self._smoother = PersonSmoother(rule.smoothing) if smooth else None
        self._frames = 0
        self._closed = False

    def __repr__(self) -> str:
        known = [value for key in ("model", "target", "precision") if (value := self.provenance[key])]
        weights = "trained" if self.trained else "untrained"
        return f"<Estimator: {', '.join([*known, weights])}; {self.body.name}; runtime {self.runtime.name}>"

    @classmethod
    def open(
        cls,
        bundle_path: str | Path,
        body: str | Path | None = None,
        *,
        passes: int = DEFAULT_PASSES,
        smooth: bool = True,
    ) -> Self:
        """Open a bundle, verify it and load its network.

            with Estimator.open("artifacts/coevoer-t-onnx-w8a8") as estimator:
                person = estimator("photo.jpg")

        Args:
            bundle_path: the folder that an export wrote.
            body: your own SMPLX_NEUTRAL.npz; None for the open body, which comes with the package.
            passes: for single images, the number of runs of the network; 1 uses the whole frame only.
            smooth: for streams, False disables temporal smoothing.

        Raises:
            BundleError: the folder is not a bundle, or is incomplete or altered.
            InputError: the body cannot be used, or `passes` is below 1.
            PlatformError: the network cannot run on this machine or with the installed packages.
        """
        from coevoer_edge.bundle import Bundle

        return cls.from_bundle(Bundle.open(bundle_path), body, passes=passes, smooth=smooth)

    @classmethod
    def from_bundle(
        cls,
        bundle: "Bundle",
        body: str | Path | None = None,
        *,
        passes: int = DEFAULT_PASSES,
        smooth: bool = True,
    ) -> Self:
        """Load the network of a bundle that is already open; arguments and errors are those of `open`."""
        from coevoer_edge.body.model import BodyModel
        from coevoer_edge.runtime import open_runtime

        body_model = BodyModel.open(body)  # before the runtime, which holds resources
        pipeline = bundle.manifest.pipeline
        trained = bundle.manifest.trained
        return cls(
            open_runtime(bundle),
            body_model,
            trained=trained,
            passes=passes,
            smooth=smooth,
            pipeline=pipeline,
            bundle=bundle,
        )

    def __call__(self, image: ImageSource) -> Person:
        """Estimate the person in an image: a path, a PIL image or a uint8 RGB array (H, W, 3).

        Raises `InputError` if the image is unusable, `BundleError` if the network's outputs violate the contract.
        """
        self._refuse_closed()
        pixels = read_image(image)
        height, width = pixels.shape[:2]
        views = self._views((width, height), _file_name(image), pixels)
        person = self._person(pixels, Crop.whole_frame(width, height), views)
        for _ in range(self.passes - 1):
            crop = next_crop(person, width, height, self._tracker.rule)
            if crop is None:
                break
            person = self._person(pixels, crop, views)
        return person

    def detect(self, image: ImageSource) -> Person:
        """The same as `estimator(image)`, under MediaPipe's name for its image mode."""
        return self(image)

    def detect_for_video(self, frame: ImageSource, timestamp_ms: float) -> TrackedFrame:
        """Estimate the person in the next frame of the stream, upright, with its time in milliseconds.

        Raises:
            InputError: an unusable image, or a timestamp at or before the last one; the stream goes on unchanged.
            BundleError: the network breaks its contract.
        """
        self._refuse_closed()
        pixels = read_image(frame)
        height, width = pixels.shape[:2]
        crop = self._tracker.look(timestamp_ms, width, height)
        index, self._frames = self._frames, self._frames + 1
        self._forget_the_lost()
        decoded = self._decoded(pixels, crop)
        person = None
        seen = embody(decoded, self.body, trained=self.trained)
        if self._tracker.judge(seen):
            person = self._in_frame_camera(decoded, timestamp_ms, width, height)
        self._forget_the_lost()
        return TrackedFrame(index, timestamp_ms, self._tracker.state, crop, person)

    def track(self, frames: Iterable[tuple[ImageSource, float]]) -> Iterator[TrackedFrame]:
        """Track one person through frames with timestamps in milliseconds; this starts a new stream.

        A frame whose timestamp is not later than the previous one is skipped: nothing is yielded for it, and the next
        `index` is one higher.
        """
        self.start_stream()
        last_ms = -np.inf
        for frame, timestamp_ms in frames:
            if timestamp_ms <= last_ms:
                self._frames += 1
                continue
            yield self.detect_for_video(frame, timestamp_ms)
            last_ms = timestamp_ms

    def record(
        self,
        folder: str | Path,
        name: str = "stream",
        *,
        frames_per_second: float = 30.0,
        focal_px: float | None = None,
        source: str | None = None,
        overlay: bool = True,
        overwrite: bool = False,
    ) -> "StreamRecording":
        """Start a new stream that is tracked and saved in the same files that `run` writes for a video.

            with estimator.record("out", "walk") as recording:
                for frame, timestamp_ms in frames:
                    tracked = recording.add(frame, timestamp_ms)
            recording.files  # out/walk.overlay.mp4, .jsonl, .npz, .bvh, .glb and .json

        Args:
            folder: where to write the files; it is created if it does not exist.
            name: the base name of the files, without a suffix.
            frames_per_second: nominal rate of the overlay video; the frames' timestamps determine when each is shown.
            focal_px: focal length of the real lens in pixels of the frame, for positions in the world (BVH, GLB, VRM);
                None uses the frame's diagonal.
            source: the source that the `.json` names; None for `name`.
            overlay: False omits `.overlay.mp4`, the only file that needs the extra [video].
            overwrite: replace existing files.

        Raises:
            InputError: a file exists, the name contains a folder, or the rate or focal length is not above 0.
            PlatformError: an overlay is requested without the extra [video].
        """
        from coevoer_edge.output.stream_recording import StreamRecording

        self._refuse_closed()
        recording = StreamRecording(
            self.detect_for_video,
            self.body,
            folder,
            name,
            trained=self.trained,
            smoothed=self.smooth,
            provenance=self.provenance,
            frames_per_second=frames_per_second,
            focal_px=focal_px,
            source=source,
            overlay=overlay,
            overwrite=overwrite,
        )
        self.start_stream()
        return recording

    def save_stream(
        self,
        frames: Iterable[tuple[ImageSource, float]],
        folder: str | Path,
        name: str = "stream",
        *,
        frames_per_second: float = 30.0,
        focal_px: float | None = None,
        source: str | None = None,
        overlay: bool = True,
        overwrite: bool = False,
    ) -> tuple[Path, ...]:
        """Track one person through frames, as `track` does, save the results as `run` does, and return the files.

        For a video file or a camera, `coevoer_edge.run` does the same. See `record` for the arguments and the errors.
        """
        with self.record(
            folder,
            name,
            frames_per_second=frames_per_second,
            focal_px=focal_px,
            source=source,
            overlay=overlay,
            overwrite=overwrite,
        ) as recording:
            last_ms = -np.inf
            for frame, timestamp_ms in frames:
                if timestamp_ms <= last_ms:
                    self._frames += 1
                    recording.skipped += 1
                    continue
                recording.add(frame, timestamp_ms)
                last_ms = timestamp_ms
        return recording.files

    def start_stream(self) -> None:
        """Begin another stream: nobody is tracked, and timestamps may start again."""
        self._tracker.reset()
        self._forget_the_lost()
        self._frames = 0

    def close(self) -> None:
        """Free the runtime. Closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self.runtime.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise CoEvoerError("The estimator is closed; open another with Estimator.open(bundle).")

    def _decoded(self, pixels: Pixels, crop: Crop) -> Decoded:
        """One run of the network on one crop."""
        return decode(self.runtime(extract_crop(pixels, crop)), crop, self.runtime.name)

    def _person(self, pixels: Pixels, crop: Crop, views: "PersonFiles") -> Person:
        return embody(self._decoded(pixels, crop), self.body, trained=self.trained, views=views)

    def _in_frame_camera(self, decoded: Decoded, timestamp_ms: float, width: int, height: int) -> Person:
        """The accepted person as the stream reports it."""
        camera = frame_camera(width, height)
        translation = convert_translation(decoded.translation_m, decoded.crop.camera(), camera)
        parameters = decoded.parameters
        if self._smoother is not None:
            parameters, translation = self._smoother(timestamp_ms, parameters, translation, camera.focal_px / height)
        return embody(
            decoded,
            self.body,
            trained=self.trained,
            parameters=parameters,
            translation_m=translation,
            camera=camera,
            views=self._views((width, height)),
        )

    def _forget_the_lost(self) -> None:
        if self._smoother is not None and self._tracker.state == "searching":
            self._smoother.reset()


def _file_name(image: ImageSource) -> str | None:
    """The name of the file that an image comes from; Pillow stores it in images that it has opened."""
    path = image if isinstance(image, str | Path) else getattr(image, "filename", "")
    return Path(path).name or None
