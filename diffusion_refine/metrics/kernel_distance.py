"""Features of the denoiser, and distances by them: of two pictures, or of two samples of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffusion_refine.core.models import Model
from diffusion_refine.metrics.fidelity import MetricError, Picture, as_tensor, check_pictures

KID_DEGREE, KID_OFFSET = 3, 1.0  # [Bińkowski 2018]: (x·y / dimensions + 1)³
FEATURE_TIMESTEP = 50  # of 1000: low enough for detail, high enough for the denoiser to have something to do


def denoiser_features(model: Model, pictures: torch.Tensor) -> list[torch.Tensor]:
    """What each stage of the model's denoiser makes of pictures (B, 3, H, W) in [0, 1]: (B, C, h, w), coarsest first.

    Activations after the middle and after every up block, at a low noise level, without noise and without words
    [Baranchuk 2022]; nothing is drawn.
    """
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
    check_pictures(before, after)
    pair = torch.cat([as_tensor(picture).expand(1, 3, -1, -1).float() for picture in (before, after)])
    distances = []
    for stage in denoiser_features(model, pair):
        unit = torch.nn.functional.normalize(stage, dim=1)
        distances.append(float((unit[0] - unit[1]).square().sum(dim=0).mean()))
    return sum(distances) / len(distances)


def denoiser_statistics(model: Model, pictures: Sequence[Picture]) -> NDArray[np.float64]:
    """(n, dimensions): mean and spread of every denoiser feature over a picture; pictures of one size or of several."""
    rows = []
    for picture in pictures:
        stages = denoiser_features(model, as_tensor(picture).expand(1, 3, -1, -1).float())
        parts = [part for stage in stages for part in (stage.mean(dim=(2, 3)), stage.std(dim=(2, 3), correction=0))]
        rows.append(torch.cat(parts, dim=1)[0].double().cpu().numpy())
    return np.array(rows)


def standardised(
    reference: NDArray[np.floating[Any]], *samples: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.float64], ...]:
    """Samples (n, dimensions) with every dimension shifted and scaled by the reference's mean and spread.

    Untrained scales differ by orders of magnitude between stages; without this one stage is all that is compared.
    """
    mean, spread = reference.mean(axis=0), reference.std(axis=0)
    return tuple((sample - mean) / np.where(spread > 0.0, spread, 1.0) for sample in samples)


def kernel_distance(first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]) -> float:
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
