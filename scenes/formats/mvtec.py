"""The layout of MVTec AD: train/good, test/CLASS, and the mask of every flawed picture in ground_truth/CLASS.

Also that of MVTec LOCO, where a flawed picture has a folder of masks, one for every defect.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path

from procgen.errors import BlemishNote
from scenes.formats.errors import SampleError
from scenes.formats.sample import GOOD, Sample
from scenes.formats.surfaces import content_group
from scenes.formats.truth import Annotation, MaskFile, MaskFiles, NothingThere
from scenes.pictures.reading import is_hidden, pictures_in

LOOKS_FOR = "train/ or test/"
SPLITS = ("train", "validation", "test")
GOOD_NAMES = ("good", "ok", "okay", "normal")  # in small letters: what people call the good class


def recognises(folder: Path) -> bool:
    """Whether the folder holds train/ or test/."""
    return (folder / "train").is_dir() or (folder / "test").is_dir()


def read(folder: Path) -> list[Sample]:
    """The pictures of train, validation and test; a folder's name is their class. Raises SampleError."""
    samples = []
    good_class = _good_class(folder)
    for split in SPLITS:
        for class_folder in _folders(folder / split):
            label = GOOD if class_folder.name == good_class else class_folder.name
            for picture in pictures_in(class_folder):
                annotation = NothingThere() if label == GOOD else _masks_of(folder, picture)
                name = picture.relative_to(folder).with_suffix("").as_posix()
                # The format names no surfaces: every picture is one, but for copies.
                samples.append(Sample(name, content_group(picture), label, picture, annotation, split))
    return samples


def _good_class(folder: Path) -> str:
    """The name of the good class: good, or what people call it where that is not there and it has no masks."""
    names = {class_folder.name for split in SPLITS for class_folder in _folders(folder / split)}
    if GOOD in names:
        return GOOD
    masked = {class_folder.name for class_folder in _folders(folder / "ground_truth")}
    like_good = sorted(name for name in names - masked if name.lower() in GOOD_NAMES)
    if not like_good:
        return GOOD
    if len(like_good) > 1:
        raise SampleError(f"{folder}: {' and '.join(like_good)} could both be the good class; call it {GOOD}")
    warnings.warn(f"{folder}: {like_good[0]} is taken for the class {GOOD}", BlemishNote, stacklevel=2)
    return like_good[0]


def _masks_of(folder: Path, picture: Path) -> Annotation:
    class_name = picture.parent.name
    expected = folder / "ground_truth" / class_name / f"{picture.stem}_mask.png"
    if expected.is_file():
        return MaskFile(expected, {None: class_name})
    several = expected.with_name(picture.stem)
    if several.is_dir() and (masks := pictures_in(several)):
        return MaskFiles(tuple(masks), class_name)
    raise SampleError(f"{expected}: the mask of {picture.relative_to(folder)} is missing; add it, or drop the image")


def _folders(folder: Path) -> Iterator[Path]:
    """The class folders of a split, in order. Raises SampleError where pictures lie there without one."""
    if not folder.is_dir():
        return
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path))
    if not found and pictures_in(folder):
        raise SampleError(
            f"{folder}: holds pictures and no folder of a class; move the good ones to {folder / GOOD}, flawed ones to "
            "a folder named after their defect"
        )
    yield from found
