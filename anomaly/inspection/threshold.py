"""The threshold of an inspector's maps: of best pixel F1, of a stated risk to good surfaces, or given.

A pixel at or above it is a defect, and a picture with such a pixel is flagged. For a risk, split conformal prediction
[Vovk 2005]: of n good surfaces that training did not see, the ⌈(n + 1)(1 − risk)⌉-th smallest score is exceeded by the
score of one more with a probability of at most the risk, whatever the scores' distribution, as long as the n + 1 are
exchangeable: each as likely as the others to come last. A surface's score is the highest of its pictures'.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from anomaly.evaluation.metrics import ThresholdFinder
from anomaly.inspection.inspector import Inspector, InspectorError
from anomaly.inspection.predicting import HERE, Prediction, predict_samples
from procgen.errors import BlemishNote
from scenes.formats.sample import GOOD, Sample
from scenes.formats.splitting import split_by_group
from scenes.jobs.executor import Executor
from scenes.jobs.progress import Progress
from scenes.pictures.regions import bands

VALIDATION_SHARE = 0.2  # of the groups, where the threshold has to be found on the evaluated dataset itself
CONFIDENCES = (0.9, 0.95)  # with which it is said how many good surfaces are flagged
AMOUNT = r"(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"


@dataclass(frozen=True)
class ThresholdRule:
    """How a threshold is found: it is `value`, or keeps a `risk` of flagging a good surface; neither: best pixel F1."""

    value: float | None = None
    risk: float | None = None


BEST_F1 = ThresholdRule()


class FoundThreshold(NamedTuple):
    """A pixel threshold, a sentence on how it was found, and what `TrainingRecord` keeps of good surfaces' scores."""

    value: float
    origin: str
    calibration: tuple[float, ...]
    good_scores: tuple[float, ...]


def threshold_rule(written: str) -> ThresholdRule:
    """What f1, good:1% (or good:0.01) and 3.5 stand for. Raises InspectorError for anything else."""
    text = written.strip().lower()
    if text == "f1":
        return BEST_F1
    if risk := re.fullmatch(rf"good:\s*({AMOUNT})\s*(%?)", text):
        share = Fraction(risk[1]) / (100 if risk[2] else 1)
        if 0 < share < 1:
            return ThresholdRule(risk=float(share))
        raise InspectorError(
            f"threshold {written}: its risk is {float(100 * share):g} %; expected one between 0 and 100 %, as good:1%"
        )
    if re.fullmatch(AMOUNT, text) and math.isfinite(float(text)):
        return ThresholdRule(value=float(text))
    raise InspectorError(f"threshold {written}: expected f1, good:RISK such as good:1%, or a number such as 3.5")


def rank_of_risk(surfaces: int, risk: float) -> int:
    """⌈(n + 1)(1 − risk)⌉ of n surfaces, the threshold's place among their scores; n + 1 where they are too few."""
    return math.ceil((surfaces + 1) * (1 - Fraction(repr(risk))))  # 0.01 as it is written, not as a binary fraction


def surfaces_needed(risk: float) -> int:
    """The fewest good surfaces that a finite threshold of this risk can be found on."""
    return math.ceil(1 / Fraction(repr(risk))) - 1


def least_risk(surfaces: int) -> float:
    """The smallest risk that so many good surfaces allow."""
    return 1 / (surfaces + 1)


def conformal_threshold(scores: Sequence[float], risk: float) -> float:
    """The lowest float32 above the score of that rank; infinite where there are too few scores.

    A new surface is flagged at or above it with a probability of at most `risk`.
    """
    rank = rank_of_risk(len(scores), risk)
    if rank > len(scores):
        return math.inf
    return float(np.nextafter(np.float32(sorted(scores)[rank - 1]), np.float32(np.inf)))


def flagged_at_most(surfaces: int, risk: float, confidence: float) -> float:
    """The share of good surfaces that this threshold flags in the long run, at most, with that confidence.

    Given the surfaces it was found on, that share is distributed as Beta(n + 1 − k, k), k being the threshold's rank,
    where scores are continuous, and smaller where they are not ([Vovk 2012], proposition 2a).
    """
    from scipy.stats import beta

    rank = rank_of_risk(surfaces, risk)
    return 0.0 if rank > surfaces else float(beta.ppf(confidence, surfaces + 1 - rank, rank))


def refuse_too_few(surfaces: int, risk: float) -> None:
    """Raise InspectorError where no finite threshold keeps the risk: how many surfaces more do, or which risk."""
    needed = surfaces_needed(risk)
    if surfaces >= needed:
        return
    allowed = math.ceil(10000 * least_risk(surfaces)) / 100
    instead = f", or ask for good:{allowed:g}%, which so many allow" if surfaces else ""
    raise InspectorError(
        f"a risk of {100 * risk:g} % needs {needed} good surfaces that training did not see, found {surfaces}: give "
        f"{needed - surfaces} more{instead}"
    )


def found_threshold(
    rule: ThresholdRule,
    inspector: Inspector,
    validation: Sequence[Sample],
    progress: Progress = lambda what, done, total: None,
    within: Collection[int] | None = None,
    executor: Executor = HERE,
    scratch: Path | None = None,
) -> FoundThreshold:
    """The threshold that the rule asks for, found on the samples of `validation`, for a risk on the good ones alone.

    within: levels of the inspector's regions that it is found in, by default all. executor: where maps are made;
    scratch: as of `predict_samples`.

    Raises:
        InspectorError: too few good surfaces for the risk, or a score that is not finite.
    """
    if rule.value is not None and not validation:
        training = inspector.training
        return FoundThreshold(rule.value, "given as a number", training.calibration, training.good_scores)
    samples = validation if rule == BEST_F1 else unseen_good(validation, inspector)
    if rule.risk is not None:
        refuse_too_few(len({sample.group for sample in samples}), rule.risk)
    finder, defective = ThresholdFinder(), 0
    scores: dict[str, list[float]] = {}

    def take(position: int, prediction: Prediction) -> None:
        nonlocal defective
        ((_, valid_mask), anomaly_map, score), sample = prediction, samples[position]
        if within is not None and inspector.regions is not None:
            valid_mask = inspector.regions.only(within).looked_at(valid_mask, sample.shape())
            score = max(
                float(anomaly_map[rows].max(where=valid_mask[rows], initial=0)) for rows in bands(anomaly_map.shape)
            )
        if not math.isfinite(score):
            raise InspectorError(f"{sample.image_path}: its score is {score}; train the inspector again")
        if rule == BEST_F1:
            defect = sample.banded_truth(scratch).defect
            finder.update(anomaly_map, defect, valid_mask)
            defective += any(defect[rows].any() for rows in bands(defect.shape))
        if sample.label == GOOD and not inspector.training.has_seen(sample.group):
            scores.setdefault(sample.group, []).append(score)
        progress("finding the threshold", position + 1, len(samples))

    predict_samples(inspector, samples, take, executor, scratch)
    calibration = tuple(sorted(map(max, scores.values())))
    good_scores = tuple(sorted(one_of_each(scores)))
    if rule.value is not None:
        return FoundThreshold(rule.value, "given as a number", calibration, good_scores)
    if rule.risk is not None:
        value = conformal_threshold(calibration, rule.risk)
        return FoundThreshold(value, promise(len(scores), rule.risk), calibration, good_scores)
    good = sum(sample.label == GOOD for sample in samples)
    if not defective:
        origin = f"just above every pixel of {len(samples)} validation pictures, none defective"
    else:
        origin = f"best pixel F1 on {len(samples)} validation pictures, {good} of them good"
    return FoundThreshold(finder.compute(), origin, calibration, good_scores)


def with_found_thresholds(
    inspector: Inspector,
    rule: ThresholdRule,
    region_rules: Mapping[int, ThresholdRule],
    validation: Sequence[Sample],
    progress: Progress = lambda what, done, total: None,
    executor: Executor = HERE,
) -> Inspector:
    """The inspector with the threshold that the rule asks for, and with those of regions that have a rule of their own.

    Each of these is found on what the samples show of its region alone; the other, on the rest that is looked at.

    Raises:
        InspectorError: what `found_threshold` raises, or regions are named and the inspector looks everywhere;
        RegionsError: no such region.
    """
    regions = inspector.regions
    if not region_rules:
        return inspector.with_threshold(*found_threshold(rule, inspector, validation, progress, executor=executor))
    if regions is None:
        raise InspectorError(
            "a region's threshold is asked for, but there are no regions; give them with --look FILE.png"
        )
    regions.with_thresholds(dict.fromkeys(region_rules, 1.0))
    bare = inspector.with_regions(regions.with_thresholds({}))
    found = {
        level: found_threshold(own, bare, validation, progress, [level], executor).value
        for level, own in region_rules.items()
    }
    rest = set(regions.numbers) - set(region_rules) or set(regions.numbers)
    value, origin, *_ = found_threshold(rule, bare, validation, progress, rest, executor)
    result = inspector.with_regions(regions.with_thresholds(found)).with_threshold(value, origin)
    if not validation:
        return result
    # Scores as they are from now on.
    again = found_threshold(ThresholdRule(value), result, validation, progress, executor=executor)
    return result.with_threshold(value, _of_regions(origin, found), again.calibration, again.good_scores)


def _of_regions(origin: str, found: Mapping[int, float]) -> str:
    return f"{origin}; " + ", ".join(f"{value:.4g} in region {level}" for level, value in sorted(found.items()))


def one_of_each(scores: Mapping[str, Sequence[float]]) -> list[float]:
    """A score of each surface, drawn from those of its pictures, of which none is then likelier than another."""
    rng = np.random.default_rng(len(scores))
    return [each[int(rng.integers(len(each)))] for _, each in sorted(scores.items())]


def promise(surfaces: int, risk: float) -> str:
    """What a threshold of that risk, found on so many good surfaces, promises, in words."""
    confident = " and ".join(
        f"{100 * flagged_at_most(surfaces, risk, confidence):.2g} % with {confidence:.0%} confidence"
        for confidence in CONFIDENCES
    )
    return (
        f"flags a good surface with a chance of at most {100 * risk:g} %, if it is as the {surfaces} good ones that it "
        f"was found on; of all that come, at most {confident}"
    )


def unseen_good(samples: Sequence[Sample], inspector: Inspector) -> list[Sample]:
    """The good ones, of surfaces that the inspector was not trained on; says how many others there are."""
    good = [sample for sample in samples if sample.label == GOOD]
    others = [sample for sample in good if not inspector.training.has_seen(sample.group)]
    if len(others) < len(good):
        warnings.warn(
            f"{len(good) - len(others)} of {len(good)} good validation pictures are left out: they show surfaces that "
            "were trained on",
            BlemishNote,
            stacklevel=2,
        )
    return others


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
