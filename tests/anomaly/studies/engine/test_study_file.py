"""Reading studies: what is refused and how, and what a change does to a recipe."""

import pytest
import yaml

from anomaly.studies.anomaly.scenarios import SCENARIOS, with_parents
from anomaly.studies.anomaly.twins import AS_BUILT, training_sets
from anomaly.studies.engine.study_file import StudyError, shipped_studies
from anomaly.studies.sources.renders import changed, held_out_sets
from anomaly.studies.study_file import load_study
from scenes import draw, load_recipe


def written(**changes):
    fields = {
        "name": "small",
        "surface": "plates",
        "imaging": "a camera",
        "seeds": [0],
        "real": {"dataset": "photos"},
        "synthetic": {"recipe": "plate", "frames": 4, "seed": 1, "lights": {"large": {"light.scale": 2}}},
    }
    for path, value in changes.items():
        *way, last = path.split("__")
        section = fields
        for name in way:
            section = section[name]
        section[last] = value
    return fields


def loaded(tmp_path, **changes):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(written(**changes)))
    return load_study(path)


@pytest.mark.parametrize("name", ["magnetic_tile", "plate"])
def test_shipped_studies_can_be_read_and_their_recipes_changed(name):
    assert name in shipped_studies()
    file = load_study(name)
    assert len(training_sets(file)) == 6
    assert (held_out_sets(file, file.study.real.rendered) == ()) == (name == "magnetic_tile")
    assert file.study.chosen == tuple(SCENARIOS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seeds": []}, r"seeds: found \[\]"),
        ({"seeds": [1, 1]}, r"seeds: found \[1, 1\]; expected at least one seed, and seeds that differ"),
        ({"seeds": [True]}, "seeds.0: found True"),
        ({"real": {}}, "real: found neither dataset nor rendered; expected one of them"),
        ({"real__train": 1}, "real.train: found 1; expected less than 1"),
        ({"real__trian": 0.5}, r"real.trian: unknown field; did you mean train\?"),
        ({"real__format": "png"}, "real.format: found 'png'; expected auto, blemish"),
        ({"synthetic__frames": 1.5}, "synthetic.frames: found 1.5"),
        ({"synthetic__frames": 1}, "synthetic.frames: found 1; expected greater than or equal to 2"),
        ({"inspector": {"bank": "many"}}, "inspector.bank: found 'many'"),
        ({"scenarios": ["Synth_RD"]}, r"scenarios: found 'Synth_RD'; did you mean Synth_DR\?"),
        ({"scenarios": []}, "scenarios: found an empty list"),
        ({"bootstrap": {"level": 1}}, "bootstrap.level: found 1; expected less than 1"),
        ({"hurry": 1}, r"hurry: unknown field \(allowed: name, task, surface"),
        ({"surface": 3}, "surface: found 3; expected a valid string"),
        (
            {"real": {"rendered": {"recipe": "plate", "frames": 4, "clean_frames": 4, "seed": 2}}},
            "found real.rendered.seed 2 and synthetic.seed 1, whose frames show the same surfaces",
        ),
    ],
)
def test_refusal_names_file_and_field(tmp_path, changes, said):
    with pytest.raises(StudyError, match=said) as refusal:
        loaded(tmp_path, **changes)
    assert str(refusal.value).startswith(str(tmp_path / "study.yaml: "))
    assert len(refusal.value.problems) == 1


def test_all_problems_are_told_at_once(tmp_path):
    with pytest.raises(StudyError) as refusal:
        loaded(tmp_path, seeds="one", real__validation=2, synthetic__seed=-1)
    assert len(refusal.value.problems) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [", "not valid YAML"),
        ("- a\n- b", "expected fields"),
        ("", "expected fields"),
        ("a: 1\na: 2", "a second"),
    ],
)
def test_what_is_no_study_is_refused(tmp_path, text, said):
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(StudyError, match=said):
        load_study(tmp_path / "study.yaml")


def test_missing_study_names_the_nearest_shipped_one(tmp_path):
    with pytest.raises(StudyError, match=r"did you mean plate\?"):
        load_study("plat")
    with pytest.raises(StudyError, match="found a folder"):
        load_study(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"synthetic__recipe": "plat"}, r"synthetic.recipe: .*no such file"),
        (
            {"synthetic__impurity": "rust"},
            "synthetic.impurity: found 'rust'; expected an impurity of plate: water_stains",
        ),
        (
            {"synthetic__changes": {"light.scael": 2}},
            r"synthetic.changes: light.scael: unknown field; did you mean scale\?",
        ),
        (
            {"synthetic__changes": {"lihgt.scale": 2}},
            "synthetic.changes: lihgt.scale: found 'lihgt'; expected name, part",
        ),
        ({"synthetic__changes": {"impurities.9.rings": 2}}, "found '9'; expected water_stains"),
        ({"synthetic__changes": {"light.scale.x.y": 2}}, "expected a path that ends before it"),
        ({"synthetic__lights": {"dark": {"light.scale": -2}}}, "synthetic.lights.dark: light.scale: found -2"),
    ],
)
def test_changes_that_lead_nowhere_are_refused(tmp_path, changes, said):
    file = loaded(tmp_path, **changes)
    with pytest.raises(StudyError, match=said):
        training_sets(file)


def test_changes_replace_fields_by_number_and_kind_and_leave_the_original():
    fields = {"a": {"b": 1}, "list": [{"kind": "dust", "count": 1}, {"kind": "fibre", "count": 2}]}
    assert changed(fields, {"a.b": 3, "list.fibre.count": 5, "list.0.count": 4, "a.new": 6}) == {
        "a": {"b": 3, "new": 6},
        "list": [{"kind": "dust", "count": 4}, {"kind": "fibre", "count": 5}],
    }
    assert fields["list"][0]["count"] == 1


def test_twins_differ_by_the_stains_alone_and_lights_by_their_changes(tmp_path):
    sets = training_sets(loaded(tmp_path, synthetic__changes={"impurities.water_stains.probability": 1}))
    clean, stained = sets[False, AS_BUILT], sets[True, AS_BUILT]
    assert clean.seed == stained.seed != sets[True, "large"].seed
    for index in range(3):
        scenes = [draw(one.recipe, one.seed, index) for one in (clean, stained)]
        assert scenes[0].layers == ()
        assert {layer.kind for layer in scenes[1].layers} == {"water_stains"}
        assert scenes[0].model_copy(update={"layers": scenes[1].layers}) == scenes[1]
    large = draw(sets[False, "large"].recipe, sets[False, "large"].seed, 0).light
    as_built = draw(load_recipe("plate"), sets[False, "large"].seed, 0).light
    assert large.panels[0].width == pytest.approx(2 * as_built.panels[0].width)


def test_parents_come_before_what_is_made_of_them():
    assert with_parents(("Melding_WS",)) == ("Real", "Synth_WS", "Synth_WS+DA", "Synth_WS+DR", "Melding_WS")
    assert with_parents(("Synth_DR+DA (ft)",)) == ("Synth_DR+DA", "Synth_DR+DA (ft)")
    for name, scenario in SCENARIOS.items():
        order = with_parents((name,))
        assert all(order.index(parent) < order.index(name) for parent in scenario.parents)
    assert len(SCENARIOS) == 23
