"""How good an edit is: pictures beside pictures, features beside features, and what changed beside what should have.

Pictures are (H, W) or (H, W, 3) in [0, 1]. What needs weights takes them from a local file or from the model at hand;
nothing is ever fetched, and no distance goes by another's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishError

if TYPE_CHECKING:
    import torch

    from diffusion_refine.core.models import Model

Picture = NDArray[np.floating]
Mask = NDArray[np.bool_]

MS_SSIM_SCALES = 5  # [Wang 2003]
LEAST_MS_SSIM_SIDE = 10 * 2 ** (MS_SSIM_SCALES - 1) + 1  # an 11-pixel window must fit at the coarsest scale
KID_DEGREE, KID_OFFSET = 3, 1.0  # [Bińkowski 2018]: (x·y / dimensions + 1)³
FEATURE_TIMESTEP = 50  # of 1000: low enough for detail, high enough for the denoiser to have something to do
CHANGED = 2.0 / 255.0  # of full scale: what a picture of 8 bits shows as a change and not as rounding


class MetricError(BlemishError):
    """A measure that cannot be taken; says what it lacks."""


def psnr(before: Picture, after: Picture) -> float | None:
    """Peak signal-to-noise ratio, decibels; None where the pictures are the same."""
    _check(before, after)
    if np.array_equal(before, after):
        return None
    from torchmetrics.functional.image import peak_signal_noise_ratio

    return float(peak_signal_noise_ratio(_tensor(after), _tensor(before), data_range=1.0))


def ssim(before: Picture, after: Picture) -> float:
    """Structural similarity with a Gaussian window of σ 1.5 over 11 pixels [Wang 2004], at most 1."""
    _check(before, after)
    from torchmetrics.functional.image import structural_similarity_index_measure

    return float(structural_similarity_index_measure(_tensor(after), _tensor(before), data_range=1.0))


def ms_ssim(before: Picture, after: Picture) -> float | None:
    """Structural similarity over five scales, at most 1; None for pictures of fewer than 161 pixels a side."""
    _check(before, after)
    if min(before.shape[:2]) < LEAST_MS_SSIM_SIDE:
        return None
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    return float(
        multiscale_structural_similarity_index_measure(
            _tensor(after), _tensor(before), data_range=1.0, normalize="relu"
        )
    )


def background_psnr(before: Picture, after: Picture, mask: Mask) -> float | None:
    """Peak signal-to-noise ratio of the pixels outside mask (H, W), decibels; None where they are the same."""
    _check(before, after, mask)
    difference = (np.asarray(after, np.float64) - before)[~mask]
    error = float(np.mean(difference**2)) if difference.size else 0.0
    return -10.0 * float(np.log10(error)) if error else None


def changed(before: Picture, after: Picture, threshold: float = CHANGED) -> Mask:
    """(H, W): where any channel changed by more than `threshold` of full scale."""
    _check(before, after)
    difference = np.abs(np.asarray(after, np.float64) - before)
    return (difference if difference.ndim == 2 else difference.max(axis=2)) > threshold


def mask_edit_iou(before: Picture, after: Picture, mask: Mask, threshold: float = CHANGED) -> float | None:
    """Intersection over union of what changed with mask (H, W); None where nothing changed and nothing should have."""
    _check(before, after, mask)
    edited = changed(before, after, threshold)
    union = np.count_nonzero(edited | mask)
    return np.count_nonzero(edited & mask) / union if union else None


def lpips(before: Picture, after: Picture, backbone: Path | str, network: str = "alex") -> float:
    """LPIPS [Zhang 2018] with the authors' linear layers and a backbone's ImageNet weights from a local file.

    backbone: weights of torchvision's alexnet (network "alex"), vgg16 ("vgg") or squeezenet1_1 ("squeeze") as
    .safetensors or .pth. Raises MetricError where they are not there or are another network's.
    """
    _check(before, after)
    import torch

    with torch.no_grad():
        pictures = (_tensor(picture).expand(1, 3, -1, -1).float() for picture in (before, after))
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


def denoiser_features(model: Model, pictures: torch.Tensor) -> list[torch.Tensor]:
    """What each stage of the model's denoiser makes of pictures (B, 3, H, W) in [0, 1]: (B, C, h, w), coarsest first.

    Activations after the middle and after every up block, at a low noise level, without noise and without words
    [Baranchuk 2022]; nothing is drawn.
    """
    import torch

    stages: list[torch.Tensor] = []

    def keep(module: object, inputs: object, output: torch.Tensor) -> None:
        stages.append(output.float())

    unet = model.unet
    hooks = [block.register_forward_hook(keep) for block in (unet.mid_block, *unet.up_blocks)]
    alpha = float(model.pipeline.scheduler.alphas_cumprod[FEATURE_TIMESTEP])
    try:
        with torch.no_grad():
            latents = model.encode(pictures.float()) * alpha**0.5
            prompt = model.encode_prompt([""], (pictures.shape[-2], pictures.shape[-1]))
            model.noise(latents, FEATURE_TIMESTEP, prompt.expand(len(latents)))
    finally:
        for hook in hooks:
            hook.remove()
    return stages


def denoiser_distance(model: Model, before: Picture, after: Picture) -> float:
    """Mean squared distance of the denoiser's unit-length features, averaged over its stages; 0 for the same pictures.

    Made like LPIPS, on the denoiser of this model, without weights learnt from people: it compares edits by one model
    and is not LPIPS.
    """
    import torch

    _check(before, after)
    pair = torch.cat([_tensor(picture).expand(1, 3, -1, -1).float() for picture in (before, after)])
    distances = []
    for stage in denoiser_features(model, pair):
        unit = torch.nn.functional.normalize(stage, dim=1)
        distances.append(float((unit[0] - unit[1]).square().sum(dim=0).mean()))
    return sum(distances) / len(distances)


def denoiser_statistics(model: Model, pictures: Sequence[Picture]) -> NDArray[np.float64]:
    """(n, dimensions): mean and spread of every denoiser feature over a picture; pictures of one size or of several."""
    import torch

    rows = []
    for picture in pictures:
        stages = denoiser_features(model, _tensor(picture).expand(1, 3, -1, -1).float())
        parts = [part for stage in stages for part in (stage.mean(dim=(2, 3)), stage.std(dim=(2, 3), correction=0))]
        rows.append(torch.cat(parts, dim=1)[0].double().cpu().numpy())
    return np.array(rows)


def standardised(reference: NDArray[np.floating], *samples: NDArray[np.floating]) -> tuple[NDArray[np.float64], ...]:
    """Samples (n, dimensions) with every dimension shifted and scaled by the reference's mean and spread.

    Untrained scales differ by orders of magnitude between stages; without this one stage is all that is compared.
    """
    mean, spread = reference.mean(axis=0), reference.std(axis=0)
    return tuple((sample - mean) / np.where(spread > 0.0, spread, 1.0) for sample in samples)


def kernel_distance(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """The kernel inception distance's estimator [Bińkowski 2018] on any features: unbiased squared MMD.

    first (m, d), second (n, d), two samples or more each; the kernel is (x·y/d + 1)³. Near 0, and negative as often as
    not, for two samples of one distribution. Raises MetricError for samples that cannot be compared.
    """
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise MetricError(
            f"kernel distance: found samples of shape {x.shape} and {y.shape}; expected (m, d) and (n, d), m and n > 1"
        )
    scale = x.shape[1]

    def kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((a @ b.T / scale + KID_OFFSET) ** KID_DEGREE)

    within_x, within_y = kernel(x, x), kernel(y, y)
    m, n = len(x), len(y)
    return float(
        (within_x.sum() - np.trace(within_x)) / (m * (m - 1))
        + (within_y.sum() - np.trace(within_y)) / (n * (n - 1))
        - 2.0 * kernel(x, y).mean()
    )


def _check(before: Picture, after: Picture, mask: Mask | None = None) -> None:
    if before.shape != after.shape or before.ndim not in (2, 3):
        raise ValueError(f"pictures of shape {before.shape} and {after.shape}; expected two of (H, W) or (H, W, 3)")
    if mask is not None and (mask.shape != before.shape[:2] or mask.dtype != bool):
        raise ValueError(f"mask of shape {mask.shape} and type {mask.dtype}; expected {before.shape[:2]} bool")


def _tensor(picture: Picture) -> torch.Tensor:
    """(1, C, H, W) double."""
    import torch

    array = np.ascontiguousarray(picture, np.float64)
    return torch.from_numpy(array if array.ndim == 3 else array[..., None]).permute(2, 0, 1)[None]
