"""A trained network on disk: weights in half precision as safetensors, and a sealed record of what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

from diffusion_refine.core.models import ModelError, device_of_choice
from scenes.datasets.files import parsed, read_bytes, seal_of, sealed, sha256_of, write_atomically

WEIGHTS = "weights"  # of a record: SHA-256 of the file of weights


@dataclass(frozen=True)
class SealedNetwork:
    """Files of one kind. name: without a suffix; key, version: by which a record is known; made_by: the command."""

    name: str
    key: str
    version: int
    made_by: str

    def record_in(self, folder: Path) -> Path:
        return folder / f"{self.name}.json"

    def weights_in(self, folder: Path) -> Path:
        return folder / f"{self.name}.safetensors"

    def save(self, network: nn.Module, record: Mapping[str, Any], folder: Path) -> None:
        """Write a network into a folder that may hold other things; its record comes last."""
        self.record_in(folder).unlink(missing_ok=True)
        weights = {name: value.detach().half().cpu().contiguous() for name, value in network.state_dict().items()}
        write_atomically(self.weights_in(folder), save_tensors(weights))
        whole = {self.key: self.version, **record, WEIGHTS: sha256_of(self.weights_in(folder))}
        write_atomically(self.record_in(folder), sealed(json.loads(json.dumps(whole))))

    def load_record(self, folder: Path) -> dict[str, Any]:
        """The record, the weights' digest compared. Raises ModelError for a folder that holds none, or damage."""
        path, weights = self.record_in(folder), self.weights_in(folder)
        if not path.is_file():
            raise ModelError(f"{folder}: holds no {path.name}; give a folder that `{self.made_by}` wrote")
        content = read_bytes(path)
        record = parsed(content, path) if seal_of(content) == "whole" else None
        if not isinstance(record, dict) or record.get(self.key) != self.version:
            raise ModelError(f"{path}: damaged, or of another version of Blemish; train it anew")
        if not weights.is_file() or sha256_of(weights) != record[WEIGHTS]:
            raise ModelError(f"{weights}: missing, damaged or another model's; restore it or train it anew")
        return record

    def load_weights(self, network: nn.Module, folder: Path, device: str | None) -> None:
        """Put the weights into a network, and this in evaluation mode on a device. Raises ModelError for another's."""
        weights = self.weights_in(folder)
        try:
            network.load_state_dict(load_tensors(read_bytes(weights)))
        except (SafetensorError, RuntimeError):
            name = self.record_in(folder).name
            raise ModelError(f"{weights}: does not fit {name}; restore both or train it anew") from None
        network.requires_grad_(False).eval().to(device_of_choice(device))
