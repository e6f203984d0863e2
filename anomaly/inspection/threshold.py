"""The threshold of an inspector's maps: that of best pixel F1 on pictures whose defects are known."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from anomaly.evaluation.metrics import ThresholdFinder
from anomaly.inspection.inspector import Inspector, InspectorError
from procgen.errors import BlemishNote
from scenes.formats.sample import GOOD, Sample
from scenes.formats.splitting import split_by_group
from scenes.jobs.progress import Progress

VALIDATION_SHARE = 0.2  # of the groups, where the threshold has to be found on the evaluated dataset itself


def best_threshold(
    inspector: Inspector, validation: Sequence[Sample], progress: Progress = lambda what, done, total: None
) -> tuple[float, str]:
    """The pixel threshold of best F1 on `validation`, and a sentence that says so."""
    finder = ThresholdFinder()
    defective = 0
    for done, sample in enumerate(validation, 1):
        defect, valid_mask = sample.truth().defect, sample.valid_mask()
        finder.update(inspector.predict(sample.image(), valid_mask)[0], defect, valid_mask)
        defective += bool(defect.any())
        progress("finding the threshold", done, len(validation))
    good = sum(sample.label == GOOD for sample in validation)
    if not defective:
        return finder.compute(), f"just above every pixel of {len(validation)} validation pictures, none defective"
    return finder.compute(), f"best pixel F1 on {len(validation)} validation pictures, {good} of them good"


def validation_part(samples: Sequence[Sample], share: float, seed: int) -> tuple[list[Sample], list[Sample], str]:
    """What of a dataset gives the threshold, what is left to evaluate, and in words which part that is.

    The source's own validation pictures where it has any, else a share of the surfaces. Raises InspectorError where
    one of the two is empty.
    """
    own, rest = [s for s in samples if s.split == "validation"], list(samples)
    where = "the dataset's own validation part"
    if not own:
        own, rest = split_by_group(samples, (share, 1 - share), seed)
        where = f"{share:.0%} of the surfaces (seed {seed}), which are not evaluated"
    if not own or not rest:
        raise InspectorError(
            f"{len(samples)} pictures cannot be parted into some for the threshold and some to evaluate; "
            "give more, or name others with --validation DATASET"
        )
    return own, rest, where


def note_shared(validation: Sequence[Sample], others: Sequence[Sample], what: str) -> None:
    """Say that validation pictures show surfaces that are used otherwise too, which makes the threshold too good."""
    groups = {sample.group for sample in others}
    shared = sum(sample.group in groups for sample in validation)
    if shared:
        warnings.warn(
            f"{shared} of {len(validation)} validation pictures show surfaces that are {what} as well, which makes the "
            "threshold fit these better than others; give validation pictures of their own",
            BlemishNote,
            stacklevel=2,
        )
