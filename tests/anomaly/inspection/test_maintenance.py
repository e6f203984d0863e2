"""Banks that exist: going on from them, melding, resizing, ageing and forgetting, as calls and as commands."""

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from anomaly import cli
from anomaly.inspection.augmentation import Augmentation
from anomaly.inspection.inspector import BANK_FILE, Inspector, InspectorError, source_of
from anomaly.inspection.maintenance import aged, melded, resized, without_pictures
from anomaly.inspection.train import train_inspector
from anomaly.patchcore.coreset import SequentialCoreset
from scenes.formats.registry import read_samples
from scenes.formats.sample import Sample

SETTINGS = {"backbone": "untrained", "seed": 3, "image_size": 80}


@pytest.fixture(scope="module")
def banks(folders, tmp_path_factory):
    root = tmp_path_factory.mktemp("banks")
    for folder in folders:
        train_inspector(read_samples(folder), root / folder.name, **SETTINGS, size=50, trained_on=[folder.name])
    return root / "dark", root / "bright"


def features_of(inspector, folder):
    return torch.cat([inspector.features(sample.image()) for sample in read_samples(folder)])


def numbers_of(folder):
    return {source_of(sample.image_path) for sample in read_samples(folder)}


def test_every_row_is_a_patch_of_the_picture_that_it_names(banks, folders):
    inspector = Inspector.load(banks[0])
    by_number = {source_of(s.image_path): inspector.features(s.image()) for s in read_samples(folders[0])}
    coreset = inspector.model.coreset
    for row, source in zip(coreset.bank, coreset.sources.tolist(), strict=True):
        assert bool((by_number[source] == row).all(dim=1).any())
    assert set(inspector.training.sources.values()) <= {"1_0.png", "1_1.png", "1_2.png"}
    assert inspector.training.history == ("trained with 3 pictures: 50 of 50 rows",)


def test_fine_tuning_offers_the_new_patches_to_the_old_bank(banks, folders, tmp_path):
    begun = Inspector.load(banks[0])
    tuned = train_inspector(read_samples(folders[1]), tmp_path / "a", start=banks[0], seed=3, epochs=1)
    expected = SequentialCoreset(50)
    expected.load_state_dict(begun.model.coreset.state_dict())
    samples = read_samples(folders[1])
    for index in np.random.default_rng([3, 0]).permutation(3):
        expected.update(begun.features(samples[index].image()))
    assert torch.equal(tuned.model.coreset.bank, expected.bank)
    new = torch.isin(tuned.model.coreset.sources, torch.tensor(sorted(numbers_of(folders[1]))))
    assert torch.equal(tuned.model.coreset.generations, new.long())
    assert 0 < int(new.sum()) < 50
    assert tuned.training.groups == tuple(sorted(s.group for f in folders for s in read_samples(f)))
    assert [line.split(":")[0] for line in tuned.training.history] == [
        "trained with 3 pictures",
        "gone on with 3 pictures",
    ]
    assert Inspector.load(tmp_path / "a").training == tuned.training


def test_fine_tuning_that_was_killed_goes_on_to_the_same_bytes(banks, folders, tmp_path):
    class Killed(Exception):
        pass

    def kill(what, done, total):
        if what.startswith("epoch 2") and done == 1:
            raise Killed

    settings = {"start": banks[0], "seed": 3, "epochs": 3, "augmentation": Augmentation()}
    samples = read_samples(folders[1])
    with pytest.raises(Killed):
        train_inspector(samples, tmp_path / "a", **settings, progress=kill)
    train_inspector(samples, tmp_path / "a", **settings)
    train_inspector(samples, tmp_path / "b", **settings)
    assert (tmp_path / "a" / BANK_FILE).read_bytes() == (tmp_path / "b" / BANK_FILE).read_bytes()
    with pytest.raises(InspectorError, match="the augmentation or the backbone's weights differ"):
        train_inspector(samples, tmp_path / "a", **{**settings, "augmentation": Augmentation(noise=0.1)})


def test_augmentation_shows_other_patches_in_every_epoch(folders, tmp_path):
    plain = train_inspector(read_samples(folders[0]), tmp_path / "a", **SETTINGS, size=50, epochs=2)
    varied = train_inspector(
        read_samples(folders[0]), tmp_path / "b", **SETTINGS, size=50, epochs=2, augmentation=Augmentation()
    )
    assert varied.training.accepted[1] > plain.training.accepted[1]
    assert varied.training.augmented


def test_what_changes_the_features_is_refused_when_going_on(banks, folders, tmp_path):
    for change in ({"image_size": 64}, {"pretrained": True}, {"backbone": "resnet18"}):
        with pytest.raises(InspectorError, match="keeps its backbone, its scale and its tiles"):
            train_inspector(read_samples(folders[1]), tmp_path, start=banks[0], **change)


def test_melding_offers_the_rows_of_all_and_leaves_them_as_they_were(banks):
    first, second = (Inspector.load(bank) for bank in banks)
    before = first.model.coreset.bank
    one = melded([first, second])
    expected = SequentialCoreset(50)
    expected.update(first.model.coreset.bank)
    expected.update(second.model.coreset.bank)
    assert torch.equal(one.model.coreset.bank, expected.bank)
    assert torch.equal(one.model.memory_bank, expected.bank)
    assert torch.equal(first.model.coreset.bank, before)
    assert set(one.training.trained_on) == {"dark", "bright"}
    three = melded([first, second, first], size=100)
    assert three.model.coreset.bank.shape[0] == 100
    assert set(three.training.sources.values()) > set(first.training.sources.values())


def test_a_melded_bank_with_room_for_all_rows_covers_no_patch_worse_than_its_own_did(banks, folders):
    parts = [Inspector.load(bank) for bank in banks]
    whole = melded(parts, size=100).model.coreset
    for part, folder in zip(parts, folders, strict=True):
        features = features_of(part, folder)
        own, now = part.model.coreset.nearest(features)[0], whole.nearest(features)[0]
        assert bool((now <= own * (1 + 1e-6)).all())


def test_banks_of_other_backbones_or_scales_are_not_melded(banks, folders, tmp_path):
    first = Inspector.load(banks[0])
    other = train_inspector(read_samples(folders[0]), tmp_path / "a", **{**SETTINGS, "seed": 4}, size=50, epochs=1)
    with pytest.raises(InspectorError, match="another backbone"):
        melded([first, other])
    larger = train_inspector(
        read_samples(folders[0]), tmp_path / "b", **{**SETTINGS, "image_size": 120}, size=50, epochs=1
    )
    with pytest.raises(InspectorError, match=r"works at 1\.5 of its pictures' size and the first at 1"):
        melded([first, larger])
    with pytest.raises(InspectorError, match="at least two"):
        melded([first])


def test_forgotten_pictures_leave_no_row_whether_told_by_file_or_by_name(banks, folders):
    inspector = Inspector.load(banks[0])
    picture = folders[0] / "train" / "good" / "1_1.png"
    number = source_of(picture)
    held = int((inspector.model.coreset.sources == number).sum())
    assert held > 0
    for told in (picture, "1_1.png", "gone/1_1.png"):
        changed, gone = without_pictures(inspector, [told])
        assert gone == held
        assert number not in changed.model.coreset.sources.tolist()
        assert "1_1.png" not in changed.training.sources.values()
        assert torch.equal(
            changed.model.memory_bank, inspector.model.memory_bank[inspector.model.coreset.sources != number]
        )
    assert without_pictures(inspector, [folders[1] / "train" / "good" / "2_0.png"])[1] == 0
    with pytest.raises(InspectorError, match="is no file, and no row of the bank"):
        without_pictures(inspector, ["never.png"])
    with pytest.raises(InspectorError, match="no row would be left"):
        without_pictures(inspector, sorted((folders[0] / "train" / "good").iterdir()))


def test_old_generations_age_out(banks, folders, tmp_path):
    tuned = train_inspector(read_samples(folders[1]), tmp_path, start=banks[0], seed=3)
    changed, gone = aged(tuned, 1)
    assert gone == int((tuned.model.coreset.generations == 0).sum()) > 0
    assert set(changed.model.coreset.sources.tolist()) <= numbers_of(folders[1])
    assert aged(tuned, 2)[1] == 0


def test_resized_banks_are_saved_loaded_and_gone_on_from(banks, folders, tmp_path):
    small = resized(Inspector.load(banks[0]), 20)
    small.save(tmp_path / "small")
    loaded = Inspector.load(tmp_path / "small")
    assert torch.equal(loaded.model.coreset.bank, small.model.coreset.bank)
    assert len(loaded.model.memory_bank) == 20
    grown = train_inspector(read_samples(folders[0]), tmp_path / "grown", start=tmp_path / "small", size=70)
    assert len(grown.model.memory_bank) == 70


def test_a_bank_with_room_left_is_loaded_with_it(banks, tmp_path):
    resized(Inspector.load(banks[0]), 70).save(tmp_path)
    loaded = Inspector.load(tmp_path).model.coreset
    assert (loaded.size, loaded.count) == (70, 50)


def test_patches_of_which_nothing_is_seen_are_neither_learnt_nor_evaluated(tmp_path):
    rng = np.random.default_rng(5)
    rgba = rng.integers(80, 120, (64, 96, 4), np.uint8)
    rgba[..., 3] = 255
    rgba[:, 50:, 3] = 0
    rgba[:, 50:, :3] = rng.integers(0, 255, (64, 46, 3), np.uint8)  # lies under what is transparent
    Image.fromarray(rgba).save(tmp_path / "plate.png")
    sample = Sample("plate", "plate", "good", tmp_path / "plate.png")
    inspector = train_inspector([sample], tmp_path / "bank", backbone="untrained", size=500, epochs=1)
    assert inspector.model.coreset.count == 8 * 7  # cells of 8 pixels: 48 to 55 is half seen
    image, valid_mask = sample.image(), sample.valid_mask()
    assert not image[:, 50:].any()
    image[:, 60:] = 255
    anomaly_map, score = inspector.predict(image, valid_mask)
    assert not anomaly_map[:, 50:].any()
    assert score == anomaly_map.max()
    assert inspector.predict(image)[0][:, 60:].min() > 0


@pytest.fixture(scope="module")
def command():
    app = typer.Typer()
    cli.register(app)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_commands_meld_look_forget_and_shrink(command, banks, folders, tmp_path):
    run = command("meld", *banks, "--out", tmp_path / "one")
    assert run.exit_code == 0, run.output
    assert "melded from 2 banks: 50 of 50 rows" in run.output
    run = command("bank", tmp_path / "one")
    assert "melded from 2 banks" in run.output
    picture = folders[0] / "train" / "good" / "1_0.png"
    run = command("bank", tmp_path / "one", "--forget", picture, "--size", 30, "--out", tmp_path / "less")
    assert run.exit_code == 0, run.output
    less = Inspector.load(tmp_path / "less")
    assert len(less.model.memory_bank) <= 30
    assert source_of(picture) not in less.model.coreset.sources.tolist()
    assert len(less.training.history) == 4
    run = command("train", folders[1], "--start", banks[0], "--augment", "--epochs", 1, "--out", tmp_path / "tuned")
    assert run.exit_code == 0, run.output
    assert "gone on with 3 pictures" in run.output


def test_mistakes_with_banks_are_blemish_errors(command, banks, tmp_path):
    for arguments, message in (
        (["bank", banks[0], "--size", 20], "--out is missing"),
        (["bank", banks[0], "--out", tmp_path / "x"], "no change"),
        (["meld", *banks, "--out", banks[0]], "holds an inspector already"),
        (["meld", banks[0], "--out", tmp_path / "x"], "at least two"),
    ):
        run = command(*arguments)
        assert isinstance(run.exception, InspectorError), run.output
        assert message in str(run.exception)
