"""Descent that can be stopped after any checkpoint and goes on to the same bytes; what is kept is an average."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from scenes.datasets.files import write_atomically
from scenes.jobs.checkpoints import (
    CheckpointError,
    Curve,
    plain,
    read_checked,
    refuse_other_settings,
    with_one_of_each_text,
    write_checked,
)
from scenes.jobs.progress import Progress

CHECKPOINT, CURVE = "checkpoint.pt", "curve.csv"
EVERY = 50  # steps between checkpoints, and over which a row of the curve averages
LONGEST_AVERAGE = 0.998  # share that the moving average keeps from step to step


class Settings(Protocol):
    """What a training's weights follow from, a dataclass."""

    @property
    def steps(self) -> int: ...
    @property
    def rate(self) -> float: ...
    @property
    def decay(self) -> float: ...


class Learner(Protocol):
    """What is trained, a module: `network` is what is kept of it; `learn` gives the loss and what the curve shows."""

    network: nn.Module

    def learn(self, batch: Any) -> tuple[Tensor, tuple[float, ...]]: ...


def rate_at(settings: Settings, step: int) -> float:
    """The learning rate of a step: warmed up, held, and falling over the last quarter."""
    falling = max(1, settings.steps // 4)
    return settings.rate * min(1.0, (step + 1) / 50, (settings.steps - step) / falling)


class AveragedTraining:
    """Trains a learner and keeps the moving average of its network's weights in the file `weights`.

    average: a network of the same kind, to hold it; columns: what the curve shows beside the loss; batches: those of
    all steps from the one given on.
    """

    def __init__(
        self,
        settings: Any,
        learner: Any,
        average: nn.Module,
        weights: Path,
        batches: Callable[[int], Iterable[Any]],
        columns: tuple[str, ...],
        device: str = "cpu",
    ) -> None:
        self.settings, self.learner, self.average = settings, learner, average.to(device)
        self.weights, self.batches, self.device = weights, batches, device
        parameters = list(learner.parameters())
        decaying = [p for p in parameters if p.ndim > 1]
        others = [p for p in parameters if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": decaying, "weight_decay": settings.decay}, {"params": others, "weight_decay": 0.0}],
            lr=settings.rate,
        )
        self.step = 0
        shown = dict.fromkeys(("loss", *columns), float)
        self.curve = Curve(weights.parent / CURVE, shown, EVERY, settings.steps)

    def run(self, progress: Progress = lambda what, done, total: None) -> None:
        """Train to the last step, with a checkpoint every `EVERY` steps."""
        for batch in self.batches(self.step):
            if self.curve.record(self.step + 1, self.advance(batch)):
                self.save()
            progress("backbone", self.step, self.settings.steps)

    def advance(self, batch: Any) -> tuple[float, ...]:
        """One step of descent: its loss and what else the curve shows."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(self.settings, self.step)
        loss, measured = self.learner.learn(batch)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.learner.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        self._average()
        return float(loss.detach()), *measured

    @torch.no_grad()
    def _average(self) -> None:
        kept = min(LONGEST_AVERAGE, self.step / (self.step + 10))
        now = self.learner.network.state_dict()
        for name, value in self.average.state_dict().items():
            if value.dtype.is_floating_point:
                value.lerp_(now[name], 1 - kept)
            else:
                value.copy_(now[name])

    def save(self) -> None:
        """The checkpoint, the curve and the weights so far, each file whole or not at all."""
        state = {
            "settings": plain(asdict(self.settings)),
            "step": self.step,
            "module": self.learner.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "curve": self.curve.rows,
        }
        buffer = io.BytesIO()
        torch.save(with_one_of_each_text(state), buffer)
        self.curve.write()
        write_weights(self.average.state_dict(), self.weights)
        write_checked(self.weights.parent / CHECKPOINT, buffer.getvalue())  # last: what a kill leaves undone is redone

    def resume(self) -> None:
        """Go back to the checkpoint, where there is one. Raises CheckpointError where it is damaged or another's."""
        path = self.weights.parent / CHECKPOINT
        if path.is_file():
            try:
                content = read_checked(path)
            except ValueError as error:
                raise CheckpointError(f"{path}: is no whole checkpoint ({error}); remove it to begin anew") from None
            state = torch.load(io.BytesIO(content), map_location=self.device, weights_only=True)
            refuse_other_settings(path, state.get("settings", {}), asdict(self.settings))
            self.learner.load_state_dict(state["module"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.curve.rows = state["step"], state["curve"]


def write_weights(state: Mapping[str, Tensor], path: Path) -> None:
    """The tensors in half precision, batch statistics in single, as one safetensors file."""
    from safetensors.torch import save

    halves = {
        name: value.contiguous().cpu() if "running" in name or not value.dtype.is_floating_point else value.half().cpu()
        for name, value in state.items()
    }
    write_atomically(path, save({name: value.contiguous() for name, value in halves.items()}))
