"""P11 to P14: weights of mean 1 in the order of quality, and hypergradients against finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from anomaly.weighting.bilevel import SegmentationHead, called, inner_loss, picture_losses, stepped
from anomaly.weighting.estimator import LEAST, MOST, USUAL, QualityEstimator, weights_of
from anomaly.weighting.learning import Settings, learnt
from anomaly.weighting.strangeness import FIGURES
from anomaly.weighting.weigh import weighed
from anomaly.weighting.windows import Shown


@settings(max_examples=40, deadline=None)
@given(
    qualities=st.lists(st.floats(0, 1), min_size=1, max_size=40),
    temperature=st.sampled_from([0.02, 0.25, 1.0]),
)
def test_weights_have_mean_one_and_the_order_of_quality(qualities: list[float], temperature: float) -> None:
    found = weights_of(torch.tensor(qualities, dtype=torch.float64), temperature).numpy()
    assert found.mean() == pytest.approx(1.0, abs=1e-6)
    assert found.min() >= LEAST - 1e-12
    assert found.max() <= MOST + 1e-12
    assert (np.diff(found[np.argsort(qualities, kind="stable")]) >= -1e-12).all()


def test_a_high_temperature_weighs_all_alike_and_a_low_one_is_softmax_within_the_limits() -> None:
    qualities = torch.tensor([0.1, 0.4, 0.9], dtype=torch.float64)
    np.testing.assert_allclose(weights_of(qualities, 1e9).numpy(), 1.0, atol=1e-6)
    by_hand = np.exp(qualities.numpy() / 0.5)
    np.testing.assert_allclose(weights_of(qualities, 0.5).numpy(), 3 * by_hand / by_hand.sum(), atol=1e-9)


class TwoNumbers(nn.Module):
    """A detector of two parameters: logits a x + b."""

    def __init__(self) -> None:
        super().__init__()
        self.slope, self.shift = nn.Parameter(torch.tensor(0.3)), nn.Parameter(torch.tensor(-0.2))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.slope * features + self.shift


def test_the_hypergradient_is_that_of_finite_differences_and_of_p14() -> None:
    torch.manual_seed(1)
    detector = TwoNumbers().double()
    features, truth = torch.randn(5, 1, 3, 3).double(), torch.rand(5, 1, 3, 3).double()
    others, theirs = torch.randn(4, 1, 3, 3).double(), torch.rand(4, 1, 3, 3).double()
    traits = torch.randn(5, 2).double()
    rate = 0.3

    def parts(phi: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
        weights = weights_of(torch.sigmoid(traits @ phi), 0.5)
        parameters = dict(detector.named_parameters())
        inner = inner_loss(weights, picture_losses(called(detector, parameters, features), truth), torch.zeros(1))
        after = stepped(parameters, inner, rate)
        return inner, picture_losses(called(detector, after, others), theirs).mean(), after

    phi = torch.tensor([0.4, -0.7], dtype=torch.float64, requires_grad=True)
    inner, outer, after = parts(phi)
    (found,) = torch.autograd.grad(outer, phi, retain_graph=True)
    numeric = []
    for place in range(2):
        step = torch.zeros(2, dtype=torch.float64)
        step[place] = 1e-6
        numeric.append(float((parts(phi + step)[1] - parts(phi - step)[1]).detach()) / 2e-6)
    np.testing.assert_allclose(found.numpy(), numeric, rtol=1e-5)
    towards = torch.autograd.grad(outer, list(after.values()), retain_graph=True)
    slopes = torch.autograd.grad(inner, list(detector.parameters()), create_graph=True)
    crossed = sum((toward.detach() * slope).sum() for toward, slope in zip(towards, slopes, strict=True))
    np.testing.assert_allclose(found.numpy(), -rate * torch.autograd.grad(crossed, phi)[0].numpy(), rtol=1e-9)


def test_picture_losses_weigh_what_is_marked_and_the_rest_alike() -> None:
    logits, truth = torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, 4)
    logits[0, 0, 0, 0], truth[0, 0, 0, 0] = 2.0, 1.0
    marked, rest = np.log1p(np.exp(-2.0)), np.log(2.0)
    np.testing.assert_allclose(picture_losses(logits, truth).numpy(), [(marked + rest) / 2, rest / 2], rtol=1e-6)


def test_the_estimator_begins_with_the_strangeness_and_sees_all_of_its_inputs() -> None:
    torch.manual_seed(0)
    estimator = QualityEstimator()
    picture, filled, mask = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32), torch.zeros(2, 1, 32, 32)
    mask[:, :, 8:16, 8:16] = 1
    strange = torch.full((2, FIGURES), USUAL)
    strange[1] *= 3
    first, second = estimator(picture, filled, mask, strange).tolist()
    assert first == 0.5
    assert second < 0.1
    nn.init.normal_(estimator.verdict[-1].weight)
    told = estimator(picture, filled, mask, strange)
    for others in ((1 - picture, filled, mask), (picture, 1 - filled, mask), (picture, filled, mask.roll(9, 3))):
        assert not torch.allclose(estimator(*others, strange), told)


def scenes(count: int, seed: int, spoiled: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Grey noise with dark discs and their masks; spoiled ones lie elsewhere than their masks say."""
    random = np.random.default_rng(seed)
    rows, columns = np.ogrid[:32, :32]
    pictures, filled, masks = [], [], []
    for _ in range(count):
        ground = 0.6 + 0.03 * random.normal(size=(32, 32))
        (row, column), radius = random.uniform(9, 23, 2), random.uniform(3, 6)
        disc = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
        pictures.append(ground if spoiled else np.where(disc, ground - 0.3, ground))
        filled.append(np.where(disc, 0.6, ground))
        masks.append(disc)
    grey = [torch.from_numpy(np.stack(each)).float()[:, None].expand(-1, 3, -1, -1) for each in (pictures, filled)]
    return grey[0], grey[1], torch.from_numpy(np.stack(masks)).float()[:, None]


def shown(*parts: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> Shown:
    """With the darkness and roughness of blocks as features."""
    pictures, filled, masks = (torch.cat(each) for each in zip(*parts, strict=True))
    pool = nn.AvgPool2d(4)
    mean = pool(pictures[:, :1])
    features = torch.cat([mean, (pool(pictures[:, :1] ** 2) - mean**2).clamp(min=0).sqrt()], dim=1)
    return Shown(pictures, filled, masks, features, pool(masks))


def test_spoiled_pictures_end_with_lower_weights_than_sound_ones() -> None:
    synthetic = shown(scenes(40, 1, False), scenes(40, 2, True))
    validation = shown(scenes(30, 3, False))
    settings = Settings(steps=60)
    judge, outer = learnt(synthetic, synthetic.features[:0], validation, settings)
    again, _ = learnt(synthetic, synthetic.features[:0], validation, settings)
    fresh = shown(scenes(20, 4, False), scenes(20, 5, True))
    qualities = judge.qualities(fresh)
    assert torch.equal(qualities, again.qualities(fresh))
    sound, spoiled = qualities[:20], qualities[20:]
    assert float((sound[:, None] > spoiled[None]).float().mean()) > 0.95  # the AUROC
    assert all(np.isfinite(outer))


def test_the_best_share_is_kept_and_good_frames_always() -> None:
    qualities = np.array([np.nan, 0.2, 0.9, np.nan, 0.5, 0.4])
    found = weighed(qualities, 0.25, keep=0.5)
    assert found.frames == (0, 2, 3, 4)
    assert found.weights[[0, 3]].tolist() == [1.0, 1.0]
    assert found.weights[[1, 5]].tolist() == [0.0, 0.0]
    assert found.weights[[2, 4]].mean() == pytest.approx(1.0)
    assert found.weights[2] > found.weights[4]
    assert weighed(qualities, 0.25).frames == (0, 1, 2, 3, 4, 5)


def test_the_head_gives_a_logit_a_patch() -> None:
    assert SegmentationHead(5)(torch.zeros(2, 5, 4, 3)).shape == (2, 1, 4, 3)
