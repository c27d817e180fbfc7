"""Training recipes, and the quantities that depend on seed and step."""

from dataclasses import replace

import pytest

from coevoer_edge.errors import InputError
from coevoer_edge.training.recipe import TrainingRecipe, names
from coevoer_edge.training.schedule import ENDLESS, Order, StepSampler, learning_rate

MINIMAL = 'name = "x"\nbatch_size = 8\nsteps = 100\nlr = 1e-3\n'


@pytest.mark.parametrize("name", names())
def test_a_recipe_survives_a_checkpoint(name):
    recipe = TrainingRecipe.open(name)
    assert TrainingRecipe.of(recipe.table(), "checkpoint") == recipe


def test_the_paper_s_learning_rate():
    assert TrainingRecipe.open("paper").lr == 1e-4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr = 1", "missing 'batch_size', 'name', 'steps'"),
        (MINIMAL + "momentum = 1", "unknown 'momentum'"),
        (MINIMAL + "[loss]\nhands = 1.0", r"\[loss\]: unknown 'hands'"),
        (MINIMAL + 'precision = "int8"', "precision is 'int8'; valid are fp32, bf16"),
        (MINIMAL + 'schedule = "wsd"', "schedule is 'wsd' and decay_share is 0.0; wsd needs a decay_share above 0"),
        (MINIMAL + "decay_share = 0.5", "schedule is 'constant' and decay_share is 0.5"),
        (MINIMAL + "ema_decay = 1.0", "ema_decay is 1.0; it must be at least 0 and below 1."),
        (MINIMAL + "[augmentation]\nscale = [0.0, 1.0]", "it must be \\[low, high\\] with 0 < low <= high."),
        ("= 3", "is not a TOML file"),
    ],
)
def test_a_bad_recipe_is_refused(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        TrainingRecipe.open(path)


def test_an_unknown_recipe_names_the_valid_ones():
    with pytest.raises(InputError, match="There is no training recipe 'fast'; valid are cpu, further, paper, scratch"):
        TrainingRecipe.open("fast")


def test_the_learning_rate_warms_up_and_falls(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL + 'warmup_steps = 10\nschedule = "cosine"\nfinal_lr_share = 0.1')
    recipe = TrainingRecipe.open(path)
    rates = [learning_rate(recipe, step) for step in range(101)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == rates[9] == rates[10] == 1e-3
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(1e-4)


def test_a_longer_run_goes_on_as_if_it_had_been_planned_so(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL + 'warmup_steps = 10\nschedule = "wsd"\ndecay_share = 0.2\nfinal_lr_share = 0.1')
    recipe = TrainingRecipe.open(path)
    rates = [learning_rate(recipe, step) for step in range(101)]
    assert rates[0] == pytest.approx(1e-4)
    assert set(rates[9:81]) == {1e-3}
    assert rates[90] == pytest.approx(5.5e-4)
    assert rates[100] == pytest.approx(1e-4)
    longer = replace(recipe, steps=200)
    assert [learning_rate(longer, step) for step in range(81)] == rates[:81]


def test_every_epoch_shows_each_sample_once():
    order = Order(10, seed=0)
    first, second = ([order[10 * epoch + i] for i in range(10)] for epoch in (0, 1))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert [order[i] for i in range(10)] == first  # going back gives the same order


def test_an_endless_source_is_read_in_order():
    assert [Order(ENDLESS, seed=3)[i] for i in (0, 5, 10**6)] == [0, 5, 10**6]


def test_processes_share_the_batch():
    def batches(rank: int, processes: int, first: int = 0) -> list[list[int]]:
        return list(StepSampler(Order(10, 0), 4, first, 6, rank, processes))

    alone, halves = batches(0, 1), zip(batches(0, 2), batches(1, 2), strict=True)
    assert [a + b for a, b in halves] == alone
    assert batches(0, 1, first=3) == alone[3:]
