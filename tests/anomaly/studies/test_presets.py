"""The studies that ship: every profile can be read, its learners built from settings, its recipes drawn."""

import pytest

from anomaly.studies.engine.study import DownstreamStudy
from anomaly.studies.engine.study_file import StudyError, checked, fields_of, shipped_studies, study_path
from anomaly.studies.registry import task_named
from anomaly.studies.sources.renders import held_out_sets, recipe_with
from anomaly.studies.study_file import FULL, PROFILES, load_any, load_study
from scenes import draw

DOWNSTREAM = [name for name in shipped_studies() if fields_of(study_path(name)).get("task", "anomaly") != "anomaly"]


def test_the_reader_of_inspectors_studies_says_who_reads_the_others():
    with pytest.raises(StudyError, match="task: found classification; expected anomaly: `blemish study` runs"):
        load_study("tile_classification")


def test_eight_studies_ship_beside_those_of_inspectors():
    assert set(shipped_studies()) - set(DOWNSTREAM) == {"magnetic_tile", "plate"}
    assert len(DOWNSTREAM) == 8


@pytest.mark.parametrize(
    ("name", "profile"),
    [(name, profile) for name in DOWNSTREAM for profile in (FULL, *fields_of(study_path(name)).get(PROFILES, ()))],
)
def test_every_profile_can_be_read_and_every_arm_has_a_learner_and_pictures(name, profile):
    file = load_any(name, profile=profile)
    study = file.study
    assert isinstance(study, DownstreamStudy)
    assert len(study.seeds) == 3
    for arm, settings in study.every_arm.items():
        checked({**study.learner, **settings.learner}, task_named(study.task).settings, file.path, arm)
    sets = [held_out.recipe for held_out in held_out_sets(file, study.real.rendered)]
    assert len(sets) == 2, "renders stand for photographs where there are none"
    for name, source in study.datasets.items():
        if source.rendered is not None:
            wanted = source.rendered
            sets.append(recipe_with(file, wanted.recipe, name, wanted.changes, name))
            assert wanted.seed not in (study.real.rendered.seed, study.real.rendered.seed + 1)
    for recipe in sets:
        assert draw(recipe, 0, 0).part.kind == recipe.part.kind
