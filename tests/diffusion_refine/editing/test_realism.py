"""Partial noising under a region schedule: what may change changes, and nothing else does by a single bit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from numpy.typing import NDArray

from diffusion_refine.core.models import Model
from diffusion_refine.core.schedule import Schedule
from diffusion_refine.editing.pixels import colour, composited
from diffusion_refine.editing.realism import (
    Batched,
    RealismSettings,
    Regions,
    realistic,
    share_map,
    strength_map,
    together,
    windows_for,
)
from diffusion_refine.editing.windows import Window
from procgen.errors import BlemishError

QUICK = RealismSettings(defect=0.6, steps=5)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scene(shape: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    picture = np.random.default_rng(0).uniform(0.3, 0.6, (*shape, 3))
    mask = np.zeros(shape, bool)
    mask[shape[0] // 2 : shape[0] // 2 + 9, shape[1] // 3 : shape[1] // 3 + 12] = True
    return picture, mask


def run(model: Model, picture: NDArray, mask: NDArray, settings: RealismSettings, seed: int = 0) -> NDArray[np.float64]:
    windows = windows_for(mask, settings, model)
    prompts = ["photo of a crack defect"] * len(windows)
    return realistic(model, picture, strength_map(mask, settings), windows, prompts, settings, generator(seed))


@pytest.mark.parametrize("family", ["sd15", "sd21", "sdxl"])
@pytest.mark.parametrize("shape", [(50, 40), (97, 131)])
def test_frames_of_any_size_change_in_the_mask_and_the_same_seed_gives_the_same(
    tiny_model: Callable[..., Model], family: str, shape: tuple[int, int]
) -> None:
    model = tiny_model(family)
    picture, mask = scene(shape)
    change = run(model, picture, mask, QUICK)
    assert change.shape == (*shape, 3)
    assert np.isfinite(change).all()
    assert np.abs(change[mask]).max() > 1e-4
    np.testing.assert_array_equal(change, run(model, picture, mask, QUICK))
    assert np.abs(change - run(model, picture, mask, QUICK, seed=1)).max() > 1e-4


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_pixels_beyond_the_band_keep_every_bit(
    tiny_model: Callable[..., Model], dtype: type, channels: tuple[int, ...]
) -> None:
    most = np.iinfo(dtype).max
    pixels = np.random.default_rng(1).integers(most // 4, most // 2, (97, 131, *channels)).astype(dtype)
    _, mask = scene((97, 131))
    change = run(tiny_model("sd15"), colour(pixels), mask, QUICK)
    share = share_map(mask, QUICK)
    result = composited(pixels, change, share)
    assert result.dtype == dtype
    assert result.shape == pixels.shape
    rows, columns = np.nonzero(mask)
    box = np.zeros_like(mask)
    reach = QUICK.band
    box[rows.min() - reach : rows.max() + reach + 1, columns.min() - reach : columns.max() + reach + 1] = True
    np.testing.assert_array_equal(result[~box], pixels[~box])
    assert (result[mask] != pixels[mask]).any()


def test_no_strength_changes_nothing_at_all(tiny_model: Callable[..., Model]) -> None:
    picture, mask = scene((64, 64))
    model = tiny_model("sd15")
    change = run(model, picture, mask, RealismSettings(defect=0.0, steps=5))
    assert not change.any()
    assert model.calls.forwards == 0


def test_texels_of_no_strength_are_the_pictures_own_at_the_end(tiny_model: Callable[..., Model]) -> None:
    """Of latents, for a decoder's attention reaches everywhere."""
    model = tiny_model("sd15")
    schedule = Schedule(model, 5)
    latents = torch.randn((1, 4, 8, 8), generator=generator())
    turns = torch.zeros(8, 8)
    turns[2:4, 2:4], turns[6, 6] = 3, 1
    noise = torch.randn((4, 8, 8), generator=generator(1))
    regions = Regions(schedule, (Window(0, 0, 8),), latents, noise, turns)
    foreign = torch.full((1, 4, 8, 8), 9.0)
    free = [regions(foreign, index, 5)[0, 0] == 9.0 for index in range(5)]
    assert not free[0].any()
    assert not free[1].any()
    for index in (2, 3):
        assert torch.equal(free[index], turns == 3)
    assert torch.equal(free[4], turns >= 1)
    kept = regions(foreign, 4, 5)[0]
    assert torch.equal(kept[:, turns == 0], latents[0][:, turns == 0])
    level = schedule.levels(2)[1]
    expected = level**0.5 * latents[0] + (1 - level) ** 0.5 * noise
    assert torch.allclose(regions(foreign, 2, 5)[0][:, turns < 3], expected[:, turns < 3])


def test_full_strength_everywhere_is_the_plain_sampler(tiny_model: Callable[..., Model]) -> None:
    """Beside a loop of its own on diffusers' scheduler, for one window that is the whole frame."""
    model = tiny_model("sd15")
    settings = RealismSettings(defect=1.0, background=1.0, steps=4, guidance_scale=3.0, alpha=0.0)
    picture, mask = scene((64, 64))
    change = run(model, picture, mask, settings, seed=5)
    images = torch.from_numpy(picture).float().permute(2, 0, 1)[None]
    clean = model.encode(images)
    noise = torch.randn((4, 8, 8), generator=generator(5))[None]
    scheduler = DDIMScheduler.from_config(
        model.pipeline.scheduler.config, clip_sample=False, set_alpha_to_one=False, timestep_spacing="leading"
    )
    scheduler.set_timesteps(4)
    latents = scheduler.add_noise(clean, noise, scheduler.timesteps[:1])
    prompt, null = (model.encode_prompt([text]) for text in ("photo of a crack defect", ""))
    with torch.no_grad():
        for timestep in scheduler.timesteps:
            conditional, unconditional = (
                model.unet(latents, timestep, encoder_hidden_states=p.embeddings).sample for p in (prompt, null)
            )
            epsilon = unconditional + 3.0 * (conditional - unconditional)
            latents = scheduler.step(epsilon, timestep, latents).prev_sample
    expected = (model.decode(latents) - model.decode(clean))[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(change, expected, atol=2e-4)


def test_processors_are_restored_and_batches_do_not_matter(tiny_model: Callable[..., Model]) -> None:
    model = tiny_model("sd15")
    before = dict(model.unet.attn_processors)
    picture, mask = scene((97, 131))
    run(model, picture, mask, QUICK)
    assert model.unet.attn_processors == before
    latents = torch.randn((5, 4, 8, 8), generator=generator())
    prompt = model.encode_prompt(["photo of a crack defect", "", "scratch", "dent", "hole"])
    with torch.no_grad():
        whole = model.noise(latents, 300, prompt)
        split = Batched(model, 2).noise(latents, 300, prompt)
    assert torch.allclose(whole, split, atol=1e-5)


def test_windows_that_touch_are_denoised_together_and_others_alone() -> None:
    windows = [Window(0, 0, 8), Window(4, 4, 8), Window(40, 0, 8), Window(10, 12, 8)]
    assert together(windows) == [[0, 1, 3], [2]]
    assert together([]) == []


def test_the_change_fades_without_a_line_at_the_mask() -> None:
    """No halo: a change of one tone leaves steps between neighbours of at most what a smooth ramp has."""
    mask = np.zeros((60, 60), bool)
    mask[25:35, 25:35] = True
    settings = RealismSettings(band=6)
    share = share_map(mask, settings)
    pixels = np.full((60, 60), 100, np.uint8)
    result = composited(pixels, np.full((60, 60, 3), 0.2), share).astype(int)
    profile = result[30]
    assert (result[mask] == 151).all()
    assert (np.diff(profile[:30]) >= 0).all()
    assert np.abs(np.diff(profile)).max() <= np.ceil(1.5 * 51 / 7) + 1
    assert (profile[:19] == 100).all()
    assert (profile[41:] == 100).all()


def test_strength_falls_from_the_defect_to_the_background() -> None:
    mask = np.zeros((40, 40), bool)
    mask[20, 20] = True
    strength = strength_map(mask, RealismSettings(defect=0.8, background=0.2, band=3))
    assert strength[20, 20] == pytest.approx(0.8)
    np.testing.assert_allclose(strength[20, 21:25], [0.65, 0.5, 0.35, 0.2])
    assert (share_map(mask, RealismSettings(background=0.2)) == 1.0).all()
    assert not share_map(np.zeros((5, 5), bool), RealismSettings()).any()


@pytest.mark.parametrize("wrong", [{"defect": 1.5}, {"background": -0.1}, {"band": -1}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BlemishError, match="expected"):
        RealismSettings(**wrong)
