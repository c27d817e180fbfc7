"""A stream in the Rerun viewer: overlay, mesh and skeleton on a timeline, live and as a recording.

In: frames with the estimator's results. Out: a window that shows them as they come, and a .rrd file that `rerun FILE`
opens later, about 0.35 MB per frame, most of it the mesh. Rerun was chosen over viser, which is lighter, because it has
a timeline, a picture view and a 3D view ready-made, and because its recordings can be checked without a display.
"""

import os
import sys
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from coevoer_edge.body.joints import JOINT_NAMES, PARENTS
from coevoer_edge.body.model import BodyModel
from coevoer_edge.errors import PlatformError
from coevoer_edge.files.whole import refusing_os_errors
from coevoer_edge.output.animation.motion import real_camera
from coevoer_edge.output.meshes import smooth_normals
from coevoer_edge.pipeline.camera import convert_translation
from coevoer_edge.pipeline.image import Pixels

if TYPE_CHECKING:
    from coevoer_edge.pipeline.person import Person

_APP = "coevoer-edge"
_MESH_RGB, _LINE_RGB = (158, 196, 240), (255, 159, 28)
_JPEG_QUALITY = 85
OVERLAY, MESH, SKELETON, CAMERA = "overlay", "world/person/mesh", "world/person/skeleton", "world/camera"


def load_rerun() -> ModuleType:
    """Import Rerun. Raises `PlatformError` where it is not installed."""
    try:
        import rerun
    except ImportError as error:
        raise PlatformError(
            f"--view needs Rerun, which is not installed ({error}); run `pip install 'coevoer-edge[view]'`."
        ) from None
    module: ModuleType = rerun
    return module


def has_display() -> bool:
    """Whether a window can be opened here."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY"))


class Viewer:
    """Shows a stream and records it.

    Args:
        path: the recording to write (.rrd).
        body: of the persons; its faces are written once.
        size_px: width and height of the frames.
        focal_px: the real lens in pixels of the frame, if it is known; it decides where the person stands in the 3D
        view.
        window: open the viewer; by default where there is a display.
    """

    def __init__(
        self,
        path: Path,
        body: BodyModel,
        size_px: tuple[int, int],
        *,
        focal_px: float | None = None,
        window: bool | None = None,
    ) -> None:
        self._rr = rr = load_rerun()
        self.path = path
        self._faces = body.faces
        self._lens = real_camera(size_px, focal_px)
        self._frames = 0
        window = has_display() if window is None else window
        self.where = f"Recording to {path}; open it with: rerun {path}"
        self._stream: Any = rr.RecordingStream(_APP)
        self._partial = path.with_name(f".{path.name}.partial")
        sinks = [rr.FileSink(str(self._partial))]
        if window:
            self._stream.spawn(connect=False)
            sinks.append(rr.GrpcSink())
            self.where = f"Showing it in the Rerun viewer; recording to {path}"
        self._stream.set_sinks(*sinks, default_blueprint=self._blueprint())
        self._log("world", rr.ViewCoordinates.RDF, static=True)
        lens = rr.Pinhole(focal_length=self._lens.focal_px, width=size_px[0], height=size_px[1])
        self._log(CAMERA, lens, static=True)
        topology = rr.Mesh3D.from_fields(triangle_indices=self._faces, albedo_factor=_MESH_RGB)
        self._log(MESH, topology, static=True)

    def add(self, timestamp_ms: float, overlay: Pixels, person: "Person | None") -> None:
        """Show one frame: its overlay (H, W, 3) and the person in it, if any."""
        rr = self._rr
        self._stream.set_time("time", duration=timestamp_ms / 1000)
        self._stream.set_time("frame", sequence=self._frames)
        self._frames += 1
        self._log(OVERLAY, rr.Image(overlay).compress(jpeg_quality=_JPEG_QUALITY))
        if person is None:
            self._log("world/person", rr.Clear(recursive=True))
            return
        shift = convert_translation(person.translation_m, person.camera, self._lens) - person.translation_m
        vertices, joints = person.mesh().vertices + shift, np.asarray(person.joints_cam) + shift
        normals = smooth_normals(vertices, self._faces)
        mesh = rr.Mesh3D.from_fields(
            vertex_positions=vertices.astype(np.float32),
            vertex_normals=normals.astype(np.float32),
        )
        self._log(MESH, mesh)
        bones = [(joints[PARENTS[j]], joints[j]) for j in range(1, len(JOINT_NAMES))]
        self._log(SKELETON, rr.LineStrips3D(np.array(bones, np.float32), colors=_LINE_RGB))

    def close(self) -> None:
        """Finish the recording; the window stays open."""
        self._stream.flush()
        self._stream.disconnect()
        if self._partial.exists():
            with refusing_os_errors(self.path):
                self._partial.replace(self.path)

    def _log(self, path: str, what: Any, *, static: bool = False) -> None:
        self._rr.log(path, what, static=static, recording=self._stream)

    def _blueprint(self) -> Any:
        import rerun.blueprint as rrb

        views = (
            rrb.Spatial2DView(origin=OVERLAY, name="Overlay"),
            rrb.Spatial3DView(origin="world", name="Person"),
        )
        return rrb.Blueprint(rrb.Horizontal(*views), collapse_panels=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
