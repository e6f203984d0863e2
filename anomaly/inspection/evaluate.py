"""Evaluating an inspector: maps one picture at a time, the threshold from a validation part, every figure on disk."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from anomaly.evaluation.metrics import Evaluator
from anomaly.evaluation.results import EvaluationRecord, InspectorRecord, ResultsWriter
from anomaly.inspection.inspector import Inspector, InspectorError
from anomaly.inspection.threshold import VALIDATION_SHARE, best_threshold, note_shared, validation_part
from scenes.datasets.lock import locked
from scenes.formats.sample import Sample
from scenes.jobs.progress import Progress
from scenes.version import blemish_version


def evaluate_inspector(
    bank: Path | str | Inspector,
    samples: Sequence[Sample],
    validation: Sequence[Sample] | None,
    out: Path | str,
    *,
    share: float = VALIDATION_SHARE,
    smallest: int = 0,
    seed: int = 0,
    evaluated_on: Sequence[str] = (),
    command: str = "",
    progress: Progress = lambda what, done, total: None,
) -> EvaluationRecord:
    """Evaluate the inspector on `samples` and write results, pictures and heat maps to `out`.

    Surfaces that it was trained on are left out, and so are a source's own training pictures. The threshold is that of
    best pixel F1 on `validation`; without it the bank's own; without that one, on the source's validation pictures or
    on a share of the groups, which are then not evaluated. Predicted regions of fewer than `smallest` pixels are
    dropped.

    Raises:
        InspectorError: the bank cannot be used, or nothing is left to evaluate.
        ResultsError, DatasetError: `out` cannot be written, or another process writes there.
    """
    inspector = bank if isinstance(bank, Inspector) else Inspector.load(bank)
    evaluated = unseen(samples, inspector)
    if not evaluated:
        raise InspectorError(
            f"all {len(samples)} pictures show surfaces that the inspector was trained on; "
            "evaluate it on others, or train with --share below 1"
        )
    threshold, origin = inspector.training.threshold, inspector.training.threshold_origin
    if validation is not None:
        note_shared(validation, evaluated, "evaluated")
        threshold, origin = best_threshold(inspector, validation, progress)
    elif threshold is None:
        own, evaluated, where = validation_part(evaluated, share, seed)
        threshold, origin = best_threshold(inspector, own, progress)
        origin = f"{origin}: {where}"
    evaluated = [s for s in evaluated if s.split != "validation"] or evaluated
    evaluator = Evaluator(threshold, smallest=smallest)
    with locked(out), ResultsWriter(out) as writer:
        for done, sample in enumerate(evaluated, 1):
            image, truth, valid_mask = sample.image(), sample.truth(), sample.valid_mask()
            anomaly_map, score = inspector.predict(image, valid_mask)
            evaluator.update(anomaly_map, truth, sample.label, score, valid_mask)
            writer.add(sample, score, anomaly_map, truth, image)
            progress("evaluating", done, len(evaluated))
        return writer.finish(
            evaluator.compute(),
            inspector_record(inspector),
            command=command,
            evaluated_on=tuple(evaluated_on),
            threshold_origin=origin,
            versions={"blemish": blemish_version(), **{name: version(name) for name in ("torch", "timm", "numpy")}},
        )


def unseen(samples: Sequence[Sample], inspector: Inspector) -> list[Sample]:
    """The samples whose surfaces the inspector was not trained on, and that no source calls training pictures."""
    groups = set(inspector.training.groups)
    # Inspectors of before knew the surfaces of datasets by name and number alone, without what follows the #.
    return [s for s in samples if not {s.group, s.group.partition("#")[0]} & groups and s.split != "train"]


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
