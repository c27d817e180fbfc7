"""The results of the parity ladder: the losses between neighbouring rungs, and the figures over budget.

In: nothing. Out: frozen dataclasses that the ladder fills and every report reads.

reference (full network, float) -> student (float) -> quantized (PT2E program) -> artifact (lowered file). The losses
between neighbours are distillation, quantization and lowering.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

RungName = Literal["reference", "student", "quantized", "artifact"]
StepName = Literal["distillation", "quantization", "lowering"]
StatisticName = Literal["mean", "p50", "p95", "max"]

STEPS: Mapping[StepName, tuple[RungName, RungName]] = {
    "distillation": ("reference", "student"),
    "quantization": ("student", "quantized"),
    "lowering": ("quantized", "artifact"),
}


@dataclass(frozen=True)
class Rung:
    """One network of the ladder."""

    name: RungName
    model: str  # coevoer-t
    source: str  # file name and digest of its weights, or of the artifact
    runtime: str  # what ran it: torch cpu, onnxruntime 1.31.0, Core ML reference interpreter, ...
    kind: Literal["network", "stored", "runtime", "reference"]
    """"reference": an interpreter of the file, not the runtime of a device; "stored": outputs from a file, not run
    here."""


@dataclass(frozen=True)
class Statistics:
    """One figure over the images that contribute to it; NaN where there are none.

    For a figure where more is better (`sqnr_db`), `p95` and `max` also describe the bad side: the value that 95 % of
    the images exceed, and the lowest. An image on which a network returned values that are not finite counts as
    infinitely far off.
    """

    mean: float
    p50: float
    p95: float
    max: float
    count: int
    worst: tuple[int, ...]  # indices of the images with the largest error, the worst first


@dataclass(frozen=True)
class Loss:
    """The distance of one rung from another. Figures by name, which includes the unit:

    `mpvpe_mm.{all,hand,face}`, `pa_mpvpe_mm.{all,hand,face}`, `geodesic_deg.{global_orient,upper_body,legs,hands,jaw}`,
    `keypoint_px.{all,body,hand,face}`, `relative_error.{output}`, `sqnr_db.{output}` (higher is better; infinite where
    nothing differs), and between artifacts `worst_vertex_mm.all`, the one vertex that is farthest off.
    """

    before: Rung
    after: Rung
    figures: Mapping[str, Statistics]


@dataclass(frozen=True)
class Violation:
    """A figure over its budget."""

    step: str
    figure: str
    statistic: StatisticName
    value: float
    limit: float
    reason: str  # given beside the limit in the budget file

    def __str__(self) -> str:
        return f"{self.step}: {self.figure} {self.statistic} is {self.value:.4g} (limit {self.limit:g}: {self.reason})"


@dataclass(frozen=True)
class AppliedLimit:
    """A limit of the budget that a figure of this run was held to, whether it kept it or not."""

    step: str
    figure: str
    statistic: StatisticName
    limit: float  # the most that the figure may be, in its own unit; of `sqnr_db` the least
    reason: str  # given beside the limit in the budget file


@dataclass(frozen=True)
class LayerLoss:
    """How far one layer's output is from its float counterpart."""

    path: str  # module path, encoder.blocks.3.mlp.0
    relative_error: float  # root mean square of the difference over that of the float output
    sqnr_db: float
    added: float  # relative error that this layer adds to that of its inputs; NaN where it cannot be told


@dataclass(frozen=True)
class Ladder:
    """Everything that one parity run found."""

    bundle: str
    target: str
    precision: str
    data: str  # what was run, in words
    images: int
    losses: Mapping[str, Loss]  # by StepName; "distillation" only with a reference
    truth: Mapping[RungName, Mapping[str, Statistics]]  # against ground truth; empty where the data has none
    error_ratio: Mapping[str, float]  # by output, and all: artifact's distance from float over the quantized program's
    violations: tuple[Violation, ...]
    budget: str  # name of the budget
    quantization_layers: tuple[LayerLoss, ...]  # worst first; filled when a step fails, or on request
    lowering_layers: tuple[LayerLoss, ...]
    seconds: float
    export: Loss | None = None  # student to artifact: what the whole export costs; step "export" of a budget
    agreement: Mapping[str, Loss] = field(default_factory=dict)  # from another bundle's artifact to this one's, by name
    limits: tuple[AppliedLimit, ...] = ()  # everything that the budget limits of the figures above

    @property
    def verdict(self) -> Literal["pass", "fail"]:
        """Whether everything is within budget."""
        return "fail" if self.violations else "pass"


@dataclass(frozen=True, eq=False)
class PictureRow:
    """One image with what each rung makes of it, side by side."""

    index: int  # of the image, as in `Statistics.worst`
    caption: str
    tiles: Mapping[str, NDArray[np.uint8]]  # H W 3 RGB by label: image, student, quantized, ...; all of one size
