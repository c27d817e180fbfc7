"""The documentation: it builds, its links have targets, and its pages on commands match their help."""

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from derive.command_reference import PAGE, page

ROOT = Path(__file__).parent.parent
README_LINES = 120
HOST = "https://github.com/coevoer-edge/coevoer-edge/"


@cache
def pages() -> dict[str, str]:
    """Every Markdown file that git knows, by its path."""
    listed = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0 or not listed.stdout:
        pytest.skip(f"git knows no files here: {listed.stderr.strip() or 'not a checkout'}")
    names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    return {name: (ROOT / name).read_text(encoding="utf-8") for name in names}


def links(text: str) -> list[str]:
    """Targets of Markdown links and of HTML images, without anchors."""
    found = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    return [target.partition("#")[0] for target in found]


def test_links_are_found():
    assert links('[a](b/c.md#d) ![e](f.png) <img src="g.jpg"> [h](https://i)') == [
        "b/c.md",
        "f.png",
        "https://i",
        "g.jpg",
    ]


def test_every_link_to_a_file_leads_to_one():
    broken = [
        f"{name}: {target}"
        for name, text in pages().items()
        for target in links(text)
        if target and "://" not in target and not (ROOT / name).parent.joinpath(target).exists()
    ]
    assert broken == []


def test_every_link_to_the_repository_leads_to_a_file_in_it():
    broken = [
        f"{name}: {target}"
        for name, text in pages().items()
        for target in links(text)
        if (found := re.match(rf"{HOST}(?:blob|tree)/main/(.+)", target)) and not (ROOT / found[1]).exists()
    ]
    assert broken == []


def test_every_module_that_is_run_exists():
    missing = [
        f"{name}: {module}"
        for name, text in pages().items()
        for module in re.findall(r"-m ((?:coevoer_edge|derive)(?:\.[a-z_]+)*\b)", text)
        for path in [ROOT / module.replace(".", "/")]
        if not path.with_suffix(".py").is_file() and not (path / "__main__.py").is_file()
    ]
    assert missing == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_the_command_reference_is_what_the_commands_say():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m derive.command_reference"


def test_the_site_builds_without_warnings(tmp_path):
    pytest.importorskip("zensical", reason="zensical comes with pip install -e '.[docs]'")
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    (tmp_path / "mkdocs.yml").write_text(config, encoding="utf-8")
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    reference = (tmp_path / "site" / "reference" / "api" / "index.html").read_text(encoding="utf-8")
    assert "detect_for_video" in reference
