"""Networks of segmentation by name: images (B, 3, H, W), sides multiples of `STRIDE`, to logits (B, classes, H, W)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor, nn

from anomaly.backbone.extractor import seeded
from anomaly.studies.engine.encoders import PACKAGED
from anomaly.studies.segmentation.bisenet_v2 import BiSeNetV2
from anomaly.studies.segmentation.fast_scnn import FastSCNN
from procgen.errors import BlemishError

STRIDE = 32  # what the sides of images are multiples of
LITE0 = f"tu-{PACKAGED}"  # as segmentation-models-pytorch has it

NetworkName = Literal[
    "deeplabv3plus", "upernet", "pspnet", "fpn", "segformer", "lraspp_mobilenet_v3", "bisenet_v2", "fast_scnn"
]
# segmentation-models-pytorch's name of the network, and the encoder it has where none is asked for
ENCODED: dict[str, tuple[str, str]] = {
    "deeplabv3plus": ("DeepLabV3Plus", "resnet18"),
    "upernet": ("UPerNet", "resnet18"),
    "pspnet": ("PSPNet", "resnet18"),
    "fpn": ("FPN", LITE0),
    "segformer": ("Segformer", "mit_b0"),
}


class NetworkError(BlemishError):
    """A network that cannot be built."""


class LRASPP(nn.Module):
    """torchvision's LR-ASPP on MobileNetV3-large; [Howard 2019]."""

    def __init__(self, classes: int) -> None:
        from torchvision.models.segmentation import lraspp_mobilenet_v3_large

        super().__init__()
        self.network = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)["out"]
        return logits


OWN: dict[str, Callable[[int], nn.Module]] = {
    "lraspp_mobilenet_v3": LRASPP,
    "bisenet_v2": BiSeNetV2,
    "fast_scnn": FastSCNN,
}


def encoder_of(name: NetworkName, encoder: str | None, imagenet: bool) -> str | None:
    """The encoder of a network: the one asked for, the packaged one for ImageNet weights, or its own; None: no choice.

    Raises NetworkError where the network or its weights have no such choice.
    """
    if name not in ENCODED:
        if encoder is None and not imagenet:
            return None
        raise NetworkError(
            f"the network {name} has layers of its own, and no weights; leave out learner.encoder and "
            f"learner.imagenet, or choose learner.network {', '.join(ENCODED)}"
        )
    if imagenet and encoder not in (None, LITE0):
        raise NetworkError(f"found learner.encoder {encoder} with learner.imagenet, whose weights are those of {LITE0}")
    return encoder or (LITE0 if imagenet else ENCODED[name][1])


def network_of(name: NetworkName, classes: int, encoder: str | None = None, seed: int = 0) -> nn.Module:
    """A network with weights drawn from the seed.

    classes: with the background. encoder: any of segmentation-models-pytorch's, such as resnet34, or tu- with the name
    of a timm model. Raises NetworkError: the network cannot have that encoder.
    """
    with seeded(seed):
        if name in OWN:
            return OWN[name](classes)
        return _encoded(name, encoder or ENCODED[name][1], classes)


def _encoded(name: str, encoder: str, classes: int) -> nn.Module:
    import segmentation_models_pytorch as smp

    try:
        network: Any = getattr(smp, ENCODED[name][0])(encoder, encoder_weights=None, in_channels=3, classes=classes)
    except (KeyError, ValueError, RuntimeError, AssertionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise NetworkError(f"the network {name} cannot have the encoder {encoder} ({reason[:200]})") from None
    assert isinstance(network, nn.Module)
    return network
