import numpy as np
import pytest

from anomaly.inspection.augmentation import Augmentation

NOTHING = Augmentation(brightness=0, contrast=0, blur=0, noise=0, border=0)


def picture(seed=0, shape=(60, 80)):
    return np.random.default_rng(seed).integers(40, 160, (*shape, 3), np.uint8)


def many(augmentation, image, valid_mask=None, times=200):
    return [augmentation(image, valid_mask, np.random.default_rng(seed)) for seed in range(times)]


def test_the_dice_decide_alone_and_the_picture_is_left_as_it_was():
    image = picture()
    before = image.copy()
    first, second = (Augmentation()(image, None, np.random.default_rng(4))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(image, before)
    assert not np.array_equal(first, Augmentation()(image, None, np.random.default_rng(5))[0])


def test_without_light_blur_noise_and_border_only_the_four_flips_are_left():
    image = picture()
    flips = {image.tobytes(), image[::-1].tobytes(), image[:, ::-1].tobytes(), image[::-1, ::-1].tobytes()}
    assert {changed.tobytes() for changed, _ in many(NOTHING, image)} == flips


def test_what_is_seen_is_flipped_alike_and_the_rest_is_black():
    image = picture()
    valid_mask = np.zeros((60, 80), bool)
    valid_mask[5:30, 10:70] = True
    for changed, kept in many(Augmentation(border=0), image, valid_mask, 30):
        assert kept.sum() == valid_mask.sum()
        assert not changed[~kept].any()
        assert (changed[kept].max(axis=-1) > 0).mean() > 0.99


def test_light_only_grows():
    image = np.full((20, 30, 3), 100, np.uint8)
    image[:, 15:] = 140
    lit = Augmentation(blur=0, noise=0, border=0)
    means, spreads = zip(*((c.mean(), c.std()) for c, _ in many(lit, image)), strict=True)
    assert min(means) >= 119.5
    assert min(spreads) >= 19.5
    assert max(means) > 150
    assert max(spreads) > 23


def test_noise_and_blur_change_the_spread_in_their_own_direction():
    rng = np.random.default_rng(1)
    flat, rough = np.full((64, 64, 3), 128, np.uint8), rng.normal(128, 20, (64, 64, 1)).repeat(3, 2).astype(np.uint8)
    noisy = [c.astype(float).std() for c, _ in many(Augmentation(0, 0, 0, 0.02, 0), flat, times=60)]
    assert 0 == min(noisy) < max(noisy) <= 0.02 * 255 * 1.1
    blurred = [c.astype(float).std() for c, _ in many(Augmentation(0, 0, 1.2, 0, 0), rough, times=60)]
    assert max(blurred) == pytest.approx(rough.std(), rel=1e-3)
    assert min(blurred) < 0.5 * rough.std()


def test_one_border_is_masked_out_and_no_more_than_allowed():
    image = np.full((100, 140, 3), 120, np.uint8)
    shares, sides = [], set()
    for changed, _ in many(Augmentation(0, 0, 0, 0, border=0.2), image):
        dark = changed.max(axis=-1) == 0
        shares.append(dark.mean())
        edges = {"top": dark[0], "bottom": dark[-1], "left": dark[:, 0], "right": dark[:, -1]}
        sides |= {name for name, edge in edges.items() if edge.all()}
    assert sides == {"top", "bottom", "left", "right"}
    assert 0.05 < np.mean(shares) < 0.15
    assert max(shares) < 0.25
