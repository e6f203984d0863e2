"""Holes for a painter's training: they cover the defects, tell little of their shape, and leave the rest in sight."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion_refine.training.crops import Crops
from diffusion_refine.training.holes import GREY, hole_over, holes_over, surroundings_of, widen
from diffusion_refine.training.model_shapes import Shape, build_pipeline

SHAPE = Shape(size=64, autoencoder=(16, 32, 48), unet=(16, 16, 32), head=8, text=32, text_layers=1)


@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_a_hole_covers_all_defects_with_room_round_them(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    defects = np.zeros((48, 56), np.uint8)
    for _ in range(count):
        row, column = rng.integers(0, 46), rng.integers(0, 50)
        defects[row : row + 2, column : column + int(rng.integers(1, 6))] = 1
    hole = hole_over(defects, rng)
    assert hole.any()
    assert hole[defects > 0].all()
    beside = np.zeros_like(hole)
    beside[1:] |= defects[:-1] > 0
    beside[:-1] |= defects[1:] > 0
    assert hole[beside].all()


def test_holes_are_of_a_seed_and_of_several_kinds() -> None:
    masks = torch.zeros((40, 64, 64), dtype=torch.uint8)
    masks[:, 30:33, 20:44] = 1
    holes = holes_over(masks, 3)
    torch.testing.assert_close(holes, holes_over(masks, 3))
    torch.testing.assert_close(holes[7:9], holes_over(masks, 3)[7:9])
    assert not torch.equal(holes, holes_over(masks, 4))
    areas = holes.flatten(1).sum(dim=1)
    assert areas.max() > 3 * areas.min()
    heights = holes.any(dim=2).sum(dim=1)
    assert (heights > 24).any()  # a box or an ellipse far wider than the scratch in it
    assert (heights < 16).any()


def test_what_is_seen_does_not_depend_on_what_is_in_the_hole() -> None:
    pipeline = build_pipeline(SHAPE)
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    masks = torch.zeros((2, 64, 64), dtype=torch.uint8)
    masks[:, 20:30, 20:30] = 1
    holes = holes_over(masks, 0)
    first = surroundings_of(pipeline, Crops(images, masks, ("", "")), holes)
    other = torch.where(holes[:, None], images.flip(1), images)
    torch.testing.assert_close(first, surroundings_of(pipeline, Crops(other, masks, ("", "")), holes))
    assert first.shape == (2, 1 + SHAPE.latent_channels, 16, 16)
    whole = torch.full_like(images, GREY)
    grey = surroundings_of(pipeline, Crops(whole, masks, ("", "")), torch.ones((2, 64, 64), dtype=torch.bool))
    everything = surroundings_of(pipeline, Crops(images, masks, ("", "")), torch.ones((2, 64, 64), dtype=torch.bool))
    torch.testing.assert_close(grey, everything)


def test_a_widened_unet_predicts_as_before_until_it_learns() -> None:
    pipeline = build_pipeline(SHAPE)
    latents = torch.randn((1, 8, 16, 16), generator=torch.Generator().manual_seed(0))
    known = torch.randn((1, 9, 16, 16), generator=torch.Generator().manual_seed(1))
    added = {"text_embeds": torch.zeros(1, 32), "time_ids": torch.zeros(1, 6)}
    words = torch.zeros(1, 77, 64)
    with torch.no_grad():
        before = pipeline.unet(latents, 500, words, added_cond_kwargs=added).sample
        widen(pipeline.unet, 8)
        after = pipeline.unet(torch.cat([latents, known], dim=1), 500, words, added_cond_kwargs=added).sample
    torch.testing.assert_close(before, after)
    first = pipeline.unet.conv_in
    widen(pipeline.unet, 8)
    assert pipeline.unet.conv_in is first
    assert pipeline.unet.config.in_channels == 17
