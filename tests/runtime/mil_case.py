"""How one MIL operation is checked: built into a real package, read back from disk, compared with torch or numpy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import torch
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813 (coremltools' own name for it)
from coremltools.converters.mil.mil import types

from coevoer_edge.runtime.mil import MilProgram

TOLERANCE = 2e-5  # relative and absolute, float32 against float32
RNG = np.random.default_rng(0)


def random(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


A = random(2, 3, 4, 5)
B = random(2, 3, 4, 5)
TIES = np.array([[-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999997, 7.2]], np.float32)
IMAGE = random(1, 4, 7, 9)
MATRIX = random(3, 6)
INTS = np.array([[-7, -3, 0, 2, 5, 9]], np.int32)
DIVISORS = np.array([[2, -2, 3, -3, 4, 4]], np.int32)
INPUTS = {"a": A, "b": B, "ties": TIES, "image": IMAGE, "matrix": MATRIX, "ints": INTS, "divisors": DIVISORS}


@dataclass(frozen=True)
class Case:
    """`build` takes the input variables by name; `expect` the same inputs as torch tensors."""

    op: str
    build: Callable[[dict[str, Any]], Any]
    expect: Callable[[dict[str, torch.Tensor]], Any]


def unary(op: str, expect: Callable[[torch.Tensor], torch.Tensor], name: str = "a", **arguments: Any) -> Case:
    return Case(op, lambda v: getattr(mb, op)(x=v[name], **arguments), lambda t: expect(t[name]))


def check(cases: Sequence[Case], path: Path) -> None:
    """Put all cases into one program, without coremltools' optimizations, and compare every output."""

    def build(a, b, ties, image, matrix, ints, divisors):  # type: ignore[no-untyped-def]
        variables = dict(zip(INPUTS, (a, b, ties, image, matrix, ints, divisors), strict=True))
        return tuple(mb.identity(x=case.build(variables), name=f"out{i}") for i, case in enumerate(cases))

    specs = [mb.TensorSpec(x.shape, types.int32 if x.dtype == np.int32 else types.fp32) for x in INPUTS.values()]
    model = ct.convert(
        mb.program(input_specs=specs, opset_version=ct.target.iOS18)(build),
        convert_to="mlprogram",
        minimum_deployment_target=ct.target.iOS18,
        compute_precision=ct.precision.FLOAT32,
        pass_pipeline=ct.PassPipeline.EMPTY,
        skip_model_load=True,
    )
    model.save(str(path))
    program = MilProgram.open(path)
    assert {case.op for case in cases} <= set(program.op_counts())

    outputs = program(INPUTS)
    tensors = {name: torch.from_numpy(value) for name, value in INPUTS.items()}
    for i, case in enumerate(cases):
        expected = np.asarray(case.expect(tensors))
        actual = outputs[f"out{i}"]
        assert actual.shape == expected.shape, case.op
        np.testing.assert_allclose(actual, expected, TOLERANCE, TOLERANCE, err_msg=f"{case.op} ({i})")
