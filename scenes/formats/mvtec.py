"""The layout of MVTec AD: train/good, test/CLASS, and a mask of every flawed picture in ground_truth/CLASS."""

from pathlib import Path

from scenes.formats.errors import SampleError
from scenes.formats.sample import GOOD, Sample
from scenes.formats.truth import Annotation, MaskFile, NothingThere
from scenes.pictures.reading import pictures_in

LOOKS_FOR = "train/ or test/"


def recognises(folder: Path) -> bool:
    """Whether the folder holds train/ or test/."""
    return (folder / "train").is_dir() or (folder / "test").is_dir()


def read(folder: Path) -> list[Sample]:
    """The pictures of train, validation and test; a folder's name is their class. Raises SampleError."""
    samples = []
    for split in ("train", "validation", "test"):
        for class_folder in _folders(folder / split):
            for picture in pictures_in(class_folder):
                annotation: Annotation = NothingThere()
                if class_folder.name != GOOD:
                    annotation = MaskFile(_mask_of(folder, picture), {None: class_folder.name})
                name = picture.relative_to(folder).with_suffix("").as_posix()
                group = f"{folder.resolve().name}/{name}"  # the format names no surfaces: every picture is one
                samples.append(Sample(name, group, class_folder.name, picture, annotation, split))
    return samples


def _mask_of(folder: Path, picture: Path) -> Path:
    expected = folder / "ground_truth" / picture.parent.name / f"{picture.stem}_mask.png"
    if not expected.is_file():
        raise SampleError(
            f"{expected}: the mask of {picture.relative_to(folder)} is missing; add it, or drop the image"
        )
    return expected


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
