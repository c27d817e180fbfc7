"""The files that `coevoer-edge run` writes for a stream, frame by frame, complete whenever it stops.

They are written in a hidden folder beside their places and moved at the end.

In: frames with the estimator's results. Out: `.overlay.mp4` and `.jsonl` (both written as the frames come), and at the
end `.npz`, `.bvh`, `.glb` and `.json`. Only the parameters stay in memory, about 1 kB per frame.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from coevoer_edge import contract
from coevoer_edge.body.joints import JOINT_NAMES
from coevoer_edge.body.model import BodyModel
from coevoer_edge.errors import CoEvoerError
from coevoer_edge.files.staging import move_files, staging
from coevoer_edge.files.whole import refusing_os_errors
from coevoer_edge.output.animation.bvh import joint_tips, write_bvh
from coevoer_edge.output.animation.clip import Clip, ClipRecorder
from coevoer_edge.output.animation.glb import write_animated_glb
from coevoer_edge.output.animation.motion import real_camera
from coevoer_edge.output.meshes import CAMERA_TO_GLTF
from coevoer_edge.output.results import CONVENTION, UNTRAINED, avatar_values, numbers, smplx_arrays, write_json
from coevoer_edge.pipeline.camera import PinholeCamera, convert_translation
from coevoer_edge.pipeline.image import Pixels

if TYPE_CHECKING:
    from coevoer_edge.media.frames import Frame
    from coevoer_edge.pipeline.person import Person
    from coevoer_edge.pipeline.tracking import TrackedFrame

_DETAIL_PX = 512  # samples along the longer side of the rendered body: 40 ms instead of 350 ms a frame at 1080p
OVERLAY_VIDEO_SUFFIX = ".overlay.mp4"
STREAM_SUFFIXES = (OVERLAY_VIDEO_SUFFIX, ".jsonl", ".npz", ".bvh", ".glb", ".json")


def stream_paths(folder: Path, name: str, *, overlay: bool = True) -> dict[str, Path]:
    """The files of a stream by their suffix; without `overlay`, all but the `.overlay.mp4`."""
    return {suffix: folder / (name + suffix) for suffix in STREAM_SUFFIXES if overlay or suffix != OVERLAY_VIDEO_SUFFIX}


class StreamFiles:
    """The files of one stream, open from the first frame to `close`.

    Args:
        paths: by suffix, as `stream_paths` gives them; without `.overlay.mp4`, no overlay is made.
        size_px: width and height of the frames.
        frames_per_second: nominal rate of the frames that will come.
        body: of the persons.
        focal_px: the real lens, in pixels of the frame, for positions in a world (BVH, GLB, VRM); None if not known.
        trained: False writes into every file that the numbers are random.
    """

    def __init__(
        self,
        paths: dict[str, Path],
        size_px: tuple[int, int],
        frames_per_second: float,
        body: BodyModel,
        *,
        camera: PinholeCamera,
        focal_px: float | None,
        trained: bool,
    ) -> None:
        self.paths = paths
        self.found = 0
        self._folder = paths[".jsonl"].parent
        self._name = paths[".jsonl"].stem
        self._stack = ExitStack()
        self._place = self._stack.enter_context(staging(self._folder, self._name))
        self._body, self._trained = body, trained
        self._tips = joint_tips(body)
        self._lens = real_camera(size_px, focal_px)
        self._focal_px = focal_px
        self._size_px = size_px
        self._recorder = ClipRecorder(size_px, trained=trained, camera=camera)
        self._video = None
        if OVERLAY_VIDEO_SUFFIX in paths:
            from coevoer_edge.media.writer import VideoWriter

            try:
                self._video = VideoWriter(self._staged(OVERLAY_VIDEO_SUFFIX), size_px, frames_per_second)
            except BaseException:
                self._stack.close()
                raise
        self._lines: TextIO | None = self._staged(".jsonl").open("w", encoding="utf-8")

    def __len__(self) -> int:
        return len(self._recorder)

    def add(self, frame: "Frame", tracked: "TrackedFrame") -> Pixels:
        """Write one frame; return its overlay (H, W, 3), or the unchanged frame where no overlay is made."""
        person, picture = tracked.person, frame.pixels
        if self._video is not None:
            picture = overlay_of(picture, person, self._body, trained=self._trained)
            with self._giving_up(OVERLAY_VIDEO_SUFFIX):
                self._video.write(picture, frame.timestamp_ms)
        if person is None:
            self._recorder.add(frame.timestamp_ms)
        else:
            self.found += 1
            self._recorder.add(frame.timestamp_ms, person.parameters, person.translation_m, person.visibility)
        if self._lines is not None:
            with self._giving_up(".jsonl"):
                self._lines.write(json.dumps(self._line(frame, tracked), allow_nan=False) + "\n")
        return picture

    def close(self, about: dict[str, Any]) -> tuple[Path, ...]:
        """Finish all files and move them into their places; `about` goes into the `.json`. Returns the files.

        Files of the same name that another run left are replaced, or removed where this one has none: without any
        person in the stream there is no `.bvh` and no `.glb`; without any frame there is nothing. Raises `CoEvoerError`
        where a file cannot be written; the others are in their places then.
        """
        problems: list[CoEvoerError] = []
        with self._stack, refusing_os_errors(self._folder):
            for suffix, write in self._steps(about):
                try:
                    with self._giving_up(suffix):
                        write()
                except CoEvoerError as problem:
                    problems.append(problem)
            written = [suffix for suffix in STREAM_SUFFIXES if len(self) and self._staged(suffix).exists()]
            names = [self._name + suffix for suffix in written]
            move_files(self._place, self._folder, names, [self._name + suffix for suffix in STREAM_SUFFIXES])
        if problems:
            raise problems[0]
        return tuple(self.paths[suffix] for suffix in written)

    def _steps(self, about: dict[str, Any]) -> Iterator[tuple[str, Callable[[], object]]]:
        """What completes each file, in the order in which they are written."""
        for suffix, file in ((OVERLAY_VIDEO_SUFFIX, self._video), (".jsonl", self._lines)):
            if file is not None:
                yield suffix, file.close
        if not len(self):
            return
        clip = self._recorder.clip()
        yield ".npz", lambda: np.savez_compressed(self._staged(".npz"), **self._npz_arrays(clip))
        yield ".json", lambda: write_json(self._staged(".json"), self._record(clip) | about)
        if self.found:
            extras = {"body_licence": self._body.licence, "trained": str(self._trained).lower()}
            extras |= {} if self._trained else {"warning": UNTRAINED}
            yield ".bvh", lambda: write_bvh(self._staged(".bvh"), clip, self._body, focal_px=self._focal_px)
            yield (
                ".glb",
                lambda: write_animated_glb(
                    self._staged(".glb"), clip, self._body, focal_px=self._focal_px, extras=extras
                ),
            )

    def _staged(self, suffix: str) -> Path:
        return self._place / (self._name + suffix)

    @contextmanager
    def _giving_up(self, suffix: str) -> Iterator[None]:
        """Remove a file that cannot be written, so that there is room for the others, and never write to it again."""
        try:
            with refusing_os_errors(self.paths.get(suffix, self._folder)):
                yield
        except CoEvoerError as error:
            if suffix == ".jsonl":
                self._lines = None
            elif suffix == OVERLAY_VIDEO_SUFFIX:
                self._video = None
            self._staged(suffix).unlink(missing_ok=True)
            raise CoEvoerError(str(error).replace(str(self._place), str(self._folder))) from None

    def _line(self, frame: "Frame", tracked: "TrackedFrame") -> dict[str, Any]:
        crop = tracked.crop
        return {
            "index": frame.index,
            "timestamp_ms": round(frame.timestamp_ms, 3),
            "trained": self._trained,
            "state": tracked.state,
            "crop_px": {"x0": crop.x0, "y0": crop.y0, "width": crop.width, "height": crop.height},
            "person": None if tracked.person is None else self._person(tracked.person),
        }

    def _person(self, person: "Person") -> dict[str, Any]:
        avatar = avatar_values(person.parameters, self._body, self._tips)
        at_lens = convert_translation(person.translation_m, person.camera, self._lens)
        shift = np.asarray(person.joints_cam, np.float64)[0] - person.translation_m  # the pelvis from the origin
        return {
            "smplx": {name: numbers(array[0]) for name, array in smplx_arrays(person).items()},
            "visibility": dict(zip(contract.VISIBILITY, numbers(person.visibility), strict=True)),
            "joints_px": dict(zip(JOINT_NAMES, numbers(person.joints_px), strict=True)),
            "arkit": avatar["arkit"],
            "vrm": {"hips_m": numbers(CAMERA_TO_GLTF @ (at_lens + shift)), "rotations": avatar["vrm"]},
        }

    def _npz_arrays(self, clip: Clip) -> dict[str, Any]:
        return {
            **clip.smplx_arrays(),
            "found": clip.found,
            "timestamps_ms": clip.timestamps_ms,
            "visibility": clip.visibility,
            "gender": np.array("neutral"),
            "trained": np.array(clip.trained),
            "focal_px": np.array(clip.camera.focal_px),
            "principal_point_px": np.array(clip.camera.principal_point_px),
            "frame_size_px": np.array(clip.frame_size_px),
        }

    def _record(self, clip: Clip) -> dict[str, Any]:
        """The entries that apply to the whole stream."""
        return {
            "trained": clip.trained,
            **({} if clip.trained else {"warning": UNTRAINED}),
            "convention": CONVENTION,
            "width_px": clip.frame_size_px[0],
            "height_px": clip.frame_size_px[1],
            "frames_per_second": round(clip.frames_per_second, 4),
            "camera": {"focal_px": clip.camera.focal_px, "principal_point_px": list(clip.camera.principal_point_px)},
            "real_lens": {
                "focal_px": self._lens.focal_px,
                "known": self._focal_px is not None,
                "used_for": "positions in the .bvh, the .glb and vrm.hips_m (y up, m, camera at the origin)",
            },
            "gender": "neutral",
            "betas_of_clip": numbers(clip.shape()) if self.found else None,
        }


def overlay_of(pixels: Pixels, person: "Person | None", body: BodyModel, *, trained: bool) -> Pixels:
    """The frame with mesh and joints over it, and a banner where the weights are untrained."""
    from coevoer_edge.output.overlay import draw_joints, draw_overlay, stamp

    picture = pixels
    if person is not None:
        picture = draw_overlay(picture, person.mesh().vertices, body.faces, person.camera, detail_px=_DETAIL_PX)
        picture = draw_joints(picture, person.joints_cam, person.camera)
    return picture if trained else stamp(picture, UNTRAINED)
