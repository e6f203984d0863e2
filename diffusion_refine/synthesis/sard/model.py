"""A trained SARD on disk: weights in half precision as safetensors, and beside them what they are for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from diffusion_refine.synthesis.sard.network import GeneratorNetwork, NetworkShape
from diffusion_refine.synthesis.sard.readings import Background, Contrast
from diffusion_refine.synthesis.sard.schedule import StepSchedule
from diffusion_refine.training.sealed_network import WEIGHTS, SealedNetwork

EMBEDDED_FOLDER = Path(__file__).parents[2] / "embedded" / "sard"  # the model that ships
FILES = SealedNetwork("sard", "blemish_sard", 1, "blemish train-generator sard DATASET --out MODEL")


@dataclass(frozen=True, eq=False)
class SardModel:
    """network: in evaluation mode. labels, surfaces: what it can be asked for. background: None without regions.

    sha256: of the file of weights. training: what it was trained with, for the reader.
    """

    network: GeneratorNetwork
    schedule: StepSchedule
    labels: tuple[str, ...]
    surfaces: tuple[str, ...]
    background: Background | None
    sha256: str
    training: Mapping[str, Any]

    @property
    def size(self) -> int:
        """Pixels a side of a window."""
        return self.network.shape.size

    @property
    def device(self) -> torch.device:
        return self.network.labels.weight.device


def save_model(
    network: GeneratorNetwork,
    schedule: StepSchedule,
    labels: tuple[str, ...],
    surfaces: tuple[str, ...],
    background: Background | None,
    training: Mapping[str, Any],
    folder: Path,
) -> None:
    """Write a model into a folder that may hold other things; its record comes last."""
    record = {
        "labels": labels,
        "surfaces": surfaces,
        "background": background,
        "network": asdict(network.shape),
        "schedule": asdict(schedule),
        "training": training,
    }
    FILES.save(network, record, folder)


def load_sard(folder: Path, device: str | None = None) -> SardModel:
    """The model that `save_model` wrote. Raises ModelError for a folder that holds none, or a damaged one."""
    record = FILES.load_record(folder)
    told = record["network"]
    contrast = Contrast(told.get("contrast", Contrast.picture))  # the only one that earlier versions had
    shape = NetworkShape(**{**told, "channels": tuple(told["channels"]), "contrast": contrast})
    network = GeneratorNetwork(shape, len(record["labels"]), len(record["surfaces"]))
    FILES.load_weights(network, folder, device)
    return SardModel(
        network,
        StepSchedule(**record["schedule"]),
        tuple(record["labels"]),
        tuple(record["surfaces"]),
        None if record["background"] is None else Background(record["background"]),
        record[WEIGHTS],
        record["training"],
    )
