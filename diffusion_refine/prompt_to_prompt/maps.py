"""What every word of a prompt attended to: maps kept over steps and layers, read word by word, and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffusion_refine.prompt_to_prompt.alignment import Tokens
from procgen.errors import BlemishError

LARGEST = 32  # texels a side of the finest maps that are kept or copied, as in the reference implementation
SMALLEST = 16  # texels a side below which a map tells a place too roughly
OF_LATENT = 4  # latent texels a side to one of the map that places an edit: 16 of 64 in Stable Diffusion 1.x
FUNCTIONAL = frozenset(("a", "an", "of", "on", "the", "with", "and"))  # words that name nothing

Shape = tuple[int, int]  # rows and columns


@dataclass
class Maps:
    """Cross-attention maps, added up over layers and steps by their shape; mean over heads.

    The batch is the controlled pass's: the source first, the targets after it.
    """

    largest: int = LARGEST
    _sums: dict[Shape, Tensor] = field(default_factory=dict)
    _counts: dict[Shape, int] = field(default_factory=dict)

    def keeps(self, shape: Shape) -> bool:
        """Whether maps of that shape are kept."""
        return shape[0] * shape[1] <= self.largest**2

    def add(self, found: Tensor) -> None:
        """Adds one layer's map (B, rows, columns, length)."""
        shape = (found.shape[1], found.shape[2])
        self._sums[shape] = self._sums[shape] + found if shape in self._sums else found
        self._counts[shape] = self._counts.get(shape, 0) + 1

    def shapes(self) -> list[Shape]:
        """Of the maps that are kept, finest first."""
        return sorted(self._sums, reverse=True)

    def mean(self, shape: Shape) -> Tensor:
        """Attention (B, rows, columns, length) of one shape, float32, mean over heads, layers and steps."""
        return self._sums[shape] / self._counts[shape]

    def placing(self, latent: Shape) -> Tensor:
        """Attention (B, rows, columns, length) at the shape that best tells a place in latents of a given shape.

        It is the kept one nearest to a quarter of the latent's sides, but no coarser than sixteen texels where there is
        a finer one. Raises BlemishError where nothing was kept.
        """
        if not self._sums:
            raise BlemishError(
                "no attention map of a prompt was kept: the model attends to its prompt at no level of at most "
                f"{self.largest} texels a side, or no step was run under this controller"
            )
        wanted = max(max(latent) / OF_LATENT, SMALLEST)
        return self.mean(min(self.shapes(), key=lambda shape: (abs(np.log2(max(shape) / wanted)), -max(shape))))


def mean_map(probabilities: Tensor, shape: Shape) -> Tensor:
    """A layer's attention (B, heads, rows · columns, length) as its map (B, rows, columns, length), mean over heads."""
    found: Tensor = probabilities.detach().float().mean(1).unflatten(1, shape)
    return found


@dataclass(frozen=True)
class KeyToken:
    """How much one word of a prompt acts on a picture.

    share: of the attention that goes to words at all; contrast: coefficient of variation of its map over the picture,
    or, where a mask was given, mean inside over mean outside; score: share × contrast.
    """

    word: str
    share: float
    contrast: float

    @property
    def score(self) -> float:
        return self.share * self.contrast


def word_map(attention: Tensor, tokens: Tokens, phrase: str, branch: int = 0) -> NDArray[np.float32]:
    """The map (rows, columns) of a word or phrase, summed over its tokens. attention: (B, rows, columns, length)."""
    return attention[branch][..., tokens.of(phrase)].sum(-1).cpu().numpy()


def token_maps(attention: Tensor, tokens: Tokens, branch: int = 0) -> dict[str, NDArray[np.float32]]:
    """The map (rows, columns) of every word of a prompt, in its order; a word that comes twice has one map."""
    return {word: word_map(attention, tokens, word, branch) for word in dict.fromkeys(tokens.words)}


def is_named(word: str) -> bool:
    """Whether a word names something, so that it can be a key token."""
    return word not in FUNCTIONAL and word[0].isalnum()


def key_tokens(maps: Mapping[str, NDArray[np.float32]], mask: NDArray[np.bool_] | None = None) -> list[KeyToken]:
    """Words in descending order of how much they act on a picture, "key tokens" in section 3.4 of the paper.

    maps: of `token_maps`; mask: of the defect, at the maps' shape, where it is known. Words that name nothing take no
    part. The paper gives no measure; this one asks for much attention that is not the same everywhere.
    """
    named = {word: picture for word, picture in maps.items() if is_named(word)}
    total = sum(float(picture.sum()) for picture in named.values())
    found = []
    for word, picture in named.items():
        if mask is None:
            contrast = float(picture.std() / max(float(picture.mean()), np.finfo(np.float32).tiny))
        else:
            contrast = float(picture[mask].mean() / max(float(picture[~mask].mean()), np.finfo(np.float32).tiny))
        found.append(KeyToken(word, float(picture.sum()) / total, contrast))
    return sorted(found, key=lambda token: -token.score)


def resized(picture: Tensor, shape: Shape) -> Tensor:
    """Maps (B, h, w) brought to another shape, bilinear."""
    return torch.nn.functional.interpolate(picture[:, None], size=shape, mode="bilinear", align_corners=False)[:, 0]
