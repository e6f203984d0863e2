"""A picture whose mask lies beside it, also where it is good: then the mask marks nothing."""

from pathlib import Path

from scenes.formats.errors import SampleError
from scenes.formats.sample import GOOD, Sample
from scenes.formats.surfaces import content_group
from scenes.formats.truth import Annotation, MaskFile, NothingThere
from scenes.pictures.decoding import load

DEFECT = "defect"  # what the class is called where nobody names one


def by_mask(folder: Path, picture: Path, mask: Path, *, split: str = "", group: str = "") -> Sample:
    """The sample of a picture by its mask, which is decoded. Raises SampleError, PictureError."""
    if not mask.is_file():
        raise SampleError(f"{mask}: the mask of {picture.relative_to(folder)} is missing; add it, or drop the image")
    flawed = bool(load(mask).values.any())
    annotation: Annotation = MaskFile(mask, {None: DEFECT}) if flawed else NothingThere()
    name = picture.relative_to(folder).with_suffix("").as_posix()
    return Sample(name, group or content_group(picture), DEFECT if flawed else GOOD, picture, annotation, split)
