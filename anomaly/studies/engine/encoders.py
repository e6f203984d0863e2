"""Encoders with the ImageNet weights that come in a package of the registry; none are downloaded."""

from __future__ import annotations

from typing import Any

from torch import nn

from anomaly.backbone.packaged_weights import EFFICIENTNET_LITE0

PACKAGED = EFFICIENTNET_LITE0.model  # timm's name of the one encoder whose weights a package brings


def load_imagenet(network: nn.Module) -> None:
    """Put EfficientNet-Lite0's ImageNet weights into timm's network of that name, or into the first stages of it.

    Raises BackboneError where the package is not at hand.
    """
    from safetensors.torch import load_file

    found: dict[str, Any] = load_file(EFFICIENTNET_LITE0.file_of_weights())
    network.load_state_dict({name: found[name] for name in network.state_dict()})
