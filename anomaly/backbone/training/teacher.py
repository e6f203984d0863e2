"""Procedural episodes with what a teacher sees in them, made once and kept in files of a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from anomaly.backbone.normalisation import patches, standardised
from anomaly.backbone.patch_extractor import PatchExtractor
from anomaly.backbone.training.episodes import draw_episode
from anomaly.backbone.training.fields import Source
from anomaly.backbone.training.objective import Batch, collated
from anomaly.backbone.training.textures import Texture
from scenes.datasets.files import write_atomically
from scenes.jobs.progress import Progress

SHARD = 16  # episodes a file
PRINCIPAL = 6  # shards that the principal components are found on


@dataclass(frozen=True)
class Principal:
    """The teacher's principal components: mean (D,), directions (D, K), deviations (K,) along them, descending."""

    mean: Tensor
    directions: Tensor
    deviations: Tensor

    @classmethod
    def of(cls, rows: Tensor, count: int) -> Principal:
        """The first `count` of rows (N, D)."""
        mean = rows.mean(dim=0)
        values, vectors = torch.linalg.eigh(torch.cov((rows - mean).T.double()))
        return cls(mean, vectors.flip(1)[:, :count].float(), values.flip(0)[:count].clamp_min(0).sqrt().float())

    def of_grid(self, grid: Tensor) -> Tensor:
        """(B, K, h, w) of features (B, D, h, w)."""
        return torch.einsum("bdhw,dk->bkhw", grid - self.mean[:, None, None], self.directions)


@dataclass(frozen=True)
class Seen:
    """Episodes: stages (E, S + Q, C, h, w) of the trunk and targets (E, S + Q, K, h, w), half; labels (E, Q, h, w)."""

    stages: Tensor
    targets: Tensor
    labels: Tensor

    def __getitem__(self, chosen: Tensor) -> Seen:
        return Seen(self.stages[chosen], self.targets[chosen], self.labels[chosen])


@dataclass(frozen=True)
class Pictures:
    """Procedural episodes by number: two good pictures and two others of `size` pixels."""

    seed: int
    size: int
    textures: Sequence[Texture]

    def shard(self, number: int, stride: int) -> Batch:
        """The episodes of one file."""
        numbers = range(number * SHARD, (number + 1) * SHARD)
        sources = [Source.seeded(self.seed, each, self.size, self.textures) for each in numbers]
        batch = collated([draw_episode(source, 2, 2) for source in sources], stride)
        return replace(batch, images=(batch.images * 255).round() / 255)


@torch.no_grad()
def seen_by(
    teacher: PatchExtractor,
    trunk: Callable[[Tensor], Tensor],
    pictures: Pictures,
    shards: int,
    components: int,
    folder: Path,
    progress: Progress = lambda what, done, total: None,
) -> tuple[Seen, Principal]:
    """What the teacher and the trunk see in so many files of episodes, and the teacher's components; files are reused.

    trunk: images (B, 3, H, W), ImageNet-normalised, to its stages on the teacher's grid.
    """
    folder.mkdir(parents=True, exist_ok=True)
    principal = _principal(teacher, pictures, components, folder)
    found = []
    for number in range(shards):
        path = folder / f"{number:04d}.safetensors"
        if not path.is_file():
            batch = pictures.shard(number, teacher.strides[0])
            images = [standardised(episode) for episode in batch.images]
            targets = torch.stack([principal.of_grid(teacher(episode)) for episode in images]).half()
            stages = torch.stack([trunk(episode) for episode in images]).half()
            _write(path, {"stages": stages, "targets": targets, "labels": batch.labels.to(torch.int8)})
        found.append(_read(path))
        progress("teacher", number + 1, shards)
    return Seen(*(torch.cat([file[name] for file in found]) for name in ("stages", "targets", "labels"))), principal


def _principal(teacher: PatchExtractor, pictures: Pictures, count: int, folder: Path) -> Principal:
    path = folder / "principal.safetensors"
    if not path.is_file():
        batches = [pictures.shard(number, teacher.strides[0]) for number in range(PRINCIPAL)]
        rows = [patches(teacher(standardised(episode))) for batch in batches for episode in batch.images[::2]]
        principal = Principal.of(torch.cat(rows), count)
        _write(path, {name: getattr(principal, name) for name in ("mean", "directions", "deviations")})
    return Principal(**_read(path))


def _read(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    from safetensors.torch import save

    write_atomically(path, save({name: value.contiguous() for name, value in tensors.items()}))
