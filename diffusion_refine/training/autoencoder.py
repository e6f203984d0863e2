"""The autoencoder's training: pictures to latents and back, with the pixels of defects counting for more.

A scratch is a thousandth of a picture's pixels; a loss that counts all alike spends nothing on it. The encoder is the
best linear one (`linear_autoencoder.py`) and stays so; the decoder begins as the best linear one and learns the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from diffusion_refine.training.crops import Crops
from diffusion_refine.training.linear_autoencoder import principal_components, set_decoder, set_encoder, windows_of
from diffusion_refine.training.loop import GradientDescent, TrainingLoop


@dataclass(frozen=True)
class AutoencoderSettings:
    """A training: everything that its weights follow from.

    crop: pixels a side that it trains on. defects: what a pixel of a defect counts for beyond one. edges: weight of the
    gradient's error, colour: of what an error has of colour. disturbed: deviation of the noise on the latents that the
    decoder sees, such as a denoiser leaves.
    """

    steps: int = 1000
    batch: int = 8
    crop: int = 64
    rate: float = 1e-3
    defects: float = 4.0
    edges: float = 0.5
    colour: float = 1.0
    disturbed: float = 0.05
    seed: int = 0
    half: bool = True  # bfloat16 where it suffices

    @property
    def linear(self) -> int:
        """Steps of the linear start, before the others."""
        return math.ceil(self.steps / 3)


def set_latents(autoencoder: AutoencoderKL, crops: Crops, settings: AutoencoderSettings) -> None:
    """Give the encoder its components; of all that is trained, latents depend on this alone."""
    factor = 2 ** (len(autoencoder.config.block_out_channels) - 1)
    count = autoencoder.config.latent_channels
    set_encoder(autoencoder, principal_components(crops.images, crops.masks, count, factor, settings.defects))


def train_autoencoder(
    autoencoder: AutoencoderKL,
    crops: Crops,
    latents: Tensor,
    settings: AutoencoderSettings,
    out: Path,
    on_step: Callable[[int], None] = lambda done: None,
    every: int = 100,
    clock: Callable[[], float] | None = None,
) -> None:
    """Train the decoder in place, from the checkpoint in `out` where there is one; it ends with the average.

    latents: (N, C, h, w), of the crops; the encoder has its components already (`set_latents`) and keeps them. on_step
    counts the linear start's steps, too.

    Raises:
        CheckpointError: the checkpoint is another training's.
    """
    loop = TrainingLoop(
        "autoencoder",
        out,
        settings.steps,
        settings.seed,
        asdict(settings),
        {"loss": float, "psnr": decibels, "psnr_defects": decibels},
        every,
        lambda done: on_step(settings.linear + done),
        clock,
    )
    autoencoder.to(memory_format=torch.channels_last)
    decoder = autoencoder.decoder.train()
    if not loop.begun:
        set_decoder(autoencoder, latents, crops.images, settings.crop, settings.seed, settings.linear, on_step=on_step)
    descent = GradientDescent(decoder.parameters(), settings.rate, settings.steps, weight_decay=1e-4)

    def advance(rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        codes, images, masks = _batch(crops, latents, settings, rng, autoencoder)
        with torch.autocast(autoencoder.device.type, torch.bfloat16, enabled=settings.half):
            made = autoencoder.decode(codes).sample
        loss, error, defects = _loss(made.float(), images, masks, settings)
        descent.descend(loss)
        return loss.detach(), error, defects

    loop.run(advance, {"decoder": descent})
    descent.use_average()
    autoencoder.eval()


def decibels(squared_error: float) -> float:
    """Peak signal to noise ratio of values 0 to 1."""
    return -10 * math.log10(max(squared_error, 1e-12))


@torch.no_grad()
def encoded(
    autoencoder: AutoencoderKL,
    images: Tensor,
    batch: int = 32,
    on_image: Callable[[int], None] = lambda done: None,
) -> Tensor:
    """Latents (N, C, h, w) float32 on the processor of pictures (N, 3, H, W) uint8: the posterior's mode,
    scaled and shifted as its configuration says.
    """
    config = autoencoder.config
    found = []
    for start in range(0, len(images), batch):
        values = prepared(images[start : start + batch], autoencoder)
        found.append(autoencoder.encode(values).latent_dist.mode().float().cpu())
        on_image(min(start + batch, len(images)))
    latents = torch.cat(found)
    shift, scale = float(getattr(config, "shift_factor", None) or 0.0), float(config.scaling_factor)
    mean, deviation = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if mean is not None and deviation is not None:
        return (latents - torch.tensor(mean)[:, None, None]) / torch.tensor(deviation)[:, None, None] * scale
    return (latents - shift) * scale


def prepared(images: Tensor, autoencoder: AutoencoderKL) -> Tensor:
    """Pictures uint8 as the autoencoder takes them: float of its precision, -1 to 1, on its device."""
    values = images.to(autoencoder.device).to(autoencoder.dtype) / 127.5 - 1
    return values.contiguous(memory_format=torch.channels_last)


def fidelity(autoencoder: AutoencoderKL, crops: Crops, batch: int = 16) -> dict[str, float]:
    """PSNR in decibels of reconstructions, over the pixels of defects and over all others; values clipped to 0..1."""
    sums: dict[str, list[float]] = {"defects": [0.0, 0.0], "others": [0.0, 0.0]}
    with torch.no_grad():
        for start in range(0, len(crops), batch):
            images = prepared(crops.images[start : start + batch], autoencoder)
            made = autoencoder.decode(autoencoder.encode(images).latent_dist.mode()).sample.clamp(-1, 1)
            error = ((made - images) / 2).square().mean(dim=1).cpu()
            masks = crops.masks[start : start + batch] > 0
            for name, where in (("defects", masks), ("others", ~masks)):
                sums[name][0] += float(error[where].sum())
                sums[name][1] += int(where.sum())
    return {name: decibels(total / max(1.0, count)) for name, (total, count) in sums.items()}


def _batch(
    crops: Crops, latents: Tensor, settings: AutoencoderSettings, rng: torch.Generator, autoencoder: AutoencoderKL
) -> tuple[Tensor, Tensor, Tensor]:
    """Disturbed latents, and windows of their crops (B, 3, c, c) with masks (B, 1, c, c), at whole texels."""
    chosen = torch.randint(len(crops), (settings.batch,), generator=rng)
    codes, images, masks = windows_of(chosen, (latents, crops.images, crops.masks[:, None]), settings.crop, rng)
    codes = codes + settings.disturbed * torch.randn(codes.shape, generator=rng)
    device = autoencoder.device
    return codes.to(device), prepared(images, autoencoder), masks.to(device).float()


def _loss(made: Tensor, images: Tensor, masks: Tensor, settings: AutoencoderSettings) -> tuple[Tensor, Tensor, Tensor]:
    """The loss; and the mean squared error, values 0 to 1, of all pixels and of those of defects."""
    weight = 1 + settings.defects * masks
    weight = weight / weight.mean()
    error = made - images
    loss = (weight * error.abs()).mean() + (weight * error.square()).mean()
    if settings.edges:
        for axis in (2, 3):
            slope = error.diff(dim=axis)
            sharper = torch.maximum(*_neighbours(weight, axis))
            loss = loss + settings.edges * (sharper * slope.abs()).mean()
    if settings.colour:
        loss = loss + settings.colour * (weight * (error - error.mean(dim=1, keepdim=True)).abs()).mean()
    squared = (error.detach() / 2).square().mean(dim=1, keepdim=True)
    defects = (squared * masks).sum() / masks.sum().clamp(min=1)
    return loss, squared.mean(), defects


def _neighbours(weight: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    length = weight.shape[axis] - 1
    return weight.narrow(axis, 0, length), weight.narrow(axis, 1, length)
