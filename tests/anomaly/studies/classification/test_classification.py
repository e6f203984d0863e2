"""Figures against torchmetrics, mixing against hand counts, and learners that learn what there is and nothing else."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from anomaly.studies.classification.figures import confusion, figures_of
from anomaly.studies.classification.learner import (
    ClassifierError,
    Seen,
    built,
    class_weights,
    flip,
    lesson,
    probabilities,
    squared,
)
from anomaly.studies.classification.mixing import mixed
from anomaly.studies.classification.settings import ClassificationSettings
from anomaly.studies.classification.task import Classification
from anomaly.studies.engine import crops
from anomaly.studies.engine.labelled import Classes, LabelledPicture, TrainingSet
from anomaly.studies.engine.training import CHECKPOINT
from scenes.formats.sample import Sample

CLASSES = Classes(("dark", "bright"))
SETTINGS = ClassificationSettings(network="mobilenetv3_small", image_size=32, epochs=3, batch=8, learning_rate=3e-3)


def test_figures_are_torchmetrics_own_for_any_choice_of_surfaces():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 3, (2, 40, 5))
    counts = np.stack([confusion(t.tolist(), p.tolist(), 4) for t, p in zip(truth, predicted, strict=True)])
    weights = np.vstack([np.ones(40), rng.multinomial(40, np.full(40, 1 / 40), 3)])
    found = figures_of(counts, ("good", "a", "b", "c"), weights)
    for row, weight in enumerate(weights.astype(int)):
        t, p = (torch.tensor(np.repeat(values, weight, axis=0).ravel()) for values in (truth, predicted))
        assert found["accuracy"][row] == pytest.approx(float(multiclass_accuracy(p, t, 4, average="micro")))
        assert found["macro_f1"][row] == pytest.approx(float(multiclass_f1_score(p, t, 4, average="macro")))
        by_class = multiclass_accuracy(p, t, 4, average="none")
        for number, name in enumerate(("good", "a", "b")):
            assert found[f"recall/{name}"][row] == pytest.approx(float(by_class[number]))
    assert np.isnan(found["recall/c"]).all()


@pytest.mark.parametrize("method", ["mixup", "cutmix"])
def test_mixed_pictures_hold_what_their_labels_say(method):
    images = torch.arange(4.0).reshape(4, 1, 1, 1).expand(4, 3, 16, 16)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    pictures, shares = mixed(images, torch.tensor([0, 1, 2, 0]), method, 1.0, 3, 5)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(4))
    own = float(shares[1, 1])
    assert 0 < own < 1
    # Picture 1 is mixed with picture 2: values 1 and 2 in the shares of the labels 1 and 2.
    torch.testing.assert_close(float(pictures[1].mean()), own * 1 + (1 - own) * 2, atol=1e-5, rtol=0)
    assert (len(pictures[1].unique()) == 2) == (method == "cutmix")
    again, _ = mixed(images, torch.tensor([0, 1, 2, 0]), method, 1.0, 3, 5)
    torch.testing.assert_close(again, pictures, rtol=0, atol=0)


def pictures(folder: Path, count: int, seed: int, side: int = 16) -> tuple[LabelledPicture, ...]:
    """Noise of 32 pixels a side: dark in a corner of so many, bright there, or neither."""
    rng, made = np.random.default_rng(seed), []
    for index in range(count):
        label, image = index % 3, rng.normal(128, 20, (32, 32, 3))
        image[:side, :side] += (0, -90, 90)[label]
        path = folder / f"{seed}_{index}.png"
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(path)
        made.append(LabelledPicture(Sample(path.stem, path.stem, CLASSES.all_names[label], path), CLASSES))
    return tuple(made)


def accuracy(folder, training, test, settings=SETTINGS, kill=None):
    task = Classification()
    folder.mkdir(exist_ok=True)

    def progress(what, done, total):
        if what == kill:
            raise KeyboardInterrupt

    task.train(training, (), CLASSES, settings, 0, "cpu", folder, progress)
    found = task.evaluate(folder, test, CLASSES, settings, "cpu", lambda *_: None)
    return task.replicated(found, CLASSES, np.ones((1, len(found.surfaces))))["accuracy"][0]


def test_a_killed_classifier_ends_in_the_same_bytes(tmp_path):
    train, test = pictures(tmp_path, 21, 0), pictures(tmp_path, 6, 1)
    training = TrainingSet(train, len(train))
    settings = SETTINGS.model_copy(update={"mixing": "cutmix"})
    accuracy(tmp_path / "whole", training, test, settings)
    with pytest.raises(KeyboardInterrupt):
        accuracy(tmp_path / "killed", training, test, settings, kill="epoch 3 of 3")
    assert (tmp_path / "killed" / CHECKPOINT).is_file()
    accuracy(tmp_path / "killed", training, test, settings)
    files = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "killed").iterdir()} == files
    said = Classification().predict(tmp_path / "whole", test[:2], CLASSES, settings, "cpu")
    assert all(one.caption.split()[0] in CLASSES.all_names for one in said)


def test_pictures_of_no_weight_teach_nothing(tmp_path):
    """Every other picture lies and weighs nothing: what is learnt is what the others say."""
    train, test = pictures(tmp_path, 96, 2), pictures(tmp_path, 60, 3)
    other = [LabelledPicture(p.sample, CLASSES, 0.0, True, train[(k + 1) % 96].sample) for k, p in enumerate(train)]
    training = TrainingSet((*train, *other), 192)
    assert accuracy(tmp_path / "model", training, test) > 0.7


@pytest.mark.parametrize(("mixing", "side"), [("mixup", 16), ("cutmix", 32)])
def test_mixed_pictures_teach_as_well(tmp_path, mixing, side):
    """Of three classes one is right by chance. CutMix's labels are shares of the area, so that all of it must show."""
    train, test = pictures(tmp_path, 192, 6, side), pictures(tmp_path, 60, 7, side)
    settings = SETTINGS.model_copy(update={"mixing": mixing, "epochs": 8})
    assert accuracy(tmp_path / "model", TrainingSet(train, len(train)), test, settings) > 0.65


def test_a_frozen_network_sees_every_picture_once_and_only_its_classifier_learns(tmp_path):
    made = pictures(tmp_path, 12, 8)
    settings = SETTINGS.model_copy(update={"frozen": True, "epochs": 40, "batch": 12, "learning_rate": 0.02})
    network = built(settings, CLASSES, 0, "cpu")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    looked = []
    network.get_submodule("conv_stem").register_forward_hook(lambda *_: looked.append(1))
    step, _ = lesson(network, TrainingSet(made, 12), CLASSES, settings, "cpu")
    losses = [float(step(list(range(12)), torch.Generator().manual_seed(k))) for k in range(40)]
    assert len(looked) <= 4 * 12
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert {name for name in changed if "running" not in name and "tracked" not in name} == {
        "classifier.1.weight", "classifier.1.bias",
    }  # fmt: skip
    assert all(name.startswith("classifier.") for name in changed)
    assert losses[-1] < 0.7 * losses[0]
    # What was seen once is what the whole network makes of the same pictures.
    found = probabilities(network.eval(), made, settings.image_size, "cpu")
    decoded = crops.DecodedPictures(made, lambda each: (squared(each, settings.image_size), None))
    seen = Seen(network, decoded, "cpu").classified(range(12), [(1, 1)] * 12).softmax(dim=1)
    np.testing.assert_allclose(seen.detach().numpy(), found, atol=1e-5)


def test_every_network_is_built_with_a_head_for_the_classes():
    for name in ("resnet18", "mobilenetv3_small", "mobilenetv3_large"):
        settings = ClassificationSettings(network=name, image_size=32)
        one, two = (built(settings, CLASSES, 3, "cpu").eval() for _ in range(2))
        torch.testing.assert_close(one.state_dict(), two.state_dict(), rtol=0, atol=0)
        assert one(torch.zeros(1, 3, 32, 32)).shape == (1, 3)
    with pytest.raises(ClassifierError, match="no package brings ImageNet weights of resnet18"):
        built(ClassificationSettings(imagenet=True), CLASSES, 0, "cpu")


def test_balanced_weights_make_classes_count_alike(tmp_path):
    made = [p for p in pictures(tmp_path, 30, 4) if p.label != 2][:12] + [
        p for p in pictures(tmp_path, 6, 5) if p.label == 2
    ]
    weights = class_weights(TrainingSet(tuple(made), len(made)), CLASSES, "cpu").numpy()
    labels = np.array([p.label for p in made])
    sums = [weights[k] * (labels == k).sum() for k in range(3)]
    np.testing.assert_allclose(sums, sums[0], rtol=1e-5)
    assert weights[labels].mean() == pytest.approx(1)


def test_flips_are_all_four():
    assert {flip(np.random.default_rng(seed)) for seed in range(30)} == {(1, 1), (1, -1), (-1, 1), (-1, -1)}
