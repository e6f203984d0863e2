"""Every finish that a recipe can name, over all that its schema admits."""

import math
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from scenes.catalogue.registry import SceneFinish
from scenes.quantities.distribution import Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import RecipeModel
from scenes.recipes.examples import catalogue

FINISHES = catalogue()["finish"]
POINTS = np.random.default_rng(1).uniform(-0.2, 0.2, (200, 3))


def anything(section: type[RecipeModel], kind: str, rng: np.random.Generator) -> dict[str, Any]:
    """A section with each of its quantities at one end of what it allows, or anywhere between."""
    written: dict[str, Any] = {"kind": kind, "base_colour": rng.random(3).tolist()}
    for name, field in section.model_fields.items():
        for within in (entry for entry in field.metadata if isinstance(entry, Within)):
            between = rng.uniform(within.low, within.high)
            if within.low > 0:
                between = math.exp(rng.uniform(math.log(within.low), math.log(within.high)))
            value = rng.choice([within.low, between, within.high])
            written[name] = round(value) if within.whole else float(value)
    return written


@pytest.mark.parametrize("kind", FINISHES)
def test_whatever_the_schema_admits_is_a_finite_surface_and_survives_json(kind: str) -> None:
    rng = np.random.default_rng(7)
    drawn = 0
    scene_finish: TypeAdapter[Any] = TypeAdapter(SceneFinish)
    for index in range(60):
        try:
            recipe = FINISHES[kind].model_validate(anything(FINISHES[kind], kind, rng))
        except ValidationError:  # fields that do not go together
            continue
        finish = recipe.sample(RandomStream(0, index))  # type: ignore[attr-defined]
        sample = finish.evaluate(POINTS)
        for values in (sample.height, sample.base_colour, sample.roughness, sample.metallic):
            assert np.isfinite(values).all()
        assert sample.lay is None or np.isfinite(sample.lay).all()
        assert scene_finish.validate_json(scene_finish.dump_json(finish)) == finish
        drawn += 1
    assert drawn >= 10
