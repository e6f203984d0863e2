"""That a defect stays as visible as is asked, as the label check sees it, whatever an edit did to it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from diffusion_refine.editing.label_check import Limits, check
from diffusion_refine.editing.visibility import FADING, kept_visible

SIZE = 72
EVERYWHERE = np.ones((SIZE, SIZE), dtype=bool)


def surface(seed: int) -> np.ndarray:
    grain = gaussian_filter(np.random.default_rng(seed).normal(size=(SIZE, SIZE)), 1)
    return np.repeat((0.5 + 0.02 * grain / grain.std())[..., None], 3, axis=2)


def line(width: int) -> np.ndarray:
    ids = np.zeros((SIZE, SIZE), dtype=np.int32)
    ids[15:60, 34 : 34 + width] = 1
    return ids


def visible(before: np.ndarray, after: np.ndarray, ids: np.ndarray) -> float:
    found = check(before, np.clip(after, 0, 1), ids, Limits())[0].visible
    assert found is not None
    return found


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 99),
    width=st.integers(2, 14),
    depth=st.floats(-0.4, 0.4).filter(lambda depth: abs(depth) > 0.1),
    healed=st.floats(0, 1),
    roughness=st.floats(0, 0.1),
    least=st.floats(0.3, 0.95),
)
def test_what_heals_a_defect_leaves_it_its_share(
    seed: int, width: int, depth: float, healed: float, roughness: float, least: float
) -> None:
    ids, random = line(width), np.random.default_rng([seed, 1])
    before = np.clip(surface(seed) + depth * (ids > 0)[..., None], 0, 1)
    change = (-healed * depth + roughness * random.normal(size=ids.shape)) * (ids > 0)
    change = np.repeat(change[..., None], 3, axis=2)
    held = kept_visible(before, change, np.ones(ids.shape), ids, EVERYWHERE, least)
    assert visible(before, before + held, ids) >= least - 1e-9


def test_an_edit_that_keeps_enough_is_left_alone_and_so_is_all_that_is_not_asked_about() -> None:
    ids, random = line(6), np.random.default_rng(3)
    before = surface(3) - 0.2 * (ids > 0)[..., None]
    change = np.repeat(0.01 * random.normal(size=ids.shape)[..., None], 3, axis=2)
    share = np.ones(ids.shape)
    assert (kept_visible(before, change, share, ids, EVERYWHERE, 0.9) == change).all()
    healing = np.repeat(np.where(ids > 0, 0.2, 0.0)[..., None], 3, axis=2)
    assert (kept_visible(before, healing, share, ids, EVERYWHERE, 0.0) == healing).all()
    assert (kept_visible(before, healing, share, ids, ~EVERYWHERE, 0.9) == healing).all()
    held = kept_visible(before, healing + change, share, ids, EVERYWHERE, 0.9)
    far = np.ones(ids.shape, dtype=bool)
    far[15 - FADING : 60 + FADING, 34 - FADING : 40 + FADING] = False
    assert (held[far] == change[far]).all()


def test_texture_stays_where_the_tone_alone_was_lost() -> None:
    ids, random = line(12), np.random.default_rng(5)
    before = surface(5) - 0.2 * (ids > 0)[..., None]
    texture = np.repeat(0.03 * random.normal(size=ids.shape)[..., None], 3, axis=2)
    healed = np.where(ids > 0, 0.18, 0.0)[..., None] + texture
    held = kept_visible(before, healed, np.ones(ids.shape), ids, EVERYWHERE, 0.9)
    inside = ids > 0
    assert np.corrcoef((held - gaussian_filter(held, (2, 2, 0)))[inside, 0], texture[inside, 0])[0, 1] > 0.85
    assert held[inside].mean() == pytest.approx(0.0, abs=0.03)
