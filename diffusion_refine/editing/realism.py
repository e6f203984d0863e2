"""Render to photograph: partial noising, and denoising that is free where a region schedule lets it be.

Every latent texel has a strength, the share of the noise schedule that it goes through: that of the defect inside its
mask, that of the background elsewhere, falling from one to the other over a band. Until a texel's turn comes it is the
picture's own latent at the level of noise that the others are at (Meng et al., SDEdit; Levin and Fried, Differential
Diffusion). Windows over one frame share their noise and are averaged after every step (Bar-Tal et al., MultiDiffusion).

What comes back is the difference that the denoising made, after the decoder: it is added to the picture's own pixels,
so that nothing that the autoencoder cannot hold is lost, and pixels where nothing may change keep every bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, label
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

from diffusion_refine.core.attention import ALPHA, residual_interpolation
from diffusion_refine.core.models import Model, Prompt
from diffusion_refine.core.protocols import Denoiser
from diffusion_refine.core.schedule import STEPS, Schedule
from diffusion_refine.editing.windows import Window, around, assembled, grid, padded, padded_shape, weights
from diffusion_refine.inversion.methods import ClassifierFree
from diffusion_refine.inversion.sampling import denoise
from procgen.errors import BlemishError
from scenes.jobs.progress import Progress

Picture = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

HOLE = 0.5  # grey, of what a model that paints shall not see
BATCH = 16  # windows in one pass of the UNet
GUIDANCE = 2.0  # a look is asked for, not a word to be obeyed; 5 and more drive small models into hard contrast


@dataclass(frozen=True)
class RealismSettings:
    """How far a picture may go.

    defect, background: shares of the noise schedule, 0 to 1, 0 leaving every pixel as it is. band: pixels around a mask
    over which the change fades out. steps: of the whole schedule. alpha: of residual interpolation. visible: share of
    its visibility that a defect keeps, by as much of its change being taken back as that needs.
    Raises BlemishError for shares that are none.
    """

    defect: float = 0.25
    background: float = 0.0
    band: int = 3
    steps: int = STEPS
    guidance_scale: float = GUIDANCE
    alpha: float = ALPHA
    visible: float = 0.9

    def __post_init__(self) -> None:
        shares = {"defect strength": self.defect, "background strength": self.background, "visible": self.visible}
        for name, share in shares.items():
            if not 0.0 <= share <= 1.0:
                raise BlemishError(f"{name}: found {share}; expected a share between 0 and 1")
        if self.band < 0:
            raise BlemishError(f"band: found {self.band}; expected 0 pixels or more")


def strength_map(mask: Mask, settings: RealismSettings) -> NDArray[np.float64]:
    """(H, W): the share of the schedule that each pixel goes through."""
    return settings.background + (settings.defect - settings.background) * _faded(mask, settings.band)


def share_map(mask: Mask, settings: RealismSettings) -> NDArray[np.float64]:
    """(H, W): how much of the change a pixel takes: 1 in the mask, 0 beyond the band where the rest is to stay."""
    return np.ones(mask.shape) if settings.background else _smooth(_faded(mask, settings.band))


def _faded(mask: Mask, band: int) -> NDArray[np.float64]:
    if not mask.any():
        return np.zeros(mask.shape)
    faded: NDArray[np.float64] = np.clip(1.0 - distance_transform_edt(~mask) / (band + 1), 0.0, 1.0)
    return faded


def _smooth(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without corners at 0 and 1: those would be seen as lines."""
    return share * share * (3.0 - 2.0 * share)


def windows_for(mask: Mask, settings: RealismSettings, model: Model) -> tuple[Window, ...]:
    """Windows over the padded frame: around what mask (H, W) marks, or all over where the background changes too."""
    shape = padded_shape(mask.shape, model.size, model.factor)
    if settings.background:
        return grid(shape, model.size, model.factor)
    whole = np.zeros(shape, dtype=bool)
    whole[: mask.shape[0], : mask.shape[1]] = mask
    return around(whole, model.size, model.factor)


def realistic(
    model: Model,
    picture: Picture,
    strength: NDArray[np.floating[Any]],
    windows: Sequence[Window],
    prompts: Sequence[str],
    settings: RealismSettings,
    generator: torch.Generator,
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """(H, W, 3): what to add to a picture (H, W, 3) in [0, 1] to make it look as the prompts say, 0 beyond the windows.

    strength (H, W): of `strength_map`; prompts: one a window. The same generator gives the same change. A model that
    paints sees nothing of the picture where strength is more than 0, and all the rest as it is.
    """
    schedule = Schedule(model, settings.steps)
    shape = padded_shape(strength.shape, model.size, model.factor)
    turns = torch.from_numpy(np.rint(settings.steps * padded(strength, shape))).float()
    texels = (shape[0] // model.factor, shape[1] // model.factor)
    turns = adaptive_max_pool2d(turns[None, None], texels)[0, 0]
    noise = torch.randn((model.latent_channels, *texels), generator=generator).to(model.device)
    change = np.zeros((*shape, 3))
    whole, hole = padded(np.asarray(picture, np.float64), shape), padded(np.asarray(strength) > 0, shape)
    filled = without(whole, hole) if model.paints else whole
    guidance = ClassifierFree(model.encode_prompt([""]), settings.guidance_scale)
    for members in together(windows):
        chosen = [windows[member] for member in members]
        span = max(int(turns[window.texels(model.factor).slices].max()) for window in chosen)
        if span == 0:
            continue
        images = as_batch([whole[w.slices] for w in chosen])
        seen = as_batch([filled[w.slices] for w in chosen]) if model.paints else images
        latents = in_batches(model.encode, seen)
        texels_of = tuple(w.texels(model.factor) for w in chosen)
        regions = Regions(schedule, texels_of, latents, noise, turns.to(model.device))
        prompt = model.encode_prompt([prompts[member] for member in members])
        denoiser: Denoiser = Batched(model)
        if model.paints:
            holes = torch.from_numpy(np.stack([hole[w.slices] for w in chosen]))
            denoiser = Seeing(denoiser, surroundings(model, seen, holes))
        start = schedule.steps - span
        with residual_interpolation(model.unet, settings.alpha):
            made = denoise(
                denoiser,
                regions.noised(start),
                prompt,
                guidance,
                schedule,
                start=start,
                blend=regions,
                progress=progress,
            )
        after = in_batches(model.decode, made)
        # What the autoencoder cannot hold of a hole is a trace of what shall be gone.
        before = images.to(after) if model.paints else in_batches(model.decode, regions.cut(regions.clean))
        pieces = (after - before).permute(0, 2, 3, 1).double().cpu().numpy()
        change += assembled(list(pieces), chosen, shape)[0]
    return change[: strength.shape[0], : strength.shape[1]]


class Regions:
    """The region schedule over the windows of one group: what `denoise` calls after every step.

    clean: latents (C, h, w) of the frame, put together from those of its windows; turns (h, w): the number of last
    steps in which a texel is denoised.
    """

    def __init__(
        self, schedule: Schedule, windows: Sequence[Window], latents: Tensor, noise: Tensor, turns: Tensor
    ) -> None:
        self.schedule, self.windows, self.noise, self.turns = schedule, windows, noise, turns
        self.weights = torch.from_numpy(weights(windows, (turns.shape[0], turns.shape[1]))).float().to(noise.device)
        self.clean = self.joined(latents)

    def joined(self, latents: Tensor) -> Tensor:
        """Latents (n, C, s, s) of the windows as those of the frame (C, h, w)."""
        whole = torch.zeros_like(self.noise)
        for window, weight, piece in zip(self.windows, self.weights, latents, strict=True):
            whole[(slice(None), *window.slices)] += weight * piece
        return whole

    def cut(self, whole: Tensor) -> Tensor:
        """Latents of the frame as those of the windows."""
        return torch.stack([whole[(slice(None), *window.slices)] for window in self.windows])

    def noised(self, start: int) -> Tensor:
        """What step `start` begins with."""
        return self.cut(self._known(self.schedule.levels(start)[0]))

    def _known(self, level: float) -> Tensor:
        return self.clean * float(level**0.5) + self.noise * float((1.0 - level) ** 0.5)

    def __call__(self, latents: Tensor, index: int, steps: int) -> Tensor:
        last = index == steps - 1
        known = self.clean if last else self._known(self.schedule.levels(index)[1])
        return self.cut(torch.where(self.turns >= steps - index, self.joined(latents), known))


@dataclass(frozen=True, eq=False)
class Seeing:
    """A denoiser that sees what is round the holes of pictures. known: (B, 1 + C, h, w) of `surroundings`."""

    denoiser: Denoiser
    known: Tensor

    def noise(self, latents: Tensor, timestep: Tensor | int, conditions: Prompt) -> Tensor:
        """As the denoiser's own; latents (k · B, C, h, w) are of all pictures, k times."""
        known = self.known.repeat(len(latents) // len(self.known), 1, 1, 1)
        return self.denoiser.noise(torch.cat([latents, known], dim=1), timestep, conditions)


def without(picture: Picture, hole: Mask) -> NDArray[np.float64]:
    """A picture (H, W, 3) in whose hole (H, W) every pixel is as the nearest one outside it; grey where none is.

    The coarsest noise of a schedule hides a picture, but for a trace of its tone: it is not to be that of the defect.
    """
    if hole.all():
        return np.full(picture.shape, HOLE)
    rows, columns = distance_transform_edt(hole, return_distances=False, return_indices=True)
    found: NDArray[np.float64] = np.asarray(picture, np.float64)[rows, columns]
    return found


def as_batch(pictures: Sequence[Picture]) -> Tensor:
    """(B, 3, H, W) float32 of pictures (H, W, 3)."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()


def surroundings(model: Model, images: Tensor, holes: Tensor) -> Tensor:
    """(B, 1 + C, h, w): what an in-painting model is given beside latents, in the order of Stable Diffusion's.

    Texels that a hole (B, H, W) touches, and the latents of pictures (B, 3, H, W) in [0, 1] that are grey in it.
    """
    seen = torch.where(holes[:, None], HOLE, images)
    return beside_hole(holes, in_batches(model.encode, seen))


def beside_hole(holes: Tensor, latents: Tensor) -> Tensor:
    """(B, 1 + C, h, w): the texels that holes (B, H, W) touch, and latents (B, C, h, w)."""
    touched = adaptive_max_pool2d(holes[:, None].float(), latents.shape[-2:])
    return torch.cat([touched.to(latents), latents], dim=1)


@dataclass(frozen=True)
class Batched:
    """A denoiser that is asked for so many latents at a time at most."""

    denoiser: Denoiser
    most: int = BATCH

    def noise(self, latents: Tensor, timestep: Tensor | int, conditions: Prompt) -> Tensor:
        """As the denoiser's own."""
        conditions, most = conditions.expand(len(latents)), self.most
        starts = range(0, len(latents), most)
        return torch.cat(
            [self.denoiser.noise(latents[i : i + most], timestep, conditions[i : i + most]) for i in starts]
        )


def in_batches(function: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
    """A function of a batch, given BATCH of it at a time."""
    return torch.cat([function(part) for part in batch.split(BATCH)])


def together(windows: Sequence[Window]) -> list[list[int]]:
    """Numbers of the windows in groups that do not touch one another."""
    if not windows:
        return []
    height, width = (max(getattr(w, side) + w.side for w in windows) for side in ("top", "left"))
    covered = np.zeros((height, width), dtype=bool)
    for window in windows:
        covered[window.slices] = True
    parts, count = label(covered)
    groups: list[list[int]] = [[] for _ in range(count)]
    for number, window in enumerate(windows):
        groups[parts[window.top, window.left] - 1].append(number)
    return groups
