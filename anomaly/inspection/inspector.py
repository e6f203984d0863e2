"""A trained inspector: the model, the scale it works at and the threshold it was given; one folder on disk."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from reprlib import repr as brief
from typing import Annotated, Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError
from torch import Tensor
from torch.nn import functional

from anomaly.backbone.normalisation import patches
from anomaly.backbone.patch_extractor import BackboneError, PatchExtractor, patch_extractor, weights_digest
from anomaly.backbone.patch_scorer import BLUR_KERNEL, PatchScorer
from anomaly.bisqad.model import BisqadModel
from anomaly.inspection.computing import PROCESSOR, Computing
from anomaly.inspection.regions import Regions, RegionsError
from anomaly.inspection.tiles import Tile, enlarged
from anomaly.inspection.verdict import Verdict, verdict_of
from anomaly.inspection.view import Picture, View, views
from anomaly.patchcore.boundary_patches import BoundaryPatches
from anomaly.patchcore.coreset import SequentialCoreset
from anomaly.patchcore.torch_model import SequentialPatchcoreModel
from procgen.errors import BlemishError, BlemishNote
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import sha256_of, write_atomically
from scenes.formats.surfaces import BY_CONTENT
from scenes.pictures.on_disk import ArrayOnDisk, Rows, beside
from scenes.pictures.reading import ReadingOptions, read_rgb, read_valid_mask
from scenes.pictures.regions import bands
from scenes.version import blemish_version

# 2 keeps boundary patches, which 1 called outposts; 3 the scores of good surfaces that training did not see; 4 what an
# inspector on the line knows; 5 into how many shards its pictures were parted; 6 which detector it is, where that is
# another than Sequential PatchCore; 7 the side of its tiles. What has none of them is written as schema 1 had it.
SCHEMAS = (1, 2, 3, 4, 5, 6, 7)
LARGEST_BANK = 1 << 24  # rows; more than any memory holds
BANK_FILE = "bank.safetensors"
PATCHCORE: Final = "patchcore"
BISQAD: Final = "bisqad"
DETECTORS = {PATCHCORE: "Sequential PatchCore", BISQAD: "BiSQAD"}
LARGEST_SCALE = 64.0  # working pixels per image pixel, a side
SHARDS = "shards"  # the folder beside it in which banks of shards lie while it is trained
HALF_PRECISION = 0.01  # share of the threshold within which a score of half precision is computed again
STRIP = 128  # rows of patches of a picture in tiles that are made pixels at once
CALIBRATED = ("calibration", "kept_back")  # fields of a record that only schema 3 has
ON_THE_LINE = ("good_scores", "region_thresholds", "pixel_size", "white_level")  # and those that only schema 4 has
OF_OTHERS = ("detector", "learnt_with")  # and those of detectors that are not Sequential PatchCore, which schema 6 has
_BY_PATH = re.compile(r"[^/]+/(train|validation|test)/[^/]+/[^/]+")
REGIONS = "regions"  # tensor of the levels of where to look


class InspectorError(BlemishError):
    """A bank that cannot be read, written or continued."""


class DamagedError(InspectorError):
    """A file that is not as an inspector was written to it."""


@dataclass(frozen=True)
class PixelSize:
    """metres: what a pixel of a picture of this height and width in pixels shows of the surface, across."""

    metres: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    height: int
    width: int


@dataclass(frozen=True)
class TrainingRecord:
    """How an inspector came to be; all of `settings` decides the bank's bytes.

    scale: working pixels per image pixel, one for all images, so that a texture keeps its size from image to image.
    groups: the physical surfaces trained on. weights: in words; weights_digest: of all that the backbone depends on
    (`weights_digest`), empty in old files; pictures: a digest of all that was shown and of the
    bank that was gone on from. generation: how often a bank was gone on from. history: what was done, in words.
    sources: file names of the pictures that the bank's rows and boundary patches come from, by `source_key`.
    boundary_patches: how many were looked for in each row's cell. calibration: ascending, the scores of good surfaces
    that training did not see, of each the highest of its pictures'; kept_back: those of its own pictures' surfaces
    that training left to them. good_scores: ascending, of one picture of each of these surfaces. region_thresholds: of
    those levels of `Inspector.regions` that have one of their own. pixel_size: of pictures of what shape. white_level:
    what white was in pictures of more than 8 bits, where it was the same in all. shards: into how many the pictures
    were parted, whose banks were melded. detector: of DETECTORS; one without a bank has a size and epochs of 0, and its
    sources are all the pictures that it learnt from, and those that they were made of. learnt_with: the settings of it.
    tile: pixels of a tile's side as pictures were looked at, None: see `anomaly.inspection.tiles`.
    """

    backbone: str
    pretrained: bool
    weights: str
    size: Annotated[int, Field(ge=0, le=LARGEST_BANK)]
    epochs: Annotated[int, Field(ge=0, le=LARGEST_BANK)]
    scale: Annotated[float, Field(ge=1e-6, le=LARGEST_SCALE)]
    seed: Annotated[int, Field(ge=0, lt=1 << 64)]
    trained_on: tuple[str, ...]
    groups: tuple[str, ...]
    pictures: str
    augmented: bool = False
    generation: int = 0
    history: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    accepted: tuple[int, ...] = ()  # patches that entered the bank, epoch by epoch
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = (
        None  # of an anomaly map's pixels; at or above it lie defects
    )
    threshold_origin: str = ""
    boundary_patches: Annotated[int, Field(ge=0, le=LARGEST_BANK)] = 0
    calibration: tuple[Annotated[float, Field(allow_inf_nan=False)], ...] = ()
    kept_back: tuple[str, ...] = ()
    weights_digest: str = ""
    good_scores: tuple[Annotated[float, Field(allow_inf_nan=False)], ...] = ()
    region_thresholds: Mapping[int, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = field(default_factory=dict)
    pixel_size: PixelSize | None = None
    white_level: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    shards: Annotated[int, Field(ge=1, le=LARGEST_BANK)] = 1
    detector: Literal["patchcore", "bisqad"] = "patchcore"
    learnt_with: Mapping[str, Annotated[float, Field(allow_inf_nan=False)] | str] = field(default_factory=dict)
    tile: Annotated[int, Field(ge=1, le=LARGEST_BANK)] | None = None

    def has_seen(self, group: str) -> bool:
        """Whether a surface was trained on."""
        # Inspectors of before knew the surfaces of datasets by name and number alone, without what follows the #, and
        # pictures that are known by their content by their paths; the sources of a bank are their contents.
        kind, _, content = group.partition("/")
        is_source = kind == BY_CONTENT and content in self.sources
        return is_source or not {group, group.partition("#")[0]}.isdisjoint(self.groups)

    @property
    def knows_by_path(self) -> bool:
        """Whether an earlier Blemish trained it, which knew pictures of folders in the layout of MVTec AD by name."""
        return any(_BY_PATH.fullmatch(group) for group in self.groups)

    @property
    def implied(self) -> tuple[str, ...]:
        """Fields that no file holds, so that a Sequential PatchCore is written as it was before there were others."""
        return OF_OTHERS if self.detector == PATCHCORE else ()

    @property
    def settings(self) -> dict[str, Any]:
        """What must agree for a stopped training to be continued."""
        results = {"accepted", "threshold", "threshold_origin", "trained_on", "history", "sources", "weights_digest"}
        return {
            name: value
            for name, value in asdict(self).items()
            if name == "white_level" or name not in results.union(CALIBRATED, ON_THE_LINE, self.implied)
        }


@dataclass(frozen=True)
class Inspector:
    """Tells where pictures are anomalous.

    model: a detector of DETECTORS; that of a Sequential PatchCore is what anomalib's `SequentialPatchcore` trains too.
    boundary_patches: what melding knows of its bank's cells, where training looked for it; no evaluation needs it.
    levels: (H, W) uint8, where on a picture it looks, as `Regions` has it; None: everywhere. computing: where and how;
    changed by `on`.
    """

    model: PatchScorer
    training: TrainingRecord
    boundary_patches: BoundaryPatches | None = None
    levels: NDArray[np.uint8] | None = None
    computing: Computing = PROCESSOR

    @property
    def patchcore(self) -> SequentialPatchcoreModel:
        """Its model, of a Sequential PatchCore. Raises InspectorError for another detector, which has no bank."""
        if not isinstance(self.model, SequentialPatchcoreModel):
            raise InspectorError(
                f"the inspector is a {DETECTORS[self.training.detector]}, which has no bank of features to meld, "
                "change or go on from; give a Sequential PatchCore, or train this one anew with other pictures"
            )
        return self.model

    @property
    def rows(self) -> int:
        """How many its bank has; 0 of a detector without one."""
        return self.model.coreset.count if isinstance(self.model, SequentialPatchcoreModel) else 0

    @property
    def regions(self) -> Regions | None:
        """Where it looks; None: everywhere."""
        return None if self.levels is None else Regions(self.levels, self.training.region_thresholds)

    @property
    def tile(self) -> int | None:
        """Pixels of a tile's side: as asked for where it computes, else as it was trained."""
        return self.computing.tile or self.training.tile

    def looked_at(self, valid_mask: Rows | None, shape: tuple[int, int], image: Rows | None = None) -> Rows | None:
        """(H, W) where it looks at a picture of this shape, which shows the surface on `valid_mask`; None: everywhere.

        image: the picture, on whose disk, if it is on one, the answer lies.
        Raises RegionsError where it looks at regions of pictures of another size.
        """
        return valid_mask if self.regions is None else self.regions.looked_at(valid_mask, shape, image)

    def on(self, computing: Computing) -> Inspector:
        """The same inspector; its model moves to where it shall compute."""
        self.model.to(computing.device)
        self.model.half_precision = computing.half_precision
        return replace(self, computing=computing)

    def features(self, image: NDArray[np.uint8], valid_mask: NDArray[np.bool_] | None = None) -> Tensor:
        """(N, D) patch features of an RGB image (H, W, 3), only of patches that touch `valid_mask` (H, W).

        Row by row; where the image is looked at in tiles, tile by tile.
        """
        return torch.cat(list(next(self.features_of_each([(image, valid_mask)]))))

    def features_of_each(self, pictures: Iterable[Picture]) -> Iterator[Iterator[Tensor]]:
        """`features` of each picture in turn, in pieces (N, D), one a tile, to be taken before the next picture's.

        A card computes several pictures at once and reads them ahead.
        """
        for view, grids in views(pictures, self.training.scale, self.tile, self.computing, self.model.grid):
            yield (self._kept(view, tile, grid) for tile, grid in zip(view.tiles, grids, strict=True))

    def _kept(self, view: View, tile: Tile, grid: Tensor) -> Tensor:
        """(N, D) the features that are a tile's own, of patches that show the surface."""
        _, (rows, columns) = tile.cells(self.model.extractor.strides[0])
        features, valid_mask = patches(grid[..., rows, columns]), view.valid_mask(tile.kept)
        return features if valid_mask is None else features[self.model.cells(valid_mask).reshape(-1).to(grid.device)]

    def predict(
        self, image: NDArray[np.uint8], valid_mask: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.float32], float]:
        """Anomaly map (H, W) float32 at image size, and the image's score, its maximum.

        It is 0 outside `valid_mask` and where the inspector does not look; in regions with a threshold of their own it
        reaches the inspector's where it reaches that (`Regions.scaled`).
        """
        _, anomaly_map, score = next(self.predict_each([(image, valid_mask)]))
        return anomaly_map[:], score

    def predict_each(self, pictures: Iterable[Picture]) -> Iterator[tuple[Picture, Rows, float]]:
        """Each picture, with where it is looked at, and its map and score as of `predict`.

        The map of a picture on disk is on the same disk. A card computes several at once and reads them ahead.
        """
        parts = map(self._looked_at, pictures)
        for view, grids in views(parts, self.training.scale, self.tile, self.computing, self.model.distances):
            anomaly_map = self._map(view, grids)
            score = self._finished(anomaly_map, view.mask)
            if self.model.half_precision and self._is_close(score):
                anomaly_map, score = self._in_full_precision(view.image, view.mask)
            answer = [((view.image, view.mask), anomaly_map, score)]
            del view, grids, anomaly_map  # so that whoever takes the answer alone holds it
            yield answer.pop()

    def _looked_at(self, picture: Picture) -> Picture:
        image, mask = picture
        return image, self.looked_at(mask, (image.shape[0], image.shape[1]), image)

    def _is_close(self, score: float) -> bool:
        """Whether half precision might put a score on the other side of the threshold."""
        threshold = self.training.threshold
        return threshold is not None and abs(score - threshold) <= HALF_PRECISION * threshold

    def _in_full_precision(self, image: Rows, mask: Rows | None) -> tuple[Rows, float]:
        self.model.half_precision = False
        try:
            return next(self.predict_each([(image, mask)]))[1:]
        finally:
            self.model.half_precision = True

    def _map(self, view: View, distances: Iterator[Tensor]) -> Rows:
        """(H, W) float32 of the distances of every tile's patches, at image size, where the picture lies."""
        shape = view.image.shape[:2]
        if not view.is_whole:
            maps = beside(view.image, view.size, np.float32)
            for rows, values in self._strips(view, distances):
                maps[rows] = values
        else:
            maps = self._whole_map(view, next(distances))[0, 0].numpy()
            if view.size == shape and isinstance(view.image, ArrayOnDisk):
                maps, whole = beside(view.image, shape, np.float32), maps
                maps[:] = whole
        if view.size == shape:
            return maps
        if not isinstance(view.image, ArrayOnDisk):
            working = torch.from_numpy(maps[:])[None, None]
            return functional.interpolate(working, shape, mode="bilinear", align_corners=False)[0, 0].numpy()
        at_image_size = beside(view.image, shape, np.float32)
        enlarged(maps, at_image_size)
        return at_image_size

    def _finished(self, anomaly_map: Rows, mask: Rows | None) -> float:
        """The highest value of a map (H, W) that is made 0 where nobody looks, regions having been scaled."""
        regions, threshold = self.regions, self.training.threshold
        if mask is None and regions is None and not isinstance(anomaly_map, ArrayOnDisk):
            return float(anomaly_map.max())
        highest = -np.inf
        for rows in bands(anomaly_map.shape):
            values = anomaly_map[rows]
            if mask is not None:
                values[~mask[rows]] = 0
            if regions is not None:
                values = regions.scaled(values, threshold, rows)
            if mask is not None or regions is not None:
                anomaly_map[rows] = values
            highest = np.maximum(highest, values.max())
        return float(highest)

    def _whole_map(self, view: View, distances: Tensor) -> Tensor:
        """(1, 1, h, w) of the distances (1, 1, h', w') of the picture's patches."""
        valid_mask = view.valid_mask(view.tiles[0].kept)
        return self.model.pixels(distances, view.size, _to(valid_mask, distances)).cpu()

    def _strips(self, view: View, distances: Iterable[Tensor]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Rows and values (rows, w) of the map of the distances of every tile's patches, which are blurred together."""
        stride, (height, width) = self.model.extractor.strides[0], view.size
        cells = torch.empty(1, 1, -(-height // stride), -(-width // stride))
        for tile, grid in zip(view.tiles, distances, strict=True):
            (down, across), (own_down, own_across) = tile.cells(stride)
            cells[..., down, across] = grid[..., own_down, own_across].cpu()
        beyond = -(-BLUR_KERNEL // stride)
        for start in range(0, cells.shape[2], STRIP):
            begin, end = max(0, start - beyond), min(cells.shape[2], start + STRIP + beyond)
            seen, kept = (
                slice(begin * stride, min(height, end * stride)),
                slice(start * stride, min(height, (start + STRIP) * stride)),
            )
            strip = cells[..., begin:end, :].to(self.computing.device)
            valid_mask = view.valid_mask((seen, slice(0, width)))
            values = self.model.pixels(strip, (seen.stop - seen.start, width), _to(valid_mask, strip))
            yield kept, values[0, 0, kept.start - seen.start : kept.stop - seen.start].cpu().numpy()

    def inspect(
        self,
        picture: NDArray[np.uint8] | Path | str,
        valid_mask: NDArray[np.bool_] | None = None,
        *,
        smallest: int = 0,
        threshold: float | None = None,
        options: ReadingOptions = ReadingOptions(),
    ) -> Verdict:
        """Whether a picture is flawed, and where: an RGB image (H, W, 3), or a file that is read with these options.

        valid_mask: (H, W) where an image shows the surface, None: everywhere; of a file, where it is not transparent.
        smallest: places of fewer pixels count for nothing. threshold: by default the inspector's own. Raises
        InspectorError where it has none, PictureError, and RegionsError for a picture of another size than its regions.
        """
        threshold = self.training.threshold if threshold is None else threshold
        if threshold is None:
            raise InspectorError(
                "the inspector has no threshold, so that it cannot say what is flawed; give it one that good pictures "
                "set with: blemish bank INSPECTOR --threshold good:1% --validation GOOD_PICTURES --out NEW"
            )
        if isinstance(picture, str | Path):
            path = Path(picture)
            picture, valid_mask = read_rgb(path, options), read_valid_mask(path, options)
        return self.verdict((picture, valid_mask), smallest, threshold)

    def verdict(self, picture: Picture, smallest: int, threshold: float) -> Verdict:
        """As of `inspect`: map and mask of a picture on disk are on the same disk."""
        return verdict_of(next(self.predict_each([picture]))[1], threshold, smallest=smallest)

    @property
    def known_sources(self) -> set[int]:
        """Numbers of the pictures that rows and boundary patches come from."""
        known = self.boundary_patches.sources.tolist() if self.boundary_patches else ()
        return {*self.patchcore.coreset.sources.tolist(), *known}

    def with_threshold(
        self, threshold: float, origin: str, calibration: tuple[float, ...] = (), good_scores: tuple[float, ...] = ()
    ) -> Inspector:
        """With this pixel threshold, a sentence on how it was found, and the scores of good surfaces.

        calibration: ascending, of each surface the highest; good_scores: ascending, of one picture of each.
        """
        training = replace(
            self.training,
            threshold=threshold,
            threshold_origin=origin,
            calibration=calibration,
            good_scores=good_scores,
        )
        return replace(self, training=training)

    def with_history(self, done: str) -> Inspector:
        """With one more line on what was done."""
        return replace(self, training=replace(self.training, history=(*self.training.history, done)))

    def with_regions(self, regions: Regions | None) -> Inspector:
        """Looking there alone; None: everywhere."""
        training = replace(self.training, region_thresholds=regions.thresholds if regions else {})
        return replace(self, training=training, levels=regions.levels if regions else None)

    def save(self, folder: Path | str) -> None:
        """Write `bank.safetensors` whole or not at all: bank, backbone and how they came to be."""
        tensors = {f"backbone.{name}": value for name, value in self.model.extractor.weight_tensors().items()}
        described = asdict(self.training)
        if not (
            self.training.calibration or self.training.kept_back
        ):  # so that an inspector without any is written as it was before
            for name in CALIBRATED:
                del described[name]
        for name in ON_THE_LINE:
            if not described[name]:
                del described[name]
        for name in self.training.implied:
            del described[name]
        if self.training.shards == 1:
            del described["shards"]
        if self.training.tile is None:
            del described["tile"]
        if self.levels is not None:
            tensors[REGIONS] = torch.from_numpy(self.levels)
            described["region_thresholds"] = {str(k): v for k, v in self.training.region_thresholds.items()}
        if self.boundary_patches is None:
            del described["boundary_patches"]  # so that a bank without any is written as it was before there were any
        else:
            tensors.update(self.boundary_patches.tensors())
        learnt = self.model.tensors() if isinstance(self.model, BisqadModel) else bank_tensors(self.patchcore.coreset)
        write_tensors(Path(folder) / BANK_FILE, {**learnt, **tensors}, described)

    @classmethod
    def load(cls, folder: Path | str) -> Inspector:
        """The inspector that `save` wrote; no hub, no seed and no other file is needed.

        Raises:
            InspectorError: the bank is missing, unfinished, damaged or of a newer version.
        """
        path = Path(folder) / BANK_FILE
        if not path.is_file():
            unfinished = (Path(folder) / "training.safetensors").is_file() or (Path(folder) / SHARDS).is_dir()
            raise InspectorError(
                f"{folder}: its training was stopped; repeat the `blemish train` command to finish it"
                if unfinished
                else f"{folder}: holds no {BANK_FILE}; train an inspector with `blemish train DATASET --out {folder}`"
            )
        tensors, described = read_tensors(path)
        try:
            training = training_from(described)
            extractor = _backbone_of(training, path)
            prefix = "backbone."
            extractor.load_weights(
                {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
            )
            if training.weights_digest not in ("", weights_digest(extractor)):
                raise ValueError("the backbone's weights are not those it was written with")
            extractor.weights, extractor.pretrained = training.weights, training.pretrained
            model, boundary_patches = _model_of(training, extractor, tensors)
            levels = _levels(tensors, training)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InspectorError(f"{path}: is incomplete or damaged ({reason}); train the inspector again") from error
        return cls(model, training, boundary_patches, levels)


def _model_of(
    training: TrainingRecord, extractor: PatchExtractor, tensors: Mapping[str, Tensor]
) -> tuple[PatchScorer, BoundaryPatches | None]:
    """The detector of a file. Raises KeyError, RuntimeError or ValueError where that is damaged."""
    if training.detector == BISQAD:
        head = BisqadModel(extractor)
        head.restore(tensors)
        return head, None
    model = SequentialPatchcoreModel(extractor, training.size)
    restore(model, tensors)
    bank = model.coreset.bank
    return model, BoundaryPatches.from_tensors(tensors, bank) if training.boundary_patches else None


def _levels(tensors: Mapping[str, Tensor], training: TrainingRecord) -> NDArray[np.uint8] | None:
    """Where an inspector looks, of its file. Raises ValueError where that is damaged."""
    if REGIONS not in tensors:
        if training.region_thresholds:
            raise ValueError("it has thresholds of regions, but no regions")
        return None
    levels: NDArray[np.uint8] = tensors[REGIONS].numpy()
    if levels.dtype != np.uint8 or levels.ndim != 2:
        raise ValueError(f"its regions are {levels.dtype} of shape {levels.shape}; expected uint8 of two dimensions")
    try:
        Regions(levels).with_thresholds(training.region_thresholds)
    except RegionsError as error:
        raise ValueError(str(error)) from None
    return levels


def _backbone_of(training: TrainingRecord, path: Path) -> PatchExtractor:
    """What the inspector's weights are loaded into. Raises InspectorError where nothing here knows that backbone."""
    try:
        return patch_extractor(training.backbone, seed=training.seed)
    except BackboneError as error:
        raise InspectorError(
            f"{path}: sees with the backbone {brief(training.backbone)}, which is not at hand here ({error}); "
            "where it is a newer model of timm: pip install --upgrade timm"
        ) from error


def _to(valid_mask: Tensor | None, like: Tensor) -> Tensor | None:
    return None if valid_mask is None else valid_mask.to(like.device)


def training_from(described: Mapping[str, Any]) -> TrainingRecord:
    """The record that JSON made plain; raises ValueError where it is another's, or a field is nonsense."""
    if unknown := sorted(described.keys() - TrainingRecord.__dataclass_fields__.keys()):
        raise ValueError(f"found the field {unknown[0][:60]!r}; expected none of that name")
    try:
        return TypeAdapter(TrainingRecord).validate_python(described)
    except ValidationError as error:
        wrong = error.errors()[0]
        place, found = ".".join(map(str, wrong["loc"])), brief(wrong["input"])
        raise ValueError(f"{place}: found {found}; {wrong['msg'][:1].lower()}{wrong['msg'][1:]}") from None


def bank_tensors(coreset: SequentialCoreset) -> dict[str, Tensor]:
    """What of a coreset is kept in a file."""
    return {"bank": coreset.bank, "sources": coreset.sources, "generations": coreset.generations}


def restore(model: SequentialPatchcoreModel, tensors: Mapping[str, Tensor]) -> None:
    """Give a model the bank that `bank_tensors` took from a coreset of its size.

    Raises ValueError for a bank that is damaged, or of which squared distances would leave the range of its numbers.
    """
    names = ("bank", "sources", "generations")
    kept = {name: tensors[name] for name in names if name in tensors}
    model.coreset.load_state_dict({"size": model.coreset.size, "generation": model.coreset.generation, **kept})
    bank = model.coreset.bank
    if bank.numel():
        largest = float(bank.abs().max())
        most = (torch.finfo(bank.dtype).max / (8 * bank.shape[1])) ** 0.5  # twice that squared, with as much to spare
        if largest > most:
            raise ValueError(f"features reach {largest:.3g}; expected {most:.3g} at most")
    model.take_over()


def source_of(path: Path) -> int:
    """The number by which a bank knows a picture: from its content, so that banks made apart agree on it."""
    return int.from_bytes(bytes.fromhex(sha256_of(path))[:8], "big", signed=True)


def source_key(source: int) -> str:
    """That number as a word of 16 hexadecimal digits."""
    return f"{source & 0xFFFFFFFFFFFFFFFF:016x}"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], described: Mapping[str, Any]) -> None:
    """A safetensors file with JSON beside its tensors, atomically; the same content gives the same bytes."""
    from safetensors.torch import save

    schema = 4 if not described.keys().isdisjoint(ON_THE_LINE) else 3 if "calibration" in described else 0
    schema = schema or (2 if "boundary_patches" in described else 1)
    schema = 6 if "detector" in described else 5 if described.get("shards", 1) > 1 else schema
    schema = 7 if described.get("tile") else schema
    described = {"schema": schema, "blemish": blemish_version(), **described}
    tensors = {name: value.cpu() for name, value in tensors.items()}
    # One metadata key: safetensors writes several in no fixed order.
    text = json.dumps({**described, "sha256": _digest(tensors, described)}, sort_keys=True)
    content = save({name: value.contiguous() for name, value in tensors.items()}, {"blemish": text})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except DatasetError as error:
        raise InspectorError(f"{error}; choose another --out") from error
    except OSError as error:
        raise InspectorError(f"{path}: cannot be written ({error.strerror}); choose another --out") from error


def _digest(tensors: Mapping[str, Tensor], described: Mapping[str, Any]) -> str:
    """SHA-256 of all that a file holds, however it is laid out."""
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write_tensors` wrote: the tensors and the JSON; raises InspectorError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            described = json.loads((file.metadata() or {}).get("blemish", "null"))
            tensors = {name: file.get_tensor(name) for name in list(file.keys())}
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        raise DamagedError(f"{path}: is no bank that can be read ({error}); train the inspector again") from error
    if not isinstance(described, dict):
        raise InspectorError(f"{path}: was not written by blemish; give a folder that `blemish train` made")
    schema = described.get("schema")
    if schema not in SCHEMAS:
        raise InspectorError(
            f"{path}: schema {schema} found, 1 to {SCHEMAS[-1]} expected; use the blemish that wrote it"
        )
    digest = described.pop("sha256", None)
    if digest is None:
        note = f"{path}: holds no digest, as an earlier Blemish wrote it: what was changed in it since is not noticed"
        warnings.warn(note, BlemishNote, stacklevel=2)
    elif digest != _digest(tensors, described):
        raise DamagedError(
            f"{path}: was changed or damaged since it was written, as its digest says; train the inspector again"
        )
    described = {name: value for name, value in described.items() if name not in ("schema", "blemish")}
    if schema == 1:
        tensors = {name.replace("outposts.", "boundary_patches."): value for name, value in tensors.items()}
        if "outposts" in described:
            described["boundary_patches"] = described.pop("outposts")
    return tensors, described
