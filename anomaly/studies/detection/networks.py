"""Networks of detection by name, all torchvision's, without downloaded weights: images and boxes in, a loss out.

Their losses are torchvision's for a whole batch; where pictures count by weights, each one's sum of losses does, over
the weighted number of places that show an object, which for weights of 1 is torchvision's own loss.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal

import timm
import torch
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOS, FCOSHead
from torchvision.models.detection.ssd import SSD
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import FeaturePyramidNetwork

from anomaly.backbone.extractor import seeded
from anomaly.studies.engine.encoders import PACKAGED
from procgen.errors import BlemishError

STRIDE = 32  # what the sides of images are multiples of
STRIDES = (4, 8, 16)  # of FCOS's levels: defects of ten pixels have places of their own on the finest
SCORE = 0.02  # detections below it are left out
MOST = 100  # detections of a picture
FIXED = 320  # pixels a side that SSDLite's boxes are made for

NetworkName = Literal["fcos", "ssdlite", "faster_rcnn"]


class NetworkError(BlemishError):
    """A network that cannot be built or trained."""


class Pyramid(nn.Module):
    """The stages of a timm network at `STRIDES`, each joined with what the coarser ones see; [Lin 2017]'s backbone."""

    def __init__(self, encoder: str, width: int) -> None:
        super().__init__()
        try:
            self.encoder: Any = timm.create_model(encoder, features_only=True, out_indices=(1, 2, 3), pretrained=False)
        except (RuntimeError, ValueError, IndexError, AttributeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise NetworkError(f"the network fcos cannot have the encoder {encoder} ({reason[:200]})") from None
        if tuple(self.encoder.feature_info.reduction()) != STRIDES:
            raise NetworkError(
                f"the encoder {encoder} has stages of strides {self.encoder.feature_info.reduction()}; expected "
                f"{STRIDES}, as those of {PACKAGED} and most convolutional timm models"
            )
        deepest = self.encoder.feature_info.module_name()[-1]
        if deepest.startswith("blocks.") and deepest.count(".") == 1:
            # timm computes every block of its mobile networks, wanted or not
            self.encoder.blocks = self.encoder.blocks[: int(deepest.split(".")[1]) + 1]
        self.joined = FeaturePyramidNetwork(self.encoder.feature_info.channels(), width)
        self.out_channels = width

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        levels = OrderedDict((str(level), stage) for level, stage in enumerate(self.encoder(images)))
        joined: OrderedDict[str, Tensor] = self.joined(levels)
        return joined


class AsTheyAre(GeneralizedRCNNTransform):
    """Pictures as they come: normalised, and of the size that they are to be seen in."""

    def __init__(self) -> None:
        super().__init__(STRIDE, STRIDE, [0.0] * 3, [1.0] * 3, size_divisible=STRIDE)

    def resize(self, image: Tensor, target: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor] | None]:
        """Both, unchanged."""
        return image, target


# torchvision's loss of a batch: targets, outputs of the head, anchors, and which object each anchor shows
BatchLoss = Callable[[list[dict[str, Tensor]], dict[str, Tensor], list[Tensor], list[Tensor]], dict[str, Tensor]]


def weighed(
    loss: BatchLoss,
    targets: list[dict[str, Tensor]],
    outputs: dict[str, Tensor],
    anchors: list[Tensor],
    matched: list[Tensor],
) -> dict[str, Tensor]:
    """The losses of a batch from those of each picture alone, which are over its own places that show an object."""
    found = [int((places >= 0).sum()) for places in matched]
    weights = [float(target["weight"]) for target in targets]
    total = max(1.0, sum(weight * count for weight, count in zip(weights, found, strict=True)))
    sums: dict[str, Tensor] = {}
    for k, target in enumerate(targets):
        one = loss([target], {name: part[k : k + 1] for name, part in outputs.items()}, [anchors[k]], [matched[k]])
        for name, value in one.items():
            sums[name] = sums.get(name, value.new_zeros(())) + weights[k] * max(1, found[k]) / total * value
    return sums


class WeightedHead(FCOSHead):
    """FCOS's head, whose loss counts every picture by its target's "weight"; [Tian 2019]."""

    def compute_loss(
        self,
        targets: list[dict[str, Tensor]],
        head_outputs: dict[str, Tensor],
        anchors: list[Tensor],
        matched_idxs: list[Tensor],
    ) -> dict[str, Tensor]:
        """Losses by name; arguments as torchvision has them."""
        return weighed(super().compute_loss, targets, head_outputs, anchors, matched_idxs)


class WeightedSSD(SSD):
    """SSD, whose loss counts every picture by its target's "weight"; [Liu 2016]."""

    def compute_loss(
        self,
        targets: list[dict[str, Tensor]],
        head_outputs: dict[str, Tensor],
        anchors: list[Tensor],
        matched_idxs: list[Tensor],
    ) -> dict[str, Tensor]:
        """Losses by name; arguments as torchvision has them."""
        return weighed(super().compute_loss, targets, head_outputs, anchors, matched_idxs)


def network_of(name: NetworkName, classes: int, encoder: str = PACKAGED, width: int = 64, seed: int = 0) -> nn.Module:
    """A network with weights drawn from the seed; class 0 is the background.

    encoder: a timm model, and width: channels of the pyramid and the head, both of FCOS alone. Raises NetworkError.
    """
    kept: dict[str, Any] = {"detections_per_img": MOST}
    with seeded(seed):
        if name == "fcos":
            anchors = AnchorGenerator(tuple((stride,) for stride in STRIDES), ((1.0,),) * len(STRIDES))
            head = WeightedHead(width, 1, classes, num_convs=2)
            network: nn.Module = FCOS(
                Pyramid(encoder, width),
                classes,
                anchor_generator=anchors,
                head=head,
                score_thresh=SCORE,
                **kept,
            )
        elif name == "ssdlite":
            made = detection.ssdlite320_mobilenet_v3_large(
                weights=None, weights_backbone=None, num_classes=classes, score_thresh=SCORE, **kept
            )
            network = WeightedSSD(
                made.backbone, made.anchor_generator, (FIXED, FIXED), classes, head=made.head,
                score_thresh=SCORE, nms_thresh=made.nms_thresh, topk_candidates=made.topk_candidates, **kept,
            )  # fmt: skip
        else:
            network = detection.fasterrcnn_mobilenet_v3_large_320_fpn(
                weights=None, weights_backbone=None, num_classes=classes, box_score_thresh=SCORE,
                box_detections_per_img=MOST,
            )  # fmt: skip
    network.transform = AsTheyAre()
    return network


def batch_loss(network: nn.Module, images: Tensor, targets: list[dict[str, Tensor]]) -> Tensor:
    """The sum of a network's losses of images (B, 3, H, W); targets: "boxes", "labels" and "weight" of each.

    Raises NetworkError where pictures count differently and the network cannot tell their losses apart.
    """
    weights = {float(target["weight"]) for target in targets}
    together = isinstance(network, detection.FasterRCNN)
    if together and len(weights) > 1:
        raise NetworkError(
            "faster_rcnn has one loss for all pictures of a step, and these count by different weights; choose "
            "learner.network fcos or ssdlite, or pictures of one weight"
        )
    losses: dict[str, Tensor] = network(list(images), targets)
    total = torch.stack(list(losses.values())).sum()
    return total * weights.pop() if together else total
