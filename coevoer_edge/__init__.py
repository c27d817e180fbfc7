"""CoEvoer Edge: estimate a person's upper body, hands and face as SMPL-X parameters on phones, in browsers, in Python.

Quick start:

    import coevoer_edge

    (bundle,) = coevoer_edge.export("onnx")  # needs the extra [export]; minutes, once
    with coevoer_edge.Estimator.open(bundle.path) as estimator:
        person = estimator("photo.jpg")
    person  # in a notebook, shows the photograph with the body overlaid
    person.parameters.left_hand_pose  # (15, 3, 3) rotation matrices; names are SMPL-X's
    person.mesh().vertices  # (V, 3) in metres, camera frame: x right, y down, z into the scene
    person.save("out")  # out/photo.json, .npz, .glb and .overlay.png

Public names:

    Estimator        an opened bundle; takes an image or a stream of frames and returns a person
    Person           SMPL-X parameters, joints and mesh of one person; to_dict(), save(), overlay()
    StreamRecording  a stream that is tracked and saved in the files that `run` writes; Estimator.record() returns it
    TrackedFrame     the result for one frame of a stream: a state, a crop and possibly a person
    Mesh             vertices in metres, and the triangles that connect them
    Bundle           the folder that an export writes and an app embeds, opened and verified
    BodyModel        the body that parameters pose: the open body, or your own SMPL-X file
    SmplxParameters  pose, shape and expression of one body
    PinholeCamera    a camera that projects points to pixels; `convert_translation` moves a translation to another one
    CoEvoerError     base class of the errors that a request can cause: InputError, CheckpointError, BundleError,
                     PlatformError and CheckFailed

Each command of `coevoer-edge` is also a function: `export`, `run`, `parity`, `bench`, `train`, `distill`, `evaluate`
and `conformance` take paths and strings and return what the command prints or writes.
For example, `help(coevoer_edge.export.export)` describes `export`.

Guides: start with README.md. docs/outputs.md describes the files that are written, and docs/pipeline.md the steps from
a frame to a person, which all platforms share. They are in the repository and on its documentation site.

`import coevoer_edge` is fast: each name is loaded when it is first used, and loading any of the names above does not
import torch.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for type checkers and editors; at run time, __getattr__ provides the same names
    from coevoer_edge.bench import bench
    from coevoer_edge.body.model import BodyModel
    from coevoer_edge.body.parameters import SmplxParameters
    from coevoer_edge.bundle import Bundle
    from coevoer_edge.conformance import conformance
    from coevoer_edge.distill import distill
    from coevoer_edge.errors import (
        BundleError,
        CheckFailed,
        CheckpointError,
        CoEvoerError,
        InputError,
        PlatformError,
    )
    from coevoer_edge.estimator import Estimator
    from coevoer_edge.evaluate import evaluate
    from coevoer_edge.export import export
    from coevoer_edge.output.stream_recording import StreamRecording
    from coevoer_edge.parity import parity
    from coevoer_edge.pipeline.camera import (
        PinholeCamera,
        convert_translation,
    )
    from coevoer_edge.pipeline.person import Mesh, Person
    from coevoer_edge.pipeline.tracking import TrackedFrame
    from coevoer_edge.run import run
    from coevoer_edge.train import train

__version__ = "0.2.0"

__all__ = [
    "BodyModel",
    "Bundle",
    "BundleError",
    "CheckFailed",
    "CheckpointError",
    "CoEvoerError",
    "Estimator",
    "InputError",
    "Mesh",
    "Person",
    "PinholeCamera",
    "PlatformError",
    "SmplxParameters",
    "StreamRecording",
    "TrackedFrame",
    "bench",
    "conformance",
    "convert_translation",
    "distill",
    "evaluate",
    "export",
    "parity",
    "run",
    "train",
]

_MODULES = {
    "coevoer_edge.body.model": ("BodyModel",),
    "coevoer_edge.body.parameters": ("SmplxParameters",),
    "coevoer_edge.bundle": ("Bundle",),
    "coevoer_edge.errors": (
        *("BundleError", "CheckFailed", "CheckpointError", "CoEvoerError", "InputError", "PlatformError"),
    ),
    "coevoer_edge.estimator": ("Estimator",),
    "coevoer_edge.output.stream_recording": ("StreamRecording",),
    "coevoer_edge.pipeline.camera": ("PinholeCamera", "convert_translation"),
    "coevoer_edge.pipeline.person": ("Mesh", "Person"),
    "coevoer_edge.pipeline.tracking": ("TrackedFrame",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}
_COMMANDS = (
    "bench",
    "conformance",
    "distill",
    "evaluate",
    "export",
    "parity",
    "run",
    "train",
)
"""Packages that are callable."""

if not TYPE_CHECKING:  # otherwise type checkers would accept any name

    def __getattr__(name: str) -> object:
        """Load a public name when it is first used (PEP 562)."""
        from importlib import import_module

        if name in _COMMANDS:
            return import_module(f"{__name__}.{name}")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
