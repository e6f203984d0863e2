"""Corrosion as recipes describe it: series in time, and charts that are not flat."""

from itertools import pairwise

import numpy as np
import pytest

from procgen.surface.layer import SurfaceMaps
from scenes import Recipe, draw, load_recipe, surface_maps
from scenes.parts.arc_segment import arc_segment
from scenes.parts.plate import plate
from scenes.recipes.examples import example
from tests.scenes.conftest import changed

HOURS = (0, 24, 48, 72)


def at(hours: float, seed: int, recipe: Recipe) -> SurfaceMaps:
    scene = draw(changed(recipe, defects={"hours": hours}), seed, 0)
    return surface_maps(scene.model_copy(update={"texel_size": 4e-4}))


@pytest.mark.parametrize("seed", range(2))
def test_a_rusting_plate_is_a_series_that_only_grows(seed: int) -> None:
    recipe = load_recipe("rusting_steel")
    series = [at(hours, seed, recipe) for hours in HOURS]
    assert not series[0].classes.any()
    for before, after in pairwise(series):
        assert ((before.classes & after.classes) == before.classes).all()
        assert (after.classes != before.classes).any()


def test_the_rusting_plate_rusts_as_fast_as_photographed_bolts() -> None:
    recipe = load_recipe("rusting_steel")
    bit = 1 << recipe.class_bits["rust"]
    shares = [[((at(hours, seed, recipe).classes & bit) > 0).mean() for hours in HOURS] for seed in range(8)]
    assert np.mean(shares, axis=0) == pytest.approx([0, 0.02, 0.06, 0.13], abs=0.012)


@pytest.mark.parametrize("kind", ["filiform_corrosion", "pitting", "rust"])
def test_corrosion_lies_on_a_curved_chart_as_on_a_flat_one_of_its_size(kind: str) -> None:
    """Only the noise on outlines, a solid texture, is another one in other places."""
    curved = arc_segment(0.03, 0.036, 0.034, 0.003).surface
    shown = example("defects", kind)
    layer = draw(shown.recipes[-1], shown.seed, 0).layers[-1]
    masks = [
        layer.to_layer(chart).evaluate(chart.points(2e-4)).inside
        for chart in (curved, plate(*curved.size, 3e-3).surface)
    ]
    assert 0.005 < masks[0].mean() < 0.6
    assert (masks[0] != masks[1]).mean() < 0.4 * masks[0].mean()


@pytest.mark.parametrize("kind", ["filiform_corrosion", "pitting", "rust"])
def test_more_severe_is_further_in_time(kind: str) -> None:
    shown = example("defects", kind)
    small = [scene.model_copy(update={"texel_size": 2e-4}) for scene in shown.scenes()]
    mild, medium, gross = (surface_maps(scene).classes > 0 for scene in small)
    assert medium[mild].all()
    assert gross[medium].all()
    assert mild.sum() < medium.sum() < gross.sum()
