"""Filling a bank: good pictures stream through the backbone into it, epoch after epoch, each of which is kept.

A state after every epoch lets a killed training go on to the same bytes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomaly.inspection.augmentation import Augmentation
from anomaly.inspection.inspector import (
    DamagedError,
    Inspector,
    InspectorError,
    TrainingRecord,
    bank_tensors,
    read_tensors,
    restore,
    source_key,
    source_of,
    training_from,
    write_tensors,
)
from anomaly.inspection.regions import RegionsError
from anomaly.inspection.view import Picture
from anomaly.patchcore.boundary_patches import BoundaryPatches, BoundaryPatchFinder
from anomaly.patchcore.torch_model import SequentialPatchcoreModel
from procgen.errors import BlemishNote
from scenes.formats.sample import Sample
from scenes.jobs.progress import Progress

STATE_FILE = "training.safetensors"
CACHE_FILE = "features.part"
PIECE = 1 << 16  # rows of kept features that are read at once
CACHE_LIMIT = 4 << 30  # bytes of features kept on disk between epochs; beyond, every epoch extracts them again
Read = TypeVar("Read")


def sound(path: Path, read: Callable[[Path], Read], where: Path) -> Read | None:
    """What is read of a file; None where there is none, or where it is damaged, which is said: it is trained anew."""
    if not path.is_file():
        return None
    try:
        return read(where)
    except DamagedError as error:
        warnings.warn(f"{str(error).rpartition('; ')[0]}; it is trained anew", BlemishNote, stacklevel=3)
        return None


def fill(
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
    model, training = inspector.patchcore, inspector.training
    state = out / STATE_FILE
    if (begun := sound(state, read_tensors, state)) is not None:
        tensors, described = begun
        try:
            found = training_from({**asdict(training), **described})
        except ValueError as error:
            raise InspectorError(f"{state}: is damaged ({error}); delete it to train anew") from None
        if found.settings != training.settings:
            refuse(plain(found), plain(training), state)
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
    training, coreset, boundary = inspector.training, inspector.patchcore.coreset, inspector.boundary_patches
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
        write_tensors(state, bank_tensors(model.coreset), {**plain(training), "accepted": training.accepted})
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
            found = self._inspector.looked_at(sample.valid_mask(), sample.shape())
            return None if found is None else found[:]
        except RegionsError as error:
            raise InspectorError(f"{sample.image_path}: {error}") from None


def plain(training: TrainingRecord) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in training.settings.items()}


def refuse_other_settings(found: TrainingRecord, wanted: TrainingRecord, path: Path) -> None:
    if found.settings != wanted.settings:
        refuse(plain(found), plain(wanted), path)


def refuse(found: dict[str, object], wanted: dict[str, object], path: Path) -> None:
    name = next(name for name in wanted if found.get(name) != wanted[name])
    said = {
        "pictures": "the pictures, the bank gone on from, the augmentation or the backbone's weights",
        "groups": "the pictures",
    }
    differing = said.get(name, f"{name.replace('_', ' ')} ({found.get(name)} there, {wanted[name]} asked for)")
    raise InspectorError(
        f"{path}: was trained with other settings: {differing} differ; choose another --out, or remove {path.parent}"
    )
