"""Conversion of times to rows, ratios and text, with numbers that can be checked by hand."""

import json
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from coevoer_edge.bench.report import Comparison, Report, Row, as_table, compare, sum_up
from coevoer_edge.bench.subjects import HOLISTIC, Subject
from coevoer_edge.bench.table import as_markdown, as_text

SUBJECTS = [
    Subject("t-fp32", "network", {}, "coevoer-t", "onnx", "fp32", 46.0, macs=1_000_000_000),
    Subject("t-w8a8", "network", {}, "coevoer-t", "onnx", "w8a8", 12.0, macs=1_000_000_000),
    Subject("t-pte", "network", {}, "coevoer-t", "executorch", "w8a8", 12.5, macs=1_000_000_000),
    Subject("mine", "network", {}, "mine", "onnx", "w8a8", 3.0),
    Subject("t-w8a8", "pipeline", {}, "coevoer-t", "onnx", "w8a8", 12.0),
    Subject(HOLISTIC, "pipeline", {}),
    Subject("mesh decode", "mesh", {}, precision="fp32"),
    Subject("GEMM", "gemm", {}, precision="int8", macs=2_000_000_000),
]
MEDIANS = (30.0, 10.0, 6.0, 2.0, 14.0, 40.0, 1.0, 8.0)
SAID: list[dict[str, Any]] = [
    *({"runtime": name} for name in ("onnxruntime", "onnxruntime", "executorch", "onnxruntime", "onnxruntime")),
    {"runtime": "tflite", "megabytes": 17.7, "found": {"pose": 1.0, "left_hand": 0.5}},
    {"runtime": "numpy"},
    {"runtime": "onnxruntime"},
]


@pytest.fixture
def rows() -> list[Row]:
    """Eleven rounds each: ten at 0.5 to 1.4 of the median, and one outlier that affects neither median nor p90."""
    shape = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 99.0])
    times_ms = np.array(MEDIANS)[:, None] * shape
    starts, peaks = [[900.0, 500.0, 700.0]] * len(SUBJECTS), [[3e8, 1e8, 2e8]] * len(SUBJECTS)
    return sum_up(SUBJECTS, times_ms, starts, peaks, SAID)


@pytest.fixture
def report(rows: list[Row]) -> Report:
    return Report(11, None, 3, "A processor", 2, tuple(rows), tuple(compare(rows)))


def test_medians_p90_and_ratios_to_the_first_of_a_kind(rows: list[Row]) -> None:
    assert [row.median_ms for row in rows] == [*MEDIANS]
    assert [row.p90_ms for row in rows] == pytest.approx([1.4 * median for median in MEDIANS])
    assert [row.ratio for row in rows] == pytest.approx([1, 3, 5, 15, 1, 0.35, 1, 1])


def test_share_of_the_peak_is_of_int8_networks_whose_work_is_known(rows: list[Row]) -> None:
    assert [row.gmacs_per_s for row in rows] == pytest.approx([1000 / 30, 100, 1000 / 6, None, None, None, None, 250])
    assert [row.share_of_peak for row in rows] == pytest.approx([None, 0.4, 2 / 3, None, None, None, None, None])


def test_cold_start_and_memory_are_medians_of_starts(rows: list[Row]) -> None:
    assert [row.cold_start_ms for row in rows] == [700.0] * 6 + [None] * 2
    assert [row.peak_mb for row in rows] == [200.0] * 6 + [None] * 2


def test_sizes_come_from_the_manifest_or_from_the_peer(rows: list[Row]) -> None:
    assert [row.megabytes for row in rows] == [46.0, 12.0, 12.5, 3.0, 12.0, 17.7, None, None]


def test_comparisons(rows: list[Row]) -> None:
    """INT8 networks are compared only with FP32 ones of the same model and target, pipelines with MediaPipe."""
    assert compare(rows) == [
        Comparison("int8_speed", "t-w8a8", "t-fp32", 3.0),
        Comparison("time_of_mediapipe", "t-w8a8", HOLISTIC, pytest.approx(0.35)),
    ]


def test_without_mediapipe_and_fp32_nothing_is_compared(rows: list[Row]) -> None:
    assert compare([row for row in rows if row.name not in (HOLISTIC, "t-fp32")]) == []


TEXT = """\
                    runtime        median ms  p90 ms   speed  cold start s  peak MB  file MB  of INT8 peak

network alone
t-fp32              onnxruntime         30.0    42.0   1.00x          0.70      200     46.0             -
t-w8a8              onnxruntime         10.0    14.0   3.00x          0.70      200     12.0           40%
t-pte               executorch          6.00    8.40   5.00x          0.70      200     12.5           67%
mine                onnxruntime         2.00    2.80  15.00x          0.70      200      3.0             -

whole pipeline
t-w8a8              onnxruntime         14.0    19.6   1.00x          0.70      200     12.0             -
MediaPipe Holistic  tflite              40.0    56.0   0.35x          0.70      200     17.7             -

mesh decode alone
mesh decode         numpy               1.00    1.40   1.00x             -        -        -             -

INT8 peak
GEMM                onnxruntime         8.00    11.2   1.00x             -        -        -             -

t-w8a8: 3.00x as fast as t-fp32
t-w8a8, whole pipeline: 0.35x the time of MediaPipe Holistic
MediaPipe Holistic, share of frames with a detection: pose 100%, left hand 50%
INT8 peak of this machine, measured with a matrix product: 250 GMACs/s
A processor, 2 cores, threads chosen by each runtime; medians of 11 rounds"""


def test_text(report: Report) -> None:
    assert as_text(report) == TEXT


def test_markdown_says_the_same(report: Report) -> None:
    """The table's words, and the lines below it, are the same as in the text; all rows have the same length."""
    lines = as_markdown(report).splitlines()
    table, below = lines[: lines.index("")], lines[lines.index("") + 1 :]
    assert {line.count("|") for line in table} == {10}
    body, closing = TEXT.split("\n\nt-w8a8: ")
    said = [word for line in (table[0], *table[2:]) for word in line.replace("|", " ").replace("*", " ").split()]
    assert said == body.split()
    assert "\n".join(line.removeprefix("- ") for line in below) == f"t-w8a8: {closing}"


JSON_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("name", "kind", "runtime", "model", "target", "precision"), (str,)),
    **dict.fromkeys(("median_ms", "p90_ms", "ratio"), (float,)),
    **dict.fromkeys(("cold_start_ms", "peak_mb", "megabytes", "gmacs_per_s", "share_of_peak"), (float, type(None))),
    "found": (dict,),
}


def test_json(report: Report) -> None:
    table = json.loads(json.dumps(as_table(report), allow_nan=False))
    assert table.keys() == {"schema_version", *(field.name for field in fields(Report))}
    assert (table["schema_version"], table["rounds"], table["threads"], table["starts"]) == (1, 11, None, 3)
    assert len(table["rows"]) == len(SUBJECTS)
    for row in table["rows"]:
        assert row.keys() == JSON_TYPES.keys()
        assert [key for key, value in row.items() if not isinstance(value, JSON_TYPES[key])] == []
    assert table["comparisons"][0] == {
        "what": "int8_speed",
        "name": "t-w8a8",
        "against": "t-fp32",
        "value": 3.0,
    }
