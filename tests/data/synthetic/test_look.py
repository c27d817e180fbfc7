"""Looks: the two domains share nothing, the same seed gives the same look, every number is in range."""

import dataclasses

import numpy as np
import pytest

from coevoer_edge.data.synthetic.background import PHOTOGRAPHS
from coevoer_edge.data.synthetic.fabric import WEAVES
from coevoer_edge.data.synthetic.kinds import ALL_KINDS, HAIR_COLORS, KINDS
from coevoer_edge.data.synthetic.look import draw_look
from derive.photographs import SKIMAGE, SKLEARN

SHARED = {"none"}  # nothing is worn, nothing is in front


def leaves(value):
    if dataclasses.is_dataclass(value):
        return [leaf for field in dataclasses.fields(value) for leaf in leaves(getattr(value, field.name))]
    return [value]


@pytest.mark.parametrize("family", list(KINDS))
def test_the_domains_share_no_kind(family):
    assert set(KINDS[family]["train"]) & set(KINDS[family]["held_out"]) <= SHARED


def test_the_domains_share_no_hair_colour():
    assert not {tuple(c) for c in HAIR_COLORS["train"]} & {tuple(c) for c in HAIR_COLORS["held_out"]}


def test_a_domain_draws_only_its_own_kinds():
    for domain in ("train", "held_out"):
        for seed in range(60):
            look = draw_look(np.random.default_rng(seed), domain)
            assert look.background.kind in KINDS["background"][domain]
            assert look.background.photograph in KINDS["photograph"][domain]
            assert look.cloth.fabric in KINDS["fabric"][domain]
            assert look.hair.kind in KINDS["hair"][domain]
            assert look.hair.headwear in KINDS["headwear"][domain]
            assert look.light.kind in KINDS["light"][domain]
            assert look.occluder.kind in KINDS["occluder"][domain]


def test_every_kind_has_what_draws_it():
    assert set(ALL_KINDS["fabric"]) == set(WEAVES)
    assert set(ALL_KINDS["photograph"]) == {*SKIMAGE, *SKLEARN} == {path.stem for path in PHOTOGRAPHS.glob("*.jpg")}
    assert sum(path.stat().st_size for path in PHOTOGRAPHS.iterdir()) < 1.2e6


def test_the_same_seed_gives_the_same_look():
    first, second = (leaves(draw_look(np.random.default_rng(5), "train")) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_numbers_are_finite_and_shapes_do_not_change():
    shapes = set()
    for seed in range(40):
        values = leaves(draw_look(np.random.default_rng(seed), ("train", "held_out")[seed % 2]))
        assert all(np.isfinite(v).all() for v in values if not isinstance(v, str))
        shapes.add(tuple(np.shape(v) for v in values))
    assert len(shapes) == 1
