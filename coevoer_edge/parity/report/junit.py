"""A parity run as JUnit XML, which GitHub, GitLab and Jenkins show. In: `Ladder`s. Out: XML.

A suite is a bundle, and a test case is a figure of a step. A figure that is over budget is a failure.
"""

import re
from collections.abc import Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from coevoer_edge.parity.report import words
from coevoer_edge.parity.report.words import Ladders
from coevoer_edge.parity.result import Ladder, Violation

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(ladders: Ladders) -> str:
    """All suites in one document."""
    found = words.each(ladders)
    root = Element("testsuites", name="parity")
    suites = [_suite(root, ladder) for ladder in found]
    for count in ("tests", "failures"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    root.set("errors", "0")
    root.set("time", f"{sum(ladder.seconds for ladder in found):.3f}")
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(root: Element, ladder: Ladder) -> Element:
    suite = SubElement(root, "testsuite", name=_clean(ladder.bundle))
    properties = {
        "target": ladder.target,
        "precision": ladder.precision,
        "data": ladder.data,
        "images": str(ladder.images),
        "budget": ladder.budget,
        **{f"{name} ran by": words.ran_by(rung) for name, rung in words.rungs(ladder).items()},
    }
    holder = SubElement(suite, "properties")
    for name, value in properties.items():
        SubElement(holder, "property", name=name, value=_clean(value))
    told: list[Violation] = []
    for step, name, figure in words.rows(ladder):
        unit = words.unit(name)
        values = zip(words.STATISTICS, words.values(figure), strict=True)
        output = ", ".join(f"{statistic} {value}" for statistic, value in values) + (f" ({unit})" if unit else "")
        limit = words.limit(ladder, step, name)
        output += f"; limit: {limit}" if limit else ""
        worst = f"; worst images: {', '.join(map(str, figure.worst))}" if figure.worst else ""
        told += _case(suite, ladder, step, name, output + worst)
    for name, ratio, limit in words.ratios(ladder):
        held = f"; limit: {limit} less two standard errors" if limit else ""
        told += _case(suite, ladder, "lowering", f"error_ratio.{name}", ratio + held)
    for violation in ladder.violations:
        if violation not in told:
            told += _case(suite, ladder, violation.step, violation.figure, "")
    cases = suite.findall("testcase")
    failures = sum(case.find("failure") is not None for case in cases)
    suite.attrib |= {"tests": str(len(cases)), "failures": str(failures), "errors": "0", "skipped": "0"}
    suite.set("time", f"{ladder.seconds:.3f}")
    return suite


def _case(suite: Element, ladder: Ladder, step: str, figure: str, output: str) -> Sequence[Violation]:
    violations = words.violations(ladder, step, figure)
    classname = f"parity.{ladder.bundle}.{step}"
    case = SubElement(suite, "testcase", classname=_clean(classname), name=_clean(figure), time="0")
    if violations:
        message = "; ".join(map(str, violations))
        SubElement(case, "failure", message=_clean(message), type="over budget").text = _clean(message)
    if output:
        SubElement(case, "system-out").text = _clean(output)
    return violations


def _clean(text: str) -> str:
    """Remove the characters that XML does not allow."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
