"""Distances by features beside brute force and closed forms."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from diffusion_refine.core.models import Model
from diffusion_refine.metrics.fidelity import MetricError
from diffusion_refine.metrics.kernel_distance import (
    FEATURE_TIMESTEP,
    denoiser_distance,
    denoiser_features,
    denoiser_statistics,
    kernel_distance,
    standardised,
)


@pytest.fixture
def pair() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    before = gaussian_filter(rng.random((180, 200, 3)), (2, 2, 0))
    before = (before - before.min()) / np.ptp(before)
    return before, np.clip(before + 0.05 * rng.normal(size=before.shape), 0, 1)


def test_kernel_distance_is_the_unbiased_double_sum() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(7, 5)), rng.normal(size=(9, 5)) + 0.4

    def kernel(a: NDArray, b: NDArray) -> float:
        return float((sum(p * q for p, q in zip(a, b, strict=True)) / 5 + 1) ** 3)

    within_x = sum(kernel(x[i], x[j]) for i in range(7) for j in range(7) if i != j) / 42
    within_y = sum(kernel(y[i], y[j]) for i in range(9) for j in range(9) if i != j) / 72
    across = sum(kernel(a, b) for a in x for b in y) / 63
    assert kernel_distance(x, y) == pytest.approx(within_x + within_y - 2 * across, rel=1e-12)


def test_kernel_distance_is_zero_on_average_for_one_distribution_and_grows_with_a_shift() -> None:
    rng = np.random.default_rng(2)
    same = [kernel_distance(rng.normal(size=(20, 4)), rng.normal(size=(20, 4))) for _ in range(200)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(200)
    x = rng.normal(size=(60, 4))
    near, far = (kernel_distance(x, rng.normal(size=(60, 4)) + shift) for shift in (0.5, 1.5))
    assert 0 < near < far
    with pytest.raises(MetricError, match="expected"):
        kernel_distance(x, x[:1])


def test_standardising_makes_scales_equal() -> None:
    rng = np.random.default_rng(3)
    reference = rng.normal(size=(50, 3)) * (1, 100, 1e-4) + 5
    (found,) = standardised(reference, reference)
    np.testing.assert_allclose(found.std(axis=0), 1.0)
    np.testing.assert_allclose(found.mean(axis=0), 0.0, atol=1e-9)


def test_own_distance_is_zero_for_the_same_and_grows_with_the_change(
    tiny_model: Callable[..., Model], pair: tuple[NDArray, NDArray]
) -> None:
    model = tiny_model("sd15")
    before, after = (picture[:64, :64] for picture in pair)
    distances = [denoiser_distance(model, before, before + t * (after - before)) for t in (0.0, 0.2, 1.0)]
    assert distances[0] == pytest.approx(0.0, abs=1e-9)
    assert distances[0] < distances[1] < distances[2]
    grey = before.mean(axis=2)
    repeated = np.repeat(grey[..., None], 3, axis=2)
    assert denoiser_distance(model, grey, grey**1.1) == pytest.approx(denoiser_distance(model, repeated, repeated**1.1))
    statistics = denoiser_statistics(model, [before, grey, after[:48]])
    assert statistics.shape[0] == 3
    assert np.isfinite(statistics).all()


def test_features_are_what_the_blocks_of_the_denoiser_give_and_leave_no_trace(
    tiny_model: Callable[..., Model], pair: tuple[NDArray, NDArray]
) -> None:
    model = tiny_model("sdxl")
    picture = torch.from_numpy(pair[0][:64, :64]).permute(2, 0, 1)[None].float()
    before = [len(block._forward_hooks) for block in (model.unet.mid_block, *model.unet.up_blocks)]
    stages = denoiser_features(model, picture)
    assert [len(block._forward_hooks) for block in (model.unet.mid_block, *model.unet.up_blocks)] == before
    assert len(stages) == 1 + len(model.unet.up_blocks)
    last = model.unet.conv_out(model.unet.conv_act(model.unet.conv_norm_out(stages[-1])))
    alpha = float(model.pipeline.scheduler.alphas_cumprod[FEATURE_TIMESTEP])
    latents = model.encode(picture) * alpha**0.5
    with torch.no_grad():
        expected = model.noise(latents, FEATURE_TIMESTEP, model.encode_prompt([""], (64, 64)))
    assert torch.allclose(last, expected, atol=1e-5)
