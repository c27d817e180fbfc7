"""The contents of a wheel and an sdist, and that each is sufficient: built by hatchling, without a registry."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from coevoer_edge.data.folder import DEFAULT_COUNTS

MAX_WHEEL_BYTES = 40_000_000

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "coevoer_edge"
RECIPES = {p.relative_to(ROOT).as_posix() for kind in ("export", "quantization") for p in (ROOT / kind).rglob("*.toml")}
MACHINE = {path for path in (ROOT, Path(sys.prefix), Path.home()) if len(path.parts) > 1}

pytestmark = pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="not a checkout: nothing to build from")


def build(target: str, source: Path, out: Path) -> Path:
    """Build one distribution with the hatchling of this environment."""
    pytest.importorskip("hatchling", reason="hatchling is not installed; it comes with pip install -e '.[test]'")
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(out)]
    built = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (file,) = out.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return file


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def unpacked_wheel(wheel: Path) -> Path:
    folder = wheel.parent / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def unpacked_sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build("sdist", ROOT, out)) as archive:
        archive.extractall(out, filter="data")
    (folder,) = (path for path in out.iterdir() if path.is_dir())
    return folder


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_wheel_puts_one_name_into_site_packages(unpacked_wheel):
    names = {path.name for path in unpacked_wheel.iterdir() if not path.name.endswith(".dist-info")}
    assert names == {"coevoer_edge"}


def test_the_wheel_carries_the_recipes(unpacked_wheel):
    recipes = {name for name in files_in(unpacked_wheel / "coevoer_edge/_recipes") if name.endswith(".toml")}
    assert recipes == RECIPES
    assert {f"export/{target}.toml" for target in ("coreml", "executorch", "onnx")} <= recipes
    assert {f"quantization/{name}.toml" for name in ("w8a8", "fp16", "fp32")} <= recipes


def test_the_wheel_carries_every_file_of_the_package(unpacked_wheel):
    in_checkout = {name for name in files_in(PACKAGE) if "__pycache__" not in name}
    in_wheel = {name for name in files_in(unpacked_wheel / "coevoer_edge") if not name.startswith("_recipes/")}
    assert in_checkout == in_wheel


def test_the_wheel_carries_body_weights_and_images(unpacked_wheel):
    package = unpacked_wheel / "coevoer_edge"
    assert (package / "body/open_body.npz").is_file()
    assert {path.name for path in package.glob("weights/*.safetensors")} == {
        *("blazepose-trunk.safetensors", "coevoer-t.safetensors"),
        "coevoer-s.golden.safetensors",  # the teacher's outputs, not its weights
    }
    for kind, count in DEFAULT_COUNTS.items():
        assert len(list((package / "data/default_set" / kind).glob("*.jpg"))) == count


def test_the_wheel_is_no_larger_than_its_limit(wheel):
    assert wheel.stat().st_size <= MAX_WHEEL_BYTES


@pytest.mark.parametrize("distribution", ["unpacked_wheel", "unpacked_sdist"])
def test_the_weights_of_the_teacher_do_not_ship(request, distribution):
    folder = request.getfixturevalue(distribution)
    assert [name for name in files_in(folder) if "teacher/" in name or name.endswith("coevoer-s.safetensors")] == []
    assert sum((folder / name).stat().st_size for name in files_in(folder)) < 2 * MAX_WHEEL_BYTES


def test_the_wheel_says_its_licence(unpacked_wheel):
    (info,) = unpacked_wheel.glob("*.dist-info")
    assert {"licenses/LICENSE", "licenses/NOTICE"} <= files_in(info)
    assert "License-Expression: Apache-2.0" in (info / "METADATA").read_text(encoding="utf-8")


def test_the_wheel_has_no_tests_and_no_caches(unpacked_wheel):
    strays = [n for n in files_in(unpacked_wheel) if re.search(r"(^|/)(tests?|__pycache__|artifacts)/|(^|/)test_", n)]
    assert strays == []


@pytest.mark.parametrize("distribution", ["unpacked_wheel", "unpacked_sdist"])
def test_no_path_of_the_building_machine_is_inside(request, distribution):
    folder = request.getfixturevalue(distribution)
    found = [
        f"{name}: {path}"
        for name in sorted(files_in(folder))
        for path in MACHINE
        if f"{path}/".encode() in (folder / name).read_bytes()
    ]
    assert found == []


def test_the_unpacked_wheel_finds_its_recipes(unpacked_wheel, tmp_path):
    code = (
        "import coevoer_edge; from coevoer_edge import recipes; print(coevoer_edge.__file__);"
        "[print(recipes.folder(kind), *recipes.names(kind)) for kind in ('export', 'quantization')];"
        "from coevoer_edge.parity.budget import Budget; assert Budget.open('default').limits"
    )
    environment = os.environ | {"PYTHONPATH": str(unpacked_wheel)}
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    where, *kinds = output.splitlines()
    assert Path(where).is_relative_to(unpacked_wheel)
    for kind, line in zip(("export", "quantization"), kinds, strict=True):
        folder, *names = line.split()
        assert Path(folder) == unpacked_wheel / "coevoer_edge/_recipes" / kind
        assert {f"{kind}/{name}.toml" for name in names} == {r for r in RECIPES if Path(r).parent == Path(kind)}


def test_the_sdist_holds_what_building_and_testing_needs(unpacked_sdist):
    names = files_in(unpacked_sdist)
    assert {"pyproject.toml", "README.md", "CONTRIBUTING.md", "LICENSE", "NOTICE", "tests/data/astronaut.jpg"} <= names
    assert names >= RECIPES
    assert {f"tests/{name}" for name in files_in(ROOT / "tests") if name.endswith(".py")} <= names


def test_the_sdist_builds_the_same_wheel(wheel, unpacked_sdist, tmp_path):
    rebuilt = build("wheel", unpacked_sdist, tmp_path)
    with zipfile.ZipFile(wheel) as ours, zipfile.ZipFile(rebuilt) as theirs:
        assert {(i.filename, i.CRC) for i in ours.infolist()} == {(i.filename, i.CRC) for i in theirs.infolist()}


def test_torch_is_pinned_to_a_minor_version():
    """An open range pulls the newest CUDA build, and PT2E graphs are tied to a minor version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {
        name: [d for d in needed if re.match(r"torch\W", d)]
        for name, needed in project["optional-dependencies"].items()
    }
    assert {name for name, torch in extras.items() if torch} == {"executorch", "train"}
    assert all(re.fullmatch(r"torch==\d+\.\d+\.(\*|\d+)", d) for torch in extras.values() for d in torch)


def test_an_installation_without_extras_brings_no_exporter_and_no_trainer():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.match(r"[\w-]+", d).group() for d in project["dependencies"]}
    assert not names & {"torch", "torchao", "executorch", "coremltools", "onnx", "onnxscript", "lightning-fabric", "av"}
