"""Training an inspector: good pictures stream through the backbone into the bank, epoch after epoch.

It drives the torch model itself rather than anomalib's Engine: pictures of any size one at a time at one scale, a state
after every epoch from which a killed training goes on to the same bytes, and no half minute of imports. Both ways share
`SequentialPatchcoreModel`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from anomaly.features import BACKBONE, FeatureExtractor
from anomaly.inspector import BANK_FILE, Inspector, InspectorError, Training, read_tensors, write_tensors
from anomaly.specimens import GOOD, Specimen
from anomaly.torch_model import BANK_SIZE, SequentialPatchcoreModel

EPOCHS = 5  # seed 003, section V.B
LONGEST_SIDE = 640  # pixels to which the largest training picture is reduced by default
STATE_FILE = "training.safetensors"
CACHE_FILE = "features.part"
CACHE_LIMIT = 4 << 30  # bytes of features kept on disk between epochs; beyond, every epoch extracts them again

Progress = Callable[[str, int, int], None]  # what is being done, pictures done, pictures in all


def train_inspector(
    specimens: Sequence[Specimen],
    out: Path | str,
    *,
    size: int = BANK_SIZE,
    backbone: str = BACKBONE,
    epochs: int = EPOCHS,
    image_size: int | None = None,
    seed: int = 0,
    pretrained: bool = False,
    weights: Path | str | None = None,
    trained_on: Sequence[str] = (),
    validation: Sequence[Specimen] = (),
    progress: Progress = lambda what, done, total: None,
) -> Inspector:
    """Train on the good ones of `specimens` and write the inspector to the folder `out`.

    image_size: pixels to which the longest side of the largest training picture is scaled, all others by the same
    factor (by default larger ones are reduced to 640, smaller ones left alone). validation: specimens whose best pixel
    F1 sets the threshold. A stopped training continues after its last whole epoch; a finished one is read back.

    Raises:
        InspectorError: no good specimen, settings out of range, or `out` holds a training with other settings.
    """
    out = Path(out)
    for name, value in (("size", size), ("epochs", epochs)):
        if value < 1:
            raise InspectorError(f"{name} is {value}; expected at least 1")
    if image_size is not None and image_size < 32:
        raise InspectorError(f"image size is {image_size}; expected at least 32 pixels")
    good = training_part(specimens)
    extractor = FeatureExtractor(backbone, pretrained=pretrained, weights=weights, seed=seed)
    training = Training(
        backbone=backbone,
        pretrained=extractor.pretrained,
        weights=extractor.weights,
        size=size,
        epochs=epochs,
        scale=_scale(good, image_size),
        seed=seed,
        trained_on=tuple(trained_on),
        groups=tuple(sorted({specimen.group for specimen in good})),
        pictures=_digest(good, extractor),
    )
    inspector = Inspector(SequentialPatchcoreModel(extractor, size), training)
    if (out / BANK_FILE).is_file():
        finished = Inspector.load(out)
        _refuse_other_settings(finished.training, training, out / BANK_FILE)
        inspector = finished
    else:
        inspector = _fill(inspector, good, out, progress)
        inspector.save(out)
        (out / STATE_FILE).unlink(missing_ok=True)
    if validation:
        from anomaly.evaluate import best_threshold

        inspector = inspector.with_threshold(*best_threshold(inspector, validation, progress))
        inspector.save(out)
    return inspector


def training_part(specimens: Sequence[Specimen]) -> list[Specimen]:
    """The good specimens; only those of the split "train" where the source has one."""
    splits = {specimen.split for specimen in specimens}
    good = [s for s in specimens if s.label == GOOD and ("train" not in splits or s.split in ("train", ""))]
    if not good:
        raise InspectorError(f"none of the {len(specimens)} specimens is good; training needs pictures without defects")
    return good


def _fill(inspector: Inspector, good: Sequence[Specimen], out: Path, progress: Progress) -> Inspector:
    """Run the epochs that are missing, saving the bank after each; end early when one changes nothing."""
    model, training = inspector.model, inspector.training
    state = out / STATE_FILE
    if state.is_file():
        tensors, described = read_tensors(state)
        training = replace(training, accepted=tuple(described.pop("accepted")))
        if described != _plain(training):
            _refuse(described, _plain(training), state)
        model.update_features(tensors["bank"])
    made = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InspectorError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
    features = FeatureCache(inspector, good, out / CACHE_FILE)
    try:
        training = _run_epochs(model, training, features, state, progress)
    finally:
        features.remove()
        if made:
            with suppress(OSError):  # not empty: holds a finished epoch
                out.rmdir()
    return Inspector(model, training)


def _run_epochs(
    model: SequentialPatchcoreModel, training: Training, features: FeatureCache, state: Path, progress: Progress
) -> Training:
    while len(training.accepted) < training.epochs and (not training.accepted or training.accepted[-1] > 0):
        epoch = len(training.accepted)
        what = f"epoch {epoch + 1} of {training.epochs}"
        accepted = 0
        progress(what, 0, len(features))
        for done, index in enumerate(np.random.default_rng([training.seed, epoch]).permutation(len(features)), 1):
            accepted += model.update_features(features[int(index)])
            progress(what, done, len(features))
        training = replace(training, accepted=(*training.accepted, accepted))
        write_tensors(state, {"bank": model.coreset.bank}, {**_plain(training), "accepted": training.accepted})
    return training


class FeatureCache:
    """Patch features (N, D) by picture: extracted when first asked for, then read from one file of float32 rows."""

    def __init__(self, inspector: Inspector, specimens: Sequence[Specimen], path: Path) -> None:
        self._inspector, self._specimens, self._path = inspector, specimens, path
        self._places: dict[int, tuple[int, int]] = {}  # picture: first value in the file, number of rows
        self._end = 0
        self.remove()

    def __len__(self) -> int:
        return len(self._specimens)

    def remove(self) -> None:
        """Delete the file; a training that goes on extracts the features again."""
        self._path.unlink(missing_ok=True)
        self._places.clear()

    def __getitem__(self, index: int) -> Tensor:
        channels = self._inspector.model.extractor.channels
        if index in self._places:
            start, rows = self._places[index]
            values = np.fromfile(self._path, np.float32, rows * channels, offset=4 * start)
            return torch.from_numpy(values.reshape(rows, channels))
        features = self._inspector.model.features(self._inspector.prepared(self._specimens[index].image()))
        if 4 * (self._end + features.numel()) <= CACHE_LIMIT:
            try:
                with self._path.open("ab") as file:
                    file.write(features.numpy().tobytes())
            except OSError as error:
                reason = f"cannot be written ({error.strerror}); choose another --out"
                raise InspectorError(f"{self._path}: {reason}") from error
            self._places[index] = (self._end, len(features))
            self._end += features.numel()
        return features


def _scale(good: Sequence[Specimen], image_size: int | None) -> float:
    longest = 0
    for specimen in good:
        try:
            with Image.open(specimen.image_path) as image:
                longest = max(longest, *image.size)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            specimen.image()  # says what is wrong with it
    return image_size / longest if image_size else min(1.0, LONGEST_SIDE / longest)


def _digest(good: Sequence[Specimen], extractor: FeatureExtractor) -> str:
    digest = hashlib.sha256()
    for specimen in good:
        digest.update(hashlib.sha256(specimen.image_path.read_bytes()).digest())
    for name, value in sorted(extractor.network.state_dict().items()):
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


def _plain(training: Training) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in training.settings.items()}


def _refuse_other_settings(found: Training, wanted: Training, path: Path) -> None:
    if found.settings != wanted.settings:
        _refuse(_plain(found), _plain(wanted), path)


def _refuse(found: dict[str, object], wanted: dict[str, object], path: Path) -> None:
    name = next(name for name in wanted if found.get(name) != wanted[name])
    said = {"pictures": "the pictures or the backbone's weights", "groups": "the specimens"}
    differing = said.get(name, f"{name} ({found.get(name)} there, {wanted[name]} asked for)")
    raise InspectorError(
        f"{path}: was trained with other settings: {differing} differ; choose another --out, or remove {path.parent}"
    )
