"""The layout of MVTec AD: train/good, test/CLASS, and the mask of every flawed picture in ground_truth/CLASS.

Also that of MVTec LOCO, where a flawed picture has a folder of masks, one for every defect.
"""

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from procgen.errors import BlemishNote
from scenes.formats.errors import SampleError
from scenes.formats.exchange.writer import TEST, TRAIN, Entries, Labelled, Setup, Written, folder_name, png_of
from scenes.formats.sample import GOOD, Sample
from scenes.formats.surfaces import content_group
from scenes.formats.truth import Annotation, MaskFile, MaskFiles, NothingThere, of_components
from scenes.pictures.reading import SUFFIXES, is_hidden, pictures_in

LOOKS_FOR = "train/ or test/"
SHAPES: tuple[str, ...] = ()
LEARNS_FLAWS = False
HOLDS_PASSES = False
SPLITS = ("train", "validation", "test")
GOOD_NAMES = ("good", "ok", "okay", "normal")  # in small letters: what people call the good class


def recognises(folder: Path) -> bool:
    """Whether the folder holds train/ or test/."""
    return (folder / "train").is_dir() or (folder / "test").is_dir()


def read(folder: Path) -> list[Sample]:
    """The pictures of train, validation and test; a folder's name is their class. Raises SampleError."""
    samples: list[Sample] = []
    good_class = _good_class(folder)
    for split in SPLITS:
        for class_folder in _class_folders(folder / split):
            label = GOOD if class_folder.name == good_class else class_folder.name
            for picture in _pictures_of(class_folder):
                annotation = NothingThere() if label == GOOD else _masks_of(folder, picture, good_class)
                name = picture.relative_to(folder).with_suffix("").as_posix()
                # The format names no surfaces: every picture is one, but for copies.
                samples.append(Sample(name, content_group(picture), label, picture, annotation, split))
    _note_contradictions(samples)
    return samples


def _good_class(folder: Path) -> str | None:
    """The name of the good class: good, or what people call it where that is not there and it has no masks."""
    names = {class_folder.name for split in SPLITS for class_folder in _class_folders(folder / split)}
    if GOOD in names:
        return GOOD
    masked = {class_folder.name for class_folder in _class_folders(folder / "ground_truth")}
    like_good = sorted(name for name in names - masked if name.lower() in GOOD_NAMES)
    if not like_good:
        return None
    if len(like_good) > 1:
        raise SampleError(f"{folder}: {' and '.join(like_good)} could both be the good class; call it {GOOD}")
    warnings.warn(f"{folder}: {like_good[0]} is taken for the class {GOOD}", BlemishNote, stacklevel=2)
    return like_good[0]


def _masks_of(folder: Path, picture: Path, good_class: str | None) -> Annotation:
    class_name = picture.parent.name
    expected = folder / "ground_truth" / class_name / f"{picture.stem}_mask.png"
    if expected.is_file():
        return MaskFile(expected, {None: class_name})
    several = expected.with_name(picture.stem)
    if several.is_dir() and (masks := pictures_in(several)):
        return MaskFiles(tuple(masks), class_name)
    unmasked = not expected.parent.is_dir() and class_name != good_class
    advice = f", or call the class {GOOD} if its surfaces are" if unmasked else ", or drop the image"
    raise SampleError(f"{expected}: the mask of {picture.relative_to(folder)} is missing; add it{advice}")


def _class_folders(folder: Path) -> list[Path]:
    """The class folders of a split, in order. Raises SampleError where pictures lie there without one."""
    if not folder.is_dir():
        return []
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path))
    loose = [path for path in pictures_in(folder) if path.is_file()]
    if loose and not found:
        raise SampleError(
            f"{folder}: holds pictures and no folder of a class; move the good ones to {folder / GOOD}, flawed ones to "
            "a folder named after their defect"
        )
    if loose:
        _note_left_out(folder, loose, "beside the folders of classes")
    return found


def _pictures_of(class_folder: Path) -> list[Path]:
    """The pictures of a class. Raises SampleError where two have one name, or all lie in folders below."""
    pictures = pictures_in(class_folder)
    first: dict[str, Path] = {}
    for picture in pictures:
        if (before := first.setdefault(picture.stem, picture)) != picture:
            raise SampleError(f"{picture}: has the name of {before.name} beside it, and its mask; rename one")
    others = [path for path in class_folder.iterdir() if path.is_dir() and not is_hidden(path)]
    below = [path for folder in others if folder not in pictures for path in pictures_in(folder)]
    if below and not pictures:
        raise SampleError(f"{class_folder}: its pictures lie in folders, such as {below[0]}; move them up to it")
    if below:
        _note_left_out(class_folder, below, "in folders of a class")
    if not pictures and (files := [p for p in sorted(class_folder.iterdir()) if p.is_file() and not is_hidden(p)]):
        _note_left_out(class_folder, files, f"of none of the kinds {', '.join(SUFFIXES)}")
    return pictures


def _note_left_out(folder: Path, files: list[Path], why: str) -> None:
    names = f"{len(files)} files {why} are" if len(files) > 1 else f"1 file {why} is"
    told = f"{folder}: {names} left out, such as {files[0].relative_to(folder)}"
    warnings.warn(told, BlemishNote, stacklevel=2)


def _note_contradictions(samples: list[Sample]) -> None:
    """Say of pictures of the same bytes that they are of two classes."""
    first: dict[str, Sample] = {}
    for sample in samples:
        other = first.setdefault(sample.group, sample)
        if other.label != sample.label:
            warnings.warn(
                f"{sample.image_path}: is the same picture as {other.name}, of the class {sample.label} and of "
                f"{other.label}; remove one",
                BlemishNote,
                stacklevel=2,
            )


def write(picture: Labelled, setup: Setup) -> Written:
    """Good pictures by their split, flawed ones below test with one mask; impurities have no place here."""
    split = TEST if picture.classes or picture.split != TRAIN else TRAIN
    label = folder_name(picture.label)
    files = {f"{split}/{label}/{picture.file}": picture.content}
    if picture.classes:
        files[f"ground_truth/{label}/{picture.stem}_mask.png"] = png_of(picture.truth.defect)
    return Written(files, of_components(picture.truth.defect.astype(np.int32), {None: label}))


def close(setup: Setup, entries: Entries, folder: Path) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Nothing more: folders say it all."""
    return iter(())
