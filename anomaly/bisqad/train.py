"""Training a BiSQAD: a head on frozen features learns from pictures with defects, by weights that are given or learnt.

Without an estimator a picture counts for what its source says (`blemish weigh` writes that). With one, detector and
estimator learn in turns, step by step: the bi-level optimisation of P12 to P14.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from anomaly.backbone.extractor import seeded
from anomaly.backbone.patch_extractor import BACKBONE, PatchExtractor, patch_extractor, weights_digest
from anomaly.bisqad.examples import Pieces, pieces_of
from anomaly.bisqad.model import BisqadModel
from anomaly.inspection.computing import PROCESSOR, Computing
from anomaly.inspection.filling import refuse_other_settings, sound
from anomaly.inspection.inspector import BANK_FILE, BISQAD, Inspector, InspectorError, TrainingRecord
from anomaly.inspection.pixel_size import pixel_size_of
from anomaly.inspection.predicting import HERE
from anomaly.inspection.threshold import BEST_F1, ThresholdRule, note_shared, with_found_thresholds
from anomaly.inspection.train import white_level_of, working_scale
from anomaly.weighting.bilevel import SegmentationHead
from anomaly.weighting.detector import Examples, descend, drawn, spread, weighted_loss
from anomaly.weighting.learning import Settings as EstimatorSettings
from anomaly.weighting.learning import Teaching
from anomaly.weighting.strangeness import References
from scenes.datasets.files import sha256_of
from scenes.datasets.lock import locked
from scenes.formats.sample import GOOD, UNLABELLED, Sample
from scenes.jobs.executor import Executor
from scenes.jobs.progress import Progress


@dataclass(frozen=True)
class Settings:
    """What a head follows from, beside its pictures. batch: pieces with defects a step, and pieces without.

    estimator: of the weights, where they are learnt beside the head.
    """

    steps: int = 800
    batch: int = 16
    rate: float = 3e-3
    seed: int = 0
    estimator: EstimatorSettings = field(default_factory=EstimatorSettings)


def train_bisqad(
    samples: Sequence[Sample],
    out: Path | str,
    *,
    teachers: Sequence[Sample] = (),
    settings: Settings = Settings(),
    backbone: str = BACKBONE,
    image_size: int | None = None,
    pretrained: bool = False,
    weights: Path | str | None = None,
    trained_on: Sequence[str] = (),
    validation: Sequence[Sample] = (),
    threshold: ThresholdRule | None = None,
    computing: Computing = PROCESSOR,
    progress: Progress = lambda what, done, total: None,
    executor: Executor = HERE,
) -> Inspector:
    """Train on samples with defects and without, and write the inspector to the folder `out`.

    teachers: labelled samples on which the detector shall do well: the weights are then learnt so that it does.
    image_size, validation, threshold: as of `train_inspector`. The same arguments give the same bytes; a finished
    training is read back. Raises InspectorError where no sample, or no teacher, shows a defect, or for an `out` that
    holds another training; DatasetError where `out` cannot be written.
    """
    out = Path(out)
    learnt_from = usable(samples)
    teaching = [sample for sample in teachers if sample.label not in (GOOD, UNLABELLED)]
    if teachers and not teaching:
        raise InspectorError(
            f"none of the {len(teachers)} pictures that weights are learnt by shows a defect; give others"
        )
    validation = [sample for sample in validation if sample.weight > 0]
    if threshold is not None and threshold.value is None and not validation:
        raise InspectorError("a BiSQAD's threshold is found on pictures that it does not learn from; give --validation")
    extractor = patch_extractor(backbone, pretrained=pretrained, weights=weights, seed=settings.seed)
    training = TrainingRecord(
        detector=BISQAD,
        backbone=extractor.backbone,
        pretrained=extractor.pretrained,
        weights=extractor.weights,
        weights_digest=weights_digest(extractor),
        size=0,
        epochs=0,
        scale=working_scale(learnt_from, image_size),
        seed=settings.seed,
        trained_on=tuple(trained_on),
        groups=tuple(sorted({sample.group for sample in (*learnt_from, *teaching)})),
        pictures=_digest(learnt_from, teaching, extractor, computing.tile),
        sources=_sources([*learnt_from, *teaching]),
        pixel_size=pixel_size_of(learnt_from),
        white_level=white_level_of(learnt_from, None),
        learnt_with=_told(settings, bool(teaching)),
        tile=computing.tile,
    )
    with locked(out):
        inspector = sound(out / BANK_FILE, Inspector.load, out)
        if inspector is not None:
            refuse_other_settings(inspector.training, training, out / BANK_FILE)
            inspector = inspector.on(computing)
        else:
            model = BisqadModel(extractor)
            model.to(computing.device)
            pieces = pieces_of(learnt_from, model, training.scale, computing, settings.seed, bool(teaching), progress)
            others = None
            if teaching:
                others = pieces_of(teaching, model, training.scale, computing, settings.seed, True, progress)
            fit(model, pieces, others, settings, progress)
            told = f"trained with {len(pieces.flawed)} places with defects and {len(pieces.good)} without"
            inspector = Inspector(model, training).on(computing)
            inspector = inspector.with_history(told + (f", weighed by {len(others.flawed)} others" if others else ""))
            inspector.save(out)
        if validation:
            note_shared(validation, learnt_from, "trained on")
        if validation or threshold is not None:
            inspector = with_found_thresholds(inspector, threshold or BEST_F1, {}, validation, progress, executor)
            inspector.save(out)
    return inspector


def fit(model: BisqadModel, pieces: Pieces, others: Pieces | None, settings: Settings, progress: Progress) -> None:
    """Teach a model's head. others: what the estimator learns by; None: pieces count for their weights."""
    rng = torch.Generator().manual_seed(settings.seed)
    mean, deviation = spread(pieces.flawed.features)
    mine = Examples((pieces.flawed.features - mean) / deviation, pieces.flawed.truth)
    good = (pieces.good - mean) / deviation
    taught = None
    if others is not None and others.windows is not None and pieces.windows is not None:
        standard = Examples((others.flawed.features - mean) / deviation, others.flawed.truth)
        _, strangeness = References.of(others.windows, pieces.windows, settings.seed)
        teaching = Teaching(standard, replace(settings.estimator, seed=settings.seed))
        taught = teaching, pieces.windows, strangeness
    with seeded(settings.seed):
        head = SegmentationHead(mine.features.shape[1])
    learning = torch.optim.Adam(head.parameters(), settings.rate)
    for step in range(settings.steps):
        chosen = drawn(len(mine), settings.batch, rng)
        clean = good[drawn(len(good), settings.batch, rng)] if len(good) else good
        weights = pieces.weights[chosen]
        if taught is not None:
            teaching, windows, strangeness = taught
            weights = weights * teaching.weights(windows, strangeness, chosen)
        loss = weighted_loss(head, weights, mine.chosen(chosen), clean)
        own = torch.autograd.grad(loss, list(head.parameters()), retain_graph=taught is not None)
        if taught is not None:
            taught[0].learn(head, loss, rng)
        descend(learning, own)
        progress("training", step + 1, settings.steps)
    model.restore({"head.mean": mean, "head.deviation": deviation, **_prefixed(head)})


def usable(samples: Sequence[Sample]) -> list[Sample]:
    """Those whose truth is known and that weigh anything, of the split "train" where the source has one.

    Raises InspectorError where none shows a defect.
    """
    labelled = [sample for sample in samples if sample.weight > 0 and sample.label != UNLABELLED]
    splits = {sample.split for sample in labelled}
    found = [sample for sample in labelled if "train" not in splits or sample.split in ("train", "")]
    if all(sample.label == GOOD for sample in found):
        raise InspectorError(
            f"none of the {len(samples)} pictures to train on shows a defect, from which a BiSQAD learns; give a "
            "dataset with masks, as `blemish render` and `blemish synthesize` make, or --detector patchcore"
        )
    return found


def _prefixed(head: SegmentationHead) -> dict[str, torch.Tensor]:
    return {f"head.{name}": value.detach().clone() for name, value in head.state_dict().items()}


def _told(settings: Settings, is_taught: bool) -> dict[str, float | str]:
    """The settings as a record keeps them."""
    plain: dict[str, float | str] = {"steps": settings.steps, "batch": settings.batch, "rate": settings.rate}
    if not is_taught:
        return {**plain, "weights": "of the pictures' source"}
    own = {f"estimator_{name}": value for name, value in asdict(settings.estimator).items() if name != "seed"}
    return {**plain, "weights": "learnt beside the head", **own}


def _sources(samples: Sequence[Sample]) -> dict[str, str]:
    """Names of the pictures learnt from by `source_key`, and of what they were made of."""
    found: dict[str, str] = {}
    for sample in samples:
        found |= {digest[:16]: "" for digest in sorted(sample.ancestors)}
        found[sha256_of(sample.image_path)[:16]] = sample.image_path.name
    return found


def _digest(samples: Sequence[Sample], teachers: Sequence[Sample], extractor: PatchExtractor, tile: int | None) -> str:
    """Of all that is learnt from: pictures, their masks and weights, and what the backbone depends on."""
    digest = hashlib.sha256(f"{len(samples)} {tile} {weights_digest(extractor)}".encode())
    for sample in (*samples, *teachers):
        digest.update(bytes.fromhex(sha256_of(sample.image_path)) + repr(sample.weight).encode())
        if sample.label != GOOD:
            digest.update(np.packbits(sample.truth().defect).tobytes())
    return digest.hexdigest()
