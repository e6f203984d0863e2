"""What an evaluation leaves on disk: `results.json`, and per sample a picture, a heat map and the truth.

    results/
      results.json            every figure, every sample's score and files; `schema` 1
      pictures-DIGEST/        named after what is in it, so that results.json names the pictures that belong to it
        images/000000.jpg     the sample, at most `THUMBNAIL` pixels long
        maps/000000.png       16-bit heat map at image size, scaled between the two numbers of its record
        truths/000000.png     1-bit mask of the defect family

Files are named by number, never by what a sample is called. Needs neither torch nor anomalib, so that a report can be
rebuilt anywhere. Earlier versions had the three folders beside results.json, which names them there.
"""

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray
from PIL import Image
from pydantic import ConfigDict, TypeAdapter, ValidationError

from procgen.errors import BlemishError
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import is_temporary, seal_of, sealed, sha256_of, write_atomically
from scenes.datasets.schema import CHANGED
from scenes.files import content_of
from scenes.pictures import png
from scenes.pictures.bands import raster_rows
from scenes.pictures.errors import PictureError
from scenes.pictures.on_disk import Rows, is_large
from scenes.pictures.regions import bands
from scenes.quantities.distribution import shown

if TYPE_CHECKING:
    from scenes.formats.sample import Sample
    from scenes.formats.truth import BandedTruth

SCHEMA = 1
# What fields are called in results.json, which others read.
IN_FILE = {"samples": "specimens", "evaluated_on": "judged_on"}
PICTURES, PICTURE_FOLDERS = "pictures", ("images", "maps", "truths")
_PICTURES = re.compile(rf"{PICTURES}-[0-9a-f]{{16}}")
UNFINISHED = ".unfinished"
RESULTS, REPORT = "results.json", "report.html"
LONGEST_NUMBER = 20  # digits; a seed has up to 64 bits
FINITE = ConfigDict(allow_inf_nan=False)
DEEPEST = 65535  # of a heat map's levels
THUMBNAIL = 1024  # longest side in pixels of the stored picture


class ResultsError(BlemishError):
    """A results folder that cannot be read or written."""


@dataclass(frozen=True)
class ClassRecall:
    """Recall over one class: pixels, instances, and instances by the share of their pixels that must be predicted.

    `detected[k]` counts the instances of which at least one pixel and at least `coverages[k]` per cent are predicted.
    """

    family: str
    instances: int
    pixels: int
    predicted_pixels: int
    detected: tuple[int, ...]
    leaked: int = (
        0  # found only because an impurity's prediction spilled onto it: see `anomaly.evaluation.metrics.leaked`
    )

    @property
    def pixel_recall(self) -> float:
        return self.predicted_pixels / self.pixels

    @property
    def defect_wise_recall(self) -> float:
        """Share of instances with at least one predicted pixel."""
        return self.detected[0] / self.instances

    @property
    def leakage(self) -> float | None:
        """Share of the found instances that were found only by leakage; None where none was found."""
        return self.leaked / self.detected[0] if self.detected[0] else None

    @property
    def curve(self) -> tuple[float, ...]:
        """Defect-wise recall for each required coverage."""
        return tuple(count / self.instances for count in self.detected)


@dataclass(frozen=True)
class Curve:
    """A sampled curve; x never decreases."""

    __pydantic_config__ = FINITE

    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ValueError(f"a curve of {len(self.x)} and {len(self.y)} values")


@dataclass(frozen=True)
class Metrics:
    """Every figure of one evaluation; shares lie in 0..1, None where a figure is not defined (say, no defects)."""

    __pydantic_config__ = FINITE

    images: int
    good_images: int
    threshold: float
    image_auroc: float | None
    pixel_precision: float | None
    pixel_recall: float | None
    pixel_f1: float | None
    pixel_auroc: float | None
    aupro: float | None
    best_pixel_f1: float | None  # the highest any threshold reaches on these very images: an upper bound, not a result
    mean_defect_wise_recall: float | None
    coverages: tuple[float, ...]  # per cent
    mean_defect_wise_curve: tuple[float, ...] | None
    classes: Mapping[str, ClassRecall] = field(default_factory=dict)  # by class name; defects first, then impurities
    image_roc: Curve | None = None
    pixel_precision_recall: Curve | None = None  # x recall, y precision
    smallest_prediction: int = 0  # predicted regions of fewer pixels were dropped

    def __post_init__(self) -> None:
        curves = [self.mean_defect_wise_curve, *(recall.detected for recall in self.classes.values())]
        if any(curve is not None and len(curve) != len(self.coverages) for curve in curves):
            raise ValueError(f"curves of other lengths than the {len(self.coverages)} coverages")

    @property
    def mean_impurity_wise_recall(self) -> float | None:
        """Share of impurities with at least one predicted pixel, mean over their classes; None without any."""
        found = [recall.defect_wise_recall for recall in self.classes.values() if recall.family == "impurity"]
        return sum(found) / len(found) if found else None

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Metrics":
        """Raises pydantic.ValidationError where that is something else."""
        return TypeAdapter(cls).validate_python(dict(data))


@dataclass(frozen=True)
class InspectorRecord:
    """What was evaluated: enough to say plainly what it was and to make it again."""

    backbone: str  # timm name
    pretrained: bool
    weights: str  # one sentence: where the backbone's weights come from
    bank_rows: int  # 0 of a detector without a bank
    feature_size: int
    trained_on: tuple[str, ...]
    seed: int
    details: Mapping[str, str] = field(default_factory=dict)  # epochs, layers, input size, …
    detector: str = "Sequential PatchCore"  # which earlier versions knew alone


@dataclass(frozen=True)
class SampleRecord:
    """One evaluated sample; the three paths are relative to the results folder, with forward slashes."""

    __pydantic_config__ = FINITE

    name: str
    group: str
    label: str
    score: float
    image: str
    map: str
    truth: str
    map_low: float  # the map's value where its PNG holds 0
    map_high: float  # … and 65535

    def values(self, levels: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Values of its heat map, in the model's own unit, of levels as it keeps them."""
        shares = levels.astype(np.float32) / DEEPEST
        return (self.map_low + shares * (self.map_high - self.map_low)).astype(np.float32)

    def within(self, folder: str) -> "SampleRecord":
        """The same with its files in a folder of the results folder."""
        image, heat_map, truth = (f"{folder}/{path}" for path in (self.image, self.map, self.truth))
        return replace(self, image=image, map=heat_map, truth=truth)


@dataclass(frozen=True)
class EvaluationRecord:
    """A whole evaluation, as `results.json` holds it; `folder` is where it was read from or written to.

    digests: SHA-256 of the pictures' files by their paths; none where an earlier Blemish wrote them.
    """

    folder: Path
    command: str
    inspector: InspectorRecord
    evaluated_on: tuple[str, ...]
    threshold_origin: str  # one sentence: how the pixel threshold was found
    versions: Mapping[str, str]
    metrics: Metrics
    samples: tuple[SampleRecord, ...]
    digests: Mapping[str, str] = field(default_factory=dict)

    def picture(self, sample: SampleRecord) -> Image.Image:
        return self._open(sample.image).convert("RGB")

    def anomaly_map(self, sample: SampleRecord) -> NDArray[np.float32]:
        """(H, W) the heat map in the model's own unit, to 1/65535 of its range."""
        return sample.values(self.levels(sample)[:])

    def levels(self, sample: SampleRecord, scratch: Path | None = None) -> Rows:
        """(H, W) uint16, the heat map as it is kept, 0 to 65535 over its range.

        scratch: a folder on whose disk a large one may lie, None: in memory.
        """
        return self._rows(sample.map, np.uint16, scratch)

    def truth(self, sample: SampleRecord, scratch: Path | None = None) -> Rows:
        """(H, W) bool, where the defect family is; scratch: as of `levels`."""
        return self._rows(sample.truth, np.bool_, scratch)

    def _rows(self, relative: str, dtype: DTypeLike, scratch: Path | None) -> Rows:
        path = self._path(relative)
        with _told(path):
            self._refuse_changed(relative, path, sha256_of(path) if self.digests else "")
            values = raster_rows(path, sys.maxsize, scratch).values
        if values.dtype != dtype or len(values.shape) != 2:
            raise ResultsError(f"{path}: holds another kind of picture; run the evaluation again")
        return values

    def _open(self, relative: str) -> Image.Image:
        path = self._path(relative)
        with _told(path):
            content = content_of(path)
            self._refuse_changed(relative, path, hashlib.sha256(content).hexdigest())
            image = Image.open(BytesIO(content))
            image.load()
        return image

    def _refuse_changed(self, relative: str, path: Path, digest: str) -> None:
        """digest: of the file there; of no meaning where none is known."""
        if self.digests and digest != self.digests.get(relative):
            raise ResultsError(f"{path}: {CHANGED}; run the evaluation again")

    def _path(self, relative: str) -> Path:
        try:
            path = (self.folder / relative).resolve()
        except (OSError, ValueError) as error:  # a name that no file can have
            raise ResultsError(f"{self.folder / RESULTS}: names {shown(relative)} ({error})") from error
        if not path.is_relative_to(self.folder.resolve()):
            raise ResultsError(f"{self.folder / 'results.json'} names {relative}, which lies outside its folder")
        return path


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what keeps a picture of an evaluation from being read into ResultsError."""
    try:
        yield
    except (PictureError, DatasetError) as error:
        raise ResultsError(f"{error}, or run the evaluation again") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ResultsError(f"{path}: cannot be read ({error}); run the evaluation again") from error


class ResultsWriter:
    """Writes an evaluation sample by sample, so that one map is in memory at a time.

    Everything is gathered in a folder of its own, and `finish` makes it the evaluation by one rename, that of
    results.json: until then an earlier evaluation stays whole, and an exception that leaves the writer's `with` block
    leaves nothing behind. What a killed writer left is cleared away.

    Raises ResultsError when the folder cannot be written, or holds anything but an earlier evaluation.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._unfinished = self.folder / UNFINISHED
        self._made = not self.folder.exists()
        self._records: list[SampleRecord] = []
        self._digests: dict[str, str] = {}
        with self._explained():
            self.folder.mkdir(parents=True, exist_ok=True)
            killed = {UNFINISHED, *PICTURE_FOLDERS} if self._unfinished.exists() else set()
            others = [e for e in self.folder.iterdir() if e.name not in killed and not is_temporary(e.name)]
            if not (self.folder / RESULTS).is_file() and any(not _PICTURES.fullmatch(entry.name) for entry in others):
                raise ResultsError(
                    f"{self.folder}: found other files and no {RESULTS}; expected a new or empty folder, or that of "
                    "an earlier evaluation; choose another --out"
                )
            shutil.rmtree(self._unfinished, ignore_errors=True)
            self._clear()
            for name in PICTURE_FOLDERS:
                (self._unfinished / PICTURES / name).mkdir(parents=True)

    def _clear(self) -> None:
        """Remove the folders of pictures that results.json does not name."""
        results = self.folder / RESULTS
        named = results.read_text(encoding="utf-8", errors="replace") if results.is_file() else ""
        for entry in self.folder.iterdir():
            ours = _PICTURES.fullmatch(entry.name) or entry.name in PICTURE_FOLDERS
            if ours and f'"{entry.name}/' not in named:
                shutil.rmtree(entry)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self._unfinished, ignore_errors=True)
        if self._made:
            with suppress(OSError):  # not empty: finished
                self.folder.rmdir()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or error
            raise ResultsError(f"{self.folder}: cannot be written ({reason}); choose another --out") from error
        except DatasetError as error:
            raise ResultsError(f"{error}; choose another --out") from error

    def add(
        self,
        sample: "Sample",
        score: float,
        anomaly_map: Rows,
        truth: "BandedTruth",
        image: NDArray[np.uint8] | None = None,
    ) -> SampleRecord:
        """Store one evaluated sample: anomaly_map (H, W) at image size; image (H, W, 3) is read when not handed in."""
        number = f"{len(self._records):06d}"
        low, high = range_of(anomaly_map)
        if not (np.isfinite(low) and np.isfinite(high) and np.isfinite(score)):
            raise ResultsError(f"{sample.name}: its score or anomaly map is not finite; train the inspector again")
        record = SampleRecord(
            sample.name, sample.group, sample.label, float(score),
            f"images/{number}.jpg", f"maps/{number}.png", f"truths/{number}.png", low, high,
        )  # fmt: skip
        pictures = self._unfinished / PICTURES
        with self._explained():
            _thumbnail(sample.image() if image is None else image).save(pictures / record.image, quality=90)
            if is_large(anomaly_map.shape):
                defect = png.encoded(lambda rows: truth.defect[rows], truth.defect.shape, np.bool_, self._unfinished)
                write_atomically(pictures / record.map, heat_map(anomaly_map, low, high, self._unfinished))
                write_atomically(pictures / record.truth, defect)
            else:
                _without_copy(levels_of(anomaly_map[:], low, high)).save(pictures / record.map, compress_level=1)
                Image.fromarray(np.asarray(truth.defect[:], bool)).save(pictures / record.truth)
            for path in (record.image, record.map, record.truth):
                self._digests[path] = sha256_of(pictures / path)
        self._records.append(record)
        return record

    def finish(
        self,
        metrics: Metrics,
        inspector: InspectorRecord,
        *,
        command: str,
        evaluated_on: tuple[str, ...],
        threshold_origin: str,
        versions: Mapping[str, str],
    ) -> EvaluationRecord:
        """Make this the evaluation in the stead of an earlier one, by the rename of `results.json`."""
        every = hashlib.sha256("".join(self._digests.values()).encode())
        pictures = f"{PICTURES}-{every.hexdigest()[:16]}"
        record = EvaluationRecord(
            self.folder,
            command,
            inspector,
            evaluated_on,
            threshold_origin,
            dict(versions),
            metrics,
            tuple(sample.within(pictures) for sample in self._records),
            {f"{pictures}/{path}": digest for path, digest in self._digests.items()},
        )
        data = {"schema": SCHEMA, **{IN_FILE.get(k, k): v for k, v in asdict(record).items() if k != "folder"}}
        content = sealed(data)
        with self._explained():
            made = self._unfinished / PICTURES
            if (self.folder / pictures).exists():  # the same evaluation again: these very files, if none was damaged
                for path in made.glob("*/*"):
                    path.replace(self.folder / pictures / path.relative_to(made))
            else:
                made.rename(self.folder / pictures)
            (self.folder / REPORT).unlink(missing_ok=True)  # of the earlier evaluation
            write_atomically(self.folder / RESULTS, content)
            self._clear()
            shutil.rmtree(self._unfinished)
        return record


def levels_of(anomaly_map: NDArray[np.floating[Any]], low: float, high: float) -> NDArray[np.uint16]:
    """(H, W) a heat map, or some rows of it, as it is kept: 0 where it is low, `DEEPEST` where it is high."""
    levels: NDArray[np.uint16] = np.rint(
        (np.asarray(anomaly_map, np.float64) - low) / (high - low or 1.0) * DEEPEST
    ).astype(np.uint16)
    return levels


def heat_map(anomaly_map: Rows, low: float, high: float, folder: Path) -> Iterator[bytes]:
    """The PNG of a heat map (H, W) as it is kept, in pieces; folder: where these may lie until all is packed."""
    return png.encoded(lambda rows: levels_of(anomaly_map[rows], low, high), anomaly_map.shape, np.uint16, folder)


def range_of(anomaly_map: Rows) -> tuple[float, float]:
    """The lowest and the highest value of a map (H, W)."""
    found = [(values.min(), values.max()) for values in (anomaly_map[rows] for rows in bands(anomaly_map.shape))]
    low, high = np.min(found, axis=0)[0], np.max(found, axis=0)[1]
    return float(low), float(high)


def _without_copy(levels: NDArray[np.uint16]) -> Image.Image:
    """A picture of levels (H, W) that shares their memory."""
    height, width = levels.shape
    little = levels.astype("<u2", copy=False)
    return Image.frombuffer("I;16", (width, height), little.data, "raw", "I;16", 0, 1)


def _thumbnail(image: NDArray[np.uint8]) -> Image.Image:
    picture = Image.fromarray(image)
    picture.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    return picture


def _whole_number(written: str) -> int:
    """Raises ValueError for one of more digits than any count or seed has."""
    if len(written) > LONGEST_NUMBER:
        raise ValueError(f"found a number of {len(written)} digits")
    return int(written)


def read_results(folder: Path | str) -> EvaluationRecord:
    """The evaluation that a `ResultsWriter` finished in `folder`; raises ResultsError naming what is missing."""
    path = Path(folder) / "results.json"
    try:
        content = content_of(path)
        data = json.loads(content, parse_int=_whole_number)
    except FileNotFoundError:
        raise ResultsError(f"{path} is missing; run `blemish evaluate` with --out {folder} first") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ResultsError(f"{path}: is no results file ({error}); run `blemish evaluate` again") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = shown(data.get("schema")) if isinstance(data, dict) else type(data).__name__
        raise ResultsError(f"{path}: schema {found} found, {SCHEMA} expected; evaluate with this version of blemish")
    if seal_of(content) == "broken" or (seal_of(content) == "none" and {"digests", "sha256"} & data.keys()):
        raise ResultsError(f"{path}: {CHANGED}; run `blemish evaluate` again")
    written = {
        name: data[word] for name in EvaluationRecord.__dataclass_fields__ if (word := IN_FILE.get(name, name)) in data
    }
    try:
        return TypeAdapter(EvaluationRecord).validate_python({**written, "folder": Path(folder)})
    except ValidationError as error:
        details = error.errors()[0]
        where = ".".join(map(str, details["loc"]))
        raise ResultsError(
            f"{path}: is incomplete or damaged ({where}: {details['msg']}); run `blemish evaluate` again"
        ) from error
