"""That nothing of what is judged is trained on, not through pictures that were made of it either."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from anomaly.studies.engine.labelled import LabelledPicture
from anomaly.studies.sources.real_set import Side
from scenes.datasets.files import sha256_of
from scenes.formats.sample import Sample

digest_of = cache(sha256_of)  # of pictures, which several arms and seeds ask for


def without_relatives(
    made: Sequence[LabelledPicture], side: Side, real: Iterable[Sample]
) -> tuple[list[LabelledPicture], int]:
    """Those of an arm's pictures that may be trained on, and how many may not.

    These show a surface that is not on the training side, are its picture, or were made of one. real: all of the real
    set, whether it was parted or not.
    """
    trained_on = {picture.surface for picture in side.train}
    elsewhere = [sample for sample in real if sample.group not in trained_on]
    surfaces = {sample.group for sample in elsewhere}
    digests = {digest_of(sample.image_path) for sample in elsewhere}
    kept = [
        picture
        for picture in made
        if picture.surface not in surfaces
        and picture.sample.ancestors.isdisjoint(digests)
        and digest_of(picture.sample.image_path) not in digests
    ]
    return kept, len(made) - len(kept)
