"""A training step of the studies' learners beside the loop that one would write around the same network by hand.

    python benchmarks/studies.py [--quick] [--json FILE]
    python benchmarks/studies.py --shipped photos          # how long the training of the shipped studies takes

Both decode once, cut crops, descend by AdamW and see the same number of pixels; the bare loop draws crops anywhere, and
neither turns them nor weighs pictures. Classifiers see whole pictures of a crop's size, which the studies' own mirrors
and weighs. Processor time on one thread, the two in turn, medians.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.studies.classification import learner as classification
from anomaly.studies.classification.settings import ClassificationSettings
from anomaly.studies.detection import learner as detection
from anomaly.studies.engine.labelled import Classes, LabelledPicture, TrainingSet
from anomaly.studies.engine.study import DownstreamStudy
from anomaly.studies.registry import task_named
from anomaly.studies.segmentation import learner as segmentation
from anomaly.studies.segmentation.losses import loss_of
from anomaly.studies.sources.real_set import classes_of, parted, thinned
from anomaly.studies.study_file import load_any
from benchmarks.common import Figure, report
from scenes.formats.registry import read_samples
from scenes.formats.sample import Sample
from scenes.formats.truth import MaskFile

SIDE, COUNT, BATCH, CROP = 256, 16, 8, 128
CLASSES = Classes(("spot",))
DOWNSTREAM = ("neu_segmentation", "tile_classification", "tile_segmentation", "ballscrew_segmentation", "pcb_detection")
NUMBERS = {"epochs": 1000, "batch": BATCH, "learning_rate": 0.001, "crop": CROP}


def pictures(folder: Path) -> tuple[LabelledPicture, ...]:
    """Noise with a bright square each."""
    rng, made = np.random.default_rng(0), []
    for index in range(COUNT):
        picture, mask = rng.normal(120, 8, (SIDE, SIDE)), np.zeros((SIDE, SIDE), np.uint8)
        row, column = rng.integers(0, SIDE - 24, 2)
        mask[row : row + 24, column : column + 24] = 1
        picture[mask > 0] = 230
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / f"{index}.png")
        Image.fromarray(mask).save(folder / f"{index}_mask.png")
        truth = MaskFile(folder / f"{index}_mask.png", {1: "spot"})
        made.append(LabelledPicture(Sample(str(index), str(index), "spot", folder / f"{index}.png", truth), CLASSES))
    return tuple(made)


def studied(task: Any, network: str, training: TrainingSet) -> Callable[[int], object]:
    """A step of the studies' own."""
    kind = task.SegmentationSettings if task is segmentation else task.DetectionSettings
    settings = kind(network=network, **NUMBERS, **({"loss": "cross_entropy"} if task is segmentation else {}))
    step, _ = task.lesson(task.built(settings, CLASSES, 0, "cpu"), training, settings, "cpu")
    return lambda number: step(list(range(number % 2 * BATCH, number % 2 * BATCH + BATCH)), torch.Generator())


def bare(task: Any, network: str, training: TrainingSet) -> Callable[[int], object]:
    """The same with a loop of torch's alone."""
    kind = task.SegmentationSettings if task is segmentation else task.DetectionSettings
    model: Any = task.built(kind(network=network, **NUMBERS), CLASSES, 0, "cpu").train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.001)
    images = torch.stack([torch.from_numpy(each.image()).permute(2, 0, 1) for each in training.pictures]).float()
    masks = torch.stack([torch.from_numpy(each.class_mask()) for each in training.pictures]).long()
    boxes = [torch.from_numpy(each.boxes()[0]) for each in training.pictures]
    loss_function, rng = loss_of("cross_entropy"), np.random.default_rng(0)

    def step(number: int) -> None:
        places = range(number % 2 * BATCH, number % 2 * BATCH + BATCH)
        crops, truths, targets = [], [], []
        for place in places:
            row, column = (int(k) for k in rng.integers(0, SIDE - CROP, 2))
            crops.append(images[place, :, row : row + CROP, column : column + CROP])
            truths.append(masks[place, row : row + CROP, column : column + CROP])
            moved = (boxes[place] - torch.tensor([column, row, column, row])).clamp(0, CROP)
            moved = moved[((moved[:, 2:] - moved[:, :2]) > 4).all(dim=1)]
            targets.append({"boxes": moved, "labels": torch.ones(len(moved)).long(), "weight": torch.tensor(1.0)})
        batch = (torch.stack(crops) / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        optimizer.zero_grad()
        if task is segmentation:
            loss = loss_function(model(batch), torch.stack(truths))
        else:
            loss = torch.stack(list(model(list(batch), targets).values())).sum()
        torch.autograd.backward(loss)
        optimizer.step()

    return step


def classified(network: str, training: TrainingSet) -> dict[str, Callable[[int], object]]:
    """Both steps of a classifier."""
    settings = ClassificationSettings(network=network, image_size=CROP, epochs=1000, batch=BATCH, learning_rate=0.001)
    own = classification.built(settings, CLASSES, 0, "cpu")
    step, _ = classification.lesson(own, training, CLASSES, settings, "cpu")
    model: Any = classification.built(settings, CLASSES, 0, "cpu").train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.001)
    small = [classification.squared(each, CROP) for each in training.pictures]
    images = torch.stack([torch.from_numpy(each).permute(2, 0, 1) for each in small]).float()
    labels = torch.tensor([each.label for each in training.pictures])

    def plain(number: int) -> None:
        places = slice(number % 2 * BATCH, number % 2 * BATCH + BATCH)
        batch = (images[places] / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        optimizer.zero_grad()
        torch.autograd.backward(torch.nn.functional.cross_entropy(model(batch), labels[places]))
        optimizer.step()

    return {
        "studies": lambda number: step(list(range(number % 2 * BATCH, number % 2 * BATCH + BATCH)), torch.Generator()),
        "bare loop": plain,
    }


def compared(network: str, both: dict[str, Callable[[int], object]], steps: int) -> dict[str, Figure]:
    spent: dict[str, list[float]] = {name: [] for name in both}
    for number in range(steps + 2):
        for name, step in both.items():
            begun = time.process_time()
            step(number)
            spent[name].append(time.process_time() - begun)
    medians = {name: statistics.median(times[2:]) for name, times in spent.items()}
    return {
        "network": network,
        **{f"{name}, ms a step": 1000 * median for name, median in medians.items()},
        "studies ÷ bare": medians["studies"] / medians["bare loop"],
    }


def shipped(name: str, photos: Path) -> dict[str, Figure]:
    """How long a shipped study's training takes: its steps, by the time of one with its own settings and pictures."""
    study = load_any(name).study
    assert isinstance(study, DownstreamStudy)
    task = task_named(study.task)
    samples = read_samples(photos / Path(study.real.dataset or "").name)
    classes = classes_of(study, samples)
    pictures = [each for each in (LabelledPicture(s, classes) for s in samples) if not task.refusal(each)]
    train = parted(thinned(pictures, study.real.most_of_surface), study.real, study.seeds[0]).train
    settings: Any = task.settings.model_validate(study.learner)
    training = TrainingSet(train, len(train))
    if study.task == "classification":
        network = classification.built(settings, classes, 0, "cpu")
        step, _ = classification.lesson(network, training, classes, settings, "cpu")
    else:
        kind: Any = segmentation if study.task == "segmentation" else detection
        step, _ = kind.lesson(kind.built(settings, classes, 0, "cpu"), training, settings, "cpu")
    spent = []
    for _ in range(4):
        begun = time.process_time()
        step(list(range(settings.batch)), torch.Generator())
        spent.append(time.process_time() - begun)
    steps, learners = settings.epochs * -(-len(train) // settings.batch), len(study.every_arm) * len(study.seeds)
    median = statistics.median(spent[1:])
    return {
        "study": name,
        "learners": learners,
        "steps of each": steps,
        "ms a step": 1000 * median,
        "hours of one core": learners * steps * median / 3600,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON, unrounded")
    parser.add_argument("--shipped", type=Path, metavar="FOLDER", help="the parent of the studies' photographs")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.shipped is not None:
        rows = [shipped(name, given.shipped) for name in DOWNSTREAM]
        report(rows, given.json, "training of whole studies, on one thread; judging and making pictures come on top")
        return
    steps = 7 if given.quick else 25
    with tempfile.TemporaryDirectory() as folder:
        made = pictures(Path(folder))
        training = TrainingSet(made, len(made))
        rows = [
            compared(
                network,
                {"studies": studied(task, network, training), "bare loop": bare(task, network, training)},
                steps,
            )
            for task, network in ((segmentation, "fast_scnn"), (segmentation, "fpn"), (detection, "fcos"))
        ]
        rows += [
            compared(network, classified(network, training), steps) for network in ("efficientnet_lite0", "resnet18")
        ]
    report(rows, given.json, f"a step of {BATCH} crops of {CROP} pixels")


if __name__ == "__main__":
    main()
