"""A picture of an inspected surface with its truth, whatever folder it comes from.

Everything is read lazily: a list of samples holds paths only, a picture or a mask is decoded when it is asked for.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenes.formats.truth import Annotation, NothingThere, Truth
from scenes.pictures.opening import read_rgb, read_valid_mask, size_of

GOOD = "good"
UNLABELLED = "unlabelled"


@dataclass(frozen=True)
class Sample:
    """One picture of one inspected surface.

    name: unique within its source; group: the physical surface, which a split must not part; label: "good",
    "unlabelled", or the classes of its defects joined by "+"; split: the source's own word ("train", "test") or "".
    """

    name: str
    group: str
    label: str
    image_path: Path
    annotation: Annotation = field(default_factory=NothingThere)
    split: str = ""

    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) RGB; grey is repeated, 16 bits are scaled to 8, transparent is black. Raises PictureError."""
        return read_rgb(self.image_path)

    def valid_mask(self) -> NDArray[np.bool_] | None:
        """(H, W) where the picture is not wholly transparent: the rest is no surface; None where all of it is valid."""
        return read_valid_mask(self.image_path)

    def truth(self) -> Truth:
        """The masks, read now.

        Raises PictureError and SampleError where they are missing, damaged, of another size or unknown.
        """
        return self.annotation.read(size_of(self.image_path), self.image_path)
