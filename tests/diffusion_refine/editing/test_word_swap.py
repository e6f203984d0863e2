"""Word swaps on small models of every family: what they promise of the picture, whatever the weights are."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from diffusion_refine.core.attention import residual_interpolation
from diffusion_refine.core.models import Model
from diffusion_refine.editing import word_swap as editing
from diffusion_refine.editing.word_swap import SwapSettings, swap_words
from diffusion_refine.inversion.sampling import edit
from diffusion_refine.prompt_to_prompt.controllers import Controller
from procgen.errors import BlemishError

Tiny = Callable[..., Model]
PROMPT, DENT, LONG = "photo of a crack on a plate", "photo of a dent on a plate", "photo of a blowhole hole on a tile"
ADDED = "photo of a dark crack on a plate"


def photograph(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.uniform(0.2, 0.8, (height // 8, width // 8, 3)).repeat(8, 0).repeat(8, 1).astype(np.float32)


@pytest.mark.parametrize(("family", "method"), [("sd15", "direct"), ("sdxl", "null"), ("sd21", "negative-prompt")])
def test_outside_a_given_mask_the_photograph_stays(tiny_model: Tiny, family: str, method: str) -> None:
    model, picture = tiny_model(family), photograph(64, 128)
    mask = np.zeros((64, 128), bool)
    mask[8:16, 8:24] = True
    settings = SwapSettings(method, steps=3, margin=0)
    edited = swap_words(model, picture, PROMPT, [DENT, LONG, ADDED], mask, settings)
    assert [swap.prompt for swap in edited.swaps] == [DENT, LONG, ADDED]
    for swap in edited.swaps:
        assert swap.picture.shape == picture.shape
        np.testing.assert_array_equal(swap.place, mask)
        assert np.abs(swap.picture - picture)[mask].mean() > 1e-3
        assert swap.background_psnr is not None
    assert list(edited.maps) == ["photo", "of", "a", "crack", "on", "plate"]


def test_direct_inversion_brings_back_what_the_autoencoder_can(tiny_model: Tiny) -> None:
    model, picture = tiny_model("sd15"), photograph(64, 64)
    edited = swap_words(model, picture, PROMPT, [DENT], settings=SwapSettings(steps=4))
    ceiling = editing.as_pictures(model.decode(model.encode(editing.as_tensor(picture))))[0]
    np.testing.assert_allclose(edited.reconstruction, ceiling, atol=1e-4)


def test_an_edit_that_changes_nothing_leaves_every_pixel(tiny_model: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the autoencoder loses: where latents stay the source's, so does the photograph."""
    model, picture = tiny_model("sdxl"), photograph(64, 64)
    nowhere = lambda self, latent: torch.zeros(1, *latent, dtype=torch.bool)  # noqa: E731
    monkeypatch.setattr(editing.LocalBlend, "place", nowhere)
    [swap] = swap_words(model, picture, PROMPT, [DENT], settings=SwapSettings(steps=3, start=0.0)).swaps
    np.testing.assert_allclose(swap.picture, picture, atol=1e-5)
    assert np.abs(swap.decoded - picture).mean() > 1e-2
    assert not swap.place.any()


def test_a_grey_photograph_stays_grey(tiny_model: Tiny) -> None:
    picture = photograph(64, 64)[..., :1].repeat(3, -1)
    [swap] = swap_words(tiny_model("sd15"), picture, PROMPT, [DENT], settings=SwapSettings(steps=2)).swaps
    assert (swap.picture == swap.picture[..., :1]).all()
    assert np.ptp(swap.decoded, -1).max() > 1e-3


def test_many_targets_at_once_are_what_each_alone_is(tiny_model: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    model, picture = tiny_model("sd15"), photograph(64, 64)
    settings = SwapSettings(steps=3)
    together = swap_words(model, picture, PROMPT, [DENT, LONG, ADDED], settings=settings)
    monkeypatch.setattr(editing, "AT_ONCE", 1)
    alone = swap_words(model, picture, PROMPT, [DENT, LONG, ADDED], settings=settings)
    for one, other in zip(together.swaps, alone.swaps, strict=True):
        np.testing.assert_allclose(one.decoded, other.decoded, atol=1e-3)
        np.testing.assert_array_equal(one.place, other.place)


def test_an_inverted_picture_can_be_edited_again(tiny_model: Tiny) -> None:
    model, picture, settings = tiny_model("sd15"), photograph(64, 64), SwapSettings(steps=3)
    once = swap_words(model, picture, PROMPT, [DENT], settings=settings)
    source = editing.inverted(model, picture, PROMPT, settings)
    model.calls.forwards = 0
    again = swap_words(model, picture, PROMPT, [DENT], settings=settings, source=source)
    assert model.calls.forwards == 3  # and three for the inversion before
    np.testing.assert_array_equal(again.swaps[0].picture, once.swaps[0].picture)


def test_words_attend_without_an_edit_as_beside_one(tiny_model: Tiny) -> None:
    model, picture, settings = tiny_model("sd15"), photograph(64, 64), SwapSettings(steps=3)
    source = editing.inverted(model, picture, PROMPT, settings)
    alone = editing.attention_of(model, source, PROMPT, settings)
    beside = swap_words(model, picture, PROMPT, [DENT], settings=settings, source=source).maps
    assert list(alone) == list(beside)
    for word, found in alone.items():
        np.testing.assert_allclose(found, beside[word], rtol=1e-3, atol=1e-6)


def test_targets_are_denoised_under_residual_interpolation_like_the_inversion(tiny_model: Tiny) -> None:
    model, picture = tiny_model("sd15"), photograph(64, 64)
    settings = SwapSettings(steps=3, alpha=0.4, threshold=None)
    source = editing.inverted(model, picture, PROMPT, settings)
    [swap] = swap_words(model, picture, PROMPT, [DENT], settings=settings, source=source).swaps
    prompt, target = (editing.tokens(model, text) for text in (PROMPT, DENT))
    controller = Controller([editing.attention_edit(prompt, target, settings.amplifier)])
    conditions = model.encode_prompt([DENT], (64, 64))
    without = edit(model, source, conditions, controller=controller)[1:]
    with residual_interpolation(model.unet, 0.4, ("up",)):
        under = edit(model, source, conditions, controller=controller)[1:]
    expected, wrong = (editing.as_pictures(model.decode(latents))[0] for latents in (under, without))
    np.testing.assert_allclose(swap.decoded, expected, atol=1e-5)
    assert np.abs(swap.decoded - wrong).max() > 1e-3


def test_words_without_counterpart_are_refined_and_the_rest_replaced(tiny_model: Tiny) -> None:
    model = tiny_model("sd15")
    prompt, dent, added = (editing.tokens(model, text) for text in (PROMPT, DENT, ADDED))
    replaced, refined = (editing.attention_edit(prompt, target, 2.0) for target in (dent, added))
    assert bool((replaced.share == 1).all())
    assert replaced.factors.argmax() == dent.of("dent")[0]
    assert replaced.mapping[prompt.of("crack")[0], dent.of("dent")[0]] == 1
    assert (refined.share == 0).nonzero().flatten().tolist() == added.of("dark")
    assert (refined.factors == 2).nonzero().flatten().tolist() == added.of("dark")
    assert editing.differing(prompt, added) == ([], added.of("dark"))


def test_what_is_no_edit_is_refused(tiny_model: Tiny) -> None:
    model, picture = tiny_model("sd15"), photograph(64, 64)
    with pytest.raises(BlemishError, match="is the prompt itself"):
        swap_words(model, picture, PROMPT, [PROMPT.upper()])
    with pytest.raises(BlemishError, match="no target prompts"):
        swap_words(model, picture, PROMPT, [])
    with pytest.raises(BlemishError, match="cannot be encoded"):
        swap_words(model, picture[:60], PROMPT, [DENT])
    with pytest.raises(BlemishError, match="mask of the edit is empty"):
        swap_words(model, picture, PROMPT, [DENT], np.zeros((64, 64), bool), SwapSettings(steps=1))
