"""Painting into holes: what a hole covers, what a painter sees of a picture, and the mask of what it painted."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from diffusion_refine.core.models import Model
from diffusion_refine.editing.label_check import LOST, check_painted
from diffusion_refine.editing.painting import Painted, PaintSettings, grown, hole_of, mask_of, painted
from diffusion_refine.editing.realism import Seeing, surroundings
from diffusion_refine.training.holes import widen
from diffusion_refine.training.model_shapes import Shape, build_pipeline
from procgen.errors import BlemishError

QUICK = PaintSettings(steps=3)
PROMPTS = ("photo of a dent defect on a ground plate", "photo of a good ground plate")


def small_painter(seed: int = 0) -> Model:
    """Of the embedded painter's kind, untrained; what it sees of a picture makes a difference."""
    shape = Shape(size=64, autoencoder=(16, 32, 48), unet=(16, 16, 32), head=8, text=32, text_layers=1)
    pipeline = build_pipeline(shape, seed)
    widen(pipeline.unet, shape.latent_channels)
    torch.nn.init.normal_(pipeline.unet.conv_in.weight, std=0.1, generator=torch.Generator().manual_seed(seed))
    return Model(pipeline, "painter")


def textured(seed: int, shape: tuple[int, int] = (72, 80)) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.2, 0.8, (*shape, 3))


@given(st.integers(0, 2**32 - 1), st.integers(0, 8), st.floats(0.05, 0.95))
@example(seed=78, reach=0, room=0.5)
@settings(max_examples=30, deadline=None)
def test_a_hole_covers_the_defect_and_its_surroundings_and_is_round_enough(seed: int, reach: int, room: float) -> None:
    rng = np.random.default_rng(seed)
    mask = np.zeros((60, 70), dtype=bool)
    row, column = rng.integers(0, 60), rng.integers(0, 60)
    mask[row : row + 2, column : column + int(rng.integers(2, 30))] = True
    hole = hole_of(mask, PaintSettings(reach=reach, room=room))
    near = distance_transform_edt(~mask) <= reach
    assert hole[near].all()
    extent = np.ptp(np.flatnonzero(near.any(axis=0))) + 1
    inside = distance_transform_edt(np.pad(hole, 1))
    if 15 < row < 45 and 20 < column < 30:  # away from the rim, which cuts holes
        radius = room * extent / 2
        assert inside.max() >= min(0.9 * radius, radius - 0.75)  # of a small disc, whole pixels are a coarse measure


def test_parts_that_are_far_apart_get_holes_of_their_own() -> None:
    mask = np.zeros((64, 64), dtype=bool)
    mask[10:12, 10:12] = mask[50:52, 50:52] = True
    hole = hole_of(mask)
    assert hole[11, 11]
    assert hole[51, 51]
    assert not hole[30, 30]
    assert not hole_of(np.zeros((20, 20), dtype=bool)).any()


def test_what_a_painter_is_given_is_what_diffusers_gives_an_in_painting_model(
    tiny_model: Callable[..., Model],
) -> None:
    model = tiny_model("sd15")
    parts = {name: value for name, value in model.pipeline.components.items() if name != "image_encoder"}
    pipeline = StableDiffusionInpaintPipeline(**parts, requires_safety_checker=False)
    images = torch.rand((2, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    holes = torch.zeros((2, 64, 64), dtype=torch.bool)
    holes[0, 8:24, 16:40] = holes[1, 32:64, 0:8] = True  # whole texels, of which all ways of scaling make the same
    seen = torch.where(holes[:, None], 0.5, images) * 2 - 1
    generator = torch.Generator().manual_seed(0)
    mask, latents = pipeline.prepare_mask_latents(
        holes[:, None].float(), seen, 2, 64, 64, torch.float32, torch.device("cpu"), generator, False
    )
    found = surroundings(model, images, holes)
    torch.testing.assert_close(found[:, :1], mask)
    deviation = model.vae.encode(seen).latent_dist.std.max() * model.vae.config.scaling_factor
    assert (found[:, 1:] - latents).abs().max() <= 6 * deviation + 1e-4  # diffusers draws where this takes the middle


def test_a_painter_sees_nothing_of_the_hole_and_changes_nothing_far_from_it() -> None:
    painter = small_painter()
    picture, hole = textured(0), np.zeros((72, 80), dtype=bool)
    hole[20:40, 30:55] = True
    other = np.where(hole[..., None], 0.1, picture)
    first, second = (painted(painter, one, hole, PROMPTS, QUICK, 5) for one in (picture, other))
    np.testing.assert_allclose((picture + first.defect)[hole], (other + second.defect)[hole], rtol=0, atol=1e-6)
    far = distance_transform_edt(~hole) > QUICK.band + 1
    assert not first.defect[far].any()
    assert not first.nothing[far].any()
    around = textured(1)
    third = painted(painter, np.where(hole[..., None], picture, around), hole, PROMPTS, QUICK, 5)
    assert np.abs(third.defect - first.defect)[hole].max() > 0.02  # what is round it does count


def test_the_same_seed_paints_the_same_and_the_word_makes_the_difference() -> None:
    painter = small_painter()
    picture, hole = textured(0), np.zeros((72, 80), dtype=bool)
    hole[20:40, 30:55] = True
    first, again, other = (painted(painter, picture, hole, PROMPTS, QUICK, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.defect, again.defect)
    assert not np.array_equal(first.defect, other.defect)
    assert not np.array_equal(first.defect, first.nothing)
    same = painted(painter, picture, hole, (PROMPTS[1], PROMPTS[1]), QUICK, 5)
    np.testing.assert_array_equal(same.defect, same.nothing)


def test_a_denoiser_that_sees_is_given_the_surroundings_of_both_halves_of_a_guided_pass() -> None:
    given: list[torch.Tensor] = []

    class Recorder:
        def noise(self, latents: torch.Tensor, timestep: object, conditions: object) -> torch.Tensor:
            given.append(latents)
            return latents[:, :2]

    known = torch.arange(2 * 3 * 4, dtype=torch.float32).reshape(2, 3, 2, 2)
    latents = torch.rand((4, 2, 2, 2), generator=torch.Generator().manual_seed(0))
    Seeing(Recorder(), known).noise(latents, 7, None)  # type: ignore[arg-type]
    torch.testing.assert_close(given[0][:, :2], latents)
    torch.testing.assert_close(given[0][:2, 2:], known)
    torch.testing.assert_close(given[0][2:, 2:], known)


def test_the_mask_is_where_the_picture_with_the_defect_differs_from_that_without() -> None:
    rows, columns = np.indices((64, 64))
    dent = (rows - 30) ** 2 + (columns - 34) ** 2 <= 8**2
    hole = (rows - 30) ** 2 + (columns - 30) ** 2 <= 20**2
    picture = textured(2, (64, 64))
    texture = 0.2 * textured(3, (64, 64)) * hole[..., None]
    made = Painted(texture - 0.3 * dent[..., None], texture)
    old = np.zeros((64, 64), dtype=bool)
    old[28:32, 15:45] = True
    found = mask_of(np.full_like(picture, 0.6), made, hole, old, 0.4)
    assert np.count_nonzero(found.mask & dent) / np.count_nonzero(found.mask | dent) > 0.9
    expected = np.count_nonzero(found.mask & old) / np.count_nonzero(found.mask | old)
    assert found.overlap == pytest.approx(expected)
    nothing = mask_of(picture, Painted(texture, texture), hole, old, 0.4)
    assert not nothing.mask.any()


def test_a_painted_defect_stands_out_in_its_mask_and_nowhere_else() -> None:
    rng = np.random.default_rng(4)
    plain = np.clip(0.5 + rng.normal(0, 0.02, (64, 64, 3)), 0, 1)
    rows, columns = np.indices((64, 64))
    dent, beside = ((rows - 32) ** 2 + (columns - centre) ** 2 <= 6**2 for centre in (32, 46))
    hole = grown(dent, 4)
    after = plain - 0.2 * dent[..., None]
    verdict = check_painted(plain, after, 3 * dent, 3, hole)
    assert (verdict.instance, verdict.accepted, verdict.reason) == (3, True, "")
    assert verdict.in_place == pytest.approx(1.0)
    refusals = {
        "visible": check_painted(plain, plain, 3 * dent, 3, hole),
        "in place": check_painted(plain, plain - 0.2 * np.roll(dent, 7, axis=1)[..., None], 3 * dent, 3, hole),
        "stray": check_painted(plain, after - 0.2 * beside[..., None], 3 * dent, 3, hole),
        "spill": check_painted(plain, plain - 0.2 * grown(dent, 3)[..., None], 3 * dent, 3, hole),
        "surface": check_painted(plain - 0.1 * hole[..., None], after - 0.1 * hole[..., None], 3 * dent, 3, hole),
        LOST: check_painted(plain, after, 0 * dent, 3, hole),
    }
    another = check_painted(plain, after - 0.2 * beside[..., None], 3 * dent + 5 * beside, 3, hole)
    assert another.accepted  # what is another defect is no stray
    for reason, refused in refusals.items():
        assert not refused.accepted
        assert reason in refused.reason


@pytest.mark.parametrize("field", ["room", "share"])
def test_shares_are_shares(field: str) -> None:
    with pytest.raises(BlemishError, match=f"{field}: found 1.5; expected a share"):
        PaintSettings(**{field: 1.5})
