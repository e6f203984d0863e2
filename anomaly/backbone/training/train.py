"""Trains the embedded backbone on procedural pictures alone: `python -m anomaly.backbone.training.train --out DIR`.

The learning rate is warmed up, held, and falls over the last quarter of the steps; what is kept is the moving average
of the weights. A stopped training goes on from its last checkpoint. No photograph is read.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from anomaly.backbone.extractor import FeatureExtractor
from anomaly.backbone.normalisation import standardised
from anomaly.backbone.training.episodes import FAMILIES, draw_episode
from anomaly.backbone.training.fields import Source
from anomaly.backbone.training.loop import AveragedTraining
from anomaly.backbone.training.objective import Batch, collated, evaluate_batch
from anomaly.backbone.training.textures import Texture, draw_texture
from scenes.jobs.progress import print_progress

WEIGHTS = "embedded.safetensors"


@dataclass(frozen=True)
class BackboneSettings:
    """A training: everything that its weights follow from."""

    steps: int = 6000
    episodes: int = 6
    support: int = 2
    query: int = 2
    size: int = 96  # pixels
    textures: int = 200
    rate: float = 3e-3
    decay: float = 1e-3
    sharpness: float = 4.0  # of the distances, to begin with; learnt
    seed: int = 0


class Episodes(Dataset[Batch]):
    """The batch of every step, each drawn from its own seed."""

    def __init__(
        self, settings: BackboneSettings, stride: int, textures: Sequence[Texture], device: str = "cpu"
    ) -> None:
        self.settings, self.stride, self.textures, self.device = settings, stride, textures, device

    def __getitem__(self, step: int) -> Batch:
        settings = self.settings
        source = Source.seeded(settings.seed, step, settings.size, self.textures, self.device)
        drawn = [draw_episode(source, settings.support, settings.query) for _ in range(settings.episodes)]
        return collated(drawn, self.stride)


def classifier(channels: int, families: int, seed: int) -> nn.Conv2d:
    """A 1 x 1 convolution with torch's usual random start, from a generator of its own."""
    layer = nn.Conv2d(channels, families, 1, device="meta").to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
    assert layer.bias is not None
    nn.init.uniform_(layer.bias, -(channels**-0.5), channels**-0.5, generator=generator)
    return layer


class TrainingModule(nn.Module):
    """The backbone while it learns, its classifier of families and the sharpness of its distances."""

    def __init__(self, settings: BackboneSettings) -> None:
        super().__init__()
        self.extractor = FeatureExtractor("untrained", seed=settings.seed)
        self.extractor.requires_grad_(True)
        self.classifier = classifier(self.extractor.channels, 1 + len(FAMILIES), settings.seed)
        self.log_sharpness = nn.Parameter(torch.tensor(settings.sharpness).log())

    @property
    def network(self) -> nn.Module:
        """What is kept."""
        network: nn.Module = self.extractor.network
        return network

    def learn(self, batch: Batch) -> tuple[Tensor, tuple[float]]:
        """The loss of a batch, with batch statistics of its own, and how well defects stood out."""
        images = standardised(batch.images.flatten(0, 1)).contiguous(memory_format=torch.channels_last)
        nn.Module.train(self.network, True)
        features = self.extractor(images)
        nn.Module.train(self.network, False)
        outcome = evaluate_batch(features, batch, self.log_sharpness.exp(), self.classifier)
        return outcome.loss, (outcome.separation,)


def backbone_training(
    settings: BackboneSettings, out: Path, textures: Sequence[Texture], device: str = "cpu", workers: int = 0
) -> AveragedTraining:
    """The training of the embedded backbone, which writes to the folder `out`."""
    # torch declares no such overload
    module = TrainingModule(settings).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    stride = module.extractor.strides[0]
    episodes = Episodes(settings, stride, [texture.to(device) for texture in textures], device)

    def batches(first: int) -> Iterable[Batch]:
        steps = range(first, settings.steps)
        if workers:
            return DataLoader(episodes, None, sampler=steps, num_workers=workers, prefetch_factor=4)
        return (episodes[step] for step in steps)

    average = FeatureExtractor("untrained", seed=settings.seed).network
    return AveragedTraining(settings, module, average, out / WEIGHTS, batches, ("separation",), device)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, curve and weights")
    parser.add_argument("--steps", type=int, default=BackboneSettings.steps)
    parser.add_argument("--seed", type=int, default=BackboneSettings.seed)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw pictures beside a training CPU")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    settings = BackboneSettings(steps=given.steps, seed=given.seed)
    textures = [draw_texture(settings.seed, index) for index in range(settings.textures)]
    workers = given.workers if given.device == "cpu" else 0
    training = backbone_training(settings, given.out, textures, given.device, workers)
    training.resume()
    training.run(print_progress)


if __name__ == "__main__":
    main()
