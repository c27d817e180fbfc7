"""float16 where it is allowed, as a pass that ExecuTorch's Core ML backend can select by name.

In: nothing. Out: `PASSES`, the names of coremltools' default passes with this one in the place of its own cast.

The backend's compile specs hold names and no functions, so `ct.transform.FP16ComputePrecision(op_selector=...)`, which
`coreml.py` passes to the converter, cannot be used there. A registered pass can.
"""

import coremltools as ct
from coremltools.converters.mil.mil.passes.pass_registry import register_pass

from coevoer_edge.lowering.full_precision import stays_float32

_DEFAULT = "common::add_fp16_cast"


@register_pass(namespace="coevoer_edge")
class half_where_allowed(ct.transform.FP16ComputePrecision):  # type: ignore[misc]  # noqa: N801  # a pass is named as ops are
    """Cast everything to float16 except where `stays_float32` is true."""

    def __init__(self) -> None:
        super().__init__(op_selector=lambda operation: not stays_float32(operation))


PASSES = ["coevoer_edge::half_where_allowed" if name == _DEFAULT else name for name in ct.PassPipeline.DEFAULT.passes]
