"""What every training here shares: learning rate, averaged weights, checkpoints, and a curve on disk."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

LONGEST_AVERAGE = 0.998  # share that the moving average keeps from step to step
CLIP = 1.0  # norm of the gradient


def rate_at(step: int, steps: int, rate: float, warm: int = 100, falling: float = 0.3) -> float:
    """The learning rate of a step: rising over the first `warm`, falling to nothing over the last share of them."""
    return rate * min(1.0, (step + 1) / min(warm, max(1, steps)), (steps - step) / max(1.0, falling * steps))


def step_rng(seed: int, step: int) -> torch.Generator:
    """The generator of a step, so that a resumed training draws what the uninterrupted one did."""
    generator = torch.Generator()
    generator.manual_seed((seed << 32) + step)
    return generator


class Average:
    """The moving average of parameters, float32; short to begin with, so that the start is forgotten."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.followed = list(parameters)
        self.values = [parameter.detach().float().clone() for parameter in self.followed]

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Move towards the parameters as they are after `step` steps."""
        kept = min(LONGEST_AVERAGE, step / (step + 10))
        for value, parameter in zip(self.values, self.followed, strict=True):
            value.lerp_(parameter.float(), 1 - kept)

    @torch.no_grad()
    def exchange(self) -> None:
        """Put the average into the parameters and the parameters into the average; twice is as it was."""
        for value, parameter in zip(self.values, self.followed, strict=True):
            now = parameter.detach().float().clone()
            parameter.copy_(value)
            value.copy_(now)


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors, numbers and lists, whole or not at all."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    write_whole(path, buffer.getvalue())


def load_state(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """What `save_state` wrote; nothing in it can run."""
    return dict(torch.load(path, map_location=device, weights_only=True))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or as it was."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def write_curve(path: Path, names: Iterable[str], rows: Iterable[Iterable[float]]) -> None:
    """A table of numbers as CSV; the first column counts steps."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([int(step), *(f"{value:.5g}" for value in values)] for step, *values in rows)
    write_whole(path, text.getvalue().encode())
