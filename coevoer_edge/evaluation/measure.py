"""Evaluate a network on a dataset.

In: a torch network or a runtime, a `RecordSource`, indices, a `MeasuringBody`. Out: `Result`.

MPVPE as OSX measures it on UBody (data/UBody/UBody.py: evaluate): all vertices aligned at the pelvis; each hand's at
its wrist, averaged over the visible hands; the face's at the neck. PA-MPVPE: each of these sets after Procrustes
alignment with scale. OSX averages only over vertices within the image; that figure is `..._in_crop_mm`, and the main
one counts every vertex.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from coevoer_edge import contract
from coevoer_edge.body.joints import BODY_JOINT_NAMES, JOINT_NAMES, LEFT_HAND_JOINT_NAMES, RIGHT_HAND_JOINT_NAMES
from coevoer_edge.body.keypoints import FINGERTIP_NAMES, KEYPOINT_NAMES, LANDMARK_NAMES
from coevoer_edge.body.layer import PELVIS
from coevoer_edge.data.record import KNOWN, Record, RecordSource, VertexSource
from coevoer_edge.errors import InputError
from coevoer_edge.evaluation.measuring_body import ANCHORS, MeasuringBody, Meshes
from coevoer_edge.evaluation.metrics import (
    box_iou,
    geodesic_deg,
    in_crop,
    mean_distance,
    mean_of_known,
    move_to,
    procrustes,
    project,
)
from coevoer_edge.evaluation.predict import NetworkOrRuntime, predict
from coevoer_edge.model import CoEvoerOutputs
from coevoer_edge.terminal.console import Steps

SETS = ("all", "hand", "face")
MAIN = "mpvpe_mm.all"
_HANDS = ("left_hand", "right_hand")
_LEGS = tuple(i for i, name in enumerate(BODY_JOINT_NAMES[1:]) if name.endswith(("hip", "knee", "ankle", "foot")))
_UPPER = tuple(i for i in range(contract.NUM_BODY_JOINTS) if i not in _LEGS)

_KEYPOINTS = {
    "body": tuple(range(len(BODY_JOINT_NAMES))),
    "face": tuple(i for i, name in enumerate(KEYPOINT_NAMES) if name in LANDMARK_NAMES),
    **{
        f"{side}_hand": tuple(
            i
            for i, name in enumerate(KEYPOINT_NAMES)
            if name in (*LEFT_HAND_JOINT_NAMES, *RIGHT_HAND_JOINT_NAMES, *FINGERTIP_NAMES) and name.startswith(side)
        )
        for side in ("left", "right")
    },
}
_KEYPOINT_ANCHORS = {
    part: KEYPOINT_NAMES.index(name)
    for part, name in (("body", "pelvis"), ("face", "neck"), ("left_hand", "left_wrist"), ("right_hand", "right_wrist"))
}


@dataclass(frozen=True)
class Result:
    """Measures of N samples; units are in the names, such as `mpvpe_mm.all`."""

    indices: tuple[int, ...]
    values: Mapping[str, Tensor]  # each N, float64; NaN where a sample does not count
    angles: Mapping[str, Tensor]  # degrees by part, N n
    seconds: float  # including the time to load the samples

    def summary(self) -> dict[str, float]:
        """Means over the samples that count, and median and 95th percentile of the angles; NaN if there are none."""
        means = {name: float(mean_of_known(values)) for name, values in self.values.items()}
        for part, angles in self.angles.items():
            counted = angles[~angles.isnan()]
            for label, q in (("p50", 0.5), ("p95", 0.95)):
                value = float(torch.quantile(counted, q)) if len(counted) else float("nan")
                means[f"geodesic_deg.{part}.{label}"] = value
        return means

    def counted(self) -> dict[str, int]:
        """How many samples each of the main figures averages over."""
        return {name: int((~self.values[f"mpvpe_mm.{name}"].isnan()).sum()) for name in SETS}

    def worst(self, count: int) -> list[int]:
        """Indices of the samples with the largest MPVPE, the worst first."""
        errors = self.values[MAIN]
        order = torch.argsort(errors.nan_to_num(-1), descending=True, stable=True).tolist()
        return [self.indices[i] for i in order if not errors[i].isnan()][:count]

    def table(self) -> dict[str, Any]:
        """For JSON: the summary nested by the dots of its names, None for figures without samples."""
        nested: dict[str, Any] = {}
        for name, value in self.summary().items():
            *path, last = name.split(".")
            level = nested
            for step in path:
                level = level.setdefault(step, {})
            level[last] = round(value, 4) if value == value else None
        return nested | {"count": len(self.indices), "counted": self.counted(), "seconds": round(self.seconds, 2)}


def join(results: Sequence[Result]) -> Result:
    """Combine several results: all samples together."""
    return Result(
        tuple(index for result in results for index in result.indices),
        {name: torch.cat([result.values[name] for result in results]) for name in results[0].values},
        {name: torch.cat([result.angles[name] for result in results]) for name in results[0].angles},
        sum(result.seconds for result in results),
    )


@torch.no_grad()
def evaluate(
    network: NetworkOrRuntime,
    source: RecordSource,
    indices: Sequence[int],
    body: MeasuringBody,
    *,
    batch_size: int = 32,
    steps: Steps | None = None,
) -> Result:
    """Measure a network on samples of a dataset. The network's training mode is restored afterwards.

    Args:
        network: runs on the device of its weights; measures are computed on the device of `body`.
        source: the dataset.
        indices: indices of the samples.
        body: poses prediction and ground truth.
        batch_size: number of samples per batch.
        steps: shows progress.

    Raises:
        InputError: there are no indices, one is outside the dataset, the batch size is below 1, or a prediction is not
            finite.
    """
    _check(source, indices, batch_size)
    steps = steps or Steps(1, quiet=True)
    start = time.perf_counter()
    values: list[dict[str, Tensor]] = []
    angles: list[dict[str, Tensor]] = []
    batches = [indices[i : i + batch_size] for i in range(0, len(indices), batch_size)]
    for batch in steps.track(batches, lambda _: f"batches of {batch_size}"):
        record = source.batch(batch)
        outputs = CoEvoerOutputs(*(output.to(body.device) for output in predict(network, record.image)))
        record = record.to(body.device)
        meshes = source.vertices(batch).to(body.device, torch.float32) if isinstance(source, VertexSource) else None
        measured = measure_batch(outputs, record, body, meshes)
        values.append({name: value.double().cpu() for name, value in measured.items()})
        angles.append({name: value.cpu() for name, value in pose_angles(outputs, record).items()})
    return Result(
        tuple(indices),
        {name: torch.cat([each[name] for each in values]) for name in values[0]},
        {name: torch.cat([each[name] for each in angles]) for name in angles[0]},
        time.perf_counter() - start,
    )


def measure_batch(
    outputs: CoEvoerOutputs, record: Record, body: MeasuringBody, vertices: Tensor | None = None
) -> dict[str, Tensor]:
    """Every measure of a batch except the angles: (B,) each, NaN where a sample does not count.

    `vertices` (B, V, 3), m, are the true meshes if the dataset has them; otherwise its parameters are posed.
    """
    predicted, truth = body(outputs), body(record)
    if vertices is not None:
        joints = truth.keypoints[:, : len(JOINT_NAMES)]
        meshes = body.of_vertices(vertices, joints)
        # `record.camera` is relative to the body layer's pelvis, the dataset's camera to its own origin.
        truth = body.of_vertices(vertices + (joints[:, :1] - meshes.anchors[:, :1]), joints)
        placed = record.keypoints_3d_weight[:, PELVIS] > 0  # EHF has meshes and no parameters
        record = record._replace(known=torch.where(placed[:, None], 1.0, record.known))
    seen = in_crop(project(truth.vertices + record.camera[:, None])).double()  # B V
    known = body.known_vertices(record.known)
    counts = part_counts(record)
    every = vertex_errors(predicted, truth, body, known, known, counts, "")
    return {
        **every,
        **vertex_errors(predicted, truth, body, known, known * seen, counts, "_in_crop"),
        **_keypoint_errors(predicted, outputs.camera, record),
        **_boxes_and_visibility(outputs, record),
    }


def part_counts(record: Record) -> dict[str, Tensor]:
    """(B,) bool by part: its truth is known and, where that is known, it is in the crop. OSX skips other hands."""
    absent = (record.visibility < 0.5) & (record.visibility_weight > 0)  # B 4: person, then contract.PARTS
    known = (record.known > 0) & (record.known[:, :1] > 0)
    return {name: known[:, i] & ~absent[:, i] & ~absent[:, 0] for i, name in enumerate(KNOWN)}


def vertex_errors(
    predicted: Meshes,
    truth: Meshes,
    body: MeasuringBody,
    aligned_by: Tensor,
    averaged_over: Tensor,
    counts: Mapping[str, Tensor],
    suffix: str,
) -> dict[str, Tensor]:
    """`mpvpe{suffix}_mm.*` and `pa_mpvpe{suffix}_mm.*`, (B,) each.

    `aligned_by` (B, V) weights the vertices in Procrustes alignment, `averaged_over` (B, V) in the mean. `counts`
    states for body, face, left_hand and right_hand which samples count, (B,) bool.
    """
    names = {"all": ("pelvis", "body"), "face": ("neck", "face")}
    names |= {hand: (hand.replace("hand", "wrist"), hand) for hand in _HANDS}
    found: dict[str, dict[str, Tensor]] = {"mpvpe": {}, "pa_mpvpe": {}}
    for name, (anchor, part) in names.items():
        chosen = slice(None) if name == "all" else torch.from_numpy(body.part_vertices[name]).to(body.device)
        at = ANCHORS.index(anchor)
        ours, theirs = predicted.vertices[:, chosen].double(), truth.vertices[:, chosen].double()
        over = averaged_over[:, chosen] * counts[part][:, None]
        placed = move_to(ours, predicted.anchors[:, at].double(), truth.anchors[:, at].double())
        found["mpvpe"][name] = mean_distance(placed, theirs, over) * 1000
        found["pa_mpvpe"][name] = mean_distance(procrustes(ours, theirs, aligned_by[:, chosen]), theirs, over) * 1000
    for errors in found.values():
        errors["hand"] = mean_of_known(torch.stack([errors[hand] for hand in _HANDS], -1))
    return {f"{kind}{suffix}_mm.{name}": found[kind][name] for kind in found for name in SETS}


def _keypoint_errors(predicted: Meshes, camera: Tensor, record: Record) -> dict[str, Tensor]:
    """`mpjpe_mm.*`: joints, fingertips and landmarks from their part's anchor; `keypoint_px.*`: projected, px."""
    flat = project(predicted.keypoints + camera[:, None])
    seen = (record.keypoints_2d_weight > 0).double()
    known = (record.keypoints_3d_weight > 0).double()
    absent = (record.visibility < 0.5) & (record.visibility_weight > 0)
    mm: dict[str, Tensor] = {}
    px = {"all": mean_distance(flat, record.keypoints_2d, seen)}
    for number, part in enumerate(KNOWN):
        chosen, at = list(_KEYPOINTS[part]), _KEYPOINT_ANCHORS[part]
        weight = known[:, chosen] * known[:, at, None] * ~absent[:, number, None]
        placed = move_to(predicted.keypoints[:, chosen], predicted.keypoints[:, at], record.keypoints_3d[:, at])
        mm[part] = mean_distance(placed, record.keypoints_3d[:, chosen], weight) * 1000
        px[part] = mean_distance(flat[:, chosen], record.keypoints_2d[:, chosen], seen[:, chosen])
    for errors in (mm, px):
        errors["hand"] = mean_of_known(torch.stack([errors.pop(hand) for hand in _HANDS], -1))
    return {f"mpjpe_mm.{name}": value for name, value in mm.items()} | {f"keypoint_px.{n}": v for n, v in px.items()}


def _boxes_and_visibility(outputs: CoEvoerOutputs, record: Record) -> dict[str, Tensor]:
    """`box_iou.*` and `visibility_accuracy.*` (1 where right at a threshold of 0.5)."""
    iou = box_iou(outputs.part_boxes, record.part_boxes).where(record.part_boxes_weight > 0, torch.nan)  # B 3
    right = ((outputs.visibility > 0.5) == (record.visibility > 0.5)).float()
    right = right.where(record.visibility_weight > 0, torch.nan)  # B 4
    return {f"box_iou.{part}": iou[:, i] for i, part in enumerate(contract.PARTS)} | {
        f"visibility_accuracy.{part}": right[:, i] for i, part in enumerate(contract.VISIBILITY)
    }


def pose_angles(outputs: CoEvoerOutputs, record: Record) -> dict[str, Tensor]:
    """Degrees between predicted and true rotations by part, (B, n); NaN where a part does not count."""
    counts = part_counts(record)

    def angle(name: str, part: str) -> Tensor:
        degrees = geodesic_deg(getattr(outputs, name), getattr(record, name))  # B n
        return degrees.where(counts[part][:, None], torch.nan)

    body = angle("body_pose", "body")
    return {
        "global_orient": angle("global_orient", "body"),
        "upper_body": body[:, list(_UPPER)],
        "legs": body[:, list(_LEGS)],
        "hands": torch.cat([angle(f"{hand}_pose", hand) for hand in _HANDS], 1),
        "jaw": angle("jaw_pose", "face"),
    }


def _check(source: RecordSource, indices: Sequence[int], batch_size: int) -> None:
    if not len(indices):
        raise InputError("There are no samples to evaluate on; give at least one index.")
    if batch_size < 1:
        raise InputError(f"The batch size is {batch_size}; give 1 or more.")
    low, high = min(indices), max(indices)
    if low < 0 or high >= len(source):
        raise InputError(
            f"Indices {low} to {high} were requested; the dataset has {len(source)} samples, counted from 0."
        )
