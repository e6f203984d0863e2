"""A whole study on tiny pictures: what is made anew after a change, after a kill, and after damage; and its report."""

import ast
import hashlib
import json
import re
import shutil
from collections import Counter

import numpy as np
import pytest
import timm
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

from anomaly.inspection.inspector import Inspector, InspectorError
from anomaly.studies.anomaly import banks, run
from anomaly.studies.anomaly.report import write_study
from anomaly.studies.anomaly.run import run_study
from anomaly.studies.anomaly.scenarios import SCENARIOS
from anomaly.studies.anomaly.sets import split_real, trouble_with
from anomaly.studies.anomaly.steps import BANKS, EVALUATIONS
from anomaly.studies.anomaly.twins import training_sets
from anomaly.studies.engine import cache as caches
from anomaly.studies.engine.cache import Cache, content_of, key_of, meaning
from anomaly.studies.engine.study_file import StudyError
from anomaly.studies.sources.renders import RenderingError, render
from anomaly.studies.study_file import load_study
from procgen.surface.layer import Instance
from scenes import Dataset, DatasetWriter, draw, load_recipe
from scenes.formats.registry import read_samples
from scenes.jobs.local import Local

HEIGHT, WIDTH = 48, 64


class Steps:
    """Notes which steps are new; may kill the run at a call."""

    def __init__(self, kill_at=None):
        self.new, self.calls, self.kill_at, self.steps, self.begun = [], 0, kill_at, 0, 0

    def begin(self, steps):
        self.steps = steps

    def step(self, name, is_new):
        self.begun += 1
        if is_new:
            self.new.append(name)
        self._count()

    def advance(self, what, done, total):
        self._count()

    def _count(self):
        self.calls += 1
        if self.calls == self.kill_at:
            raise KeyboardInterrupt


def noise(seed, level=110):
    return np.random.default_rng(seed).normal(level, 8, (HEIGHT, WIDTH, 3)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """MVTec layout: grey noise, in the flawed ones a bright square."""
    root = tmp_path_factory.mktemp("real") / "photos"
    for kind, count in (("test/good", 9), ("test/square", 8)):
        (root / kind).mkdir(parents=True)
        (root / "ground_truth" / "square").mkdir(parents=True, exist_ok=True)
        for index in range(count):
            picture = noise(100 + index + count)
            if kind == "test/square":
                picture[16:32, 24 : 40 + index] = 230
                mask = np.zeros((HEIGHT, WIDTH), np.uint8)
                mask[16:32, 24 : 40 + index] = 255
                Image.fromarray(mask).save(root / "ground_truth" / "square" / f"{index}_mask.png")
            Image.fromarray(picture).save(root / kind / f"{index}.png")
    return root


def fake_render(wanted, folder, progress):
    """A dataset of noise in the place of Blender's pictures, with a square for a defect and one for a stain."""
    writer = DatasetWriter(folder, wanted.recipe, wanted.seed, wanted.frames, samples=wanted.samples)
    for index in writer.missing():
        scene = draw(wanted.recipe, wanted.seed, index)
        image = noise(1000 * wanted.seed + index, 100)
        maps = {family: np.zeros((HEIGHT, WIDTH), np.uint16) for family in ("defect", "impurity")}
        instances = []
        if "defects" not in wanted.recipe.switched_off and index % 2:
            image[20:30, 20:30] = 220
            maps["defect"][20:30, 20:30] = 1
            instances.append(Instance(1, "defect", "crack"))
        if "impurities" not in wanted.recipe.switched_off:
            image[5:15, 40:60] //= 2
            maps["impurity"][5:15, 40:60] = 1
            instances.append(Instance(1, "impurity", "water_stain"))
        writer.write(index, image, maps["defect"], maps["defect"], maps["impurity"], scene, instances)
        progress(index + 1, wanted.frames)
    writer.finish()


@pytest.fixture(autouse=True)
def _no_blender(monkeypatch):
    monkeypatch.setattr(run, "render", fake_render)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    fields = load_recipe("plate").model_dump(mode="json")
    fields["camera"]["resolution"] = [WIDTH, HEIGHT]
    path = tmp_path_factory.mktemp("recipe") / "small.yaml"
    path.write_text(yaml.safe_dump(fields))
    return path


def study(tmp_path, photos, recipe, **changes):
    fields = {
        "name": "small",
        "surface": "noise",
        "imaging": "none",
        "seeds": [0],
        "real": {"dataset": str(photos), "format": "mvtec", "train": 0.4, "validation": 0.4},
        "synthetic": {
            "recipe": str(recipe),
            "frames": 3,
            "seed": 1,
            "samples": 1,
            "lights": {"turned": {"light.rotation_degrees": 90}, "large": {"light.scale": 2}},
        },
        "inspector": {"bank": 24, "epochs": 2, "backbone": "untrained"},
        "scenarios": ["Real", "Synth", "Synth (ft)"],
        "bootstrap": {"samples": 100},
    }
    for path, value in changes.items():
        *way, last = path.split("__")
        section = fields
        for name in way:
            section = section[name]
        section[last] = value
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(fields))
    return load_study(tmp_path / "study.yaml")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, photos, recipe):
    """A cache with all scenarios of the study, and the outcome."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "render", fake_render)
        progress = Steps()
        outcome = run_study(study(folder, photos, recipe, scenarios="all"), Cache(folder / "cache"), progress)
    return folder, outcome, progress


@pytest.fixture
def cache(whole, tmp_path):
    shutil.copytree(whole[0] / "cache", tmp_path / "cache")
    return Cache(tmp_path / "cache")


def digests(folder):
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def test_every_scenario_is_made_and_evaluated_once(whole):
    _, outcome, progress = whole
    assert tuple(outcome.evaluations) == tuple(SCENARIOS)
    assert progress.steps == progress.begun == len(progress.new) == 6 + 2 * 23
    banks = [name for name in progress.new if "bank of" in name]
    for name, scenario in SCENARIOS.items():
        place = banks.index(f"seed 0: bank of {name}")
        assert all(banks.index(f"seed 0: bank of {parent}") < place for parent in scenario.parents)


def test_melded_banks_have_half_and_double_the_rows_too(whole):
    rows = Counter(len(Inspector.load(bank).model.memory_bank) for bank in (whole[0] / "cache/banks").iterdir())
    size = whole[1].file.study.inspector.bank
    assert rows == {size: 19, size // 2: 2, 2 * size: 2}


def test_nothing_is_made_twice(cache, tmp_path, photos, recipe):
    progress = Steps()
    run_study(study(tmp_path, photos, recipe, scenarios="all"), cache, progress)
    assert progress.new == []
    assert progress.begun == progress.steps


@pytest.mark.parametrize(
    ("changes", "anew"),
    [
        ({"bootstrap__level": 0.9}, set()),
        ({"surface": "other words"}, set()),
        ({"inspector__epochs": 1}, {"bank of Real", "bank of Synth", "bank of Synth (ft)", "evaluating"}),
        ({"real__validation": 0.5}, {"evaluating"}),
        ({"real__train": 0.6}, {"bank of Real", "bank of Synth (ft)", "evaluating"}),
        ({"synthetic__seed": 7}, {"rendering", "bank of Synth", "bank of Synth (ft)", "evaluating"}),
        ({"synthetic__lights": {}}, set()),
        (
            {"synthetic__changes": {"light.power_w": 5}},
            {"rendering", "evaluating", "bank of Synth", "bank of Synth (ft)"},
        ),
    ],
)
def test_a_changed_line_makes_anew_only_what_depends_on_it(cache, tmp_path, photos, recipe, changes, anew):
    progress = Steps()
    run_study(study(tmp_path, photos, recipe, **changes), cache, progress)
    made = {re.sub(r"seed \d: |(?<=evaluating) .*|(?<=rendering): .*", "", name) for name in progress.new}
    # An evaluation depends on the split as well, and the light's power changes the picture's metadata alone here.
    assert made == anew


def test_a_changed_picture_counts_wherever_it_lies(cache, tmp_path, photos, recipe):
    moved = shutil.copytree(photos, tmp_path / "photos")
    progress = Steps()
    run_study(study(tmp_path, moved, recipe), cache, progress)
    assert progress.new == []
    side = split_real(read_samples(moved, "mvtec"), load_study(tmp_path / "study.yaml").study.real, 0)
    Image.fromarray(noise(7)).save(side.train[0].image_path)
    run_study(study(tmp_path, moved, recipe), cache, progress)
    assert {"seed 0: bank of Real", "seed 0: evaluating Real"} <= set(progress.new)
    assert "seed 0: bank of Synth" not in progress.new


def test_only_the_scenarios_asked_for_are_evaluated_and_only_their_renders_made(tmp_path, photos, recipe):
    progress = Steps()
    outcome = run_study(study(tmp_path, photos, recipe, scenarios=["Synth (ft)"]), Cache(tmp_path / "c"), progress)
    assert list(outcome.evaluations) == ["Synth (ft)"]
    assert progress.new == [
        "rendering: clean, as built",
        "seed 0: bank of Synth",
        "seed 0: bank of Synth (ft)",
        "seed 0: evaluating Synth (ft)",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["mobilenetv3_small_100", "mobilenetv3_large_100", "resnet18", "wide_resnet50_2", "vgg16"]
)
def test_networks_of_seed_003_are_studied_with_weights_of_a_file_beside_the_study(tmp_path, photos, recipe, name):
    torch.manual_seed(4)
    whole = timm.create_model(name).state_dict()
    save_file({key: value for key, value in whole.items() if value.numel() < 4_000_000}, tmp_path / "own.safetensors")
    inspector = {"bank": 24, "epochs": 1, "backbone": name, "weights": "own.safetensors"}
    file = study(tmp_path, photos, recipe, scenarios=["Real"], inspector=inspector)
    outcome = run_study(file, Cache(tmp_path / "cache"), Steps())
    assert (outcome.backbone, outcome.weights) == (name, "local weights from own.safetensors")
    assert list(outcome.evaluations) == ["Real"]
    (bank,) = (tmp_path / "cache/banks").iterdir()
    for key, value in Inspector.load(bank).model.extractor.weight_tensors().items():
        assert torch.equal(value, whole[key if key in whole else key.replace("_", ".", 1)])


def test_seeds_of_two_workers_are_the_same_bytes(tmp_path, photos, recipe):
    outcomes = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        folder.mkdir()
        file = study(folder, photos, recipe, seeds=[0, 1], scenarios=["Real"])
        outcomes.append(run_study(file, Cache(folder / "cache"), Steps(), executor=Local(workers)))
    assert digests(tmp_path / "1" / "cache") == digests(tmp_path / "2" / "cache")
    one, two = ([each.metrics for each in outcome.evaluations["Real"]] for outcome in outcomes)
    assert one == two
    assert one[0] != one[1]


@pytest.mark.parametrize("kill_at", [1, 3, 6, 10, 14, 19, 27, 40])
def test_killed_run_goes_on_to_the_same_bytes(whole, tmp_path, photos, recipe, kill_at):
    file = study(tmp_path, photos, recipe)
    with pytest.raises(KeyboardInterrupt):
        run_study(file, Cache(tmp_path / "cache"), Steps(kill_at))
    run_study(file, Cache(tmp_path / "cache"), Steps())
    found, expected = digests(tmp_path / "cache"), digests(whole[0] / "cache")
    assert len(found) > 20
    assert not list((tmp_path / "cache" / "unfinished").iterdir())
    for path, digest in found.items():
        # Of the whole study's evaluations the heat maps are those of the same pictures; archives carry no time.
        assert expected[path] == digest, path


def test_damaged_evaluation_is_made_anew(cache, tmp_path, photos, recipe):
    victim, steps = next((cache.folder / "evaluations").iterdir()), Steps()
    whole = (victim / "figures.json").read_bytes()
    (victim / "figures.json").write_bytes(whole.replace(b"0.", b"1.", 1))
    run_study(study(tmp_path, photos, recipe, scenarios="all"), cache, steps)
    assert len(steps.new) == 1
    assert (victim / "figures.json").read_bytes() == whole


def test_weights_that_change_while_a_study_runs_make_no_bank(tmp_path, photos, recipe, monkeypatch):
    begun = banks.depends_on

    def then_changed(settings, extractor):
        described = begun(settings, extractor)
        next(extractor.network.parameters()).data += 1
        return described

    monkeypatch.setattr(banks, "depends_on", then_changed)
    with pytest.raises(InspectorError, match="weights are not those that the study began with"):
        run_study(study(tmp_path, photos, recipe), Cache(tmp_path / "cache"), Steps())
    assert not list((tmp_path / "cache" / "banks").iterdir())


def test_key_depends_on_inputs_and_on_code_but_not_on_comments(monkeypatch):
    first = key_of(BANKS, {"a": 1, "b": [2]})
    assert first == key_of(BANKS, {"b": [2], "a": 1})
    assert first != key_of(BANKS, {"a": 1, "b": [3]})
    assert first != key_of(EVALUATIONS, {"a": 1, "b": [2]})
    monkeypatch.setattr(caches, "code_digest", lambda modules: "changed")
    assert first != key_of(BANKS, {"a": 1, "b": [2]})
    assert meaning('"""Doc."""\ndef f(x):\n    "Says."\n    return x  # why') == meaning("def f(x): return x")
    assert meaning("def f(x): return x") != meaning("def f(x): return -x")


def test_every_module_that_a_result_may_depend_on_is_in_its_key():
    """What the modules of a key import of the package is in it too, but for what only reads and writes records."""
    records = {"evaluation/results", "studies/engine/cache"}
    aside = {BANKS: {"inspection/threshold"}, EVALUATIONS: set()}  # of banks, which a study has none of
    for kind in (BANKS, EVALUATIONS):
        for module in kind.code:
            tree = ast.parse((caches.PACKAGE / f"{module}.py").read_text())
            imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
            own = {name.removeprefix("anomaly.").replace(".", "/") for name in imported if name.startswith("anomaly.")}
            assert own <= {*kind.code, *records, *aside[kind]}, (kind.name, module)


def test_content_is_that_of_truth_as_well(photos, tmp_path):
    moved = shutil.copytree(photos, tmp_path / "photos")
    before = content_of(read_samples(moved, "mvtec"))
    assert before == content_of(read_samples(photos, "mvtec"))
    mask = next((moved / "ground_truth" / "square").iterdir())
    Image.fromarray(np.full((HEIGHT, WIDTH), 255, np.uint8)).save(mask)
    assert content_of(read_samples(moved, "mvtec")) != before


@pytest.mark.parametrize("seed", range(4))
def test_no_surface_is_in_two_parts_and_the_bank_sees_good_ones_only(real_data, seed):
    samples = read_samples(real_data / "magnetic_tile")
    side = split_real(samples, load_study("magnetic_tile").study.real, seed)
    groups = [{s.group for s in part} for part in (side.train, side.validation, side.test)]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    assert {s.label for s in side.train} == {"good"}
    assert sum(map(len, (side.train, side.validation, side.test))) == len(samples)
    assert trouble_with(side) == ""
    assert {s.label for s in side.test} == {s.label for s in samples}


def test_too_few_surfaces_are_refused(tmp_path, photos, recipe):
    few = shutil.copytree(photos, tmp_path / "photos")
    for path in sorted((few / "test" / "square").iterdir())[1:]:
        path.unlink()
    with pytest.raises(StudyError, match=r"real: found too few surfaces to leave one .*a defective surface"):
        run_study(study(tmp_path, few, recipe), Cache(tmp_path / "cache"), Steps())
    with pytest.raises(StudyError, match=r"real.dataset: found no folder .*--real"):
        run_study(study(tmp_path, tmp_path / "none", recipe), Cache(tmp_path / "cache"), Steps())


def test_renders_held_out_stand_for_photographs(tmp_path, recipe):
    rendered = {"recipe": str(recipe), "frames": 12, "clean_frames": 6, "seed": 50, "samples": 1}
    file = study(tmp_path, "", recipe, real={"rendered": rendered, "train": 0.5, "validation": 0.4})
    outcome = run_study(file, Cache(tmp_path / "cache"), Steps())
    assert len(outcome.real) == 18
    side = outcome.sides[0]
    assert not {s.group for s in side.test} & {s.group for s in side.train}
    assert len(side.train) == 6
    assert not any(s.truth().kinds() for s in side.train)
    classes = outcome.evaluations["Real"][0].metrics.classes
    assert {name: recall.family for name, recall in classes.items()} == {"crack": "defect", "water_stain": "impurity"}
    told, report = write_study(outcome, tmp_path / "out", "blemish study small")
    assert "Prediction leakage" in report.read_text()
    found = outcome.evaluations["Real"][0].metrics.mean_impurity_wise_recall
    assert found == classes["water_stain"].defect_wise_recall
    figure = json.loads((tmp_path / "out" / "figures.json").read_text())["figures"]["Real"]["mean_impurity_wise_recall"]
    assert figure["value"] == pytest.approx(found)
    assert any("mR_IW" in line for line in told)
    table_ii = report.read_text().partition("Table II, in per cent")[2].partition("What the paper does not give")[0]
    assert "Impurity-wise recall" in table_ii
    with pytest.raises(StudyError, match=r"real\.rendered: found renders and --real"):
        run_study(file, Cache(tmp_path / "cache"), Steps(), real=tmp_path)


def test_report_shows_what_the_evaluations_say(whole, tmp_path):
    _, outcome, _ = whole
    told, path = write_study(outcome, tmp_path / "out", "blemish study <small>")
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    html = path.read_text()
    assert set(figures["figures"]) == set(SCENARIOS)
    for name, evaluations in outcome.evaluations.items():
        for figure in ("pixel_f1", "pixel_recall", "image_auroc"):
            found = figures["figures"][name][figure]
            assert found["value"] == pytest.approx(getattr(evaluations[0].metrics, figure), abs=1e-6)
            assert found["low"] - 1e-9 <= found["high"]
            assert f"{100 * found['value']:.1f}" in html
    for value in ("35.7", "68.4", "47.0", "98.9", "53.9", "80.5", "96.8"):  # of the paper's two tables
        assert html.count(value) >= 1
    assert html.count("<h2>") == 6
    assert "blemish study &lt;small&gt;" in html
    assert 'src="http' not in html
    assert "Synth<sub>WS+DR+DA</sub> (ft)" in html
    assert any(line.startswith("Melding_WS") and "53.9" in line for line in told)
    assert "Melding<sub>WS</sub> (double)" in html
    assert not any("mR_IW" in line for line in told)  # no impurities, nothing said of them
    assert "Impurity-wise recall" not in html
    again = write_study(outcome, tmp_path / "again", "blemish study <small>")[1]
    assert again.read_bytes() == path.read_bytes()


def test_heat_map_reaches_one_exactly_where_it_is_predicted(whole):
    _, outcome, _ = whole
    evaluation = outcome.evaluations["Real"][0]
    counted = evaluation.counts.pixels[:, :2].sum()
    assert len(evaluation.heat) == min(run.SHOWN, len(outcome.sides[0].test))
    if len(evaluation.heat) == len(outcome.sides[0].test):
        assert sum(int((heat >= 1).sum()) for heat in evaluation.heat.values()) == counted


@pytest.mark.render
def test_a_set_is_rendered_by_the_command(tmp_path, photos, recipe):
    wanted = next(iter(training_sets(study(tmp_path, photos, recipe)).values()))
    render(wanted, tmp_path / "set", lambda done, total: None)
    dataset = Dataset(tmp_path / "set")
    assert dataset.complete
    assert dataset.seed == wanted.seed
    assert dataset.header.without == wanted.recipe.switched_off
    (tmp_path / "set" / "dataset.json").write_text("{}")
    (tmp_path / "set" / "annotations.json").unlink()
    with pytest.raises(RenderingError, match=r"clean, as built: .*dataset.json"):
        render(wanted, tmp_path / "set", lambda done, total: None)
