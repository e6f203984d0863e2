"""Networks give logits of the pictures' size; our own have the size and cost that their papers state."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from anomaly.studies.segmentation.bisenet_v2 import BiSeNetV2
from anomaly.studies.segmentation.fast_scnn import FastSCNN
from anomaly.studies.segmentation.networks import ENCODED, LITE0, OWN, NetworkError, encoder_of, network_of


@pytest.mark.parametrize("name", [*ENCODED, *OWN])
def test_logits_have_the_pictures_size(name: str) -> None:
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    network = network_of(name, 3, seed=1)
    state = torch.random.get_rng_state()
    again = network_of(name, 3, seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    other = network_of(name, 3, seed=2)
    with torch.inference_mode():
        logits = network.eval()(images)
        assert logits.shape == (2, 3, 64, 96)
        assert torch.equal(again.eval()(images), logits)
        assert not torch.equal(other.eval()(images), logits)


def multiply_adds(network: torch.nn.Module, height: int, width: int) -> float:
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 3, height, width, device="meta"))
    return counter.get_total_flops() / 2


def test_fast_scnn_has_the_papers_parameters_and_cost() -> None:
    with torch.device("meta"):
        network = FastSCNN(19).eval()
    # 1.11 million, [Poudel 2019], table 4; the pyramid's own biases and the like are within 3 %
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(1.11e6, rel=0.03)
    assert network(torch.empty(1, 3, 64, 128, device="meta")).shape == (1, 19, 64, 128)
    # the cost by hand of the first layers of table 1, at 1024 x 2048
    first = 512 * 1024 * 32 * 27
    second = 256 * 512 * (32 * 9 + 32 * 48)
    third = 128 * 256 * (48 * 9 + 48 * 64)
    assert multiply_adds(network.downsample, 1024, 2048) == first + second + third


def test_bisenet_v2_has_the_papers_cost() -> None:
    with torch.device("meta"):
        network = BiSeNetV2(19).eval()
    # 21.15 GFLOPs at 512 x 1024, [Yu 2021]; what the head's width adds or spares, which it leaves open, is within 20 %
    assert multiply_adds(network, 512, 1024) == pytest.approx(21.15e9, rel=0.2)
    # the cost by hand of the detail branch of table 1
    first = 256 * 512 * 9 * (3 * 64 + 64 * 64)
    second = 128 * 256 * 9 * 3 * 64 * 64
    third = 64 * 128 * 9 * (64 * 128 + 2 * 128 * 128)
    assert multiply_adds(network.detail, 512, 1024) == first + second + third


def test_bisenet_v2_has_boosters_in_training_alone() -> None:
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    network = network_of("bisenet_v2", 4)
    shapes = [tuple(each.shape) for each in network(images)]
    assert shapes == [(2, 4, 64, 64)] * 5
    with torch.inference_mode():
        assert network.eval()(images).shape == (2, 4, 64, 64)


def test_encoders_are_chosen_or_refused() -> None:
    assert encoder_of("fpn", None, False) == encoder_of("deeplabv3plus", None, True) == LITE0
    assert encoder_of("deeplabv3plus", "resnet34", False) == "resnet34"
    assert encoder_of("fast_scnn", None, False) is None
    with pytest.raises(NetworkError, match=r"fast_scnn has layers of its own, and no weights"):
        encoder_of("fast_scnn", None, True)
    with pytest.raises(NetworkError, match=r"found learner.encoder resnet18 with learner.imagenet"):
        encoder_of("fpn", "resnet18", True)
    with pytest.raises(NetworkError, match=r"the network fpn cannot have the encoder resnet17"):
        network_of("fpn", 3, "resnet17")
