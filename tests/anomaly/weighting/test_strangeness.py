"""Figures of defects, against hand-made windows: what each kind of spoiling does to them."""

import numpy as np
import torch
from torch import nn

from anomaly.weighting.bilevel import SegmentationHead
from anomaly.weighting.detector import Detector, Examples
from anomaly.weighting.strangeness import FIGURES, MOST, SEEN, References, agreement, figures
from anomaly.weighting.windows import Shown

SIDE = 64
ROUGH_BEYOND, ROUGH_INSIDE, _, _, BORDER, CONTRAST, CHANGED, DEVIATION, PATCHES = range(SEEN)
WITHIN, AGREED = SEEN, SEEN + 1


def window(random: np.random.Generator, noise: float = 5.0, depth: float = 60.0) -> list[np.ndarray]:
    """Noise with a dark disc, what lies beneath, and the mask of the disc."""
    rows, columns = np.ogrid[:SIDE, :SIDE]
    row, column = random.uniform(22, 42, 2)
    disc = (rows - row) ** 2 + (columns - column) ** 2 <= random.uniform(6, 11) ** 2
    ground = 150 + noise * random.normal(size=(SIDE, SIDE))
    return [np.where(disc, ground - depth, ground), np.where(disc, 150, ground), disc]


def shown(windows: list[list[np.ndarray]]) -> Shown:
    pictures, filled, masks = (torch.from_numpy(np.stack(each)).float()[:, None] for each in zip(*windows, strict=True))
    grey = pictures / 255
    features = torch.cat([nn.AvgPool2d(4)(grey), nn.MaxPool2d(4)(grey)], dim=1)
    wide = (each.expand(-1, 3, -1, -1) / 255 for each in (pictures, filled))
    return Shown(*wide, masks, features, nn.AvgPool2d(4)(masks))


def test_each_way_of_spoiling_is_strange_and_what_is_usual_is_not() -> None:
    random = np.random.default_rng(0)
    synthetic = shown([window(random) for _ in range(30)])
    references, _ = References.of(shown([window(random) for _ in range(40)]), synthetic, 0)
    sound = references.strangeness(shown([window(random) for _ in range(20)]))
    assert sound.shape == (20, FIGURES)
    assert float(sound.mean(dim=1).max()) < 2.5
    smooth = references.strangeness(shown([window(random, noise=1.0) for _ in range(8)]))
    assert float(smooth[:, ROUGH_BEYOND].min()) > 5
    none = references.strangeness(shown([window(random, depth=0.0) for _ in range(8)]))
    assert float(none[:, [BORDER, CONTRAST, CHANGED]].min()) > 3
    beside = [window(random) for _ in range(8)]
    moved = references.strangeness(shown([[picture, filled, np.roll(m, 21, 1)] for picture, filled, m in beside]))
    assert float(moved[:, [PATCHES, WITHIN, AGREED]].min()) > 3
    textured = [[np.where(m, 90 + 40 * random.normal(size=m.shape), p), f, m] for p, f, m in beside]
    foreign = references.strangeness(shown(textured))
    assert float(foreign[:, [ROUGH_INSIDE, DEVIATION]].min()) > 5
    for each in (smooth, none, moved, foreign):
        assert float(each.mean(dim=1).median()) > float(sound.mean(dim=1).max())
        assert float(each.max()) <= MOST


def test_figures_are_what_they_say() -> None:
    picture = np.full((SIDE, SIDE), 100.0)
    picture[24:40, 24:40] = 160.0
    mask = picture > 130
    found = figures(
        shown([[picture, np.full_like(picture, 100.0), mask]]), torch.zeros(1, 2, 1, 1), torch.ones(1, 2, 1, 1)
    )
    assert found[0, ROUGH_BEYOND] == np.log(0.1)
    # |Laplacian| is 60 on the 60 pixels of the square's rim, 120 on its 4 corners, 0 within
    np.testing.assert_allclose(found[0, ROUGH_INSIDE], np.log((56 * 60 + 4 * 120) / 256 + 0.1), rtol=1e-5)
    np.testing.assert_allclose(found[0, CONTRAST], np.log(60 / 1 + 0.02), rtol=1e-5)  # no noise, over 1
    np.testing.assert_allclose(found[0, CHANGED], np.log(60 / 1 + 0.02), rtol=1e-5)


def test_agreement_is_the_logit_of_what_is_marked_and_what_it_has_over_the_rest() -> None:
    head = SegmentationHead(1)
    with torch.no_grad():
        for each in head.parameters():
            each.zero_()
        head.layers[0].weight[0, 0] = 1.0
        head.layers[2].weight[0, 0, 1, 1] = 1.0
    features = torch.tensor([[0.0, 1.0], [2.0, 3.0]])[None, None]
    truth = torch.tensor([[0.0, 0.0], [1.0, 0.5]])[None, None]  # of what is marked in part, that part counts
    silu = [value / (1 + np.exp(-value)) for value in (0.0, 1.0, 2.0, 3.0)]
    within, without = (silu[2] + 0.5 * silu[3]) / 1.5, (silu[0] + silu[1]) / 2
    found = agreement(Detector(head, torch.zeros(1), torch.ones(1)), Examples(features, truth))
    np.testing.assert_allclose(found, [[within, within - without]], rtol=1e-5)


def test_very_few_windows_are_references_too() -> None:
    random = np.random.default_rng(3)
    for count in (1, 2):
        references, _ = References.of(shown([window(random)] * count), shown([window(random)]), 0)
        assert np.isfinite(references.strangeness(shown([window(random)])).numpy()).all()


def test_windows_that_a_mask_fills_or_misses_have_figures_too() -> None:
    picture = np.random.default_rng(1).uniform(0, 255, (SIDE, SIDE))
    for mask in (np.ones((SIDE, SIDE), bool), np.zeros((SIDE, SIDE), bool)):
        one = shown([[picture, picture, mask]])
        assert np.isfinite(figures(one, torch.zeros(1, 2, 1, 1), torch.ones(1, 2, 1, 1))).all()
