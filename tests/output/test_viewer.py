"""The viewer without a window: a recording is written, and it holds every frame."""

import sys
from pathlib import Path

import numpy as np
import pytest
from fakes import FACING

from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.errors import PlatformError
from coevoer_edge.output.viewer import MESH, OVERLAY, SKELETON, Viewer, has_display
from coevoer_edge.pipeline.camera import Crop
from coevoer_edge.pipeline.person import Decoded, Person, embody, frame_camera

rerun = pytest.importorskip("rerun", reason="Rerun comes with the extra view")

SIZE_PX = (64, 48)


def person_at(body: BodyModel, x_m: float) -> Person:
    parameters = SmplxParameters(**(vars(SmplxParameters.rest()) | {"global_orient": FACING[None]}))
    crop = Crop.whole_frame(*SIZE_PX)
    decoded = Decoded(parameters, np.array((x_m, 0, 60.0)), crop, np.zeros((3, 4)), np.ones(4))
    camera = frame_camera(*SIZE_PX)
    return embody(
        decoded, body, trained=True, parameters=parameters, translation_m=decoded.translation_m, camera=camera
    )


def rows_of(path: Path, entity: str) -> list[float]:
    """Times in s at which a recording has something for an entity."""
    from rerun.chunk import RrdReader

    times = []
    for chunk in RrdReader(str(path)).stream():
        if chunk.entity_path == "/" + entity and not chunk.is_static:
            column = chunk.to_record_batch().column("time")
            times += [value.value / 1e9 for value in column]
    return sorted(times)


def test_a_recording_holds_every_frame(tmp_path):
    body, path = BodyModel.open(), tmp_path / "a.rrd"
    overlay = np.full((48, 64, 3), 90, np.uint8)
    with Viewer(path, body, SIZE_PX, window=False) as viewer:
        for i in range(6):
            viewer.add(40.0 * i, overlay, None if i == 3 else person_at(body, 0.1 * i))
    assert f"rerun {path}" in viewer.where
    np.testing.assert_allclose(rows_of(path, OVERLAY), np.arange(6) * 0.04)
    with_person = [0, 0.04, 0.08, 0.16, 0.2]
    np.testing.assert_allclose(rows_of(path, MESH), with_person)
    np.testing.assert_allclose(rows_of(path, SKELETON), with_person)
    np.testing.assert_allclose(rows_of(path, "world/person"), [0.12])  # cleared


def test_without_rerun_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(PlatformError, match=r"pip install 'coevoer-edge\[view\]'"):
        Viewer(tmp_path / "a.rrd", BodyModel.open(), SIZE_PX)


def test_no_window_without_a_display(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not has_display()
    monkeypatch.setenv("DISPLAY", ":0")
    assert has_display()
