"""Where and how an inspector computes: device, precision, how many pictures at once, tiles of large ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from procgen.errors import BlemishError

AUTO, CPU = "auto", "cpu"
DEVICES = (AUTO, CPU, "cuda", "mps")


class DeviceError(BlemishError):
    """A device that is not here."""


@dataclass(frozen=True)
class Computing:
    """device: torch's name; half_precision: of the backbone, on a card; batch: pictures or tiles of one size that a
    card takes at once; tile: pixels of a tile's side at the working scale, None: as the inspector was trained.

    A processor takes one picture after the other in single precision whatever is asked for, so that its results depend
    on the pictures and the tiles alone; batches would gain it nothing.
    """

    device: str = CPU
    batch: int = 1
    half_precision: bool = False
    tile: int | None = None

    @property
    def on_card(self) -> bool:
        """Whether a graphics card computes."""
        return self.device != CPU

    def each(self, inputs: Iterable[Tensor], compute: Callable[[Tensor], Tensor]) -> Iterator[Tensor]:
        """`compute` of each input (1, …), in order: on a card of those of one size among `batch` together."""
        pending = iter(inputs)
        while chunk := list(islice(pending, self.batch if self.on_card else 1)):
            by_size: dict[torch.Size, list[int]] = {}
            for number, tensor in enumerate(chunk):
                by_size.setdefault(tensor.shape, []).append(number)
            results: dict[int, Tensor] = {}
            for numbers in by_size.values():
                together = torch.cat([chunk[number] for number in numbers]).to(self.device)
                with torch.no_grad():
                    results.update(zip(numbers, compute(together).split(1), strict=True))
            yield from (results[number] for number in range(len(chunk)))


PROCESSOR = Computing()


def device_named(name: str) -> str:
    """The device that is meant; auto: a card where there is one. Raises DeviceError where it is not here."""
    cards = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == AUTO:
        return next((card for card, is_here in cards.items() if is_here), CPU)
    if name not in DEVICES:
        raise DeviceError(f"device {name}: expected one of {', '.join(DEVICES)}")
    if not cards.get(name, True):
        raise DeviceError(
            f"device {name}: torch {torch.__version__} finds none here; choose --device auto or cpu, or install the "
            "torch that is built for your card"
        )
    return name
