"""The formats that can be read or written, and how a folder's own is found.

To add a format, write a module that keeps the protocol `Format`, or `scenes.formats.exchange.writer.Writer`, or both,
and name it in `MODULES`; it is imported when first needed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from scenes.formats.errors import SampleError
from scenes.pictures.reading import ReadingOptions, with_white_level

if TYPE_CHECKING:
    from scenes.formats.sample import Sample

# The module of every format and what it can; tried in this order where a folder could be several.
MODULES = {
    "blemish": ("scenes.formats.blemish", "read"),
    "kolektorsdd2": ("scenes.formats.layouts.kolektorsdd2", "read"),
    "kolektorsdd": ("scenes.formats.layouts.kolektorsdd", "read"),
    "btad": ("scenes.formats.layouts.btad", "read"),
    "visa": ("scenes.formats.layouts.visa", "read and write"),
    "coco": ("scenes.formats.labels.coco", "read and write"),
    "yolo": ("scenes.formats.labels.yolo", "read and write"),
    "mvtec": ("scenes.formats.layouts.mvtec", "read and write"),
    "manifest": ("scenes.formats.manifest", "read"),
    "labelme": ("scenes.formats.labels.labelme", "read and write"),
    "huggingface": ("scenes.formats.labels.huggingface", "write"),
    "webdataset": ("scenes.formats.labels.webdataset", "write"),
}
FORMATS: dict[str, str] = {name: module for name, (module, can) in MODULES.items() if "read" in can}
WRITERS: dict[str, str] = {name: module for name, (module, can) in MODULES.items() if "write" in can}
AUTO = "auto"


class Format(Protocol):
    """A module that reads one kind of folder. looks_for: what tells the kind, in words."""

    LOOKS_FOR: str

    def recognises(self, folder: Path) -> bool:
        """Whether a folder looks like one of this kind, without opening a picture."""

    def read(self, folder: Path) -> list[Sample]:
        """Every sample of a folder, in a fixed order, without decoding a picture. Raises BlemishError."""


def format_named(name: str) -> Format:
    """The format of a name. Raises SampleError for a name that stands for none."""
    if name not in FORMATS:
        raise SampleError(f"{name}: is no dataset format; choose {', '.join((AUTO, *FORMATS))}")
    return cast(Format, import_module(FORMATS[name]))


def read_samples(
    path: Path | str, format: str = AUTO, *, unlabelled: bool = False, options: ReadingOptions = ReadingOptions()
) -> list[Sample]:
    """Every sample of a folder, in a fixed order; pictures are not decoded, unless to find what white is in deep ones.

    `auto` tells the formats apart by the files that lie there. Pictures that their source leaves unlabelled (earlier
    views, say, on which defects may already be) are left out unless `unlabelled`; then their label is "unlabelled",
    so that they never count as good, and their truth raises. options: of reading the pictures; see
    `with_white_level`.

    Raises SampleError: nothing of any format found, empty folder, manifest, picture or mask missing, a picture listed
    twice. PictureError.
    """
    from scenes.formats.sample import UNLABELLED

    folder = Path(path)
    if not folder.is_dir():
        raise SampleError(f"{folder}: is no folder; give a dataset's folder")
    name = found_in(folder) if format == AUTO else format
    samples = [sample for sample in format_named(name).read(folder) if unlabelled or sample.label != UNLABELLED]
    if not samples:
        raise SampleError(f"{folder}: holds no picture for the format {name}; check the path")
    path, times = Counter(sample.image_path for sample in samples).most_common(1)[0]
    if times > 1:
        raise SampleError(f"{path}: is listed {times} times, and would count as often; keep one entry about it")
    open_to = [sample.image_path for sample in samples if not sample.options.of_format]
    found = with_white_level(open_to, options, str(folder)) if open_to else options
    return [
        replace(sample, options=replace(sample.options, most_pixels=options.most_pixels))
        if sample.options.of_format
        else replace(sample, options=found)
        for sample in samples
    ]


def found_in(folder: Path) -> str:
    """The name of a folder's format. Raises SampleError where there is none."""
    for name in FORMATS:
        if format_named(name).recognises(folder):
            return name
    if not any(folder.iterdir()):
        raise SampleError(f"{folder}: is empty; give a folder that holds a dataset")
    looked_for = ", ".join(f"{format_named(name).LOOKS_FOR} ({name})" for name in FORMATS)
    raise SampleError(f"{folder}: no dataset recognised; looked for {looked_for}; name its kind with --format")
