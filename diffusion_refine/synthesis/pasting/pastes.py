"""What is pasted on a frame, and the frame with it: pixels and masks from the same pieces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from skimage.measure import label

from diffusion_refine.editing.pixels import Pixels
from diffusion_refine.synthesis.generator import GeneratedFrame, Mask, SourceFrame
from procgen.errors import BlemishError
from procgen.surface.layer import MOST_INSTANCES, Instance
from scenes.datasets.reader import Dataset

Values = NDArray[np.float64]
PASTED, NO_ROOM, UNSEEN = "pasted", "no room", "nothing to be seen"
LEAST_SEEN = 8 / 255  # of white, by which pixels of what was drawn differ from what they were, for it to be seen
SEEN_SHARE = 0.9  # quantile of the changes in a mask that is compared with it


@dataclass(frozen=True, eq=False)
class Paste:
    """One piece: mask (h, w) and pixels (h, w[, 3]) of its frame's type, from `top`, `left` on.

    apart: whether pieces of the mask that do not touch are defects of their own. record: how it was made. labelled: of
    the mask, what the defect is said to cover; all of it where None.
    """

    top: int
    left: int
    mask: Mask
    pixels: Pixels
    class_name: str
    apart: bool = False
    record: Mapping[str, Any] = field(default_factory=dict)
    parents: tuple[Mapping[str, Any], ...] = ()
    labelled: Mask | None = None

    @property
    def covered(self) -> Mask:
        """(h, w): what its masks are to mark."""
        return self.mask if self.labelled is None else self.labelled

    @property
    def slices(self) -> tuple[slice, slice]:
        rows, columns = self.mask.shape
        return slice(self.top, self.top + rows), slice(self.left, self.left + columns)


def pasted_frame(
    frame: SourceFrame, pastes: Sequence[Paste], bits: Mapping[str, int], unseen: int = 0
) -> GeneratedFrame:
    """A frame with pieces pasted, whose masks are the pieces' own. bits: class name -> bit of the class masks.

    unseen: pieces that were left out because nobody would see them. Raises BlemishError for more defects than a map can
    number.
    """
    image, classes, defects = frame.image.copy(), frame.classes.copy(), frame.defects.copy()
    instances = list(frame.instances)
    number = max((instance.id for instance in instances if instance.family == "defect"), default=0)
    told = []
    for paste in pastes:
        image[paste.slices][paste.mask] = paste.pixels[paste.mask]
        covered = paste.covered
        classes[paste.slices][covered] |= np.uint16(1 << bits[paste.class_name])
        parts = label(covered, connectivity=2) if paste.apart else covered.astype(np.int64)
        count = int(parts.max())
        if number + count > MOST_INSTANCES:
            raise BlemishError(f"frame {frame.index}: would show more than {MOST_INSTANCES} defects; make fewer of it")
        defects[paste.slices][covered] = (number + parts[covered]).astype(np.uint16)
        ids = range(number + 1, number + count + 1)
        instances += [Instance(each, "defect", paste.class_name) for each in ids]
        told.append({"instances": [ids[0], ids[-1]], "class": paste.class_name, **paste.record})
        number += count
    return GeneratedFrame(
        image,
        classes,
        defects,
        frame.impurities,
        tuple(instances),
        parents=tuple(parent for paste in pastes for parent in paste.parents),
        record={
            "outcome": PASTED if pastes else UNSEEN if unseen else NO_ROOM,
            "pasted": told,
            **({"unseen": unseen} if unseen else {}),
        },
    )


def drawn_frame(frame: SourceFrame, drawn: Sequence[Paste], bits: Mapping[str, int]) -> GeneratedFrame:
    """As `pasted_frame`, with those of a model's pieces that can be seen; the others are counted."""
    seen = [paste for paste in drawn if shows(paste, frame.image)]
    return pasted_frame(frame, seen, bits, len(drawn) - len(seen))


def room(free: Mask, mask: Mask) -> Mask:
    """(H − h + 1, W − w + 1) whether all of mask (h, w) lies in free (H, W) when its first pixel is put there."""
    shape = tuple(max(0, whole - own + 1) for own, whole in zip(mask.shape, free.shape, strict=True))
    if free.all() or 0 in shape:
        return np.ones(shape, dtype=bool)
    covered = fftconvolve((~free).astype(float), mask[::-1, ::-1].astype(float), mode="valid")
    found: Mask = covered < 0.5
    return found


def drawn_place(where: Mask, random: np.random.Generator) -> tuple[int, int] | None:
    """A row and column of those where a mask is True, all as likely; None where it is nowhere."""
    there = np.flatnonzero(where)
    if not there.size:
        return None
    row, column = divmod(int(random.choice(there)), where.shape[1])
    return row, column


def as_fractions(pixels: Pixels) -> Values:
    """Pixels over the most that they hold."""
    fractions: Values = pixels / np.iinfo(pixels.dtype).max
    return fractions


def like(fractions: Values, pixels: Pixels) -> Pixels:
    """Fractions as pixels of another picture's type."""
    most = np.iinfo(pixels.dtype).max
    rounded: Pixels = np.rint(np.clip(fractions, 0.0, 1.0) * most).astype(pixels.dtype)
    return rounded


def like_in_colour(made: Values, pixels: Pixels) -> Pixels:
    """Fractions (H, W, 3) as pixels of another picture's type; one without colour stays so, also in three channels."""
    if pixels.ndim == 2:
        made = made.mean(axis=2)
    elif (pixels == pixels[..., :1]).all():
        made = np.broadcast_to(made.mean(axis=2, keepdims=True), pixels.shape)
    return like(made, pixels)


def differs(paste: Paste, image: Pixels) -> bool:
    """Whether a piece changes anything of the picture that it lies on."""
    return bool((image[paste.slices][paste.mask] != paste.pixels[paste.mask]).any())


def shows(paste: Paste, image: Pixels) -> bool:
    """Whether a piece changes so much of the picture that it lies on that it can be seen.

    Networks that have not learnt enough give back what they were given, all but a shade: a mask round that is no label.
    """
    now, before = (as_fractions(pixels[paste.covered]) for pixels in (paste.pixels, image[paste.slices]))
    if not now.size:
        return False
    change = np.abs(now - before)
    return bool(np.quantile(change if change.ndim == 1 else change.max(axis=1), SEEN_SHARE) >= LEAST_SEEN)


def told_of(made: Dataset) -> list[str]:
    """What a command ends with: how many frames got something, and how many defects of which class that are."""
    outcomes: Counter[str] = Counter()
    classes: Counter[str] = Counter()
    unseen = 0
    for frame in made:
        record = frame.refinement or {}
        outcomes[record.get("outcome", "")] += 1
        for piece in record.get("pasted", ()):
            first, last = piece["instances"]
            classes[piece["class"]] += last - first + 1
        unseen += record.get("unseen", 0)
    without = f", {outcomes[NO_ROOM]} left as they were for want of room" if outcomes[NO_ROOM] else ""
    without += f", {outcomes[UNSEEN]} where nothing would be seen" if outcomes[UNSEEN] else ""
    lines = [f"frames     {len(made)}: {outcomes[PASTED]} pasted on{without}"]
    if unseen:
        lines.append(f"left out   {unseen} that would not be seen: the model may need a longer training")
    counted = ", ".join(f"{count} {name}" for name, count in sorted(classes.items()))
    return [*lines, f"defects    {counted}"] if counted else lines
