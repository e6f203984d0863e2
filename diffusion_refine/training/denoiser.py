"""The denoiser's training: noise is predicted in cached latents, beside the words of their captions.

Min-SNR weights [Hang 2023], one caption in ten left out for guidance, a moving average of the weights. The batch of a
step follows from the seed and its number alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from diffusion_refine.core.models import quietly
from diffusion_refine.training.loop import GradientDescent, TrainingLoop

EMPTY = ""  # the caption of a picture whose own was left out; encoded as any other


@dataclass(frozen=True)
class DenoiserSettings:
    """A training: everything that its weights follow from. words: whether the text encoders learn, too.

    defects: how much more a texel counts that a defect covers, of the weight of one that none does; 0 is no more.
    """

    steps: int = 4000
    batch: int = 16
    rate: float = 6e-4
    left_out: float = 0.1
    snr: float = 5.0
    words: bool = True
    seed: int = 0
    half: bool = True  # bfloat16 where it suffices
    defects: float = 0.0


def train_denoiser(
    pipeline: Any,
    latents: Tensor,
    captions: Sequence[str],
    settings: DenoiserSettings,
    out: Path,
    on_step: Callable[[int], None] = lambda done: None,
    every: int = 200,
    clock: Callable[[], float] | None = None,
    masks: Tensor | None = None,
    known: Tensor | None = None,
) -> None:
    """Train whatever of the UNet, and of the text encoders, wants gradients, in place; it ends with their average.

    latents: (N, C, h, w) as the UNet sees them, on any device; captions: one each; masks: (N, H, W), 1 where a defect
    is, for the settings' weight of defects. known: (N, 1 + C, h, w), what a UNet that paints is given beside latents.
    From the checkpoint in `out` where there is one.

    Raises:
        CheckpointError: the checkpoint is another training's.
    """
    unet = pipeline.unet.to(memory_format=torch.channels_last).train()
    device = unet.device
    encoders = [encoder for name in ("text_encoder", "text_encoder_2") if (encoder := getattr(pipeline, name, None))]
    modules: list[nn.Module] = [unet, *(encoders if settings.words else [])]
    for encoder in encoders:
        encoder.requires_grad_(settings.words)
    parameters = [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
    descent = GradientDescent(parameters, settings.rate, settings.steps, weight_decay=1e-2)
    schedule = noise_schedule(pipeline)
    cache = None if settings.words else ConditionCache(pipeline, captions)
    weights = None if masks is None or not settings.defects else texel_weights(masks, latents.shape, settings.defects)

    def advance(rng: torch.Generator) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(latents), (settings.batch,), generator=rng).tolist()
        dropped = (torch.rand(settings.batch, generator=rng) < settings.left_out).tolist()
        texts = [EMPTY if left_out else captions[one] for one, left_out in zip(chosen, dropped, strict=True)]
        timesteps = torch.randint(schedule.config.num_train_timesteps, (settings.batch,), generator=rng).to(device)
        clean = latents[chosen].to(device).float()
        noise = torch.randn(clean.shape, generator=rng).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.half):
            conditions = cache.of(texts) if cache else conditions_of(pipeline, texts)
            weighed = None if weights is None else weights[chosen].to(device)
            seen = None if known is None else known[chosen].to(device).float()
            loss, error = denoising_loss(
                unet, schedule, clean, noise, timesteps, conditions, settings.snr, weighed, seen
            )
        descent.descend(loss)
        return loss.detach(), error

    loop = TrainingLoop(
        "denoiser",
        out,
        settings.steps,
        settings.seed,
        asdict(settings),
        {"loss": float, "error": float},
        every,
        on_step,
        clock,
    )
    loop.run(advance, {"denoiser": descent})
    descent.use_average()
    unet.eval()


def noise_schedule(pipeline: Any) -> Any:
    """The noise levels that a pipeline was trained at, whichever sampler it comes with."""
    with quietly():
        return DDPMScheduler.from_config(pipeline.scheduler.config)


def denoising_loss(
    unet: Any,
    schedule: Any,
    clean: Tensor,
    noise: Tensor,
    timesteps: Tensor,
    conditions: dict[str, Any],
    most: float,
    texels: Tensor | None = None,
    known: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The min-SNR weighted loss, and the plain mean squared error, of what the UNet predicts, noise or velocity.

    texels: (B, 1, h, w) of `texel_weights`, that the loss counts each by. known: (B, 1 + C, h, w), of one that paints.
    """
    noisy = schedule.add_noise(clean, noise, timesteps)
    given = noisy if known is None else torch.cat([noisy, known], dim=1)
    given = given.contiguous(memory_format=torch.channels_last)
    made = unet(given, timesteps, return_dict=False, **conditions)[0].float()
    velocity = schedule.config.prediction_type == "v_prediction"
    target = schedule.get_velocity(clean, noise, timesteps) if velocity else noise
    snr = compute_snr(schedule, timesteps)
    weights = snr.clamp(max=most) / (snr + 1 if velocity else snr)
    squares = (made - target).square()
    errors = squares.mean(dim=(1, 2, 3))
    weighed = errors if texels is None else (texels * squares).mean(dim=(1, 2, 3))
    return (weights * weighed).mean(), errors.detach().mean()


def texel_weights(masks: Tensor, shape: torch.Size, defects: float) -> Tensor:
    """(N, 1, h, w), of mean 1 in every picture: 1 + `defects` times the share of a texel that masks (N, H, W) mark."""
    covered = adaptive_avg_pool2d(masks[:, None].float(), (shape[-2], shape[-1]))
    found = 1.0 + defects * covered
    weights: Tensor = found / found.mean(dim=(2, 3), keepdim=True)
    return weights


def conditions_of(pipeline: Any, texts: Sequence[str]) -> dict[str, Any]:
    """What the UNet is told beside latents and timestep; gradients flow to the text encoders."""
    found = pipeline.encode_prompt(
        list(texts), device=pipeline.unet.device, num_images_per_prompt=1, do_classifier_free_guidance=False
    )
    if getattr(pipeline, "text_encoder_2", None) is None:
        return {"encoder_hidden_states": found[0]}
    config = pipeline.unet.config.sample_size
    sample = config if isinstance(config, int) else max(config)
    side = (sample * pipeline.vae_scale_factor,) * 2
    pooled = found[2]
    time_ids = pipeline._get_add_time_ids(
        side, (0, 0), side, torch.float32, text_encoder_projection_dim=pooled.shape[-1]
    )
    added = {"text_embeds": pooled, "time_ids": time_ids.to(pooled.device).expand(len(texts), -1)}
    return {"encoder_hidden_states": found[0], "added_cond_kwargs": added}


class ConditionCache:
    """The conditions of all captions, computed once, for text encoders that stay as they are."""

    def __init__(self, pipeline: Any, captions: Sequence[str], batch: int = 64) -> None:
        texts = sorted({EMPTY, *captions})
        self.places = {text: place for place, text in enumerate(texts)}
        with torch.no_grad():
            self.parts = [
                conditions_of(pipeline, texts[start : start + batch]) for start in range(0, len(texts), batch)
            ]
        self.embeddings = torch.cat([part["encoder_hidden_states"] for part in self.parts])
        self.added = {
            name: torch.cat([part["added_cond_kwargs"][name] for part in self.parts])
            for name in self.parts[0].get("added_cond_kwargs", {})
        }

    def of(self, texts: Sequence[str]) -> dict[str, Any]:
        """As `conditions_of`, without gradients."""
        places = [self.places[text] for text in texts]
        added = {name: values[places] for name, values in self.added.items()}
        return {"encoder_hidden_states": self.embeddings[places]} | ({"added_cond_kwargs": added} if added else {})
