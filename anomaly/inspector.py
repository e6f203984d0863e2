"""A trained inspector: the model, the scale it works at and the threshold it was given; one folder on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from anomaly.features import BackboneError, FeatureExtractor, normalised
from anomaly.torch_model import SequentialPatchcoreModel
from procgen.errors import BlemishError

SCHEMA = 1
BANK_FILE = "bank.safetensors"


class InspectorError(BlemishError):
    """A bank that cannot be read, written or continued."""


@dataclass(frozen=True)
class Training:
    """How an inspector was made; all of it decides the bank's bytes except the two thresholds' fields.

    scale: working pixels per image pixel, one for all images, so that a texture keeps its size from image to image.
    groups: the physical surfaces trained on. weights: in words; pictures: a digest of all that was shown.
    """

    backbone: str
    pretrained: bool
    weights: str
    size: int
    epochs: int
    scale: float
    seed: int
    trained_on: tuple[str, ...]
    groups: tuple[str, ...]
    pictures: str
    accepted: tuple[int, ...] = ()  # patches that entered the bank, epoch by epoch
    threshold: float | None = None  # of an anomaly map's pixels; at or above it lie defects
    threshold_origin: str = ""

    @property
    def settings(self) -> dict[str, Any]:
        """What must agree for a stopped training to be continued."""
        results = ("accepted", "threshold", "threshold_origin", "trained_on")
        return {name: value for name, value in asdict(self).items() if name not in results}


@dataclass(frozen=True)
class Inspector:
    """Judges pictures; `model` is the torch model that anomalib's `SequentialPatchcore` trains as well."""

    model: SequentialPatchcoreModel
    training: Training

    def prepared(self, image: NDArray[np.uint8]) -> Tensor:
        """(1, 3, h, w) what the model sees of an RGB image (H, W, 3)."""
        return normalised(image, self.training.scale)

    @torch.no_grad()
    def judge(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
        """Anomaly map (H, W) float32 at image size, and the image's score, the map's maximum."""
        anomaly_map = self.model.anomaly_maps(self.prepared(image))
        if anomaly_map.shape[-2:] != image.shape[:2]:
            anomaly_map = functional.interpolate(anomaly_map, image.shape[:2], mode="bilinear", align_corners=False)
        return anomaly_map[0, 0].numpy(), float(anomaly_map.max())

    def with_threshold(self, threshold: float, origin: str) -> Inspector:
        return replace(self, training=replace(self.training, threshold=threshold, threshold_origin=origin))

    def save(self, folder: Path | str) -> None:
        """Write `bank.safetensors` whole or not at all: bank, backbone and how they came to be."""
        tensors = {f"backbone.{name}": value for name, value in self.model.extractor.network.state_dict().items()}
        write_tensors(Path(folder) / BANK_FILE, {"bank": self.model.coreset.bank, **tensors}, asdict(self.training))

    @classmethod
    def load(cls, folder: Path | str) -> Inspector:
        """The inspector that `save` wrote; no hub, no seed and no other file is needed.

        Raises:
            InspectorError: the bank is missing, unfinished, damaged or of a newer version.
        """
        path = Path(folder) / BANK_FILE
        if not path.is_file():
            unfinished = (Path(folder) / "training.safetensors").is_file()
            raise InspectorError(
                f"{folder}: its training was stopped; repeat the `blemish train` command to finish it"
                if unfinished
                else f"{folder}: holds no {BANK_FILE}; train an inspector with `blemish train DATASET --out {folder}`"
            )
        tensors, described = read_tensors(path)
        try:
            lists = {name: tuple(described[name]) for name in ("trained_on", "groups", "accepted")}
            training = Training(**{**described, **lists})
            extractor = FeatureExtractor(training.backbone, seed=training.seed)
            prefix = "backbone."
            extractor.network.load_state_dict(
                {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
            )
            extractor.weights, extractor.pretrained = training.weights, training.pretrained
            model = SequentialPatchcoreModel(extractor, training.size)
            model.update_features(tensors["bank"])
        except (KeyError, TypeError, ValueError, RuntimeError, BackboneError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InspectorError(f"{path}: is incomplete or damaged ({reason}); train the inspector again") from error
        return cls(model, training)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], described: Mapping[str, Any]) -> None:
    """A safetensors file with JSON beside its tensors, atomically; the same content gives the same bytes."""
    from safetensors.torch import save

    # One metadata key: safetensors writes several in no fixed order.
    text = json.dumps({"schema": SCHEMA, "blemish": blemish_version(), **described}, sort_keys=True)
    content = save({name: value.contiguous() for name, value in tensors.items()}, {"blemish": text})
    temporary = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InspectorError(f"{path}: cannot be written ({error.strerror}); choose another --out") from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write_tensors` wrote: the tensors and the JSON; raises InspectorError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            described = json.loads((file.metadata() or {}).get("blemish", "null"))
            tensors = {name: file.get_tensor(name) for name in list(file.keys())}
    except (OSError, SafetensorError, ValueError) as error:
        raise InspectorError(f"{path}: is no bank that can be read ({error}); train the inspector again") from error
    if not isinstance(described, dict):
        raise InspectorError(f"{path}: was not written by blemish; give a folder that `blemish train` made")
    if described.get("schema") != SCHEMA:
        raise InspectorError(
            f"{path}: schema {described.get('schema')} found, {SCHEMA} expected; use the blemish that wrote it"
        )
    return tensors, {name: value for name, value in described.items() if name not in ("schema", "blemish")}


def blemish_version() -> str:
    try:
        return version("blemish")
    except PackageNotFoundError:
        return "from a checkout"
