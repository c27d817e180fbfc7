"""Every report of made-up ladders: what it says, and that what reads it elsewhere can read it."""

import base64
import io
import json
import math
import re
from dataclasses import fields, replace
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from coevoer_edge.parity import report, result
from coevoer_edge.parity.report.json_report import SCHEMA
from coevoer_edge.parity.result import AppliedLimit, Ladder, LayerLoss, Loss, PictureRow, Rung, Statistics, Violation

REFERENCE = Rung("reference", "coevoer", "coevoer.safetensors, sha256 0123", "torch 2.13.0 cuda", "network")
STUDENT = Rung("student", "coevoer-t", "embedded, sha256 4567", "torch 2.13.0 cpu", "network")
QUANTIZED = Rung("quantized", "coevoer-t", "recipe w8a8 <default set>", "torch 2.13.0 cpu", "network")
ONNX = Rung("artifact", "coevoer-t", "coevoer-t-onnx-w8a8.onnx, sha256 89ab", "onnxruntime 1.31.1", "runtime")
COREML = Rung("artifact", "coevoer-t", "coevoer-t-coreml-w8a8.mlpackage", "coreml-reference", "reference")
OVER = Violation("lowering", "mpvpe_mm.hand", "mean", 0.4, 0.25, "the budget of quantization; fingers < arms & legs")
RATIO = Violation("lowering", "error_ratio.camera", "mean", math.nan, 1.1, "no farther from float")
FAR = Violation("agreement with coevoer-t-coreml-w8a8", "worst_vertex_mm.all", "max", 9.5, 5.0, "one person")
STRAY = Violation("export", "mpvpe_mm.face", "mean", math.inf, 0.3, "both together")
LIMITS = (
    AppliedLimit("lowering", "mpvpe_mm.hand", "mean", 0.25, "the budget of quantization"),
    AppliedLimit("lowering", "mpvpe_mm.hand", "max", 7.75, "an artifact that is far off on one image"),
    AppliedLimit("lowering", "mpvpe_mm.hand", "mean", 0.5, "a wildcard that is less strict"),
    AppliedLimit("lowering", "error_ratio.camera", "mean", 1.125, "no farther from float"),
    AppliedLimit("quantization", "sqnr_db.camera", "mean", 31.5, "noise of the camera"),
)


def statistics(mean: float, count: int = 256) -> Statistics:
    return Statistics(mean, mean * 0.9, mean * 2, mean * 4, count, (7, 130) if count else ())


def loss(before: Rung, after: Rung, scale: float, **more: Statistics) -> Loss:
    figures = {f"mpvpe_mm.{part}": statistics(scale * i) for i, part in enumerate(("all", "hand", "face"), 1)}
    figures |= {"geodesic_deg.jaw": statistics(scale), "sqnr_db.camera": statistics(math.inf)}
    return Loss(before, after, {**figures, "keypoint_px.face": statistics(math.nan, 0), **more})


def ladder(**changes: Any) -> Ladder:
    found = Ladder(
        bundle="coevoer-t-onnx-w8a8",
        target="onnx",
        precision="w8a8",
        data="default golden set & mirrors",
        images=256,
        losses={
            "distillation": loss(REFERENCE, STUDENT, 10.0),
            "quantization": loss(STUDENT, QUANTIZED, 0.1),
            "lowering": loss(QUANTIZED, ONNX, 0.2),
        },
        truth={
            "student": {"mpvpe_mm.all": statistics(51.6), "pa_mpvpe_mm.all": statistics(math.nan, 0)},
            "artifact": {},
        },
        error_ratio={"camera": 1.02, "betas": math.inf},
        violations=(),
        budget="default",
        quantization_layers=(),
        lowering_layers=(),
        seconds=12.25,
        export=loss(STUDENT, ONNX, 0.3),
        agreement={"coevoer-t-coreml-w8a8": loss(COREML, ONNX, 0.2, **{"worst_vertex_mm.all": statistics(2.0)})},
        limits=LIMITS,
    )
    return replace(found, **changes)


LAYERS = (
    LayerLoss("encoder.blocks.3.mlp.0", 0.5, 6.0, 0.4),
    LayerLoss("outputs.camera", 0.1, 20.0, math.nan),
    LayerLoss("outputs.betas", 0.0, math.inf, 0.0),
)
PASSING = ladder()
FAILING = ladder(violations=(OVER, RATIO, FAR, STRAY), quantization_layers=LAYERS, lowering_layers=LAYERS)
INTERPRETED = ladder(
    bundle="coevoer-t-coreml-w8a8",
    target="coreml",
    losses={"quantization": loss(STUDENT, QUANTIZED, 0.1), "lowering": loss(QUANTIZED, COREML, 0.2)},
    truth={},
    export=None,
    agreement={},
    lowering_layers=LAYERS,
)
DELEGATED = replace(FAILING, bundle="coevoer-t-executorch-xnnpack-w8a8", target="executorch")
ALL = (PASSING, FAILING, INTERPRETED, DELEGATED)


# JSON.


def problems(value: Any, schema: dict[str, Any], root: dict[str, Any], where: str = "$") -> list[str]:
    """The part of JSON Schema that ours uses; another keyword is an error, not passed over."""
    known = {"$schema", "title", "description", "type", "required", "additionalProperties", "properties", "$defs"}
    assert schema.keys() <= known | {"$ref", "enum", "const", "items", "minimum", "anyOf"}, schema.keys()
    found = []
    if "$ref" in schema:
        target = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        found += problems(value, target, root, where)
    if "anyOf" in schema and all(problems(value, option, root, where) for option in schema["anyOf"]):
        found.append(f"{where}: none of anyOf")
    if "const" in schema and value != schema["const"]:
        found.append(f"{where}: {value!r} is not {schema['const']!r}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is none of {schema['enum']}")
    kinds = {"object": dict, "array": list, "string": str, "null": type(None), "integer": int, "number": (int, float)}
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and (isinstance(value, bool) or not any(isinstance(value, kinds[kind]) for kind in types)):
        return [*found, f"{where}: {value!r} is no {types}"]
    if "minimum" in schema and value < schema["minimum"]:
        found.append(f"{where}: {value} is below {schema['minimum']}")
    if isinstance(value, dict):
        known_properties, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
        found += [f"{where}: lacks {name}" for name in schema.get("required", ()) if name not in value]
        for name, item in value.items():
            below = known_properties.get(name, rest)
            if below is False:
                found.append(f"{where}: {name} is not known")
            elif isinstance(below, dict):
                found += problems(item, below, root, f"{where}.{name}")
    if isinstance(value, list) and "items" in schema:
        found += [
            problem
            for i, item in enumerate(value)
            for problem in problems(item, schema["items"], root, f"{where}[{i}]")
        ]
    return found


def document(*ladders: Ladder) -> dict[str, Any]:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    found = json.loads(report.as_json(ladders), parse_constant=refuse)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("ladders", [ALL, (PASSING,), ()], ids=len)
def test_json_is_as_the_schema_says(ladders: tuple[Ladder, ...]) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert problems(document(*ladders), schema, schema) == []


def test_schema_refuses_what_is_no_report() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    broken = document(FAILING)
    one = broken["ladders"][0]
    one["images"], one["rungs"]["artifact"]["kind"] = -1, "device"
    del one["verdict"]
    one["violations"][0]["extra"] = 1
    assert sorted(problem.split(":")[0] for problem in problems(broken, schema, schema)) == [
        "$.ladders[0]",
        "$.ladders[0].images",
        "$.ladders[0].rungs.artifact.kind",
        "$.ladders[0].violations[0]",
    ]


def test_schema_and_dataclasses_name_the_same_fields() -> None:
    definitions = json.loads(SCHEMA.read_text(encoding="utf-8"))["$defs"]
    pairs = {"rung": Rung, "loss": Loss, "statistics": Statistics, "violation": Violation, "layer": LayerLoss}
    pairs["limit"] = AppliedLimit
    for name, kind in pairs.items():
        assert definitions[name]["properties"].keys() == {field.name for field in fields(kind)}
    renamed = {"losses": "steps", "quantization_layers": "layers", "lowering_layers": "layers"}
    expected = {renamed.get(field.name, field.name) for field in fields(Ladder)} | {"verdict", "rungs"}
    assert definitions["ladder"]["properties"].keys() == expected


def test_json_has_null_for_what_is_no_number() -> None:
    one = document(FAILING)["ladders"][0]
    assert one["violations"][1]["value"] is None
    assert one["error_ratio"] == {"camera": 1.02, "betas": None}
    assert one["layers"]["lowering"][1]["added"] is None
    assert one["steps"]["lowering"]["figures"]["keypoint_px.face"]["mean"] is None


def test_json_keeps_the_numbers_whole() -> None:
    odd = replace(PASSING, losses={"lowering": loss(QUANTIZED, ONNX, 1 / 3)})
    assert document(odd)["ladders"][0]["steps"]["lowering"]["figures"]["mpvpe_mm.all"]["mean"] == 1 / 3


@pytest.mark.parametrize(
    ("ladders", "verdict"), [((PASSING, INTERPRETED), "pass"), (ALL, "fail"), ((), "fail")], ids=len
)
def test_one_failure_fails_all(ladders: tuple[Ladder, ...], verdict: str) -> None:
    assert document(*ladders)["verdict"] == verdict


def test_one_ladder_is_a_sequence_of_one() -> None:
    for render in (report.as_text, report.as_json, report.as_junit, report.as_markdown, report.as_html):
        assert render(FAILING) == render([FAILING])


# JUnit.


def test_junit_counts_add_up() -> None:
    root = ElementTree.fromstring(report.as_junit(ALL))
    assert root.tag == "testsuites"
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == [one.bundle for one in ALL]
    for count, tag in (("tests", "testcase"), ("failures", "testcase/failure")):
        found = [len(suite.findall(tag)) for suite in suites]
        assert [int(suite.get(count, "")) for suite in suites] == found
        assert int(root.get(count, "")) == sum(found)
    assert [int(suite.get("failures", "")) for suite in suites] == [0, 4, 0, 4]


def test_junit_fails_the_figures_that_are_over_budget() -> None:
    root = ElementTree.fromstring(report.as_junit(FAILING))
    failed = {
        (case.get("classname"), case.get("name")): case.findtext("failure")
        for case in root.iter("testcase")
        if case.find("failure") is not None
    }
    assert failed == {(f"parity.{FAILING.bundle}.{v.step}", v.figure): str(v) for v in FAILING.violations}
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(names) == len(set(names))


def test_a_violation_without_a_figure_is_a_test_case_too() -> None:
    unknown = replace(OVER, step="lowering", figure="artifact.loads")
    root = ElementTree.fromstring(report.as_junit(ladder(violations=(unknown,))))
    assert [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None] == [
        "artifact.loads"
    ]


def test_junit_is_xml_whatever_the_names() -> None:
    odd = ladder(bundle='a<b>&"\x00\x1b', data="]]>\ufffe", violations=(replace(OVER, reason="<\x08&>"),))
    root = ElementTree.fromstring(report.as_junit(odd))
    assert root.find("testsuite").get("name") == 'a<b>&"\ufffd\ufffd'


# Text and Markdown.


def one_line(text: str) -> str:
    return " ".join(text.split())


def test_text_names_step_figure_value_limit_and_reason() -> None:
    text = report.as_text(FAILING)
    assert text.startswith("FAIL: coevoer-t-onnx-w8a8, 4 figures over budget 'default'\n")
    for violation in FAILING.violations:
        assert str(violation) in text
    assert "! mpvpe_mm.hand" in text
    assert "encoder.blocks.3.mlp.0" in text
    assert "keypoint_px" not in text  # no image counts for it
    assert report.as_text(PASSING).startswith("PASS: coevoer-t-onnx-w8a8, within budget 'default'\n")


def test_markdown_tables_are_rectangular() -> None:
    text = report.as_markdown(ALL)
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) > 10
    for table in tables:
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in table}) == 1, table[0]
    assert text.count("<details>") == text.count("</details>")
    assert "fingers &lt; arms &amp; legs" in text
    assert "recipe w8a8 &lt;default set>" in text


def test_a_pipe_stays_in_its_cell() -> None:
    assert "a \\| b" in report.as_markdown(ladder(violations=(replace(OVER, reason="a | b"),)))


@pytest.mark.parametrize("render", [report.as_text, report.as_junit, report.as_markdown, report.as_html])
def test_an_interpreter_is_never_called_a_runtime(render: Any) -> None:
    text = render(INTERPRETED)
    assert "coreml-reference (reference: an interpreter of the file, not the runtime of a device)" in text
    assert "(runtime)" not in text
    assert "(runtime)" in render(PASSING)
    assert document(INTERPRETED)["ladders"][0]["rungs"]["artifact"]["kind"] == "reference"


@pytest.mark.parametrize("render", [report.as_text, report.as_markdown, report.as_html])
def test_a_delegate_that_shows_no_layers_is_said_to(render: Any) -> None:
    assert "runs as one delegate that exposes no intermediate values" in one_line(render(DELEGATED))
    assert "ONNX Runtime, with the layers added" in one_line(render(FAILING))
    assert "run by the reference interpreter, which is not the runtime of a device" in one_line(render(INTERPRETED))


LIMIT_OF_HAND = "mean 0.25, max 7.75"


def test_text_shows_limits_beside_figures() -> None:
    lines = report.as_text(PASSING).splitlines()
    start = next(i for i, line in enumerate(lines) if re.match("  lowering .* max  limit$", line))
    assert re.search(rf"mpvpe_mm\.hand .* 1\.6  {LIMIT_OF_HAND}$", lines[start + 2])
    assert lines[start + 1].endswith("0.8")  # no limit for mpvpe_mm.all
    assert any(re.match(r"    camera +1\.02  1\.125$", line) for line in lines)
    assert "less two standard errors" in one_line(report.as_text(PASSING))


def test_markdown_shows_limits_beside_figures() -> None:
    text = report.as_markdown(PASSING)
    assert "| step | figure | mean | p50 | p95 | max | limit |" in text
    assert text.count(f"| lowering | mpvpe_mm.hand | 0.4 | 0.36 | 0.8 | 1.6 | {LIMIT_OF_HAND} |") == 2
    assert "| quantization | sqnr_db.camera | inf | inf | inf | inf | mean at least 31.5 |" in text
    assert "| camera | 1.02 | 1.125 |" in text


def test_html_shows_limits_beside_figures() -> None:
    text = report.as_html(PASSING)
    rows = [re.findall("<td.*?>(.*?)</td>", row) for row in re.findall("<tr.*?</tr>", text)]
    assert rows.count(["lowering", "mpvpe_mm.hand", "mm", "0.4", "0.36", "0.8", "1.6", LIMIT_OF_HAND]) == 2
    assert ["camera", "1.02", "1.125"] in rows
    assert ["betas", "inf", ""] in rows  # no limit


def test_junit_shows_limits_beside_figures() -> None:
    root = ElementTree.fromstring(report.as_junit(PASSING))
    told = {(case.get("classname"), case.get("name")): case.findtext("system-out") for case in root.iter("testcase")}
    lowering = f"parity.{PASSING.bundle}.lowering"
    assert f"(mm); limit: {LIMIT_OF_HAND}; worst images" in str(told[lowering, "mpvpe_mm.hand"])
    assert told[lowering, "error_ratio.camera"] == "1.02; limit: 1.125 less two standard errors"
    assert told[lowering, "error_ratio.betas"] == "inf"


def test_json_lists_limits() -> None:
    found = document(PASSING)["ladders"][0]["limits"]
    assert len(found) == len(LIMITS)
    assert found[3] == {
        "step": "lowering",
        "figure": "error_ratio.camera",
        "statistic": "mean",
        "limit": 1.125,
        "reason": "no farther from float",
    }


# HTML.


class Page(HTMLParser):
    """Checks that tags close in order, and collects what matters."""

    VOID = frozenset(("meta", "img", "br", "link", "input"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def rows() -> list[PictureRow]:
    tile = np.zeros((64, 48, 3), np.uint8)
    tiles = {"image": tile, "student": tile + 10, "quantized": tile + 12, "artifact": tile + 30, "ground truth": tile}
    return [PictureRow(7, "image 7. lowering: 1.23 mm, the <worst>", tiles)]


def test_html_stands_alone() -> None:
    text = report.as_html(ALL, {FAILING.bundle: rows()})
    page = Page(text)
    assert {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object"} == set()
    sources = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")]
    assert sources
    assert all(source and source.startswith(("data:image/jpeg;base64,", "#")) for source in sources)
    assert "url(" not in text
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text
    assert "width=device-width" in text


def test_html_has_the_verdict_at_the_top_and_every_violation() -> None:
    text = report.as_html(FAILING)
    page = Page(text)
    assert re.search(r"Parity: *FAIL", page.text)
    assert text.index("FAIL") < text.index("<table")
    over = re.findall(r'<tr class="over">(.*?)</tr>', text)
    for violation in FAILING.violations:
        assert any(violation.step in row and violation.figure in row for row in over)
        assert violation.reason in page.text
    assert '<tr class="over">' not in report.as_html(PASSING)


def test_html_tables_scroll_and_have_a_cell_a_title() -> None:
    text = report.as_html(ALL, {FAILING.bundle: rows()})
    tables = re.findall(r"<div class=\"scroll\" tabindex=\"0\"><table>.*?</table></div>", text)
    assert len(tables) == text.count("<table>") > 10
    for table in tables:
        lines = re.findall(r"<tr.*?</tr>", table)
        assert len({len(re.findall(r"<t[hd][ >]", line)) for line in lines}) == 1, lines[:2]


def test_html_shows_the_rungs_side_by_side_and_their_differences() -> None:
    page = Page(report.as_html(FAILING, rows()))
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert [picture["alt"] for picture in pictures] == [
        "image 7: image",
        "image 7: student",
        "image 7: quantized",
        "image 7: artifact",
        "image 7: ground truth",
        "image 7: student to quantized, difference x 4",
        "image 7: quantized to artifact, difference x 4",
    ]
    decoded = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(str(picture["src"]).partition(",")[2]))))
        for picture in pictures
    ]
    assert [int(picture.mean().round()) for picture in decoded] == [0, 10, 12, 30, 0, 8, 72]
    assert all(picture.shape == (64, 48, 3) for picture in decoded)
    assert "the <worst>" in page.text


def test_reports_know_every_step() -> None:
    assert set(result.STEPS) == FAILING.losses.keys()
    text = report.as_text(FAILING)
    for step in (*FAILING.losses, "export", "agreement with coevoer-t-coreml-w8a8"):
        assert f"\n  {step}  " in text or f"\n  {step}     " in text
