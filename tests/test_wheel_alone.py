"""The wheel alone, installed by pip into fresh environments and run in empty folders: no checkout, no test packages.

Needs a package registry, about 2.5 GB of disk and some minutes.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from photo import ASTRONAUT

ROOT = Path(__file__).parent.parent
LIGHT_MB = 350
FULL_MB = 1900  # with a torch for CPUs
FRAMES = 6
CLIP = f"""
import sys
import av, numpy as np
from PIL import Image
photo = np.asarray(Image.open(sys.argv[1]).convert("RGB").resize((256, 256)))
with av.open("clip.mp4", "w") as file:
    stream = file.add_stream("mpeg4", rate=25, width=256, height=256)
    for shift in range({FRAMES}):
        file.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(photo, shift, axis=1), format="rgb24")))
    file.mux(stream.encode())
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="not a checkout: nothing to build from"),
]


@dataclass(frozen=True)
class Installation:
    """A virtual environment, and an empty folder to work in."""

    python: Path
    folder: Path

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess:
        """Run `python ARGUMENTS` in the folder, without the paths of the tests' own environment."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))}
        command = [str(self.python), *map(str, arguments)]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def succeed(self, *arguments: str | Path) -> str:
        """Return its standard output; the test fails if the command does."""
        done = self(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def site_packages(self) -> Path:
        return Path(self.succeed("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())

    def size_mb(self) -> float:
        """The size of everything in site-packages, including pip and byte code."""
        files = (path for path in self.site_packages().rglob("*") if path.is_file())
        return sum(path.stat().st_size for path in files) / 1e6


def install(wheel: Path, extras: str, base: Path) -> Installation:
    subprocess.run([sys.executable, "-m", "venv", str(base / "venv")], check=True)
    (base / "work").mkdir()
    bin_ = "Scripts" if os.name == "nt" else "bin"
    installation = Installation(base / "venv" / bin_ / "python", base / "work")
    installation.succeed("-m", "pip", "install", "--quiet", f"{wheel}{extras}")
    return installation


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(out)]
    subprocess.run(command, cwd=ROOT, check=True)
    (file,) = out.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def full(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return install(wheel, "[export,video]", tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def light(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return install(wheel, "", tmp_path_factory.mktemp("light"))


@pytest.fixture(scope="module")
def bundle(full: Installation) -> Path:
    """An export from few calibration images and without the accuracy check, which the export's own tests cover."""
    command = ("-m", "coevoer_edge.export", "--target", "onnx", "--num-calibration-samples", "4", "--skip-parity")
    full.succeed(*command, "--quiet")
    return full.folder / "artifacts" / "coevoer-t-onnx-w8a8"


def test_exports_and_runs_on_a_photo(full, bundle):
    assert (bundle / "manifest.json").is_file()
    full.succeed("-m", "coevoer_edge.run", bundle, ASTRONAUT, "-o", "photo")
    written = {path.name for path in (full.folder / "photo").iterdir()}
    assert {"astronaut.overlay.png", "astronaut.npz", "astronaut.json"} <= written


def test_runs_on_a_video(full, bundle):
    full.succeed("-c", CLIP, ASTRONAUT)
    full.succeed("-m", "coevoer_edge.run", bundle, "clip.mp4", "-o", "video")
    lines = (full.folder / "video" / "clip.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == FRAMES
    assert (full.folder / "video" / "clip.overlay.mp4").stat().st_size > 0


def test_measures_parity(full, bundle):
    done = full("-m", "coevoer_edge.parity", bundle, "--limit", "1", "-o", "parity", "--json", "--quiet")
    assert done.returncode in (0, 1), done.stdout + done.stderr  # 1: over budget, as after four calibration images
    assert json.loads(done.stdout.splitlines()[-1])
    assert list((full.folder / "parity").glob("*.html"))


def test_the_light_installation_is_small_and_has_no_torch(light, record_property):
    size_mb = light.size_mb()
    record_property("light_mb", round(size_mb))
    print(f"light installation: {size_mb:.0f} MB")
    heavy = {"torch", "torchao", "executorch", "coremltools", "onnx", "onnxscript", "av", "matplotlib"}
    assert not heavy & {path.name for path in light.site_packages().iterdir()}
    assert size_mb <= LIGHT_MB


def test_the_light_installation_runs_an_onnx_bundle(light, bundle):
    light.succeed("-m", "coevoer_edge.run", bundle, ASTRONAUT, "-o", "photo")
    assert (light.folder / "photo" / "astronaut.overlay.png").is_file()
    assert (light.folder / "photo" / "astronaut.glb").is_file()


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("coevoer_edge.export", "--target", "onnx"), "export"),
        (("coevoer_edge.train",), "train"),
        (("coevoer_edge.run", "{bundle}", "clip.mp4"), "video"),
    ],
    ids=("export", "train", "video"),
)
def test_the_light_installation_says_what_to_install(light, bundle, arguments, extra):
    (light.folder / "clip.mp4").write_bytes(b"no video")
    done = light("-m", *(argument.format(bundle=bundle) for argument in arguments))
    assert done.returncode == 2
    assert f"pip install 'coevoer-edge[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_size_with_all_exporters(full, record_property):
    size_mb = full.size_mb()
    record_property("full_mb", round(size_mb))
    print(f"with export and video: {size_mb:.0f} MB")
    assert size_mb <= FULL_MB
