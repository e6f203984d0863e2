"""What an inspector sees with: the protocol that every backbone keeps, and all of them by name.

A name is `NAME`, for a vision transformer `NAME@LAYERS/STRIDE:SCALING` (`anomaly/backbone/vision_transformer.py`), and
several are joined by `+`. `:scaled` after any name brings its channels to one scale.

To add one, write a module with a class that keeps `PatchExtractor` and is called as `Maker` says, and name it in
`BACKBONES`; it is imported when it is first asked for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from procgen.errors import BlemishError

if TYPE_CHECKING:
    from torch import Tensor

EMBEDDED, DISTILLED, UNTRAINED, FILTERS = "embedded", "distilled", "untrained", "filters"
LITE0, DINOV2_SMALL = "efficientnet-lite0", "dinov2-small"  # whose weights come in packages of the registry
BACKBONE = EMBEDDED  # where none is named; `blemish train` asks `best_at_hand`
ARCHITECTURE = "mobilenetv3_large_100"  # of the embedded and of the untrained one
CONVOLUTIONAL = "anomaly.backbone.extractor:FeatureExtractor"
JOIN = "+"  # between the names of backbones whose features are joined
JOINED = "anomaly.backbone.joined:JoinedExtractor"
SCALED = ":scaled"  # after a name: channels divided by their deviation on procedural pictures
SCALING = "anomaly.backbone.scaled:ScaledExtractor"
TIMM = "anomaly.backbone.vision_transformer:timm_extractor"
# Module and class by name; every other name is one of timm's.
BACKBONES: dict[str, str] = {
    EMBEDDED: CONVOLUTIONAL,
    DISTILLED: "anomaly.backbone.distilled:DistilledExtractor",
    UNTRAINED: CONVOLUTIONAL,
    FILTERS: "anomaly.backbone.derivative_filters:DerivativeFilters",
    LITE0: "anomaly.backbone.packaged_weights:efficientnet_lite0",
    DINOV2_SMALL: "anomaly.backbone.packaged_weights:dinov2_small",
}
TRANSFORMERS = (DINOV2_SMALL,)  # whose own names say how they are scaled


class BackboneError(BlemishError):
    """A backbone or a weights file that cannot be used."""


class PatchExtractor(Protocol):
    """Patch features of images, in practice a frozen `torch.nn.Module`, which travels with the model's checkpoints.

    backbone: the name in `BACKBONES` or timm by which it is made again; weights: what they are, in words, for reports;
    pretrained: whether they were learnt; channels: D; strides: pixels from patch to patch, the grid's own first, then
    those of coarser grids that were brought to it.
    """

    backbone: str
    weights: str
    pretrained: bool
    channels: int
    strides: tuple[int, ...]

    def forward(self, images: Tensor) -> Tensor:
        """(B, D, ⌈H/stride⌉, ⌈W/stride⌉) float32 of images (B, 3, H, W), ImageNet-normalised."""

    def __call__(self, images: Tensor) -> Tensor:
        """As `forward`."""

    def weight_tensors(self) -> dict[str, Tensor]:
        """All that the features depend on beside the code, by name; kept in the inspector's file."""

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Become the extractor whose `weight_tensors` these are; raises ValueError or RuntimeError for another's."""


class Maker(Protocol):
    """How an extractor is made: with weights of its own, with those of a hub or a file, or drawn from the seed."""

    def __call__(
        self, backbone: str, *, pretrained: bool = False, weights: Path | str | None = None, seed: int = 0
    ) -> PatchExtractor:
        """Raises BackboneError where the backbone has no such weights."""


def patch_extractor(
    backbone: str = BACKBONE, *, pretrained: bool = False, weights: Path | str | None = None, seed: int = 0
) -> PatchExtractor:
    """The backbone of a name. Raises BackboneError: no such name, weights missing, unreachable or not fitting."""
    name = bare_name(backbone)
    if JOIN in backbone:
        where = JOINED
    elif backbone == name + SCALED and name in BACKBONES and name not in TRANSFORMERS:
        where = SCALING
    else:
        where = BACKBONES.get(name, TIMM)
    module, _, maker = where.partition(":")
    make = cast(Maker, getattr(import_module(module), maker))
    return make(backbone, pretrained=pretrained, weights=weights, seed=seed)


def bare_name(backbone: str) -> str:
    """Without layers, stride and scaling: the name in `BACKBONES` or timm."""
    return re.split("[@/:]", backbone)[0]


def weight_bytes(extractor: PatchExtractor) -> Iterator[bytes]:
    """Names and values of all weights in a fixed order, to be digested."""
    for name, value in sorted(extractor.weight_tensors().items()):
        yield name.encode() + value.cpu().numpy().tobytes()


def weights_digest(extractor: PatchExtractor) -> str:
    """SHA-256 of `weight_bytes`, in hexadecimal digits."""
    digest = hashlib.sha256()
    for content in weight_bytes(extractor):
        digest.update(content)
    return digest.hexdigest()


def same_weights(one: PatchExtractor, other: PatchExtractor) -> bool:
    """Whether two extractors of one kind see the same: their features may be compared."""
    ours, theirs = one.weight_tensors(), other.weight_tensors()
    return ours.keys() == theirs.keys() and all(_equal(ours[name], theirs[name]) for name in ours)


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one == other).all())
