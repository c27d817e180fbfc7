"""float16 for a Core ML program but its tail, as a pass that ExecuTorch's Core ML backend can be asked for by name.

In: nothing. Out: `PASSES`, the names of coremltools' default passes with this one in the place of its own cast.

The backend's compile specs carry names and no functions, so `ct.transform.FP16ComputePrecision(op_selector=...)`, which
`coreml.py` hands to the converter, cannot be said there. A registered pass can.
"""

import coremltools as ct
from coremltools.converters.mil.mil.passes.pass_registry import register_pass

from coevoer_edge.export.coreml import is_tail

_DEFAULT = "common::add_fp16_cast"


@register_pass(namespace="coevoer_edge")
class half_but_tail(ct.transform.FP16ComputePrecision):  # type: ignore[misc]  # noqa: N801  # a pass is named as ops are
    """Cast to float16 all that is not the tail (see `is_tail`)."""

    def __init__(self) -> None:
        super().__init__(op_selector=lambda operation: not is_tail(operation))


PASSES = ["coevoer_edge::half_but_tail" if name == _DEFAULT else name for name in ct.PassPipeline.DEFAULT.passes]
