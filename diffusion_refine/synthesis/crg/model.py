"""A trained CRG on disk: a folder with its two networks, each trained by a command of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DModel

from diffusion_refine.core.models import ModelError
from diffusion_refine.synthesis.crg.networks import DenoiserShape, build, device_of, shape_from, written
from diffusion_refine.training.sealed_network import WEIGHTS, SealedNetwork

EMBEDDED_FOLDER = Path(__file__).parents[2] / "embedded" / "crg"  # the model of boards that ships
CONTEXT = SealedNetwork(
    "crg-context", "blemish_crg_context", 1, "blemish train-generator crg-context PICTURES --out MODEL"
)
PRIOR = SealedNetwork("crg-prior", "blemish_crg_prior", 1, "blemish train-generator crg-prior DATASET --out MODEL")


@dataclass(frozen=True, eq=False)
class CrgModel:
    """context, prior: in evaluation mode. labels: classes that the prior draws. sha256: of both files of weights.

    size, window: pixels a side of what either sees. training: what they were trained with, for the reader.
    """

    context: UNet2DModel
    prior: UNet2DModel
    labels: tuple[str, ...]
    size: int
    window: int
    sha256: Mapping[str, str]
    training: Mapping[str, Any]

    @property
    def surroundings(self) -> int:
        """Pixels a side that are enough to see round a box: two windows, where the context was trained for more."""
        return min(self.size, 2 * self.window)

    @property
    def device(self) -> torch.device:
        return device_of(self.context)


def save_context(network: UNet2DModel, shape: DenoiserShape, training: Mapping[str, Any], folder: Path) -> None:
    """Write a context's network into a model's folder."""
    CONTEXT.save(network, {"network": written(shape), "training": training}, folder)


def save_prior(
    network: UNet2DModel, shape: DenoiserShape, labels: tuple[str, ...], training: Mapping[str, Any], folder: Path
) -> None:
    """Write a prior's network into a model's folder."""
    PRIOR.save(network, {"network": written(shape), "labels": labels, "training": training}, folder)


def load_crg(folder: Path, device: str | None = None) -> CrgModel:
    """Both networks of a folder. Raises ModelError where one is missing or damaged, or they do not go together."""
    context, prior = CONTEXT.load_record(folder), PRIOR.load_record(folder)
    shapes = shape_from(context["network"]), shape_from(prior["network"])
    if shapes[1].size > shapes[0].size:
        raise ModelError(
            f"{folder}: its prior sees {shapes[1].size} pixels a side and its context {shapes[0].size}; the prior's "
            "window lies in the context: train it with a smaller --size"
        )
    networks = build(shapes[0], None), build(shapes[1], len(prior["labels"]))
    CONTEXT.load_weights(networks[0], folder, device)
    PRIOR.load_weights(networks[1], folder, device)
    return CrgModel(
        *networks,
        tuple(prior["labels"]),
        shapes[0].size,
        shapes[1].size,
        {"context": context[WEIGHTS], "prior": prior[WEIGHTS]},
        {"context": context["training"], "prior": prior["training"]},
    )
