"""CRG's sampler with models whose answers are known: what it keeps, how often it asks, and that it ends the same."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from diffusion_refine.synthesis.crg.attention import AttentionSettings, Focus
from diffusion_refine.synthesis.crg.guidance import GuidanceSettings, windows_of
from diffusion_refine.synthesis.crg.method import JUMP, START, STEPS, TRAVELS
from diffusion_refine.synthesis.crg.sampling import (
    Calls,
    CrgSettings,
    Drawn,
    draw,
    expected_calls,
    literal,
    resynchronises,
)
from diffusion_refine.synthesis.crg.schedule import Schedule, trained_alpha_bars

SIDE, WHOLE = 16, 40
LEVELS = trained_alpha_bars()
SHORT = CrgSettings(schedule=Schedule(steps=50, start=10, jump=3, samples=2))


def epsilon_of(noisy: Tensor, clean: Tensor, timestep: int) -> Tensor:
    """The noise of x_t whose picture is known."""
    level = float(LEVELS[timestep])
    return (noisy - math.sqrt(level) * clean) / math.sqrt(1 - level)


def board(count: int = 2) -> Tensor:
    """Grey pictures with bright bars."""
    pictures = torch.full((count, 3, WHOLE, WHOLE), -0.2)
    pictures[:, :, ::8] = 0.6
    return pictures


class Remembers:
    """A model of good pictures that sees one it knows in whatever it is shown, the noise of a part left in it."""

    def __init__(self, known: Tensor, trust: float = 0.5) -> None:
        self.known, self.trust, self.asked = known, trust, 0

    def __call__(self, noisy: Tensor, timestep: int) -> Tensor:
        self.asked += 1
        seen = noisy / math.sqrt(float(LEVELS[timestep]))
        return epsilon_of(noisy, self.trust * self.known + (1 - self.trust) * seen, timestep)


class Blobs:
    """A model of defects: a dark blob for class 0, a bright one for class 1, in the window's middle."""

    def __init__(self, good: Tensor) -> None:
        self.good, self.asked = good, 0

    def __call__(self, noisy: Tensor, timestep: int, labels: Tensor) -> Tensor:
        self.asked += 1
        clean = self.good.clone()
        clean[:, :, 5:11, 5:11] = torch.where(labels == 0, -0.9, 0.95)[:, None, None, None]
        return epsilon_of(noisy, clean, timestep)


def made(settings: CrgSettings, labels: tuple[int, ...] = (0, 1), seed: int = 0) -> tuple[Drawn, Tensor, Tensor]:
    """What was drawn on two boards, these, and the corners of their windows, one at the border."""
    good = board(len(labels))
    corners = torch.tensor([[8, 12], [WHOLE - SIDE, 0]])[: len(labels)]
    focus = Focus(torch.zeros((len(labels), 2)), torch.full((len(labels), 2), 0.6))
    context, prior = Remembers(good), Blobs(windows_of(good, corners, SIDE))
    found = draw(
        context, prior, good, corners, torch.tensor(labels), focus, SIDE, settings,
        torch.Generator().manual_seed(seed),
    )  # fmt: skip
    assert found.calls == Calls(context.asked, prior.asked)
    return found, good, corners


@pytest.mark.parametrize("settings", [SHORT, replace(literal(), schedule=replace(SHORT.schedule, to_the_end=False))])
def test_the_defect_of_its_class_comes_to_lie_in_its_window_and_nowhere_else(settings: CrgSettings) -> None:
    found, good, corners = made(settings)
    windows = windows_of(found.pictures, corners, SIDE)
    dark, bright = (float(window[:, 6:10, 6:10].mean()) for window in windows)
    assert dark < -0.5
    assert bright > 0.5
    assert found.attention.shape == (2, 1, SIDE, SIDE)
    assert float(found.attention[:, :, 7:9, 7:9].min()) > 0.5
    assert float(found.attention[:, :, 0].max()) < 0.5
    changed = (found.pictures - good).abs().mean(dim=1, keepdim=True)
    for one, (top, left) in zip(changed, corners.tolist(), strict=True):
        one[:, top : top + SIDE, left : left + SIDE] = 0.0
    assert float(changed.mean()) < 0.1


def test_one_seed_gives_the_same_bytes_and_another_gives_others() -> None:
    first, again, other = (made(SHORT, seed=seed)[0] for seed in (3, 3, 4))
    assert torch.equal(first.pictures, again.pictures)
    assert torch.equal(first.attention, again.attention)
    assert not torch.equal(first.pictures, other.pictures)


@pytest.mark.parametrize(("jump", "samples"), [(3, 2), (10, 1)])
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_the_networks_are_asked_as_often_as_the_schedule_says(steps: int, jump: int, samples: int) -> None:
    schedule = replace(SHORT.schedule, jump=jump, samples=samples)
    settings = replace(SHORT, schedule=schedule, guidance=GuidanceSettings(steps=steps, rate=1e-6))
    least, most = expected_calls(settings)
    assert made(settings)[0].calls == least  # so short that no step is too long
    long = replace(settings, guidance=GuidanceSettings(steps=steps, rate=1e3, tries=3))
    least, most = expected_calls(long)
    found = made(long)[0].calls
    assert least.context <= found.context <= most.context
    assert found.prior == least.prior == most.prior


def test_the_published_schedule_asks_so_often() -> None:
    """73 visits of a timestep: 69 denoised from, 4 before time travel; a call and two steps each of the context.

    From timestep 0, where alone the prior begins again, nothing is denoised: it is not asked once more.
    """
    assert expected_calls(literal()) == (Calls(73 * 3, 73), Calls(73 * (1 + 2 * 12), 73))


def test_the_schedule_of_the_command_asks_so_often() -> None:
    """38 visits, and thrice the prior begins again from a level that is denoised from: what the page says."""
    settings = CrgSettings(schedule=Schedule(STEPS, START, JUMP, TRAVELS))
    assert expected_calls(settings)[0] == Calls(114, 41)


def test_the_prior_begins_again_where_it_is_told_to() -> None:
    """C15: the published condition holds at timestep 0 alone, the one that was surely meant at every tenth."""
    assert [step for step in range(31) if resynchronises(literal(), step)] == [0]
    assert [step for step in range(31) if resynchronises(CrgSettings(), step)] == [0, 10, 20, 30]


def test_without_attention_the_picture_comes_back_the_better_the_more_steps_are_taken() -> None:
    """All of the window is background, so that only the good picture is aimed at."""
    errors = []
    for steps in (0, 1, 4):
        guidance = GuidanceSettings(defect=0.0, steps=steps)
        found, good, _ = made(replace(SHORT, guidance=guidance, attention=AttentionSettings(reach=0.0)))
        errors.append(float((found.pictures - good).square().mean()))
    assert errors[0] > errors[1] > errors[2]


def test_parts_of_the_mechanism_can_be_left_out() -> None:
    whole = made(SHORT)[0].pictures
    for attention in (
        AttentionSettings(centre_weight=0.0),
        AttentionSettings(components=False),
        AttentionSettings(momentum=0.0),
        AttentionSettings(background=False),
    ):
        assert not torch.equal(made(replace(SHORT, attention=attention))[0].pictures, whole)
    assert not torch.equal(made(replace(SHORT, schedule=replace(SHORT.schedule, samples=1)))[0].pictures, whole)
