"""The noise levels of T steps, and the deterministic step (DDIM) between neighbours in either direction."""

from __future__ import annotations

from typing import Any

from diffusers import DDIMInverseScheduler, DDIMScheduler
from torch import Tensor

from diffusion_refine.core.models import Model
from procgen.errors import BlemishError

STEPS = 50  # [Jo 2025], appendix A
SMALLEST_LEVEL = 1e-6  # below it, a latent holds nothing of the picture that could be brought back


class Schedule:
    """T steps of the model's own noise schedule, neither clipped nor ended at α = 1, so that they can be undone.

    Step `index` of denoising, 0 to T - 1, brings latents from timestep `timesteps[index]` to the next cleaner level;
    `step_back` of the same index undoes it. Every prediction is of the noise ε: `Model.noise` converts velocities.

    Raises:
        BlemishError: a number of steps that the model's schedule has not, or one that begins without any signal.
    """

    def __init__(self, model: Model, steps: int = STEPS) -> None:
        config = model.pipeline.scheduler.config
        trained = config.num_train_timesteps
        if not 1 <= steps <= trained:
            raise BlemishError(f"{steps} steps: {model.name} allows 1 to {trained}; {STEPS} are usual")
        spacing = config.get("timestep_spacing")
        options: dict[str, Any] = {
            "clip_sample": False,
            "set_alpha_to_one": False,
            "prediction_type": "epsilon",
            "timestep_spacing": spacing if spacing in ("leading", "trailing") else "leading",
        }
        known = {name: config[name] for name in SHARED if name in config}
        self._denoise, self._noise = DDIMScheduler(**known, **options), DDIMInverseScheduler(**known, **options)
        self._denoise.set_timesteps(steps)
        self._noise.set_timesteps(steps)
        self.steps = steps
        self.timesteps: Tensor = self._denoise.timesteps  # descending, int64
        if self.alpha(self.timesteps[0]) < SMALLEST_LEVEL:
            raise BlemishError(
                f"{model.name}: its noisiest timestep {int(self.timesteps[0])} keeps no signal and cannot be undone; "
                'set timestep_spacing to "leading" in its scheduler_config.json'
            )

    def __len__(self) -> int:
        return self.steps

    def alpha(self, timestep: Tensor | int) -> float:
        """Share of the picture's variance in latents of a timestep, ᾱ; of the cleanest level for negative ones."""
        return float(self._denoise.alphas_cumprod[max(int(timestep), 0)])

    def levels(self, index: int) -> tuple[float, float]:
        """ᾱ before and after step `index` of denoising."""
        timestep = int(self.timesteps[index])
        return self.alpha(timestep), self.alpha(timestep - self._denoise.config.num_train_timesteps // self.steps)

    def step(self, latents: Tensor, epsilon: Tensor, index: int) -> Tensor:
        """Latents one step cleaner."""
        cleaner: Tensor = self._denoise.step(epsilon, self.timesteps[index], latents, return_dict=False)[0]
        return cleaner

    def step_back(self, latents: Tensor, epsilon: Tensor, index: int) -> Tensor:
        """Latents one step noisier: `step(step_back(z, ε, index), ε, index)` is z."""
        noisier: Tensor = self._noise.step(epsilon, int(self.timesteps[index]), latents, return_dict=False)[0]
        return noisier

    def coefficients(self, index: int) -> tuple[float, float]:
        """a and b of step `index`, which is z ↦ a·z + b·ε."""
        now, then = self.levels(index)
        ratio = (then / now) ** 0.5
        return ratio, (1 - then) ** 0.5 - ratio * (1 - now) ** 0.5

    def required_noise(self, noisy: Tensor, cleaner: Tensor, index: int) -> Tensor:
        """The ε with which step `index` brings `noisy` to `cleaner` exactly."""
        kept, added = self.coefficients(index)
        return (cleaner - kept * noisy) / added


# What the schedulers of diffusers say in the same words.
SHARED = (
    "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "steps_offset",
    "rescale_betas_zero_snr",
)  # fmt: skip
