"""Measures beside scikit-image, closed forms and brute force."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from numpy.typing import NDArray
from safetensors.torch import save_file
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from diffusion_refine.metrics import fidelity as metrics


@pytest.fixture
def pair() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    before = gaussian_filter(rng.random((180, 200, 3)), (2, 2, 0))
    before = (before - before.min()) / np.ptp(before)
    return before, np.clip(before + 0.05 * rng.normal(size=before.shape), 0, 1)


def test_psnr_and_ssim_agree_with_another_library(pair: tuple[NDArray, NDArray]) -> None:
    before, after = pair
    assert metrics.psnr(before, after) == pytest.approx(peak_signal_noise_ratio(before, after, data_range=1), abs=1e-4)
    expected = structural_similarity(
        before, after, data_range=1, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert metrics.ssim(before, after) == pytest.approx(expected, abs=2e-3)  # they differ at the rims alone
    assert metrics.psnr(before, before) is None
    assert metrics.ssim(before, before) == pytest.approx(1.0)


@pytest.mark.parametrize("cut", [np.s_[:, :], np.s_[60:63, 100:104], np.s_[:2, 195:], np.s_[3:9, :]])
def test_ssim_of_a_local_change_is_that_of_the_whole_picture(pair: tuple[NDArray, NDArray], cut) -> None:
    before, noisy = pair
    after = before.copy()
    after[cut] = noisy[cut]
    for x, y in ((before, after), (before[..., 0], after[..., 0])):
        tensors = (metrics.as_tensor(picture) for picture in (y, x))
        expected = float(structural_similarity_index_measure(*tensors, data_range=1.0))
        assert metrics.ssim(x, y) == pytest.approx(expected, abs=1e-10)


def test_ms_ssim_is_the_product_over_scales(pair: tuple[NDArray, NDArray]) -> None:
    """[Wang 2003], equation 7, from scikit-image's maps of one grey picture at five scales."""
    before, after = (picture.mean(axis=2) for picture in pair)
    c2 = 0.03**2
    expected, exponents = 1.0, (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    x, y = before, after
    for scale, exponent in enumerate(exponents):
        blurred = [gaussian_filter(part, 1.5, truncate=3.5) for part in (x, y, x * x, y * y, x * y)]
        deviations = blurred[2] - blurred[0] ** 2, blurred[3] - blurred[1] ** 2, blurred[4] - blurred[0] * blurred[1]
        contrast = (2 * deviations[2] + c2) / (deviations[0] + deviations[1] + c2)
        if scale == len(exponents) - 1:
            contrast = contrast * (2 * blurred[0] * blurred[1] + 1e-4) / (blurred[0] ** 2 + blurred[1] ** 2 + 1e-4)
        expected *= contrast[5:-5, 5:-5].mean() ** exponent
        x, y = (part[: part.shape[0] // 2 * 2, : part.shape[1] // 2 * 2] for part in (x, y))
        x, y = (part.reshape(part.shape[0] // 2, 2, part.shape[1] // 2, 2).mean(axis=(1, 3)) for part in (x, y))
    found = metrics.ms_ssim(before, after)
    assert found == pytest.approx(expected, abs=5e-3)
    assert metrics.ms_ssim(before[:160], after[:160]) is None


def test_background_and_edit_are_told_apart_by_the_mask(pair: tuple[NDArray, NDArray]) -> None:
    before, noisy = pair
    mask = np.zeros(before.shape[:2], bool)
    mask[40:80, 50:90] = True
    after = before.copy()
    after[mask] = noisy[mask]
    assert metrics.background_psnr(before, after, mask) is None
    assert metrics.background_psnr(before, noisy, mask) == pytest.approx(
        peak_signal_noise_ratio(before[~mask], noisy[~mask], data_range=1), abs=1e-6
    )
    shifted = before.copy()
    shifted[40:80, 70:110] += 0.1  # half of it beside the mask
    assert metrics.mask_edit_iou(before, shifted, mask) == pytest.approx(20 / 60)
    assert metrics.mask_edit_iou(before, before, np.zeros_like(mask)) is None
    assert metrics.mask_edit_iou(before, before, mask) == 0.0


def test_pictures_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        metrics.psnr(np.zeros((8, 8)), np.zeros((8, 9)))
    with pytest.raises(ValueError, match="mask"):
        metrics.background_psnr(np.zeros((8, 8)), np.zeros((8, 8)), np.zeros((4, 4), bool))


def test_lpips_wants_local_weights_and_fetches_nothing(
    tmp_path: Path, pair: tuple[NDArray, NDArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetched(*_: object, **__: object) -> None:
        raise AssertionError("weights were fetched")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fetched)
    before, after = (picture[:64, :64] for picture in pair)
    with pytest.raises(metrics.MetricError, match="nothing is fetched"):
        metrics.lpips(before, after, tmp_path / "none.pth")
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(metrics.MetricError, match="no weights that can be read"):
        metrics.lpips(before, after, tmp_path / "bad.safetensors")
    save_file({"features.0.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(metrics.MetricError, match=r"features\.0\.weight"):
        metrics.lpips(before, after, tmp_path / "other.safetensors")
    with pytest.raises(metrics.MetricError, match="alex"):
        metrics.lpips(before, after, tmp_path / "other.safetensors", "resnet")


def test_lpips_uses_exactly_the_weights_it_is_given(tmp_path: Path, pair: tuple[NDArray, NDArray]) -> None:
    """The distance from torchvision's own network and the linear layers, by the paper's formula."""
    from torchmetrics.functional.image import lpips as theirs

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = torchvision.models.alexnet(weights=None).eval()
    save_file(network.state_dict(), tmp_path / "alexnet.safetensors")
    before, after = (picture[:64, :64] for picture in pair)
    linear = torch.load(
        Path(theirs.__file__).parent / "lpips_models" / "alex.pth", map_location="cpu", weights_only=True
    )
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    stages = []
    for picture in (before, after):
        hidden = torch.from_numpy(picture).float().permute(2, 0, 1)[None] * 2 - 1
        hidden = (hidden - shift[None, :, None, None]) / scale[None, :, None, None]
        kept = []
        for number, layer in enumerate(network.features):
            hidden = layer(hidden)
            if number in (1, 4, 7, 9, 11):
                kept.append(hidden / (hidden.square().sum(dim=1, keepdim=True).sqrt() + 1e-8))
        stages.append(kept)
    expected = sum(
        float((linear[f"lin{k}.model.1.weight"] * (a - b) ** 2).sum(dim=1).mean().detach())
        for k, (a, b) in enumerate(zip(*stages, strict=True))
    )
    found = metrics.lpips(before, after, tmp_path / "alexnet.safetensors")
    assert found == pytest.approx(expected, rel=1e-3)
    assert metrics.lpips(before, before, tmp_path / "alexnet.safetensors") == pytest.approx(0.0, abs=1e-7)
