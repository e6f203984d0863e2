"""A whole downstream study on tiny pictures: what is kept, what leaks, what a kill leaves, and what the report says."""

import hashlib
import json
import re
import shutil
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from anomaly.studies.engine.cache import Cache
from anomaly.studies.engine.labelled import Classes, LabelledPicture
from anomaly.studies.engine.report import results_of, write_downstream
from anomaly.studies.engine.run import RELATED, run_downstream
from anomaly.studies.engine.study import ArmSettings
from anomaly.studies.engine.study_file import StudyError
from anomaly.studies.engine.verify import damages
from anomaly.studies.sources import datasets
from anomaly.studies.sources.arms import training_set
from anomaly.studies.sources.real_set import parted
from anomaly.studies.sources.renders import RenderingError
from anomaly.studies.study_file import load_any
from procgen.surface.layer import Instance
from scenes import DatasetWriter, draw, load_recipe
from scenes.formats.registry import read_samples
from scenes.jobs.executor import WorkerLost
from scenes.jobs.local import Local

sys.path.insert(0, str(Path(__file__).parent))
from throwaway import NearestGrey

SIDE = 16
GREYS = {"good": 120, "crack": 60, "pore": 200}


class Steps:
    """Notes which steps are new; may kill the run at a call."""

    def __init__(self, kill_at=None):
        self.new, self.begun, self.steps, self.calls, self.kill_at = [], 0, 0, 0, kill_at

    def begin(self, steps):
        self.steps = steps

    def step(self, name, is_new):
        self.begun += 1
        self.new += [name] * is_new
        self._count()

    def advance(self, what, done, total):
        self._count()

    def _count(self):
        self.calls += 1
        if self.calls == self.kill_at:
            raise KeyboardInterrupt


def picture(seed, grey):
    return np.random.default_rng(seed).normal(grey, 8, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Ten surfaces of each kind, two pictures of every surface."""
    root = tmp_path_factory.mktemp("real") / "photos"
    (root / "masks").mkdir(parents=True)
    rows = ["image,label,mask,group"]
    for number, (label, grey) in enumerate(GREYS.items()):
        for index in range(20):
            name = f"{label}{index:02d}"
            Image.fromarray(picture(100 * number + index, grey)).save(root / f"{name}.png")
            mask = np.zeros((SIDE, SIDE), np.uint8)
            mask[4:8, 4:10] = 255
            Image.fromarray(mask).save(root / "masks" / f"{name}.png")
            rows.append(f"{name}.png,{label},{'masks/' + name + '.png' if label != 'good' else ''},{label}{index // 2}")
    (root / "manifest.csv").write_text("\n".join(rows) + "\n")
    return root


def dataset(folder, parents=(), frames=12, seed=5, weight=1.0, labels=()):
    """Frames of pores on noise; each made of the pictures named by their digests, one after the other.

    labels: what came of the mask of each, where an edit was looked at.
    """
    recipe = load_recipe("plate")
    writer = DatasetWriter(folder, recipe, seed, frames, classes={"pore": "defect"})
    for index in writer.missing():
        maps = np.zeros((SIDE, SIDE), np.uint16)
        maps[2:6, 2:6] = 1
        bits = np.zeros((SIDE, SIDE), np.uint16)
        bits[2:6, 2:6] = 1 << writer_bit(folder)
        scene = draw(recipe, seed, index)
        scene = scene.model_copy(update={"camera": scene.camera.model_copy(update={"width": SIDE, "height": SIDE})})
        record = {
            "weight": weight,
            "parents": [{"frame": index, "sha256": digest} for digest in parents[index::frames]],
        }
        if labels:
            record["labels"] = {"outcomes": {"1": labels[index]}}
        made_of = record if record["parents"] else {**record, "parents": [{"frame": index, "sha256": "0" * 64}]}
        image = picture(900 + index, 200)
        writer.write(index, image, bits, maps, np.zeros_like(maps), scene, (Instance(1, "defect", "pore"),), made_of)
    writer.finish()
    return folder


def writer_bit(folder):
    return json.loads((folder / "dataset.json").read_text())["classes"]["pore"]["bit"]


@pytest.fixture(scope="module")
def pores(tmp_path_factory):
    return dataset(tmp_path_factory.mktemp("made") / "pores")


def study(folder, photos, pores, **changes):
    fields = {
        "name": "small",
        "task": "classification",
        "surface": "noise",
        "imaging": "none",
        "seeds": [0, 1],
        "real": {"dataset": str(photos), "train": 0.4, "validation": 0.1, "test": 0.5},
        "datasets": {"pores": {"dataset": str(pores)}},
        "arms": {"pores 1x": {"add": {"pores": 1}}},
        "learner": {"epochs": 2, "batch": 4, "learning_rate": 0.1},
        "bootstrap": {"samples": 100},
    }
    for path, value in changes.items():
        *way, last = path.split("__")
        section = fields
        for name in way:
            section = section[name]
        section[last] = value
    (folder / "study.yaml").write_text(yaml.safe_dump(fields, sort_keys=False))
    return load_any(folder / "study.yaml")


def run(file, folder, kill_at=None, **options):
    steps = Steps(kill_at)
    return run_downstream(file, NearestGrey(), Cache(folder / "cache"), steps, **options), steps


@pytest.fixture(scope="module")
def whole(tmp_path_factory, photos, pores):
    folder = tmp_path_factory.mktemp("whole")
    outcome, steps = run(study(folder, photos, pores), folder)
    return folder, outcome, steps


def digests(folder):
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def test_every_arm_and_seed_is_made_once_and_kept(whole, tmp_path, photos, pores):
    folder, outcome, steps = whole
    assert steps.new == ["seed 0: real", "seed 0: pores 1x", "seed 1: real", "seed 1: pores 1x"]
    assert steps.begun == steps.steps
    assert [(c.real, c.synthetic) for c in outcome.counts["real"]] == [(24, 0), (24, 0)]
    assert [(c.real, c.synthetic, c.related) for c in outcome.counts["pores 1x"]] == [(24, 12, 0), (24, 12, 0)]
    shutil.copytree(folder / "cache", tmp_path / "cache")
    again, steps = run(study(tmp_path, photos, pores, surface="other words"), tmp_path)
    assert steps.new == []
    assert results_of(again).by_seed == results_of(outcome).by_seed
    _, steps = run(study(tmp_path, photos, pores, arms__more={"add": {"pores": 0.5}, "weight": 2}), tmp_path)
    assert steps.new == ["seed 0: more", "seed 1: more"]


@pytest.mark.parametrize("kill_at", [1, 2, 3, 4, 20, 33, 40, 70, 100])
def test_a_killed_study_ends_in_the_same_bytes(whole, tmp_path, photos, pores, kill_at):
    file = study(tmp_path, photos, pores)
    with pytest.raises(KeyboardInterrupt):
        run(file, tmp_path, kill_at)
    outcome, _ = run(file, tmp_path)
    assert digests(tmp_path / "cache") == digests(whole[0] / "cache")
    paths = [write_downstream(one, tmp_path / str(k), "blemish")[1] for k, one in enumerate((outcome, whole[1]))]
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.slow
def test_so_many_workers_make_the_same_bytes(tmp_path, real_data):
    """With a real learner, as its module is found by every process."""
    from anomaly.studies.classification.task import Classification

    learner = {"network": "mobilenetv3_small", "image_size": 32, "epochs": 1}
    real = {"dataset": str(real_data / "magnetic_tile"), "train": 0.2, "validation": 0.1, "test": 0.2}
    study(tmp_path, "", "", real=real, datasets={}, arms={"mixup": {"learner": {"mixing": "mixup"}}}, learner=learner)
    file = load_any(tmp_path / "study.yaml")
    for workers in (1, 2):
        run_downstream(file, Classification(), Cache(tmp_path / str(workers)), Steps(), executor=Local(workers))
    assert digests(tmp_path / "1") == digests(tmp_path / "2")


def _with(path, **changes):
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}, sort_keys=False))
    return path


@pytest.mark.parametrize("seed", range(4))
def test_no_surface_is_on_two_sides_and_every_class_is_judged(real_data, seed):
    samples = read_samples(real_data / "magnetic_tile")
    classes = Classes(("Blowhole", "Break", "Crack", "Fray", "Uneven"))
    real = load_any("tile_classification").study.real
    side = parted([LabelledPicture(sample, classes) for sample in samples], real, seed)
    groups = [{p.surface for p in part} for part in (side.train, side.validation, side.test)]
    assert not any(groups[a] & groups[b] for a, b in ((0, 1), (0, 2), (1, 2)))
    assert sum(map(len, (side.train, side.validation, side.test))) == len(samples)
    for part in (side.train, side.test):
        assert {number for p in part for number in p.labels} == {1, 2, 3, 4, 5}
        assert any(p.label == 0 for p in part)


def file_digests(pictures):
    return [hashlib.sha256(p.sample.image_path.read_bytes()).hexdigest() for p in pictures]


def test_what_was_made_of_a_judged_surface_is_not_trained_on(whole, tmp_path, photos):
    """Also where it was made of another picture of that surface, or of one that was made of it."""
    side = whole[1].sides[0]
    judged, trained, validated = map(file_digests, (side.test, side.train, side.validation))
    parents = [judged[0], trained[0], judged[3], trained[1], validated[0], trained[2]]
    made = dataset(tmp_path / "made", parents, frames=6)
    outcome, _ = run(study(tmp_path, photos, made, seeds=[0]), tmp_path)
    assert [(c.synthetic, c.related) for c in outcome.counts["pores 1x"]] == [(3, 3)]
    all_judged = dataset(tmp_path / "judged", judged[:6], frames=6)
    with pytest.raises(
        StudyError, match=r"datasets\.pores: found 6 pictures, all made of surfaces that are not trained"
    ):
        run(study(tmp_path, photos, all_judged, seeds=[0]), tmp_path)


def test_a_judged_picture_in_a_dataset_is_not_trained_on_either(whole, tmp_path, photos):
    outcome, _ = run(study(tmp_path, photos, photos, seeds=[0]), tmp_path)
    trained = len(outcome.sides[0].train)
    assert [(c.synthetic, c.related) for c in outcome.counts["pores 1x"]] == [(16, 60 - trained)]


def test_what_a_dataset_offers_is_counted_with_the_reasons(whole, tmp_path, photos):
    """Of five pictures one shows two classes, and one is judged."""
    made = tmp_path / "made"
    made.mkdir()
    labels = ["pore", "crack+pore", "pore", "crack"]
    for index, _ in enumerate(labels):
        Image.fromarray(picture(700 + index, GREYS["pore"])).save(made / f"{index}.png")
        Image.fromarray(np.eye(SIDE, dtype=np.uint8)).save(made / f"{index}_mask.png")
    judged = next(p for p in whole[1].sides[0].test if p.label)
    shutil.copy(judged.sample.image_path, made / "4.png")
    shutil.copy(made / "0_mask.png", made / "4_mask.png")
    rows = [f"{index}.png,{label},{index}_mask.png" for index, label in enumerate([*labels, "pore"])]
    (made / "manifest.csv").write_text("\n".join(["image,label,mask", *rows]) + "\n")
    outcome, _ = run(study(tmp_path, photos, made, seeds=[0]), tmp_path)
    (offer,) = outcome.offers["pores"]
    assert (offer.pictures, offer.left_out) == (5, {"of several classes": 1, RELATED: 1})
    assert outcome.counts["pores 1x"][0].synthetic == 3
    told, path = write_downstream(outcome, tmp_path / "out", "blemish")
    assert told[-1] == f"left out of pores, 5 pictures: 1 of several classes, 1 {RELATED}"
    assert f"3 of 5 pictures; left out: 1 of several classes, 1 {RELATED}" in path.read_text()


def test_masks_found_again_are_told_in_a_table(tmp_path, photos):
    outcomes = ["kept", "re-labelled", "refused", "kept"]
    made = dataset(tmp_path / "made", frames=4, labels=outcomes)
    outcome, _ = run(study(tmp_path, photos, made), tmp_path)
    expected = {"pore": {"kept": 2, "re-labelled": 1, "refused": 1}}
    assert [offer.labels for offer in outcome.offers["pores"]] == [expected, expected]
    _, path = write_downstream(outcome, tmp_path / "out", "blemish")
    row = re.search(r'<tr><th scope="row">pore</th>(<td>\d</td>)(<td>\d</td>)(<td>\d</td>)</tr>', path.read_text())
    assert row.groups() == ("<td>2</td>", "<td>1</td>", "<td>1</td>"), "the same for both seeds: counted once"


def test_so_many_pictures_of_a_surface_are_used_at_most(tmp_path, photos, pores):
    outcome, _ = run(study(tmp_path, photos, pores, seeds=[0], real__most_of_surface=1), tmp_path)
    surfaces = [p.surface for side in outcome.sides for part in (side.train, side.validation, side.test) for p in part]
    assert len(surfaces) == len(set(surfaces)) == 30
    assert outcome.left_out == {"over 1 of their surface": 30}


def test_so_many_pictures_are_trained_on_at_most_as_many_of_every_kind(tmp_path, photos, pores):
    every, _ = run(study(tmp_path, photos, pores, seeds=[0]), tmp_path)
    few, _ = run(study(tmp_path, photos, pores, seeds=[0], real__most_to_train=6), tmp_path)
    (whole,), (side,) = every.sides, few.sides
    assert (file_digests(side.validation), file_digests(side.test)) == (
        file_digests(whole.validation),
        file_digests(whole.test),
    )
    assert {p.label: sum(q.label == p.label for q in side.train) for p in whole.train} == {0: 2, 1: 2, 2: 2}
    assert [p for p in file_digests(whole.train) if p in file_digests(side.train)] == file_digests(side.train)


def test_pictures_are_cut_into_pieces_and_those_without_a_defect_are_good(tmp_path, photos, pores):
    folder = tmp_path / "wide"
    shutil.copytree(photos, folder)
    for number, path in enumerate([*folder.glob("*.png"), *(folder / "masks").glob("*.png")]):
        left = np.array(Image.open(path))  # twice as wide and a row higher: the flaw is in the left half
        right = picture(1000 + number, 120) if path.parent == folder else np.zeros_like(left)
        Image.fromarray(np.pad(np.hstack([left, right]), [(0, 1), (0, 0), (0, 0)][: left.ndim])).save(path)
    file = study(tmp_path, folder, pores, seeds=[0], real__pieces=[SIDE, SIDE])
    outcome, steps = run(file, tmp_path)
    assert steps.new[0] == "cutting pieces"
    assert steps.begun == steps.steps
    assert len(outcome.real) == 2 * 60
    of_crack = [piece for piece in outcome.real if piece.surface.endswith("crack0")]
    assert [piece.sample.label for piece in of_crack] == ["crack", "good", "crack", "good"]
    flawed = next(piece for piece in of_crack if piece.label)
    assert np.array_equal(flawed.image(), picture(100, GREYS["crack"]))
    assert np.flatnonzero(flawed.class_mask().any(axis=1)).tolist() == [4, 5, 6, 7]
    assert not any(
        {piece.surface for piece in part} & {piece.surface for piece in other}
        for side in outcome.sides
        for part, other in ((side.train, side.test), (side.train, side.validation), (side.validation, side.test))
    )
    again = run(file, tmp_path)[1]
    assert again.new == []


def test_commands_see_the_training_side_alone(whole, tmp_path, photos, pores, monkeypatch):
    said = []

    def fake(words, folder, name, look):
        part = folder.parent / "train"
        samples = read_samples(part)
        digests = file_digests([LabelledPicture(sample, Classes(())) for sample in samples])
        said.append((words, digests, [(sample.label, sample.truth().defect) for sample in samples]))
        dataset(folder, frames=4)

    monkeypatch.setattr(datasets, "make_dataset", fake)
    command = [
        "synthesize",
        "{good}",
        "--defects",
        "{train}",
        "--seed",
        "{seed}",
        "--like",
        "{pores}",
        "--out",
        "{out}",
    ]
    file = study(tmp_path, photos, pores, datasets__made={"command": command}, arms__made={"add": {"made": 1}})
    outcome, _ = run(file, tmp_path)
    assert len(said) == 2
    for (words, found, known), side, seed in zip(said, outcome.sides, (0, 1), strict=True):
        expected = {digest: p for digest, p in zip(file_digests(side.train), side.train, strict=True)}
        assert sorted(found) == sorted(expected)
        for digest, (label, defect) in zip(found, known, strict=True):
            assert label == expected[digest].sample.label
            np.testing.assert_array_equal(defect, expected[digest].sample.truth().defect)
        good = [word for word in words if word.endswith(".png")]
        assert len(good) == sum(p.label == 0 for p in side.train)
        assert words[words.index("--seed") + 1] == str(seed)
        assert words[words.index("--like") + 1] == str(pores)
    said.clear()
    few = {"command": command, "good": 2}
    outcome, _ = run(study(tmp_path, photos, pores, datasets__made=few, arms__made={"add": {"made": 1}}), tmp_path)
    for (words, found, _), side in zip(said, outcome.sides, strict=True):
        assert sum(word.endswith(".png") for word in words) == 2
        assert sorted(found) == sorted(file_digests(side.train)), "of real defects it still sees all"


def test_models_are_trained_on_the_training_side_once_for_all_that_draw_with_them(
    whole, tmp_path, photos, pores, monkeypatch
):
    trained, drawn = [], []

    def train(words, name, look):
        folder = Path(words[words.index("--out") + 1])
        folder.mkdir(exist_ok=True)
        (folder / words[1]).write_text(words[1])
        trained.append((words[1], name, len(read_samples(Path(words[2]))), words[words.index("--seed") + 1]))

    def draw(words, folder, name, look):
        model = Path(words[words.index("--model") + 1])
        drawn.append((name, sorted(path.name for path in model.iterdir())))
        dataset(folder, frames=4)

    monkeypatch.setattr(datasets, "train_model", train)
    monkeypatch.setattr(datasets, "make_dataset", draw)
    halves = [["train-generator", half, "{train}", "--seed", "{seed}", "--out", "{out}"] for half in ("one", "other")]
    command = ["synthesize", "{good}", "--model", "{both}", "--out", "{out}"]
    file = study(
        tmp_path,
        photos,
        pores,
        models={"both": {"commands": halves}},
        datasets__made={"command": command},
        datasets__more={"command": [*command, "--more"]},
        arms__made={"add": {"made": 1}},
        arms__more={"add": {"more": 1}},
    )
    outcome, _ = run(file, tmp_path)
    counts = [len(side.train) for side in outcome.sides]
    halves_of = [("one", "both", count, str(seed)) for seed, count in enumerate(counts)]
    assert sorted(trained) == sorted(halves_of + [("other", *rest) for _, *rest in halves_of])
    assert sorted(drawn) == [(name, ["one", "other"]) for name in ("made", "made", "more", "more")]
    trained.clear()
    run(file, tmp_path)
    assert not trained


class Several:
    """Has so many workers for what is made, and trains learners in this very process."""

    is_here = True

    def __init__(self, workers):
        self.workers = workers

    def run(self, work, tasks, take, **options):
        Local().run(work, tasks, take, **options)


def drawn_with_models(folder, photos, pores):
    train = {"commands": [["train-generator", "one", "{train}", "--seed", "{seed}", "--out", "{out}"]]}
    command = ["synthesize", "{good}", "--model", "{one}", "--out", "{out}"]
    return study(
        folder,
        photos,
        pores,
        models={"one": train},
        datasets__first={"command": command},
        datasets__second={"command": [*command, "--more"]},
        datasets__third={"command": ["refine", "{second}", "--out", "{out}"]},
        arms__first={"add": {"first": 1}},
        arms__third={"add": {"third": 1}},
    )


def test_what_waits_for_nothing_is_made_at_the_same_time_and_of_the_same_bytes(tmp_path, photos, pores, monkeypatch):
    together = None

    def train(words, name, look):
        look()
        if together:
            together.wait()  # both seeds' models are in the making, or this fails
        folder = Path(words[words.index("--out") + 1])
        folder.mkdir(exist_ok=True)
        (folder / "one").write_text(words[words.index("--seed") + 1])

    def make(words, folder, name, look):
        assert (Path(words[words.index("--model") + 1]) / "one").is_file() if "--model" in words else words[1]
        look()
        dataset(folder, frames=4)

    monkeypatch.setattr(datasets, "train_model", train)
    monkeypatch.setattr(datasets, "make_dataset", make)
    folders = tmp_path / "one after the other", tmp_path / "together"
    for folder in folders:
        folder.mkdir()
    _, alone = run(drawn_with_models(folders[0], photos, pores), folders[0])
    together = threading.Barrier(2, timeout=30)
    _, steps = run(drawn_with_models(folders[1], photos, pores), folders[1], executor=Several(2))
    assert digests(folders[0] / "cache") == digests(folders[1] / "cache")
    assert sorted(steps.new) == sorted(alone.new)
    assert (steps.begun, steps.steps) == (alone.begun, alone.steps)


def test_where_one_fails_the_others_stop_and_go_on_the_next_time(tmp_path, photos, pores, monkeypatch):
    failing, stopped = True, []

    def train(words, name, look):
        out = Path(words[words.index("--out") + 1])
        if failing and words[words.index("--seed") + 1] == "1":
            raise RenderingError("one: found no pictures")
        while failing:
            try:
                look()
            except WorkerLost:
                stopped.append(name)
                raise
            time.sleep(0.01)
        out.mkdir(exist_ok=True)
        (out / "one").write_text("trained")

    monkeypatch.setattr(datasets, "train_model", train)
    monkeypatch.setattr(datasets, "make_dataset", lambda words, folder, name, look: dataset(folder, frames=4))
    file = drawn_with_models(tmp_path, photos, pores)
    with pytest.raises(RenderingError, match="found no pictures"):
        run(file, tmp_path, executor=Several(2))
    assert stopped == ["one"]
    failing = False
    outcome, _ = run(file, tmp_path, executor=Several(2))
    assert set(outcome.offers) == {"pores", "first", "third"}


@pytest.mark.parametrize(
    "words", [["synthesize", "{out}"], ["train-generator", "sard"], ["train-generator", "sard", "{made}", "{out}"]]
)
def test_what_is_no_training_of_a_model_is_refused(tmp_path, photos, pores, words):
    with pytest.raises(StudyError, match="models"):
        study(tmp_path, photos, pores, models={"one": {"commands": [words]}})


def test_weights_of_records_and_arms_multiply_and_counts_follow_the_defective(whole, tmp_path):
    made = dataset(tmp_path / "made", weight=0.25)
    classes = whole[1].classes
    pool = [LabelledPicture(s, classes, s.weight) for s in read_samples(made)]
    real = whole[1].sides[0].train
    flawed = sum(p.label != 0 for p in real)
    for times in (0.5, 0.25):
        training = training_set(ArmSettings(add={"pores": times}, weight=2), real, {"pores": pool}, None, 0)
        synthetic = [p for p in training.pictures if p.is_synthetic]
        assert len(synthetic) == round(times * flawed)
        assert {p.weight for p in synthetic} == {0.5}
        assert training.epoch_length == len(real)
    alone = training_set(ArmSettings(add={"pores": 1}, real=False), real, {"pores": pool}, None, 0)
    assert all(p.is_synthetic for p in alone.pictures)


def test_shuffled_labels_teach_nothing(whole, tmp_path):
    """Nearest greys learn all from true labels; from shuffled ones they are right by chance, one in three."""
    task, classes, right = NearestGrey(), whole[1].classes, {False: [], True: []}
    side = whole[1].sides[0]
    for seed in range(60):
        for is_shuffled in (False, True):
            training = training_set(ArmSettings(shuffled=is_shuffled), side.train, {}, None, seed)
            settings = task.settings(epochs=1, batch=4, learning_rate=0.1)
            task.train(training, (), classes, settings, seed, "cpu", tmp_path, lambda *_: None)
            found = task.evaluate(tmp_path, side.test, classes, settings, "cpu", lambda *_: None)
            right[is_shuffled].append(task.replicated(found, classes, np.ones((1, len(found.surfaces))))["accuracy"][0])
    assert min(right[False]) == 1
    assert np.mean(right[True]) == pytest.approx(1 / 3, abs=0.12)


def test_differences_are_of_the_same_draws(whole):
    """An arm that is the real one has a difference of exactly nothing, however wide its own interval is."""
    _, outcome, _ = whole
    results = results_of(outcome)
    away = results.above_real["pores 1x"]["accuracy"]
    values = results.by_seed
    expected = np.mean(np.subtract(values["pores 1x"]["accuracy"], values["real"]["accuracy"]))
    assert away.value == pytest.approx(expected)
    assert away.low <= away.value <= away.high
    outcome.statistics["twin"] = outcome.statistics["real"]
    try:
        twin = results_of(outcome).above_real["twin"]["accuracy"]
    finally:
        del outcome.statistics["twin"]
    assert (twin.value, twin.low, twin.high) == (0, 0, 0)


def test_the_report_shows_what_was_found(whole, tmp_path):
    _, outcome, _ = whole
    told, path = write_downstream(outcome, tmp_path, "blemish study <small>")
    shutil.copytree(whole[0] / "cache", tmp_path / "cache")
    assert list(damages(tmp_path)) == []
    html, figures = path.read_text(), json.loads((tmp_path / "figures.json").read_text())
    for arm, found in figures["figures"].items():
        assert f"{100 * found['accuracy']['value']:.1f}" in html
        assert any(line.startswith(arm) for line in told)
    assert "blemish study &lt;small&gt;" in html
    assert 'src="http' not in html
    assert "Renders, not photographs" not in html
    assert html.count("<img") == 6 * 3 + 3
    path.write_text(html.replace("Accuracy", "accuracy"))
    next((tmp_path / "cache" / "models").rglob("means.npy")).write_bytes(b"")
    assert len(list(damages(tmp_path))) == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"arms__x": {"add": {"pore": 1}}}, "found the dataset 'pore' in the arm x; expected one of: pores"),
        ({"arms__x": {"real": False}}, "arms.x: found neither real pictures nor added ones"),
        ({"datasets__x": {"command": ["train", "{out}"]}}, "datasets.x.command: found 'train {out}'; expected render"),
        ({"datasets__x": {"command": ["refine", "{y}", "{out}"]}}, "found {y} in the command of x"),
        (
            {"datasets__x": {"rendered": {"recipe": "plate", "frames": 2, "seed": 0}, "good": 2}},
            "found good without {good}",
        ),
        ({"datasets__x": {}}, "datasets.x: found nothing; expected one of dataset, rendered and command"),
        ({"real__train": 0.9}, "real: found shares that sum to 1.5"),
        ({"real__trian": 0.9}, r"real.trian: unknown field; did you mean train\?"),
        ({"task": "painting"}, "task: found 'painting'; expected one of anomaly, bisqad, classification"),
    ],
)
def test_refusals_name_the_field(tmp_path, photos, pores, changes, said):
    with pytest.raises(StudyError, match=said):
        study(tmp_path, photos, pores, **changes)


def test_learners_settings_are_checked_before_anything_is_made(tmp_path, photos, pores):
    with pytest.raises(StudyError, match=r"learner\.batch: found 0"):
        run(study(tmp_path, photos, pores, learner__batch=0), tmp_path)
    arm = {"learner": {"speed": 1}}
    with pytest.raises(StudyError, match=r"arms\.x\.learner\.speed: unknown field \(allowed: epochs"):
        run(study(tmp_path, photos, pores, arms__x=arm), tmp_path)


def test_photographs_are_found_by_name_or_told_missing(tmp_path, photos, pores, monkeypatch):
    monkeypatch.setenv("BLEMISH_DATA", str(photos.parent))
    outcome, _ = run(study(tmp_path, "somewhere/photos", pores, seeds=[0]), tmp_path)
    assert outcome.photographs == photos
    monkeypatch.setenv("BLEMISH_DATA", str(tmp_path))
    with pytest.raises(StudyError, match=re.escape("real.dataset: found no folder somewhere/photos")):
        run(study(tmp_path, "somewhere/photos", pores), tmp_path)


def test_profiles_replace_fields_and_take_arms_out(tmp_path, photos, pores):
    study(tmp_path, photos, pores, arms__more={"add": {"pores": 2}})
    path = _with(tmp_path / "study.yaml", profiles={"small": {"arms": {"more": None}, "learner": {"epochs": 1}}})
    assert set(load_any(path).study.arms) == {"pores 1x", "more"}
    small = load_any(path, profile="small").study
    assert set(small.arms) == {"pores 1x"}
    assert small.learner == {"epochs": 1, "batch": 4, "learning_rate": 0.1}
    tiny = {"of": "small", "learner": {"batch": 2}}
    _with(path, profiles={**yaml.safe_load(path.read_text())["profiles"], "tiny": tiny, "odd": {"of": "even"}})
    assert set(load_any(path, profile="tiny").study.arms) == {"pores 1x"}
    assert load_any(path, profile="tiny").study.learner == {"epochs": 1, "batch": 2, "learning_rate": 0.1}
    with pytest.raises(StudyError, match=r"profiles: found no fields of 'even'; expected one of full, small, tiny"):
        load_any(path, profile="odd")
    _with(path, profiles={"odd": {"of": ["even"]}})
    with pytest.raises(StudyError, match=r"profiles: found no fields of \['even'\]; expected one of full, odd"):
        load_any(path, profile="odd")
    _with(path, profiles={"odd": {"of": "even"}, "even": {"of": "odd"}})
    with pytest.raises(StudyError, match=r"profiles.odd.of: found odd of even of odd; expected an end"):
        load_any(path, profile="odd")
    _with(path, profiles={"small": {"arms": {"more": None}}})
    with pytest.raises(StudyError, match=r"profiles: found no fields of 'large'; expected one of full, small"):
        load_any(path, profile="large")
    with pytest.raises(StudyError, match="task: found classification; expected anomaly, which --task asks for"):
        load_any(path, task="anomaly")
