"""A bundle: the folder that an export writes and an app embeds.

In: a folder. Out: a `Bundle` that is complete and unaltered and follows the contract, or an error that says what is
wrong.

    coevoer-t-onnx-w8a8/
      coevoer-t-onnx-w8a8.onnx   the artifact (.onnx, .pte, or the folder .mlpackage)
      manifest.json              origin, inputs, outputs and measured accuracy
      golden.npz                 inputs with the expected outputs, for a self-check on the device
      body.safetensors           the body that the parameters pose (docs/pipeline.md, section 5)
      conformance.safetensors    test cases that every implementation of the pipeline must pass (section 9)
      MODEL_CARD.md
      SHA256SUMS                 digests of all other files; `sha256sum -c SHA256SUMS` checks them too
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coevoer_edge.errors import BundleError, InputError
from coevoer_edge.files.staging import move_folder, staging
from coevoer_edge.files.whole import write_whole

if TYPE_CHECKING:
    from coevoer_edge.bundle.manifest import Manifest

MANIFEST, GOLDEN, CARD, SUMS = "manifest.json", "golden.npz", "MODEL_CARD.md", "SHA256SUMS"


@dataclass(frozen=True, repr=False)
class Bundle:
    """An opened bundle."""

    path: Path
    manifest: "Manifest"

    def __repr__(self) -> str:
        given = self.manifest
        weights = "trained" if given.trained else "untrained"
        size_mb = given.artifact_bytes / 1e6
        return f"<Bundle {self.path}: {given.model}, {given.target}, {given.precision}, {weights}, {size_mb:.1f} MB>"

    @property
    def artifact(self) -> Path:
        """The file (or .mlpackage folder) that apps embed."""
        return self.path / self.manifest.artifact

    @property
    def golden(self) -> Path:
        """Inputs with the expected outputs; keys `image`, `float_<output>`, `quantized_<output>`."""
        return self.path / GOLDEN

    @property
    def body(self) -> Path:
        """The portable body."""
        return self.path / self.manifest.body_model.file

    @property
    def conformance(self) -> Path:
        """The conformance kit."""
        return self.path / self.manifest.pipeline.conformance

    @classmethod
    def open(cls, path: str | Path) -> "Bundle":
        """Open a bundle folder and check every digest and the contract.

        Raises:
            BundleError: the bundle is missing, incomplete or altered, or follows another contract.
        """
        from coevoer_edge.bundle.manifest import Manifest  # imported late: its many tables take time to define

        path = Path(path)
        refuse_other_files(path)
        if missing := [name for name in (MANIFEST, SUMS) if not (path / name).is_file()]:
            raise BundleError(f"{path} is not a bundle: it has no {' and no '.join(missing)}.")
        _verify(path)
        manifest = Manifest.read(path / MANIFEST)
        opened = cls(path, manifest)
        for file in (opened.artifact, opened.body, opened.conformance):
            if not file.exists():
                raise BundleError(
                    f"{path}: the manifest names {file.name}, which is missing; copy the bundle again, whole."
                )
        return opened


_ARTIFACTS = (".onnx", ".pte", ".mlpackage")
_CHECKPOINTS = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")


def refuse_other_files(path: Path) -> None:
    """Refuse a path that is not a bundle folder, and say what to give instead.

    Raises:
        BundleError: the path is an artifact, a checkpoint or another file, or does not exist.
    """
    if path.suffix in _ARTIFACTS and path.exists():
        raise BundleError(f"{path} is the artifact of a bundle; give the folder that contains it, {path.parent}.")
    if path.suffix in _CHECKPOINTS:
        raise BundleError(
            f"{path} is a checkpoint and not a bundle; export it first, with "
            f"`python -m coevoer_edge.export --target onnx --checkpoint {path}`."
        )
    if path.is_file():
        raise BundleError(
            f"{path} is a file and not a bundle folder. Give the bundle first, then its input: "
            f"`python -m coevoer_edge.run BUNDLE {path}`."
        )
    if not path.is_dir():
        raise BundleError(
            f"There is no bundle folder {str(path)!r}; `python -m coevoer_edge.export --target onnx` writes one."
        )


@contextmanager
def reserving(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """Lock the place of a bundle, and yield an empty folder to write it in; `finish` puts the bundle into its place.

    Raises:
        InputError: the bundle exists already, or another process is writing it.
        CoEvoerError: the folder cannot be written.
    """
    refuse_existing(folder, overwrite=overwrite)
    with staging(folder.parent, folder.name) as place:
        yield place


def finish(place: Path, folder: Path) -> None:
    """Add digests to a bundle written in the folder that `reserving` gave, and move it into its place.

    Raises:
        CoEvoerError: the folder cannot be written.
    """
    sums = "".join(f"{digest}  {name}\n" for name, digest in _digests(place).items())
    write_whole(place / SUMS, sums)
    _open_to_all(place)
    move_folder(place, folder)


def _open_to_all(folder: Path) -> None:
    """Give everything in the folder the mode of the folder itself, which the umask determines: some converters write
    through temporary folders, which only their owner can read."""
    mode = folder.stat().st_mode & 0o777
    for path in folder.rglob("*"):
        path.chmod(mode if path.is_dir() else mode & 0o666)


def refuse_existing(folder: Path, *, overwrite: bool) -> None:
    """Refuse to overwrite a bundle unless `overwrite` is set, and anything else in any case."""
    if folder.exists() and not overwrite:
        raise InputError(f"{folder} exists; add --overwrite, or choose another --output-dir.")
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise InputError(f"{folder} exists and is not a bundle, so it is not overwritten; choose another --output-dir.")
    nearest = next(parent for parent in folder.absolute().parents if parent.exists())
    if not nearest.is_dir():
        raise InputError(f"{nearest} is a file; give a folder with --output-dir.")


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in the folder, by its relative path with forward slashes."""
    import hashlib  # imported late, like shutil: both are slow to load

    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _verify(folder: Path) -> None:
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BundleError(f"{folder / SUMS} is not a list of digests ({error}); export the bundle again.") from error
    stated = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    found = _digests(folder)
    faults = [f"{name} is missing" for name in sorted(stated.keys() - found.keys())]
    faults += [f"{name} is not listed" for name in sorted(found.keys() - stated.keys())]
    faults += [f"{name} was altered" for name in sorted(stated.keys() & found.keys()) if stated[name] != found[name]]
    if faults:
        raise BundleError(
            f"{folder} does not match its {SUMS}: {'; '.join(faults)}. Export it again, or copy all of it."
        )
