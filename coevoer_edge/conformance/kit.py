"""Read and write the kit's file.

In: a safetensors file. Out: `Kit`, whose cases contain given and expected tensors. A tensor's name is
`{kind}.{number}.{name}`; the metadata contains tolerances, constants and a description of each case, as JSON.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coevoer_edge.body.arrays import AnyArray
from coevoer_edge.bundle.tensor_file import write_tensors
from coevoer_edge.bundle.typed_table import typed_value
from coevoer_edge.errors import InputError

KIT_PATH = Path(__file__).with_name("kit.safetensors")
FORMAT = "coevoer-edge conformance kit 1"

Tensors = dict[str, AnyArray]

EXPECTED: Mapping[str, tuple[str, ...]] = {
    "crop": ("tensor",),
    "decode": (
        *("decoded_global_orient", "decoded_body_pose", "decoded_left_hand_pose", "decoded_right_hand_pose"),
        *("decoded_jaw_pose", "decoded_betas", "decoded_expression", "translation_crop", "translation_frame"),
        *("boxes_px", "joints_cam", "joints_px"),
    ),
    "pose": ("joints", "vertices"),
    "search": ("crops",),
    "track": ("crops", "states", "accepted", "person_global_orient", "person_translation", "person_joints_px"),
    "smooth": (
        *("smoothed_global_orient", "smoothed_body_pose", "smoothed_left_hand_pose", "smoothed_right_hand_pose"),
        *("smoothed_jaw_pose", "smoothed_betas", "smoothed_expression", "smoothed_translation"),
    ),
    "detect": ("looks", "last_crop", "translation_crop", "joints_px"),
    "refuse": (),
}
"""For each kind of case, the tensors that an implementation must compute; all others are given."""

_ROTATION, _COEFFICIENT = (1e-4, 0.0), (1e-5, 1e-5)
_PIXELS, _METRES = (0.02, 1e-5), (1e-4, 1e-5)
TOLERANCES: Mapping[str, tuple[float, float]] = {
    "tensor": (1.0, 0.0),
    **dict.fromkeys((*EXPECTED["decode"][:5], *EXPECTED["smooth"][:5], "person_global_orient"), _ROTATION),
    **dict.fromkeys((*EXPECTED["decode"][5:7], *EXPECTED["smooth"][5:7]), _COEFFICIENT),
    **dict.fromkeys(("boxes_px", "joints_px", "crops", "last_crop", "person_joints_px"), _PIXELS),
    **dict.fromkeys(("translation_crop", "translation_frame", "joints_cam"), _METRES),
    **dict.fromkeys(("smoothed_translation", "person_translation"), _METRES),
    "joints": (1e-5, 0.0),
    "vertices": (1e-5, 0.0),
    "states": (0.0, 0.0),
    "accepted": (0.0, 0.0),
    "looks": (0.0, 0.0),
}
"""Absolute and relative: |computed - expected| <= absolute + relative |expected|. They leave room for float32."""


@dataclass(frozen=True, eq=False)
class Case:
    """One case."""

    kind: str
    number: int
    about: str
    tensors: Tensors

    @property
    def prefix(self) -> str:
        """The prefix of its tensors' names in the file, without the final dot."""
        return f"{self.kind}.{self.number}"

    @property
    def expected(self) -> Tensors:
        """The tensors that an implementation must compute."""
        return {name: self.tensors[name] for name in EXPECTED[self.kind]}


@dataclass(frozen=True, eq=False)
class Kit:
    """All cases, and the constants that they were computed with (the manifest's `pipeline` table)."""

    pipeline: Mapping[str, Any]
    tolerances: Mapping[str, tuple[float, float]]
    cases: Sequence[Case]

    @classmethod
    def open(cls, path: Path = KIT_PATH) -> "Kit":
        """Read a kit. Raises `InputError` if the file is not a conformance kit."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            if metadata.get("format") != FORMAT:
                raise InputError(f"{path} has format {metadata.get('format')!r}, not {FORMAT!r}; give a bundle's kit.")
            about = typed_value(dict[str, str], json.loads(metadata["cases"]), "cases")
            pairs = typed_value(dict[str, tuple[float, ...]], json.loads(metadata["tolerances"]), "tolerances")
            tolerances = {name: (absolute, relative) for name, (absolute, relative) in pairs.items()}
            pipeline = typed_value(dict[str, Any], json.loads(metadata["pipeline"]), "pipeline")
            cases = [_case(prefix, words, tensors) for prefix, words in about.items()]
        except InputError:
            raise
        except (OSError, SafetensorError, KeyError, ValueError, RecursionError) as error:
            raise InputError(f"{path} is not a conformance kit ({error}); export the bundle again.") from error
        return cls(pipeline, tolerances, cases)

    def of(self, kind: str) -> list[Case]:
        """The cases of one kind."""
        return [case for case in self.cases if case.kind == kind]

    def write(self, path: Path) -> None:
        """Write the kit; the same cases give the same bytes."""
        tensors = {f"{case.prefix}.{name}": value for case in self.cases for name, value in case.tensors.items()}
        metadata = {
            "format": FORMAT,
            "tolerances": json.dumps(self.tolerances),
            "pipeline": json.dumps(self.pipeline),
            "cases": json.dumps({case.prefix: case.about for case in self.cases}),
        }
        write_tensors(path, tensors, metadata)


def _case(prefix: str, about: str, tensors: Tensors) -> Case:
    """The case of a prefix such as `crop.3`. Raises `ValueError` for an unknown kind or missing tensors."""
    kind, _, number = prefix.partition(".")
    own = {name.removeprefix(f"{prefix}."): value for name, value in tensors.items() if name.startswith(f"{prefix}.")}
    if kind not in EXPECTED or not number.isdecimal():
        raise ValueError(f"{prefix!r} is no case of a known kind")
    if missing := sorted(set(EXPECTED[kind]) - own.keys()):
        raise ValueError(f"{prefix} has no {', '.join(missing)}")
    return Case(kind, int(number), about, own)
