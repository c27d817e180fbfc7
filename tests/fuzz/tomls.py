"""Damaged recipes and budgets: tables with unusual values, and bytes of the files."""

import tomllib
from pathlib import Path

import numpy as np
from damage import ODD_VALUES, damaged_bytes, damaged_table

from coevoer_edge import recipes
from coevoer_edge.evaluation.golden import BUDGETS
from coevoer_edge.lowering.recipe import ExportRecipe
from coevoer_edge.parity.budget import Budget
from coevoer_edge.quantization.recipe import QuantizationRecipe
from coevoer_edge.training.recipe import RECIPE_FOLDER, TrainingRecipe

FILES = (
    *((path, QuantizationRecipe) for path in sorted(recipes.folder("quantization").glob("*.toml"))),
    *((path, ExportRecipe) for path in sorted(recipes.folder("export").glob("*.toml"))),
    *((path, Budget) for path in sorted(recipes.folder(BUDGETS).glob("*.toml"))),
    *((path, TrainingRecipe) for path in sorted(RECIPE_FOLDER.glob("*.toml"))),
)
ODD = tuple(value for value in ODD_VALUES if value is not None)  # TOML has no null


def run(case: int, folder: Path) -> None:
    rng = np.random.default_rng((2, case))
    path, cls = FILES[case % len(FILES)]
    if case // len(FILES) % 2:
        damaged = folder / "damaged.toml"
        damaged.write_bytes(damaged_bytes(path.read_bytes(), rng))
        cls.open(damaged)
        return
    table = damaged_table(tomllib.loads(path.read_text(encoding="utf-8")), rng, ODD)
    if cls is TrainingRecipe:
        TrainingRecipe.of(table, "recipe")
    elif cls is Budget:
        Budget.of(table, "Budget")
    else:
        recipes.into(cls, table, "recipe")
