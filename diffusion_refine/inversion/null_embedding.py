"""Null embedding optimisation: for every step, the unconditional embedding that keeps guidance on the trajectory.

Section 3.3 of the null embedding paper, after Mokady et al., "Null-text Inversion": SDXL's pooled embedding is
optimised with the other, its time ids are not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffusion_refine.core.models import Model, Prompt, frozen
from diffusion_refine.core.schedule import Schedule
from diffusion_refine.inversion.ddim import Trajectory
from procgen.errors import BlemishError
from scenes.jobs.progress import Progress

STARTS = ("empty", "prompt")


@dataclass(frozen=True)
class NullSettings:
    """How the embeddings are optimised.

    updates: Adam steps at most, at every step of denoising. At step i the rate is learning_rate · (1 − i·decay), and a
    picture is left alone once its mean squared latent distance is below threshold + i·growth. start: the first step's
    embedding, of the "empty" prompt, or of the "prompt" itself, which is near where guidance does nothing.
    """

    updates: int = 10
    learning_rate: float = 1e-2
    decay: float = 1e-2
    threshold: float = 1e-5
    growth: float = 2e-5
    start: str = "empty"

    def __post_init__(self) -> None:
        if self.start not in STARTS:
            raise BlemishError(f"null embeddings start from {self.start!r}; allowed are {' and '.join(STARTS)}")
        if self.updates < 0:
            raise BlemishError(f"{self.updates} updates of the null embedding; give 0 or more, 10 are usual")


@dataclass(frozen=True)
class NullEmbeddings:
    """What was found for B pictures: a prompt of B conditions for every step, and how it went.

    distances: mean squared latent distance that was left, (T, B); updates: Adam steps taken, (T, B) int64; latents:
    what denoising with these embeddings ends with, (B, C, h, w).
    """

    prompts: tuple[Prompt, ...]
    distances: Tensor
    updates: Tensor
    latents: Tensor


def optimise(
    model: Model,
    trajectory: Trajectory,
    prompt: Prompt,
    schedule: Schedule,
    guidance_scale: float,
    settings: NullSettings | None = None,
    progress: Progress | None = None,
) -> NullEmbeddings:
    """Per step and per picture the null embeddings with which guided denoising follows the trajectory.

    The conditional prediction does not depend on what is optimised and is made once a step; the unconditional one of
    the last evaluation is the one that is stepped with. Pictures of a batch do not know of one another: each has its
    own Adam state and stops on its own, and only those that still run are evaluated. Weights are frozen.

    Raises:
        BlemishError: so many steps that the learning rate would not stay positive.
    """
    settings = settings or NullSettings()
    if settings.decay * (schedule.steps - 1) >= 1:
        raise BlemishError(f"{schedule.steps} steps bring the learning rate to nothing; use {int(1 / settings.decay)}")
    count = len(trajectory)
    conditions = prompt.expand(count)
    side = conditions.time_ids
    null = (model.encode_prompt([""]) if settings.start == "empty" else prompt).expand(count).replace(time_ids=side)
    latents = trajectory.noisiest
    prompts, distances, updates = [], [], []
    with frozen(model.unet):
        for index in range(schedule.steps):
            with torch.no_grad():
                conditional = model.noise(latents, schedule.timesteps[index], conditions)
            null, epsilon, distance, taken = _optimise_step(
                model, latents, trajectory.after(index), conditional, null, schedule, index, guidance_scale, settings
            )
            latents = schedule.step(latents, guided(epsilon, conditional, guidance_scale), index)
            prompts.append(null)
            distances.append(distance)
            updates.append(taken)
            if progress:
                progress("optimising", index + 1, schedule.steps)
    return NullEmbeddings(tuple(prompts), torch.stack(distances), torch.stack(updates), latents)


def guided(unconditional: Tensor, conditional: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance: ε_∅ + w·(ε_c − ε_∅)."""
    return unconditional + scale * (conditional - unconditional)


def _optimise_step(
    model: Model,
    latents: Tensor,
    wanted: Tensor,
    conditional: Tensor,
    start: Prompt,
    schedule: Schedule,
    index: int,
    scale: float,
    settings: NullSettings,
) -> tuple[Prompt, Tensor, Tensor, Tensor]:
    """The null prompt of one step, its prediction, the distance left and the updates taken, each of B pictures."""
    count, timestep = len(latents), schedule.timesteps[index]
    limit = settings.threshold + index * settings.growth
    # A parameter for each picture: Adam leaves those alone that have no gradient.
    embeddings = [start.embeddings[picture : picture + 1].clone().requires_grad_() for picture in range(count)]
    pooled = None
    if start.pooled is not None:
        pooled = [start.pooled[picture : picture + 1].clone().requires_grad_() for picture in range(count)]
    adam = torch.optim.Adam([*embeddings, *(pooled or [])], lr=settings.learning_rate * (1 - index * settings.decay))
    epsilon, distance = torch.empty_like(latents), latents.new_empty(count)
    taken = torch.zeros(count, dtype=torch.int64)
    running = list(range(count))

    def of_running(batch: Tensor) -> Tensor:
        return batch if len(running) == count else batch[running]  # an index has to be brought to a card

    for update in range(settings.updates + 1):
        last = update == settings.updates
        with torch.set_grad_enabled(not last):
            null = Prompt(
                torch.cat([embeddings[picture] for picture in running]),
                None if pooled is None else torch.cat([pooled[picture] for picture in running]),
                None if start.time_ids is None else of_running(start.time_ids),
                ("",) * len(running),
            )
            now = of_running(latents)
            predicted = model.noise(now, timestep, null)
            stepped = schedule.step(now, guided(predicted, of_running(conditional), scale), index)
            losses = (stepped - of_running(wanted)).square().mean(dim=(1, 2, 3))
            far = [place for place, loss in enumerate(losses.tolist()) if loss >= limit]
            total = (losses if len(far) == len(running) else losses[far]).sum()
        epsilon[running], distance[running] = predicted.detach(), losses.detach()
        if last or not far:
            break
        adam.zero_grad(set_to_none=True)
        total.backward()
        model.calls.backwards += 1
        running = [running[place] for place in far]
        for picture in set(range(count)) - set(running):  # a zero gradient would still move it by Adam's momentum
            embeddings[picture].grad = None
            if pooled is not None:
                pooled[picture].grad = None
        adam.step()
        taken[running] += 1
    found = start.replace(
        embeddings=torch.cat(embeddings).detach(),
        pooled=None if pooled is None else torch.cat(pooled).detach(),
        texts=("",) * count,
    )
    return found, epsilon, distance, taken
