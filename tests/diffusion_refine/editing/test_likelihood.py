"""What a painter holds a hole's content to be: errors of noise that is known, and the try that is taken by them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from diffusion_refine.core.models import Model, Prompt
from diffusion_refine.core.schedule import Schedule
from diffusion_refine.editing import painting
from diffusion_refine.editing.likelihood import LEVELS, margin, noise_errors
from diffusion_refine.editing.painting import PaintSettings, painted
from diffusion_refine.editing.realism import as_batch, windows_for
from procgen.errors import BlemishError
from tests.diffusion_refine.editing.test_painting import PROMPTS, QUICK, small_painter, textured

STEPS = 25
HOLE = np.zeros((64, 64), dtype=bool)
HOLE[20:44, 16:40] = True


class Knowing(Model):
    """Tells the noise exactly with the first prompt, since it knows the picture, half of it with the second, else 0."""

    clean: torch.Tensor

    def noise(self, latents: torch.Tensor, timestep: torch.Tensor | int, conditions: Prompt) -> torch.Tensor:
        count = self.latent_channels
        level = Schedule(self, STEPS).alpha(timestep)
        exact = (latents[:, :count] - level**0.5 * self.clean) / (1 - level) ** 0.5
        shares = torch.tensor([1.0, 0.5, 0.0])[: len(latents), None, None, None]
        return shares * exact


def errors_of(model: Model, picture: np.ndarray, seed: int = 3) -> np.ndarray:
    windows = windows_for(HOLE, PaintSettings(steps=STEPS).realism, model)
    generator = torch.Generator().manual_seed(seed)
    return noise_errors(model, picture, HOLE, windows, ["a", "b", "c"], STEPS, generator)


def test_errors_are_mean_squares_of_what_is_missed_of_the_noise_in_the_hole() -> None:
    model, picture = Knowing(small_painter().pipeline, "knowing"), textured(1, (64, 64))
    (window,) = windows_for(HOLE, QUICK.realism, model)
    model.clean = model.encode(as_batch([picture[window.slices]]))
    exact, half, none = errors_of(model, picture)
    touched = (24 / model.factor) ** 2 * model.latent_channels * len(LEVELS)
    assert exact == pytest.approx(0, abs=1e-8)
    assert none == pytest.approx(1, abs=5 * (2 / touched) ** 0.5)  # the mean square of noise of unit variance
    assert half == pytest.approx(none / 4, rel=1e-4)


def test_the_same_noise_is_told_with_every_prompt_and_seed_for_seed() -> None:
    model, picture = small_painter(), textured(2, (64, 64))
    first, again, other = (errors_of(model, picture, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_what_is_outside_the_hole_counts_as_its_surroundings_alone() -> None:
    """Of an untrained model, whose errors tell how far its input has moved: what was in the hole does count."""
    model, picture = small_painter(), textured(2, (64, 64))
    inside = np.where(HOLE[..., None], 0.5, picture)
    assert np.abs(errors_of(model, inside) - errors_of(model, picture)).max() > 1e-4


def test_the_margin_is_over_the_best_of_the_others() -> None:
    assert margin(np.array([0.2, 0.5, 0.3])) == pytest.approx(0.1)
    assert margin(np.array([0.4, 0.5, 0.3])) == pytest.approx(-0.1)


@pytest.mark.parametrize("best", [0, 1, 2])
def test_the_try_in_which_the_word_is_found_best_is_taken(best: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, picture, seen = small_painter(), textured(0, (64, 64)), []

    def told(model: Model, filled: np.ndarray, hole: np.ndarray, windows: Any, prompts: Any, *more: Any) -> np.ndarray:
        seen.append(filled)
        assert list(prompts) == [PROMPTS[0], "photo of a crack"]
        return np.array([0.1 if len(seen) - 1 == best else 0.4, 0.3])

    monkeypatch.setattr(painting, "noise_errors", told)
    settings = replace(QUICK, candidates=3)
    made = painted(model, picture, HOLE, PROMPTS, settings, 7, ["photo of a crack"])
    assert len(seen) == 3
    assert not np.array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(np.clip(picture + made.defect, 0, 1), seen[best])
    once = painted(model, picture, HOLE, PROMPTS, replace(QUICK, candidates=1), 7, ["photo of a crack"])
    assert (best == 0) == np.array_equal(once.defect, made.defect)
    alone = painted(model, picture, HOLE, PROMPTS, settings, 7)
    np.testing.assert_array_equal(alone.defect, once.defect)  # without rivals there is nothing to tell it from


def test_no_candidates_are_refused() -> None:
    with pytest.raises(BlemishError, match="painting: candidates: found 0; expected 1 or more"):
        PaintSettings(candidates=0)
