"""The editing generator: a word of the prompt for another, where the two attend to, and the mask of what changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffusion_refine.core.models import Model, coarsest_of
from diffusion_refine.editing.pixels import colour
from diffusion_refine.editing.word_swap import SwapSettings, attention_of, inverted, swap_words
from diffusion_refine.inversion.methods import Inversion
from diffusion_refine.prompt_to_prompt.maps import key_tokens
from diffusion_refine.prompts.vocabulary import swapped
from diffusion_refine.synthesis.edit.places import changed, edited, on_picture, resized, seen_shape
from diffusion_refine.synthesis.generator import FrameStream, GeneratedFrame, Mask, SourceFrame
from diffusion_refine.synthesis.pasting.pastes import Paste, pasted_frame
from diffusion_refine.synthesis.refine.records import measured, model_record
from diffusion_refine.synthesis.tracking import DIGITS

BAND = 3  # pixels inside a place over which a change rises from its rim
CHANGED = 0.05  # of white: what is seen as a change of the surface, over the grain that an edit leaves everywhere
EDITED, UNCHANGED = "edited", "nothing changed"


@dataclass(frozen=True)
class EditSettings:
    """What is edited.

    words: that one word of the prompt becomes, one a frame. exchanged: words of the prompt that they stand for, or none
    for the first `keys` key words of each picture. side: pixels of the longer side that the model sees. band: pixels
    inside a place over which a change rises. changed: of white, by which a pixel of the mask differs at least.
    """

    prompt: str
    words: tuple[str, ...]
    exchanged: tuple[str, ...]
    keys: int
    swap: SwapSettings
    side: int
    band: int = BAND
    changed: float = CHANGED

    @property
    def count(self) -> int:
        """Frames of every picture."""
        return (len(self.exchanged) or self.keys) * len(self.words)

    def written(self) -> dict[str, Any]:
        """As JSON."""
        return {
            **asdict(self),
            "words": list(self.words),
            "exchanged": list(self.exchanged),
            "swap": {**asdict(self.swap), "blocks": list(self.swap.blocks)},
        }


class EditGenerator:
    """classes: word -> class of what it makes. bits: class name -> bit of the class masks that are made."""

    def __init__(self, model: Model, settings: EditSettings, classes: Mapping[str, str], bits: Mapping[str, int]):
        self.model, self.settings, self.classes, self.bits = model, settings, classes, bits
        self.record = {"model": model_record(model), "settings": settings.written()}
        self._last: Inverted | None = None

    def described(self, variant: int) -> dict[str, Any]:
        return {"method": self.settings.swap.method, **self.record}

    def generate(self, frame: SourceFrame, mask: Mask, stream: FrameStream) -> GeneratedFrame:
        """One word exchanged for another; the frame as it was where the mask allows no change that can be seen."""
        settings, image = self.settings, frame.image
        size = (image.shape[0], image.shape[1])
        source = self._inverted(frame)
        number, place = divmod(stream.variant, len(settings.words))
        word = settings.words[place]
        exchanged = settings.exchanged[number] if settings.exchanged else key_word(source.attention, word, number)
        target = swapped(settings.prompt, exchanged, word)
        found = swap_words(
            self.model, source.picture, settings.prompt, [target], settings=settings.swap, source=source.inversion
        )
        [swap] = found.swaps
        where = on_picture(swap.place, size) & mask
        change = resized(swap.decoded.astype(np.float64) - found.reconstruction, size)
        after = edited(image, change, where, settings.band)
        seen = changed(image, after, where, settings.changed)
        pastes = [Paste(0, 0, where, after, self.classes[word], labelled=seen)] if seen.any() else []
        made = pasted_frame(frame, pastes, self.bits)
        told = {
            "outcome": EDITED if pastes else UNCHANGED,
            "prompts": [settings.prompt, target],
            "exchanged": exchanged,
            "word": word,
            **({} if settings.exchanged else {"key_words": source.key_words}),
            "place": round(float(where.mean()), DIGITS),
            "mask": round(float(seen.mean()), DIGITS),
            "metrics": measured(colour(image), colour(made.image), seen),
        }
        return replace(made, prompts=(target,), record={**made.record, **told})

    def _inverted(self, frame: SourceFrame) -> Inverted:
        """A frame's picture as the model sees it, brought to noise; kept for its next variant."""
        if self._last is None or self._last.index != frame.index:
            shape = seen_shape(frame.image.shape, self.settings.side, coarsest_of(self.model.pipeline))
            picture = np.clip(resized(colour(frame.image), shape), 0, 1)
            prompt, how = self.settings.prompt, self.settings.swap
            inversion = inverted(self.model, picture, prompt, how)
            attention = {} if self.settings.exchanged else attention_of(self.model, inversion, prompt, how)
            self._last = Inverted(frame.index, picture, inversion, attention)
        return self._last


@dataclass(frozen=True, eq=False)
class Inverted:
    """A frame's picture (h, w, 3) as the model sees it, and what its words attend to where that is asked for."""

    index: int
    picture: NDArray[np.float32]
    inversion: Inversion
    attention: Mapping[str, NDArray[np.float32]]

    @property
    def key_words(self) -> dict[str, float]:
        """Their scores, in descending order."""
        return {token.word: round(token.score, DIGITS) for token in key_tokens(self.attention)}


def key_word(attention: Mapping[str, NDArray[np.float32]], word: str, number: int) -> str:
    """Of the words of a prompt, by what each attends to, the key word of a rank from 0, `word` itself left out."""
    return [token.word for token in key_tokens(attention) if token.word != word][number]
