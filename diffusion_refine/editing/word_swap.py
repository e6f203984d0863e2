"""Word swaps: one picture and its prompt, and what the picture would be were a word of the prompt another.

Invert, denoise under the prompt's and the targets' words side by side with the source's attention (section 3.4 of the
null embedding paper), keep the picture outside the place of the edit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from diffusion_refine.core.attention import ALPHA, SELECTED, residual_interpolation
from diffusion_refine.core.models import Model
from diffusion_refine.core.schedule import STEPS
from diffusion_refine.inversion.methods import Inversion, InversionSettings, prepare
from diffusion_refine.inversion.null_embedding import NullSettings
from diffusion_refine.inversion.sampling import edit
from diffusion_refine.metrics import fidelity as metrics
from diffusion_refine.prompt_to_prompt.alignment import Tokens, changes, tokens_of
from diffusion_refine.prompt_to_prompt.controllers import (
    AMPLIFIER,
    CROSS,
    SELF,
    Controller,
    Edit,
    refine_words,
    replace_words,
)
from diffusion_refine.prompt_to_prompt.local_blend import START, THRESHOLD, LocalBlend, MaskBlend, picture_mask
from diffusion_refine.prompt_to_prompt.maps import Maps, token_maps
from procgen.errors import BlemishError
from scenes.jobs.progress import Progress

Picture = NDArray[np.floating[Any]]

FEATHER = 1.0  # latent texels over which an edit's place fades into the photograph
AT_ONCE = 8  # targets denoised together; more need more memory and hardly less time


@dataclass(frozen=True)
class SwapSettings:
    """How words are swapped; the defaults are the paper's (appendix A), the method is this project's.

    method: "direct", "null" or "negative-prompt"; guidance_scale: the model family's usual one when None; alpha,
    blocks: of residual interpolation; cross, self_share: shares of the steps in which attention is the source's;
    amplifier: factor of the new words' attention; threshold, start: of the local blend, and None for a threshold
    edits the whole picture; margin: latent texels around a given mask.
    """

    method: str = "direct"
    steps: int = STEPS
    guidance_scale: float | None = None
    alpha: float = ALPHA
    blocks: tuple[str, ...] = SELECTED
    cross: float = CROSS
    self_share: float = SELF
    amplifier: float = AMPLIFIER
    threshold: float | None = THRESHOLD
    start: float = START
    margin: int = 1
    null: NullSettings = field(default_factory=NullSettings)

    def freed(self, share: float) -> SwapSettings:
        """With so much less of the source's attention, 0 to 1: what is made may differ more from the picture."""
        kept = 1.0 - share
        return replace(self, cross=kept * self.cross, self_share=kept * self.self_share)


@dataclass(frozen=True, eq=False)
class Swapped:
    """One target: its prompt, the picture (H, W, 3) in [0, 1], where it was edited (H, W), and how far it went.

    psnr, ssim: to the photograph, whole; background_psnr: outside the place; all None where nothing differs or nothing
    is outside. decoded: as the autoencoder gave it, before the photograph's own pixels came back outside the place.
    """

    prompt: str
    picture: Picture
    decoded: Picture
    place: NDArray[np.bool_]
    psnr: float | None
    ssim: float
    background_psnr: float | None


@dataclass(frozen=True, eq=False)
class Edited:
    """A photograph's swaps; reconstruction: the source branch, decoded; maps: what its words attended to."""

    prompt: str
    reconstruction: Picture
    swaps: tuple[Swapped, ...]
    maps: dict[str, NDArray[np.float32]]


def swap_words(
    model: Model,
    picture: Picture,
    prompt: str,
    targets: Sequence[str],
    mask: NDArray[np.bool_] | None = None,
    settings: SwapSettings | None = None,
    progress: Progress | None = None,
    source: Inversion | None = None,
) -> Edited:
    """What a picture (H, W, 3) in [0, 1], described by a prompt, becomes under each of the target prompts.

    Words that take other words' place replace their attention, words that are only added or removed leave the others
    theirs. mask: (H, W), where it may change; without one, where the words that differ attend to, which a small model
    knows roughly: a mask is better where there is one. Sides must be multiples of the model's coarsest texel. source:
    of `inverted`, to edit one picture more than once. Deterministic: nothing is drawn.

    Raises:
        BlemishError: no targets, a target equal to the prompt, a prompt too long, a picture of other sides.
    """
    settings = settings or SwapSettings()
    if not targets:
        raise BlemishError("no target prompts were given; give at least one that differs from the prompt in a word")
    source_tokens, target_tokens = tokens(model, prompt), [tokens(model, target) for target in targets]
    for target in target_tokens:
        if target.ids == source_tokens.ids:
            raise BlemishError(f"the target {target.text!r} is the prompt itself; change a word of it")
    size = (picture.shape[0], picture.shape[1])
    source = source or inverted(model, picture, prompt, settings, progress)
    with residual_interpolation(model.unet, settings.alpha, settings.blocks):
        pieces = [
            _denoised(model, source, source_tokens, target_tokens[k : k + AT_ONCE], size, mask, settings, progress)
            for k in range(0, len(targets), AT_ONCE)
        ]
    first, _, maps = pieces[0]
    reconstruction = as_pictures(model.decode(first[:1]))[0]
    decoded = np.concatenate([as_pictures(model.decode(latents[1:])) for latents, _, _ in pieces])
    places = np.concatenate([place for _, place, _ in pieces])
    photograph = np.asarray(picture, np.float32)
    swaps = tuple(
        _swapped(target, photograph, reconstruction, one, place, model.factor)
        for target, one, place in zip(targets, decoded, places, strict=True)
    )
    attention = maps.placing((first.shape[-2], first.shape[-1])) if maps.shapes() else None
    return Edited(prompt, reconstruction, swaps, {} if attention is None else token_maps(attention, source_tokens))


def inverted(
    model: Model, picture: Picture, prompt: str, settings: SwapSettings, progress: Progress | None = None
) -> Inversion:
    """A picture (H, W, 3) in [0, 1] and its prompt brought to noise by the settings' method, under their RLI."""
    conditions = model.encode_prompt([prompt], (picture.shape[0], picture.shape[1]))
    how = InversionSettings(settings.steps, settings.guidance_scale, settings.null)
    with residual_interpolation(model.unet, settings.alpha, settings.blocks):
        return prepare(settings.method, model, model.encode(as_tensor(picture)), conditions, how, progress)


def attention_of(
    model: Model, source: Inversion, prompt: str, settings: SwapSettings
) -> dict[str, NDArray[np.float32]]:
    """What every word of a picture's prompt attends to while it is brought back, as `token_maps`; edits nothing."""
    maps = Maps()
    with residual_interpolation(model.unet, settings.alpha, settings.blocks):
        latents = edit(model, source, controller=Controller(maps=maps))
    return token_maps(maps.placing((latents.shape[-2], latents.shape[-1])), tokens(model, prompt))


def tokens(model: Model, prompt: str) -> Tokens:
    """A prompt as the model's tokenizers read it."""
    both = (getattr(model.pipeline, name, None) for name in ("tokenizer", "tokenizer_2"))
    return tokens_of(prompt, [tokenizer for tokenizer in both if tokenizer is not None])


def attention_edit(source: Tokens, target: Tokens, amplifier: float = AMPLIFIER) -> Edit:
    """Replacement where all words that differ have counterparts, else refinement; the target's new words amplified."""
    paired = all(old and new for old, new in changes(source, target))
    made = (replace_words if paired else refine_words)(source, target)
    return made.amplified(differing(source, target)[1], amplifier)


def differing(source: Tokens, target: Tokens) -> tuple[list[int], list[int]]:
    """Positions of the tokens, in the source's prompt and in the target's, of the words that differ."""
    pairs = changes(source, target)
    return [place for old, _ in pairs for place in old], [place for _, new in pairs for place in new]


def as_tensor(picture: Picture) -> Tensor:
    """(1, 3, H, W) float32 of a picture (H, W, 3) or (H, W)."""
    array = np.asarray(picture, np.float32)
    colour = array if array.ndim == 3 else np.repeat(array[..., None], 3, axis=2)
    return torch.from_numpy(np.ascontiguousarray(colour.transpose(2, 0, 1)))[None]


def as_pictures(images: Tensor) -> NDArray[np.float32]:
    """(B, H, W, 3) of images (B, 3, H, W)."""
    return images.float().permute(0, 2, 3, 1).cpu().numpy()


def _denoised(
    model: Model,
    source: Inversion,
    prompt: Tokens,
    targets: Sequence[Tokens],
    size: tuple[int, int],
    mask: NDArray[np.bool_] | None,
    settings: SwapSettings,
    progress: Progress | None,
) -> tuple[Tensor, NDArray[np.bool_], Maps]:
    """Latents of the source and the targets, where each target was edited (n, H, W), and the maps of all."""
    maps = Maps()
    controller = Controller(
        [attention_edit(prompt, target, settings.amplifier) for target in targets],
        settings.cross,
        settings.self_share,
        maps=maps,
    )
    blend: MaskBlend | LocalBlend | None = None
    if mask is not None:
        blend = MaskBlend(torch.from_numpy(mask).to(model.device), settings.margin)
    elif settings.threshold is not None:
        blend = LocalBlend(maps, [differing(prompt, target) for target in targets], settings.threshold, settings.start)
    conditions = model.encode_prompt([target.text for target in targets], size)
    latents = edit(model, source, conditions, controller=controller, blend=blend, progress=progress)
    everywhere = torch.ones(len(targets), *latents.shape[-2:], dtype=torch.bool)
    place = everywhere if blend is None else blend.place((latents.shape[-2], latents.shape[-1])).cpu()
    return latents, picture_mask(place.expand(len(targets), -1, -1), size).numpy(), maps


def _swapped(
    prompt: str, photograph: Picture, reconstruction: Picture, decoded: Picture, place: NDArray[np.bool_], factor: int
) -> Swapped:
    """Outside the place the photograph keeps its pixels, but for what the edit changed there.

    What the autoencoder lost, photograph − reconstruction, comes back with a soft edge: neither seam nor blur. A grey
    photograph stays grey.
    """
    outside = 1 - gaussian_filter(place.astype(np.float32), FEATHER * factor / 2)[..., None]
    found = np.clip(decoded + outside * (photograph - reconstruction), 0, 1)
    if (photograph == photograph[..., :1]).all():
        found = np.repeat(found.mean(-1, keepdims=True), 3, axis=-1)
    return Swapped(
        prompt,
        found,
        decoded,
        place,
        metrics.psnr(photograph, found),
        metrics.ssim(photograph, found),
        None if place.all() else metrics.background_psnr(photograph, found, place),
    )
