"""Inversion against the exact solution for pictures that are normally distributed, and the cost of a step too late."""

from math import log10
from types import SimpleNamespace

import torch
from diffusers import DDIMScheduler

from diffusion_refine.core.schedule import Schedule
from diffusion_refine.inversion.ddim import Trajectory, invert

MEAN, DEVIATION = 0.7, 0.5


class NormalPictures:
    """Stands in for a model of latents that are normal with MEAN and DEVIATION: its noise is known exactly."""

    name = "normal pictures"

    def __init__(self):
        scheduler = DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, set_alpha_to_one=False
        )
        self.pipeline = SimpleNamespace(scheduler=scheduler)
        self.alphas = scheduler.alphas_cumprod.double()

    def noise(self, latents, timestep, prompt):
        alpha = float(self.alphas[int(timestep)])
        variance = alpha * DEVIATION**2 + 1 - alpha
        return (1 - alpha) ** 0.5 * (latents - alpha**0.5 * MEAN) / variance

    def exactly(self, clean, alpha):
        """Latents at the noise level ᾱ on the deterministic flow from clean ones at the cleanest level."""

        def spread(level):
            return (level * DEVIATION**2 + 1 - level) ** 0.5

        begin = float(self.alphas[0])
        return alpha**0.5 * MEAN + spread(alpha) / spread(begin) * (clean - begin**0.5 * MEAN)


def pictures():
    return MEAN + DEVIATION * torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))


def denoised(model, schedule, latents):
    for index in range(schedule.steps):
        latents = schedule.step(latents, model.noise(latents, schedule.timesteps[index], None), index)
    return latents


def a_step_too_late(model, latents, schedule):
    """Inversion as some published code has it: latents are taken for one step noisier than they are.

    The first step takes clean latents for those of the cleanest timestep, every next one follows on, and the last one
    ends a step beyond the noisiest level.
    """
    spacing = 1000 // schedule.steps
    for index in reversed(range(schedule.steps)):
        timestep = int(schedule.timesteps[index])
        now, then = schedule.alpha(timestep), schedule.alpha(min(timestep + spacing, 999))
        epsilon = model.noise(latents, timestep, None)
        ratio = (then / now) ** 0.5
        latents = ratio * latents + ((1 - then) ** 0.5 - ratio * (1 - now) ** 0.5) * epsilon
    return latents


def root_mean_square(tensor):
    return float(tensor.square().mean().sqrt())


def test_inversion_follows_the_exact_flow_the_closer_the_more_steps():
    model, clean = NormalPictures(), pictures()
    errors = {}
    for steps in (25, 50, 200):
        schedule = Schedule(model, steps)
        found = invert(model, clean, None, schedule)
        errors[steps] = root_mean_square(found.noisiest - model.exactly(clean, schedule.levels(0)[0]))
    assert errors[50] < 0.06
    assert errors[50] < 0.6 * errors[25]  # an error of first order in the step
    assert errors[200] < 0.35 * errors[50]


def test_inversion_goes_where_denoising_will_come_from():
    model, schedule, clean = NormalPictures(), Schedule(NormalPictures(), 50), pictures()
    found = invert(model, clean, None, schedule)
    assert root_mean_square(denoised(model, schedule, found.noisiest) - clean) < 0.04


def test_a_step_too_late_costs_decibels():
    """4 dB in the latents of this model, whose noise is exact; the peak cancels out."""
    model, schedule, clean = NormalPictures(), Schedule(NormalPictures(), 50), pictures()
    right = root_mean_square(denoised(model, schedule, invert(model, clean, None, schedule).noisiest) - clean)
    late = root_mean_square(denoised(model, schedule, a_step_too_late(model, clean, schedule)) - clean)
    assert 3 < 20 * log10(late / right) < 6


def test_a_trajectory_is_read_from_either_end():
    states = torch.arange(6.0).reshape(3, 2, 1, 1, 1)
    found = Trajectory(states)
    assert len(found) == 2
    assert torch.equal(found.clean, states[0])
    assert torch.equal(found.before(0), found.noisiest)
    assert torch.equal(found.after(0), found.before(1))
    assert torch.equal(found.after(1), found.clean)
    assert torch.equal(found[-1].latents, states[:, 1:])
