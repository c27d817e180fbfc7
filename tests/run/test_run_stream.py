"""The run command on videos: files, counts, exit codes, and that what was done is kept whatever happens."""

import errno
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace

import av
import numpy as np
import pytest
from click.testing import CliRunner, Result
from fakes import FACING, FakeRuntime, fake_bundle, outputs_of
from photo import ASTRONAUT

import coevoer_edge
from coevoer_edge.body.model import BodyModel
from coevoer_edge.body.parameters import SmplxParameters
from coevoer_edge.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from coevoer_edge.errors import BundleError
from coevoer_edge.estimator import Estimator, TrackedFrame
from coevoer_edge.files.whole import cannot_write
from coevoer_edge.media.frames import VideoFile
from coevoer_edge.media.writer import VideoWriter
from coevoer_edge.output import stream_files
from coevoer_edge.output.stream_files import STREAM_SUFFIXES
from coevoer_edge.pipeline.camera import Crop
from coevoer_edge.pipeline.constants import PIPELINE
from coevoer_edge.pipeline.person import Decoded, embody, frame_camera
from coevoer_edge.run import stream as run_stream
from coevoer_edge.run.__main__ import UNTRAINED, command

SIZE_PX = (64, 48)
FRAMES = 12


@dataclass
class Truth:
    """An estimator that knows the answer: a person who raises the left arm; nobody in `empty`. Calls `at` on frames."""

    trained: bool = True
    empty: tuple[int, ...] = ()
    at: dict[int, object] = field(default_factory=dict)
    body: BodyModel = field(default_factory=BodyModel.open)
    smooth: bool | None = None
    seen: list[float] = field(default_factory=list)

    def from_bundle(self, bundle, body=None, *, smooth=True):
        self.smooth = smooth
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def parameters(self, index: int) -> SmplxParameters:
        pose = np.broadcast_to(np.eye(3), (21, 3, 3)).copy()
        pose[15] = axis_angle_to_matrix((0, 0, 0.1 * index))
        rest = vars(SmplxParameters.rest())
        return SmplxParameters(**(rest | {"global_orient": FACING[None], "body_pose": pose}))

    def detect_for_video(self, frame, timestamp_ms):
        index = len(self.seen)
        self.seen.append(timestamp_ms)
        if index in self.at:
            self.at[index]()
        W, H = SIZE_PX
        crop = Crop.whole_frame(W, H)
        if index in self.empty:
            return TrackedFrame(index, timestamp_ms, "searching", crop, None)
        place = np.array((0.01 * index, 0.0, 80.0))
        decoded = Decoded(self.parameters(index), place, crop, np.zeros((3, 4)), np.full(4, 0.9))
        person = embody(
            decoded,
            self.body,
            trained=self.trained,
            parameters=decoded.parameters,
            translation_m=place,
            camera=frame_camera(W, H),
        )
        return TrackedFrame(index, timestamp_ms, "tracking", crop, person)


@pytest.fixture
def truth(monkeypatch) -> Truth:
    known = Truth()
    bundle = ModuleType("coevoer_edge.bundle")
    bundle.Bundle = SimpleNamespace(open=lambda path: fake_bundle(path, known.trained))
    monkeypatch.setitem(sys.modules, "coevoer_edge.bundle", bundle)
    monkeypatch.setattr(run_stream, "Estimator", known)
    return known


@pytest.fixture
def clip(tmp_path) -> Path:
    path = tmp_path / "walk.mp4"
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE_PX, "yuv420p"
        for _ in range(FRAMES):
            picture = rng.integers(60, 200, (48, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def cli(*arguments) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def frames_of(path: Path) -> list:
    with VideoFile(path) as video:
        return list(video)


def test_a_video_gives_six_files_that_hold_the_truth(truth, clip, tmp_path):
    truth.empty = (4, 5)
    out = tmp_path / "out"
    result = cli("bundle-x", clip, "-o", out)
    assert result.exit_code == 0, result.output
    assert files_in(out) == {"walk" + suffix for suffix in STREAM_SUFFIXES}
    assert result.stdout.splitlines()[0].startswith(f"{FRAMES} frames, a person in {FRAMES - 2}, 0 skipped, ")
    assert result.stdout.splitlines()[1:] == [f"Wrote {out / 'walk'}{suffix}" for suffix in STREAM_SUFFIXES]
    assert f"      {FRAMES}/{FRAMES} frames, " in result.stderr

    saved = dict(np.load(out / "walk.npz"))
    assert np.flatnonzero(~saved["found"]).tolist() == [4, 5]
    assert np.isnan(saved["body_pose"][4:6]).all()
    np.testing.assert_allclose(saved["timestamps_ms"], np.arange(FRAMES) * 40, atol=0.1)
    np.testing.assert_allclose(saved["body_pose"][7].reshape(21, 3)[15], (0, 0, 0.7), atol=1e-6)
    np.testing.assert_allclose(saved["transl"][3], (0.03, 0, 80), atol=1e-6)
    camera = frame_camera(*SIZE_PX)
    assert saved["focal_px"] == camera.focal_px
    assert tuple(saved["principal_point_px"]) == camera.principal_point_px

    lines = lines_of(out / "walk.jsonl")
    assert [line["index"] for line in lines] == list(range(FRAMES))
    assert [line["person"] is None for line in lines] == [i in (4, 5) for i in range(FRAMES)]
    person = lines[7]["person"]
    expected = matrix_to_axis_angle(FACING)
    np.testing.assert_allclose(np.abs(person["smplx"]["global_orient"]), np.abs(expected), atol=1e-5)
    assert len(person["arkit"]) == 52
    assert len(person["vrm"]["rotations"]) == 55
    assert len(person["vrm"]["hips_m"]) == 3
    arm = 2 * np.arccos(person["vrm"]["rotations"]["leftUpperArm"][3])
    assert arm == pytest.approx(0.7, abs=0.01)

    motion = (out / "walk.bvh").read_text().partition("Frame Time")[2].splitlines()[1:]
    root_cm = np.array(motion[7].split()[:3], float)
    np.testing.assert_allclose(np.array(person["vrm"]["hips_m"]) * 100, root_cm, atol=0.01)

    overlay = frames_of(out / "walk.overlay.mp4")
    assert len(overlay) == FRAMES
    np.testing.assert_allclose([f.timestamp_ms for f in overlay], saved["timestamps_ms"], atol=0.1)
    assert overlay[0].pixels.shape == (48, 64, 3)
    source = frames_of(clip)
    unlike = [np.abs(a.pixels.astype(int) - b.pixels).mean() for a, b in zip(overlay, source, strict=True)]
    assert min(unlike[:4]) > 1.5 * max(unlike[4:6])  # drawn on, but where nobody is

    record = json.loads((out / "walk.json").read_text())
    assert (record["frames"], record["found"], record["skipped"]) == (FRAMES, FRAMES - 2, 0)
    assert record["provenance"]["model"] == "coevoer-t"
    assert record["smoothed"] is truth.smooth is True
    assert (out / "walk.glb").read_bytes()[:4] == b"glTF"
    assert (out / "walk.bvh").read_text().startswith("HIERARCHY\nROOT pelvis")


def test_another_bodys_face_gives_no_arkit_weights(truth, clip, tmp_path):
    truth.body.name = "SMPL-X"
    cli("bundle-x", clip, "-o", tmp_path / "o", "--max-frames", 1)
    assert lines_of(tmp_path / "o" / "walk.jsonl")[0]["person"]["arkit"] is None


def test_json_summary(truth, clip, tmp_path):
    result = cli("bundle-x", clip, "-o", tmp_path / "out", "--json", "--quiet")
    summary = json.loads(result.stdout)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert summary["fps"] > 0
    assert {k: summary[k] for k in ("frames", "found", "skipped", "interrupted", "problem")} == {
        "frames": FRAMES,
        "found": FRAMES,
        "skipped": 0,
        "interrupted": False,
        "problem": None,
    }
    assert {Path(file).name for file in summary["files"]} == {"walk" + suffix for suffix in STREAM_SUFFIXES}


def test_options_reach_the_stream(truth, clip, tmp_path):
    result = cli(
        "bundle-x", clip, "-o", tmp_path / "o", "--every", 3, "--max-frames", 2, "--no-smoothing", "--focal-px", 70
    )
    assert result.exit_code == 0, result.output
    np.testing.assert_allclose(truth.seen, (0, 120), atol=0.1)
    assert truth.smooth is False
    record = json.loads((tmp_path / "o" / "walk.json").read_text())
    assert (record["frames"], record["every"], record["smoothed"]) == (2, 3, False)
    assert record["real_lens"]["focal_px"] == 70
    assert record["real_lens"]["known"] is True
    assert len(frames_of(tmp_path / "o" / "walk.overlay.mp4")) == 2


def test_without_overlay_no_video_is_encoded(truth, clip, tmp_path, monkeypatch):
    monkeypatch.setattr("coevoer_edge.media.writer.VideoWriter", None)
    options = run_stream.StreamOptions(overlay=False)
    _, outcome = run_stream.run_stream("bundle-x", clip, tmp_path / "o", options=options)
    assert files_in(tmp_path / "o") == {"walk" + suffix for suffix in STREAM_SUFFIXES if suffix != ".overlay.mp4"}
    assert {path.name for path in outcome.files} == files_in(tmp_path / "o")
    assert len(lines_of(tmp_path / "o" / "walk.jsonl")) == FRAMES


def test_untrained_weights_are_named_everywhere(truth, clip, tmp_path):
    truth.trained = False
    result = cli("bundle-x", clip, "-o", tmp_path / "o")
    assert UNTRAINED in result.stdout.splitlines()
    assert UNTRAINED in result.stderr
    assert json.loads((tmp_path / "o" / "walk.json").read_text())["warning"] == UNTRAINED
    assert not any(line["trained"] for line in lines_of(tmp_path / "o" / "walk.jsonl"))
    assert not np.load(tmp_path / "o" / "walk.npz")["trained"]
    assert UNTRAINED.encode() in (tmp_path / "o" / "walk.glb").read_bytes()
    banner = frames_of(tmp_path / "o" / "walk.overlay.mp4")[0].pixels[-13:].mean((0, 1))
    assert banner[0] > max(banner[1], banner[2]) + 40


def test_nobody_in_the_video(truth, clip, tmp_path):
    truth.empty = tuple(range(2 * FRAMES))
    result = cli("bundle-x", clip, "-o", tmp_path / "o")
    assert result.exit_code == 0
    assert "No person was found, so there is no .bvh and no .glb." in result.stdout
    assert files_in(tmp_path / "o") == {"walk.overlay.mp4", "walk.jsonl", "walk.npz", "walk.json"}


def test_a_cut_off_video_is_run_as_far_as_it_goes_and_fails(truth, clip, tmp_path):
    clip.write_bytes(clip.read_bytes()[: int(clip.stat().st_size * 0.6)])
    result = cli("bundle-x", clip, "-o", tmp_path / "o", "--json")
    assert result.exit_code == 1
    frames = len(lines_of(tmp_path / "o" / "walk.jsonl"))
    assert 1 < frames < FRAMES
    assert (
        f"truncated or damaged. What could be decoded was run; the {frames} frames before are kept.\n" in result.stderr
    )
    assert files_in(tmp_path / "o") == {"walk" + suffix for suffix in STREAM_SUFFIXES}
    assert "truncated" in json.loads(result.stdout)["problem"]
    assert len(frames_of(tmp_path / "o" / "walk.overlay.mp4")) == frames


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.mp4", b"", "is empty (0 bytes); copy it again."),
        ("broken.mov", b"\0" * 900, "cannot be opened as a video"),
        ("song.mp3", b"\0" * 900, "cannot be opened as a video"),
    ],
)
def test_no_video_is_exit_code_2_and_writes_nothing(truth, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    result = cli("bundle-x", tmp_path / name, "-o", tmp_path / "o")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "o").exists()


def test_ctrl_c_ends_with_all_files_complete(truth, clip, tmp_path):
    truth.at = {6: lambda: os.kill(os.getpid(), signal.SIGINT)}
    before = signal.getsignal(signal.SIGINT)
    result = cli("bundle-x", clip, "-o", tmp_path / "o", "--json")
    assert result.exit_code == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert json.loads(result.stdout)["interrupted"] is True
    assert files_in(tmp_path / "o") == {"walk" + suffix for suffix in STREAM_SUFFIXES}
    assert len(lines_of(tmp_path / "o" / "walk.jsonl")) == 7
    assert len(frames_of(tmp_path / "o" / "walk.overlay.mp4")) == 7
    assert len(np.load(tmp_path / "o" / "walk.npz")["found"]) == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_finishes_the_files_as_ctrl_c_does(truth, clip, tmp_path, number):
    truth.at = {6: lambda: os.kill(os.getpid(), number)}
    before = signal.getsignal(number)
    result = cli("bundle-x", clip, "-o", tmp_path / "o", "--json")
    assert signal.getsignal(number) is before
    assert result.exit_code == 128 + number
    assert json.loads(result.stdout)["interrupted"] is True
    assert files_in(tmp_path / "o") == {"walk" + suffix for suffix in STREAM_SUFFIXES}
    assert len(frames_of(tmp_path / "o" / "walk.overlay.mp4")) == 7


def test_a_new_run_without_a_person_removes_the_former_animations(truth, clip, tmp_path):
    assert cli("bundle-x", clip, "-o", tmp_path / "o").exit_code == 0
    truth.empty = tuple(range(2 * FRAMES))
    assert cli("bundle-x", clip, "-o", tmp_path / "o", "--overwrite").exit_code == 0
    assert files_in(tmp_path / "o") == {"walk" + suffix for suffix in STREAM_SUFFIXES} - {"walk.bvh", "walk.glb"}


def test_a_video_that_cannot_be_written_leaves_the_other_files(truth, clip, tmp_path, monkeypatch):
    """As on a full disk: exit code 2, and what fits is kept."""
    write = VideoWriter.write

    def fail(self, pixels, timestamp_ms):
        if timestamp_ms > 100:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self, pixels, timestamp_ms)

    monkeypatch.setattr(VideoWriter, "write", fail)
    result = cli("bundle-x", clip, "-o", tmp_path / "o")
    assert result.exit_code == 2
    assert "walk.overlay.mp4 cannot be written (No space left on device). Free space on the disk" in result.stderr
    assert files_in(tmp_path / "o") == {"walk" + suffix for suffix in STREAM_SUFFIXES} - {"walk.overlay.mp4"}
    assert len(np.load(tmp_path / "o" / "walk.npz")["found"]) == 3


def test_an_animation_that_cannot_be_written_leaves_the_other_files(truth, clip, tmp_path, monkeypatch):
    def fail(path, *_, **__):
        raise cannot_write(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    monkeypatch.setattr(stream_files, "write_bvh", fail)
    result = cli("bundle-x", clip, "-o", tmp_path / "o")
    assert result.exit_code == 2
    assert f"Error: {tmp_path / 'o' / 'walk.bvh'} cannot be written (No space left on device)." in result.stderr
    assert files_in(tmp_path / "o") == {"walk" + suffix for suffix in STREAM_SUFFIXES} - {"walk.bvh"}


def test_a_folder_in_the_way_of_a_file_is_refused_before_any_work(truth, clip, tmp_path):
    (tmp_path / "walk.glb").mkdir()
    result = cli("bundle-x", clip, "-o", tmp_path, "--overwrite")
    assert result.exit_code == 2
    assert f"Error: {tmp_path / 'walk.glb'} is a folder, where a file is to be written;" in result.stderr


def test_a_folder_that_may_not_be_written_is_one_clear_error(truth, clip, tmp_path):
    (tmp_path / "o").mkdir(mode=0o500)
    if os.access(tmp_path / "o", os.W_OK):
        pytest.skip("this user may write everywhere")
    result = cli("bundle-x", clip, "-o", tmp_path / "o")
    assert result.exit_code == 2
    assert f"{tmp_path / 'o'} cannot be written (Permission denied)" in result.stderr


def test_a_second_ctrl_c_breaks_off(truth, clip, tmp_path):
    def press_twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    truth.at = {3: press_twice}
    result = cli("bundle-x", clip, "-o", tmp_path / "o")
    assert result.exit_code == 130
    assert result.stderr.endswith("Interrupted.\n")


def test_what_was_done_before_an_error_is_kept(truth, clip, tmp_path):
    def break_contract() -> None:
        raise BundleError("broken")

    truth.at = {3: break_contract}
    result = cli("bundle-x", clip, "-o", tmp_path / "o")
    assert result.exit_code == 2
    assert result.stderr.endswith("Error: broken\n")
    assert len(lines_of(tmp_path / "o" / "walk.jsonl")) == 3
    assert len(frames_of(tmp_path / "o" / "walk.overlay.mp4")) == 3


def test_existing_results_are_refused_without_overwrite(truth, clip, tmp_path):
    assert cli("bundle-x", clip, "-o", tmp_path).exit_code == 0
    result = cli("bundle-x", clip, "-o", tmp_path)
    assert result.exit_code == 2
    assert "walk.overlay.mp4 (and 5 more) exists; replace it with --overwrite" in result.stderr
    assert cli("bundle-x", clip, "-o", tmp_path, "--overwrite").exit_code == 0


def test_options_without_meaning_are_refused(truth, clip, tmp_path):
    photo = ASTRONAUT
    result = cli("bundle-x", clip, "--passes", 2)
    assert result.exit_code == 2
    assert "Error: --passes has no meaning for a video or camera; it is for images. Leave it out.\n" in result.stderr
    for option in (["--every", 2], ["--max-frames", 2], ["--no-smoothing"], ["--focal-px", 900], ["--view"]):
        result = cli("bundle-x", photo, *option)
        assert result.exit_code == 2
        assert f"Error: {option[0]} has no meaning for images; it is for videos and cameras." in result.stderr


def test_a_camera_runs_until_it_is_stopped(truth, tmp_path, monkeypatch):
    from coevoer_edge.media import camera_device

    address = "testsrc=size=64x48:rate=30,realtime"
    monkeypatch.setattr(camera_device, "camera_address", lambda number: (address, "lavfi", {}))
    truth.at = {4: lambda: os.kill(os.getpid(), signal.SIGINT)}
    result = cli("bundle-x", "camera:1", "-o", tmp_path / "o")
    assert result.exit_code == 0, result.output
    assert "Run camera:1; Ctrl-C ends it" in result.stderr
    assert len(lines_of(tmp_path / "o" / "camera1.jsonl")) == 5


def test_the_real_estimator_follows_a_stream(clip, tmp_path, monkeypatch):
    runtime = FakeRuntime([outputs_of((0, 0, 60.0))])

    def open_bundle(path):
        opened = fake_bundle(path, True)
        opened.manifest.pipeline = PIPELINE
        return opened

    bundle, runtimes = ModuleType("coevoer_edge.bundle"), ModuleType("coevoer_edge.runtime")
    bundle.Bundle = SimpleNamespace(open=open_bundle)
    runtimes.open_runtime = lambda _: runtime
    monkeypatch.setitem(sys.modules, "coevoer_edge.bundle", bundle)
    monkeypatch.setitem(sys.modules, "coevoer_edge.runtime", runtimes)
    result = cli("bundle-x", clip, "-o", tmp_path / "o", "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["frames"] == len(runtime.seen) == FRAMES
    assert summary["found"] >= 1
    assert runtime.closed == 1


def test_a_stream_saves_the_same_files_from_python_as_the_command(clip, tmp_path, monkeypatch):
    def open_bundle(path):
        opened = fake_bundle(path, True)
        opened.manifest.pipeline = PIPELINE
        return opened

    bundle, runtimes = ModuleType("coevoer_edge.bundle"), ModuleType("coevoer_edge.runtime")
    bundle.Bundle = SimpleNamespace(open=open_bundle)
    runtimes.open_runtime = lambda _: FakeRuntime([outputs_of((0, 0, 60.0))])
    monkeypatch.setitem(sys.modules, "coevoer_edge.bundle", bundle)
    monkeypatch.setitem(sys.modules, "coevoer_edge.runtime", runtimes)
    result = coevoer_edge.run("bundle-x", clip, tmp_path / "run")
    assert (result.stream.frames, result.images) == (FRAMES, ())
    with VideoFile(clip) as video, Estimator.open("bundle-x") as estimator:
        given = ((frame.pixels, frame.timestamp_ms) for frame in video)
        rate = video.frames_per_second
        files = estimator.save_stream(given, tmp_path / "save", "walk", frames_per_second=rate, source=clip.name)
    assert [file.name for file in files] == [file.name for file in result.files]
    same, other = (VideoFile(folder / "walk.overlay.mp4") for folder in (tmp_path / "run", tmp_path / "save"))
    with same, other:
        for one, two in zip(same, other, strict=True):  # an encoder need not give the same bytes twice
            assert one.timestamp_ms == two.timestamp_ms
            assert np.abs(one.pixels.astype(int) - two.pixels).max() <= 8
    for file in files[1:]:
        assert file.read_bytes() == (tmp_path / "run" / file.name).read_bytes(), file.name
