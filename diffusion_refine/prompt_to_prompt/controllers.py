"""What of the source's attention enters the targets' branch: replace, refine and reweight, and the context they act in.

The batch is one picture's: the source branch first, a branch for every target after it. Only the passes that are made
inside `controlled` are touched, which must be the conditional ones. Attention is computed explicitly only where a
controller changes or keeps the map of a prompt; a self-attention map is a function of queries and keys alone, so that
copying these copies it without ever holding it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from diffusion_refine.core.attention import Interpolated, Layer, Processor, processor_kind, replaced_processors
from diffusion_refine.prompt_to_prompt.alignment import (
    Alignment,
    Tokens,
    equaliser,
    refinement,
    replacement,
    unchanged,
)
from diffusion_refine.prompt_to_prompt.maps import LARGEST, Maps, Shape, mean_map
from procgen.errors import BlemishError

CROSS = 0.8  # share of the steps in which maps of the prompt are the source's; appendix A of the paper
SELF = 0.6  # share of the steps in which maps of the picture to itself are the source's
AMPLIFIER = 2.0  # factor of the swapped word's maps, "Eq" in the paper


@dataclass(frozen=True)
class Edit:
    """How one target's maps of the prompt are made of the source's and its own.

    base @ mapping · share + own · (1 − share), times factors. mapping: (length, length), source token by target token;
    share, factors: (length,), by target token; all float32.
    """

    mapping: Tensor
    share: Tensor
    factors: Tensor

    def reweighted(self, target: Tokens, factors: Mapping[str, float]) -> Edit:
        """With the maps of some words or phrases of the target multiplied."""
        return replace(self, factors=self.factors * torch.from_numpy(equaliser(target, factors)))

    def amplified(self, places: Sequence[int], factor: float) -> Edit:
        """With the maps of some target tokens multiplied."""
        factors = self.factors.clone()
        factors[list(places)] *= factor
        return replace(self, factors=factors)


def replace_words(source: Tokens, target: Tokens) -> Edit:
    """Words for words: all maps are the source's."""
    return _edit(replacement(source, target))


def refine_words(source: Tokens, target: Tokens) -> Edit:
    """Words added or removed: those that stay keep the source's maps."""
    return _edit(refinement(source, target))


def reweight_words(tokens: Tokens, factors: Mapping[str, float]) -> Edit:
    """The same prompt with the maps of some words multiplied."""
    return _edit(unchanged(tokens)).reweighted(tokens, factors)


def _edit(alignment: Alignment) -> Edit:
    mapping, share = torch.from_numpy(alignment.mapping), torch.from_numpy(alignment.share)
    return Edit(mapping, share, torch.ones_like(share))


@dataclass(frozen=True)
class Pass:
    """One pass over latents of a shape: the edits that it was given, and the maps that it found."""

    latent: Shape
    given: tuple[Tensor, ...]
    found: list[Tensor]


@dataclass
class Controller:
    """Edits of n targets over the steps of one denoising.

    edits: one for every target; cross, self_share: shares of the steps in which maps are the source's; largest: texels
    a side of the finest self-attention maps that are copied; maps: where those of the prompt are kept, of all branches
    and as they are after the edit, or None.

    Raises BlemishError for shares outside [0, 1].
    """

    edits: Sequence[Edit] = ()
    cross: float = CROSS
    self_share: float = SELF
    largest: int = LARGEST
    maps: Maps | None = None
    progress: float = field(default=0.0, init=False)  # share of the steps that are done
    _given: tuple[Tensor, ...] = field(default=(), init=False, repr=False)
    _pass: Pass | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        for name, share in (("cross", self.cross), ("self", self.self_share)):
            if not 0 <= share <= 1:
                raise BlemishError(f"found {share} for the share of steps with {name}-attention; allowed is 0 to 1")

    def at(self, index: int, steps: int) -> None:
        """Tells which step, from 0, of how many comes next."""
        self.progress = index / steps

    def changes(self, cross: bool, tokens: int) -> bool:
        """Whether maps of so many picture tokens are changed in this step."""
        if not self.edits:
            return False
        if cross:
            return self.progress < self.cross
        return self.progress < self.self_share and tokens <= self.largest**2

    def kind(self) -> Hashable:
        """What of it decides what a pass computes, beside what is given to it."""
        kept = None if self.maps is None else self.maps.largest
        edited = (self.progress < self.cross, self.progress < self.self_share) if self.edits else ()
        return len(self.edits), edited, self.largest, kept

    def given(self, device: torch.device) -> tuple[Tensor, ...]:
        """The edits' mappings, shares and factors, which every pass is given."""
        if self.edits and not (self._given and self._given[0].device == device):
            self._given = tuple(
                torch.stack([getattr(edit, part) for edit in self.edits]).to(device, torch.float32)
                for part in ("mapping", "share", "factors")
            )
        return self._given

    @contextmanager
    def steering(self, latent: Shape, given: tuple[Tensor, ...]) -> Iterator[list[Tensor]]:
        """Within it is one pass over latents of a shape; what it holds afterwards is for `take`."""
        self._pass = Pass(latent, given, [])
        try:
            yield self._pass.found
        finally:
            self._pass = None

    def take(self, found: Sequence[Tensor]) -> None:
        """Keep the maps of a pass."""
        if self.maps is not None:
            for one in found:
                self.maps.add(one)

    @property
    def running(self) -> Pass:
        """The pass that attention is computed for."""
        if self._pass is None:
            raise ValueError("attention is under control in a model's predictions alone: call its noise, not its UNet")
        return self._pass

    def edit(self, probabilities: Tensor) -> Tensor:
        """Attention to the prompt (1 + n, heads, tokens, length) with the targets' made of the source's."""
        mapping, share, factors = self.running.given
        base, own = probabilities[:1], probabilities[1:]
        share, factors = share[:, None, None], factors[:, None, None]
        return torch.cat([base, (base @ mapping[:, None] * share + own * (1 - share)) * factors])


@dataclass(frozen=True)
class Controlled:
    """One attention layer under a controller; what the controller leaves alone is its former processor's."""

    inner: Processor
    controller: Controller

    def kind(self) -> Hashable | None:
        """What it computes now, as `processor_kind` says it."""
        inner = processor_kind(self.inner)
        return None if inner is None else (Controlled, inner, self.controller.kind())

    def __call__(
        self,
        attention: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **more: Any,
    ) -> Tensor:
        controller, cross, count = self.controller, encoder_hidden_states is not None, hidden_states.shape[1]
        changed = controller.changes(cross, count)
        shape = map_shape(count, controller.running.latent)
        kept = cross and controller.maps is not None and controller.maps.keeps(shape)
        if not changed and not kept:
            return self.inner(attention, hidden_states, encoder_hidden_states, attention_mask, **more)
        if changed and len(hidden_states) != 1 + len(controller.edits):
            raise ValueError(
                f"a batch of {len(hidden_states)} under {len(controller.edits)} edits; the source is one more"
            )
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = attention.to_q(hidden_states), attention.to_k(context), attention.to_v(context)
        if changed and not cross:
            query, key = (part[:1].expand_as(part) for part in (query, key))
        query, key, value = (part.unflatten(-1, (attention.heads, -1)).transpose(1, 2) for part in (query, key, value))
        if cross:
            probabilities = (query @ key.transpose(-1, -2) * attention.scale).float().softmax(-1)
            if changed:
                probabilities = controller.edit(probabilities)
            if kept:
                controller.running.found.append(mean_map(probabilities, shape))
            found = probabilities.to(value.dtype) @ value
        else:
            found = scaled_dot_product_attention(query, key, value, scale=attention.scale)
        found = found.transpose(1, 2).flatten(2)
        for projection in attention.to_out:
            found = projection(found)
        edited: Tensor = found
        return edited


@contextmanager
def controlled(unet: nn.Module, controller: Controller, index: int = 0, steps: int = 1) -> Iterator[None]:
    """A model's predictions inside the context are those of step `index` of `steps`, under the controller.

    RLI stays around what is changed, in whichever order the two contexts are entered.
    """
    controller.at(index, steps)

    def under_control(_: Layer, processor: Processor) -> Processor:
        if isinstance(processor, Interpolated):
            return replace(processor, inner=Controlled(processor.inner, controller))
        return Controlled(processor, controller)

    with replaced_processors(unet, under_control):
        yield


def map_shape(tokens: int, latent: Shape) -> Shape:
    """Rows and columns of an attention layer of so many tokens in a UNet whose levels halve the latent, rounding up."""
    rows, columns = latent
    while rows * columns > tokens and rows * columns > 1:
        rows, columns = -(-rows // 2), -(-columns // 2)
    if rows * columns != tokens:
        raise ValueError(f"{tokens} tokens are no level of a latent of {latent[0]} × {latent[1]}")
    return rows, columns
