"""Learns to tell classes of pictures apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from anomaly.backbone.extractor import seeded
from anomaly.studies.classification.mixing import mixed
from anomaly.studies.classification.settings import NETWORKS, ClassificationSettings
from anomaly.studies.engine import crops
from anomaly.studies.engine.descent import Descent
from anomaly.studies.engine.encoders import PACKAGED, load_imagenet
from anomaly.studies.engine.labelled import Classes, LabelledPicture, TrainingSet
from anomaly.studies.engine.training import Stateful, Step
from procgen.errors import BlemishError

Flip = tuple[int, int]  # steps over the rows and columns of a picture, each 1 or -1


class ClassifierError(BlemishError):
    """A classifier that cannot be built."""


def built(
    settings: ClassificationSettings, classes: Classes, seed: int, device: str, *, is_trained: bool = False
) -> nn.Module:
    """The network as it is before it learns; without ImageNet weights where its own trained ones are loaded next.

    Raises ClassifierError, BackboneError.
    """
    name = NETWORKS[settings.network]
    if settings.imagenet and name != PACKAGED:
        raise ClassifierError(
            f"learner.imagenet: no package brings ImageNet weights of {settings.network}; choose efficientnet_lite0, "
            "or leave imagenet out to begin at random"
        )
    with seeded(seed):
        network: nn.Module = timm.create_model(name, pretrained=False, num_classes=len(classes.all_names))
    if settings.imagenet and not is_trained:
        headless = timm.create_model(name, pretrained=False, num_classes=0)
        load_imagenet(headless)
        network.load_state_dict(headless.state_dict(), strict=False)
    if settings.frozen:
        network.requires_grad_(False)
        place = str(network.default_cfg["classifier"])  # type: ignore[index]
        linear = network.get_submodule(place)
        # What it sees is brought to one scale first, as linear probes have it; [He 2022].
        setattr(network, place, nn.Sequential(nn.BatchNorm1d(int(linear.in_features), affine=False), linear))  # type: ignore[arg-type]
        for parameter in linear.parameters():  # random ones would stay wherever no picture has anything to say
            nn.init.zeros_(parameter.requires_grad_(True))
    # torch declares no such overload
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def lesson(
    network: nn.Module, training: TrainingSet, classes: Classes, settings: ClassificationSettings, device: str
) -> tuple[Step, Mapping[str, Stateful]]:
    """What a step does with the pictures that it is given, and everything that it changes."""
    steps = settings.epochs * -(-training.epoch_length // settings.batch)
    descent = Descent(network, "adamw", settings.learning_rate, settings.weight_decay, steps)
    decoded = crops.DecodedPictures(training.pictures, lambda picture: (squared(picture, settings.image_size), None))
    by_class = class_weights(training, classes, device) if settings.balanced else None
    network.train()
    if settings.frozen:
        network.eval()
        network.get_classifier().train()  # type: ignore[operator]
    seen = Seen(network, decoded, device) if settings.frozen and settings.mixing == "none" else None

    def step(chosen: Sequence[int], generator: torch.Generator) -> Tensor:
        rng = crops.generator_of(generator)
        # A batch's statistics are not defined over one picture, and pictures are mixed in pairs.
        odd = len(chosen) % 2 and (len(chosen) == 1 or settings.mixing != "none")
        shown = [*chosen, chosen[0]] if odd else list(chosen)
        turns = [flip(rng) if settings.flips else (1, 1) for _ in shown]
        labels = torch.tensor([training.pictures[place].label for place in shown], device=device)
        weights = torch.tensor([training.pictures[place].weight for place in shown], device=device)
        shares = functional.one_hot(labels, len(classes.all_names)).float()
        if seen is not None:
            found = seen.classified(shown, turns)
        else:
            images = crops.as_batch([decoded[k][0][::a, ::b] for k, (a, b) in zip(shown, turns, strict=True)], device)
            if settings.mixing != "none":
                seed = int(rng.integers(2**31))
                images, shares = mixed(images, labels, settings.mixing, settings.alpha, shares.shape[1], seed)
            found = network(images)
        losses = functional.cross_entropy(found, shares, by_class, reduction="none")
        loss = (losses * weights).mean()
        descent.take(loss)
        return loss

    return step, {"network": network, "descent": descent}


class Seen:
    """What a frozen network sees in pictures and in their mirror images, each once and by itself."""

    def __init__(self, network: Any, decoded: crops.DecodedPictures[None], device: str) -> None:
        self._network, self._decoded, self._device = network, decoded, device
        self._known: dict[tuple[int, Flip], Tensor] = {}

    def classified(self, places: Sequence[int], flips: Sequence[Flip]) -> Tensor:
        """(N, classes) what the classifier makes of pictures by their places, each mirrored so."""
        found: Tensor = self._network.get_classifier()(
            torch.cat([self._of(place, each) for place, each in zip(places, flips, strict=True)])
        )
        return found

    def _of(self, place: int, mirrored: Flip) -> Tensor:
        if (place, mirrored) not in self._known:
            image = self._decoded[place][0][:: mirrored[0], :: mirrored[1]]
            with torch.no_grad():
                features = self._network.forward_features(crops.as_batch([image], self._device))
                self._known[place, mirrored] = self._network.forward_head(features, pre_logits=True)
        return self._known[place, mirrored]


def class_weights(training: TrainingSet, classes: Classes, device: str) -> Tensor:
    """(classes,) inverse to how many real pictures there are of each, 1 on the mean picture; 1 where there is none."""
    labels = [picture.label for picture in training.pictures if not picture.is_synthetic]
    counts = np.bincount(np.array(labels, int), minlength=len(classes.all_names))
    present = counts > 0
    weights = np.ones(len(counts))
    weights[present] = len(labels) / (present.sum() * counts[present])
    return torch.tensor(weights, dtype=torch.float32, device=device)


@torch.inference_mode()
def probabilities(
    network: nn.Module, pictures: Sequence[LabelledPicture], size: int, device: str
) -> NDArray[np.float64]:
    """(N, classes) of pictures; network: in evaluation."""
    images = crops.as_batch([squared(picture, size) for picture in pictures], device)
    found: Tensor = network(images).softmax(dim=1)
    return np.asarray(found.double().cpu().numpy())


def squared(picture: LabelledPicture, size: int) -> NDArray[np.uint8]:
    """(size, size, 3) the whole picture, its longer side compressed."""
    image = picture.image()
    shrinks = min(image.shape[:2]) > size
    return np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR))


def flip(rng: np.random.Generator) -> Flip:
    """Steps over the rows and the columns of a picture: upside down or not, mirrored or not."""
    rows, columns = (1 - 2 * rng.integers(0, 2, 2)).tolist()
    return rows, columns


def settings_of(settings: ClassificationSettings, classes: Classes, seed: int) -> dict[str, Any]:
    """Everything but the pictures that a training follows from, as JSON values."""
    return {"learner": settings.model_dump(mode="json"), "classes": list(classes.names), "seed": seed}
