"""Trains the embedded backbone's second edition: `python -m anomaly.backbone.training.distil --out DIR`.

On procedural pictures a head on EfficientNet-Lite0's stages learns what DINOv2-small sees in them after its sixth
block, and PatchCore's own question as the first edition did. Both networks come in packages and stay as they are. A
stopped training goes on from its last file. No photograph is read.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from anomaly.backbone.distilled import CHANNELS, NORMALISATION, DistilledNetwork, Head
from anomaly.backbone.extractor import seeded
from anomaly.backbone.packaged_weights import EFFICIENTNET_LITE0
from anomaly.backbone.patch_extractor import PatchExtractor, patch_extractor
from anomaly.backbone.training.episodes import FAMILIES
from anomaly.backbone.training.loop import AveragedTraining, write_weights
from anomaly.backbone.training.objective import Batch, evaluate_batch
from anomaly.backbone.training.teacher import Pictures, Principal, Seen, seen_by
from anomaly.backbone.training.textures import Texture, draw_texture
from anomaly.backbone.training.train import classifier
from scenes.jobs.progress import Progress, print_progress

WEIGHTS, HEAD = "distilled.safetensors", "head.safetensors"
SEEN = "seen"  # folder of what teacher and trunk saw
TEACHER = "dinov2-small@6/8"


@dataclass(frozen=True)
class DistillationSettings:
    """A distillation: everything that its weights follow from."""

    steps: int = 2000
    episodes: int = 6
    shards: int = 96
    size: int = 96  # pixels
    textures: int = 120
    rate: float = 3e-3
    decay: float = 1e-3
    sharpness: float = 1.0  # of the distances, to begin with; learnt
    question: float = 0.1  # weight of PatchCore's own question beside the teacher's features
    whitening: float = 0.5  # by which power of its variance a component's error counts less
    seed: int = 0


class Distillation(nn.Module):
    """The head while it learns, its classifier of families and the sharpness of its distances."""

    def __init__(self, settings: DistillationSettings, head: Head, principal: Principal) -> None:
        super().__init__()
        self.settings, self.network = settings, head
        self.classifier = classifier(CHANNELS, 1 + len(FAMILIES), settings.seed)
        self.log_sharpness = nn.Parameter(torch.tensor(settings.sharpness).log())
        variances = principal.deviations.square()
        self.unit = float(variances.mean().sqrt())
        counting = variances**-settings.whitening
        self.counting = counting / (counting * variances).sum()  # so that answering the mean costs 1

    def learn(self, batch: Seen) -> tuple[Tensor, tuple[float, float]]:
        """The loss of a batch, with batch statistics of its own; its error, and how well defects stood out."""
        stages, targets = (values.flatten(0, 1).float() for values in (batch.stages, batch.targets))
        self.network.train(True)
        features = self.network(stages.contiguous(memory_format=torch.channels_last))
        self.network.train(False)
        squares = (features * self.unit - targets).square().mean(dim=(0, 2, 3))
        error = (squares * self.counting).sum()
        support = batch.stages.shape[1] - batch.labels.shape[1]
        episodes = Batch(batch.stages, batch.labels.long(), support)
        outcome = evaluate_batch(features, episodes, self.log_sharpness.exp(), self.classifier)
        return error + self.settings.question * outcome.loss, (float(error.detach()), outcome.separation)


def started(seed: int) -> DistilledNetwork:
    """The network before it learns."""
    from safetensors.torch import load_file

    with seeded(seed):
        network = DistilledNetwork()
    found = load_file(EFFICIENTNET_LITE0.file_of_weights())
    network.trunk.load_state_dict({name: found[name] for name in network.trunk.state_dict()})
    return network.requires_grad_(False).eval()


def batches_of(seen: Seen, settings: DistillationSettings, first: int) -> Iterator[Seen]:
    """Those of the steps from `first` on: all episodes in another order every time they were all shown."""
    a_pass = len(seen.labels) // settings.episodes
    for step in range(first, settings.steps):
        order = np.random.default_rng([settings.seed, step // a_pass]).permutation(len(seen.labels))
        place = step % a_pass * settings.episodes
        yield seen[torch.from_numpy(order[place : place + settings.episodes])]


def distillation(
    settings: DistillationSettings,
    teacher: PatchExtractor,
    network: DistilledNetwork,
    textures: Sequence[Texture],
    out: Path,
    progress: Progress = lambda what, done, total: None,
) -> AveragedTraining:
    """The training of the network's head, which is averaged in place; files are written to the folder `out`.

    What teacher and trunk see is kept in its folder `seen`, and reused.
    """
    seen, principal = seen_by(
        teacher,
        lambda images: network.joined(NORMALISATION(images).contiguous(memory_format=torch.channels_last)),
        Pictures(settings.seed, settings.size, textures),
        settings.shards,
        CHANNELS,
        out / SEEN,
        progress,
    )
    learner = Distillation(settings, copy.deepcopy(network.head).requires_grad_(True), principal)

    def batches(first: int) -> Iterator[Seen]:
        return batches_of(seen, settings, first)

    return AveragedTraining(settings, learner, network.head, out / HEAD, batches, ("error", "separation"))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for pictures, checkpoint, curve and weights")
    parser.add_argument("--steps", type=int, default=DistillationSettings.steps)
    parser.add_argument("--question", type=float, default=DistillationSettings.question, help="weight of PatchCore's")
    parser.add_argument("--seed", type=int, default=DistillationSettings.seed)
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    settings = DistillationSettings(steps=given.steps, question=given.question, seed=given.seed)
    network = started(settings.seed)
    textures = [draw_texture(settings.seed, index) for index in range(settings.textures)]
    training = distillation(settings, patch_extractor(TEACHER), network, textures, given.out, print_progress)
    training.resume()
    training.run(print_progress)
    write_weights(network.state_dict(), given.out / WEIGHTS)


if __name__ == "__main__":
    main()
