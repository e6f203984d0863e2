"""The one loop of every training: steps, a curve, and checkpoints from which it goes on to the same bytes.

A method hands it a step and the things that the step changes. However many networks and optimisers these are, the loop
neither knows nor cares.
"""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.optim import lr_scheduler

from diffusion_refine.core.models import brief
from scenes.jobs.checkpoints import (
    CheckpointError,
    Curve,
    plain,
    read_checked,
    refuse_other_settings,
    with_one_of_each_text,
    write_checked,
)

LONGEST_AVERAGE = 0.998  # share that the moving average keeps from step to step
LARGEST_GRADIENT = 1.0  # norm
WARM_UP = 100  # steps
FALLING = 0.3  # share of the steps over which the learning rate falls to nothing
UNREAD = 50  # steps whose measurements may wait, so that a card need not be waited for after each
# What reading a file that is no checkpoint, or one of other networks, may raise.
UNREADABLE = (RuntimeError, EOFError, pickle.UnpicklingError, KeyError, TypeError, ValueError)


class Stateful(Protocol):
    """A network, an optimiser, or anything else that a checkpoint holds; tensors, numbers, text, lists and dicts."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


# One step, all of whose randomness comes from the generator: what it measured, in the order of the loop's columns.
Step = Callable[[torch.Generator], Sequence[float | Tensor]]


@dataclass(frozen=True)
class TrainingLoop:
    """Where a training is kept, and for how long it goes on.

    name: of the files in `folder`, NAME.pt, the checkpoint, and NAME.csv, the curve. settings: everything that the
    outcome follows from; plain values. columns: what a step measures, and how the mean of it is shown. every: steps
    between checkpoints. on_step: told after each step how many are done.
    """

    name: str
    folder: Path
    steps: int
    seed: int
    settings: Mapping[str, Any]
    columns: Mapping[str, Callable[[float], float]]
    every: int = 100
    on_step: Callable[[int], None] = lambda done: None
    clock: Callable[[], float] | None = None

    @property
    def checkpoint(self) -> Path:
        return self.folder / f"{self.name}.pt"

    @property
    def begun(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return self.checkpoint.is_file()

    def run(self, advance: Step, state: Mapping[str, Stateful]) -> None:
        """Take the steps that are left; stopped at any moment and run again, it ends with the same bytes.

        state: all that a step changes, by name; it is as the checkpoint has it before the first step.

        Raises:
            CheckpointError: the checkpoint is another training's, or none.
        """
        curve = Curve(self.folder / f"{self.name}.csv", self.columns, self.every, self.steps, self.clock)
        done = self._resume(curve, state)
        unread: list[Sequence[float | Tensor]] = []
        for step in range(done + 1, self.steps + 1):
            unread.append(advance(step_rng(self.seed, step - 1)))
            ends_row = curve.ends_row(step)
            if ends_row or len(unread) == UNREAD:
                for number, measured in enumerate(unread, start=step + 1 - len(unread)):
                    curve.record(number, [float(value) for value in measured])
                unread.clear()
            if ends_row:
                curve.write()
                self._save(step, curve, state)  # last: what a kill leaves undone before it, is done again
            self.on_step(step)

    def _resume(self, curve: Curve, state: Mapping[str, Stateful]) -> int:
        """Bring everything to where the checkpoint has it; the steps that were done by then."""
        if not self.begun:
            return 0
        try:
            kept = load_state(self.checkpoint)
            step, curve.rows = int(kept["step"]), list(kept["curve"])
            refuse_other_settings(self.checkpoint, kept["settings"], self.settings)
            for name, part in state.items():
                part.load_state_dict(kept["state"][name])
        except UNREADABLE as error:
            raise CheckpointError(
                f"{self.checkpoint}: is no whole checkpoint of this training ({brief(error)}); remove it to begin anew"
            ) from None
        return step

    def _save(self, step: int, curve: Curve, state: Mapping[str, Stateful]) -> None:
        parts = {name: part.state_dict() for name, part in state.items()}
        save_state(
            self.checkpoint, {"settings": plain(self.settings), "step": step, "curve": curve.rows, "state": parts}
        )


class GradientDescent:
    """AdamW with a learning rate that rises, stays and falls, and the moving average of the weights that it moves.

    A step that trains several networks against each other has one of these for each. betas: of AdamW; schedule: of the
    learning rate, from the optimizer; longest_average: share that the average keeps from step to step, None where
    nobody uses it; largest_gradient: norm that gradients are cut to.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        rate: float,
        steps: int,
        weight_decay: float,
        *,
        betas: tuple[float, float] = (0.9, 0.99),
        schedule: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler] | None = None,
        longest_average: float | None = LONGEST_AVERAGE,
        largest_gradient: float = LARGEST_GRADIENT,
    ) -> None:
        self.parameters = list(parameters)
        is_fused = self.parameters[0].is_cuda  # one kernel in the place of hundreds
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=rate, weight_decay=weight_decay, betas=betas, fused=is_fused or None
        )
        self.schedule = schedule(self.optimizer) if schedule else rate_schedule(self.optimizer, steps)
        self.average = None if longest_average is None else EMAModel(self.parameters, longest_average, foreach=True)
        self._largest_gradient = largest_gradient

    def descend(self, loss: Tensor) -> None:
        """One step down the gradient of a loss."""
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        if math.isfinite(self._largest_gradient):
            nn.utils.clip_grad_norm_(self.parameters, self._largest_gradient)
        self.optimizer.step()
        self.schedule.step()
        if self.average is not None:
            self.average.step(self.parameters)

    def use_average(self) -> None:
        """Put the average, where there is one, in the place of the weights."""
        if self.average is not None:
            self.average.copy_to(self.parameters)

    def state_dict(self) -> dict[str, Any]:
        return {
            "weights": [parameter.detach() for parameter in self.parameters],
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "average": {} if self.average is None else self.average.state_dict(),
        }

    @torch.no_grad()
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for parameter, kept in zip(self.parameters, state_dict["weights"], strict=True):
            parameter.copy_(kept)
        self.optimizer.load_state_dict(state_dict["optimizer"])
        self.schedule.load_state_dict(state_dict["schedule"])
        if self.average is not None:
            self.average.load_state_dict(state_dict["average"])
            self.average.to(self.parameters[0].device)


def rate_schedule(optimizer: torch.optim.Optimizer, steps: int) -> lr_scheduler.LRScheduler:
    """The learning rate of a training of so many steps: rising over WARM_UP of them, falling over the last FALLING."""
    fall = max(1, round(FALLING * steps))
    rise = max(1, min(WARM_UP, steps - fall))
    rising = lr_scheduler.LinearLR(optimizer, 1 / rise, 1.0, rise)
    falling = lr_scheduler.LinearLR(optimizer, 1.0, 0.0, fall)
    return lr_scheduler.SequentialLR(optimizer, [rising, falling], [steps - fall])


def step_rng(seed: int, step: int) -> torch.Generator:
    """The generator of a step, so that a resumed training draws what the uninterrupted one did."""
    generator = torch.Generator()
    generator.manual_seed((seed << 32) + step)
    return generator


def save_state(path: Path, state: Any) -> None:
    """Write tensors, numbers, text, lists and dicts, whole or not at all."""
    buffer = io.BytesIO()
    torch.save(with_one_of_each_text(state), buffer)
    write_checked(path, buffer.getvalue())


def load_state(path: Path) -> Any:
    """What `save_state` wrote, on the processor; nothing in it can run. Raises one of UNREADABLE."""
    return torch.load(io.BytesIO(read_checked(path)), map_location="cpu", weights_only=True)
