"""A call on fixed memory, recorded once and repeated: as a CUDA graph, or by calling it again on the same memory.

A card spends most of a large model's call waiting for Python to name its thousands of kernels. A CUDA graph names them
all at once, but reads and writes where they were read and written when it was recorded. On a processor nothing waits;
there the same memory is filled by an ordinary call, so that whoever reads stale or overwritten memory is found there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

# Of tensors, to tensors; it neither waits for the device nor decides anything by the values of its inputs.
Function = Callable[..., tuple[Tensor, ...]]

WARM_UP = 2  # calls before a graph is recorded, in which libraries choose their kernels and take their memory


class Recording(Protocol):
    """A call that can be repeated on what stands in its inputs.

    outputs: overwritten by `forward`. slope: the gradient of the first output, to be filled before `backward`, which
    must follow the `forward` of the same inputs and overwrites gradients, one for each input that requires it.
    """

    outputs: tuple[Tensor, ...]
    slope: Tensor
    gradients: tuple[Tensor | None, ...]

    def forward(self) -> None: ...

    def backward(self) -> None: ...


class Recorder(Protocol):
    """What makes recordings on one kind of device."""

    def record(self, function: Function, inputs: Sequence[Tensor]) -> Recording:
        """Of a function on these inputs, which stay where they are; gradients of those that require them.

        Raises RuntimeError where it cannot be recorded.
        """


class Repeated:
    """The call itself, made again every time: what a processor has in the place of a graph."""

    def __init__(self, function: Function, inputs: Sequence[Tensor]) -> None:
        self._function, self._inputs = function, inputs
        self._wanted = tuple(one for one in inputs if one.requires_grad)
        self._made: Tensor | None = None
        self.outputs: tuple[Tensor, ...] = ()
        self.slope = inputs[0].new_empty(0)
        self.gradients: tuple[Tensor | None, ...] = ()

    def forward(self) -> None:
        with torch.set_grad_enabled(bool(self._wanted)):
            made = self._function(*self._inputs)
        self._made = made[0] if self._wanted else None
        if not self.outputs:
            self.outputs, self.slope = tuple(torch.empty_like(one) for one in made), torch.empty_like(made[0])
        for kept, one in zip(self.outputs, made, strict=True):
            kept.copy_(one.detach())

    def backward(self) -> None:
        assert self._made is not None
        self.gradients = torch.autograd.grad(self._made, self._wanted, self.slope, allow_unused=True)
        self._made = None


class Repeating:
    """Records by calling again."""

    def record(self, function: Function, inputs: Sequence[Tensor]) -> Recording:
        return Repeated(function, inputs)


class Graph:
    """A CUDA graph of the call, and one of its way back."""

    def __init__(self, function: Function, inputs: Sequence[Tensor], pool: Any) -> None:
        wanted = tuple(one for one in inputs if one.requires_grad)
        current = torch.cuda.current_stream()
        aside = torch.cuda.Stream()
        aside.wait_stream(current)
        try:
            with torch.set_grad_enabled(bool(wanted)):
                with torch.cuda.stream(aside):
                    for _ in range(WARM_UP):
                        outputs = function(*inputs)
                        if wanted:
                            slope = torch.zeros_like(outputs[0])
                            torch.autograd.grad(outputs[0], wanted, slope, allow_unused=True)
                        del outputs
                current.wait_stream(aside)
                self._there = torch.cuda.CUDAGraph()
                with torch.cuda.graph(self._there, pool=pool):
                    outputs = function(*inputs)
                self.slope = torch.zeros_like(outputs[0])
                self.gradients: tuple[Tensor | None, ...] = ()
                self._back: Any = None
                if wanted:
                    self._back = torch.cuda.CUDAGraph()
                    with torch.cuda.graph(self._back, pool=pool):
                        self.gradients = torch.autograd.grad(outputs[0], wanted, self.slope, allow_unused=True)
        finally:
            torch.cuda.set_stream(current)  # a recording that fails leaves its own stream in place
        self.outputs = tuple(one.detach() for one in outputs)

    def forward(self) -> None:
        self._there.replay()

    def backward(self) -> None:
        self._back.replay()


class Graphing:
    """Records CUDA graphs whose passing memory is shared: one of them is under way at a time."""

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()

    def record(self, function: Function, inputs: Sequence[Tensor]) -> Recording:
        return Graph(function, inputs, self._pool)


def recorder_for(device: torch.device) -> Recorder:
    """What records on a device."""
    return Graphing() if device.type == "cuda" else Repeating()
