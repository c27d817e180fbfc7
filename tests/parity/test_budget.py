"""Budgets: what a file may say, and what is over."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from coevoer_edge.errors import InputError
from coevoer_edge.parity.budget import ERROR_RATIOS, FIGURES, Budget, Limit
from coevoer_edge.parity.result import Statistics

LIMIT = Limit("quantization", "mpvpe_mm.all", "mean", 0.5, "a reason")


def figure(mean: float, worst: float | None = None) -> Statistics:
    return Statistics(mean, mean, mean, mean if worst is None else worst, 4, (0,))


def budget(*limits: Limit) -> Budget:
    return Budget("mine", limits)


def message_of(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        Budget.open(path)
    return str(error.value).replace(str(path), "FILE")


def test_the_default_budget_holds_what_was_promised() -> None:
    default = Budget.open()

    def limits(step: str, precision: str) -> dict[str, float]:
        chosen = [x for x in default.limits if x.step == step and precision in x.precision]
        return {name: limit.limit for limit in chosen for name in limit.figures}

    def mm(all_: float, hand: float, face: float) -> dict[str, float]:
        return {"mpvpe_mm.all": all_, "mpvpe_mm.hand": hand, "mpvpe_mm.face": face}

    assert default.name == "default"
    for precision in ("w8a8", "fp16", "fp32"):
        assert limits("quantization", precision) == mm(0.5, 0.25, 0.15)
        assert limits("export", precision) == mm(1, 0.5, 0.3)
    assert limits("lowering", "w8a8") == dict.fromkeys(ERROR_RATIOS, 1.1) | mm(0.5, 0.25, 0.15)
    assert limits("lowering", "fp16") == limits("lowering", "fp32") == mm(0.1, 0.1, 0.1)
    assert limits("agreement", "w8a8") == mm(0.5, 0.25, 0.15)
    assert all(limit.reason and "\n" not in limit.reason for limit in default.limits)


def test_the_budget_of_the_embedded_model_holds_every_figure_that_the_default_does() -> None:
    def held(budget: Budget) -> set[tuple[str, str, str]]:
        return {(x.step, name, precision) for x in budget.limits for name in x.figures for precision in x.precision}

    embedded = Budget.open("coevoer-t")
    assert held(embedded) == held(Budget.open())
    (ratio,) = {x.limit for x in embedded.limits if set(x.figures) & set(ERROR_RATIOS)}
    assert ratio == 1.1


def test_a_violation_names_step_part_figure_and_limit() -> None:
    (violation,) = budget(LIMIT).check("quantization", {"mpvpe_mm.all": figure(0.61)}, "w8a8")
    assert str(violation) == "quantization: mpvpe_mm.all mean is 0.61 (limit 0.5: a reason)"


@pytest.mark.parametrize(
    ("value", "passes"), [(0.0, True), (0.5, True), (0.5001, False), (math.inf, False), (math.nan, False)]
)
def test_at_most_the_limit_and_not_nan(value: float, passes: bool) -> None:
    assert bool(budget(LIMIT).check("quantization", {"mpvpe_mm.all": figure(value)}, "w8a8")) != passes


@pytest.mark.parametrize(("value", "passes"), [(40.0, True), (math.inf, True), (29.0, False), (math.nan, False)])
def test_sqnr_is_at_least_its_limit(value: float, passes: bool) -> None:
    limit = replace(LIMIT, figure="sqnr_db.camera", limit=30)
    assert bool(budget(limit).check("quantization", {"sqnr_db.camera": figure(value)}, "w8a8")) != passes


def test_only_its_own_step_precision_and_statistic_count() -> None:
    figures = {"mpvpe_mm.all": figure(9)}
    assert budget(LIMIT).check("lowering", figures, "w8a8") == ()
    assert budget(replace(LIMIT, precision=("fp16",))).check("quantization", figures, "w8a8") == ()
    worst = budget(replace(LIMIT, statistic="max"))
    assert worst.check("quantization", {"mpvpe_mm.all": figure(0.1, worst=0.4)}, "w8a8") == ()
    assert len(worst.check("quantization", {"mpvpe_mm.all": figure(0.1, worst=0.6)}, "w8a8")) == 1


def test_a_pattern_stands_for_every_figure_that_it_matches() -> None:
    limit = replace(LIMIT, figure="mpvpe_mm.*")
    assert limit.figures == ("mpvpe_mm.all", "mpvpe_mm.hand", "mpvpe_mm.face")
    over = budget(limit).check("quantization", {name: figure(1) for name in FIGURES}, "w8a8")
    assert [violation.figure for violation in over] == list(limit.figures)


def test_error_ratios_are_of_lowering() -> None:
    limits = budget(Limit("lowering", "error_ratio.*", "mean", 1.1, "a reason", ("w8a8",)))
    (violation,) = limits.check_ratios({"camera": 1.2, "betas": 1.0}, "w8a8")
    assert (violation.step, violation.figure) == ("lowering", "error_ratio.camera")
    assert limits.check_ratios({"camera": 1.2}, "fp16") == ()


def test_limits_are_told_whether_kept_or_not() -> None:
    pattern = replace(LIMIT, figure="mpvpe_mm.*")
    held = budget(pattern, replace(LIMIT, step="lowering")).applied("quantization", ["mpvpe_mm.all"], "w8a8")
    assert [(x.step, x.figure, x.statistic, x.limit, x.reason) for x in held] == [
        ("quantization", "mpvpe_mm.all", "mean", 0.5, "a reason")
    ]
    assert budget(replace(LIMIT, precision=("fp16",))).applied("quantization", ["mpvpe_mm.all"], "w8a8") == ()
    (named,) = budget(replace(LIMIT, step="agreement")).applied(
        "agreement", ["mpvpe_mm.all"], "w8a8", "agreement with b"
    )
    assert named.step == "agreement with b"


ONE = """\
name = "mine"
[[limit]]
step = "lowering"
figure = "mpvpe_mm.all"
statistic = "mean"
limit = 1
reason = "x"
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"lowering"', '"rounding"', "Budget: step 'rounding'; valid: distillation, quantization, lowering, export, "),
        ("mpvpe_mm.all", "mpvpe_mm.legs", "Budget, lowering: mpvpe_mm.legs is no figure of that step; valid: mpvpe_mm"),
        ("mpvpe_mm.all", "worst_vertex_mm.all", "Budget, lowering: worst_vertex_mm.all is no figure of that step; "),
        ('"mean"', '"median"', "Budget, lowering: mpvpe_mm.all: statistic 'median'; valid: mean, p50, p95, max"),
        ("= 1", "= nan", "Budget FILE: limit is nan; it must be a finite number."),
        ("= 1", "= true", "Budget FILE: limit is True; it must be a finite number."),
        ("= 1", '= "1"', "Budget FILE: limit is '1'; it must be a finite number."),
        ('"x"', '" "', "Budget, lowering: mpvpe_mm.all: reason ' '; state in one line where the limit comes from."),
        ('reason = "x"\n', "", "Budget FILE: missing 'reason'; it takes figure, limit, reason, statistic, step"),
        ('"x"', '"x"\nunit = "mm"', "Budget FILE: unknown 'unit'; it takes figure, limit, precision, reason, "),
        ('"x"', '"x"\nprecision = ["int4"]', "Budget, lowering: mpvpe_mm.all: precision 'int4'; valid: w8a8, fp16, "),
        ('"x"', '"x"\nprecision = "w8a8"', "Budget FILE: precision is 'w8a8'; it must be a list."),
        (
            "mpvpe_mm.all",
            "error_ratio.camera",
            "Budget, lowering: error_ratio.camera: an error ratio is one number, of",
        ),
        ('name = "mine"', "", "Budget FILE has limit; it takes a name and [[limit]] tables."),
        ("[[limit]]", "[limit]", "Budget FILE: 'limit' is not a list of tables; write each as [[limit]]."),
    ],
)
def test_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message_of(tmp_path, ONE.replace(old, new, 1)).startswith(message)


def test_missing_budget() -> None:
    with pytest.raises(InputError) as error:
        Budget.open("mine.toml")
    assert str(error.value) == (
        "No quantization/budgets recipe 'mine.toml'; valid: coevoer-t, default, or the path of a .toml file."
    )
