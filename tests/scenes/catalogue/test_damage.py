"""Deformation and loss of material at the limits of what a recipe may say."""

import numpy as np
import pytest
from pydantic import ValidationError

from procgen.surface.layer import SurfacePoints
from scenes.parts.arc_segment import arc_segment
from scenes.parts.plate import plate
from scenes.quantities.distribution import Within
from scenes.quantities.random_stream import RandomStream
from scenes.recipes.examples import catalogue, example

KINDS = ("blowhole", "bump", "chipped_edge", "dent", "gouge", "pore", "scratch", "wear")
FEW = {"count": 2, "pores": 20, "hollows": 3}  # enough of what is counted


def limits(section):
    """Field -> the least and the most that the section allows it."""
    found = {}
    for name, field in section.model_fields.items():
        within = [entry for entry in field.metadata if isinstance(entry, Within)]
        if within and name not in FEW:
            found[name] = (within[0].low, within[0].high)
    return found


@pytest.mark.parametrize("curved", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_recipe_may_say_gives_a_finite_surface(kind, curved):
    section = catalogue()["defects"][kind]
    bounds = limits(section)
    assert len(bounds) > 4
    chart = (arc_segment(0.02, 0.034, 0.03, 0.005) if curved else plate(0.04, 0.034, 0.003)).surface
    points = SurfacePoints.of(chart.points(6e-4))
    rng = np.random.default_rng(7)
    valid = 0
    for attempt in range(16):
        ends = rng.integers(0, 2, len(bounds)) if attempt > 1 else np.full(len(bounds), attempt)
        fields = {name: float(bound[end]) for (name, bound), end in zip(bounds.items(), ends, strict=True)}
        fields |= {name: count for name, count in FEW.items() if name in section.model_fields}
        try:
            recipe = section.model_validate({"kind": kind, **fields})
        except ValidationError:
            continue
        valid += 1
        for layer in recipe.sample(chart, RandomStream(attempt, 0)):
            assert type(layer).model_validate_json(layer.model_dump_json()) == layer
            with np.errstate(divide="raise", invalid="raise"):
                sample = layer.to_layer(chart).evaluate(points)
            for name in ("height", "reflectance", "roughness", "metallic", "opacity"):
                assert np.isfinite(getattr(sample, name)).all(), (name, fields)
    assert valid >= 4


@pytest.mark.parametrize("kind", KINDS)
def test_severity_grows_what_is_seen(kind):
    """From barely visible to as written, the relief grows at every step."""
    shown = example("defects", kind)
    chart = plate(0.04, 0.034, 0.003).surface
    points = chart.points(2e-4)
    changes = []
    for severity in (0.0, 0.5, 1.0):
        (entry,) = (entry for entry in shown.recipes[-1].defects if entry.kind == kind)
        recipe = type(entry).model_validate(entry.model_dump(mode="json") | {"severity": severity})
        (layer,) = recipe.sample(chart, RandomStream(shown.seed, 0).at("defects").at(0))
        sample = layer.to_layer(chart).evaluate(points)
        changes.append(float(np.abs(sample.height).sum()))
    assert 0 < changes[0] < changes[1] < changes[2]


def test_a_dent_deeper_than_its_ball_allows_is_told_before_it_is_drawn():
    section = catalogue()["defects"]["dent"]
    with pytest.raises(ValidationError, match=r"depth_um up to 900 with a diameter_mm from 3; expected at most 450"):
        section.model_validate({"kind": "dent", "count": 1, "diameter_mm": 3, "depth_um": 900})
