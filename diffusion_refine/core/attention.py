"""Residual linear interpolation (RLI), section 3.2 of the null embedding paper, as attention processors.

    h_new = (1 − α)·h + α·r        in the self-attention of the up blocks only

r is the input of that same attention call, which is the output of its block's first norm. Where a UNet projects with
linear layers (SDXL, SD 2.x) the result is blended after the output projection, where it projects with convolutions
(SD 1.x) before it: so the authors' code has it. One setting must hold for inversion, optimisation and editing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0, FusedAttnProcessor2_0
from torch import Tensor, nn

from procgen.errors import BlemishError

ALPHA = 0.1  # appendix A of the paper; .1 to .4 is called useful
BLOCKS = ("down", "mid", "up")
SELECTED = ("up",)
# Of diffusers; they compute the same whenever they are called.
CONSTANT = (AttnProcessor, AttnProcessor2_0, FusedAttnProcessor2_0)


class Processor(Protocol):
    """What diffusers calls to compute one attention layer; hidden states are (B, tokens, channels)."""

    def __call__(self, attention: Any, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor: ...


class Steering(Protocol):
    """What acts on attention from outside, with tensors of its own, and keeps what attention was."""

    def given(self, device: torch.device) -> tuple[Tensor, ...]:
        """What it gives to a prediction beside the prompt."""

    def steering(self, latent: tuple[int, int], given: tuple[Tensor, ...]) -> AbstractContextManager[list[Tensor]]:
        """The context of one pass over latents of a shape: a list that its tensors come into."""

    def take(self, found: Sequence[Tensor]) -> None:
        """Keep those tensors."""


@dataclass(frozen=True)
class Layer:
    """One attention layer of a UNet.

    name: dotted, within the UNet; block: down, mid or up; cross: whether it attends to the prompt; module: diffusers'
    `Attention`.
    """

    name: str
    block: str
    cross: bool
    module: Any


@dataclass(frozen=True)
class Interpolated:
    """RLI around any other processor, before the output projection or after it."""

    inner: Processor
    alpha: float
    before_projection: bool

    def __call__(self, attention: Any, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if not self.before_projection:
            return self._blend(self.inner(attention, hidden_states, *args, **kwargs), hidden_states)
        # What enters the projection is met at its door, whichever processor brings it there.
        door = attention.to_out[0].register_forward_pre_hook(
            lambda _, inputs: (self._blend(inputs[0], hidden_states), *inputs[1:])
        )
        try:
            return self.inner(attention, hidden_states, *args, **kwargs)
        finally:
            door.remove()

    def kind(self) -> Hashable | None:
        """What it computes, as `processor_kind` says it."""
        inner = processor_kind(self.inner)
        return None if inner is None else (Interpolated, inner, self.alpha, self.before_projection)

    def _blend(self, h: Tensor, r: Tensor) -> Tensor:
        return (1 - self.alpha) * h + self.alpha * r


def attention_layers(unet: nn.Module) -> list[Layer]:
    """Every attention layer of a UNet2DConditionModel, in the order of its modules."""
    return [
        Layer(name, name.partition("_")[0], bool(module.is_cross_attention), module)
        for name, module in unet.named_modules()
        if hasattr(module, "set_processor") and hasattr(module, "to_q")
    ]


def processor_kind(processor: Processor) -> Hashable | None:
    """Equal for processors that compute the same in every call; None for one that may not, or is not known."""
    if isinstance(processor, CONSTANT):
        return type(processor).__name__
    kind = getattr(processor, "kind", None)
    found: Hashable | None = kind() if callable(kind) else None
    return found


def attention_kind(layers: Sequence[Layer]) -> Hashable | None:
    """How these layers compute attention now, to be told from how they did; None where it may change by itself."""
    found = [(processor_kind(layer.module.processor), layer.module.to_q) for layer in layers]
    return None if any(kind is None for kind, _ in found) else tuple(found)


def steering_of(layers: Sequence[Layer]) -> Steering | None:
    """What steers these layers now."""
    for layer in layers:
        processor = layer.module.processor
        while isinstance(processor, Interpolated):
            processor = processor.inner
        if (controller := getattr(processor, "controller", None)) is not None:
            steering: Steering = controller
            return steering
    return None


@contextmanager
def replaced_processors(unet: nn.Module, make: Callable[[Layer, Processor], Processor]) -> Iterator[None]:
    """Gives every attention layer the processor that `make` builds around its present one, and it back at the end.

    The end is also an exception.
    """
    before = [(layer, layer.module.get_processor()) for layer in attention_layers(unet)]
    try:
        for layer, processor in before:
            if (new := make(layer, processor)) is not processor:
                layer.module.set_processor(new)
        yield
    finally:
        for layer, processor in before:
            if layer.module.get_processor() is not processor:
                layer.module.set_processor(processor)


@contextmanager
def residual_interpolation(unet: Any, alpha: float = ALPHA, blocks: Sequence[str] = SELECTED) -> Iterator[None]:
    """Computes the self-attention of the named blocks with RLI inside the context.

    unet: diffusers' UNet2DConditionModel; alpha: share of the attention's input in [0, 1], 0 changes nothing at all;
    blocks: some of "down", "mid", "up". Raises BlemishError for another alpha or block, and for a UNet that has no
    self-attention in those blocks.
    """
    if not 0 <= alpha <= 1:
        raise BlemishError(f"found alpha {alpha} for residual interpolation; expected a share between 0 and 1")
    if unknown := sorted(set(blocks) - set(BLOCKS)):
        raise BlemishError(f"found the block {unknown[0]!r}; expected some of {', '.join(BLOCKS)}")
    if alpha == 0 or not blocks:
        yield
        return
    layers = attention_layers(unet)
    if not any(not layer.cross and layer.block in blocks for layer in layers):
        there = sorted({layer.block for layer in layers if not layer.cross})
        raise BlemishError(
            f"the UNet has no self-attention in its {' and '.join(blocks)} blocks; it has some in: "
            f"{', '.join(there) or 'none'}. Choose other blocks, or alpha 0"
        )
    before_projection = not unet.config.use_linear_projection

    def interpolated(layer: Layer, processor: Processor) -> Processor:
        if layer.cross or layer.block not in blocks:
            return processor
        return Interpolated(processor, alpha, before_projection)

    with replaced_processors(unet, interpolated):
        yield
