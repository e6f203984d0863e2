"""The loop of every learner: killed at any step it ends in the same bytes, and it trains as torch's own loop does."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from anomaly.studies.engine.labelled import Classes, LabelledPicture, TrainingSet
from anomaly.studies.engine.training import MODEL, Fitting, fit, keep_network, restored
from scenes.formats.sample import Sample
from scenes.jobs.checkpoints import CheckpointError

COUNT, BATCH, EPOCHS = 10, 4, 3
PICTURES = tuple(LabelledPicture(Sample(str(k), str(k), "good", Path("none")), Classes(())) for k in range(COUNT))
TRAINING = TrainingSet(PICTURES, COUNT)
INPUTS = torch.from_numpy(np.random.default_rng(0).normal(size=(COUNT, 5)).astype(np.float32))
TARGETS = INPUTS.sum(1, keepdim=True)


class Killed(Exception):
    pass


def train(folder: Path, kill_at: int | None = None, rate: float = 0.01) -> nn.Module:
    network = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, 1))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(0.1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate)
    calls = 0

    def step(chosen, rng):
        nonlocal calls
        calls += 1
        if calls == kill_at:
            raise Killed
        loss = (network(INPUTS[list(chosen)]) - TARGETS[list(chosen)]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    fitting = Fitting(folder, EPOCHS, BATCH, 7, {"rate": rate})
    fit(fitting, TRAINING, step, {"network": network, "optimizer": optimizer}, lambda *_: None)
    keep_network(folder, network)
    return network


@pytest.mark.parametrize("kill_at", [1, 3, 4, 8])
def test_a_killed_training_ends_in_the_same_bytes(tmp_path: Path, kill_at: int) -> None:
    (tmp_path / "whole").mkdir()
    train(tmp_path / "whole")
    (tmp_path / "killed").mkdir()
    with pytest.raises(Killed):
        train(tmp_path / "killed", kill_at)
    train(tmp_path / "killed")
    files = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "killed").iterdir()} == files


def test_the_weights_come_back(tmp_path: Path) -> None:
    trained = train(tmp_path)
    other = restored(tmp_path, nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, 1)))
    assert not other.training
    torch.testing.assert_close(other.state_dict(), trained.state_dict(), rtol=0, atol=0)


def test_anothers_checkpoint_and_a_damaged_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train(tmp_path, 5)
    with pytest.raises(CheckpointError, match=r"rate was 0\.01 and is 0\.02"):
        train(tmp_path, rate=0.02)
    (tmp_path / MODEL).write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be read"):
        restored(tmp_path, nn.Linear(1, 1))
