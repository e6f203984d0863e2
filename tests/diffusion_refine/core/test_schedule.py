"""Noise levels and steps against closed forms in double precision."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler

from diffusion_refine.core.schedule import Schedule
from procgen.errors import BlemishError

PUBLISHED = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}


def model_with(scheduler):
    return SimpleNamespace(pipeline=SimpleNamespace(scheduler=scheduler), name="a model")


def schedule(steps=50, **options):
    return Schedule(model_with(DDIMScheduler(**(PUBLISHED | options))), steps)


def latents(count=2, seed=0):
    return torch.randn(count, 4, 3, 3, generator=torch.Generator().manual_seed(seed))


def levels_by_numpy():
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    return np.cumprod(1 - betas)


def test_levels_are_the_published_ones():
    found = schedule()
    alphas = levels_by_numpy()
    assert found.timesteps.tolist() == list(range(981, 0, -20))
    for index, timestep in enumerate(range(981, 0, -20)):
        now, then = found.levels(index)
        assert now == pytest.approx(alphas[timestep], rel=1e-4)
        assert then == pytest.approx(alphas[max(timestep - 20, 0)], rel=1e-4)


def test_a_schedule_that_clips_and_ends_at_one_is_neither():
    found = schedule(clip_sample=True, set_alpha_to_one=True)
    assert found.levels(49)[1] < 1
    z = 10 * latents()
    assert torch.equal(found.step(z, latents(seed=1), 30), schedule(clip_sample=False).step(z, latents(seed=1), 30))


@pytest.mark.parametrize("index", [0, 25, 49])
def test_a_step_is_the_closed_form_and_can_be_undone(index):
    found, alphas = schedule(), levels_by_numpy()
    z, epsilon = latents(), latents(seed=1)
    timestep = int(found.timesteps[index])
    now, then = alphas[timestep], alphas[max(timestep - 20, 0)]
    clean = (z - (1 - now) ** 0.5 * epsilon) / now**0.5
    wanted = then**0.5 * clean + (1 - then) ** 0.5 * epsilon
    assert torch.allclose(found.step(z, epsilon, index), wanted.float(), atol=1e-4)
    assert torch.allclose(found.step_back(found.step(z, epsilon, index), epsilon, index), z, atol=1e-5)
    kept, added = found.coefficients(index)
    assert torch.allclose(kept * z + added * epsilon, found.step(z, epsilon, index), atol=1e-5)


@pytest.mark.parametrize("index", [0, 25, 49])
def test_the_required_noise_leads_where_it_should(index):
    found = schedule()
    z, wanted = latents(), latents(seed=2)
    assert torch.allclose(found.step(z, found.required_noise(z, wanted, index), index), wanted, atol=1e-5)


def test_other_samplers_give_their_noise_levels():
    euler = EulerDiscreteScheduler(**PUBLISHED, timestep_spacing="leading")
    assert Schedule(model_with(euler)).levels(7) == schedule().levels(7)
    linspace = EulerDiscreteScheduler(**PUBLISHED, timestep_spacing="linspace")
    assert Schedule(model_with(linspace)).timesteps.tolist() == schedule().timesteps.tolist()


@pytest.mark.parametrize("steps", [0, 1001])
def test_steps_that_the_model_has_not_are_refused(steps):
    with pytest.raises(BlemishError, match="allows 1 to 1000"):
        schedule(steps)


def test_a_level_without_signal_is_refused():
    with pytest.raises(BlemishError, match="keeps no signal"):
        schedule(timestep_spacing="trailing", rescale_betas_zero_snr=True)
