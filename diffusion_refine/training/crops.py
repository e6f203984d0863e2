"""Datasets and photographs as square crops with a mask and a caption each: what an embedded model is trained on.

A crop is a window of the picture, larger or smaller than the model's, scaled to its size, turned and lit at random.
Its caption names what its own mask shows.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from diffusion_refine.editing.label_check import LEAST_PIXELS, STANDS_OUT, standing_out
from diffusion_refine.editing.pixels import colour
from diffusion_refine.prompts.captions import Subject, caption, classes_in, subject_of
from diffusion_refine.prompts.vocabulary import DIRECTIONAL
from procgen.errors import BlemishError, BlemishNote
from scenes.datasets.files import sha256_of
from scenes.datasets.reader import Dataset
from scenes.datasets.schema import HEADER, SCENES
from scenes.formats.layouts import mvtec
from scenes.formats.sample import GOOD
from scenes.pictures.reading import SUFFIXES, ReadingOptions, is_hidden, read_rgb, rgb_of, with_white_level
from scenes.scene import Scene

LEAST_SHARE = 0.002  # of a crop, for a defect to be named; one that covers less, but something, makes no crop
FEWEST_CROPS, MOST_CROPS = 256, 8000  # that a training has, however few or many its pictures are
ATTEMPTS = 20  # draws of a crop until one can be captioned
# Words that mean the same picture; a caption now and then takes the other one, so that both are known.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "blowhole": ("hole",),
    "chip": ("break",),
    "pore": ("hole", "pinhole"),
    "rust": ("corrosion",),
    "wear": ("uneven", "fray"),
}


class PicturesError(BlemishError):
    """Pictures that nothing can be learnt from."""


@dataclass(frozen=True)
class Picture:
    """A picture before it is cropped.

    image: (H, W, 3) uint8. classes: (H, W) uint16, bit k is class k; None where there is no mask. bits: class name ->
    bit. subject: what it shows, with its masks' classes unnamed; or `text`, the caption of every crop.
    """

    image: NDArray[np.uint8]
    classes: NDArray[np.uint16] | None
    bits: Mapping[str, int]
    subject: Subject | None
    text: str = ""

    @property
    def defects(self) -> list[str]:
        """Words of the defects in sight."""
        if self.classes is None or self.subject is None:
            return []
        return list(self.subject.seen(classes_in(self.classes, self.bits)).defects)


@dataclass(frozen=True)
class CropSettings:
    """How crops are drawn.

    near, far: window sides as shares of the model's size. defects: share of crops round a defect where there is one, of
    every kind as many. turns: whether they are mirrored, and turned by quarters where the finish has no lay.
    grey: share made monochrome. light: standard deviation of ln(gain) and of the contrast's logarithm. synonym,
    general: shares of captions with another word, and with the bare word "defect" or "surface".
    """

    near: float = 0.75
    far: float = 1.25
    defects: float = 0.75
    grey: float = 0.3
    light: float = 0.12
    turns: bool = True
    synonym: float = 0.25
    general: float = 0.1


@dataclass(frozen=True)
class Crops:
    """images: (N, 3, S, S) uint8. masks: (N, S, S) uint8, 1 where a defect is. captions: one each."""

    images: Tensor
    masks: Tensor
    captions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.captions)


def read_pictures(folder: Path, text: str | None = None, options: ReadingOptions = ReadingOptions()) -> list[Picture]:
    """The pictures of a dataset of Blemish, which say what they show, or of a folder of photographs of one caption.

    Raises:
        PicturesError: there is no picture, or photographs without a caption. PictureError: one that cannot be read.
    """
    if (folder / HEADER).is_file():
        return list(_rendered(Dataset(folder)))
    found = photographs_in(folder) if folder.is_dir() else []
    if not found:
        raise PicturesError(f"{folder}: found no pictures; expected a dataset of Blemish or a folder of photographs")
    if text is None:
        raise PicturesError(
            f"{folder}: photographs without {HEADER}, which would say what they show; tell it with --caption, "
            'as in --caption "photo of a good ground plate"'
        )
    options = with_white_level(found, options, str(folder))
    return [Picture(read_rgb(path, options), None, {}, None, text) for path in found]


def digest_of_pictures(folder: Path) -> dict[str, str | int]:
    """Which pictures `read_pictures` finds, wherever they lie: their number, and SHA-256 over their contents, in order.

    Raises DatasetError, SampleError.
    """
    if (folder / HEADER).is_file():
        dataset = Dataset(folder)
        paths = [folder / kind / f"{frame.index:06d}.png" for frame in dataset for kind in ("images", "classes")]
        paths += [folder / SCENES / f"{frame.index:06d}.json" for frame in dataset]
        count = len(dataset)
    else:
        paths = photographs_in(folder) if folder.is_dir() else []
        count = len(paths)
    return {"pictures": count, "sha256": hashlib.sha256("".join(map(sha256_of, paths)).encode()).hexdigest()}


def photographs_in(folder: Path) -> list[Path]:
    """The pictures of a folder and those below it; of one in the layout of MVTec AD the good training pictures."""
    if mvtec.recognises(folder):
        good = [sample for sample in mvtec.read(folder) if (sample.split, sample.label) == ("train", GOOD)]
        warnings.warn(f"{folder}: only its {len(good)} good training pictures are learnt", BlemishNote, stacklevel=2)
        return [sample.image_path for sample in good]
    return [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES and not _hidden(path, folder)]


def _hidden(path: Path, folder: Path) -> bool:
    return any(is_hidden(Path(name)) for name in path.relative_to(folder).parts)


def crops_of(pictures: int, each: int) -> int:
    """How many crops a training on so many pictures has, where nobody says it: `each` of a picture, within limits."""
    return min(max(each * pictures, FEWEST_CROPS), MOST_CROPS)


def draw_crops(
    pictures: Sequence[Picture],
    count: int,
    size: int,
    seed: int,
    settings: CropSettings = CropSettings(),
    on_crop: Callable[[int], None] = lambda done: None,
) -> Crops:
    """So many crops: round a defect of a random kind, or of the pictures in turn, in a random order.

    Each has a generator of its own, by its number.

    Raises:
        PicturesError: no picture to crop.
    """
    if not pictures:
        raise PicturesError("found no pictures to crop; expected at least one")
    images = torch.empty((count, 3, size, size), dtype=torch.uint8)
    masks = torch.zeros((count, size, size), dtype=torch.uint8)
    captions = []
    showing = _showing(pictures)
    for number in range(count):
        turn, place = divmod(number, len(pictures))
        order = np.random.default_rng([seed, turn, 0]).permutation(len(pictures))
        rng = np.random.default_rng([seed, number, 1])
        picture, word = pictures[order[place]], None
        if showing and rng.random() < settings.defects:
            word = sorted(showing)[int(rng.integers(len(showing)))]
            picture = showing[word][int(rng.integers(len(showing[word])))]
        image, mask, text = _crop(picture, size, rng, settings, word)
        images[number], masks[number] = torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(mask)
        captions.append(text)
        on_crop(number + 1)
    return Crops(images, masks, tuple(captions))


def stands_out(picture: Picture) -> bool:
    """Whether its defects, where it has any, can be seen: no word is learnt of those that cannot."""
    mask = _defects(picture)
    if mask is None or np.count_nonzero(mask) < LEAST_PIXELS:
        return True
    found = standing_out(colour(picture.image), mask, mask)
    return found is None or found >= STANDS_OUT


def _showing(pictures: Sequence[Picture]) -> dict[str, list[Picture]]:
    """The pictures in which a defect is in sight, by its word."""
    found: dict[str, list[Picture]] = {}
    for picture in pictures:
        for word in picture.defects:
            found.setdefault(word, []).append(picture)
    return found


def _rendered(dataset: Dataset) -> Iterator[Picture]:
    kinds: dict[str, set[str]] = {}
    for entry in (*dataset.recipe.defects, *dataset.recipe.impurities):
        kinds.setdefault(entry.class_name, set()).add(entry.kind)
    for frame in dataset:
        yield Picture(rgb_of(frame.image), frame.classes, _named(frame.scene, kinds), subject_of(frame.scene))


def _named(scene: Scene, kinds: Mapping[str, set[str]]) -> dict[str, int]:
    """Bits by the kind, such as crazing, rather than the class, crack, where a scene has one kind of a class alone."""
    drawn = {layer.kind for layer in scene.layers}
    found = {name: kinds.get(name, set()) & drawn for name in scene.classes}
    return {found[name].pop() if len(found[name]) == 1 else name: bit for name, bit in scene.classes.items()}


def _crop(
    picture: Picture, size: int, rng: np.random.Generator, settings: CropSettings, word: str | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], str]:
    """(S, S, 3) and (S, S) and the caption; round a defect of that word where one is given."""
    defective = _defects(picture)
    aim = _defects(picture, word) if word else None
    for _ in range(ATTEMPTS):
        top, left, side = window(picture.image.shape[:2], size, rng, settings, aim)
        seen = np.zeros((side, side), np.uint16)
        if picture.classes is not None:
            seen = picture.classes[top : top + side, left : left + side]
        if _captionable(seen, picture.bits, defective is not None):
            break
    image = np.asarray(scaled(picture.image[top : top + side, left : left + side], size, Image.Resampling.LANCZOS))
    mask = np.zeros((size, size), np.uint8)
    if defective is not None:
        cut = defective[top : top + side, left : left + side].astype(np.uint8)
        mask = (np.asarray(scaled(cut * np.uint8(255), size, Image.Resampling.BOX)) > 127).astype(np.uint8)
    directional = picture.subject is not None and picture.subject.finish in DIRECTIONAL
    image, mask = turned(image, mask, rng, settings, quarters=not directional)
    return lit(image, rng, settings), mask, _caption(picture, seen, rng, settings)


def _defects(picture: Picture, word: str | None = None) -> NDArray[np.bool_] | None:
    """Where any class is that is a defect, of that word alone where one is given, and no impurity."""
    if picture.classes is None or picture.subject is None:
        return None
    shown = {name: picture.subject.seen([name]).defects for name in picture.bits}
    wanted = sum(1 << bit for name, bit in picture.bits.items() if (word in shown[name] if word else shown[name]))
    return (picture.classes & np.uint16(wanted)) > 0


def window(
    shape: tuple[int, ...],
    size: int,
    rng: np.random.Generator,
    settings: CropSettings,
    defective: NDArray[np.bool_] | None,
) -> tuple[int, int, int]:
    """Top, left and side of a window; one that holds a pixel of a defect where they are given."""
    height, width = shape
    side = round(size * float(np.exp(rng.uniform(np.log(settings.near), np.log(settings.far)))))
    side = min(side, height, width)
    if defective is None:
        return int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1)), side
    places = np.flatnonzero(defective)
    row, column = divmod(int(places[rng.integers(len(places))]), width)
    top, left = (int(near - rng.uniform(0.15, 0.85) * side) for near in (row, column))
    return min(max(top, 0), height - side), min(max(left, 0), width - side), side


def _captionable(seen: NDArray[np.uint16], bits: Mapping[str, int], masked: bool) -> bool:
    """Whether every class in sight covers enough to be named."""
    return not masked or len(classes_in(seen, bits)) == len(classes_in(seen, bits, int(LEAST_SHARE * seen.size)))


def _caption(picture: Picture, seen: NDArray[np.uint16], rng: np.random.Generator, settings: CropSettings) -> str:
    """The caption of what is in sight, now and then with other words of the same meaning."""
    chances = rng.random(3)
    if picture.text or picture.subject is None:
        return picture.text
    subject = picture.subject.seen(classes_in(seen, picture.bits, max(1, int(LEAST_SHARE * seen.size))))
    defects = subject.defects
    if chances[0] < settings.synonym:
        defects = tuple(_other(word, rng) for word in defects)
    elif chances[0] > 1 - settings.general and defects:
        defects = ("",)
    finish, part = subject.finish, subject.part
    if chances[1] < settings.general:
        part = "surface"
    elif chances[1] > 1 - settings.general:
        finish = ""
    text = caption(Subject(finish, part, defects, subject.impurities)).replace("  ", " ")
    return text.replace("photo", "image", 1) if chances[2] < settings.general else text


def _other(word: str, rng: np.random.Generator) -> str:
    others = SYNONYMS.get(word, (word,))
    return others[int(rng.integers(len(others)))]


def scaled(array: NDArray[np.uint8], size: int, how: Image.Resampling) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(array)).resize((size, size), how)


def turned(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], rng: np.random.Generator, settings: CropSettings, quarters: bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Both mirrored and turned, by a half or, where that may be, by quarters."""
    turn, mirrored = int(rng.integers(4)), bool(rng.integers(2))
    if not settings.turns:
        return image, mask
    turn = turn if quarters else turn // 2 * 2
    image, mask = np.rot90(image, turn), np.rot90(mask, turn)
    return (image[:, ::-1].copy(), mask[:, ::-1].copy()) if mirrored else (image.copy(), mask.copy())


def lit(image: NDArray[np.uint8], rng: np.random.Generator, settings: CropSettings) -> NDArray[np.uint8]:
    """Darker or brighter, with less or more contrast, some of them grey."""
    gain, contrast = np.exp(rng.normal(0, settings.light, 2)) if settings.light else (1.0, 1.0)
    values = image.astype(np.float32)
    if rng.random() < settings.grey:
        values = np.repeat((values @ np.array([0.299, 0.587, 0.114], np.float32))[..., None], 3, axis=2)
    middle = values.mean()
    changed: NDArray[np.uint8] = ((values - middle) * contrast + middle * gain).round().clip(0, 255).astype(np.uint8)
    return changed
