"""Training in shards and evaluating, shared out among workers: the same bytes for one and for many."""

import numpy as np
import pytest
from PIL import Image

from anomaly.inspection.evaluate import evaluate_inspector
from anomaly.inspection.inspector import BANK_FILE, Inspector, InspectorError
from anomaly.inspection.train import train_inspector
from scenes.formats.registry import read_samples
from scenes.jobs.local import Local
from tests.command.told import contents

SETTINGS = {"backbone": "filters", "size": 24, "epochs": 3, "seed": 2, "shards": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """MVTec layout: grey noise, and in the flawed ones a bright square."""
    root = tmp_path_factory.mktemp("squares")
    rng = np.random.default_rng(0)
    for kind, count in (("train/good", 7), ("test/good", 3), ("test/square", 3)):
        (root / kind).mkdir(parents=True)
        (root / "ground_truth" / "square").mkdir(parents=True, exist_ok=True)
        for index in range(count):
            picture = rng.normal(120, 8, (64, 80, 3)).clip(0, 255).astype(np.uint8)
            if kind == "test/square":
                picture[16:40, 24:48] = 255
                mask = np.zeros((64, 80), np.uint8)
                mask[16:40, 24:48] = 255
                Image.fromarray(mask).save(root / "ground_truth" / "square" / f"{index}_mask.png")
            Image.fromarray(picture).save(root / kind / f"{index}.png")
    return root


@pytest.fixture(scope="module")
def sharded(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("bank") / "inspector"
    train_inspector(read_samples(folder), out, **SETTINGS)
    return out


class Killed(Exception):
    pass


def features_of(inspector, samples):
    return [inspector.features(sample.image()) for sample in samples]


def test_a_bank_of_shards_is_of_all_pictures_and_covers_them(folder, sharded, tmp_path):
    """No patch lies farther than the distances of the levels of the tree, one over the other, allow."""
    melded = Inspector.load(sharded)
    good = [sample for sample in read_samples(folder) if sample.split == "train"]
    assert set(melded.training.groups) == {sample.group for sample in good}
    assert melded.training.shards == 3
    assert melded.training.history[-1].startswith("trained with 7 pictures in 3 shards: 24 of 24 rows")
    assert [path.name for path in sharded.iterdir()] == [BANK_FILE]
    patches = np.concatenate([part.numpy() for part in features_of(melded, good)])
    rows = melded.model.coreset.bank.numpy()
    assert (np.abs(rows[:, None] - patches[None]).max(-1).min(1) == 0).all()  # each row is a patch
    alone = train_inspector(good, tmp_path / "alone", **{**SETTINGS, "shards": 1})

    def farthest(bank):
        return np.linalg.norm(patches[:, None] - bank[None], axis=-1).min(1).max()

    # Once for a shard, once for each of two melds.
    assert farthest(rows) <= 3 * farthest(alone.model.coreset.bank.numpy())
    known = {melded.training.sources[key] for key in melded.training.sources}
    assert len(known) > 3  # rows are of the pictures of several shards


@pytest.mark.parametrize("calls", [1, 5, 12, 20, 26])
def test_a_killed_training_goes_on_to_the_same_bytes(folder, sharded, tmp_path, calls):
    left = calls

    def kill(what, done, total):
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    with pytest.raises(Killed):
        train_inspector(read_samples(folder), tmp_path, **SETTINGS, progress=kill)
    assert not (tmp_path / BANK_FILE).exists()
    if (tmp_path / "shards").exists():
        with pytest.raises(InspectorError, match="repeat the `blemish train` command"):
            Inspector.load(tmp_path)
    train_inspector(read_samples(folder), tmp_path, **SETTINGS)
    assert contents(tmp_path) == contents(sharded)


def test_how_many_shards_is_a_setting(folder, sharded):
    with pytest.raises(InspectorError, match=r"shards \(3 there, 2 asked for\) differ"):
        train_inspector(read_samples(folder), sharded, **{**SETTINGS, "shards": 2})
    assert train_inspector(read_samples(folder), sharded, **SETTINGS).training.shards == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shards": 0}, "shards is 0"),
        ({"shards": 8}, "found 7 good pictures for 8 shards"),
        ({"boundary_patches": 4}, "no boundary patches; leave out --shards"),
    ],
)
def test_shards_that_cannot_be_are_refused(folder, tmp_path, settings, message):
    with pytest.raises(InspectorError, match=message):
        train_inspector(read_samples(folder), tmp_path, **{**SETTINGS, **settings})


def test_one_goes_on_from_a_bank_in_shards(folder, sharded, tmp_path):
    settings = {"shards": 2, "epochs": 2}
    tuned = train_inspector(read_samples(folder), tmp_path, start=sharded, **settings)
    assert tuned.training.generation == 1
    assert tuned.model.coreset.count == 24
    assert Inspector.load(tmp_path).training == tuned.training


@pytest.mark.slow
def test_two_workers_make_the_same_bytes(folder, sharded, tmp_path):
    samples = read_samples(folder)
    train_inspector(samples, tmp_path / "bank", **SETTINGS, executor=Local(2))
    assert contents(tmp_path / "bank") == contents(sharded)
    for name, workers in (("one", 1), ("two", 2)):
        evaluate_inspector(sharded, samples, None, tmp_path / name, share=0.5, executor=Local(workers))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
