"""Training an inspector: good pictures stream through the backbone into the bank, epoch after epoch.

It drives the torch model itself rather than anomalib's Engine: pictures of any size one at a time at one scale, a state
after every epoch from which a killed training goes on to the same bytes, and no half minute of imports. Both ways share
`SequentialPatchcoreModel`.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomaly.backbone.patch_extractor import BACKBONE, PatchExtractor, patch_extractor, weight_bytes, weights_digest
from anomaly.inspection.augmentation import Augmentation
from anomaly.inspection.computing import PROCESSOR, Computing
from anomaly.inspection.inspector import (
    BANK_FILE,
    DamagedError,
    Inspector,
    InspectorError,
    PixelSize,
    TrainingRecord,
    bank_tensors,
    read_tensors,
    restore,
    source_key,
    source_of,
    training_from,
    write_tensors,
)
from anomaly.inspection.pixel_size import pixel_size_of
from anomaly.inspection.regions import Regions, RegionsError
from anomaly.inspection.threshold import (
    BEST_F1,
    VALIDATION_SHARE,
    ThresholdRule,
    note_shared,
    refuse_too_few,
    with_found_thresholds,
)
from anomaly.inspection.view import Picture
from anomaly.patchcore.boundary_patches import BoundaryPatches, BoundaryPatchFinder
from anomaly.patchcore.torch_model import BANK_SIZE, SequentialPatchcoreModel
from procgen.errors import BlemishNote
from scenes.datasets.files import sha256_of
from scenes.datasets.lock import locked
from scenes.formats.sample import GOOD, Sample
from scenes.formats.splitting import split_by_group
from scenes.jobs.progress import Progress

EPOCHS = 5  # [Mao 2025], section V.B
# Without augmentation the features are kept, a further pass costs little, and a fixed set settles: usually in about 10
# passes. Until then the worst covered patch may be a third farther from the bank than at the end.
SETTLING_EPOCHS = 20
FAR_LARGER = 3.0  # times as long as the others, from where a picture that sets the scale of all is named
LONGEST_SIDE = 640  # pixels to which the largest training picture is reduced by default
STATE_FILE = "training.safetensors"
CACHE_FILE = "features.part"
PIECE = 1 << 16  # rows of kept features that are read at once
Read = TypeVar("Read")
CACHE_LIMIT = 4 << 30  # bytes of features kept on disk between epochs; beyond, every epoch extracts them again


def train_inspector(
    samples: Sequence[Sample],
    out: Path | str,
    *,
    start: Inspector | Path | str | None = None,
    size: int | None = None,
    backbone: str = BACKBONE,
    epochs: int | None = None,
    image_size: int | None = None,
    seed: int = 0,
    pretrained: bool = False,
    weights: Path | str | None = None,
    augmentation: Augmentation | None = None,
    boundary_patches: int | None = None,
    trained_on: Sequence[str] = (),
    validation: Sequence[Sample] = (),
    threshold: ThresholdRule | None = None,
    validation_share: float = VALIDATION_SHARE,
    regions: Regions | None = None,
    region_thresholds: Mapping[int, ThresholdRule] = MappingProxyType({}),
    computing: Computing = PROCESSOR,
    progress: Progress = lambda what, done, total: None,
) -> Inspector:
    """Train on the good ones of `samples` and write the inspector to the folder `out`.

    start: an inspector to go on from ([Mao 2025]: fine-tuning): its bank is updated, its backbone and scale stay. size:
    rows of the bank (2048, or as `start` has; else that bank is grown or shrunk first). epochs: at most so many, by
    default 5 with augmentation and 20 without, where it ends when one changes nothing. image_size: pixels to which the
    longest side of the largest training picture is scaled, all others by the same factor (by default larger ones are
    reduced to 640, smaller ones left alone). boundary_patches: so many of the farthest patches of each row's cell are
    kept beside it for melding, found in one more pass (none, or as `start` has). validation: samples that the
    threshold is found on, by default that of best pixel F1; for a threshold of a risk to good surfaces without them,
    training keeps `validation_share` of the good surfaces back. regions: where on every picture it looks, to learn and
    to inspect (everywhere, or as `start` does); region_thresholds: of those that get their own. computing: on which
    device and in which tiles. A stopped training continues after its last whole epoch; a finished one is read back.

    Raises InspectorError for no good sample, settings out of range or at odds with `start`, or an `out` that holds a
    training with other settings; DatasetError where `out` cannot be written, or another process writes there.
    """
    out = Path(out)
    for name, value in (("size", size), ("epochs", epochs)):
        if value is not None and value < 1:
            raise InspectorError(f"{name} is {value}; expected at least 1")
    if boundary_patches is not None and boundary_patches < 0:
        raise InspectorError(f"boundary_patches is {boundary_patches}; expected at least 0")
    if image_size is not None and image_size < 32:
        raise InspectorError(f"image size is {image_size}; expected at least 32 pixels")
    good = training_part(samples)
    begun = Inspector.load(start) if isinstance(start, str | Path) else start
    kept: Sequence[Sample] = ()
    if threshold == BEST_F1 and not validation:
        raise InspectorError("a threshold of best F1 needs pictures with known defects; give some with --validation")
    if threshold is not None and threshold.risk is not None and not validation:
        good, kept = split_by_group(good, (1 - validation_share, validation_share), seed)
        if begun is not None:
            kept = [sample for sample in kept if not begun.training.has_seen(sample.group)]
        for rule in (threshold, *region_thresholds.values()):
            refuse_too_few(len({sample.group for sample in kept}), rule.risk or 1.0)
        if not good:
            raise InspectorError(f"all {len(kept)} good pictures would be kept back from the training; give more")
    if begun is None:
        extractor = patch_extractor(backbone, pretrained=pretrained, weights=weights, seed=seed)
    elif (
        pretrained
        or weights is not None
        or image_size is not None
        or (
            backbone not in (BACKBONE, begun.training.backbone)
            and patch_extractor(backbone, seed=seed).backbone != begun.training.backbone
        )
    ):
        raise InspectorError(
            "an inspector that is gone on from keeps its backbone and its scale; leave out the options that change them"
        )
    else:
        extractor = begun.model.extractor
    each = boundary_patches if boundary_patches is not None else begun.training.boundary_patches if begun else 0
    known = begun.boundary_patches if begun and each else None
    levels = regions.levels if regions else begun.levels if begun else None
    training = TrainingRecord(
        backbone=extractor.backbone,
        pretrained=extractor.pretrained,
        weights=extractor.weights,
        weights_digest=weights_digest(extractor),
        size=size or (begun.training.size if begun else BANK_SIZE),
        epochs=epochs or (SETTLING_EPOCHS if augmentation is None else EPOCHS),
        scale=begun.training.scale if begun else _scale(good, image_size),
        seed=seed,
        trained_on=(*(begun.training.trained_on if begun else ()), *trained_on),
        groups=tuple(sorted({*(begun.training.groups if begun else ()), *(sample.group for sample in good)})),
        pictures=_digest(good, extractor, begun, augmentation, known, levels, computing.tile),
        augmented=augmentation is not None,
        generation=begun.training.generation + 1 if begun else 0,
        history=begun.training.history if begun else (),
        sources=begun.training.sources if begun else {},
        boundary_patches=each,
        kept_back=tuple(sorted({sample.group for sample in kept})),
        pixel_size=_pixel_size(good, begun),
        white_level=_white_level(good, begun),
    )
    model = SequentialPatchcoreModel(extractor, training.size)
    inspector = Inspector(model, training, None, levels).on(computing)
    with locked(out):
        finished = _sound(out / BANK_FILE, Inspector.load, out)
        if finished is not None:
            _refuse_other_settings(finished.training, training, out / BANK_FILE)
            inspector = finished.on(computing)
        else:
            if begun is not None:
                _take_bank(inspector.model, begun)
            inspector = _fill(inspector, good, augmentation, out, progress, known)
            inspector.save(out)
        for name in (STATE_FILE, CACHE_FILE):  # the latter where an earlier run was killed
            (out / name).unlink(missing_ok=True)
        if validation:
            note_shared(validation, good, "trained on")
        if validation or threshold is not None:
            rule = threshold or BEST_F1
            inspector = with_found_thresholds(inspector, rule, region_thresholds, validation or kept, progress)
            inspector.save(out)
    return inspector


def _pixel_size(good: Sequence[Sample], begun: Inspector | None) -> PixelSize | None:
    """That of the pictures, where those of the inspector that is gone on from had the same."""
    found = pixel_size_of(good)
    return found if begun is None or begun.training.pixel_size == found else None


def _white_level(good: Sequence[Sample], begun: Inspector | None) -> float | None:
    """What white is in pictures of more than 8 bits, where that is the same in all; that it is not is said."""
    every = {sample.options.white_level for sample in good if not sample.options.of_format} - {None}
    levels = sorted(cast(set[float], every | ({begun.training.white_level} - {None} if begun else set())))
    if len(levels) > 1:
        told = " and ".join(f"{level:g}" for level in levels)
        warnings.warn(
            f"white is {told} in pictures of more than 8 bits that are trained on together; see to it that it is "
            "equally bright in all",
            BlemishNote,
            stacklevel=2,
        )
    return levels[0] if len(levels) == 1 else None


def training_part(samples: Sequence[Sample]) -> list[Sample]:
    """The good samples; only those of the split "train" where the source has one."""
    splits = {sample.split for sample in samples}
    good = [s for s in samples if s.label == GOOD and ("train" not in splits or s.split in ("train", ""))]
    if not good:
        raise InspectorError(f"none of the {len(samples)} pictures is good; training needs pictures without defects")
    return good


def _sound(path: Path, read: Callable[[Path], Read], where: Path) -> Read | None:
    """What is read of a file; None where there is none, or where it is damaged, which is said: it is trained anew."""
    if not path.is_file():
        return None
    try:
        return read(where)
    except DamagedError as error:
        warnings.warn(f"{str(error).rpartition('; ')[0]}; it is trained anew", BlemishNote, stacklevel=3)
        return None


def _take_bank(model: SequentialPatchcoreModel, begun: Inspector) -> None:
    size = model.coreset.size
    model.coreset.resize(begun.model.coreset.size)
    restore(model, bank_tensors(begun.model.coreset))
    model.coreset.resize(size)
    model.take_over()


def _fill(
    inspector: Inspector,
    good: Sequence[Sample],
    augmentation: Augmentation | None,
    out: Path,
    progress: Progress,
    known: BoundaryPatches | None,
) -> Inspector:
    """Run the epochs that are missing, saving the bank after each; end early when one changes nothing.

    known: boundary patches of the bank gone on from, which are looked at like patches of the pictures shown.
    """
    model, training = inspector.model, inspector.training
    state = out / STATE_FILE
    if (begun := _sound(state, read_tensors, state)) is not None:
        tensors, described = begun
        try:
            found = training_from({**asdict(training), **described})
        except ValueError as error:
            raise InspectorError(f"{state}: is damaged ({error}); delete it to train anew") from None
        if found.settings != training.settings:
            _refuse(_plain(found), _plain(training), state)
        training = found
        try:
            restore(model, tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InspectorError(f"{state}: is damaged ({error}); delete it to train anew") from None
    model.coreset.generation = training.generation
    features = FeatureSource(inspector, good, augmentation, out / CACHE_FILE)
    try:
        training = _run_epochs(model, training, features, state, progress)
        boundary = _boundary_patches(model, training, features, known, progress) if training.boundary_patches else None
    finally:
        features.remove()
    if not model.coreset.count:
        raise InspectorError(f"none of the {len(good)} pictures has a patch that is wholly seen; give larger ones")
    done = f"{'trained' if not training.history else 'gone on'} with {len(good)} pictures"
    named = {source_key(features.number(index)): sample.image_path.name for index, sample in enumerate(good)}
    return recorded(replace(inspector, training=training, boundary_patches=boundary), done, named)


def recorded(inspector: Inspector, done: str, named: Mapping[str, str]) -> Inspector:
    """The inspector with one more line of history, and with the names of those pictures that it knows patches of."""
    training, coreset, boundary = inspector.training, inspector.model.coreset, inspector.boundary_patches
    names = {**training.sources, **named}
    kept = sorted({source_key(source) for source in inspector.known_sources} & set(names))
    line = f"{done}: {coreset.count} of {coreset.size} rows" + (
        f", {len(boundary)} boundary patches" if boundary else ""
    )
    training = replace(training, history=(*training.history, line), sources={key: names[key] for key in kept})
    return replace(inspector, training=training)


def _run_epochs(
    model: SequentialPatchcoreModel, training: TrainingRecord, features: FeatureSource, state: Path, progress: Progress
) -> TrainingRecord:
    while len(training.accepted) < training.epochs and (not training.accepted or training.accepted[-1] > 0):
        epoch = len(training.accepted)
        what = f"epoch {epoch + 1} of {'at most ' if not training.augmented else ''}{training.epochs}"
        accepted = 0
        progress(what, 0, len(features))
        order = np.random.default_rng([training.seed, epoch]).permutation(len(features)).tolist()
        for done, (index, pieces) in enumerate(features.in_turn(order, epoch), 1):
            accepted += sum(model.update_features(piece, features.number(index)) for piece in pieces)
            progress(what, done, len(features))
        training = replace(training, accepted=(*training.accepted, accepted))
        write_tensors(state, bank_tensors(model.coreset), {**_plain(training), "accepted": training.accepted})
    return training


def _boundary_patches(
    model: SequentialPatchcoreModel,
    training: TrainingRecord,
    features: FeatureSource,
    known: BoundaryPatches | None,
    progress: Progress,
) -> BoundaryPatches:
    """Those among the known ones and the patches of one more epoch, which the bank is not offered."""
    finder = BoundaryPatchFinder(model.coreset.bank, training.boundary_patches)
    if known is not None:
        finder.offer(known.features, known.sources, known.generations)
    progress("boundary patches", 0, len(features))
    for index, pieces in features.in_turn(range(len(features)), len(training.accepted)):
        for piece in pieces:
            finder.offer(piece, features.number(index), training.generation)
        progress("boundary patches", index + 1, len(features))
    return finder.found()


class FeatureSource:
    """Patch features by picture and epoch: augmented anew each time, or extracted once and kept in a file."""

    def __init__(
        self, inspector: Inspector, samples: Sequence[Sample], augmentation: Augmentation | None, path: Path
    ) -> None:
        self._inspector, self._samples, self._augmentation = inspector, samples, augmentation
        self._path = path
        self._numbers: dict[int, int] = {}
        self._places: dict[int, tuple[int, int]] = {}  # picture: first value in the file, number of rows
        self._end = 0
        self.remove()

    def __len__(self) -> int:
        return len(self._samples)

    def remove(self) -> None:
        """Delete the file; a training that goes on extracts the features again."""
        self._path.unlink(missing_ok=True)
        self._places.clear()

    def number(self, index: int) -> int:
        """By which the bank knows a picture."""
        if index not in self._numbers:
            self._numbers[index] = source_of(self._samples[index].image_path)
        return self._numbers[index]

    def in_turn(self, order: Iterable[int], epoch: int) -> Iterator[tuple[int, Iterator[Tensor]]]:
        """The pictures in that order, with their features in an epoch, in pieces (N, D) to be taken before the next."""
        order = list(order)
        fresh = self._inspector.features_of_each(self._picture(k, epoch) for k in order if k not in self._places)
        for index in order:
            yield index, self._kept(index) if index in self._places else self._keeping(index, next(fresh))

    def _picture(self, index: int, epoch: int) -> Picture:
        sample = self._samples[index]
        if self._augmentation is None:
            return sample.image(), self._looked_at(sample)
        rng = np.random.default_rng([self._inspector.training.seed, epoch, index])
        return self._augmentation(sample.image(), self._looked_at(sample), rng)

    def _kept(self, index: int) -> Iterator[Tensor]:
        channels, (begin, rows) = self._inspector.model.extractor.channels, self._places[index]
        for first in range(0, rows, PIECE):
            count = min(PIECE, rows - first) * channels
            values = np.fromfile(self._path, np.float32, count, offset=4 * (begin + first * channels))
            yield torch.from_numpy(values.reshape(-1, channels)).to(self._inspector.computing.device)

    def _keeping(self, index: int, pieces: Iterator[Tensor]) -> Iterator[Tensor]:
        """The pieces; where they are the same in every epoch they are kept, if all of the picture's find room."""
        begin, rows, is_kept = self._end, 0, self._augmentation is None
        for piece in pieces:
            is_kept = is_kept and 4 * (self._end + piece.numel()) <= CACHE_LIMIT
            if is_kept:
                self._append(piece)
                rows += len(piece)
            yield piece
        if is_kept:
            self._places[index] = (begin, rows)

    def _append(self, features: Tensor) -> None:
        try:
            with self._path.open("ab") as file:
                file.write(features.cpu().numpy().tobytes())
        except OSError as error:
            reason = f"cannot be written ({error.strerror}); choose another --out"
            raise InspectorError(f"{self._path}: {reason}") from error
        self._end += features.numel()

    def _looked_at(self, sample: Sample) -> NDArray[np.bool_] | None:
        try:
            return self._inspector.looked_at(sample.valid_mask(), sample.shape())
        except RegionsError as error:
            raise InspectorError(f"{sample.image_path}: {error}") from None


def _scale(good: Sequence[Sample], image_size: int | None) -> float:
    sides = [max(sample.shape()) for sample in good]
    longest, usual = max(sides), float(np.median(sides))
    scale = image_size / longest if image_size else min(1.0, LONGEST_SIDE / longest)
    if longest > FAR_LARGER * usual and scale < 1:
        path = good[sides.index(longest)].image_path
        warnings.warn(
            f"{path}: is {longest} pixels long, the other pictures about {usual:.0f}; all are scaled by {scale:.2g}, "
            f"those to {scale * usual:.0f} pixels: leave it out, or set the image size",
            BlemishNote,
            stacklevel=2,
        )
    return scale


def _digest(
    good: Sequence[Sample],
    extractor: PatchExtractor,
    begun: Inspector | None,
    augmentation: Augmentation | None,
    known: BoundaryPatches | None,
    levels: NDArray[np.uint8] | None,
    tile: int | None,
) -> str:
    digest = hashlib.sha256()
    for sample in good:
        digest.update(bytes.fromhex(sha256_of(sample.image_path)))
    for content in weight_bytes(extractor):
        digest.update(content)
    if begun is not None:
        digest.update(begun.model.coreset.bank.cpu().numpy().tobytes())
    if known is not None:
        digest.update(known.features.numpy().tobytes())
    if augmentation is not None:
        digest.update(repr(augmentation).encode())
    if levels is not None:
        digest.update(repr(levels.shape).encode() + levels.tobytes())
    if tile is not None:
        digest.update(f"tiles of {tile}".encode())
    return digest.hexdigest()


def _plain(training: TrainingRecord) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in training.settings.items()}


def _refuse_other_settings(found: TrainingRecord, wanted: TrainingRecord, path: Path) -> None:
    if found.settings != wanted.settings:
        _refuse(_plain(found), _plain(wanted), path)


def _refuse(found: dict[str, object], wanted: dict[str, object], path: Path) -> None:
    name = next(name for name in wanted if found.get(name) != wanted[name])
    said = {
        "pictures": "the pictures, their tiles, the bank gone on from, the augmentation or the backbone's weights",
        "groups": "the pictures",
    }
    differing = said.get(name, f"{name.replace('_', ' ')} ({found.get(name)} there, {wanted[name]} asked for)")
    raise InspectorError(
        f"{path}: was trained with other settings: {differing} differ; choose another --out, or remove {path.parent}"
    )
