"""Learns to segment on crops, and says of whole pictures which class every pixel is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, StrictBool, field_validator
from torch import Tensor, nn
from torch.nn import functional

from anomaly.studies.engine import crops
from anomaly.studies.engine.descent import Descent, Optimizer
from anomaly.studies.engine.encoders import load_imagenet
from anomaly.studies.engine.labelled import IGNORED, Classes, LabelledPicture, TrainingSet
from anomaly.studies.engine.task import LearnerSettings
from anomaly.studies.engine.training import Stateful, Step
from anomaly.studies.segmentation.losses import loss_of, parts, weighted
from anomaly.studies.segmentation.networks import STRIDE, NetworkError, NetworkName, encoder_of, network_of

BOOSTED = 1.0  # what each booster head's loss counts beside the head's own; [Yu 2021]


class SegmentationSettings(LearnerSettings):
    """How a segmenter is built and trained.

    encoder: of segmentation-models-pytorch; imagenet: with the packaged ImageNet weights. class_weights: of the
    background and each class, in the loss. scale: working pixels per picture pixel. crop: working pixels a side.
    around_defects: share of the crops of defective pictures that lie round a defect. flips: crops are mirrored and
    turned at random.
    """

    network: NetworkName = "fpn"
    encoder: str | None = None
    imagenet: StrictBool = False
    loss: str = "focal"
    class_weights: tuple[Annotated[float, Field(gt=0, le=1000)], ...] | None = None
    scale: Annotated[float, Field(gt=0, le=8)] = 1.0
    crop: Annotated[int, Field(strict=True, ge=STRIDE, le=4096, multiple_of=STRIDE)] = 256
    around_defects: Annotated[float, Field(ge=0, le=1)] = 0.5
    flips: StrictBool = True
    optimizer: Optimizer = "adamw"

    @field_validator("loss")
    @classmethod
    def _is_known(cls, name: str) -> str:
        parts(name)
        return name


def built(
    settings: SegmentationSettings, classes: Classes, seed: int, device: str, *, is_trained: bool = False
) -> nn.Module:
    """The network as it is before it learns; without ImageNet weights where its own trained ones are loaded next.

    Raises NetworkError, BackboneError.
    """
    if settings.class_weights is not None and len(settings.class_weights) != len(classes.all_names):
        raise NetworkError(
            f"found {len(settings.class_weights)} numbers in learner.class_weights; expected "
            f"{len(classes.all_names)}: one of the background and one of each of {', '.join(classes.names)}"
        )
    encoder = encoder_of(settings.network, settings.encoder, settings.imagenet)
    network = network_of(settings.network, len(classes.all_names), encoder, seed)
    if settings.imagenet and not is_trained:
        load_imagenet(network.get_submodule("encoder.model"))
    # torch declares no such overload
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def lesson(
    network: nn.Module, training: TrainingSet, settings: SegmentationSettings, device: str
) -> tuple[Step, Mapping[str, Stateful]]:
    """What a step does with the pictures that it is given, and everything that it changes."""
    steps = settings.epochs * -(-training.epoch_length // settings.batch)
    descent = Descent(network, settings.optimizer, settings.learning_rate, settings.weight_decay, steps)
    loss = loss_of(settings.loss, settings.class_weights)
    decoded = crops.DecodedPictures(training.pictures, _decoded(settings.scale))
    network.train()

    def step(chosen: Sequence[int], generator: torch.Generator) -> Tensor:
        rng = crops.generator_of(generator)
        # Two crops at least: a batch's statistics are not defined over the one value of a pooled crop.
        shown = list(chosen) * (2 if len(chosen) == 1 else 1)
        pairs = [drawn(*decoded[place], settings, rng) for place in shown]
        images = crops.as_batch([image for image, _ in pairs], device)
        masks = torch.from_numpy(np.stack([mask for _, mask in pairs])).long().to(device)
        weights = torch.tensor([training.pictures[place].weight for place in shown], device=device)
        found = network(images)
        head, *boosters = found if isinstance(found, list) else [found]
        total = weighted(loss, head, masks, weights)
        for booster in boosters:
            total = total + BOOSTED * weighted(loss, booster, masks, weights)
        descent.take(total)
        return total

    return step, {"network": network, "descent": descent}


def drawn(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], settings: SegmentationSettings, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A crop of a picture and its mask of classes: round one of its defects in the stated share, else anywhere."""
    pixel = None
    if rng.random() < settings.around_defects:
        defects = np.flatnonzero((mask != 0) & (mask != IGNORED))
        if defects.size:
            row, column = divmod(int(defects[rng.integers(defects.size)]), mask.shape[1])
            pixel = (row, column)
    corner = crops.window(mask.shape, settings.crop, rng, pixel)
    part = crops.cut(image, corner, settings.crop)
    classes = crops.cut(mask, corner, settings.crop, IGNORED)
    if settings.flips:
        turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        part, classes = np.rot90(part, turns), np.rot90(classes, turns)
        if mirrored:
            part, classes = part[:, ::-1], classes[:, ::-1]
    return part, classes


@torch.inference_mode()
def segmented(network: nn.Module, image: NDArray[np.uint8], scale: float, device: str) -> NDArray[np.uint8]:
    """(H, W) the class of every pixel of a picture (H, W, 3); network: in evaluation."""
    small = crops.scaled(image, scale)
    logits = network(crops.as_batch([crops.whole(small, STRIDE)], device))[..., : small.shape[0], : small.shape[1]]
    if small.shape != image.shape:
        logits = functional.interpolate(logits, image.shape[:2], mode="bilinear", align_corners=False)
    return np.asarray(logits[0].argmax(dim=0).to(torch.uint8).cpu().numpy())


def _decoded(scale: float) -> Callable[[LabelledPicture], tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    def decode(picture: LabelledPicture) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        image, mask = crops.scaled(picture.image(), scale), picture.class_mask()
        if image.shape[:2] != mask.shape:
            mask = np.asarray(cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_NEAREST))
        return image, mask

    return decode


def settings_of(settings: SegmentationSettings, classes: Classes, seed: int) -> dict[str, Any]:
    """Everything but the pictures that a training follows from, as JSON values."""
    return {"learner": settings.model_dump(mode="json"), "classes": list(classes.names), "seed": seed}
