"""Patch features: two stages of a frozen timm network, average-pooled, brought to one grid and concatenated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from anomaly.backbone.normalisation import IMAGENET_DEVIATION, IMAGENET_MEAN, OwnNormalisation
from anomaly.backbone.patch_extractor import ARCHITECTURE, BACKBONE, EMBEDDED, UNTRAINED, BackboneError

EMBEDDED_WEIGHTS = Path(__file__).parent / "embedded" / "embedded.safetensors"
STRIDES = (8, 16)  # the 3rd and 4th layers of [Mao 2025]: 40 + 112 channels of MobileNetV3-large
POOLING = 2  # kernel of the average pooling, [Mao 2025], section V.B


class FeatureExtractor(nn.Module):
    """Images (B, 3, H, W), ImageNet-normalised, to patch features (B, D, ⌈H/8⌉, ⌈W/8⌉); frozen, always in eval mode.

    backbone: "embedded" (the network that `anomaly/backbone` trained on procedural pictures), "untrained", or the name
    of a timm model. Its weights come from a local safetensors file or from timm's hub where one is asked for; a timm
    model without either is untrained, and "embedded" with either is its architecture with those weights. `weights`
    says in words what was taken. A seeded network keeps its initial batch statistics: calibrating them on good images
    gained .00 to .02 of image AUROC and of best pixel F1 on real tiles, and features that depend on the training set
    could not be melded.

    Raises:
        BackboneError: no such timm model, no stages of the strides, weights missing, unreachable or not fitting.
    """

    def __init__(
        self,
        backbone: str = BACKBONE,
        *,
        pretrained: bool = False,
        weights: Path | str | None = None,
        seed: int = 0,
        strides: tuple[int, ...] = STRIDES,
    ) -> None:
        super().__init__()
        if pretrained and weights is not None:
            raise BackboneError("pretrained weights and a weights file are both asked for; give one of them")
        self.backbone, self.strides = backbone, tuple(strides)
        name = ARCHITECTURE if backbone in (EMBEDDED, UNTRAINED) else backbone
        if backbone == UNTRAINED and (pretrained or weights is not None):
            raise BackboneError("an untrained backbone has no weights to load; leave out --backbone untrained")
        embedded = backbone == EMBEDDED and not pretrained and weights is None
        self.pretrained = pretrained or embedded or weights is not None
        with seeded(seed):
            self.network: Any = stages_of(name, self.strides, pretrained)
        self._normalisation = normalisation_of(self.network.pretrained_cfg if self.pretrained else {})
        if embedded:
            load_strictly(self.network, name, EMBEDDED_WEIGHTS)
            self.weights = "embedded, trained on procedural pictures alone"
        elif weights is not None:
            load_strictly(self.network, name, Path(weights))
            self.weights = f"local weights from {Path(weights).name}"
        elif pretrained:
            self.weights = f"pretrained, timm {self.network.pretrained_cfg.get('hf_hub_id') or name}"
        else:
            self.weights = f"untrained, seed {seed}"
        self.channels: int = sum(self.network.feature_info.channels())
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> FeatureExtractor:
        """Stay in eval mode: whoever trains a module around this one must not change the batch statistics."""
        return super().train(False)

    def weight_tensors(self) -> dict[str, Tensor]:
        """Parameters and batch statistics, as timm names them, and the normalisation where it is not ImageNet's."""
        return {**self.network.state_dict(), **self._normalisation.tensors()}

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Take all of them over; raises RuntimeError for another network's."""
        taken = dict(tensors)
        normalisation = OwnNormalisation.taken_from(taken)
        self.network.load_state_dict(taken)
        self._normalisation = normalisation

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        finest, coarsest = self.strides[0], self.strides[-1]
        images = self._normalisation(images)
        padded = functional.pad(images, (0, -width % coarsest, 0, -height % coarsest), mode="replicate")
        padded = padded.contiguous(memory_format=torch.channels_last)  # convolutions are a fifth faster so
        # An even kernel keeps the map's size only with a one-sided border: replicated at the right and the bottom.
        maps = [
            functional.avg_pool2d(functional.pad(stage, (0, POOLING - 1) * 2, mode="replicate"), POOLING, stride=1)
            for stage in self.network(padded)
        ]
        size = maps[0].shape[-2:]
        maps[1:] = [functional.interpolate(map_, size, mode="bilinear", align_corners=False) for map_ in maps[1:]]
        # Patches that show nothing but padding are left out.
        return torch.cat(maps, dim=1)[..., : -(-height // finest), : -(-width // finest)]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Whatever draws from torch's global generator within draws from `seed`; that generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def normalisation_of(configuration: Mapping[str, Any]) -> OwnNormalisation:
    """What timm says that a model's pictures were normalised with; ImageNet's where it says nothing."""
    return OwnNormalisation(configuration.get("mean") or IMAGENET_MEAN, configuration.get("std") or IMAGENET_DEVIATION)


def created(backbone: str, pretrained: bool, **options: Any) -> Any:
    """A timm model, perhaps with its weights from the hub; raises BackboneError where these cannot be had."""
    try:
        return timm.create_model(backbone, pretrained=pretrained, **options)
    except Exception as error:
        if not pretrained:
            raise
        raise BackboneError(
            f"pretrained weights of {backbone} could not be had ({brief(error)}); "
            "give a local file with --weights, or leave out --pretrained for the embedded network"
        ) from error


def refuse_unknown(backbone: str) -> None:
    """Raise BackboneError for a name that timm does not know."""
    if not timm.is_model(backbone.split(".")[0]):
        near = ", ".join(timm.list_models(f"*{backbone[:8]}*")[:5])
        hint = f"names near it: {near}" if near else "timm.list_models() names them all"
        raise BackboneError(f"{backbone} is no timm model; {hint}")


def stages_of(backbone: str, strides: tuple[int, ...], pretrained: bool) -> Any:
    refuse_unknown(backbone)
    try:
        with torch.device("meta"):
            reductions = timm.create_model(backbone, features_only=True, pretrained=False).feature_info.reduction()
    except (RuntimeError, AttributeError, ValueError) as error:
        raise BackboneError(f"{backbone} gives no feature maps ({error}); choose a convolutional timm model") from error
    missing = [stride for stride in strides if stride not in reductions]
    if missing:
        raise BackboneError(f"{backbone} has stages of strides {reductions}, none of {missing}; choose another")
    stages = tuple(len(reductions) - 1 - reductions[::-1].index(stride) for stride in strides)
    network = created(backbone, pretrained, features_only=True, out_indices=stages)
    deepest = network.feature_info.module_name()[-1]
    if deepest.startswith("blocks.") and deepest.count(".") == 1:
        # timm computes every block of its mobile networks, wanted or not
        network.blocks = network.blocks[: int(deepest.split(".")[1]) + 1]
    return network


def tensors_of(path: Path) -> dict[str, Tensor]:
    """What a safetensors file holds. Raises BackboneError where it is none."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.exists() and not path.is_file():
            raise BackboneError(f"{path}: is a folder, a pipe or a device; give a safetensors file")
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise BackboneError(f"{path}: is no safetensors file that can be read ({brief(error)})") from error


def load_strictly(network: nn.Module, backbone: str, path: Path) -> None:
    """Load every parameter; the file may hold the rest of that timm model (deeper stages, classifier), no more."""
    found = tensors_of(path)
    wanted = network.state_dict()
    found = {_flattened(name, wanted): value for name, value in found.items()}
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise BackboneError(
            f"{path}: lacks {len(missing)} of {backbone}'s {len(wanted)} tensors (first {missing[0]}); "
            f"give weights of {backbone}"
        )
    with torch.device("meta"):
        known = set(timm.create_model(backbone, pretrained=False).state_dict()) | set(wanted)
    foreign = sorted(set(found) - known)
    if foreign:
        raise BackboneError(f"{path}: holds {foreign[0]}, which {backbone} has not; give weights of {backbone}")
    for name, tensor in wanted.items():
        if found[name].shape != tensor.shape:
            shapes = f"{tuple(found[name].shape)}, {backbone} expects {tuple(tensor.shape)}"
            raise BackboneError(f"{path}: {name} is {shapes}; give weights of {backbone}")
        if not bool(torch.isfinite(found[name]).all()):
            raise BackboneError(f"{path}: {name} holds NaN or infinity; give sound weights")
    network.load_state_dict({name: found[name] for name in wanted})


def _flattened(name: str, wanted: Mapping[str, Tensor]) -> str:
    """The name of a tensor of a whole timm model in what timm makes of it for its features: `features_0` of VGG."""
    joined = name.replace(".", "_", 1)
    return joined if joined in wanted else name


def brief(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
