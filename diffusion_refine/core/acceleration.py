"""Calls of a network at the speed of its device: each kind of call is recorded once and repeated from then on.

A kind is all that a recording depends on beside the values of its inputs: their shapes and types, which of them want
gradients, and what its caller says, such as how attention is computed. Inputs are copied to where the recording reads
them, and outputs away from where the next call writes them. A call that no recording can stand for, and one that could
not be recorded, is made as it is.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from diffusion_refine.core.recording import Function, Recorder, Recording, recorder_for
from procgen.errors import BlemishNote

KINDS = 24  # recordings that are kept; the one that was asked for longest ago goes first


class Runner:
    """A function of tensors, its calls recorded and repeated; what it gives are new tensors, as the function's are.

    Gradients flow from the first of its outputs alone. recorder: the device's own when None.
    """

    def __init__(self, function: Function, recorder: Recorder | None = None) -> None:
        self.function = function
        self.active = True  # whether anything is recorded or repeated
        self._recorder_for = recorder_for if recorder is None else lambda _: recorder
        self._recorders: dict[torch.device, Recorder] = {}
        self._latest: object = None
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._asked: set[Hashable] = set()
        self._refused: set[Hashable] = set()

    def __call__(self, kind: Hashable | None, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The function of these inputs. kind: beside their shapes and types; None is never recorded."""
        gradient = torch.is_grad_enabled()
        wanted = tuple(gradient and one.requires_grad for one in inputs)
        key = (kind, wanted, *((one.shape, one.dtype, one.device, _strides(one)) for one in inputs))
        kept = None if kind is None or not self.active else self._found(key, inputs, wanted)
        if kept is None:
            return self.function(*inputs)
        if any(wanted):
            return (_Repeat.apply(self, kept, *inputs),)  # type: ignore[no-untyped-call]
        self.repeat(kept, inputs)
        return tuple(one.clone() for one in kept.recording.outputs)

    @contextmanager
    def plainly(self) -> Iterator[None]:
        """Every call within is made as it is."""
        before, self.active = self.active, False
        try:
            yield
        finally:
            self.active = before

    def forget(self) -> None:
        """Drop all recordings, for a network that has other weights or layers now."""
        self._kept.clear()
        self._recorders.clear()  # memory that no recording shares any more cannot be shared again
        self._asked.clear()
        self._refused.clear()

    @property
    def recorded(self) -> int:
        """How many kinds of calls are repeated from a recording."""
        return len(self._kept)

    def repeat(self, kept: _Kept, inputs: tuple[Tensor, ...]) -> object:
        """Make the recording's outputs those of the inputs; what stands for this call among all of the runner's."""
        with torch.no_grad():
            for place, one in zip(kept.inputs, inputs, strict=True):
                place.copy_(one)
        kept.recording.forward()
        self._latest = object()  # recordings share their passing memory: what an earlier one left there is gone
        return self._latest

    def is_latest(self, call: object) -> bool:
        """Whether nothing was repeated since."""
        return call is self._latest

    def _found(self, key: Hashable, inputs: tuple[Tensor, ...], wanted: tuple[bool, ...]) -> _Kept | None:
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if key in self._refused:
            return None
        if key not in self._asked:  # what comes once is not worth recording, and its call warms the libraries up
            self._asked.add(key)
            return None
        device = inputs[0].device
        if device not in self._recorders:
            self._recorders[device] = self._recorder_for(device)
        places = tuple(
            (torch.empty_like(one) if _strides(one) else torch.empty(one.shape, dtype=one.dtype, device=device))
            .copy_(one.detach())
            .requires_grad_(moves)
            for one, moves in zip(inputs, wanted, strict=True)
        )
        try:
            kept = _Kept(self._recorders[device].record(self.function, places), places)
        except RuntimeError as error:
            if not self._refused:
                said = (str(error).splitlines() or [type(error).__name__])[0][:200]
                warnings.warn(
                    f"the network's calls cannot be recorded and are made one by one, which is slower ({said})",
                    BlemishNote,
                    stacklevel=4,
                )
            self._refused.add(key)
            del self._recorders[device]  # as in `forget`
            return None
        self._kept[key] = kept
        if len(self._kept) > KINDS:
            self._kept.popitem(last=False)
        return kept


class _Kept:
    """A recording and where it reads its inputs."""

    def __init__(self, recording: Recording, inputs: tuple[Tensor, ...]) -> None:
        self.recording, self.inputs = recording, inputs


class _Repeat(torch.autograd.Function):
    """A recorded call in torch's graph of gradients."""

    @staticmethod
    def forward(ctx: Any, runner: Runner, kept: _Kept, *inputs: Tensor) -> Tensor:
        ctx.runner, ctx.kept = runner, kept
        ctx.save_for_backward(*inputs)
        ctx.call = runner.repeat(kept, inputs)
        return kept.recording.outputs[0].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        runner, kept = ctx.runner, ctx.kept
        if not runner.is_latest(ctx.call):
            runner.repeat(kept, ctx.saved_tensors)
        kept.recording.slope.copy_(slope)
        kept.recording.backward()
        ctx.call = None  # the way back may have used up what the way there left
        found = iter(kept.recording.gradients)
        return (None, None, *(_copied(next(found)) if one.requires_grad else None for one in kept.inputs))


def _strides(one: Tensor) -> tuple[int, ...]:
    """By which a processor chooses its kernels, and so the last bits; elsewhere all inputs have one layout."""
    return one.stride() if one.device.type == "cpu" else ()


def _copied(gradient: Tensor | None) -> Tensor | None:
    return None if gradient is None else gradient.clone()


def hooked(modules: Sequence[nn.Module]) -> bool:
    """Whether anything listens to a call of these modules, which a recording would not tell."""
    return any(module._forward_hooks or module._forward_pre_hooks for module in modules)
