"""The one loop of every learner: epochs of steps, and a checkpoint after each, from which it ends in the same bytes."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from anomaly.backbone.extractor import brief, seeded
from anomaly.studies.engine.labelled import TrainingSet
from scenes.datasets.files import write_atomically
from scenes.jobs.checkpoints import (
    CheckpointError,
    plain,
    read_checked,
    refuse_other_settings,
    with_one_of_each_text,
    write_checked,
)
from scenes.jobs.progress import Progress

CHECKPOINT, MODEL, CURVE = "checkpoint.pt", "model.pt", "curve.json"
# What reading a file that is no checkpoint, or one of another network, may raise.
UNREADABLE = (RuntimeError, EOFError, pickle.UnpicklingError, KeyError, TypeError, ValueError)


class Stateful(Protocol):
    """A network, an optimiser, a schedule: anything that a checkpoint holds."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


# Indices of a batch's pictures, and the generator of the step, on the processor: the loss, after the step was taken.
Step = Callable[[Sequence[int], torch.Generator], Tensor]


@dataclass(frozen=True)
class Fitting:
    """A training of one learner; settings: all that it follows from, as JSON values: others are not gone on with."""

    folder: Path
    epochs: int
    batch: int
    seed: int
    settings: Mapping[str, Any]


def fit(
    fitting: Fitting, training: TrainingSet, step: Step, state: Mapping[str, Stateful], progress: Progress
) -> list[float]:
    """Take the steps of the epochs that are left; gives the mean loss of every epoch.

    step: takes one, gradient and all. Whatever draws from torch's global generator in it, such as dropout, draws from
    the step's seed. state: everything that a step changes, by name, as it was before the first one. Raises
    CheckpointError where the folder holds another training's checkpoint, or a damaged one.
    """
    path = fitting.folder / CHECKPOINT
    curve = _resumed(path, fitting, state)
    batches = -(-training.epoch_length // fitting.batch)
    for epoch in range(len(curve), fitting.epochs):
        order = training.epoch(epoch, fitting.seed)
        total = torch.zeros((), dtype=torch.float64)
        for number in range(batches):
            chosen = order[number * fitting.batch : (number + 1) * fitting.batch]
            seed = (fitting.seed << 32) + epoch * batches + number
            with seeded(seed):
                total += step(chosen, torch.Generator().manual_seed(seed)).detach().cpu() * len(chosen)
            progress(f"epoch {epoch + 1} of {fitting.epochs}", number + 1, batches)
        curve.append(float(total) / training.epoch_length)
        parts = {name: part.state_dict() for name, part in state.items()}
        save_state(path, {"settings": plain(fitting.settings), "curve": curve, "state": parts})
    write_atomically(fitting.folder / CURVE, json.dumps(curve).encode() + b"\n")
    return curve


def keep_network(folder: Path, network: nn.Module) -> None:
    """Leave a trained network's weights in the folder, on the processor, and remove the checkpoint."""
    save_state(folder / MODEL, {name: value.detach().cpu() for name, value in network.state_dict().items()})
    (folder / CHECKPOINT).unlink(missing_ok=True)


def restored(folder: Path, network: nn.Module) -> nn.Module:
    """A network with the weights that `keep_network` left, in evaluation. Raises CheckpointError where it cannot be."""
    try:
        network.load_state_dict(load_state(folder / MODEL))
    except (OSError, *UNREADABLE) as error:
        raise CheckpointError(
            f"{folder / MODEL}: cannot be read ({brief(error)}); remove {folder} and run the study again"
        ) from None
    return network.eval()


def save_state(path: Path, state: Any) -> None:
    """Write tensors, numbers, text, lists and dicts, whole or not at all."""
    buffer = io.BytesIO()
    torch.save(with_one_of_each_text(state), buffer)
    write_checked(path, buffer.getvalue())


def load_state(path: Path) -> Any:
    """What `save_state` wrote, on the processor; nothing in it can run. Raises one of UNREADABLE."""
    return torch.load(io.BytesIO(read_checked(path)), map_location="cpu", weights_only=True)


def _resumed(path: Path, fitting: Fitting, state: Mapping[str, Stateful]) -> list[float]:
    """Bring everything to where the checkpoint has it; the losses of the epochs that were done by then."""
    if not path.is_file():
        return []
    try:
        kept = load_state(path)
        refuse_other_settings(path, kept["settings"], fitting.settings)
        for name, part in state.items():
            part.load_state_dict(kept["state"][name])
        return list(kept["curve"])
    except UNREADABLE as error:
        raise CheckpointError(
            f"{path}: is no whole checkpoint of this training ({brief(error)}); remove it to begin anew"
        ) from None
