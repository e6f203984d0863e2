"""How a classifier is built and trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool

from anomaly.studies.engine.task import LearnerSettings

# The seed's networks and small ones, by timm's names.
NETWORKS = {
    "densenet121": "densenet121",
    "resnet18": "resnet18",
    "resnet50": "resnet50",
    "resnet101": "resnet101",
    "efficientnetv2_s": "tf_efficientnetv2_s",
    "efficientnetv2_m": "tf_efficientnetv2_m",
    "efficientnetv2_l": "tf_efficientnetv2_l",
    "mobilenetv3_small": "mobilenetv3_small_100",
    "mobilenetv3_large": "mobilenetv3_large_100",
    "efficientnet_lite0": "tf_efficientnet_lite0",
}
NetworkName = Literal[
    "densenet121", "resnet18", "resnet50", "resnet101", "efficientnetv2_s", "efficientnetv2_m", "efficientnetv2_l",
    "mobilenetv3_small", "mobilenetv3_large", "efficientnet_lite0",
]  # fmt: skip


class ClassificationSettings(LearnerSettings):
    """A network of timm; the values are those of [Jo 2025], Appendix A.

    imagenet: with the packaged ImageNet weights, which efficientnet_lite0 alone has. image_size: pixels a side to which
    every picture is brought. frozen: what comes before the classifier keeps its weights and statistics, so that it sees
    every picture once. flips: pictures are mirrored at random. mixing: of the pictures of a batch, with alpha.
    balanced: a class counts in the loss the more, the fewer real pictures it has.
    """

    network: NetworkName = "resnet18"
    imagenet: StrictBool = False
    epochs: Annotated[int, Field(strict=True, ge=1, le=100_000)] = 50
    batch: Annotated[int, Field(strict=True, ge=1, le=1024)] = 16
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 5e-3
    image_size: Annotated[int, Field(strict=True, ge=32, le=2048)] = 224
    frozen: StrictBool = False
    flips: StrictBool = True
    mixing: Literal["none", "mixup", "cutmix"] = "none"
    alpha: Annotated[float, Field(gt=0, le=10)] = 1.0
    balanced: StrictBool = False
