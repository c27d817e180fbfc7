"""A person as a dictionary, as files, as a picture and as a line of text."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeRuntime, fake_bundle, outputs_of
from photo import ASTRONAUT
from PIL import Image

from coevoer_edge.body.model import BodyModel
from coevoer_edge.errors import CoEvoerError, InputError
from coevoer_edge.estimator import Estimator, Person, TrackedFrame
from coevoer_edge.pipeline.camera import Crop
from coevoer_edge.pipeline.image import load_image
from coevoer_edge.pipeline.person import decode, embody

SUFFIXES = (".json", ".npz", ".glb", ".overlay.png")


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.open()


def estimator_of(body: BodyModel, *, trained: bool = True) -> Estimator:
    answers = [outputs_of((0, 0, 60.0), noise=0.01)]
    return Estimator(FakeRuntime(answers), body, trained=trained, bundle=fake_bundle(Path("bundle-x"), trained))


@pytest.fixture(scope="module")
def person(body) -> Person:
    return estimator_of(body)(ASTRONAUT)


@pytest.fixture(scope="module")
def tracked(body) -> TrackedFrame:
    (frame,) = estimator_of(body).track([(load_image(ASTRONAUT), 0.0)])
    assert frame.person is not None
    return frame


def test_files_are_called_after_the_photograph_and_hold_the_dictionary(person, tmp_path):
    files = person.save(tmp_path / "new" / "out")
    assert files == tuple(tmp_path / "new" / "out" / f"astronaut{suffix}" for suffix in SUFFIXES)
    assert sorted(files) == sorted((tmp_path / "new" / "out").iterdir())
    record = json.loads(files[0].read_text())
    assert record == person.to_dict()
    assert record == json.loads(json.dumps(person.to_dict(), allow_nan=False))
    assert record["image"] == {"file": "astronaut.jpg", "width_px": 512, "height_px": 512}
    assert record["provenance"]["bundle"] == "bundle-x"
    with np.load(files[1]) as saved:
        np.testing.assert_array_equal(saved["joints_cam"], person.joints_cam)
    np.testing.assert_array_equal(np.asarray(Image.open(files[3])), np.asarray(person.overlay()))


def test_saving_again_needs_overwrite_or_another_name(person, tmp_path):
    first = person.save(tmp_path)
    before = {file: file.read_bytes() for file in first}
    message = f"{first[0]} (and 3 more) exists; replace it with --overwrite (in Python, overwrite=True), or give"
    with pytest.raises(InputError, match=re.escape(message)):
        person.save(tmp_path)
    assert person.save(tmp_path, overwrite=True) == first
    other = person.save(tmp_path, "again", overlay=False)
    assert [file.name for file in other] == ["again.json", "again.npz", "again.glb"]
    for file, content in before.items():
        assert file.read_bytes() == content
    assert other[0].read_bytes() == first[0].read_bytes()  # names the photograph, not the file


@pytest.mark.parametrize("name", ["", "a/b", "a/", "."])
def test_a_name_with_a_folder_is_refused(person, tmp_path, name):
    with pytest.raises(InputError, match=re.escape(f"{name!r} is not a file name")):
        person.save(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_from_memory_has_no_name(body, tmp_path):
    person = estimator_of(body)(load_image(ASTRONAUT))
    assert person.to_dict()["image"]["file"] is None
    assert person.save(tmp_path)[0].name == "person.json"
    assert estimator_of(body)(Image.open(ASTRONAUT)).to_dict()["image"]["file"] == "astronaut.jpg"


def test_an_estimator_without_a_bundle_knows_no_origin(body):
    person = Estimator(FakeRuntime(), body, trained=True)(ASTRONAUT)
    origin = person.to_dict()["provenance"]
    assert (origin["bundle"], origin["model"], origin["body"]) == (None, None, "open body")


def test_overlay_is_a_picture_of_the_same_size_with_the_body_on_it(person):
    overlay = person.overlay()
    assert isinstance(overlay, Image.Image)
    changed = (np.asarray(overlay) != load_image(ASTRONAUT)).any(-1)
    assert changed.shape == (512, 512)
    points = person.camera.project(person.mesh().vertices)
    inside = points[((points >= 0) & (points < 512)).all(1)]
    for axis in (0, 1):  # x, y
        lines = np.flatnonzero(changed.any(axis))
        assert abs(lines[0] - inside[:, axis].min()) < 8
        assert abs(lines[-1] - inside[:, axis].max()) < 8
    np.testing.assert_array_equal(np.asarray(person.overlay(ASTRONAUT)), np.asarray(overlay))


def test_untrained_people_are_stamped(body, person):
    untrained = estimator_of(body, trained=False)(ASTRONAUT)
    difference = np.asarray(untrained.overlay()) != np.asarray(person.overlay())
    assert np.flatnonzero(difference.any((1, 2)))[0] > 400  # a banner along the bottom
    assert "warning" in untrained.to_dict()
    assert "untrained" in repr(untrained)


def test_a_notebook_shows_a_small_overlay(body):
    wide = np.tile(load_image(ASTRONAUT), (1, 4, 1))  # 512 x 2048
    person = estimator_of(body)(wide)
    shown = Image.open(io.BytesIO(person._repr_png_()))
    assert (shown.format, shown.size) == ("PNG", (768, 192))
    small = np.asarray(person.overlay().resize((768, 192), Image.Resampling.BOX), float)
    plain = np.asarray(Image.fromarray(wide).resize((768, 192), Image.Resampling.BOX), float)
    there, should = (np.abs(np.asarray(p, float) - plain).max(-1) > 40 for p in (shown, small))
    assert (there & should).sum() / (there | should).sum() > 0.9


def test_people_of_streams_need_their_frame(tracked, tmp_path):
    person = tracked.person
    assert person._repr_png_() is None
    with pytest.raises(InputError, match="comes from a stream, which does not keep its frames; give the frame"):
        person.overlay()
    with pytest.raises(InputError, match=re.escape("save(folder, overlay=False)")):
        person.save(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="The image is 30 x 20 px, but the person was found in one of 512 x"):
        person.overlay(np.zeros((20, 30, 3), np.uint8))
    files = person.save(tmp_path, "frame", image=ASTRONAUT)
    np.testing.assert_array_equal(np.asarray(Image.open(files[3])), np.asarray(person.overlay(ASTRONAUT)))
    assert json.loads(files[0].read_text())["image"] == {"file": None, "width_px": 512, "height_px": 512}
    assert len(person.save(tmp_path, "other", overlay=False)) == 3


def test_a_person_without_an_estimator_says_so(body):
    person = embody(decode(outputs_of(), Crop.whole_frame(9, 9), "x"), body, trained=True)
    assert person._repr_png_() is None
    for use in (person.to_dict, person.overlay, lambda: person.save("x")):
        with pytest.raises(CoEvoerError, match="was made without an Estimator"):
            use()


def test_representations_are_one_short_line(person, tracked):
    assert repr(person) == (
        "<Person: person 0.90, face 0.80, left hand 0.20, right hand 0.10; crop 469 x 625 px at (22, -207); trained>"
    )
    assert repr(tracked).startswith("<TrackedFrame 0 at 0 ms: tracking; person 0.90")
    assert repr(TrackedFrame(3, 120.4, "searching", Crop.whole_frame(192, 256), None)) == (
        "<TrackedFrame 3 at 120 ms: searching; nobody; crop 192 x 256 px at (0, 0)>"
    )
    assert repr(person.parameters).startswith("<SmplxParameters: global_orient (1, 3, 3), body_pose (21, 3, 3), ")
    mesh = person.mesh()
    assert repr(mesh) == f"<Mesh: {len(mesh.vertices)} vertices, {len(mesh.faces)} faces>"
    assert max(map(len, map(repr, (person, tracked, mesh)))) < 200


def test_an_estimator_and_a_body_say_what_they_are(body):
    assert repr(estimator_of(body, trained=False)) == (
        "<Estimator: coevoer-t, onnx, w8a8, untrained; open body; runtime fake>"
    )
    assert repr(Estimator(FakeRuntime(), body, trained=True)) == "<Estimator: trained; open body; runtime fake>"
    assert repr(body) == f"<BodyModel open body: {body.num_vertices} vertices, {len(body.faces)} faces, CC0-1.0>"


def test_mesh_has_the_faces_of_the_body(person, body):
    mesh = person.mesh()
    assert mesh.vertices.shape == (body.num_vertices, 3)
    assert mesh.faces is body.faces
    corners = mesh.vertices[mesh.faces]
    volume = np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    assert 0.02 < volume < 0.2  # m3; positive where faces point outwards
