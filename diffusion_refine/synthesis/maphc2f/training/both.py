"""Training both networks at once (P9): on what physics draws on pictures, towards the bands of references."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from diffusion_refine.core.models import device_of_choice
from diffusion_refine.editing.pixels import Pixels, colour
from diffusion_refine.synthesis.maphc2f.change import seamless_change
from diffusion_refine.synthesis.maphc2f.energy import ORDER, problem
from diffusion_refine.synthesis.maphc2f.model import save_model
from diffusion_refine.synthesis.maphc2f.networks import Networks, NetworkShape
from diffusion_refine.synthesis.maphc2f.options import Wavelet
from diffusion_refine.synthesis.maphc2f.physics import Physics
from diffusion_refine.synthesis.maphc2f.references import References
from diffusion_refine.synthesis.maphc2f.stages import doubled, halved
from diffusion_refine.synthesis.maphc2f.training.losses import border_loss, coarse_loss, wavelet_loss
from diffusion_refine.synthesis.maphc2f.wavelets import (
    analysis,
    brightness,
    changeable,
    dilated,
    magnitudes,
    reach,
    synthesis,
)
from diffusion_refine.synthesis.maphc2f.windows import Window
from diffusion_refine.training.loop import GradientDescent, TrainingLoop
from diffusion_refine.training.model_shapes import random_start
from procgen.errors import BlemishError
from scenes.datasets.lock import locked
from scenes.jobs.progress import Progress

STATE = "training"
TRIES = 50  # pictures in a row on which nothing is drawn
MOST_OF_A_PICTURE = 8  # defects, so that a hundred pits are not all that is learnt from
COLUMNS = ("coarse", "wavelet", "border")


@dataclass(frozen=True)
class Settings:
    """size: pixels a side of what is learnt from. wavelet_weight, border_weight: a and b of P9."""

    steps: int = 3000
    batch: int = 8
    size: int = 64
    pairs: int = 512
    rate: float = 2e-3
    wavelet: Wavelet = Wavelet.haar
    wavelet_weight: float = 1.0
    border_weight: float = 1.0
    seed: int = 0
    every: int = 200  # steps between checkpoints
    network: NetworkShape = field(default_factory=NetworkShape)


@dataclass(frozen=True, eq=False)
class Ground:
    """pictures: (H, W[, 3]) each, that physics draws on."""

    pictures: Sequence[Pixels]
    physics: Physics


@dataclass(frozen=True, eq=False)
class Pairs:
    """good, change, physical: I, v and J_0, (N, 3, S, S). masks: (N, 1, S, S). mechanisms: (N,). classes: of each."""

    good: Tensor
    change: Tensor
    physical: Tensor
    masks: Tensor
    mechanisms: Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.classes)


def draw_pairs(
    grounds: Sequence[Ground],
    count: int,
    size: int,
    seed: int,
    on_pair: Callable[[int], None] = lambda done: None,
) -> Pairs:
    """So many windows round defects that physics draws on pictures, one picture of each ground in turn.

    Raises BlemishError where it draws none.
    """
    found: list[tuple[Tensor, ...]] = []
    classes: list[str] = []
    number = last = 0
    while len(found) < count:
        ground = grounds[number % len(grounds)]
        if number - last > TRIES:
            raise BlemishError(
                f"{ground.physics.recipe.name}: drew no defect on {TRIES} pictures; give a recipe with larger ones, or "
                "more"
            )
        random = np.random.default_rng([seed, number])
        pixels = ground.pictures[int(random.integers(len(ground.pictures)))]
        drawn = ground.physics.on(pixels, np.ones(pixels.shape[:2], dtype=bool), int(random.integers(2**31)))
        good = colour(pixels)
        number += 1
        most = min(MOST_OF_A_PICTURE, count - len(found))
        for defect in (drawn.defects[k] for k in random.permutation(len(drawn.defects))[:most]):
            mask = drawn.ids == defect.number
            rows, columns = np.nonzero(mask)
            middle = int(random.integers(len(rows)))
            shift = random.integers(size // 4, size - size // 4, 2)
            window = Window(int(rows[middle] - shift[0]), int(columns[middle] - shift[1]), size, size)
            change = np.broadcast_to(seamless_change(drawn.appearance, mask), good.shape)
            parts = (good, change, good + drawn.appearance)
            tensors = [torch.from_numpy(window.cut(each)).permute(2, 0, 1).float() for each in parts]
            inside = torch.from_numpy(window.cut(mask))[None]
            found.append((*tensors, inside, torch.tensor(ORDER.index(defect.mechanism))))
            classes.append(defect.class_name)
            last = number
            on_pair(len(found))
    stacked = [torch.stack(parts) for parts in zip(*found, strict=True)]
    return Pairs(stacked[0], stacked[1], stacked[2], stacked[3], stacked[4], tuple(classes))


class Training:
    """Both networks, and a step of them."""

    def __init__(self, settings: Settings, pairs: Pairs, references: References, device: str) -> None:
        self.settings, self.pairs, self.device = settings, pairs, device
        with random_start(settings.seed):
            self.networks = Networks(settings.network).to(device)
        self.descent = GradientDescent(self.networks.parameters(), settings.rate, settings.steps, weight_decay=0.0)
        self.wanted = [torch.tensor(references.of(name)).float() for name in pairs.classes]
        self.scale = torch.from_numpy(references.scale()).float().clamp(min=1e-4).to(device)

    def step(self, rng: torch.Generator) -> tuple[Tensor, ...]:
        """What COLUMNS name, of a batch that it draws."""
        settings, pairs, nets = self.settings, self.pairs, self.networks
        chosen = torch.randint(len(pairs), (settings.batch,), generator=rng)
        drawn = [self.wanted[int(number)] for number in chosen]
        wanted = torch.stack([each[int(torch.randint(len(each), (), generator=rng))] for each in drawn])
        good, change, physical, mask, mechanisms, wanted = (
            each.to(self.device)
            for each in (
                pairs.good[chosen],
                pairs.change[chosen],
                pairs.physical[chosen],
                pairs.masks[chosen],
                pairs.mechanisms[chosen],
                wanted,
            )
        )
        inside = halved(mask).float()
        intensity = nets.coarse(inside, inside, mechanisms)
        coherent = coarse_loss(intensity, problem(inside, inside, mechanisms))
        coarse = good + doubled(intensity.detach()) * change  # the coarse net is taught by the residual alone
        near = dilated(mask, reach(settings.wavelet))
        counted = changeable(near, settings.wavelet)
        wanted = wanted * brightness(good, near)
        gains = torch.where(counted, nets.fine(coarse, good, mask, near, wanted), 1.0)
        coefficients = gains * analysis(coarse, settings.wavelet)
        found = magnitudes(coefficients, counted)
        alike = wavelet_loss(found, wanted, self.scale * brightness(good, near))
        seam = border_loss(synthesis(coefficients, settings.wavelet), physical, mask)
        self.descent.descend(coherent + settings.wavelet_weight * alike + settings.border_weight * seam)
        return coherent.detach(), alike.detach(), seam.detach()


def train_maphc2f(
    grounds: Sequence[Ground],
    references: References,
    out: Path,
    settings: Settings = Settings(),
    device: str | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Path:
    """Train, or go on with the training in `out`; the folder is then one that `load_model` reads.

    Stopped at any moment and begun again with the same arguments, it ends with the same bytes. Raises CheckpointError
    for a folder that holds another training; DatasetError for one that cannot be written, or that is being written.
    """
    device = device_of_choice(device)
    with locked(out):
        pairs = draw_pairs(
            grounds,
            settings.pairs,
            settings.size,
            settings.seed,
            lambda done: progress("pairs", done, settings.pairs),
        )
        training = Training(settings, pairs, references, device)
        written = {
            **asdict(settings),
            "recipes": [ground.physics.recipe.name for ground in grounds],
            "pictures": [len(ground.pictures) for ground in grounds],
        }
        (out / STATE).mkdir(exist_ok=True)
        loop = TrainingLoop(
            "maphc2f",
            out / STATE,
            settings.steps,
            settings.seed,
            written,
            dict.fromkeys(COLUMNS, float),
            settings.every,
            lambda done: progress("training", done, settings.steps),
        )
        loop.run(training.step, {"networks": training.descent})
        training.descent.use_average()
        save_model(training.networks, settings.wavelet, references, written, out)
    return out
