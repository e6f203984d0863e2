"""The distance of features, against torchmetrics and samples that are alike."""

import pytest
import torch
from torchmetrics.image.kid import poly_mmd

from anomaly.gallery.feature_distance import compared_features, kernel_distance


def sample(count, shift=0.0, seed=0):
    return torch.randn(count, 12, generator=torch.Generator().manual_seed(seed)) + shift


def test_it_is_the_kernel_distance_of_torchmetrics():
    first, second = sample(40), sample(40, 0.5, 1)
    assert kernel_distance(first, second) == pytest.approx(float(poly_mmd(first.double(), second.double())), rel=1e-6)


def test_alike_samples_lie_no_farther_apart_than_two_halves_of_one():
    alike = compared_features(sample(60), sample(60, seed=1), "made up")
    apart = compared_features(sample(60, 1.0), sample(60, seed=1), "made up")
    assert abs(alike.distance) < 3 * alike.deviation
    assert apart.distance > 5 * apart.deviation
    assert abs(alike.floor) < apart.distance / 10
    assert compared_features(sample(60), sample(60, seed=1), "made up") == alike


def test_a_feature_that_never_varies_counts_for_nothing():
    first, second = sample(20), sample(20, seed=1)
    first[:, 0] = second[:, 0] = 3.0
    assert torch.isfinite(torch.tensor(compared_features(first, second, "made up").distance))
