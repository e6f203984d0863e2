"""Local blend and the maps it reads: places by construction."""

import numpy as np
import pytest
import torch

from diffusion_refine.prompt_to_prompt.alignment import Tokens
from diffusion_refine.prompt_to_prompt.local_blend import LocalBlend, MaskBlend, attended
from diffusion_refine.prompt_to_prompt.maps import Maps, key_tokens, mean_map, token_maps
from procgen.errors import BlemishError

TOKENS = Tokens("a crack on tile", ("a", "crack", "on", "tile"), ((1,), (2, 3), (4,), (5,)), (0, 1, 2, 3, 4, 5, 6), 8)


def bumps(shape: tuple[int, int], *places: tuple[int, int]) -> torch.Tensor:
    """Attention (B, 2 heads, texels, 8) of as many branches as places: token 2 attends to its branch's place only."""
    found = torch.full((len(places), 2, *shape, 8), 0.01)
    for branch, place in enumerate(places):
        found[branch, :, *place, 2] = 1.0
    return found.flatten(2, 3)


def test_outside_the_words_places_latents_are_the_sources() -> None:
    maps = Maps()
    maps.add(mean_map(bumps((8, 12), (1, 1), (6, 10), (1, 1)), (8, 12)))
    maps.add(mean_map(bumps((2, 3), (1, 1), (0, 0), (0, 0)), (2, 3)))  # too coarse to tell a place
    latents = torch.randn(3, 4, 32, 48, generator=torch.Generator().manual_seed(0))
    blend = LocalBlend(maps, [([2], [2]), ([2], [2])])
    assert torch.equal(blend(latents, 9, 50), latents)
    assert not LocalBlend(maps, [([], []), ([], [2])]).place((32, 48))[0].any()  # words that nothing stands for
    found = blend(latents, 10, 50)
    assert torch.equal(found[0], latents[0])
    rows, columns = np.mgrid[:32, :48]
    # One texel of the map is four of the latent; it is dilated by one texel, and bilinear interpolation blurs that.
    for branch, centres in ((1, [(6, 6), (26, 42)]), (2, [(6, 6)])):
        distance = np.min([np.maximum(abs(rows - i + 0.5), abs(columns - j + 0.5)) for i, j in centres], axis=0)
        kept = (found[branch] == latents[branch]).all(0).numpy()
        assert kept[distance < 6].all()
        assert not kept[distance > 8].any()
        assert torch.equal(found[branch][:, ~kept], latents[0][:, ~kept])


def test_the_placing_map_is_a_quarter_of_the_latent_where_that_is_fine_enough() -> None:
    maps = Maps()
    for side in (32, 16, 8, 4):
        maps.add(mean_map(bumps((side, side), (0, 0)), (side, side)))
    assert maps.placing((64, 64)).shape == (1, 16, 16, 8)  # as Stable Diffusion 1.x
    assert maps.placing((128, 128)).shape == (1, 32, 32, 8)  # as SDXL
    assert maps.placing((32, 32)).shape == (1, 16, 16, 8)
    with pytest.raises(BlemishError, match="no attention map"):
        Maps().placing((64, 64))


def test_threshold_is_of_each_maps_own_maximum() -> None:
    maps = torch.zeros(2, 8, 8)
    maps[0, 0, 0], maps[0, 7, 7] = 1.0, 0.29
    maps[1, 0, 0], maps[1, 7, 7] = 0.01, 0.0031
    found = attended(maps, (8, 8), 0.3)
    assert found[:, 0, 0].all()
    assert found[:, 7, 7].tolist() == [False, True]
    assert found.float().mean() < 0.1


def test_what_every_texel_attends_counts_for_nothing() -> None:
    maps = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(2)) * 0.1
    maps[:, 4:6, 9:12] += 1
    found = attended(maps, (32, 32))
    assert torch.equal(attended(maps + 0.75, (32, 32)), found)
    assert found[:, 8:12, 18:24].all()
    assert found.float().mean() < 0.2
    assert attended(torch.ones(1, 8, 8), (8, 8)).all()


def test_a_given_mask_loses_no_pixel_and_widens_by_its_margin() -> None:
    mask = torch.zeros(64, 96, dtype=torch.bool)
    mask[17, 40] = True  # one pixel
    latents = torch.randn(3, 4, 8, 12, generator=torch.Generator().manual_seed(1))
    for margin in (0, 1):
        found = MaskBlend(mask, margin)(latents, 0, 50)
        changed = (found[1:] == latents[1:]).all(1)
        expected = torch.zeros(8, 12, dtype=torch.bool)
        expected[2 - margin : 3 + margin, 5 - margin : 6 + margin] = True
        assert torch.equal(changed, expected.expand(2, -1, -1))
        assert torch.equal(found[0], latents[0])
    assert torch.equal(MaskBlend(mask, start=0.5)(latents, 24, 50), latents)
    with pytest.raises(BlemishError, match="mask of the edit is empty"):
        MaskBlend(torch.zeros(8, 8, dtype=torch.bool))
    with pytest.raises(BlemishError, match="threshold"):
        LocalBlend(Maps(), [], threshold=3)


def test_words_of_several_tokens_have_one_map_and_the_one_that_points_leads() -> None:
    attention = torch.full((1, 4, 4, 8), 0.1)
    attention[0, 1, 2, 2], attention[0, 1, 2, 3] = 0.9, 0.4
    found = token_maps(attention, TOKENS)
    assert list(found) == ["a", "crack", "on", "tile"]
    np.testing.assert_allclose(found["crack"][1, 2], 1.3, rtol=1e-6)
    np.testing.assert_allclose(found["crack"][0, 0], 0.2, rtol=1e-6)
    mask = np.zeros((4, 4), bool)
    mask[1, 2] = True
    for tokens in (key_tokens(found), key_tokens(found, mask)):
        assert [token.word for token in tokens] == ["crack", "tile"]
        np.testing.assert_allclose(sum(token.share for token in tokens), 1)
        np.testing.assert_allclose(tokens[0].share, (1.3 + 15 * 0.2) / (1.3 + 15 * 0.2 + 1.6), rtol=1e-6)
    np.testing.assert_allclose(key_tokens(found, mask)[0].contrast, 6.5, rtol=1e-5)
    np.testing.assert_allclose(key_tokens(found, mask)[1].contrast, 1, rtol=1e-5)


def test_a_word_that_is_attended_to_everywhere_alike_is_no_key_token() -> None:
    """However much attention it gets: the score is the share times the contrast."""
    spot = np.zeros((4, 4), np.float32)
    spot[1, 2] = 4.0
    maps = {"plate": np.full((4, 4), 1.0, np.float32), "crack": spot}
    found = key_tokens(maps)
    assert [token.word for token in found] == ["crack", "plate"]
    assert [token.share for token in found] == pytest.approx([4 / 20, 16 / 20])
    assert [token.score for token in found] == pytest.approx([4 / 20 * 15**0.5, 0.0])  # of one value in sixteen: √15
    mask = np.zeros((4, 4), bool)
    mask[1, 2] = True
    maps["crack"] = np.where(mask, 4.0, 0.1).astype(np.float32)
    inside, everywhere = key_tokens(maps, mask)
    assert (inside.word, everywhere.word) == ("crack", "plate")
    assert inside.score == pytest.approx((4 + 1.5) / 21.5 * 40, rel=1e-5)
    assert everywhere.score == pytest.approx(16 / 21.5, rel=1e-5)
