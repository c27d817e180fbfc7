"""Reports of a parity run: text for the terminal, JSON, JUnit for CI servers, Markdown for pull requests, HTML.

In: one `Ladder` or several. Out: text; `as_dict` gives what `schema.json` beside this file describes.
"""

from coevoer_edge.parity.report.html import as_html
from coevoer_edge.parity.report.json_report import as_dict, as_json
from coevoer_edge.parity.report.junit import as_junit
from coevoer_edge.parity.report.markdown import as_markdown
from coevoer_edge.parity.report.text import as_text

__all__ = ["as_dict", "as_html", "as_json", "as_junit", "as_markdown", "as_text"]
