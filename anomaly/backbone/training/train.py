"""Trains the embedded backbone on procedural pictures alone: `python -m anomaly.backbone.training.train --out DIR`.

The learning rate is warmed up, held, and falls over the last quarter of the steps; what is kept is the moving average
of the weights. A stopped training goes on from its last checkpoint. No photograph is read.
"""

from __future__ import annotations

import argparse
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from anomaly.backbone.extractor import FeatureExtractor
from anomaly.backbone.normalisation import standardised
from anomaly.backbone.training.episodes import FAMILIES, draw_episode
from anomaly.backbone.training.fields import Source
from anomaly.backbone.training.objective import Batch, collated, evaluate_batch
from anomaly.backbone.training.textures import Texture, draw_texture
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
from scenes.jobs.progress import Progress, print_progress

CHECKPOINT, WEIGHTS, CURVE = "checkpoint.pt", "embedded.safetensors", "curve.csv"
EVERY = 50  # steps between checkpoints, and over which a row of the curve averages
LONGEST_AVERAGE = 0.998  # share that the moving average keeps from step to step


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

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""
        falling = max(1, self.steps // 4)
        return self.rate * min(1.0, (step + 1) / 50, (self.steps - step) / falling)


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

    def learn(self, batch: Batch) -> Any:
        """The outcome of a batch, with batch statistics of its own."""
        images = standardised(batch.images.flatten(0, 1)).contiguous(memory_format=torch.channels_last)
        nn.Module.train(self.extractor.network, True)
        features = self.extractor(images)
        nn.Module.train(self.extractor.network, False)
        return evaluate_batch(features, batch, self.log_sharpness.exp(), self.classifier)


class BackboneTraining:
    """A training that can be stopped after any checkpoint: `run` goes on to the last step."""

    def __init__(self, settings: BackboneSettings, out: Path, device: str = "cpu", workers: int = 0) -> None:
        self.settings, self.out, self.device, self.workers = settings, out, device, workers
        # torch declares no such overload
        self.module = TrainingModule(settings).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = FeatureExtractor("untrained", seed=settings.seed).network.to(device)
        parameters = list(self.module.parameters())
        decaying = [p for p in parameters if p.ndim > 1]
        others = [p for p in parameters if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": decaying, "weight_decay": settings.decay}, {"params": others, "weight_decay": 0.0}],
            lr=settings.rate,
        )
        self.step = 0
        self.curve = Curve(out / CURVE, {"loss": float, "separation": float}, EVERY, settings.steps)

    def run(self, textures: Sequence[Texture], progress: Progress = lambda what, done, total: None) -> None:
        """Train to the last step, with a checkpoint every `EVERY` steps."""
        for batch in self._batches(textures):
            if self.curve.record(self.step + 1, self.advance(batch)):
                self.save()
            progress("backbone", self.step, self.settings.steps)

    def advance(self, batch: Batch) -> tuple[float, float]:
        """One step of descent: its loss and how well defects stood out."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate_at(self.step)
        outcome = self.module.learn(batch)
        self.optimizer.zero_grad()
        outcome.loss.backward()
        nn.utils.clip_grad_norm_(self.module.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        kept = min(LONGEST_AVERAGE, self.step / (self.step + 10))
        with torch.no_grad():
            now = self.module.extractor.network.state_dict()
            for name, value in self.average.state_dict().items():
                if value.dtype.is_floating_point:
                    value.lerp_(now[name], 1 - kept)
                else:
                    value.copy_(now[name])
        return float(outcome.loss.detach()), outcome.separation

    def save(self) -> None:
        """The checkpoint, the curve and the weights so far, each file whole or not at all."""
        state = {
            "settings": plain(asdict(self.settings)),
            "step": self.step,
            "module": self.module.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "curve": self.curve.rows,
        }
        buffer = io.BytesIO()
        torch.save(with_one_of_each_text(state), buffer)
        self.curve.write()
        write_weights(self.average.state_dict(), self.out / WEIGHTS)
        write_checked(self.out / CHECKPOINT, buffer.getvalue())  # last: what a kill leaves undone is done again

    def resume(self) -> None:
        """Go back to the checkpoint, where there is one. Raises CheckpointError where it is damaged or another's."""
        path = self.out / CHECKPOINT
        if path.is_file():
            try:
                content = read_checked(path)
            except ValueError as error:
                raise CheckpointError(f"{path}: is no whole checkpoint ({error}); remove it to begin anew") from None
            state = torch.load(io.BytesIO(content), map_location=self.device, weights_only=True)
            refuse_other_settings(path, state.get("settings", {}), asdict(self.settings))
            self.module.load_state_dict(state["module"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.curve.rows = state["step"], state["curve"]

    def _batches(self, textures: Sequence[Texture]) -> Iterator[Batch]:
        stride = self.module.extractor.strides[0]
        episodes = Episodes(self.settings, stride, [texture.to(self.device) for texture in textures], self.device)
        steps = range(self.step, self.settings.steps)
        if self.workers:
            return iter(DataLoader(episodes, None, sampler=steps, num_workers=self.workers, prefetch_factor=4))
        return (episodes[step] for step in steps)


def write_weights(state: dict[str, Tensor], path: Path) -> None:
    """The tensors in half precision, batch statistics in single, as one safetensors file."""
    from safetensors.torch import save

    halves = {
        name: value.contiguous().cpu() if "running" in name or not value.dtype.is_floating_point else value.half().cpu()
        for name, value in state.items()
    }
    write_atomically(path, save({name: value.contiguous() for name, value in halves.items()}))


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
    training = BackboneTraining(settings, given.out, given.device, given.workers if given.device == "cpu" else 0)
    training.resume()
    training.run(textures, print_progress)


if __name__ == "__main__":
    main()
