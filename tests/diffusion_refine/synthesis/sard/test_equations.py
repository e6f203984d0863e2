"""SARD's equations against diffusers' posterior, closed forms and gradients by hand."""

import math

import pytest
import torch
from diffusers import DDPMScheduler
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from diffusion_refine.synthesis.sard.discriminator import Discriminator, DiscriminatorShape, cells_of
from diffusion_refine.synthesis.sard.losses import (
    Reduction,
    ahead_loss,
    gradient_penalty,
    made_loss,
    real_loss,
    reconstruction_loss,
)
from diffusion_refine.synthesis.sard.readings import Background
from diffusion_refine.synthesis.sard.sampling import background_at, fused
from diffusion_refine.synthesis.sard.schedule import StepSchedule

SCHEDULE = StepSchedule()
EVERYONE = torch.ones(1, dtype=torch.bool)


def pictures(seed: int = 0, count: int = 2, side: int = 32) -> Tensor:
    return torch.randn((count, 3, side, side), generator=torch.Generator().manual_seed(seed))


def mask_of(count: int = 2, side: int = 32) -> Tensor:
    mask = torch.zeros((count, 1, side, side), dtype=torch.bool)
    mask[:, :, 5:12, 20:29] = True
    return mask


@pytest.mark.parametrize("steps", [1, 4, 9])
def test_the_posterior_is_that_of_diffusers(steps: int) -> None:
    """(1) to (3): `DDPMScheduler.step` of the same betas gives the same mean, and its variance is σ²."""
    schedule = StepSchedule(steps)
    theirs = DDPMScheduler(
        num_train_timesteps=steps,
        trained_betas=schedule.betas.numpy(),
        prediction_type="sample",
        clip_sample=False,
        variance_type="fixed_small",
    )
    noisy, clean = pictures(1), pictures(2)
    for timestep in range(1, steps + 1):
        ours = schedule.previous(noisy, clean, torch.zeros_like(noisy), timestep)
        torch.manual_seed(0)
        known = theirs.step(clean, timestep - 1, noisy)
        drawn = torch.zeros_like(noisy)
        if timestep > 1:
            torch.manual_seed(0)
            drawn = torch.randn(noisy.shape)
            assert float(schedule.posterior(timestep)[2]) == pytest.approx(
                float(theirs._get_variance(timestep - 1)), rel=1e-5
            )
        torch.testing.assert_close(ours + schedule.posterior(timestep)[2].sqrt().float() * drawn, known.prev_sample)


def test_the_levels_of_noise_are_those_of_the_continuous_process() -> None:
    """abar(t) = exp(-∫β), β rising from .1 to 20 over the time from .001 to 1."""
    start = 1e-3
    for number, found in enumerate(SCHEDULE.alpha_bars.tolist()):
        time = start + number / 4 * (1 - start)
        integral = 0.1 * (time - start) + (20 - 0.1) * (time**2 - start**2) / 2
        assert found == pytest.approx(math.exp(-integral), rel=1e-12)
    assert SCHEDULE.alpha_bars[0] == 1.0


def test_noise_added_step_by_step_has_the_variance_of_noise_added_at_once() -> None:
    level = torch.ones((), dtype=torch.float64)
    for beta in SCHEDULE.betas:
        level = level * (1 - beta)
    assert float(level) == pytest.approx(float(SCHEDULE.alpha_bars[-1]), rel=1e-12)


def test_the_last_step_gives_the_clean_picture_and_no_noise() -> None:
    clean = pictures(3)
    assert torch.equal(SCHEDULE.previous(pictures(4), clean, pictures(5), 1), clean)


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_what_is_outside_the_mask_keeps_every_bit(seed: int, timestep: int) -> None:
    """(6) leaves (1 - m); with m = 1 it is the denoising diffusion GAN's own step."""
    made, noisy, mask = pictures(seed), pictures(seed + 1), mask_of()
    step = fused(made, noisy, mask)
    outside = (~mask).expand_as(step)
    assert torch.equal(step[outside], noisy[outside])
    assert torch.equal(step[~outside], made[~outside])
    assert torch.equal(fused(made, noisy, torch.ones_like(mask)), made)


def test_the_forward_background_ends_as_the_picture_and_the_literal_one_as_noise() -> None:
    good, trajectory, noisy = pictures(6), pictures(7), pictures(8)
    assert torch.equal(background_at(SCHEDULE, good, trajectory, noisy, 1, Background.forward), good)
    assert torch.equal(background_at(SCHEDULE, good, trajectory, noisy, 1, Background.literal), noisy)
    between = background_at(SCHEDULE, good, trajectory, noisy, 3, Background.forward)
    torch.testing.assert_close(between, SCHEDULE.noisy(good, trajectory, 2))


@given(st.floats(-30, 30))
def test_the_losses_are_logarithms_of_one_and_an_exponential(logit: float) -> None:
    """φ(x) = ln(1 + eˣ), (3), (5) and (6)."""
    value = torch.tensor([logit], dtype=torch.float64)
    assert float(made_loss(value, EVERYONE)) == pytest.approx(math.log1p(math.exp(logit)), rel=1e-9)
    assert float(real_loss(value, EVERYONE)) == pytest.approx(math.log1p(math.exp(-logit)), rel=1e-9)


@given(st.floats(-20, 20), st.floats(-20, 20))
def test_a_pair_costs_minus_the_log_of_the_chance_that_it_is_ranked_right(real: float, made: float) -> None:
    """A logistic model of which of two is real [Jolicoeur-Martineau 2019]; what both share has no say."""
    ahead, behind = (torch.tensor([value], dtype=torch.float64) for value in (real, made))
    chance = math.exp(real) / (math.exp(real) + math.exp(made))
    assert float(ahead_loss(ahead, behind, EVERYONE)) == pytest.approx(-math.log(chance), rel=1e-9, abs=1e-12)
    assert float(ahead_loss(ahead + 3, behind + 3, EVERYONE)) == pytest.approx(-math.log(chance), rel=1e-9, abs=1e-12)


def test_pictures_without_a_mask_do_not_count() -> None:
    logits, counted = torch.tensor([1.0, 500.0]), torch.tensor([True, False])
    assert float(made_loss(logits, counted)) == pytest.approx(math.log1p(math.e))
    assert float(made_loss(logits, ~counted & False)) == 0.0


def test_the_reconstruction_loss_weights_what_is_outside() -> None:
    made, clean, mask = pictures(9), pictures(10), mask_of()
    squares = (made - clean).square()
    plain = torch.nn.functional.mse_loss(made, clean)
    torch.testing.assert_close(reconstruction_loss(made, clean, mask, 1.0, Reduction.mean), plain)
    inside = float((squares * mask).sum() / squares.numel())
    found = float(reconstruction_loss(made, clean, mask, 0.1, Reduction.mean))
    assert found == pytest.approx(inside + 0.1 * (float(plain) - inside), rel=1e-5)
    summed = float(reconstruction_loss(made, clean, mask, 0.1, Reduction.sum))
    assert summed == pytest.approx(found * squares[0].numel(), rel=1e-5)


def test_the_gradient_penalty_of_a_linear_critic_is_its_weights_norm() -> None:
    """R1: the slope of wᵀx is w in every picture."""
    weights = torch.linspace(-1, 1, 3 * 8 * 8).reshape(3, 8, 8)
    real = pictures(11, side=8).requires_grad_()
    found = gradient_penalty((real * weights).sum(dim=(1, 2, 3)), real, gamma=3.0)
    assert float(found) == pytest.approx(1.5 * float(weights.square().sum()), rel=1e-5)


def test_a_mask_of_one_pixel_survives_on_the_coarse_grid() -> None:
    for row, column in ((0, 0), (31, 31), (7, 8)):
        mask = torch.zeros((1, 1, 32, 32), dtype=torch.bool)
        mask[0, 0, row, column] = True
        cells = cells_of(mask, (8, 8))
        assert cells.sum() == 1
        assert cells[0, 0, row // 4, column // 4]


class TestForegroundBranch:
    shape = DiscriminatorShape(channels=(8, 12, 16, 16), foreground=2, embedding=16)

    @pytest.fixture
    def critic(self) -> Discriminator:
        torch.manual_seed(0)
        return Discriminator(self.shape, labels=3)

    def test_it_sees_nothing_outside_the_masks_cells(self, critic: Discriminator) -> None:
        """(2): the gradient with respect to features outside Up(m) is exactly 0."""
        features = torch.randn((2, 16, 8, 8), requires_grad=True)
        cells = cells_of(mask_of(), (8, 8))
        critic.of_cells(features, cells).sum().backward()
        assert features.grad is not None
        outside = (~cells).expand_as(features)
        assert torch.count_nonzero(features.grad[outside]) == 0
        assert torch.count_nonzero(features.grad[~outside]) > 0

    def test_an_empty_mask_gives_a_constant(self, critic: Discriminator) -> None:
        nothing = torch.zeros((2, 1, 32, 32), dtype=torch.bool)
        times, labels = torch.tensor([1, 4]), torch.tensor([0, 2])
        for seed in range(3):
            _, foreground = critic(pictures(seed), pictures(seed + 9), times, labels, nothing)
            assert torch.equal(foreground, torch.zeros(2))

    def test_the_mask_does_not_change_what_the_whole_picture_is_found_to_be(self, critic: Discriminator) -> None:
        times, labels = torch.tensor([2, 3]), torch.tensor([1, 2])
        found = [critic(pictures(1), pictures(2), times, labels, mask)[0] for mask in (mask_of(), ~mask_of())]
        assert torch.equal(*found)

    def test_its_verdict_is_the_mean_over_the_cells_not_the_sum(self, critic: Discriminator) -> None:
        nn.init.zeros_(critic.foreground[0].weight)
        nn.init.ones_(critic.foreground[0].bias)
        nn.init.ones_(critic.foreground[2].weight)
        nn.init.zeros_(critic.foreground[2].bias)
        small, large = (torch.zeros((1, 1, 8, 8), dtype=torch.bool) for _ in range(2))
        small[..., :1, :1], large[..., :6, :6] = True, True
        features = torch.randn((1, 16, 8, 8))
        assert float(critic.of_cells(features, small).detach()) == pytest.approx(16.0)
        assert float(critic.of_cells(features, large).detach()) == pytest.approx(16.0)
