"""The run command on a fake bundle: what it writes, what it says, what it refuses, and its exit codes."""

import io
import json
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from fakes import FakeRuntime, fake_bundle, outputs_of
from photo import ASTRONAUT
from PIL import Image

import coevoer_edge
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.model_file import OPEN_BODY_PATH
from coevoer_edge.errors import BundleError, CheckFailed, InputError
from coevoer_edge.estimator import Estimator
from coevoer_edge.media.images import find_images
from coevoer_edge.pipeline.constants import PIPELINE
from coevoer_edge.run.__main__ import UNTRAINED, command, run
from coevoer_edge.terminal.console import Command, Steps

SUFFIXES = [".glb", ".json", ".npz", ".overlay.png"]


def bundle_of(path, trained: bool) -> SimpleNamespace:
    opened = fake_bundle(path, trained)
    opened.manifest.pipeline = PIPELINE
    return opened


@pytest.fixture
def world(monkeypatch):
    """`coevoer_edge.bundle` and `coevoer_edge.runtime` replaced; set `.trained` and `.runtime` as the test needs."""
    state = SimpleNamespace(trained=False, runtime=FakeRuntime([outputs_of((0, 0, 60.0), noise=0.01)]))

    def open_bundle(path):
        if not Path(path).name.startswith("bundle"):
            raise BundleError(f"No bundle at {path}.")
        return bundle_of(path, state.trained)

    bundle, runtime = ModuleType("coevoer_edge.bundle"), ModuleType("coevoer_edge.runtime")
    bundle.Bundle = SimpleNamespace(open=open_bundle)
    runtime.open_runtime = lambda _: state.runtime
    monkeypatch.setitem(sys.modules, "coevoer_edge.bundle", bundle)
    monkeypatch.setitem(sys.modules, "coevoer_edge.runtime", runtime)
    return state


def cli(*arguments) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (40, 30), "grey").save(folder / name)
    return folder


def test_writes_four_files_and_names_them_last(world, tmp_path):
    out = tmp_path / "out"
    result = cli("bundle-x", ASTRONAUT, "-o", out)
    assert result.exit_code == 0, result.output
    assert files_in(out) == [f"astronaut{suffix}" for suffix in SUFFIXES]
    written = [f"Wrote {out / 'astronaut'}{suffix}" for suffix in (".json", ".npz", ".glb", ".overlay.png")]
    assert result.stdout.splitlines() == [UNTRAINED, *written]
    assert result.stderr.splitlines() == [
        "[1/2] Open bundle-x",
        "      coevoer-t, onnx, w8a8; body: open body",
        f"      {UNTRAINED}",
        f"[2/2] Run {ASTRONAUT}",
    ]
    assert world.runtime.closed == 1


def test_json(world, tmp_path):
    cli("bundle-x", ASTRONAUT, "-o", tmp_path)
    record = json.loads((tmp_path / "astronaut.json").read_text())
    lengths = {"global_orient": 3, "body_pose": 63, "left_hand_pose": 45, "right_hand_pose": 45, "jaw_pose": 3}
    lengths |= {"leye_pose": 3, "reye_pose": 3, "betas": 10, "expression": 10, "transl": 3}
    assert {name: len(record[name]) for name in lengths} == lengths
    assert record["gender"] == "neutral"
    assert record["trained"] is False
    assert record["warning"] == UNTRAINED
    assert "flat_hand_mean=True" in record["convention"]
    assert record["image"] == {"file": "astronaut.jpg", "width_px": 512, "height_px": 512}
    provenance = record["provenance"]
    assert provenance["bundle"] == "bundle-x"
    assert (provenance["model"], provenance["body"], provenance["body_licence"]) == (
        "coevoer-t",
        "open body",
        BodyModel.open().licence,
    )
    assert list(record["part_boxes_px"]) == ["face", "left_hand", "right_hand"]
    assert list(record["visibility"]) == ["person", "face", "left_hand", "right_hand"]
    assert len(record["joints_px"]) == len(record["joints_cam_m"]) == 55
    x, y, z = record["joints_cam_m"]["head"]
    camera = record["camera"]
    projected = camera["focal_px"] * np.array((x, y)) / z + camera["principal_point_px"]
    np.testing.assert_allclose(projected, record["joints_px"]["head"], atol=1e-2)


def test_npz_goes_straight_into_smplx(world, tmp_path):
    smplx, torch = pytest.importorskip("smplx"), pytest.importorskip("torch")
    cli("bundle-x", ASTRONAUT, "-o", tmp_path)
    saved = dict(np.load(tmp_path / "astronaut.npz"))
    shutil.copy(OPEN_BODY_PATH, tmp_path / "SMPLX_NEUTRAL.npz")  # `create` takes the kind of model from the name
    options = {"use_pca": False, "flat_hand_mean": True, "num_betas": 10, "num_expression_coeffs": 10}
    model = smplx.create(str(tmp_path / "SMPLX_NEUTRAL.npz"), **options)
    names = [name for name in saved if name.endswith("_pose") or name in ("global_orient", "betas", "expression")]
    output = model(**{name: torch.from_numpy(saved[name]) for name in (*names, "transl")})
    np.testing.assert_allclose(output.joints[0, :55].detach(), saved["joints_cam"], atol=1e-5)
    assert str(saved["gender"]) == "neutral"
    assert not saved["trained"]


def test_overlay_is_drawn_and_stamped_only_when_untrained(world, tmp_path):
    cli("bundle-x", ASTRONAUT, "-o", tmp_path / "untrained")
    world.trained, world.runtime = True, FakeRuntime(world.runtime.answers)
    result = cli("bundle-x", ASTRONAUT, "-o", tmp_path / "trained")
    stamped, plain, photo = (
        np.asarray(Image.open(path).convert("RGB")).astype(int)
        for path in (
            tmp_path / "untrained/astronaut.overlay.png",
            tmp_path / "trained/astronaut.overlay.png",
            ASTRONAUT,
        )
    )
    assert stamped.shape == plain.shape == photo.shape
    assert np.abs(plain - photo).max() > 50
    changed_rows = np.nonzero((stamped != plain).any((1, 2)))[0]
    assert len(changed_rows)
    assert changed_rows[0] > 400
    assert UNTRAINED not in result.output
    record = json.loads((tmp_path / "trained/astronaut.json").read_text())
    assert record["trained"] is True
    assert "warning" not in record


def test_without_overlay_the_other_three_files_are_the_same(world, tmp_path):
    run("bundle-x", ASTRONAUT, tmp_path / "with")
    world.runtime = FakeRuntime(world.runtime.answers)
    _, (outcome,) = run("bundle-x", ASTRONAUT, tmp_path / "without", overlay=False)
    assert files_in(tmp_path / "without") == sorted(path.name for path in outcome.files)
    assert files_in(tmp_path / "without") == ["astronaut.glb", "astronaut.json", "astronaut.npz"]
    for name in files_in(tmp_path / "without"):
        assert (tmp_path / "without" / name).read_bytes() == (tmp_path / "with" / name).read_bytes()
    (tmp_path / "without" / "astronaut.overlay.png").touch()  # not of this run, so not in its way
    run("bundle-x", ASTRONAUT, tmp_path / "without", overlay=False, overwrite=True)


def test_glb_says_untrained(world, tmp_path):
    cli("bundle-x", ASTRONAUT, "-o", tmp_path)
    content = (tmp_path / "astronaut.glb").read_bytes()
    assert content[:4] == b"glTF"
    assert UNTRAINED.encode() in content


def test_existing_results_are_refused_without_overwrite(world, tmp_path):
    assert cli("bundle-x", ASTRONAUT, "-o", tmp_path).exit_code == 0
    result = cli("bundle-x", ASTRONAUT, "-o", tmp_path)
    assert result.exit_code == 2
    first = tmp_path / "astronaut.json"
    assert result.stderr == (
        f"Error: {first} (and 3 more) exists; replace it with --overwrite (in Python, overwrite=True), or give another "
        "folder.\n"
    )
    assert cli("bundle-x", ASTRONAUT, "-o", tmp_path, "--overwrite").exit_code == 0


def test_folder(world, photos, tmp_path):
    result = cli("bundle-x", photos, "-o", tmp_path / "out")
    assert result.exit_code == 0
    assert len(files_in(tmp_path / "out")) == 8
    assert f"[2/2] Run the 2 images of {photos}\n      1/2 a.png\n      2/2 b.png\n" in result.stderr


def test_overlays_beside_the_images_are_not_taken_for_images(world, photos):
    assert cli("bundle-x", photos, "-o", photos).exit_code == 0
    assert [path.name for path in find_images(photos)] == ["a.png", "b.png"]


def test_bad_images_in_a_folder_are_counted(world, photos, tmp_path):
    (photos / "broken.jpg").write_bytes(ASTRONAUT.read_bytes()[:30000])
    result = cli("bundle-x", photos, "-o", tmp_path / "out", "--json")
    assert result.exit_code == 1
    assert f"      Left out: {photos / 'broken.jpg'} is damaged (" in result.stderr
    assert result.stderr.endswith("Error: 1 of 3 images could not be used: broken.jpg.\n")
    summary = json.loads(result.stdout)
    assert summary["trained"] is False
    assert [Path(written["image"]).name for written in summary["written"]] == ["a.png", "b.png"]
    assert [Path(failed["image"]).name for failed in summary["failed"]] == ["broken.jpg"]
    assert len(files_in(tmp_path / "out")) == 8


def test_clashing_names_are_refused(world, photos, tmp_path):
    Image.new("RGB", (4, 4)).save(photos / "a.jpg")
    result = cli("bundle-x", photos, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr == "Error: a.jpg and a.png would both write a.json; rename one, or run them separately.\n"


@pytest.mark.parametrize("arguments", [[], ["--quiet"], ["--json"]])
def test_bad_single_image_is_exit_code_2(world, tmp_path, arguments):
    path = tmp_path / "notes.jpg"
    path.write_text("hello")
    result = cli("bundle-x", path, "-o", tmp_path / "out", *arguments)
    assert result.exit_code == 2
    assert f"Error: {path} is not an image: its content is of no known format;" in result.stderr
    assert result.stdout == ""
    assert world.runtime.closed == 1


def test_a_file_that_is_neither_image_nor_video_is_refused(world, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    result = cli("bundle-x", path, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert f"Error: {path} cannot be opened as an image or a video (Invalid data" in result.stderr


def test_refusals(world, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    cases = [
        (("bundle-x", tmp_path / "no.jpg"), f"There is no image at {tmp_path / 'no.jpg'}; give an image file"),
        (("bundle-x", tmp_path / "empty"), f"{tmp_path / 'empty'} holds no images; it should hold"),
        (
            ("bundle-x", ASTRONAUT, "-o", tmp_path / "file"),
            f"{tmp_path / 'file'} is a file; give a folder for the results.",
        ),
        (
            ("bundle-x", ASTRONAUT, "-o", tmp_path / "file" / "out"),
            f"{tmp_path / 'file' / 'out'} cannot be written (Not a ",
        ),
        (("other", ASTRONAUT, "-o", tmp_path), "No bundle at other."),
        (("bundle-x", ASTRONAUT, "-o", tmp_path, "--body", "no.npz"), "no.npz"),
        (("bundle-x", ASTRONAUT, "--passes", "0"), "Invalid value for '--passes'"),
    ]
    for arguments, message in cases:
        result = cli(*arguments)
        assert result.exit_code == 2, arguments
        assert message in result.stderr
        assert "Traceback" not in result.output


def test_quiet_is_silent(world, tmp_path):
    result = cli("bundle-x", ASTRONAUT, "-o", tmp_path, "--quiet")
    assert (result.exit_code, result.output) == (0, "")


def test_from_python(world, tmp_path):
    bundle, outcomes = run("bundle-x", ASTRONAUT, tmp_path)
    assert bundle.manifest.model == "coevoer-t"
    assert outcomes[0].files[0].name == "astronaut.json"
    with pytest.raises(InputError, match=re.escape("exists; replace it with --overwrite")):
        run("bundle-x", ASTRONAUT, tmp_path)


def test_a_person_saves_the_same_bytes_as_the_command(world, tmp_path):
    assert cli("bundle-x", ASTRONAUT, "-o", tmp_path / "run").exit_code == 0
    world.runtime = FakeRuntime(world.runtime.answers)
    with Estimator.open("bundle-x") as estimator:
        files = estimator(ASTRONAUT).save(tmp_path / "save")
    assert [file.name for file in files] == [f"astronaut{s}" for s in (".json", ".npz", ".glb", ".overlay.png")]
    for file in files:
        assert file.read_bytes() == (tmp_path / "run" / file.name).read_bytes()


def test_the_call_gives_what_was_written(world, tmp_path, photos):
    result = coevoer_edge.run("bundle-x", ASTRONAUT, tmp_path, overlay=False)
    assert [file.name for file in result.files] == ["astronaut.json", "astronaut.npz", "astronaut.glb"]
    assert result.bundle.manifest.model == "coevoer-t"
    assert (result.images[0].image, result.stream) == (ASTRONAUT, None)
    (photos / "broken.jpg").write_bytes(b"no")
    outcomes = {outcome.image.name: outcome for outcome in coevoer_edge.run("bundle-x", photos, tmp_path).images}
    assert outcomes["broken.jpg"].files == ()
    assert "is not an image" in outcomes["broken.jpg"].error
    assert len(outcomes["a.png"].files) == 4


# The console.


@pytest.mark.parametrize(("error", "code"), [(InputError("no"), 2), (BundleError("no"), 2), (CheckFailed("no"), 1)])
def test_errors_become_exit_codes(error, code):
    @click.command(cls=Command)
    def failing():
        raise error

    result = CliRunner().invoke(failing)
    assert (result.exit_code, result.stderr) == (code, "Error: no\n")
    group = click.Group(commands={"failing": failing})
    assert CliRunner().invoke(group, ["failing"]).exit_code == code


def test_long_lists_get_few_plain_lines(capsys):
    assert list(Steps(1).track(range(1000))) == list(range(1000))
    assert len(capsys.readouterr().err.splitlines()) == 20
    assert list(Steps(1, quiet=True).track(range(5))) == list(range(5))
    assert list(Steps(1).track([])) == []
    assert capsys.readouterr().err == ""


def test_terminal_gets_a_progress_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    steps = Steps(1)
    steps.step("Do [it]")
    for _ in steps.track(["b.png", "[a].png"]):
        steps.note("[noted]")
    shown = terminal.getvalue()
    assert "[1/1] Do [it]" in shown
    assert "[noted]" in shown
    assert "[a].png" in shown
    assert "2/2" in shown
