"""What is done to banks that exist: melding, growing, shrinking, ageing out, forgetting pictures.

Each call gives a new inspector, which computes where the first one does, and leaves those it was given as they were. A
threshold belongs to one bank, so the new inspector has none: find it on validation samples
(`anomaly.inspection.threshold.found_threshold`). Going on from a bank with more pictures is
`anomaly.inspection.train.train_inspector(..., start=...)`. Boundary patches (`anomaly.patchcore.boundary_patches`) stay
with the rows that they belong to, as long as cells stay as they are: melding and shrinking draw cells anew and drop all
boundary patches, and the history says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from anomaly.backbone.patch_extractor import same_weights
from anomaly.inspection.filling import recorded
from anomaly.inspection.inspector import (
    Inspector,
    InspectorError,
    TrainingRecord,
    bank_tensors,
    restore,
    source_key,
    source_of,
)
from anomaly.inspection.regions import Regions
from anomaly.patchcore.boundary_patches import melded as melded_coreset
from anomaly.patchcore.coreset import SequentialCoreset
from anomaly.patchcore.torch_model import SequentialPatchcoreModel

SCALES_AGREE = 0.02  # relative difference of two working scales that features do not notice


def melded(inspectors: Sequence[Inspector], size: int | None = None) -> Inspector:
    """One inspector from several, their rows offered in turn ([Mao 2025], coreset melding).

    Where all have boundary patches, the new rows are chosen among rows and boundary patches instead
    (`anomaly.patchcore.boundary_patches.melded`); the new inspector has none. size: rows of its bank, by default as the
    first has. With the sum of all sizes no row is lost, and no patch is farther from the new bank than from the one it
    was trained into; with less, a patch may be: the bound is then the sum of both distances.

    Raises:
        InspectorError: fewer than two, or their backbones or scales differ.
    """
    if len(inspectors) < 2:
        raise InspectorError(f"{len(inspectors)} inspector to meld; give at least two")
    first, *others = inspectors
    for number, other in enumerate(others, 2):
        _refuse_unlike(first, other, number)
    if size is not None and size < 1:
        raise InspectorError(f"size is {size}; expected at least 1")
    result = _without_boundary_patches(_copied(first))
    generation = max(i.training.generation for i in inspectors)
    known = [(i.patchcore.coreset, i.boundary_patches) for i in inspectors if i.boundary_patches is not None]
    if len(known) == len(inspectors):
        result.patchcore.coreset = melded_coreset(known, size or first.training.size, generation)
        with_what = f" with {sum(len(found) for _, found in known)} boundary patches"
    else:
        result.patchcore.coreset.resize(size or first.training.size)
        result.patchcore.coreset.generation = generation
        result.patchcore.coreset.meld(*(other.patchcore.coreset for other in others))
        with_what = f" without boundary patches, which only {len(known)} had" if known else ""
    coreset = result.patchcore.coreset
    trainings = [inspector.training for inspector in inspectors]
    training = replace(
        result.training,
        size=coreset.size,
        groups=tuple(sorted({group for training in trainings for group in training.groups})),
        trained_on=tuple(name for training in trainings for name in training.trained_on),
        generation=coreset.generation,
        pictures=" ".join(training.pictures for training in trainings),
        white_level=first.training.white_level if len({training.white_level for training in trainings}) == 1 else None,
        pixel_size=first.training.pixel_size if len({training.pixel_size for training in trainings}) == 1 else None,
    )
    names = {key: name for training in trainings for key, name in training.sources.items()}
    result = replace(result, training=training, boundary_patches=None)
    return _finished(result, f"melded from {len(inspectors)} banks{with_what}", names)


def resized(inspector: Inspector, size: int) -> Inspector:
    """With room for more rows, or with the closest pair's lower row removed until `size` are left."""
    if size < 1:
        raise InspectorError(f"size is {size}; expected at least 1")
    result, shrinks = _copied(inspector), size < inspector.patchcore.coreset.count
    result.patchcore.coreset.resize(size)
    if shrinks:
        result = _without_boundary_patches(result)
    result = replace(result, training=replace(result.training, size=size))
    dropped = " without the boundary patches" if shrinks and inspector.boundary_patches else ""
    return _finished(result, f"resized to {size}{dropped}")


def without_pictures(inspector: Inspector, pictures: Sequence[Path | str]) -> tuple[Inspector, int]:
    """Without any row or boundary patch that came from these pictures, and how many rows that were.

    A picture is told by its content where the file exists, else by its name. What its rows displaced while it was
    learnt does not come back by itself: go on from the bank with the other pictures.

    Raises:
        InspectorError: no such file, and no row comes from a picture of that name.
    """
    sources = set()
    for picture in pictures:
        if Path(picture).is_file():
            sources.add(source_of(Path(picture)))
            continue
        keys = {key for key, name in inspector.training.sources.items() if name == Path(picture).name}
        if not keys:
            raise InspectorError(f"{picture}: is no file, and no row of the bank comes from a picture of that name")
        sources |= {source for source in inspector.known_sources if source_key(source) in keys}
    result, numbers = _copied(inspector), torch.tensor(list(sources), dtype=torch.int64)
    if result.boundary_patches is not None:
        rows = torch.isin(result.patchcore.coreset.sources, numbers)
        left = result.boundary_patches.without(rows, torch.isin(result.boundary_patches.sources, numbers))
        result = replace(result, boundary_patches=left)
    gone = result.patchcore.coreset.forget(sources)
    return _finished(result, f"forgot {len(pictures)} pictures"), gone


def aged(inspector: Inspector, generations: int) -> tuple[Inspector, int]:
    """With rows of the latest `generations` only (each going on from the bank is one), and how many went."""
    if generations < 1:
        raise InspectorError(f"{generations} generations to keep; expected at least 1")
    result, oldest = _copied(inspector), inspector.training.generation + 1 - generations
    if result.boundary_patches is not None:
        rows = result.patchcore.coreset.generations < oldest
        left = result.boundary_patches.without(rows, result.boundary_patches.generations < oldest)
        result = replace(result, boundary_patches=left)
    gone = result.patchcore.coreset.age_out(oldest)
    return _finished(result, f"kept {generations} generations"), gone


def looking_at(inspector: Inspector, regions: Regions | None) -> Inspector:
    """Looking at these regions alone; None: everywhere. What was learnt stays."""
    return replace(inspector, training=_without_thresholds(inspector.training)).with_regions(regions)


def _copied(inspector: Inspector) -> Inspector:
    """The same bank in a model of its own, around the same frozen backbone."""
    own = inspector.patchcore.coreset
    model = SequentialPatchcoreModel(inspector.model.extractor, own.size, inspector.patchcore.chunk)
    restore(model, {**bank_tensors(own), "bank": own.bank.to(inspector.computing.device)})
    training = _without_thresholds(inspector.training)
    return Inspector(model, training, inspector.boundary_patches, inspector.levels).on(inspector.computing)


def _without_thresholds(training: TrainingRecord) -> TrainingRecord:
    return replace(
        training,
        threshold=None,
        threshold_origin="",
        calibration=(),
        kept_back=(),
        good_scores=(),
        region_thresholds={},
    )


def _without_boundary_patches(inspector: Inspector) -> Inspector:
    return replace(inspector, boundary_patches=None, training=replace(inspector.training, boundary_patches=0))


def _finished(inspector: Inspector, done: str, names: dict[str, str] | None = None) -> Inspector:
    coreset: SequentialCoreset = inspector.patchcore.coreset
    if coreset.count == 0:
        raise InspectorError("no row would be left in the bank; train an inspector anew instead")
    inspector.patchcore.take_over()
    return recorded(inspector, done, names or {})


def _same(levels: NDArray[np.uint8] | None, others: NDArray[np.uint8] | None) -> bool:
    return levels is others if levels is None or others is None else np.array_equal(levels, others)


def _tiles(inspector: Inspector) -> str:
    side = inspector.training.tile
    return "one piece or tiles of the usual size" if side is None else f"tiles of {side} pixels"


def _refuse_unlike(first: Inspector, other: Inspector, number: int) -> None:
    if not same_weights(first.model.extractor, other.model.extractor):
        raise InspectorError(
            f"inspector {number} has another backbone ({other.training.backbone}, {other.training.weights}) than the "
            f"first ({first.training.backbone}, {first.training.weights}); their features cannot be compared"
        )
    if not _same(first.levels, other.levels):
        raise InspectorError(
            f"inspector {number} looks at other regions of a picture than the first; give them all the same with "
            "`blemish bank --look`, or take them away with `--look everywhere`"
        )
    if first.training.tile != other.training.tile:
        raise InspectorError(
            f"inspector {number} looks at pictures in {_tiles(other)} and the first in {_tiles(first)}; train both "
            "with the same --tile"
        )
    scales = first.training.scale, other.training.scale
    if abs(scales[0] - scales[1]) > SCALES_AGREE * scales[0]:
        raise InspectorError(
            f"inspector {number} works at {scales[1]:.4g} of its pictures' size and the first at {scales[0]:.4g}: one "
            "texture would have two sizes; train both with an --image-size that makes the scales equal"
        )
