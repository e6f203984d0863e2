import numpy as np
import pytest

from scenes import surface_maps
from scenes.quantities.recipe_model import RecipeModel
from scenes.recipes.examples import KINDS, STAGE, catalogue, example, file_name

KINDS_BY_GROUP = [(group, kind) for group, kinds in catalogue().items() for kind in kinds]


@pytest.mark.parametrize(("group", "kind"), KINDS_BY_GROUP)
def test_every_kind_has_an_example_that_shows_it(group, kind):
    shown = example(group, kind)
    scenes = shown.scenes()
    assert len(scenes) == 3
    if group in ("defects", "impurities"):
        coarse = scenes[-1].model_copy(update={"texel_size": 2 * scenes[-1].texel_size})
        maps = surface_maps(coarse)
        classes = {entry.class_name for entry in getattr(shown.recipes[-1], group) if entry.kind == kind}
        assert classes & {instance.class_name for instance in maps.instances}
        assert all(np.isfinite(getattr(maps, name)).all() for name in ("height", "base_colour", "roughness", "normal"))
    else:
        assert getattr(shown.recipes[0], group).kind == kind


@pytest.mark.parametrize(("group", "kind"), KINDS_BY_GROUP)
def test_every_section_says_what_it_is(group, kind):
    section = catalogue()[group][kind]
    assert section.__doc__
    assert section.__doc__ != RecipeModel.__doc__


def test_no_example_is_left_over():
    assert {path.name for path in KINDS.glob("*.yaml")} - {STAGE.name} == {file_name(*each) for each in KINDS_BY_GROUP}
