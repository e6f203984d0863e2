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
from torch import Tensor, nn

from diffusion_refine.training.loop import (
    CLIP,
    Average,
    load_state,
    rate_at,
    save_state,
    step_rng,
    write_curve,
)

CHECKPOINT, CURVE = "denoiser.pt", "denoiser.csv"
COLUMNS = ("step", "loss", "error", "seconds")
EMPTY = ""  # the caption of a picture whose own was left out; encoded as any other


@dataclass(frozen=True)
class DenoiserSettings:
    """A training: everything that its weights follow from. words: whether the text encoders learn, too."""

    steps: int = 4000
    batch: int = 16
    rate: float = 6e-4
    left_out: float = 0.1
    snr: float = 5.0
    words: bool = True
    seed: int = 0
    half: bool = True  # bfloat16 where it suffices


def train_denoiser(
    pipeline: Any,
    latents: Tensor,
    captions: Sequence[str],
    settings: DenoiserSettings,
    out: Path,
    on_step: Callable[[int], None] = lambda done: None,
    every: int = 200,
    clock: Callable[[], float] = lambda: 0.0,
) -> None:
    """Train whatever of the UNet, and of the text encoders, wants gradients, in place; it ends with their average.

    latents: (N, C, h, w) as the UNet sees them, on any device; captions: one each. From the checkpoint in `out` where
    there is one.
    """
    unet = pipeline.unet.to(memory_format=torch.channels_last).train()
    device = unet.device
    encoders = [encoder for name in ("text_encoder", "text_encoder_2") if (encoder := getattr(pipeline, name, None))]
    modules: list[nn.Module] = [unet, *(encoders if settings.words else [])]
    for encoder in encoders:
        encoder.requires_grad_(settings.words)
    parameters = [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=settings.rate, weight_decay=1e-2, betas=(0.9, 0.99))
    average = Average(parameters)
    step, curve = 0, []
    if (out / CHECKPOINT).is_file():
        state = load_state(out / CHECKPOINT, device)
        if state["settings"] != asdict(settings):
            raise ValueError(f"{out / CHECKPOINT}: another training's checkpoint; remove it to begin anew")
        with torch.no_grad():
            for mine, kept in ((parameters, state["weights"]), (average.values, state["average"])):
                for value, saved in zip(mine, kept, strict=True):
                    value.copy_(saved)
        optimizer.load_state_dict(state["optimizer"])
        step, curve = state["step"], state["curve"]
    alphas = pipeline.scheduler.alphas_cumprod.to(device)
    told = None if settings.words else ConditionCache(pipeline, captions)
    sums, begun = torch.zeros(2), clock()
    while step < settings.steps:
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, settings.steps, settings.rate)
        rng = step_rng(settings.seed, step)
        chosen = torch.randint(len(latents), (settings.batch,), generator=rng).tolist()
        dropped = (torch.rand(settings.batch, generator=rng) < settings.left_out).tolist()
        texts = [EMPTY if out_ else captions[one] for one, out_ in zip(chosen, dropped, strict=True)]
        timesteps = torch.randint(len(alphas), (settings.batch,), generator=rng).to(device)
        clean = latents[chosen].to(device).float()
        noise = torch.randn(clean.shape, generator=rng).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.half):
            conditions = told.of(texts) if told else conditions_of(pipeline, texts)
            loss, error = _loss(pipeline, clean, noise, timesteps, alphas[timesteps], conditions, settings.snr)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        step += 1
        average.follow(step)
        sums += torch.tensor([float(loss.detach()), float(error)])
        if step % every == 0 or step == settings.steps:
            mean = (sums / ((step - 1) % every + 1)).tolist()
            curve.append([step, *mean, clock() - begun])
            sums, begun = torch.zeros(2), clock()
            state = {
                "settings": asdict(settings),
                "step": step,
                "weights": [parameter.detach() for parameter in parameters],
                "average": average.values,
                "optimizer": optimizer.state_dict(),
                "curve": curve,
            }
            save_state(out / CHECKPOINT, state)
            write_curve(out / CURVE, COLUMNS, curve)
        on_step(step)
    average.exchange()
    unet.eval()


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


def _loss(
    pipeline: Any,
    clean: Tensor,
    noise: Tensor,
    timesteps: Tensor,
    alphas: Tensor,
    conditions: dict[str, Any],
    most: float,
) -> tuple[Tensor, Tensor]:
    """The weighted loss and the plain mean squared error of what the UNet predicts, noise or velocity."""
    alpha = alphas.view(-1, 1, 1, 1)
    noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
    made = pipeline.unet(
        noisy.contiguous(memory_format=torch.channels_last), timesteps, return_dict=False, **conditions
    )[0].float()
    snr = alphas / (1 - alphas)
    velocity = pipeline.scheduler.config.prediction_type == "v_prediction"
    target = alpha.sqrt() * noise - (1 - alpha).sqrt() * clean if velocity else noise
    weights = snr.clamp(max=most) / (snr + 1 if velocity else snr)
    errors = (made - target).square().mean(dim=(1, 2, 3))
    return (weights * errors).mean(), errors.detach().mean()
