"""How good an edit is: pictures beside pictures, and what changed beside what should have.

Pictures are (H, W) or (H, W, 3) in [0, 1]. What needs weights takes them from a local file or from the model at hand;
nothing is ever fetched, and no distance goes by another's name.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from procgen.errors import BlemishError

if TYPE_CHECKING:
    import torch

Picture = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

WINDOW = 5  # pixels on either side of the middle one, of SSIM
MS_SSIM_SCALES = 5  # [Wang 2003]
LEAST_MS_SSIM_SIDE = 10 * 2 ** (MS_SSIM_SCALES - 1) + 1  # an 11-pixel window must fit at the coarsest scale
CHANGED = 2.0 / 255.0  # of full scale: what a picture of 8 bits shows as a change and not as rounding


class MetricError(BlemishError):
    """A measure that cannot be taken; says what it lacks."""


def psnr(before: Picture, after: Picture) -> float | None:
    """Peak signal-to-noise ratio, decibels; None where the pictures are the same."""
    check_pictures(before, after)
    error = float(np.mean((np.asarray(after, np.float64) - before) ** 2))
    return -10.0 * float(np.log10(error)) if error else None


def ssim(before: Picture, after: Picture) -> float:
    """Structural similarity with a Gaussian window of σ 1.5 over 11 pixels [Wang 2004], at most 1.

    Mean over all pixels, mirrored at the rims, and all channels; only around what differs is it not 1.
    """
    check_pictures(before, after)
    x, y = (np.asarray(picture, np.float64).reshape(*before.shape[:2], -1) for picture in (before, after))
    differs = (x != y).any(axis=2)
    if not differs.any():
        return 1.0
    box, seen = (_around(differs, reach) for reach in (WINDOW, 2 * WINDOW))
    x, y = x[seen], y[seen]

    def blurred(picture: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = gaussian_filter(
            picture, (1.5, 1.5, 0.0), mode="mirror", radius=(WINDOW, WINDOW, 0)
        )
        return found

    mean_x, mean_y = blurred(x), blurred(y)
    variances = np.maximum(blurred(x * x) - mean_x**2, 0.0) + np.maximum(blurred(y * y) - mean_y**2, 0.0)
    covariance = blurred(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    found = (2 * mean_x * mean_y + c1) * (2 * covariance + c2) / ((mean_x**2 + mean_y**2 + c1) * (variances + c2))
    inner = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, seen, strict=True))
    missing = float((1.0 - found[inner]).sum())
    return 1.0 - missing / float(differs.size * found.shape[2])


def _around(mask: Mask, reach: int) -> tuple[slice, slice]:
    """Rows and columns of the box of a mask (H, W), so many pixels wider."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return (
        slice(max(0, int(rows[0]) - reach), min(mask.shape[0], int(rows[-1]) + reach + 1)),
        slice(max(0, int(columns[0]) - reach), min(mask.shape[1], int(columns[-1]) + reach + 1)),
    )


def ms_ssim(before: Picture, after: Picture) -> float | None:
    """Structural similarity over five scales, at most 1; None for pictures of fewer than 161 pixels a side."""
    check_pictures(before, after)
    if min(before.shape[:2]) < LEAST_MS_SSIM_SIDE:
        return None
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    return float(
        multiscale_structural_similarity_index_measure(
            as_tensor(after), as_tensor(before), data_range=1.0, normalize="relu"
        )
    )


def background_psnr(before: Picture, after: Picture, mask: Mask) -> float | None:
    """Peak signal-to-noise ratio of the pixels outside mask (H, W), decibels; None where they are the same."""
    check_pictures(before, after, mask)
    difference = (np.asarray(after, np.float64) - before)[~mask]
    error = float(np.mean(difference**2)) if difference.size else 0.0
    return -10.0 * float(np.log10(error)) if error else None


def changed(before: Picture, after: Picture, threshold: float = CHANGED) -> Mask:
    """(H, W): where any channel changed by more than `threshold` of full scale."""
    check_pictures(before, after)
    difference = np.abs(np.asarray(after, np.float64) - before)
    where: Mask = (difference if difference.ndim == 2 else difference.max(axis=2)) > threshold
    return where


def mask_edit_iou(before: Picture, after: Picture, mask: Mask, threshold: float = CHANGED) -> float | None:
    """Intersection over union of what changed with mask (H, W); None where nothing changed and nothing should have."""
    check_pictures(before, after, mask)
    edited = changed(before, after, threshold)
    union = np.count_nonzero(edited | mask)
    return np.count_nonzero(edited & mask) / union if union else None


def lpips(before: Picture, after: Picture, backbone: Path | str, network: str = "alex") -> float:
    """LPIPS [Zhang 2018] with the authors' linear layers and a backbone's ImageNet weights from a local file.

    backbone: weights of torchvision's alexnet (network "alex"), vgg16 ("vgg") or squeezenet1_1 ("squeeze") as
    .safetensors or .pth. Raises MetricError where they are not there or are another network's.
    """
    check_pictures(before, after)
    import torch

    with torch.no_grad():
        pictures = (as_tensor(picture).expand(1, 3, -1, -1).float() for picture in (before, after))
        return float(_lpips_network(str(backbone), network)(*pictures, normalize=True))


@cache
def _lpips_network(backbone: str, network: str) -> Any:
    from torchmetrics.functional.image.lpips import _LPIPS

    if network not in ("alex", "vgg", "squeeze"):
        raise MetricError(f"LPIPS: found the network {network}; expected alex, vgg or squeeze")
    given = _weights(Path(backbone))
    scorer = _LPIPS(net=network, pnet_rand=True)  # random, so that nothing is fetched; every weight is replaced below
    own = scorer.net.state_dict()
    named = {name: f"features.{name.partition('.')[2]}" for name in own}  # slice2.3.weight is features.3.weight there
    wrong = [theirs for ours, theirs in named.items() if theirs not in given or given[theirs].shape != own[ours].shape]
    if wrong:
        raise MetricError(
            f"{backbone}: holds no {wrong[0]} of the shape that LPIPS's {network} has; "
            "expected torchvision's weights of alexnet (alex), vgg16 (vgg) or squeezenet1_1 (squeeze)"
        )
    scorer.net.load_state_dict({ours: given[theirs] for ours, theirs in named.items()})
    return scorer


def _weights(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise MetricError(
            f"{path}: is not there; LPIPS needs its backbone's weights as a local file, for nothing is fetched. "
            "Without one take PSNR, SSIM and the distance on the model's own features"
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        import torch

        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # of whatever kind a damaged file raises
        raise MetricError(f"{path}: holds no weights that can be read ({str(error).splitlines()[0]})") from None


def check_pictures(before: Picture, after: Picture, mask: Mask | None = None) -> None:
    """Raise ValueError for pictures, or a mask, of different shapes."""
    if before.shape != after.shape or before.ndim not in (2, 3):
        raise ValueError(f"pictures of shape {before.shape} and {after.shape}; expected two of (H, W) or (H, W, 3)")
    if mask is not None and (mask.shape != before.shape[:2] or mask.dtype != bool):
        raise ValueError(f"mask of shape {mask.shape} and type {mask.dtype}; expected {before.shape[:2]} bool")


def as_tensor(picture: Picture) -> torch.Tensor:
    """(1, C, H, W) double."""
    import torch

    array = np.ascontiguousarray(picture, np.float64)
    return torch.from_numpy(array if array.ndim == 3 else array[..., None]).permute(2, 0, 1)[None]
