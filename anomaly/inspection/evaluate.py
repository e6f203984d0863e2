"""Evaluating an inspector: maps one picture at a time, the threshold from a validation part, every figure on disk."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from anomaly.evaluation.metrics import Evaluator
from anomaly.evaluation.results import THUMBNAIL, EvaluationRecord, InspectorRecord, ResultsWriter
from anomaly.inspection.inspector import BISQAD, DETECTORS, Inspector, InspectorError, source_key, source_of
from anomaly.inspection.predicting import HERE, Prediction, predict_samples
from anomaly.inspection.threshold import (
    BEST_F1,
    VALIDATION_SHARE,
    ThresholdRule,
    found_threshold,
    note_shared,
    validation_part,
)
from anomaly.reporting.report_pictures import fitted, shrunk
from procgen.errors import BlemishNote
from scenes.datasets.lock import locked
from scenes.formats.sample import GOOD, Sample
from scenes.formats.surfaces import BY_CONTENT
from scenes.jobs.executor import Executor
from scenes.jobs.progress import Progress
from scenes.memory import give_back
from scenes.pictures.on_disk import nearest_folder
from scenes.version import blemish_version


def evaluate_inspector(
    bank: Path | str | Inspector,
    samples: Sequence[Sample],
    validation: Sequence[Sample] | None,
    out: Path | str,
    *,
    threshold: ThresholdRule | None = None,
    share: float = VALIDATION_SHARE,
    smallest: int = 0,
    seed: int = 0,
    evaluated_on: Sequence[str] = (),
    command: str = "",
    progress: Progress = lambda what, done, total: None,
    executor: Executor = HERE,
) -> EvaluationRecord:
    """Evaluate the inspector on `samples` and write results, pictures and heat maps to `out`.

    Surfaces that it was trained on, or that its training kept back, are left out, and so are a source's own training
    pictures. The threshold is found on `validation`, by default that of best pixel F1; without it the bank's own, where
    none is asked for; without that one, on the source's validation pictures or on a share of the groups, which are then
    not evaluated. Predicted regions of fewer than `smallest` pixels are dropped. executor: where maps are made, which
    changes no byte.

    Raises:
        InspectorError: the bank cannot be used, or nothing is left to evaluate.
        ResultsError, DatasetError: `out` cannot be written, or another process writes there.
    """
    inspector = bank if isinstance(bank, Inspector) else Inspector.load(bank)
    evaluated = unseen(samples, inspector)
    if not evaluated:
        raise InspectorError(
            f"all {len(samples)} pictures show surfaces that the inspector was trained on, or that were kept back for "
            "its threshold; evaluate it on others, or train with --share below 1"
        )
    _note_surfaces_by_path(evaluated, inspector)
    scratch = nearest_folder(Path(out))
    evaluated, value, origin = _with_threshold(
        inspector, evaluated, validation, threshold, share, seed, progress, executor, scratch
    )
    evaluated = [s for s in evaluated if s.split != "validation"] or evaluated
    evaluator = Evaluator(value, smallest=smallest)
    with locked(out), ResultsWriter(out) as writer:

        def take(position: int, prediction: Prediction) -> None:
            ((image, valid_mask), anomaly_map, score), sample = prediction, evaluated[position]
            small = shrunk(image, fitted(image.shape[1], image.shape[0], THUMBNAIL))
            del prediction, image  # before the truth is read
            give_back(anomaly_map.size)
            truth = sample.banded_truth(scratch)
            evaluator.update(anomaly_map, truth, sample.label, score, valid_mask)
            writer.add(sample, score, anomaly_map, truth, small)
            progress("evaluating", position + 1, len(evaluated))

        predict_samples(inspector, evaluated, take, executor, scratch)
        return writer.finish(
            evaluator.compute(),
            inspector_record(inspector),
            command=command,
            evaluated_on=tuple(evaluated_on),
            threshold_origin=origin,
            versions={"blemish": blemish_version(), **{name: version(name) for name in ("torch", "timm", "numpy")}},
        )


def _with_threshold(
    inspector: Inspector,
    samples: list[Sample],
    validation: Sequence[Sample] | None,
    rule: ThresholdRule | None,
    share: float,
    seed: int,
    progress: Progress,
    executor: Executor,
    scratch: Path,
) -> tuple[list[Sample], float, str]:
    """What of the samples is left to evaluate, the threshold, and a sentence on how it was found."""
    training = inspector.training
    if validation is not None:
        note_shared(validation, samples, "evaluated")
        return samples, *found_threshold(rule or BEST_F1, inspector, validation, progress, None, executor, scratch)[:2]
    if rule is None and training.threshold is not None:
        return samples, training.threshold, training.threshold_origin
    rule = rule or BEST_F1
    if rule.value is not None:
        return samples, *found_threshold(rule, inspector, ())[:2]
    of = samples if rule == BEST_F1 else [sample for sample in samples if sample.label == GOOD]
    own, _, where = validation_part(of, share, seed)
    groups = {sample.group for sample in own}
    value, origin = found_threshold(rule, inspector, own, progress, None, executor, scratch)[:2]
    return [sample for sample in samples if sample.group not in groups], value, f"{origin}: {where}"


def unseen(samples: Sequence[Sample], inspector: Inspector) -> list[Sample]:
    """The samples whose surfaces training neither saw nor kept back, and that no source calls training pictures.

    Of a BiSQAD, surfaces that its pictures were made of, or weighed by, are seen too.
    """
    training, seen = inspector.training, set(inspector.training.kept_back)
    if training.detector == BISQAD:
        seen |= {sample.group for sample in samples if source_key(source_of(sample.image_path)) in training.sources}
    return [s for s in samples if not training.has_seen(s.group) and s.group not in seen and s.split != "train"]


def _note_surfaces_by_path(samples: Sequence[Sample], inspector: Inspector) -> None:
    """Say where pictures that the inspector was trained on may be among those, as it knows them by their names."""
    known_by_content = sum(sample.group.startswith(f"{BY_CONTENT}/") for sample in samples)
    if known_by_content and inspector.training.knows_by_path:
        warnings.warn(
            f"the inspector was trained by an earlier Blemish, which knew pictures by their names: of the "
            f"{known_by_content} that are evaluated by their content, some may have been trained on without a row in "
            "the bank; train it again to be sure",
            BlemishNote,
            stacklevel=2,
        )


def inspector_record(inspector: Inspector) -> InspectorRecord:
    training = inspector.training
    details = {
        **({"patches entered, by epoch": ", ".join(map(str, training.accepted))} if training.accepted else {}),
        **{name.replace("_", " "): f"{value}" for name, value in training.learnt_with.items()},
        "backbone strides": ", ".join(str(stride) for stride in inspector.model.extractor.strides),
        "working scale": f"{training.scale:.4g}",
        "surfaces trained on": str(len(training.groups)),
        **({} if inspector.tile is None else {"tiles": f"of {inspector.tile} pixels"}),
        **({} if inspector.regions is None else {"looks at": inspector.regions.described(training.threshold)}),
        **({} if training.white_level is None else {"white level": f"{training.white_level:g}"}),
        "how it came to be": "; ".join(training.history),
    }
    return InspectorRecord(
        detector=DETECTORS[training.detector],
        backbone=training.backbone,
        pretrained=training.pretrained,
        weights=training.weights,
        bank_rows=inspector.rows,
        feature_size=inspector.model.extractor.channels,
        trained_on=training.trained_on,
        seed=training.seed,
        details=details,
    )
