"""Learns to find defects on crops, and says of whole pictures in which boxes they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, StrictBool
from torch import Tensor, nn
from torchvision.ops import batched_nms

from anomaly.studies.detection.average_precision import Boxes
from anomaly.studies.detection.networks import FIXED, MOST, STRIDE, NetworkError, NetworkName, batch_loss, network_of
from anomaly.studies.engine import crops
from anomaly.studies.engine.descent import Descent, Optimizer
from anomaly.studies.engine.encoders import PACKAGED, load_imagenet
from anomaly.studies.engine.labelled import Classes, LabelledPicture, TrainingSet
from anomaly.studies.engine.task import LearnerSettings
from anomaly.studies.engine.training import Stateful, Step

VISIBLE = 0.4  # share of a defect's box from which on a crop that cuts it shows it
OVERLAP = 0.25  # of the side of tiles that a picture is seen in
SAME = 0.5  # intersection over union of boxes of neighbouring tiles that are one


class DetectionSettings(LearnerSettings):
    """How a detector is built and trained.

    encoder: of FCOS, a timm model; imagenet: with the packaged ImageNet weights; width: channels of its pyramid and
    head. scale: working pixels per picture pixel. crop: working pixels a side. around_defects: share of the crops of
    defective pictures that lie round a defect. flips: crops are mirrored and turned at random.
    """

    network: NetworkName = "fcos"
    encoder: str = PACKAGED
    imagenet: StrictBool = False
    width: Annotated[int, Field(strict=True, ge=32, le=512, multiple_of=32)] = 64
    scale: Annotated[float, Field(gt=0, le=8)] = 1.0
    crop: Annotated[int, Field(strict=True, ge=STRIDE, le=4096, multiple_of=STRIDE)] = 256
    around_defects: Annotated[float, Field(ge=0, le=1)] = 0.8
    flips: StrictBool = True
    optimizer: Optimizer = "adamw"


def built(
    settings: DetectionSettings, classes: Classes, seed: int, device: str, *, is_trained: bool = False
) -> nn.Module:
    """The network as it is before it learns; without ImageNet weights where its own trained ones are loaded next.

    Raises NetworkError, BackboneError.
    """
    if settings.imagenet and (settings.network != "fcos" or settings.encoder != PACKAGED):
        raise NetworkError(
            f"found learner.imagenet with learner.network {settings.network} and learner.encoder {settings.encoder}; "
            f"the packaged weights are those of {PACKAGED}, which fcos has"
        )
    if settings.network == "ssdlite" and settings.crop != FIXED:
        raise NetworkError(f"found learner.crop {settings.crop}; expected {FIXED}, which ssdlite's boxes are made for")
    network = network_of(settings.network, len(classes.all_names), settings.encoder, settings.width, seed)
    if settings.imagenet and not is_trained:
        load_imagenet(network.get_submodule("backbone.encoder"))
    # torch declares no such overload
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def lesson(
    network: nn.Module, training: TrainingSet, settings: DetectionSettings, device: str
) -> tuple[Step, Mapping[str, Stateful]]:
    """What a step does with the pictures that it is given, and everything that it changes."""
    steps = settings.epochs * -(-training.epoch_length // settings.batch)
    descent = Descent(network, settings.optimizer, settings.learning_rate, settings.weight_decay, steps)
    decoded = crops.DecodedPictures(training.pictures, _decoded(settings.scale))
    network.train()

    def step(chosen: Sequence[int], generator: torch.Generator) -> Tensor:
        rng = crops.generator_of(generator)
        images, targets = [], []
        for place in chosen:
            image, boxes = decoded[place]
            part, seen = drawn(image, boxes, settings, rng)
            images.append(part)
            targets.append(
                {
                    "boxes": torch.from_numpy(seen.boxes).to(device),
                    "labels": torch.from_numpy(seen.labels).to(device),
                    "weight": torch.tensor(training.pictures[place].weight),
                }
            )
        loss = batch_loss(network, crops.as_batch(images, device), targets)
        descent.take(loss)
        return loss

    return step, {"network": network, "descent": descent}


def drawn(
    image: NDArray[np.uint8], truth: Boxes, settings: DetectionSettings, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], Boxes]:
    """A crop of a picture and the boxes in it: round one of its defects in the stated share, else anywhere."""
    pixel = None
    if rng.random() < settings.around_defects and len(truth.boxes):
        left, top, right, bottom = truth.boxes[rng.integers(len(truth.boxes))]
        pixel = (int((top + bottom) / 2), int((left + right) / 2))
    size = settings.crop
    row, column = crops.window(image.shape, size, rng, pixel)
    part = crops.cut(image, (row, column), size)
    moved = truth.boxes - np.array([column, row, column, row], np.float32)
    boxes = moved.clip(0, size)
    shown = _areas(boxes) >= VISIBLE * _areas(moved)
    boxes = boxes[shown]
    if settings.flips:
        turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        part = np.rot90(part, turns)
        for _ in range(turns):  # anticlockwise: x becomes the distance from the bottom, y from the left edge turned
            left, top, right, bottom = boxes.T
            boxes = np.stack([top, size - right, bottom, size - left], axis=1)
        if mirrored:
            part = part[:, ::-1]
            boxes = np.stack([size - boxes[:, 2], boxes[:, 1], size - boxes[:, 0], boxes[:, 3]], axis=1)
    return part, Boxes(np.ascontiguousarray(boxes, np.float32), truth.labels[shown], np.zeros(0))


@torch.inference_mode()
def detected(network: nn.Module, image: NDArray[np.uint8], settings: DetectionSettings, device: str) -> Boxes:
    """What a network in evaluation finds in a picture (H, W, 3), best first."""
    small = crops.scaled(image, settings.scale)
    # The boxes of SSDLite grow with what it is shown: it sees tiles of the size that it learnt on.
    tile = settings.crop if settings.network == "ssdlite" else None
    found: list[dict[str, Tensor]] = []
    for row, column in corners(small.shape, tile):
        part = crops.whole(small, STRIDE) if tile is None else crops.cut(small, (row, column), tile)
        (one,) = network(list(crops.as_batch([part], device)))
        one["boxes"] = one["boxes"] + one["boxes"].new_tensor([column, row, column, row])
        found.append(one)
    boxes, labels, scores = (torch.cat([one[key] for one in found]) for key in ("boxes", "labels", "scores"))
    height, width = small.shape[:2]
    boxes = boxes.minimum(boxes.new_tensor([width, height, width, height]))  # what lies beyond was only continued
    kept = batched_nms(boxes, scores, labels, SAME if tile else 1.0)[:MOST]
    kept = kept[(boxes[kept, 2:] > boxes[kept, :2]).all(dim=1)]
    scales = np.array([image.shape[1] / width, image.shape[0] / height] * 2, np.float32)
    return Boxes(
        boxes[kept].cpu().numpy().astype(np.float32) * scales,
        labels[kept].cpu().numpy().astype(np.int64),
        scores[kept].cpu().numpy().astype(np.float64),
    )


def corners(shape: Sequence[int], tile: int | None) -> list[tuple[int, int]]:
    """First corners of tiles that cover a picture (H, W, …) and overlap by OVERLAP at least; of one without a size."""
    if tile is None:
        return [(0, 0)]
    starts = []
    for side in shape[:2]:
        count = 1 if side <= tile else 1 + -(-(side - tile) // max(1, round(tile * (1 - OVERLAP))))
        starts.append([round(k * (side - tile) / (count - 1)) if count > 1 else 0 for k in range(count)])
    return [(row, column) for row in starts[0] for column in starts[1]]


def truth_of(picture: LabelledPicture) -> Boxes:
    """Boxes of a picture's defects, in its own pixels."""
    return Boxes(*picture.boxes(), np.zeros(0))


def settings_of(settings: DetectionSettings, classes: Classes, seed: int) -> dict[str, Any]:
    """Everything but the pictures that a training follows from, as JSON values."""
    return {"learner": settings.model_dump(mode="json"), "classes": list(classes.names), "seed": seed}


def _decoded(scale: float) -> Callable[[LabelledPicture], tuple[NDArray[np.uint8], Boxes]]:
    def decode(picture: LabelledPicture) -> tuple[NDArray[np.uint8], Boxes]:
        truth = truth_of(picture)
        return crops.scaled(picture.image(), scale), Boxes(truth.boxes * np.float32(scale), truth.labels, truth.scores)

    return decode


def _areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    areas: NDArray[np.float32] = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return areas
