"""The layout of a product of BTAD: train/ok, test/ok, test/ko, and masks of the same names in ground_truth/ko."""

from pathlib import Path

from scenes.formats.errors import SampleError
from scenes.formats.sample import GOOD, Sample
from scenes.formats.surfaces import content_group
from scenes.formats.truth import Annotation, MaskFile, NothingThere
from scenes.pictures.reading import pictures_in

LOOKS_FOR = "test/ko with masks of the same names in ground_truth/ko"
FLAWED = "ko"
PLACES = (("train", "ok"), ("test", "ok"), ("test", FLAWED))


def recognises(folder: Path) -> bool:
    """Whether a picture of test/ko has a mask of its own name."""
    return any(picture.stem in _masks(folder) for picture in _pictures(folder / "test" / FLAWED))


def read(folder: Path) -> list[Sample]:
    """The pictures of both splits; the class of every defect is "ko". Raises SampleError."""
    masks = _masks(folder)
    found = []
    for split, label in PLACES:
        for picture in _pictures(folder / split / label):
            name = picture.relative_to(folder).with_suffix("").as_posix()
            annotation: Annotation = NothingThere()
            if label == FLAWED:
                if picture.stem not in masks:
                    raise SampleError(
                        f"{folder / 'ground_truth' / FLAWED / picture.stem}.png: the mask of {name} is missing; add "
                        "it, or drop the image"
                    )
                annotation = MaskFile(masks[picture.stem], {None: FLAWED})
            shown = FLAWED if label == FLAWED else GOOD
            found.append(Sample(name, content_group(picture), shown, picture, annotation, split))
    return found


def _masks(folder: Path) -> dict[str, Path]:
    return {mask.stem: mask for mask in _pictures(folder / "ground_truth" / FLAWED)}


def _pictures(folder: Path) -> list[Path]:
    return pictures_in(folder) if folder.is_dir() else []
