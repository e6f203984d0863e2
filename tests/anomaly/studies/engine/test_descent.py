"""The rate rises and falls, decay leaves vectors alone, a state goes on, and a loss that is no number is refused."""

import math

import pytest
import torch
from torch import nn

from anomaly.studies.engine.descent import Descent, LearningError


def rates(descent: Descent, network: nn.Module, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        found.append(descent.state_dict()["optimizer"]["param_groups"][0]["lr"])
        descent.take(sum(parameter.square().sum() for parameter in network.parameters()))
    return found


def test_the_rate_rises_and_falls_along_half_a_cosine() -> None:
    network, steps = nn.Linear(3, 2), 100
    found = rates(Descent(network, "adamw", 0.1, 0.0, steps), network, steps)
    rise = 5
    assert found[:rise] == pytest.approx([0.1 * (1 / rise + (1 - 1 / rise) * k / rise) for k in range(rise)])
    expected = [0.05 * (1 + math.cos(math.pi * k / (steps - rise))) for k in range(steps - rise)]
    assert found[rise:] == pytest.approx(expected)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_vectors_do_not_decay(optimizer: str) -> None:
    network = nn.Linear(3, 2)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    Descent(network, optimizer, 0.1, 0.5, 1).take(sum(p.sum() * 0 for p in network.parameters()))
    weight, bias = network.parameters()
    assert torch.equal(bias, before[1])
    torch.testing.assert_close(weight, before[0] * (1 - 0.1 * 0.5))


def test_a_state_goes_on_to_the_same_weights() -> None:
    def trained(stops: bool) -> nn.Module:
        network = nn.Linear(3, 2)
        nn.init.constant_(network.weight, 0.3)
        nn.init.constant_(network.bias, -0.2)
        descent = Descent(network, "adamw", 0.1, 0.1, 12)
        for step in range(12):
            if stops and step == 5:
                state = descent.state_dict()
                descent = Descent(network, "adamw", 0.1, 0.1, 12)
                descent.load_state_dict(state)
            descent.take((network(torch.ones(1, 3) * step) - 1).square().sum())
        return network

    for one, other in zip(trained(False).parameters(), trained(True).parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_loss_that_is_no_number_is_refused() -> None:
    network = nn.Linear(1, 1)
    with pytest.raises(LearningError, match=r"the loss became nan; set learner.learning_rate below 0.1"):
        Descent(network, "adamw", 0.1, 0.0, 1).take(network.weight.sum() * math.nan)
