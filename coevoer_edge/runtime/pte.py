"""The method of an ExecuTorch file, as stored on disk. In: a `.pte`. Out: its delegates and operators outside them.

Read from the file itself, without running it, so it also works where a delegate's backend does not.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from coevoer_edge.errors import BundleError
from coevoer_edge.terminal.quiet import quietly

BACKEND_IDS = {"XnnpackBackend": "xnnpack", "CoreMLBackend": "coreml"}
"""ExecuTorch's names of backends, and the names in this package."""


@dataclass(frozen=True)
class Delegate:
    """One part of the method that a backend runs."""

    backend_id: str  # ExecuTorch's
    payload: bytes  # in the backend's own format


@dataclass(frozen=True)
class Method:
    """`forward`. Values are numbers: `inputs` and `outputs` of the method, `calls` the values each delegate call takes
    and then makes."""

    delegates: tuple[Delegate, ...]
    calls: tuple[tuple[int, ...], ...]
    outside: Counter[str]  # operators that no delegate runs, and how often
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def backend(self) -> str:
        """This package's name of the backend that runs the first delegate; empty without one."""
        backend_id = self.delegates[0].backend_id if self.delegates else ""
        return BACKEND_IDS.get(backend_id, backend_id)


def read_method(path: Path) -> Method:
    """Read `forward` of a `.pte`.

    Raises:
        BundleError: not an ExecuTorch file, or one without `forward`.
    """
    with quietly():
        from executorch.exir._serialize._program import deserialize_pte_binary
        from executorch.exir.schema import DelegateCall, KernelCall

    try:
        program = deserialize_pte_binary(path.read_bytes()).program
        plan = next(plan for plan in program.execution_plan if plan.name == "forward")
    except Exception as error:  # struct, flatbuffer and assertion errors, by how the bytes are broken
        raise BundleError(
            f"{path} is not an ExecuTorch file with a forward method; export the bundle again."
        ) from error
    instructions = [instruction.instr_args for chain in plan.chains for instruction in chain.instructions]
    data = program.backend_delegate_data
    return Method(
        delegates=tuple(Delegate(one.id, bytes(data[one.processed.index].data)) for one in plan.delegates),
        calls=tuple(tuple(call.args) for call in instructions if isinstance(call, DelegateCall)),
        outside=Counter(plan.operators[call.op_index].name for call in instructions if isinstance(call, KernelCall)),
        inputs=tuple(plan.inputs),
        outputs=tuple(plan.outputs),
    )
