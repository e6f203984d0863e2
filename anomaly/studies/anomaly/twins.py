"""The sets of renders that a study of inspectors trains on: with an impurity and without it, under every light."""

from __future__ import annotations

from anomaly.studies.anomaly.settings import Study
from anomaly.studies.engine.study_file import StudyFile
from anomaly.studies.sources.renders import RenderedSet, recipe_with
from scenes.quantities.distribution import shown

AS_BUILT = "as built"  # the light of the recipe itself


def training_sets(file: StudyFile[Study]) -> dict[tuple[bool, str], RenderedSet]:
    """Renders to train on by (with the impurity, name of the light); twins have one seed, lights have their own."""
    synthetic = file.study.synthetic
    impurities = _impurities(file)
    sets = {}
    for number, (light, changes) in enumerate({AS_BUILT: {}, **synthetic.lights}.items()):
        field = f"synthetic.lights.{light}" if changes else "synthetic.changes"
        recipe = recipe_with(file, synthetic.recipe, "synthetic.recipe", {**synthetic.changes, **changes}, field)
        for stained in (False, True):
            off = [f"impurities.{k}" for k, kind in enumerate(impurities) if kind != synthetic.impurity]
            twin = recipe.model_copy(
                update={"switched_off": ("defects", *(off if stained else ["impurities"]), *recipe.switched_off)}
            )
            name = f"{'stained' if stained else 'clean'}, {light}"
            sets[stained, light] = RenderedSet(name, twin, synthetic.frames, synthetic.seed + number, synthetic.samples)
    return sets


def _impurities(file: StudyFile[Study]) -> list[str]:
    synthetic = file.study.synthetic
    recipe = recipe_with(file, synthetic.recipe, "synthetic.recipe", synthetic.changes, "synthetic.changes")
    kinds: list[str] = [entry.kind for entry in recipe.impurities]
    if synthetic.impurity not in kinds:
        raise file.error(
            "synthetic.impurity",
            f"found {shown(synthetic.impurity)}; expected an impurity of {synthetic.recipe}: "
            f"{', '.join(kinds) or 'it has none'}",
        )
    return kinds
