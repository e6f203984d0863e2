"""How well anomaly maps find defects, sample by sample, in memory that does not grow with the number of pictures.

Pixel curves come from histograms over `KEYS` bins whose edges are float32 values: the sign, the exponent and 11 bits of
the mantissa of a score, so that no range need be known beforehand and scores that differ by 1/2048 are told apart. The
confusion counts of torchmetrics' binned metrics are cumulative sums of such histograms; filled this way, one pass over
a picture does what their own update does in one pass per threshold. Curves and areas are torchmetrics'. What lies on an
impurity and is predicted counts as a false positive.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomaly.evaluation.results import ClassRecall, Curve, Metrics, range_of
from procgen.errors import BlemishError
from scenes.formats.sample import GOOD
from scenes.formats.truth import BandedTruth
from scenes.pictures.on_disk import ArrayOnDisk, ByRows, MadeRows, Rows, beside
from scenes.pictures.regions import BandedRegions, bands

if TYPE_CHECKING:
    from torchmetrics.classification import BinaryPrecisionRecallCurve

__all__ = ["COVERAGES", "ClassRecall", "Curve", "Evaluator", "Metrics", "ThresholdFinder"]

COVERAGES = (0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 20.0, 25.0, 50.0, 75.0, 100.0)  # per cent; [Mao 2025], Appendix C
PRO_LIMIT = 0.3  # false-positive rate up to which AUPRO integrates, as MVTec AD does
KEY_BITS = 20
KEYS = 1 << KEY_BITS
CURVE_POINTS = 201


class MetricsError(BlemishError):
    """Maps or masks that cannot be evaluated; names the sample."""


def score_keys(scores: NDArray[np.floating[Any]]) -> NDArray[np.uint32]:
    """The histogram bin of every score, in the order of the scores (the key of a radix sort over float32)."""
    # Adding zero turns -0.0 into 0.0, which compares equal but has other bits.
    bits = (np.ascontiguousarray(scores, np.float32) + np.float32(0)).view(np.uint32)
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    return ordered >> np.uint32(32 - KEY_BITS)


def lowest_of_key(keys: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """The smallest score in each bin: `score >= lowest_of_key(k)` holds exactly for the scores of bins k and above."""
    ordered = np.asarray(keys).astype(np.uint32) << np.uint32(32 - KEY_BITS)
    negative = (ordered >> np.uint32(31)) == 0
    return np.where(negative, ~ordered, ordered & np.uint32(0x7FFFFFFF)).astype(np.uint32).view(np.float32)


class Histograms:
    """Pixels by bin of their score, of all pictures together: `KEYS` bins each, however many pictures there are.

    all, bad: (KEYS,) int64 counts of all pixels and of defective ones; overlap: (KEYS,) shares of defect regions,
    summed over `regions` of them.
    """

    def __init__(
        self,
        all: NDArray[np.int64] | None = None,
        bad: NDArray[np.int64] | None = None,
        overlap: NDArray[np.float64] | None = None,
        regions: int = 0,
    ) -> None:
        self.all = np.zeros(KEYS, np.int64) if all is None else all
        self.bad = np.zeros(KEYS, np.int64) if bad is None else bad
        self.overlap = np.zeros(KEYS) if overlap is None else overlap
        self.regions = regions

    def add(self, scores: Rows, defect: ByRows, valid_mask: Rows | None = None) -> None:
        """Take in one picture: all (H, W); only pixels of `valid_mask` count. Regions are 8-connected."""
        for rows in bands(scores.shape):
            keys = score_keys(scores[rows])
            _count(self.all, keys if valid_mask is None else keys[valid_mask[rows]])
        counted = defect if valid_mask is None else MadeRows(defect.shape, lambda rows: defect[rows] & valid_mask[rows])
        regions = BandedRegions(counted)
        for rows in regions.bands:
            within = counted[rows]
            if within.any():
                keys = score_keys(scores[rows])[within]
                _count(self.bad, keys)
                _count(self.overlap, keys, 1.0 / regions.sizes[regions.numbers(rows)[within]])
        self.regions += len(regions.sizes) - 1

    @property
    def good(self) -> NDArray[np.int64]:
        """(KEYS,) counts of pixels that are not defective."""
        return self.all - self.bad

    @property
    def has_both(self) -> bool:
        """Whether there are good and defective pixels."""
        return bool(self.bad.any() and self.good.any())

    def threshold(self) -> float:
        """The score of best F1; just above the highest where no pixel is defective. Raises MetricsError when empty."""
        used = np.flatnonzero(self.all)
        if not used.size:
            raise MetricsError("the validation pictures hold no pixel; give at least one to find the threshold on")
        if not self.bad.any():
            # Above every value of the highest bin: no good pixel of the validation set is called defective.
            return float(lowest_of_key(used[-1:] + 1)[0])
        return _best_f1(self.good, self.bad)[0]

    def best_f1(self) -> float | None:
        """The highest F1 of any threshold; None without both kinds of pixels."""
        return _best_f1(self.good, self.bad)[1] if self.has_both else None

    def auroc(self) -> float | None:
        """Area under the receiver operating characteristic; None without both kinds of pixels."""
        return _pixel_auroc(self.good, self.bad) if self.has_both else None

    def aupro(self) -> float | None:
        """Area under the per-region overlap up to `PRO_LIMIT`; None without both kinds of pixels."""
        return _aupro(self.good, self.overlap / max(self.regions, 1)) if self.has_both else None

    def precision_recall(self) -> Curve | None:
        """Precision over recall; None without both kinds of pixels."""
        return _precision_recall_curve(self.good, self.bad) if self.has_both else None


class ThresholdFinder:
    """The pixel threshold of best F1 over validation samples, fed one at a time; at or above it lie defects."""

    def __init__(self) -> None:
        self._pixels = Histograms()

    def update(
        self,
        anomaly_map: Rows,
        defect: ByRows,
        valid_mask: Rows | None = None,
    ) -> None:
        """Take in one sample: all (H, W); only pixels of `valid_mask` count."""
        self._pixels.add(_checked(anomaly_map, defect, "a validation picture"), defect, valid_mask)

    def compute(self) -> float:
        """The threshold; where no validation pixel is defective, just above the highest score.

        Raises MetricsError when nothing was taken in.
        """
        return self._pixels.threshold()


def without_small(predicted: Rows, smallest: int) -> Rows:
    """Predictions (H, W) without the 8-connected regions of fewer than `smallest` pixels ([Mao 2025], Appendix C)."""
    if smallest <= 1:
        return predicted
    regions = BandedRegions(predicted)
    kept = regions.sizes >= smallest
    kept[0] = False
    large = beside(predicted, predicted.shape, np.bool_)
    for rows in regions.bands:
        large[rows] = kept[regions.numbers(rows)]
    return large


def leaked(anomaly_map: Rows, predicted: Rows, truth: BandedTruth) -> list[bool]:
    """Whether each instance was found only because the prediction of an impurity spilled onto it.

    anomaly_map, predicted: (H, W). So it is for a defect when every predicted region (8-connected) that touches it is
    stronger on an impurity, where no defect is, than anywhere on this defect. Masks must overlap to tell: under a
    stain a defect's own pixels stay its own. False for impurities and for what was not found.
    """
    kinds = truth.kinds()
    answers = [False] * len(kinds)
    if all(family != "impurity" for family, _ in kinds):
        return answers
    regions = BandedRegions(predicted)
    spill = MadeRows(predicted.shape, lambda rows: truth.of_family("impurity", rows) & ~truth.defect[rows])
    on_impurity = _strongest(regions, spill, predicted, anomaly_map)
    if not (on_impurity > -np.inf).any():
        return answers
    for index, (family, _) in enumerate(kinds):
        if family == "defect":
            mask = MadeRows(predicted.shape, partial(truth.union, [index]))
            own = _strongest(regions, mask, predicted, anomaly_map)
            touched = own > -np.inf
            answers[index] = bool(touched.any() and (on_impurity[touched] > own[touched]).all())
    return answers


def _strongest(regions: BandedRegions, places: ByRows, predicted: Rows, anomaly_map: Rows) -> NDArray[np.float64]:
    """(1 + regions,) the highest value of each predicted region on the places (H, W).

    Minus infinity where it has none there.
    """
    highest = np.full(len(regions.sizes), -np.inf)
    for rows in regions.bands:
        within = places[rows] & predicted[rows]
        if within.any():
            np.maximum.at(highest, regions.numbers(rows)[within], anomaly_map[rows][within])
    return highest


class Evaluator:
    """Evaluates samples one at a time; what it keeps are counts.

    threshold: a pixel at or above it is predicted defective; coverages: per cent of an instance's pixels that must be
    predicted for it to count as detected, ascending from 0; smallest: predicted regions of fewer pixels are dropped
    (what needs no threshold, the areas and the best F1, knows nothing of that).
    """

    def __init__(self, threshold: float, coverages: Sequence[float] = COVERAGES, smallest: int = 0) -> None:
        from torchmetrics import MetricCollection
        from torchmetrics.classification import BinaryF1Score, BinaryPrecision, BinaryRecall

        if not np.isfinite(threshold):
            raise MetricsError(f"threshold {threshold}: expected a finite number; find it on validation pictures")
        self.threshold, self.coverages = float(threshold), tuple(float(c) for c in coverages)
        self.smallest = smallest
        self._labels: list[bool] = []
        self._scores: list[float] = []
        self._pixels = Histograms()
        self._pixelwise = MetricCollection([BinaryPrecision(), BinaryRecall(), BinaryF1Score()])
        self._classes: dict[tuple[str, str], _ClassCount] = {}

    def update(
        self,
        anomaly_map: Rows,
        truth: BandedTruth,
        label: str,
        score: float | None = None,
        valid_mask: Rows | None = None,
    ) -> None:
        """Take in one sample.

        anomaly_map: (H, W) at image size; label: "good" or anything else for a defective sample; score: the
        sample's own, the highest of its map by default; valid_mask: (H, W) the pixels that count, all by default.
        """
        defect = truth.defect
        anomaly_map = _checked(anomaly_map, defect, f"a picture labelled {label}")
        score = range_of(anomaly_map)[1] if score is None else float(score)
        if not np.isfinite(score):
            raise MetricsError(f"a picture labelled {label} has the score {score}; train the inspector again")
        self._labels.append(label != GOOD)
        self._scores.append(score)
        self._pixels.add(anomaly_map, defect, valid_mask)
        predicted = beside(anomaly_map, defect.shape, np.bool_)
        for rows in bands(defect.shape):
            reached = anomaly_map[rows] >= self.threshold
            predicted[rows] = reached if valid_mask is None else reached & valid_mask[rows]
        predicted = without_small(predicted, self.smallest)
        for rows in bands(defect.shape):
            counted = [predicted[rows], defect[rows]]
            if valid_mask is not None:
                counted = [mask[valid_mask[rows]] for mask in counted]
            self._pixelwise.update(*(torch.from_numpy(mask.ravel()) for mask in counted))
        found = zip(
            truth.kinds(), truth.areas(), truth.areas(predicted), leaked(anomaly_map, predicted, truth), strict=True
        )
        for (family, name), size, hit, spilled in found:
            counts = self._classes.setdefault((family, name), _ClassCount(self.coverages))
            counts.add(int(size), int(hit), spilled)

    def compute(self) -> Metrics:
        """All figures so far; raises MetricsError when nothing was taken in."""
        if not self._labels:
            raise MetricsError("there is no picture to evaluate; give a dataset with at least one")
        labels = np.array(self._labels)
        pixelwise: dict[str, float | None] = {name: float(v) for name, v in self._pixelwise.compute().items()}
        if not self._pixels.bad.any():
            pixelwise = dict.fromkeys(pixelwise)
        auroc, roc = _image_auroc(np.array(self._scores), labels)
        names = sorted(self._classes, key=lambda key: (key[0] != "defect", key[1]))
        classes = {name: self._classes[family, name].recall(family) for family, name in names}
        curves = [recall.curve for recall in classes.values() if recall.family == "defect"]
        mean = tuple(float(value) for value in np.mean(curves, axis=0)) if curves else None
        return Metrics(
            images=len(labels),
            good_images=int(np.count_nonzero(~labels)),
            threshold=self.threshold,
            image_auroc=auroc,
            pixel_precision=pixelwise["BinaryPrecision"],
            pixel_recall=pixelwise["BinaryRecall"],
            pixel_f1=pixelwise["BinaryF1Score"],
            pixel_auroc=self._pixels.auroc(),
            aupro=self._pixels.aupro(),
            best_pixel_f1=self._pixels.best_f1(),
            mean_defect_wise_recall=None if mean is None else mean[0],
            coverages=self.coverages,
            mean_defect_wise_curve=mean,
            classes=classes,
            image_roc=roc,
            pixel_precision_recall=self._pixels.precision_recall(),
            smallest_prediction=self.smallest,
        )


class _ClassCount:
    def __init__(self, coverages: tuple[float, ...]) -> None:
        self._coverages = np.array(coverages)
        self._instances = self._pixels = self._predicted = 0
        self._detected = np.zeros(len(coverages), np.int64)
        self._leaked = 0

    def add(self, size: int, hit: int, leaked: bool) -> None:
        self._instances += 1
        self._pixels += size
        self._predicted += hit
        self._leaked += leaked
        # Required coverages multiply the size rather than divide the hits: 100 × 7/7 must not miss 100 % by rounding.
        self._detected += (hit > 0) & (100 * hit >= self._coverages * size)

    def recall(self, family: str) -> ClassRecall:
        detected = tuple(int(count) for count in self._detected)
        return ClassRecall(family, self._instances, self._pixels, self._predicted, detected, self._leaked)


def _checked(anomaly_map: Rows, defect: ByRows, whose: str) -> Rows:
    if not isinstance(anomaly_map, ArrayOnDisk):
        anomaly_map = np.asarray(anomaly_map, np.float32)
    if anomaly_map.shape != defect.shape or len(anomaly_map.shape) != 2:
        raise MetricsError(
            f"the anomaly map of {whose} is {anomaly_map.shape} but its mask is {defect.shape}; "
            "scale the map to image size"
        )
    if not all(np.isfinite(anomaly_map[rows]).all() for rows in bands(anomaly_map.shape)):
        raise MetricsError(f"the anomaly map of {whose} holds values that are not finite; train the inspector again")
    return anomaly_map


def _count(sums: NDArray[Any], keys: NDArray[np.uint32], weights: NDArray[np.float64] | None = None) -> None:
    counts = np.bincount(keys.ravel(), weights)
    sums[: counts.size] += counts


def _confusion_by_threshold(good: NDArray[Any], bad: NDArray[Any]) -> tuple[Tensor, Tensor]:
    """The (T, 2, 2) state [truth, prediction] of a binned torchmetrics metric, at the (T,) edges of all used bins."""
    used = np.flatnonzero(good + bad)
    false_positive = np.cumsum(good[used][::-1])[::-1]
    true_positive = np.cumsum(bad[used][::-1])[::-1]
    state = np.stack(
        [false_positive[0] - false_positive, false_positive, true_positive[0] - true_positive, true_positive], axis=1
    )
    return torch.from_numpy(state.reshape(-1, 2, 2)), torch.from_numpy(lowest_of_key(used))


def _filled(metric: "type[BinaryPrecisionRecallCurve]", good: NDArray[Any], bad: NDArray[Any]) -> Any:
    state, thresholds = _confusion_by_threshold(good, bad)
    filled = metric(thresholds=thresholds, validate_args=False)
    filled.confmat = state
    filled._update_count = 1  # torchmetrics warns when compute comes before update
    return filled


def _pixel_auroc(good: NDArray[np.int64], bad: NDArray[np.int64]) -> float:
    from torchmetrics.classification import BinaryAUROC

    return float(_filled(BinaryAUROC, good, bad).compute())


def _best_f1(good: NDArray[np.int64], bad: NDArray[np.int64]) -> tuple[float, float]:
    """The threshold of best F1 and that F1; of equally good ones the lowest."""
    from torchmetrics.classification import BinaryPrecisionRecallCurve

    precision, recall, thresholds = _filled(BinaryPrecisionRecallCurve, good, bad).compute()
    f1 = torch.nan_to_num(2 * precision * recall / (precision + recall))[:-1]
    best = int(torch.argmax(f1))
    # torchmetrics turns a single threshold into a scalar.
    return float(thresholds.reshape(-1)[best]), float(f1[best])


def _precision_recall_curve(good: NDArray[np.int64], bad: NDArray[np.int64]) -> Curve:
    from torchmetrics.classification import BinaryPrecisionRecallCurve

    precision, recall, _ = _filled(BinaryPrecisionRecallCurve, good, bad).compute()
    # From the highest threshold down recall grows; the closing point (0, 1) of torchmetrics belongs to no threshold.
    return _thinned(recall[:-1].flip(0).numpy(), precision[:-1].flip(0).numpy())


def _image_auroc(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> tuple[float | None, Curve | None]:
    if labels.all() or not labels.any():
        return None, None
    from scipy.stats import rankdata
    from torchmetrics.classification import BinaryROC
    from torchmetrics.utilities.compute import auc

    # Ranks keep the order and lie in 0..1, where torchmetrics applies no sigmoid: that would tie scores above 17.
    ranks = torch.from_numpy(rankdata(scores, method="dense") / (len(scores) + 1))
    false_positive, true_positive, _ = BinaryROC()(ranks, torch.from_numpy(labels).long())
    area = float(auc(false_positive.double(), true_positive.double()))
    return area, _thinned(false_positive.numpy(), true_positive.numpy())


def _aupro(good: NDArray[np.int64], overlap: NDArray[np.float64]) -> float:
    """Area under the per-region overlap up to a false-positive rate of `PRO_LIMIT`, as a share of that rate.

    good, overlap: (KEYS,) good pixels, and the mean share of a region, by bin of score. Equals anomalib's AUPRO, which
    keeps and sorts every pixel and needs all pictures of one size.
    """
    from torchmetrics.utilities.compute import auc

    used = np.flatnonzero(good + overlap)[::-1]
    rate = np.concatenate([[0.0], np.cumsum(good[used]) / good.sum()])
    share = np.concatenate([[0.0], np.cumsum(overlap[used])])
    inside = rate <= PRO_LIMIT
    x = np.append(rate[inside], PRO_LIMIT)
    y = np.append(share[inside], np.interp(PRO_LIMIT, rate, share))
    return float(auc(torch.from_numpy(x), torch.from_numpy(y))) / PRO_LIMIT


def _thinned(x: NDArray[Any], y: NDArray[Any]) -> Curve:
    """At most `CURVE_POINTS` of a curve's points, evenly spread along its length."""
    if len(x) > CURVE_POINTS:
        length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        wanted = np.searchsorted(length, np.linspace(0, length[-1], CURVE_POINTS)).clip(max=len(x) - 1)
        kept = np.unique(np.concatenate([[0], wanted, [len(x) - 1]]))
        x, y = x[kept], y[kept]
    return Curve(tuple(map(float, x)), tuple(map(float, y)))
