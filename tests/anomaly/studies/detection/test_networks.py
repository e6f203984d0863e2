"""Weighted losses are torchvision's own where all weights are 1; networks give boxes; what does not fit is refused."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.models.detection.fcos import FCOSHead
from torchvision.models.detection.ssd import SSD

from anomaly.studies.detection.networks import NetworkError, WeightedHead, WeightedSSD, batch_loss, network_of


def batch(size: int, weights: tuple[float, ...]) -> tuple[Tensor, list[dict[str, Tensor]]]:
    generator = torch.Generator().manual_seed(0)
    boxes = [[[4.0, 6, 20, 18], [30, 30, 44, 50]], [], [[10.0, 30, 26, 40]]]
    targets = [
        {
            "boxes": torch.tensor(some).reshape(-1, 4) * size / 64,
            "labels": torch.arange(len(some)) % 2 + 1,
            "weight": torch.tensor(weight),
        }
        for some, weight in zip(boxes, weights, strict=True)
    ]
    return torch.randn(3, 3, size, size, generator=generator), targets


@pytest.mark.parametrize(("name", "size"), [("fcos", 64), ("ssdlite", 320)])
def test_weights_of_one_leave_torchvisions_loss(name: Any, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of(name, 3, width=32).train()
    ours = batch_loss(network, *batch(size, (1, 1, 1)))
    for own, theirs in ((WeightedHead, FCOSHead), (WeightedSSD, SSD)):
        monkeypatch.setattr(own, "compute_loss", theirs.compute_loss)
    torch.testing.assert_close(ours, batch_loss(network, *batch(size, (1, 1, 1))))


@pytest.mark.parametrize(("name", "size"), [("fcos", 64), ("ssdlite", 320)])
def test_pictures_count_by_their_weight(name: Any, size: int) -> None:
    """A weight of 2 is the same picture twice, and one of 0 is none: its head learns nothing from it."""
    network = network_of(name, 3, width=32).eval()  # statistics that a picture more or less does not change

    def loss(places: tuple[int, ...], weights: tuple[float, ...]) -> Tensor:
        images, targets = batch(size, (1, 1, 1))
        chosen = [{**targets[k], "weight": torch.tensor(w)} for k, w in zip(places, weights, strict=True)]
        network.training = True
        return batch_loss(network, images[list(places)], chosen)

    torch.testing.assert_close(loss((0, 1, 2), (2, 1, 1)), loss((0, 0, 1, 2), (1, 1, 1, 1)))
    torch.testing.assert_close(loss((0, 1, 2), (1, 1, 0)), loss((0, 1), (1, 1)))


@pytest.mark.parametrize(("name", "size"), [("fcos", 64), ("ssdlite", 320), ("faster_rcnn", 64)])
def test_networks_give_boxes_and_follow_from_their_seed(name: Any, size: int) -> None:
    images, _ = batch(size, (1, 1, 1))
    networks = [network_of(name, 3, width=32, seed=seed).eval() for seed in (1, 1, 2)]
    same, again, other = (
        torch.cat([value.flatten() for value in network.state_dict().values() if value.is_floating_point()])
        for network in networks
    )
    assert torch.equal(same, again)
    assert not torch.equal(same, other)
    with torch.inference_mode():
        found = networks[0](list(images))
    assert len(found) == 3
    assert all(one["boxes"].shape == (len(one["scores"]), 4) for one in found)
    assert all((one["boxes"] >= 0).all() and (one["boxes"] <= size).all() for one in found)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(NetworkError, match=r"the network fcos cannot have the encoder resnet17"):
        network_of("fcos", 2, "resnet17")
    with pytest.raises(NetworkError, match=r"the encoder swin_tiny_patch4_window7_224 has stages of strides"):
        network_of("fcos", 2, "swin_tiny_patch4_window7_224")
    network = network_of("faster_rcnn", 3).train()
    with pytest.raises(NetworkError, match=r"faster_rcnn has one loss for all pictures of a step, and these count by"):
        batch_loss(network, *batch(64, (1, 0.5, 1)))
