"""Training an inspector: good pictures stream through the backbone into the bank, epoch after epoch.

It drives the torch model itself rather than anomalib's Engine: pictures of any size one at a time at one scale, a state
after every epoch from which a killed training goes on to the same bytes, and no half minute of imports. Both ways share
`SequentialPatchcoreModel`.
"""

from __future__ import annotations

import hashlib
import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from anomaly.backbone.patch_extractor import BACKBONE, PatchExtractor, patch_extractor, weight_bytes, weights_digest
from anomaly.inspection.augmentation import Augmentation
from anomaly.inspection.computing import PROCESSOR, Computing
from anomaly.inspection.filling import CACHE_FILE, STATE_FILE, fill, recorded, refuse_other_settings, sound
from anomaly.inspection.inspector import (
    BANK_FILE,
    LARGEST_SCALE,
    SHARDS,
    Inspector,
    InspectorError,
    PixelSize,
    TrainingRecord,
    bank_tensors,
    restore,
)
from anomaly.inspection.maintenance import melded
from anomaly.inspection.pixel_size import pixel_size_of
from anomaly.inspection.predicting import HERE
from anomaly.inspection.regions import Regions
from anomaly.inspection.threshold import (
    BEST_F1,
    VALIDATION_SHARE,
    ThresholdRule,
    note_shared,
    refuse_too_few,
    with_found_thresholds,
)
from anomaly.patchcore.boundary_patches import BoundaryPatches
from anomaly.patchcore.torch_model import BANK_SIZE, SequentialPatchcoreModel
from procgen.errors import BlemishNote
from scenes.datasets.files import sha256_of
from scenes.datasets.lock import locked
from scenes.formats.sample import GOOD, Sample
from scenes.formats.splitting import split_by_group
from scenes.jobs.executor import Executor, Place, Simple, Worker
from scenes.jobs.progress import Progress, untold

EPOCHS = 5  # [Mao 2025], section V.B
# Without augmentation the features are kept, a further pass costs little, and a fixed set settles: usually in about 10
# passes. Until then the worst covered patch may be a third farther from the bank than at the end.
SETTLING_EPOCHS = 20
FAR_LARGER = 3.0  # times as long as the others, from where a picture that sets the scale of all is named
LONGEST_SIDE = 640  # pixels to which the largest training picture is reduced by default


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
    shards: int = 1,
    trained_on: Sequence[str] = (),
    validation: Sequence[Sample] = (),
    threshold: ThresholdRule | None = None,
    validation_share: float = VALIDATION_SHARE,
    regions: Regions | None = None,
    region_thresholds: Mapping[int, ThresholdRule] = MappingProxyType({}),
    computing: Computing = PROCESSOR,
    progress: Progress = lambda what, done, total: None,
    executor: Executor = HERE,
) -> Inspector:
    """Train on the good ones of `samples` and write the inspector to the folder `out`.

    start: an inspector to go on from ([Mao 2025]: fine-tuning): its bank is updated, its backbone and scale stay. size:
    rows of the bank (2048, or as `start` has; else that bank is grown or shrunk first). epochs: at most so many, by
    default 5 with augmentation and 20 without, where it ends when one changes nothing. image_size: pixels to which the
    longest side of the largest training picture is scaled, all others by the same factor (by default larger ones are
    reduced to 640, smaller ones left alone). boundary_patches: so many of the farthest patches of each row's cell are
    kept beside it for melding, found in one more pass (none, or as `start` has). shards: into so many the pictures are
    parted, each of which fills a bank of its own; these are melded in pairs, until one is left. validation: samples
    that the threshold is found on, by default that of best pixel F1; for a threshold of a risk to good surfaces without
    them, training keeps `validation_share` of the good surfaces back. regions: where on every picture it looks, to
    learn and to inspect (everywhere, or as `start` does); region_thresholds: of those that get their own. computing: on
    which device and in which tiles. executor: where shards are trained and maps are made, which changes no byte. A
    stopped training continues after its last whole epoch; a finished one is read back.

    Raises InspectorError for no good sample, settings out of range or at odds with `start`, or an `out` that holds a
    training with other settings; DatasetError where `out` cannot be written, or another process writes there.
    """
    out = Path(out)
    for name, value in (("size", size), ("epochs", epochs)):
        if value is not None and value < 1:
            raise InspectorError(f"{name} is {value}; expected at least 1")
    if boundary_patches is not None and boundary_patches < 0:
        raise InspectorError(f"boundary_patches is {boundary_patches}; expected at least 0")
    if shards < 1:
        raise InspectorError(f"shards is {shards}; expected at least 1")
    if image_size is not None and image_size < 32:
        raise InspectorError(f"image size is {image_size}; expected at least 32 pixels")
    good = training_part(samples)
    validation = [sample for sample in validation if sample.weight > 0]
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
        or (begun.training.tile is not None and computing.tile not in (None, begun.training.tile))
        or (
            backbone not in (BACKBONE, begun.training.backbone)
            and patch_extractor(backbone, seed=seed).backbone != begun.training.backbone
        )
    ):
        raise InspectorError(
            "an inspector that is gone on from keeps its backbone, its scale and its tiles; leave out the options that "
            "change them"
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
        scale=begun.training.scale if begun else working_scale(good, image_size),
        seed=seed,
        trained_on=(*(begun.training.trained_on if begun else ()), *trained_on),
        groups=tuple(sorted({*(begun.training.groups if begun else ()), *(sample.group for sample in good)})),
        pictures=_digest(good, extractor, begun, augmentation, known, levels),
        augmented=augmentation is not None,
        generation=begun.training.generation + 1 if begun else 0,
        history=begun.training.history if begun else (),
        sources=begun.training.sources if begun else {},
        boundary_patches=each,
        kept_back=tuple(sorted({sample.group for sample in kept})),
        pixel_size=_pixel_size(good, begun),
        white_level=white_level_of(good, begun),
        shards=shards,
        tile=computing.tile or (begun.training.tile if begun else None),
    )
    _refuse_unfit_shards(training, len(good))
    model = SequentialPatchcoreModel(extractor, training.size)
    inspector = Inspector(model, training, None, levels).on(computing)
    with locked(out):
        finished = sound(out / BANK_FILE, Inspector.load, out)
        if finished is not None:
            refuse_other_settings(finished.training, training, out / BANK_FILE)
            inspector = finished.on(computing)
        else:
            if begun is not None:
                _take_bank(inspector.patchcore, begun)
            if shards == 1:
                inspector = fill(inspector, good, augmentation, out, progress, known)
            else:
                inspector = _melded_from_shards(inspector, good, augmentation, out.resolve(), progress, executor)
            inspector.save(out)
        for name in (STATE_FILE, CACHE_FILE):  # the latter where an earlier run was killed
            (out / name).unlink(missing_ok=True)
        shutil.rmtree(out / SHARDS, ignore_errors=True)
        if validation:
            note_shared(validation, good, "trained on")
        if validation or threshold is not None:
            rule = threshold or BEST_F1
            inspector = with_found_thresholds(
                inspector, rule, region_thresholds, validation or kept, progress, executor
            )
            inspector.save(out)
    return inspector


def _pixel_size(good: Sequence[Sample], begun: Inspector | None) -> PixelSize | None:
    """That of the pictures, where those of the inspector that is gone on from had the same."""
    found = pixel_size_of(good)
    return found if begun is None or begun.training.pixel_size == found else None


def white_level_of(good: Sequence[Sample], begun: Inspector | None) -> float | None:
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
    """The good samples that weigh anything; only those of the split "train" where the source has one."""
    splits = {sample.split for sample in samples}
    good = [
        s for s in samples if s.label == GOOD and s.weight > 0 and ("train" not in splits or s.split in ("train", ""))
    ]
    if not good:
        raise InspectorError(f"none of the {len(samples)} pictures is good; training needs pictures without defects")
    return good


def _take_bank(model: SequentialPatchcoreModel, begun: Inspector) -> None:
    size = model.coreset.size
    model.coreset.resize(begun.patchcore.coreset.size)
    restore(model, bank_tensors(begun.patchcore.coreset))
    model.coreset.resize(size)
    model.take_over()


Shards = tuple[int, int]  # the first and the last of those whose pictures a bank is of


def _refuse_unfit_shards(training: TrainingRecord, pictures: int) -> None:
    if training.shards > pictures:
        raise InspectorError(f"found {pictures} good pictures for {training.shards} shards; give each at least one")
    if training.shards > 1 and training.boundary_patches:
        raise InspectorError(
            "a bank that is melded from shards has no boundary patches; leave out --shards, or give "
            "--boundary-patches 0"
        )


def _melded_from_shards(
    inspector: Inspector,
    good: Sequence[Sample],
    augmentation: Augmentation | None,
    out: Path,
    progress: Progress,
    executor: Executor,
) -> Inspector:
    """The inspector with a bank from every shard of the pictures, melded as a tree."""
    training = inspector.training
    if inspector.computing.on_card and not executor.is_here:
        raise InspectorError(
            f"several workers compute on processors, found the device {inspector.computing.device}; give --device cpu, "
            "or leave out --workers and --ray"
        )
    order = np.random.default_rng([training.seed, training.shards]).permutation(len(good))
    parts = tuple(tuple(good[k] for k in sorted(order[first :: training.shards])) for first in range(training.shards))
    within = progress if executor.is_here else untold
    work = _Sharding(inspector, parts, augmentation, out / SHARDS, torch.get_num_threads(), within)
    accepted: list[tuple[int, ...]] = []
    done, total = 0, 2 * training.shards - 1
    progress("shards", 0, total)

    def take(position: int, found: tuple[int, ...]) -> None:
        nonlocal done
        done += 1
        accepted.append(found)
        progress("shards", done, total)

    for level in _tree((0, training.shards - 1)):
        executor.run(work, level, take)
    bank = Inspector.load(work.place((0, training.shards - 1)))
    sums = tuple(map(sum, zip_longest(*accepted, fillvalue=0)))
    melded_one = replace(
        inspector, model=bank.model, training=replace(training, accepted=sums, sources=bank.training.sources)
    )
    return recorded(
        melded_one.on(inspector.computing), f"trained with {len(good)} pictures in {training.shards} shards", {}
    )


def _tree(root: Shards) -> list[list[Shards]]:
    """The banks on the way to that of all shards, level by level: first each by itself, then of two halves."""
    below = [_tree(half) for half in _halves(root)]
    together = [list(chain.from_iterable(levels)) for levels in zip_longest(*below, fillvalue=())]
    return [*together, [root]]


def _halves(shards: Shards) -> list[Shards]:
    first, last = shards
    middle = (first + last) // 2
    return [] if first == last else [(first, middle), (middle + 1, last)]


@dataclass(frozen=True)
class _Sharding:
    """Filling banks with shards, and melding two, as work; they lie in a folder that every worker reaches."""

    inspector: Inspector
    parts: tuple[tuple[Sample, ...], ...]
    augmentation: Augmentation | None
    folder: Path
    threads: int
    progress: Progress

    has_own_process = False

    def place(self, shards: Shards) -> Path:
        return self.folder / "-".join(map(str, shards))

    def open(self, place: Place) -> Worker[Shards, tuple[int, ...]]:
        torch.set_num_threads(self.threads)
        return Simple(self._bank)

    def _bank(self, shards: Shards) -> tuple[int, ...]:
        """Make the bank of these shards, unless it is there; what it accepted, by epoch, of a single one."""
        out, halves = self.place(shards), _halves(shards)
        training = self._record(shards)
        made = sound(out / BANK_FILE, Inspector.load, out)
        if made is None:
            made = self._melded(halves, training) if halves else self._filled(shards[0], training, out)
            made.save(out)
        else:
            refuse_other_settings(made.training, training, out / BANK_FILE)
        return () if halves else made.training.accepted

    def _record(self, shards: Shards) -> TrainingRecord:
        training, (first, last) = self.inspector.training, shards
        groups = {sample.group for part in self.parts[first : last + 1] for sample in part}
        of = f"{training.pictures}, shards {first} to {last}"
        return replace(training, groups=tuple(sorted(groups)), pictures=of)

    def _filled(self, shard: int, training: TrainingRecord, out: Path) -> Inspector:
        empty = SequentialPatchcoreModel(self.inspector.model.extractor, training.size)
        restore(empty, bank_tensors(self.inspector.patchcore.coreset))
        begun = replace(self.inspector, model=empty, training=training)

        def told(what: str, done: int, total: int) -> None:
            self.progress(f"shard {shard + 1}: {what}", done, total)

        out.mkdir(parents=True, exist_ok=True)
        return fill(begun.on(self.inspector.computing), self.parts[shard], self.augmentation, out, told, None)

    def _melded(self, halves: Sequence[Shards], training: TrainingRecord) -> Inspector:
        made = melded([Inspector.load(self.place(half)) for half in halves], training.size)
        return replace(made, training=replace(training, sources=made.training.sources))


def working_scale(good: Sequence[Sample], image_size: int | None) -> float:
    """Working pixels per pixel of pictures that are trained on. Raises InspectorError for more than LARGEST_SCALE."""
    sides = [max(sample.shape()) for sample in good]
    longest, usual = max(sides), float(np.median(sides))
    scale = image_size / longest if image_size else min(1.0, LONGEST_SIDE / longest)
    if scale > LARGEST_SCALE:
        raise InspectorError(
            f"the image size {image_size} would enlarge pictures of {longest} pixels {scale:.4g}-fold; expected at "
            f"most {LARGEST_SCALE:g}-fold: choose a smaller one"
        )
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
) -> str:
    digest = hashlib.sha256()
    for sample in good:
        digest.update(bytes.fromhex(sha256_of(sample.image_path)))
    for content in weight_bytes(extractor):
        digest.update(content)
    if begun is not None:
        digest.update(begun.patchcore.coreset.bank.cpu().numpy().tobytes())
    if known is not None:
        digest.update(known.features.numpy().tobytes())
    if augmentation is not None:
        digest.update(repr(augmentation).encode())
    if levels is not None:
        digest.update(repr(levels.shape).encode() + levels.tobytes())
    return digest.hexdigest()
