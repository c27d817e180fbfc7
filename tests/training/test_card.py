"""The model card of trained weights."""

import json

import pytest
from click.testing import CliRunner

from coevoer_edge.model import build, checkpoint
from coevoer_edge.training.card import main
from coevoer_edge.training.run_folder import WEIGHTS, RunFolder

WORDS = ("--data", "20 synthetic people", "--hardware", "two cores")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("run")
    recipe = {"name": "cpu", "batch_size": 32}
    RunFolder(path).save({"step": 100, "seed": 3, "seconds": 1800.0, "recipe": recipe}, keep=False)
    checkpoint.save(build("coevoer-t"), path / WEIGHTS, trained=True)
    return path


def evaluated(path, run, **changes):
    figures = {kind: {"all": 90.04, "hand": 30.0, "face": 20.0} for kind in ("mpvpe_mm", "pa_mpvpe_mm")}
    _, origin = checkpoint.load(run / WEIGHTS)
    result = {"sha256": origin.sha256, "count": 2000, "domains": {"held-out look": figures}} | figures | changes
    path.write_text("a table\n" + json.dumps(result) + "\n")
    return path


def test_it_says_what_the_weights_are(run, tmp_path):
    card = tmp_path / "card.md"
    arguments = [run, "--evaluation", evaluated(tmp_path / "e.txt", run), *WORDS, "-o", card]
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    text = card.read_text()
    for part in (
        "# coevoer-t, trained on synthetic people",
        "100 steps of 32 images: 3,200 images in all",
        "two cores, 0.5 hours",
        "| both | 90.0 | 30.0 | 20.0 | 90.0 | 30.0 | 20.0 |",
        "| held-out look |",
        "Do not use the model to identify or judge people.",
    ):
        assert part in text


def test_figures_of_other_weights_are_refused(run, tmp_path):
    other = evaluated(tmp_path / "e.txt", run, sha256="0" * 64)
    result = CliRunner().invoke(main, [str(run), "--evaluation", str(other), *WORDS, "-o", str(tmp_path / "card.md")])
    assert result.exit_code == 2
    assert "The evaluation is of weights 0000000000000000, but the run's weights are" in result.output


def test_a_file_without_figures_is_refused(run, tmp_path):
    (tmp_path / "e.txt").write_text("no JSON\n")
    for file, message in (("e.txt", "does not end with a line of JSON"), ("none.txt", "There is no file")):
        arguments = [str(run), "--evaluation", str(tmp_path / file), *WORDS, "-o", str(tmp_path / "card.md")]
        assert message in CliRunner().invoke(main, arguments).output
