"""A picture of an inspected surface with its truth, whatever folder it comes from.

Everything is read lazily: a list of samples holds paths only, a picture or a mask is decoded when it is asked for.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenes.formats.truth import Annotation, BandedTruth, NothingThere, Truth
from scenes.pictures.decoding import measure
from scenes.pictures.on_disk import Rows
from scenes.pictures.reading import ReadingOptions, read_picture, read_rgb, read_valid_mask

GOOD = "good"
UNLABELLED = "unlabelled"


@dataclass(frozen=True)
class Sample:
    """One picture of one inspected surface.

    name: unique within its source; group: the physical surface, which a split must not part; label: "good",
    "unlabelled", or the classes of its defects joined by "+"; split: the source's own word ("train", "test") or "";
    sha256: what the picture's file has to be, where the source says so; options: how it is read. weight: what the
    source says that it counts for in training. ancestors: SHA-256 of the pictures that it was made of, and of those
    that these were made of.
    """

    name: str
    group: str
    label: str
    image_path: Path
    annotation: Annotation = field(default_factory=NothingThere)
    split: str = ""
    sha256: str = ""
    options: ReadingOptions = field(default_factory=ReadingOptions)
    weight: float = 1.0
    ancestors: frozenset[str] = frozenset()

    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) RGB, upright, of 8 bits; transparent is black. Raises PictureError."""
        return read_rgb(self.image_path, self.options, self.sha256)

    def valid_mask(self) -> NDArray[np.bool_] | None:
        """(H, W) where the picture is not wholly transparent: the rest is no surface; None where all of it is valid."""
        return read_valid_mask(self.image_path, self.options)

    def picture(self, scratch: Path | None = None) -> tuple[Rows, Rows | None]:
        """`image` and `valid_mask` together; of a large picture as arrays on the disk of the folder `scratch`, if any.

        Raises PictureError, and DiskError where that disk has no room.
        """
        return read_picture(self.image_path, self.options, self.sha256, scratch)

    def shape(self) -> tuple[int, int]:
        """(height, width), without decoding the picture. Raises PictureError."""
        return measure(self.image_path, self.options.most_pixels).shape

    def truth(self) -> Truth:
        """The masks, read now.

        Raises PictureError and SampleError where they are missing, damaged, of another size or unknown.
        """
        return self.banded_truth(None).in_memory()

    def banded_truth(self, scratch: Path | None) -> BandedTruth:
        """The same; of a large picture on the disk of the folder `scratch`, if any, where a mask file holds it.

        Raises DiskError too, where that disk has no room.
        """
        return self.annotation.read(self.shape(), self.image_path, scratch)
