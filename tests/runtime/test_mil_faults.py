"""Whose fault it is: a malformed program is a BundleError, an unknown one a PlatformError, a wrong call an InputError.

Each case edits the protobuf of one sound package, or calls it wrongly.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813 (coremltools' own name for it)
from coremltools.converters.mil.mil import types
from coremltools.proto import Model_pb2

from coevoer_edge.errors import BundleError, CoEvoerError, InputError, PlatformError
from coevoer_edge.runtime.mil import MilProgram

X = {"x": np.ones((1, 4), np.float32)}


def network(x: Any) -> Any:
    x = mb.gelu(x=x, mode="EXACT", name="active")
    first, _ = mb.split(x=x, num_splits=2, axis=1, name="half")
    return mb.relu(x=first, name="positive")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "small.mlpackage"
    model = ct.convert(
        mb.program(input_specs=[mb.TensorSpec((1, 4), types.fp32)], opset_version=ct.target.iOS18)(network),
        convert_to="mlprogram",
        minimum_deployment_target=ct.target.iOS18,
        compute_precision=ct.precision.FLOAT32,
        pass_pipeline=ct.PassPipeline.EMPTY,
        skip_model_load=True,
    )
    model.save(str(path))
    return path


def block(spec: Any) -> Any:
    function = spec.mlProgram.functions["main"]
    return function.block_specializations[function.opset]


def operation(spec: Any, kind: str) -> Any:
    return next(op for op in block(spec).operations if op.type == kind)


def constant(spec: Any, name: str) -> Any:
    """The tensor of a `const` that coremltools named after its reader."""
    const = next(op for op in block(spec).operations if op.type == "const" and op.outputs[0].name == name)
    return const.attributes["val"].immediateValue.tensor


def no_default_function(spec: Any) -> None:
    spec.mlProgram.functions["other"].CopyFrom(spec.mlProgram.functions["main"])
    del spec.mlProgram.functions["main"]


def no_block(spec: Any) -> None:
    spec.mlProgram.functions["main"].opset = "CoreML0"


def nothing_makes_it(spec: Any) -> None:
    operation(spec, "relu").inputs["x"].arguments[0].name = "absent"


def no_input(spec: Any) -> None:
    del operation(spec, "gelu").inputs["x"]


def another_shape(spec: Any) -> None:
    operation(spec, "relu").outputs[0].type.tensorType.dimensions[1].constant.size = 3


def uneven_split(spec: Any) -> None:
    constant(spec, "half_num_splits_0").ints.values[0] = 3


def wrong_axis(spec: Any) -> None:
    constant(spec, "half_axis_0").ints.values[0] = 7


def short_constant(spec: Any) -> None:
    del constant(spec, "half_axis_0").ints.values[:]


def another_model(spec: Any) -> None:
    spec.identity.SetInParent()


def unknown_operation(spec: Any) -> None:
    operation(spec, "relu").type = "resonate"


def unknown_parameter(spec: Any) -> None:
    relu = operation(spec, "relu")
    relu.inputs["strength"].CopyFrom(relu.inputs["x"])


def unknown_mode(spec: Any) -> None:
    constant(spec, "active_mode_0").strings.values[0] = "LOUD"


def control_flow(spec: Any) -> None:
    operation(spec, "relu").blocks.add()


def image_output(spec: Any) -> None:
    spec.description.output[0].type.imageType.width = 8


MALFORMED = [
    (no_default_function, r"small\.mlpackage has no function 'main', only other\.$"),
    (no_block, r"small\.mlpackage: function 'main' has no block for its opset CoreML0\.$"),
    (nothing_makes_it, r"small\.mlpackage: operation 'positive' takes 'absent', which nothing before it makes\.$"),
    (no_input, r"^Operation gelu 'active' lacks x\.$"),
    (another_shape, r"^Operation relu 'positive' declares shape \(1, 3\), but makes \(1, 2\)\.$"),
    (uneven_split, r"^Operation split '\w+': `split` cannot cut 4 into 3 equal parts\.$"),
    (wrong_axis, r"^Operation split '\w+' cannot be computed: .+\.$"),
    (short_constant, r"small\.mlpackage: constant 'half_axis_0' has 0 elements, not those of shape \(\)\.$"),
]
UNKNOWN = [
    (another_model, r"small\.mlpackage holds a identity, not an ML program; convert it with convert_to='mlprogram'\.$"),
    (unknown_operation, r"does not know: resonate \('positive', operation \d+\)\. It knows \d+; add the missing ones"),
    (unknown_parameter, r"^Operation relu 'positive' takes strength, which the reference interpreter does not know\.$"),
    (unknown_mode, r"^Operation gelu 'active': `gelu` has no mode 'LOUD'\.$"),
    (control_flow, r"operation relu 'positive' holds blocks; the reference interpreter reads no control flow\.$"),
    (image_output, r"small\.mlpackage: output '\w+' is an image; only tensor outputs are read\.$"),
]


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [(edit, BundleError, message) for edit, message in MALFORMED]
    + [(edit, PlatformError, message) for edit, message in UNKNOWN],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_files_fault_and_ours(
    sound: Path, tmp_path: Path, edit: Callable[[Any], None], error: type[CoEvoerError], message: str
) -> None:
    package = tmp_path / sound.name
    shutil.copytree(sound, package)
    file = package / "Data/com.apple.CoreML/model.mlmodel"
    spec = Model_pb2.Model()
    spec.ParseFromString(file.read_bytes())
    edit(spec)
    file.write_bytes(spec.SerializeToString())
    with pytest.raises(error, match=message):
        MilProgram.open(package)(X)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "^The program takes x; got nothing.$"),
        ({"y": X["x"]}, "^The program takes x; got y.$"),
        ({"x": np.ones((2, 4), np.float32)}, r"^Input 'x' has shape \(1, 4\); got \(2, 4\).$"),
        ({"x": np.array([["a"] * 4])}, "^Input 'x' is float32; an array of <U1 does not fit it.$"),
    ],
)
def test_the_callers_fault(sound: Path, inputs: dict[str, Any], message: str) -> None:
    program = MilProgram.open(sound)
    with pytest.raises(InputError, match=message):
        program(inputs)


def test_the_sound_package_runs(sound: Path) -> None:
    (result,) = MilProgram.open(sound)(X).values()
    np.testing.assert_allclose(result, np.full((1, 2), 0.8413447), rtol=1e-6)
