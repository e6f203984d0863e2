"""Judging an inspector: maps one picture at a time, the threshold from a validation part, every figure on disk."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from anomaly.evaluation.metrics import Evaluator, ThresholdFinder
from anomaly.evaluation.results import EvaluationRecord, InspectorRecord, ResultsWriter
from anomaly.inspection.inspector import Inspector, InspectorError
from anomaly.inspection.train import Progress, note_shared
from scenes.formats.sample import GOOD, Sample
from scenes.formats.splitting import split_by_group
from scenes.version import blemish_version

VALIDATION_SHARE = 0.2  # of the groups, where the threshold has to be found on the judged dataset itself


def evaluate_inspector(
    bank: Path | str | Inspector,
    samples: Sequence[Sample],
    validation: Sequence[Sample] | None,
    out: Path | str,
    *,
    share: float = VALIDATION_SHARE,
    smallest: int = 0,
    seed: int = 0,
    judged_on: Sequence[str] = (),
    command: str = "",
    progress: Progress = lambda what, done, total: None,
) -> EvaluationRecord:
    """Judge the inspector on `samples` and write results, pictures and heat maps to `out`.

    Surfaces that it was trained on are left out, and so are a source's own training pictures. The threshold is that of
    best pixel F1 on `validation`; without it the bank's own; without that one, on the source's validation pictures or
    on a share of the groups, which are then not judged. Predicted regions of fewer than `smallest` pixels are dropped.

    Raises:
        InspectorError: the bank cannot be used, or nothing is left to judge.
    """
    inspector = bank if isinstance(bank, Inspector) else Inspector.load(bank)
    judged = unseen(samples, inspector)
    if not judged:
        raise InspectorError(
            f"all {len(samples)} pictures show surfaces that the inspector was trained on; "
            "judge it on others, or train with --share below 1"
        )
    threshold, origin = inspector.training.threshold, inspector.training.threshold_origin
    if validation is None and threshold is None:
        own = [s for s in judged if s.split == "validation"]
        where = "the dataset's own validation part"
        if not own:
            own, judged = split_by_group(judged, (share, 1 - share), seed)
            where = f"{share:.0%} of the surfaces (seed {seed}), which are not judged"
        if not own or not judged:
            raise InspectorError(
                f"{len(own) + len(judged)} pictures cannot be parted into some for the threshold and some to judge; "
                "give more, or name others with --validation DATASET"
            )
        threshold, origin = best_threshold(inspector, own, progress)
        origin = f"{origin}: {where}"
    elif validation is not None:
        note_shared(validation, judged, "judged")
        threshold, origin = best_threshold(inspector, validation, progress)
    assert threshold is not None
    judged = [s for s in judged if s.split != "validation"] or judged
    evaluator = Evaluator(threshold, smallest=smallest)
    with ResultsWriter(out) as writer:
        for done, sample in enumerate(judged, 1):
            image, truth, seen = sample.image(), sample.truth(), sample.seen()
            anomaly_map, score = inspector.judge(image, seen)
            evaluator.update(anomaly_map, truth, sample.label, score, seen)
            writer.add(sample, score, anomaly_map, truth, image)
            progress("judging", done, len(judged))
        return writer.finish(
            evaluator.compute(),
            inspector_record(inspector),
            command=command,
            judged_on=tuple(judged_on),
            threshold_origin=origin,
            versions={"blemish": blemish_version(), **{name: version(name) for name in ("torch", "timm", "numpy")}},
        )


def unseen(samples: Sequence[Sample], inspector: Inspector) -> list[Sample]:
    """The samples whose surfaces the inspector was not trained on, and that no source calls training pictures."""
    groups = set(inspector.training.groups)
    # Inspectors of before knew the surfaces of datasets by name and number alone, without what follows the #.
    return [s for s in samples if not {s.group, s.group.partition("#")[0]} & groups and s.split != "train"]


def best_threshold(
    inspector: Inspector, validation: Sequence[Sample], progress: Progress = lambda what, done, total: None
) -> tuple[float, str]:
    """The pixel threshold of best F1 on `validation`, and a sentence that says so."""
    finder = ThresholdFinder()
    defective = 0
    for done, sample in enumerate(validation, 1):
        defect, seen = sample.truth().defect, sample.seen()
        finder.update(inspector.judge(sample.image(), seen)[0], defect, seen)
        defective += bool(defect.any())
        progress("finding the threshold", done, len(validation))
    good = sum(sample.label == GOOD for sample in validation)
    if not defective:
        return finder.compute(), f"just above every pixel of {len(validation)} validation pictures, none defective"
    return finder.compute(), f"best pixel F1 on {len(validation)} validation pictures, {good} of them good"


def inspector_record(inspector: Inspector) -> InspectorRecord:
    training = inspector.training
    details = {
        "patches entered, by epoch": ", ".join(str(count) for count in training.accepted),
        "backbone strides": ", ".join(str(stride) for stride in inspector.model.extractor.strides),
        "working scale": f"{training.scale:.4g}",
        "surfaces trained on": str(len(training.groups)),
        "how the bank came to be": "; ".join(training.history),
    }
    return InspectorRecord(
        backbone=training.backbone,
        pretrained=training.pretrained,
        weights=training.weights,
        bank_rows=len(inspector.model.memory_bank),
        feature_size=inspector.model.extractor.channels,
        trained_on=training.trained_on,
        seed=training.seed,
        details=details,
    )
