"""Training SARD: generator and discriminator in turns ([Wang 2025], III-B and IV-A).

One draw of x_{t-1}, x_t and z serves both turns of a step: the discriminator learns from what the generator made, then
the generator from the discriminator that this left. What the paper leaves silent is as in denoising diffusion GANs
[Xiao 2022], and the defaults are its values where it has some.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import lr_scheduler

from diffusion_refine.core.models import device_of_choice
from diffusion_refine.synthesis.sard.contrast import unit_of
from diffusion_refine.synthesis.sard.discriminator import Discriminator, DiscriminatorShape
from diffusion_refine.synthesis.sard.losses import (
    Reduction,
    ahead_loss,
    gradient_penalty,
    made_loss,
    real_loss,
    reconstruction_loss,
)
from diffusion_refine.synthesis.sard.model import save_model
from diffusion_refine.synthesis.sard.network import Conditions, GeneratorNetwork, NetworkShape
from diffusion_refine.synthesis.sard.pairs import LabelledPicture, Pairs, draw_pairs
from diffusion_refine.synthesis.sard.readings import Background, Comparison
from diffusion_refine.synthesis.sard.sampling import fused
from diffusion_refine.synthesis.sard.schedule import StepSchedule
from diffusion_refine.training.crops import crops_of
from diffusion_refine.training.loop import GradientDescent, TrainingLoop
from diffusion_refine.training.model_shapes import random_start
from scenes.datasets.lock import locked
from scenes.jobs.progress import Progress

STATE = "training"
PAIRS_A_PICTURE = 32
LAST_RATE = 1e-5  # that the cosine ends at [Xiao 2022]
BETAS = (0.5, 0.9)
PAPERS_BATCH = 4  # for which its rates are; those of other batches grow with the root
COLUMNS = ("discriminator", "foreground", "generator", "mask", "error", "penalty")


@dataclass(frozen=True)
class SardSettings:
    """What a training follows from, beside its pictures.

    regions: region-constrained diffusion; mask_guidance: discriminative mask guidance; without both it is a denoising
    diffusion GAN. generator_rate, discriminator_rate: at a batch of 4. foreground: λ of (3). image_weight, mask_weight,
    error_weight: λ_img, λ_mask, α of (4). outside: β of L_MSE. comparison: paired, though the paper judges real and
    made pictures apart. penalty: γ of R1, every `penalty_every` steps. warm_up: share of the steps before the networks
    answer to each other: in three quarters of it the generator learns from α L_MSE alone, in the last one the
    discriminator, of a generator that stands still. answering_rate: what of its rate is left to the generator when it
    answers, so that the discriminator keeps up; without a warm-up it begins with all of it. pairs: crops to learn from;
    32 a picture where None.
    """

    steps: int = 20_000
    batch: int = 4
    generator_rate: float = 1.6e-4
    discriminator_rate: float = 1.0e-4
    average: float = 0.999
    regions: bool = True
    mask_guidance: bool = True
    background: Background = Background.forward
    reduction: Reduction = Reduction.mean
    comparison: Comparison = Comparison.paired
    foreground: float = 0.2
    image_weight: float = 1.0
    mask_weight: float = 1.0
    error_weight: float = 1.0
    outside: float = 0.1
    penalty: float = 0.05
    penalty_every: int = 10
    warm_up: float = 0.2
    answering_rate: float = 0.25
    pairs: int | None = None
    seed: int = 0
    every: int = 200  # steps between checkpoints
    half: bool = False  # bfloat16 where it suffices
    network: NetworkShape = field(default_factory=NetworkShape)
    discriminator: DiscriminatorShape = field(default_factory=DiscriminatorShape)
    schedule: StepSchedule = field(default_factory=StepSchedule)

    @property
    def first_judged(self) -> int:
        """The step from which on the discriminator learns."""
        return round(0.75 * self.warm_up * self.steps)

    @property
    def first_answering(self) -> int:
        """The step from which on the generator learns from the discriminator."""
        return round(self.warm_up * self.steps)

    def turns(self, step: int) -> tuple[bool, bool]:
        """Whether the discriminator and whether the generator learns in a step, the first being 0."""
        return step >= self.first_judged, not self.first_judged <= step < self.first_answering

    @property
    def held(self) -> Background | None:
        """What is held outside the mask between the steps."""
        return self.background if self.regions else None


class SardTraining:
    """Both networks, their optimisers, and one step of both."""

    def __init__(self, settings: SardSettings, labels: int, surfaces: int, device: str = "cpu") -> None:
        self.settings = settings
        with random_start(settings.seed):
            self.network = GeneratorNetwork(settings.network, labels, surfaces)
            self.discriminator = Discriminator(settings.discriminator, labels)
        parts: tuple[Any, Any] = self.network, self.discriminator
        for part in parts:
            part.to(device, memory_format=torch.channels_last)  # what processors' and cards' bfloat16 units want
        alone, judged = settings.first_judged, settings.steps - settings.first_judged
        self.generator_descent = self._descent(
            self.network,
            settings.generator_rate,
            [(alone, 1.0), (settings.steps - settings.first_answering, settings.answering_rate if alone else 1.0)],
            settings.average,
        )
        self.discriminator_descent = self._descent(
            self.discriminator, settings.discriminator_rate, [(judged, 1.0)], None
        )
        self.steps_taken = 0

    def _descent(
        self, network: torch.nn.Module, papers_rate: float, stretches: list[tuple[int, float]], average: float | None
    ) -> GradientDescent:
        """stretches: steps, and the share of the rate that they begin with; it falls to that of the next."""
        settings = self.settings
        rate = papers_rate * math.sqrt(settings.batch / PAPERS_BATCH)
        last = min(LAST_RATE / rate, 1.0)

        def share(step: int) -> float:
            return falling_in_stretches(step, stretches, last)

        return GradientDescent(
            network.parameters(),
            rate,
            settings.steps,
            weight_decay=0.0,
            betas=BETAS,
            schedule=lambda optimizer: lr_scheduler.LambdaLR(optimizer, share),
            longest_average=average,
            largest_gradient=math.inf,
        )

    def step(self, clean: Tensor, mask: Tensor, conditions: Conditions, rng: torch.Generator) -> tuple[Tensor, ...]:
        """The turns of a step on pictures (B, 3, S, S) in [-1, 1] with mask (B, 1, S, S) of bool; what COLUMNS name."""
        settings, schedule = self.settings, self.settings.schedule
        clean = unit_of(clean, mask, settings.network.contrast).measured(clean)
        device = clean.device
        timestep = torch.randint(1, schedule.steps + 1, (len(clean),), generator=rng)
        own = rng if device.type == "cpu" else torch.Generator(device).manual_seed(drawn_seed(rng))

        def gaussian(*shape: int) -> Tensor:
            return torch.randn(shape, generator=own, device=device)

        real = schedule.noisy(clean, gaussian(*clean.shape), timestep - 1)
        noisy = schedule.noisier(real, gaussian(*clean.shape), timestep)
        latent, last_noise = gaussian(len(clean), settings.network.latent), gaussian(*clean.shape)
        told = timestep.to(device, non_blocking=True)
        counted = mask.flatten(1).any(dim=1)
        judges, moves = settings.turns(self.steps_taken)
        nothing = clean.new_zeros(())
        judged, penalty, whole, masked = (nothing, nothing), nothing, nothing, nothing
        half = torch.autocast(device.type, torch.bfloat16, enabled=settings.half)
        with half, torch.set_grad_enabled(moves):
            found = self.network(noisy, told, latent, conditions, mask).float()
            made = schedule.previous(noisy, found, last_noise, timestep)
            if settings.regions:
                made = fused(made, noisy if settings.background is Background.literal else real, mask)
            error = reconstruction_loss(found, clean, mask, settings.outside, settings.reduction)
        if judges:
            with half:
                judged = self._judge(real, made.detach(), noisy, told, conditions, mask, counted)
            if self.steps_taken % settings.penalty_every == 0 and settings.penalty > 0:
                penalty = self._penalty(real, noisy, told, conditions, mask)
            self.discriminator_descent.descend(judged[0] + settings.foreground * judged[1] + penalty)
        if judges and moves:
            self.discriminator.requires_grad_(False)
            with half:
                on_made = self.discriminator(made, noisy, told, conditions.labels, mask)
                on_real = self._beside(real, noisy, told, conditions, mask)
            self.discriminator.requires_grad_(True)
            whole = self._convinced(on_made[0], on_real[0], torch.ones_like(counted))
            masked = self._convinced(on_made[1], on_real[1], counted) if settings.mask_guidance else nothing
        if moves:
            self.generator_descent.descend(
                settings.image_weight * whole + settings.mask_weight * masked + settings.error_weight * error
            )
        self.steps_taken += 1
        return tuple(value.detach() for value in (*judged, whole, masked, error, penalty))

    def _judge(
        self,
        real: Tensor,
        made: Tensor,
        noisy: Tensor,
        timestep: Tensor,
        conditions: Conditions,
        mask: Tensor,
        counted: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """(3), without λ: what the discriminator's two branches lose, the second being 0 without mask guidance."""
        everyone = torch.ones_like(counted)
        of_real = self.discriminator(real, noisy, timestep, conditions.labels, mask)
        of_made = self.discriminator(made, noisy, timestep, conditions.labels, mask)
        whole = self._told_apart(of_real[0], of_made[0], everyone)
        if not self.settings.mask_guidance:
            return whole, real.new_zeros(())
        return whole, self._told_apart(of_real[1], of_made[1], counted)

    def _told_apart(self, of_real: Tensor, of_made: Tensor, counted: Tensor) -> Tensor:
        """What one branch of the discriminator loses."""
        if self.settings.comparison is Comparison.paired:
            return ahead_loss(of_real, of_made, counted)
        return real_loss(of_real, counted) + made_loss(of_made, counted)

    def _convinced(self, of_made: Tensor, of_real: Tensor, counted: Tensor) -> Tensor:
        """What the generator loses by one branch."""
        if self.settings.comparison is Comparison.paired:
            return ahead_loss(of_made, of_real, counted)
        return real_loss(of_made, counted)

    @torch.no_grad()
    def _beside(
        self, real: Tensor, noisy: Tensor, timestep: Tensor, conditions: Conditions, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The verdicts of the real pictures, which the generator's are held against where pairs are compared."""
        if self.settings.comparison is Comparison.separate:
            nothing = real.new_zeros(len(real))
            return nothing, nothing
        found: tuple[Tensor, Tensor] = self.discriminator(real, noisy, timestep, conditions.labels, mask)
        return found

    def _penalty(self, real: Tensor, noisy: Tensor, timestep: Tensor, conditions: Conditions, mask: Tensor) -> Tensor:
        """R1 of the whole picture's branch, in single precision."""
        real = real.detach().requires_grad_()
        logits, _ = self.discriminator(real, noisy, timestep, conditions.labels, mask)
        return gradient_penalty(logits, real, self.settings.penalty)

    def state_dict(self) -> dict[str, int]:
        return {"steps": self.steps_taken}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.steps_taken = state_dict["steps"]


def train_sard(
    pictures: Sequence[LabelledPicture],
    out: Path,
    settings: SardSettings = SardSettings(),
    device: str | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Path:
    """Train, or go on with the training in `out`; the folder is then one that `load_sard` reads.

    Stopped at any moment and begun again with the same arguments, it ends with the same bytes. Raises CheckpointError
    for a folder that holds another training; DatasetError for one that cannot be written, or that is being written.
    """
    device = device_of_choice(device)
    with locked(out):
        count = settings.pairs or crops_of(len(pictures), PAIRS_A_PICTURE)
        pairs = draw_pairs(
            pictures, count, settings.network.size, settings.seed, on_pair=lambda done: progress("pairs", done, count)
        ).on(device)
        training = SardTraining(settings, len(pairs.label_names), len(pairs.surface_names), device)
        written = {
            **asdict(settings),
            "labels": pairs.label_names,
            "surfaces": pairs.surface_names,
            "pictures": len(pictures),
        }
        (out / STATE).mkdir(exist_ok=True)
        loop = TrainingLoop(
            "sard",
            out / STATE,
            settings.steps,
            settings.seed,
            written,
            dict.fromkeys(COLUMNS, float),
            settings.every,
            lambda done: progress("training", done, settings.steps),
        )

        def advance(rng: torch.Generator) -> tuple[Tensor, ...]:
            return training.step(*_batch(pairs, settings.batch, rng), rng)

        loop.run(
            advance,
            {
                "generator": training.generator_descent,
                "discriminator": training.discriminator_descent,
                "training": training,
            },
        )
        training.generator_descent.use_average()
        save_model(
            training.network, settings.schedule, pairs.label_names, pairs.surface_names, settings.held, written, out
        )
    return out


def falling_in_stretches(step: int, stretches: Sequence[tuple[int, float]], last: float) -> float:
    """A rate that falls along a cosine from the beginning of one stretch (steps, value) to that of the next."""
    ends = [value for _, value in stretches[1:]] + [last]
    for (steps, value), end in zip(stretches, ends, strict=True):
        if step < steps:
            return end + (value - end) * (1.0 + math.cos(math.pi * step / steps)) / 2.0
        step -= steps
    return last


def drawn_seed(rng: torch.Generator) -> int:
    """A seed for a generator on another device, from one on the processor."""
    return int(torch.randint(2**62, (), generator=rng))


def _batch(pairs: Pairs, size: int, rng: torch.Generator) -> tuple[Tensor, Tensor, Conditions]:
    chosen = torch.randint(len(pairs), (size,), generator=rng).to(pairs.images.device, non_blocking=True)
    images = pairs.images[chosen].float() / 127.5 - 1.0
    images = images.contiguous(memory_format=torch.channels_last)
    return images, pairs.masks[chosen], Conditions(pairs.labels[chosen], pairs.surfaces[chosen])
