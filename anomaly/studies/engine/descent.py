"""How learners move their weights: AdamW or momentum, at a rate that rises and falls along half a cosine."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler

from procgen.errors import BlemishError

WARM_UP = 0.05  # share of the steps over which the rate rises
LARGEST_GRADIENT = 5.0  # norm
MOMENTUM = 0.9

Optimizer = Literal["adamw", "sgd"]


class LearningError(BlemishError):
    """A training that cannot go on."""


class Descent:
    """The optimiser and the rate of one network; of vectors (biases, normalisation) none decays."""

    def __init__(self, network: nn.Module, optimizer: Optimizer, rate: float, weight_decay: float, steps: int) -> None:
        self._learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
        groups = [
            {"params": [p for p in self._learning if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in self._learning if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self._rate = rate
        self._optimizer: torch.optim.Optimizer = (
            torch.optim.SGD(groups, rate, momentum=MOMENTUM) if optimizer == "sgd" else torch.optim.AdamW(groups, rate)
        )
        rise = max(1, round(WARM_UP * steps))
        self._schedule = lr_scheduler.SequentialLR(
            self._optimizer,
            [
                lr_scheduler.LinearLR(self._optimizer, 1 / rise, 1.0, rise),
                lr_scheduler.CosineAnnealingLR(self._optimizer, max(1, steps - rise)),
            ],
            [rise],
        )

    def take(self, loss: Tensor) -> None:
        """One step down the gradient of a loss. Raises LearningError where it is no number any more."""
        if not bool(torch.isfinite(loss)):
            raise LearningError(
                f"the loss became {float(loss.detach())}; set learner.learning_rate below {self._rate:g}"
            )
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self._learning, LARGEST_GRADIENT)
        self._optimizer.step()
        self._schedule.step()

    def state_dict(self) -> dict[str, Any]:
        return {"optimizer": self._optimizer.state_dict(), "schedule": self._schedule.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._optimizer.load_state_dict(state_dict["optimizer"])
        self._schedule.load_state_dict(state_dict["schedule"])
