"""The unit of windows, against NumPy and against what light does to a picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diffusion_refine.synthesis.sard.contrast import MOST_GAIN, SPREAD, unit_of
from diffusion_refine.synthesis.sard.readings import Contrast


def windows(spread: float = 0.1, mean: float = 0.2) -> tuple[torch.Tensor, torch.Tensor]:
    """Two grey windows with a mask, in which there is something else."""
    rng = np.random.default_rng(0)
    pictures = np.repeat(rng.normal(mean, spread, (2, 1, 32, 32)), 3, axis=1)
    mask = np.zeros((2, 1, 32, 32), bool)
    mask[0, :, 4:20, 8:12], mask[1, :, 2:9] = True, True
    pictures = np.where(mask, -0.9, pictures)
    return torch.from_numpy(pictures).float(), torch.from_numpy(mask)


def test_surroundings_have_mean_0_and_one_spread() -> None:
    pictures, mask = windows()
    measured = unit_of(pictures, mask, Contrast.ground).measured(pictures).numpy()
    for window, region in zip(measured, mask.numpy(), strict=True):
        around = window[np.broadcast_to(~region, window.shape)]
        assert around.mean() == pytest.approx(0, abs=1e-5)
        assert around.std() == pytest.approx(SPREAD, rel=1e-4)


def test_what_the_mask_holds_has_no_say() -> None:
    """Or a defect could be told from the unit, which when it is drawn follows from a good picture."""
    pictures, mask = windows()
    other = torch.where(mask, 0.9, pictures)
    one, two = (unit_of(each, mask, Contrast.ground) for each in (pictures, other))
    assert torch.equal(one.mean, two.mean)
    assert torch.equal(one.gain, two.gain)


def test_light_and_exposure_cancel() -> None:
    pictures, mask = windows()
    brighter = pictures * 1.4 + 0.1
    one, two = (unit_of(each, mask, Contrast.ground).measured(each) for each in (pictures, brighter))
    torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-5)


def test_gain_is_bounded_and_restored_undoes_it() -> None:
    for spread, gain in ((0.001, MOST_GAIN), (0.5, 1.0)):
        pictures, mask = windows(spread)
        unit = unit_of(pictures, mask, Contrast.ground)
        assert (unit.gain == gain).all()
        back = unit.restored(unit.measured(pictures))
        torch.testing.assert_close(back, pictures.clamp(-1, 1), atol=1e-6, rtol=1e-6)
    assert float(unit.restored(torch.full((2, 3, 4, 4), 9.0)).max()) == 1


def test_a_window_full_of_mask_or_without_spread_has_a_unit() -> None:
    pictures, mask = windows()
    full = unit_of(pictures, torch.ones_like(mask), Contrast.ground)
    assert torch.isfinite(full.mean).all()
    assert (full.gain == 1).all()
    flat = unit_of(torch.zeros_like(pictures), mask, Contrast.ground)
    assert (flat.gain == MOST_GAIN).all()


def test_the_papers_unit_is_the_pictures() -> None:
    pictures, mask = windows()
    assert torch.equal(unit_of(pictures, mask, Contrast.picture).measured(pictures), pictures)
