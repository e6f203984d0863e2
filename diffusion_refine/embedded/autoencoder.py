"""The autoencoder's training: pictures to latents and back, with the pixels of defects counting for more.

A scratch is a thousandth of a picture's pixels; a loss that counts all alike spends nothing on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from diffusion_refine.embedded.descent import (
    CLIP,
    Average,
    dice_of,
    load_state,
    rate_at,
    save_state,
    write_curve,
)
from diffusion_refine.embedded.pictures import Crops

CHECKPOINT, CURVE = "autoencoder.pt", "autoencoder.csv"
COLUMNS = ("step", "loss", "psnr", "psnr_defects", "seconds")


@dataclass(frozen=True)
class AutoencoderPlan:
    """A training: everything that its weights follow from.

    crop: pixels a side that it trains on. defects: what a pixel of a defect counts for beyond one. edges: weight of the
    gradient's error, colour: of what an error has of colour, kl: of the divergence from a unit normal.
    decoder: train the decoder alone, on latents disturbed by so much noise as a denoiser leaves; they stay as they are.
    """

    steps: int = 1000
    batch: int = 8
    crop: int = 64
    rate: float = 2e-3
    defects: float = 4.0
    edges: float = 0.5
    colour: float = 1.0
    kl: float = 1e-5
    decoder: float = 0.0
    seed: int = 0
    half: bool = True  # bfloat16 where it suffices


def train_autoencoder(
    autoencoder: AutoencoderKL,
    crops: Crops,
    plan: AutoencoderPlan,
    out: Path,
    on_step: Callable[[int], None] = lambda done: None,
    every: int = 100,
    clock: Callable[[], float] = lambda: 0.0,
) -> None:
    """Train in place, from the checkpoint in `out` where there is one; then normalise the latents."""
    device = autoencoder.device
    autoencoder.to(memory_format=torch.channels_last).train()
    if plan.decoder:
        for fixed in (autoencoder.encoder, autoencoder.quant_conv):
            fixed.requires_grad_(False)
    parameters = [parameter for parameter in autoencoder.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=plan.rate, weight_decay=1e-4, betas=(0.9, 0.99))
    average = Average(parameters)
    step, curve = 0, []
    if (out / CHECKPOINT).is_file():
        state = load_state(out / CHECKPOINT, device)
        if state["plan"] != asdict(plan):
            raise ValueError(f"{out / CHECKPOINT}: another training's checkpoint; remove it to begin anew")
        autoencoder.load_state_dict(state["weights"])
        optimizer.load_state_dict(state["optimizer"])
        for value, kept in zip(average.values, state["average"], strict=True):
            value.copy_(kept)
        step, curve = state["step"], state["curve"]
    sums, begun = torch.zeros(3), clock()
    while step < plan.steps:
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, plan.steps, plan.rate)
        images, masks, noise = _batch(crops, plan, dice_of(plan.seed, step), autoencoder)
        with torch.autocast(device.type, torch.bfloat16, enabled=plan.half):
            posterior = autoencoder.encode(images).latent_dist
            latents = posterior.mean + (plan.decoder or posterior.std) * noise
            made = autoencoder.decode(latents).sample
        loss, errors = _loss(made.float(), images, masks, posterior, plan)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        step += 1
        average.follow(step)
        sums += torch.tensor([float(loss.detach()), *errors])
        if step % every == 0 or step == plan.steps:
            mean = (sums / ((step - 1) % every + 1)).tolist()
            curve.append([step, mean[0], decibels(mean[1]), decibels(mean[2]), clock() - begun])
            sums, begun = torch.zeros(3), clock()
            save_state(
                out / CHECKPOINT,
                {
                    "plan": asdict(plan),
                    "step": step,
                    "weights": autoencoder.state_dict(),
                    "average": average.values,
                    "optimizer": optimizer.state_dict(),
                    "curve": curve,
                },
            )
            write_curve(out / CURVE, COLUMNS, curve)
        on_step(step)
    average.exchange()
    autoencoder.eval().requires_grad_(True)
    if not plan.decoder:
        normalise(autoencoder, crops.images[:256])


def decibels(squared_error: float) -> float:
    """Peak signal to noise ratio of values 0 to 1."""
    return -10 * math.log10(max(squared_error, 1e-12))


@torch.no_grad()
def normalise(autoencoder: AutoencoderKL, images: Tensor) -> None:
    """Bring the latents of pictures (N, 3, H, W) uint8 to zero mean and unit variance in every channel.

    It is done within the two 1 x 1 convolutions between encoder, latents and decoder, so that what the autoencoder
    makes of a picture stays as it is, and every pipeline reads them with a scaling factor of 1.
    """
    latents = encoded(autoencoder, images, raw=True)
    mean, deviation = latents.mean(dim=(0, 2, 3)).double(), latents.std(dim=(0, 2, 3)).double()
    before, after = autoencoder.quant_conv, autoencoder.post_quant_conv
    channels = len(mean)
    weight, bias = before.weight.double(), before.bias.double()
    weight[:channels] /= deviation[:, None, None, None]
    bias[:channels] = (bias[:channels] - mean) / deviation
    bias[channels:] -= 2 * deviation.log()  # of the variance's logarithm
    after_bias = after.bias.double() + (after.weight.double()[:, :, 0, 0] @ mean)
    after_weight = after.weight.double() * deviation[None, :, None, None]
    before.weight.copy_(weight)
    before.bias.copy_(bias)
    after.weight.copy_(after_weight)
    after.bias.copy_(after_bias)


@torch.no_grad()
def encoded(
    autoencoder: AutoencoderKL,
    images: Tensor,
    batch: int = 32,
    raw: bool = False,
    on_image: Callable[[int], None] = lambda done: None,
) -> Tensor:
    """Latents (N, C, h, w) float32 on the processor of pictures (N, 3, H, W) uint8: the posterior's mode.

    raw: as the autoencoder has them, not scaled and shifted as its configuration says.
    """
    config = autoencoder.config
    found = []
    for start in range(0, len(images), batch):
        values = prepared(images[start : start + batch], autoencoder)
        found.append(autoencoder.encode(values).latent_dist.mode().float().cpu())
        on_image(min(start + batch, len(images)))
    latents = torch.cat(found)
    if raw:
        return latents
    shift = getattr(config, "shift_factor", None) or 0.0
    mean, deviation = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if mean is not None and deviation is not None:
        return (
            (latents - torch.tensor(mean)[:, None, None])
            / torch.tensor(deviation)[:, None, None]
            * config.scaling_factor
        )
    return (latents - shift) * config.scaling_factor


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
    crops: Crops, plan: AutoencoderPlan, dice: torch.Generator, autoencoder: AutoencoderKL
) -> tuple[Tensor, Tensor, Tensor]:
    """Windows (B, 3, c, c) of random crops, their masks (B, 1, c, c), and the noise of the posterior's sample."""
    size = crops.images.shape[-1]
    chosen = torch.randint(len(crops), (plan.batch,), generator=dice).tolist()
    places = torch.randint(size - plan.crop + 1, (plan.batch, 2), generator=dice).tolist()
    windows = [(slice(top, top + plan.crop), slice(left, left + plan.crop)) for top, left in places]
    images = torch.stack(
        [crops.images[one][:, rows, columns] for one, (rows, columns) in zip(chosen, windows, strict=True)]
    )
    masks = torch.stack([crops.masks[one][rows, columns] for one, (rows, columns) in zip(chosen, windows, strict=True)])
    side = plan.crop // 2 ** (len(autoencoder.config.block_out_channels) - 1)
    noise = torch.randn((plan.batch, autoencoder.config.latent_channels, side, side), generator=dice)
    device = autoencoder.device
    return prepared(images, autoencoder), masks.to(device).float()[:, None], noise.to(device)


def _loss(
    made: Tensor, images: Tensor, masks: Tensor, posterior: Any, plan: AutoencoderPlan
) -> tuple[Tensor, tuple[float, float]]:
    """The loss; and the mean squared error, values 0 to 1, of all pixels and of those of defects."""
    weight = 1 + plan.defects * masks
    weight = weight / weight.mean()
    error = made - images
    loss = (weight * error.abs()).mean() + (weight * error.square()).mean()
    if plan.edges:
        for axis in (2, 3):
            slope = error.diff(dim=axis)
            sharper = torch.maximum(*_neighbours(weight, axis))
            loss = loss + plan.edges * (sharper * slope.abs()).mean()
    if plan.colour:
        loss = loss + plan.colour * (weight * (error - error.mean(dim=1, keepdim=True)).abs()).mean()
    mean, logvar = posterior.mean.float(), posterior.logvar.float()
    loss = loss + plan.kl * 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum(dim=1).mean()
    squared = (error.detach() / 2).square().mean(dim=1, keepdim=True)
    defects = (squared * masks).sum() / masks.sum().clamp(min=1)
    return loss, (float(squared.mean()), float(defects))


def _neighbours(weight: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    length = weight.shape[axis] - 1
    return weight.narrow(axis, 0, length), weight.narrow(axis, 1, length)
