"""What the two networks learn from: crops of good pictures, and patches round defects, of every class as many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from diffusion_refine.synthesis.crg.boxes import Box, around, box_of, cut, zoom_of
from diffusion_refine.synthesis.pasting.chosen import chosen_flawed, chosen_surfaces
from diffusion_refine.training.crops import CropSettings, PicturesError, lit, photographs_in, scaled, turned, window
from scenes.formats.errors import SampleError
from scenes.formats.registry import AUTO, found_in
from scenes.formats.sample import GOOD
from scenes.pictures.reading import ReadingOptions, read_rgb, with_white_level

STYLE = CropSettings(near=0.9, far=1.3, grey=0.0, light=0.06)
LEAST = 4  # pixels of a defect in sight, for its box to be learnt from


@dataclass(frozen=True)
class BoxedPicture:
    """image: (H, W, 3) uint8, and the boxes of its defects."""

    image: NDArray[np.uint8]
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Patches:
    """images: (N, 3, S, S) uint8. labels: (N,), numbers of `label_names`; all 0 of pictures that have none."""

    images: Tensor
    labels: Tensor
    label_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)


def read_good(
    inputs: Sequence[Path], only: Path | None = None, format: str = AUTO, options: ReadingOptions = ReadingOptions()
) -> list[NDArray[np.uint8]]:
    """Good pictures (H, W, 3): photographs, all of a folder of such, or the good ones of a labelled set's train split.

    Raises PicturesError where a set has none; SampleError, PictureError, DatasetError.
    """
    found: list[NDArray[np.uint8]] = []
    files = [path for path in inputs if not path.is_dir()]
    for folder in (path for path in inputs if path.is_dir()):
        if format == AUTO and not is_set(folder) and (photographs := photographs_in(folder)):
            files += photographs
            continue
        samples = [sample for sample in chosen_surfaces([folder], only, options, format) if sample.label == GOOD]
        if not samples:
            raise PicturesError(
                f"{folder}: shows no good picture to learn the context from; name good ones, or render some with "
                "`blemish render RECIPE --without defects`"
            )
        found += [sample.image() for sample in samples]
    reading = with_white_level(files, options, "the photographs") if files else options
    return found + [read_rgb(path, reading) for path in files]


def read_boxed(
    folder: Path, only: Path | None = None, format: str = AUTO, options: ReadingOptions = ReadingOptions()
) -> list[BoxedPicture]:
    """The pictures of a labelled set that show defects: of those that the lines of a file name, or of the train split.

    Raises BlemishError where none does; SampleError, PictureError, DatasetError.
    """
    found = []
    for sample in chosen_flawed(folder, only, options, format):
        seen = (each for each in sample.truth().instances if each.family == "defect" and each.mask.sum() >= LEAST)
        if boxes := tuple(box_of(each.mask, each.class_name) for each in seen):
            found.append(BoxedPicture(sample.image(), boxes))
    if not found:
        raise PicturesError(f"{folder}: shows no defect; the prior learns from pictures and the boxes of defects")
    return found


def draw_crops(
    pictures: Sequence[NDArray[np.uint8]],
    count: int,
    size: int,
    seed: int,
    style: CropSettings = STYLE,
    on_crop: Callable[[int], None] = lambda done: None,
) -> Patches:
    """So many crops of good pictures, these in turn, each crop with a generator of its own, by its number."""
    images = torch.empty((count, 3, size, size), dtype=torch.uint8)
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        picture = pictures[number % len(pictures)]
        top, left, side = window(picture.shape[:2], size, rng, style, None)
        images[number] = _finished(picture[top : top + side, left : left + side], size, rng, style)
        on_crop(number + 1)
    return Patches(images, torch.zeros(count, dtype=torch.long))


def draw_patches(
    pictures: Sequence[BoxedPicture],
    count: int,
    size: int,
    seed: int,
    style: CropSettings = STYLE,
    on_patch: Callable[[int], None] = lambda done: None,
) -> Patches:
    """So many patches with a defect's box in their middle, moved at the rims of its picture; every class as often."""
    places: dict[str, list[tuple[BoxedPicture, Box]]] = {}
    for picture in pictures:
        for box in picture.boxes:
            places.setdefault(box.class_name, []).append((picture, box))
    names = tuple(sorted(places))
    images = torch.empty((count, 3, size, size), dtype=torch.uint8)
    labels = torch.arange(count) % len(names)
    for number, label in enumerate(labels.tolist()):
        rng = np.random.default_rng([seed, number])
        chosen = places[names[label]]
        picture, box = chosen[int(rng.integers(len(chosen)))]
        square = around(box, round(size * zoom_of(box, size)), picture.image.shape)
        images[number] = _finished(cut(picture.image, square), size, rng, style)
        on_patch(number + 1)
    return Patches(images, labels, names)


def _finished(pixels: NDArray[np.uint8], size: int, rng: np.random.Generator, style: CropSettings) -> Tensor:
    """(3, S, S): scaled, turned and lit."""
    image = pixels if len(pixels) == size else np.asarray(scaled(pixels, size, Image.Resampling.LANCZOS))
    image, _ = turned(image, image[..., 0], rng, style, quarters=True)
    return torch.from_numpy(np.ascontiguousarray(lit(image, rng, style))).permute(2, 0, 1)


def is_set(folder: Path) -> bool:
    """Whether a folder is laid out as a set of some format."""
    try:
        found_in(folder)
    except SampleError:
        return False
    return True
