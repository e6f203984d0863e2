"""Training CRG's networks: noise is predicted, with min-SNR weights [Hang 2023] and a moving average of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DModel
from numpy.typing import NDArray
from torch import Tensor

from diffusion_refine.core.models import ModelError, device_of_choice
from diffusion_refine.synthesis.crg.model import CONTEXT as CONTEXT_FILES
from diffusion_refine.synthesis.crg.model import PRIOR as PRIOR_FILES
from diffusion_refine.synthesis.crg.model import save_context, save_prior
from diffusion_refine.synthesis.crg.networks import (
    CONTEXT,
    PRIOR,
    DenoiserShape,
    build,
    shape_from,
    training_schedule,
)
from diffusion_refine.synthesis.crg.training.patches import BoxedPicture, Patches, draw_crops, draw_patches
from diffusion_refine.training.crops import crops_of
from diffusion_refine.training.denoiser import denoising_loss
from diffusion_refine.training.loop import GradientDescent, TrainingLoop
from diffusion_refine.training.model_shapes import random_start
from diffusion_refine.training.sealed_network import WEIGHTS, SealedNetwork
from scenes.datasets.lock import locked
from scenes.jobs.progress import Progress

STATE = "training"
PATCHES_A_PICTURE = 32
COLUMNS = {"loss": float, "error": float}
CLASSES = "class_embedding.weight"  # (K, T) of diffusers' network, a row a class


@dataclass(frozen=True)
class CrgTrainingSettings:
    """What a training follows from, beside its pictures.

    crop: pixels a side of what is learnt from, None for the network's own size. patches: crops or patches to learn
    from; 32 a picture where None. average: share that the moving average keeps. snr: at which weights end. start: a
    model's folder, from whose network the training goes on; that has the same shape, and for classes that it does not
    know the mean of those it does.
    """

    shape: DenoiserShape
    steps: int = 20_000
    batch: int = 16
    rate: float = 4e-4
    average: float = 0.999
    snr: float = 5.0
    crop: int | None = None
    patches: int | None = None
    seed: int = 0
    every: int = 200  # steps between checkpoints
    half: bool = False  # bfloat16 where it suffices
    start: Path | None = None

    @property
    def side(self) -> int:
        return self.crop or self.shape.size


CONTEXT_SETTINGS = CrgTrainingSettings(CONTEXT, batch=8, crop=64)
PRIOR_SETTINGS = CrgTrainingSettings(PRIOR)


def train_context(
    pictures: Sequence[NDArray[np.uint8]],
    out: Path,
    settings: CrgTrainingSettings = CONTEXT_SETTINGS,
    device: str | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Path:
    """Train the model of good pictures (H, W, 3), or go on with the training in `out`.

    Stopped at any moment and begun again with the same arguments, it ends with the same bytes. Raises CheckpointError
    for a folder that holds another training; DatasetError for one that cannot be written, or that is being written.
    """
    with locked(out):
        count = settings.patches or crops_of(len(pictures), PATCHES_A_PICTURE)
        crops = draw_crops(
            pictures, count, settings.side, settings.seed, on_crop=lambda done: progress("crops", done, count)
        )
        written = {**_written(settings, CONTEXT_FILES), "pictures": len(pictures)}
        network = _trained(crops, out, CONTEXT_FILES, settings, written, device, progress)
        save_context(network, settings.shape, written, out)
    return out


def train_prior(
    pictures: Sequence[BoxedPicture],
    out: Path,
    settings: CrgTrainingSettings = PRIOR_SETTINGS,
    device: str | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Path:
    """Train the model of defects on patches round their boxes, or go on with the training in `out`; see the other."""
    with locked(out):
        count = settings.patches or crops_of(len(pictures), PATCHES_A_PICTURE)
        patches = draw_patches(
            pictures, count, settings.side, settings.seed, on_patch=lambda done: progress("patches", done, count)
        )
        written = {**_written(settings, PRIOR_FILES), "labels": patches.label_names, "pictures": len(pictures)}
        network = _trained(patches, out, PRIOR_FILES, settings, written, device, progress)
        save_prior(network, settings.shape, patches.label_names, written, out)
    return out


def _written(settings: CrgTrainingSettings, files: SealedNetwork) -> dict[str, Any]:
    """The settings as JSON; of a start its weights' digest, not where it lies. Raises ModelError."""
    fields = asdict(settings)
    del fields["start"]
    if settings.start is not None:
        fields["start"] = files.load_record(settings.start)[WEIGHTS]
    return fields


def _begin(
    network: UNet2DModel, start: Path, files: SealedNetwork, shape: DenoiserShape, labels: Sequence[str]
) -> None:
    """Put a trained network's weights into one of the same shape. Raises ModelError for another shape, or damage."""
    record = files.load_record(start)
    found, learnt = shape_from(record["network"]), list(record.get("labels", ()))
    if found != shape:
        raise ModelError(f"{start}: its {files.name} is of {found}; expected {shape}, or another --size to train it at")
    old = build(found, len(learnt) or None)
    files.load_weights(old, start, "cpu")
    weights = old.state_dict()
    if learnt:
        known = weights[CLASSES]
        mean = known.mean(dim=0)
        weights[CLASSES] = torch.stack([known[learnt.index(name)] if name in learnt else mean for name in labels])
    network.load_state_dict(weights)


def _trained(
    patches: Patches,
    out: Path,
    files: SealedNetwork,
    settings: CrgTrainingSettings,
    written: dict[str, Any],
    device: str | None,
    progress: Progress,
) -> UNet2DModel:
    """A network with the average of its weights in the end."""
    device = device_of_choice(device)
    with random_start(settings.seed):
        network = build(settings.shape, len(patches.label_names) or None).to(device)
    if settings.start is not None:
        _begin(network, settings.start, files, settings.shape, patches.label_names)
    network.train().to(memory_format=torch.channels_last)
    descent = GradientDescent(
        network.parameters(), settings.rate, settings.steps, weight_decay=0.0, longest_average=settings.average
    )
    schedule = training_schedule()

    def advance(rng: torch.Generator) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(patches), (settings.batch,), generator=rng)
        clean = patches.images[chosen].to(device).float() / 127.5 - 1.0
        told = {"class_labels": patches.labels[chosen].to(device)} if patches.label_names else {}
        timesteps = torch.randint(schedule.config.num_train_timesteps, (settings.batch,), generator=rng).to(device)
        noise = torch.randn(clean.shape, generator=rng).to(device)
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=settings.half):
            loss, error = denoising_loss(network, schedule, clean, noise, timesteps, told, settings.snr)
        descent.descend(loss)
        return loss.detach(), error

    (out / STATE).mkdir(exist_ok=True)
    loop = TrainingLoop(
        files.name,
        out / STATE,
        settings.steps,
        settings.seed,
        written,
        COLUMNS,
        settings.every,
        lambda done: progress("training", done, settings.steps),
    )
    loop.run(advance, {"denoiser": descent})
    descent.use_average()
    return network.eval()
