"""The layout of KolektorSDD: of every commutator a folder kosNN with Part0.jpg to Part7.jpg and their Part0_label.bmp.

Pictures whose mask marks nothing are good; those of one folder show one commutator.
"""

from pathlib import Path

from scenes.formats.layouts.masks import by_mask
from scenes.formats.sample import Sample
from scenes.pictures.reading import is_hidden, pictures_in

LOOKS_FOR = "folders with NAME_label.bmp"
MASK = "_label"


def recognises(folder: Path) -> bool:
    """Whether a folder in it holds the mask of a picture."""
    return next(folder.glob(f"*/*{MASK}.bmp"), None) is not None


def read(folder: Path) -> list[Sample]:
    """The pictures of all folders; the class of every defect is "defect". Raises SampleError, PictureError."""
    found = []
    for item in sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path)):
        group = f"{folder.resolve().name}/{item.name}"
        for picture in pictures_in(item):
            if not picture.stem.endswith(MASK):
                found.append(by_mask(folder, picture, picture.with_name(f"{picture.stem}{MASK}.bmp"), group=group))
    return found
