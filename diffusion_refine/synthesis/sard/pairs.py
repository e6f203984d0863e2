"""Pictures with the masks of their defects as square crops: what SARD is trained on.

A crop is a window round a defect, larger or smaller than the model's size, scaled to it; kinds of defects come up
equally often. Its mask is all of that kind in the window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from diffusion_refine.prompts.vocabulary import DIRECTIONAL, FINISHES
from diffusion_refine.synthesis.pasting.chosen import chosen_flawed
from diffusion_refine.training.crops import CropSettings, PicturesError, lit, scaled, turned, window
from scenes.datasets.reader import Dataset
from scenes.formats.registry import AUTO, found_in
from scenes.pictures.reading import ReadingOptions

LEAST_COVERED = 64  # of 255: share of a crop's pixel that a defect covers, for the pixel to be of its mask
STYLE = CropSettings(grey=0.0, light=0.08)


@dataclass(frozen=True)
class LabelledPicture:
    """image: (H, W, 3) uint8; masks: (H, W) bool by kind of defect; surface: what it is a picture of, in a word."""

    image: NDArray[np.uint8]
    masks: Mapping[str, NDArray[np.bool_]]
    surface: str


@dataclass(frozen=True)
class Pairs:
    """images: (N, 3, S, S) uint8. masks: (N, 1, S, S) bool. labels, surfaces: (N,), numbers of kinds and surfaces."""

    images: Tensor
    masks: Tensor
    labels: Tensor
    surfaces: Tensor
    label_names: tuple[str, ...]
    surface_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    def on(self, device: str) -> Pairs:
        """The same in the memory of a device."""
        names = ("images", "masks", "labels", "surfaces")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


def read_labelled(
    folder: Path, only: Path | None = None, format: str = AUTO, options: ReadingOptions = ReadingOptions()
) -> list[LabelledPicture]:
    """The pictures of a labelled set that show defects: of those that the lines of a file name, or of the train split.

    A dataset of Blemish says what its finish is; any other set is a surface of its own, by its folder's name. Raises
    BlemishError where no picture shows a defect; SampleError, PictureError, DatasetError.
    """
    samples = chosen_flawed(folder, only, options, format)
    is_rendered = (found_in(folder) if format == AUTO else format) == "blemish"
    frames = Dataset(folder) if is_rendered else ()
    finishes = {f"{frame.index:06d}": FINISHES[frame.scene.finish.kind] for frame in frames}
    found = []
    for sample in samples:
        masks: dict[str, NDArray[np.bool_]] = {}
        for instance in sample.truth().instances:
            if instance.family == "defect" and instance.mask.any():
                masks[instance.class_name] = masks.get(instance.class_name, False) | instance.mask
        if masks:
            found.append(LabelledPicture(sample.image(), masks, finishes.get(sample.name, folder.resolve().name)))
    if not found:
        raise PicturesError(f"{folder}: shows no defect with a mask; SARD learns from pairs of pictures and masks")
    return found


def draw_pairs(
    pictures: Sequence[LabelledPicture],
    count: int,
    size: int,
    seed: int,
    style: CropSettings = STYLE,
    on_pair: Callable[[int], None] = lambda done: None,
) -> Pairs:
    """So many crops of `size` pixels a side, each with a generator of its own, by its number."""
    showing: dict[str, list[LabelledPicture]] = {}
    for picture in pictures:
        for name in picture.masks:
            showing.setdefault(name, []).append(picture)
    label_names = tuple(sorted(showing))
    surface_names = tuple(sorted({picture.surface for picture in pictures}))
    images = torch.empty((count, 3, size, size), dtype=torch.uint8)
    masks = torch.empty((count, 1, size, size), dtype=torch.bool)
    labels, surfaces = torch.empty(count, dtype=torch.long), torch.empty(count, dtype=torch.long)
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        label = int(rng.integers(len(label_names)))
        choice = showing[label_names[label]]
        picture = choice[int(rng.integers(len(choice)))]
        image, mask = _crop(picture, label_names[label], size, rng, style)
        images[number], masks[number, 0] = torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(mask)
        labels[number], surfaces[number] = label, surface_names.index(picture.surface)
        on_pair(number + 1)
    return Pairs(images, masks, labels, surfaces, label_names, surface_names)


def _crop(
    picture: LabelledPicture, name: str, size: int, rng: np.random.Generator, style: CropSettings
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """(S, S, 3) and (S, S), in which some pixel of the kind `name` is."""
    mask = picture.masks[name]
    top, left, side = window(mask.shape, size, rng, style, mask)
    place = slice(top, top + side), slice(left, left + side)
    image = np.asarray(scaled(picture.image[place], size, Image.Resampling.LANCZOS))
    covered = np.asarray(scaled(mask[place].astype(np.uint8) * np.uint8(255), size, Image.Resampling.BOX))
    quarters = picture.surface not in DIRECTIONAL
    image, marked = turned(image, (covered >= LEAST_COVERED).astype(np.uint8), rng, style, quarters)
    return lit(image, rng, style), marked > 0
