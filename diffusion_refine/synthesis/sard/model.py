"""A trained SARD on disk: weights in half precision as safetensors, and beside them what they are for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from diffusion_refine.core.models import ModelError
from diffusion_refine.synthesis.sard.background import Background
from diffusion_refine.synthesis.sard.network import GeneratorNetwork, NetworkShape
from diffusion_refine.synthesis.sard.schedule import StepSchedule
from scenes.datasets.files import parsed, read_bytes, seal_of, sealed, sha256_of, write_atomically

RECORD, WEIGHTS = "sard.json", "sard.safetensors"
VERSION = 1


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
    (folder / RECORD).unlink(missing_ok=True)
    weights = {name: value.detach().half().cpu().contiguous() for name, value in network.state_dict().items()}
    write_atomically(folder / WEIGHTS, save_tensors(weights))
    record = {
        "blemish_sard": VERSION,
        "labels": labels,
        "surfaces": surfaces,
        "background": background,
        "network": asdict(network.shape),
        "schedule": asdict(schedule),
        "weights": sha256_of(folder / WEIGHTS),
        "training": training,
    }
    write_atomically(folder / RECORD, sealed(json.loads(json.dumps(record))))


def load_sard(folder: Path, device: str | None = None) -> SardModel:
    """The model that `save_model` wrote. Raises ModelError for a folder that holds none, or a damaged one."""
    path = folder / RECORD
    if not path.is_file():
        raise ModelError(
            f"{folder}: holds no {RECORD}; give a folder that `blemish train-generator sard DATASET --out MODEL` wrote"
        )
    content = read_bytes(path)
    record = parsed(content, path) if seal_of(content) == "whole" else None
    if not isinstance(record, dict) or record.get("blemish_sard") != VERSION:
        raise ModelError(f"{path}: damaged, or of another version of Blemish; train it anew")
    weights = folder / WEIGHTS
    if not weights.is_file() or sha256_of(weights) != record["weights"]:
        raise ModelError(f"{weights}: missing, damaged or another model's; restore it or train it anew")
    shape = NetworkShape(**{**record["network"], "channels": tuple(record["network"]["channels"])})
    network = GeneratorNetwork(shape, len(record["labels"]), len(record["surfaces"]))
    try:
        network.load_state_dict(load_tensors(read_bytes(weights)))
    except (SafetensorError, RuntimeError):
        raise ModelError(f"{weights}: does not fit {path.name}; restore both or train it anew") from None
    network.requires_grad_(False).eval().to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return SardModel(
        network,
        StepSchedule(**record["schedule"]),
        tuple(record["labels"]),
        tuple(record["surfaces"]),
        None if record["background"] is None else Background(record["background"]),
        record["weights"],
        record["training"],
    )
