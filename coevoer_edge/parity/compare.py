"""Compare the outputs of two networks on the same images, or of one with the truth.

In: outputs by image, a `MeasuringBody`. Out: figures by name (see `result.Loss`), each with its `Statistics`.

mm, degrees and pixels are measured as `evaluate` measures them against a dataset, with the other network's outputs as
the truth and every image and part included. They are computed from rotations projected onto SO(3), as an app receives
them; relative error and SQNR are computed from the raw outputs.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coevoer_edge import contract
from coevoer_edge.body.arrays import Float64Array
from coevoer_edge.body.rotations import nearest_rotation
from coevoer_edge.data.record import Record
from coevoer_edge.evaluation.golden import over
from coevoer_edge.evaluation.measure import measure_batch, pose_angles
from coevoer_edge.evaluation.measuring_body import ANCHORS, MeasuringBody
from coevoer_edge.evaluation.metrics import mean_of_known, move_to, project
from coevoer_edge.model import CoEvoerOutputs
from coevoer_edge.parity.budget import FIGURES
from coevoer_edge.parity.result import Statistics
from coevoer_edge.runtime.protocol import Outputs

Values = dict[str, Float64Array]  # by figure: N, NaN where an image does not count

WORST = 8
"""Images named in `Statistics.worst`."""

_BATCH = 32
_DIGITS = 9  # of mm, degrees and px, because aligning equal meshes leaves 1e-13


def figures(before: Sequence[Outputs], after: Sequence[Outputs], body: MeasuringBody) -> dict[str, Statistics]:
    """The distance of `after` from `before`, on the same N images."""
    finite = [i for i, pair in enumerate(zip(before, after, strict=True)) if _is_finite(*pair)]
    found: dict[str, list[Float64Array]] = {}
    for rows in _batches(finite):
        ours, theirs = stack([after[i] for i in rows]), stack([before[i] for i in rows])
        raw = _raw([before[i] for i in rows], [after[i] for i in rows])
        for name, values in (_measured(ours, as_record(theirs, body), None, body) | raw).items():
            found.setdefault(name, []).append(values)
    return {name: _spread(name, found.get(name, []), finite, len(before)) for name in FIGURES}


def truth_figures(
    outputs: Sequence[Outputs], truth: Record, vertices: Tensor | None, body: MeasuringBody
) -> dict[str, Statistics]:
    """The distance of outputs from ground truth, as in `evaluate`: over parts that are known and in the crop.

    `vertices` (N, V, 3), m: the true meshes where the dataset has them.
    """
    finite = [i for i, output in enumerate(outputs) if _is_finite(output)]
    found: dict[str, list[Float64Array]] = {}
    for rows in _batches(finite):
        record = Record(*(tensor[rows] for tensor in truth)).to(body.device)
        meshes = None if vertices is None else vertices[rows].to(body.device, torch.float32)
        for name, values in _measured(stack([outputs[i] for i in rows]), record, meshes, body).items():
            found.setdefault(name, []).append(values)
    names = [name for name in FIGURES if not name.startswith(("relative_error.", "sqnr_db."))]
    return {name: _spread(name, found.get(name, []), finite, len(outputs)) for name in names}


def worst_vertex_mm(before: Sequence[Outputs], after: Sequence[Outputs], body: MeasuringBody) -> Statistics:
    """The largest distance of any vertex, aligned at the pelvis."""
    finite = [i for i, pair in enumerate(zip(before, after, strict=True)) if _is_finite(*pair)]
    found, pelvis = [], ANCHORS.index("pelvis")
    with torch.no_grad():
        for rows in _batches(finite):
            one, other = (body(_to(stack([side[i] for i in rows]), body.device)) for side in (before, after))
            moved = move_to(other.vertices.double(), *(side.anchors[:, pelvis].double() for side in (other, one)))
            distance = torch.linalg.vector_norm(moved - one.vertices, dim=-1).amax(1) * 1000  # B
            found.append(distance.cpu().numpy().round(_DIGITS))
    return _spread("worst_vertex_mm.all", found, finite, len(before))


def stack(outputs: Sequence[Outputs]) -> CoEvoerOutputs:
    """Combine N outputs of batch 1 to one batch, rotations projected onto SO(3)."""
    stacked = {name: np.concatenate([output[name] for output in outputs]) for name in contract.OUTPUT_NAMES}
    for output in contract.OUTPUTS:
        if output.shape[-2:] == (3, 3):
            stacked[output.name] = nearest_rotation(stacked[output.name]).astype(np.float32)
    return CoEvoerOutputs(**{name: torch.from_numpy(values) for name, values in stacked.items()})


@torch.no_grad()
def as_record(outputs: CoEvoerOutputs, body: MeasuringBody) -> Record:
    """A network's outputs as the truth for another: everything is known, and everything counts."""
    outputs = _to(outputs, body.device)
    points = body(outputs).keypoints  # N K 3
    N, K = points.shape[:2]
    ones = torch.ones(N, max(K, 4), device=body.device)
    nothing = torch.zeros((), dtype=torch.uint8, device=body.device)
    return Record(
        image=nothing.expand(N, *contract.INPUT.shape[1:]),
        **outputs._asdict(),
        known=ones[:, :4],
        keypoints_3d=points - points[:, :1],
        keypoints_3d_weight=ones[:, :K],
        keypoints_2d=project(points + outputs.camera[:, None]),
        keypoints_2d_weight=ones[:, :K],
        part_boxes_weight=ones[:, : len(contract.PARTS)],
        visibility_weight=0
        * ones[:, : len(contract.VISIBILITY)],  # a part that the network reports as hidden counts too
        labels=nothing.expand(N, *contract.INPUT.shape[2:]),
    )


def statistics(values: Float64Array, *, higher_is_better: bool = False) -> Statistics:
    """Mean, quantiles and worst images of one figure, (N,); NaN does not count."""
    bad = -values if higher_is_better else values  # the larger, the worse
    counted = np.flatnonzero(~np.isnan(values))
    if not len(counted):
        return Statistics(math.nan, math.nan, math.nan, math.nan, 0, ())
    sign = -1.0 if higher_is_better else 1.0
    ordered = np.sort(bad[counted])
    worst = counted[np.argsort(-bad[counted], kind="stable")][:WORST]
    return Statistics(
        mean=_mean(values[counted]),
        p50=sign * _quantile(ordered, 0.5),
        p95=sign * _quantile(ordered, 0.95),
        max=sign * float(ordered[-1]),
        count=len(counted),
        worst=tuple(worst.tolist()),
    )


def _measured(outputs: CoEvoerOutputs, record: Record, vertices: Tensor | None, body: MeasuringBody) -> Values:
    """All figures of a batch except those of raw outputs."""
    with torch.no_grad():
        outputs = _to(outputs, body.device)
        values = measure_batch(outputs, record, body, vertices)
        angles = pose_angles(outputs, record)
    values |= {f"geodesic_deg.{part}": mean_of_known(degrees) for part, degrees in angles.items()}
    return {name: value.double().cpu().numpy().round(_DIGITS) for name, value in values.items() if name in FIGURES}


def _raw(before: Sequence[Outputs], after: Sequence[Outputs]) -> Values:
    """`relative_error.*` and `sqnr_db.*`: size of the difference over that of `before`, image by image."""
    found: Values = {}
    for name in contract.OUTPUT_NAMES:
        ours, theirs = (np.stack([o[name].ravel() for o in side]).astype(np.float64) for side in (after, before))
        size, difference = np.linalg.norm(theirs, axis=1), np.linalg.norm(ours - theirs, axis=1)  # B
        relative = np.array([over(d, s, 0.0) for d, s in zip(difference.tolist(), size.tolist(), strict=True)])
        with np.errstate(divide="ignore"):
            found[f"relative_error.{name}"], found[f"sqnr_db.{name}"] = relative, -20 * np.log10(relative)
    return found


def _spread(name: str, batches: Sequence[Float64Array], rows: Sequence[int], count: int) -> Statistics:
    """Statistics over all images of a figure measured on `rows`; the other images count as infinitely far off."""
    higher = name.startswith("sqnr_db.")
    values = np.full(count, -np.inf if higher else np.inf)
    if rows:
        values[list(rows)] = np.concatenate(batches)
    return statistics(values, higher_is_better=higher)


def _mean(values: Float64Array) -> float:
    """The mean; infinite values of one sign make it infinite, of both signs NaN."""
    with np.errstate(invalid="ignore"):
        return float(values.mean())


def _quantile(ordered: Float64Array, q: float) -> float:
    """Interpolate linearly between neighbours, as numpy does; take the larger one where either is infinite."""
    at = q * (len(ordered) - 1)
    low, high = float(ordered[math.floor(at)]), float(ordered[math.ceil(at)])
    if math.isinf(low) or math.isinf(high):
        return high
    return low + (high - low) * (at - math.floor(at))


def _is_finite(*sides: Mapping[str, NDArray[np.floating]]) -> bool:
    return all(bool(np.isfinite(value).all()) for side in sides for value in side.values())


def _batches(rows: Sequence[int]) -> list[list[int]]:
    return [list(rows[i : i + _BATCH]) for i in range(0, len(rows), _BATCH)]


def _to(outputs: CoEvoerOutputs, device: torch.device) -> CoEvoerOutputs:
    return CoEvoerOutputs(*(output.to(device) for output in outputs))
