"""Writing labelled pictures as another program reads them: picture after picture, each file whole or not at all.

OUT/…                       what the format has
OUT/.unfinished/            while it is written: what the export is, and of every picture what came of it
OUT/SHA256SUMS              written last: what the export is, and the digest of every file; `sha256sum -c` reads it
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np

from procgen.errors import BlemishError
from scenes.datasets.files import (
    HOLDER,
    LOCK,
    as_json,
    explained,
    is_temporary,
    parsed,
    read_bytes,
    remove_leftovers,
    sha256_of,
    write_atomically,
)
from scenes.datasets.lock import locked
from scenes.datasets.schema import CHANGED
from scenes.formats.blemish import FrameOfDataset
from scenes.formats.errors import SampleError
from scenes.formats.exchange.loss import Kept, kept
from scenes.formats.exchange.source import looked_through
from scenes.formats.exchange.splits import splits_of
from scenes.formats.exchange.writer import ASIDE, Labelled, Setup, Writer
from scenes.formats.labels.coco import Instances
from scenes.formats.provenance import digest_of
from scenes.formats.registry import WRITERS
from scenes.formats.sample import Sample
from scenes.jobs.executor import Executor, Place, Simple, Worker
from scenes.jobs.local import Local
from scenes.jobs.progress import Progress
from scenes.pictures.decoding import measure
from scenes.pictures.png import encode
from scenes.pictures.reading import read_photograph, read_rgb

SUMS = "SHA256SUMS"
SETTINGS = "export.json"  # in ASIDE
HERE = Local()
Made = tuple[dict[str, bytes], Any, Kept]  # of a picture: its files, what the format keeps of it, what comes back


@dataclass(frozen=True)
class Export:
    """What is asked for.

    format: a name of WRITERS. shape: of that format's SHAPES; "" for the first. name: of the set. share: of the good
    pictures (of all, where flaws are learnt) that are for testing, where the source has no split. eight_bits: whether
    deeper pictures are written with 8 bits; else files are copied as they are. shard: pictures of one archive.
    """

    format: str
    shape: str = ""
    name: str = ""
    share: float = 0.3
    seed: int = 0
    eight_bits: bool = False
    shard: int = 1000


def writer_named(name: str) -> Writer:
    """The module that writes a format. Raises SampleError for a name that stands for none."""
    if name not in WRITERS:
        raise SampleError(f"--format: found {name}; a dataset is exported as {', '.join(WRITERS)}")
    return cast(Writer, import_module(WRITERS[name]))


def write_export(
    folder: Path,
    samples: Sequence[Sample],
    out: Path,
    export: Export,
    progress: Progress = lambda *_: None,
    executor: Executor = HERE,
) -> Kept:
    """Write the samples of a folder, and give what of their labels comes back.

    executor: where their files are made, which changes no byte. What a stopped run has written is kept; the same is
    written again to the same bytes. Raises SampleError,
    PictureError; DatasetError where `out` holds anything else.
    """
    writer = writer_named(export.format)
    if export.shape and export.shape not in writer.SHAPES:
        drawn = f"drawn as {', '.join(writer.SHAPES)}" if writer.SHAPES else "drawn in one way; leave --shape out"
        raise SampleError(f"--shape: found {export.shape}; labels of {export.format} are {drawn}")
    if out.resolve().is_relative_to(folder.resolve()) or folder.resolve().is_relative_to(out.resolve()):
        raise SampleError(f"{out}: lies with the pictures that are exported; choose another folder for --out")
    samples, classes = looked_through(folder, samples)
    setup = Setup(
        export.name or folder.resolve().name,
        classes,
        export.shape or next(iter(writer.SHAPES), ""),
        export.shard,
    )
    with locked(out), explained(out):
        settings = {
            "format": export.format,
            "shape": setup.shape,
            "name": setup.name,
            "share": export.share,
            "seed": export.seed,
            "eight_bits": export.eight_bits,
            "shard": export.shard,
            "classes": dict(setup.classes),
            "source": digest_of(samples),
        }
        if (done := _finished(out, settings)) is not None:
            shutil.rmtree(out / ASIDE, ignore_errors=True)
            return done
        _begin(out, settings)
        splits = splits_of(samples, export.share, export.seed, writer.LEARNS_FLAWS)
        pictures = list(zip(range(len(samples)), samples, splits, strict=True))
        missing = [picture for picture in pictures if not _record(out, picture[0]).is_file()]
        progress("exporting", len(samples) - len(missing), len(samples))

        def take(position: int, made: Made) -> None:
            _write_picture(missing[position][0], *made, out)
            progress("exporting", len(samples) - len(missing) + position + 1, len(samples))

        try:
            executor.run(Exporting(export.format, setup, export.eight_bits), missing, take, in_order=True)
        except BlemishError:
            if not any(_record(out, number).is_file() for number in range(len(samples))):  # nothing came of it
                shutil.rmtree(out / ASIDE)
            raise
        return _close(writer, setup, settings, len(samples), out)


@dataclass(frozen=True)
class Exporting:
    """Making the files of samples, given with their numbers and splits, as work."""

    format: str
    setup: Setup
    eight_bits: bool

    has_own_process = False

    def open(self, place: Place) -> Worker[tuple[int, Sample, str], Made]:
        writer = writer_named(self.format)
        return Simple(lambda picture: self._made(writer, *picture))

    def _made(self, writer: Writer, number: int, sample: Sample, split: str) -> Made:
        picture = labelled(number, sample, split, self.eight_bits, passes=writer.HOLDS_PASSES)
        written = writer.write(picture, self.setup)
        return written.files, written.entry, kept(picture.truth, written.back, picture.under, written.back_under)


def labelled(number: int, sample: Sample, split: str, eight_bits: bool, *, passes: bool = False) -> Labelled:
    """A sample as it is written: its file as it is, unless it is turned, or deep and shall not be; its passes on wish.

    Raises SampleError, PictureError.
    """
    path = sample.image_path
    content, suffix = read_bytes(path), path.suffix.lower()
    if sample.sha256 and hashlib.sha256(content).hexdigest() != sample.sha256:
        raise SampleError(f"{path}: {CHANGED}; restore it")
    measured = measure(path, sample.options.most_pixels)
    if eight_bits and measured.deep:
        pixels = read_rgb(path, sample.options)
        content, suffix = encode(np.ascontiguousarray(pixels)), ".png"
    elif measured.orientation > 1:
        upright = read_photograph(path, sample.options, cut_out=True)
        content, suffix = encode(upright.pixels), ".png"
    annotation = sample.annotation
    under = annotation.under_others() if isinstance(annotation, FrameOfDataset | Instances) else ()
    beneath = annotation.passes() if passes and isinstance(annotation, FrameOfDataset) else None
    return Labelled(number, sample.name, sample.group, split, content, suffix, sample.truth(), under, beneath)


def _write_picture(number: int, files: Mapping[str, bytes], entry: Any, found: Kept, out: Path) -> None:
    """The files of one picture, then the record that makes it count."""
    digests = {}
    for name, content in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
        digests[name] = hashlib.sha256(content).hexdigest()
    record = {"files": digests, "entry": entry, "kept": found.as_json()}
    write_atomically(_record(out, number), as_json(record))


def _record(out: Path, number: int) -> Path:
    """What came of a picture: it is there when all of the picture's files are."""
    return out / ASIDE / f"{number:06d}.json"


def _close(writer: Writer, setup: Setup, settings: Mapping[str, Any], count: int, out: Path) -> Kept:
    """The files about all pictures, and the sums."""

    def records() -> Iterator[dict[str, Any]]:
        for number in range(count):
            path = _record(out, number)
            yield cast(dict[str, Any], parsed(read_bytes(path), path))

    def entries() -> Iterator[Any]:
        return (record["entry"] for record in records())

    digests: dict[str, str] = {}
    total = Kept()
    for record in records():
        digests |= {name: digest for name, digest in record["files"].items() if not name.startswith(ASIDE)}
        total += Kept(**record["kept"])
    for name, pieces in writer.close(setup, entries, out):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out / name, pieces)
        digests[name] = sha256_of(out / name)
    head = f"# {json.dumps({**settings, 'kept': total.as_json()})}\n"
    lines = (f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    write_atomically(out / SUMS, [head.encode(), *(line.encode() for line in lines)])
    shutil.rmtree(out / ASIDE)
    return total


def _begin(out: Path, settings: Mapping[str, Any]) -> None:
    """Make the folder this export's, or find that it is. Raises SampleError for one that holds anything else."""
    aside = out / ASIDE
    if (aside / SETTINGS).is_file():
        _refuse_others(out, parsed(read_bytes(aside / SETTINGS), aside / SETTINGS), settings)
        for folder in {path.parent for path in out.rglob("*") if is_temporary(path.name)}:
            remove_leftovers(folder, even_of_the_living=folder != out)
        return
    if others := [path for path in out.iterdir() if path.name not in (LOCK, HOLDER, ASIDE)]:
        raise SampleError(
            f"{out}: holds other files, such as {others[0].name}; expected a new or empty folder for --out"
        )
    aside.mkdir(exist_ok=True)
    write_atomically(aside / SETTINGS, as_json(settings))


def _finished(out: Path, settings: Mapping[str, Any]) -> Kept | None:
    """What a finished export keeps; None where there is none. Raises SampleError where it is another or was changed."""
    if not (out / SUMS).is_file():
        return None
    there, sums = read_sums(out)
    _refuse_others(out, there, settings)
    for name, digest in sums.items():
        if not (out / name).is_file() or sha256_of(out / name) != digest:
            raise SampleError(f"{out / name}: {CHANGED}; restore it, or export into another folder")
    return Kept(**there["kept"])


def read_sums(out: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """What a finished export is, and the digest of every file. Raises SampleError, DatasetError."""
    path = out / SUMS
    try:
        head, *lines = read_bytes(path).decode().splitlines()
        there = json.loads(head.removeprefix("# "))
        Kept(**there["kept"])
        return there, {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (ValueError, TypeError, KeyError):
        raise SampleError(f"{path}: was changed or damaged; restore it, or export into another folder") from None


def _refuse_others(out: Path, there: object, settings: Mapping[str, Any]) -> None:
    for key, value in settings.items():
        found = there.get(key) if isinstance(there, dict) else None
        if found != value:
            raise SampleError(
                f"{out}: holds an export whose {key} is {_brief(found)}, not {_brief(value)}; choose another folder "
                "or remove it"
            )


def _brief(value: object) -> str:
    return f"{value!r:.60}"
