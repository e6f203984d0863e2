"""The layout of KolektorSDD2: train/NAME.png and test/NAME.png, and beside each its mask NAME_GT.png.

Pictures whose mask marks nothing are good.
"""

from pathlib import Path

from scenes.formats.layouts.masks import by_mask
from scenes.formats.sample import Sample
from scenes.pictures.reading import pictures_in

LOOKS_FOR = "train/NAME_GT.png or test/NAME_GT.png"
SPLITS = ("train", "test")
MASK = "_GT"


def recognises(folder: Path) -> bool:
    """Whether a picture of train/ or test/ has its mask beside it."""
    return any(next((folder / split).glob(f"*{MASK}.png"), None) for split in SPLITS)


def read(folder: Path) -> list[Sample]:
    """The pictures of both splits; the class of every defect is "defect". Raises SampleError, PictureError."""
    found = []
    for split in SPLITS:
        pictures = pictures_in(folder / split) if (folder / split).is_dir() else []
        for picture in pictures:
            if not picture.stem.endswith(MASK):
                found.append(by_mask(folder, picture, picture.with_name(f"{picture.stem}{MASK}.png"), split=split))
    return found
