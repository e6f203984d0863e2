"""The one loop of denoising: every picture that this package makes comes out of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import Tensor

from diffusion_refine.core.models import Model, Prompt
from diffusion_refine.core.protocols import Denoiser
from diffusion_refine.core.schedule import Schedule
from diffusion_refine.inversion.methods import Guidance, Inversion
from diffusion_refine.prompt_to_prompt.controllers import Controller, controlled
from procgen.errors import BlemishError
from scenes.jobs.progress import Progress

# Latents of all branches after a step, the step's index, how many steps there are: the latents to go on with.
Blend = Callable[[Tensor, int, int], Tensor]
# A step's index and how many there are: the context of that step's conditional pass.
Control = Callable[[int, int], AbstractContextManager[None]]


@torch.no_grad()
def denoise(
    model: Denoiser,
    latents: Tensor,
    prompt: Prompt,
    guidance: Guidance,
    schedule: Schedule,
    *,
    start: int = 0,
    control: Control | None = None,
    blend: Blend | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Clean latents (B, C, h, w), float32, from those that step `start` begins with, each under its own prompt.

    control: of `controlling`, around the conditional pass alone; without one, both predictions are made in a single
    pass, as a pipeline of diffusers makes them and with the same bits.
    """
    latents, prompt = latents.float(), prompt.expand(len(latents))
    for index in range(start, schedule.steps):
        unconditional, conditional = _predictions(model, latents, prompt, guidance, schedule, index, control)
        epsilon = guidance.guided(index, latents, conditional, unconditional)
        latents = schedule.step(latents, epsilon, index)
        if blend:
            latents = blend(latents, index, schedule.steps)
        if progress:
            progress("denoising", index + 1 - start, schedule.steps - start)
    return latents


def edit(
    model: Model,
    source: Inversion,
    targets: Prompt | None = None,
    *,
    controller: Controller | None = None,
    blend: Blend | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """The source brought back, and beside it what each of n target prompts makes of it: latents (1 + n, C, h, w).

    All branches begin with the source's noise. Without targets it is the reconstruction, of all the source's pictures
    at once; with targets the source must be one picture, as `source[i]` is.

    Raises:
        BlemishError: targets for several pictures.
    """
    latents, prompt = source.trajectory.noisiest, source.prompt.expand(len(source.trajectory))
    if targets is not None:
        if len(latents) != 1:
            raise BlemishError(f"targets of {len(latents)} pictures at once; edit one after the other, as source[i]")
        latents, prompt = latents.expand(1 + len(targets), -1, -1, -1), Prompt.stack([prompt, targets])
    control = controlling(model, controller)
    return denoise(model, latents, prompt, source, source.schedule, control=control, blend=blend, progress=progress)


def controlling(model: Model, controller: Controller | None) -> Control | None:
    """The model's attention under a controller, step by step; None for one that neither edits nor keeps maps."""
    if controller is None or (not controller.edits and controller.maps is None):
        return None
    return partial(controlled, model.unet, controller)


def _predictions(
    model: Denoiser,
    latents: Tensor,
    prompt: Prompt,
    guidance: Guidance,
    schedule: Schedule,
    index: int,
    control: Control | None,
) -> tuple[Tensor | None, Tensor | None]:
    """ε without the prompts' words and with them; None of what the guidance has no use for."""
    timestep, null = schedule.timesteps[index], guidance.null(index)
    if null is not None and control is None:
        both = model.noise(torch.cat([latents] * 2), timestep, Prompt.stack([null.expand(len(latents)), prompt]))
        unconditional, conditional = both.chunk(2)
        return unconditional, conditional
    without = None if null is None else model.noise(latents, timestep, null)
    if control is None and not guidance.asks(len(latents)):
        return without, None
    with nullcontext() if control is None else control(index, schedule.steps):
        return without, model.noise(latents, timestep, prompt)
