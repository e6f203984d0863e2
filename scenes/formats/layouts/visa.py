"""The layout of VisA: of every category Data/Images/Normal and Anomaly, Data/Masks/Anomaly, and image_anno.csv.

The classes of a flawed picture stand in image_anno.csv; where there are several, nobody says which pixel is whose.
Beside the categories, split_csv/1cls.csv says which pictures are for training.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from scenes.formats.errors import SampleError
from scenes.formats.exchange.writer import TEST, TRAIN, Entries, Labelled, Setup, Written, folder_name, png_of
from scenes.formats.sample import GOOD, Sample
from scenes.formats.surfaces import content_group
from scenes.formats.truth import Annotation, MaskFile, NothingThere, of_components
from scenes.pictures.reading import is_hidden, pictures_in

LOOKS_FOR = "Data/Images/Normal or Anomaly"
SHAPES: tuple[str, ...] = ()
LEARNS_FLAWS = False
HOLDS_PASSES = False
NORMAL, ANOMALY = "Normal", "Anomaly"
LABELS, SPLIT = "image_anno.csv", "split_csv/1cls.csv"
COLUMNS, SPLIT_COLUMNS = ("image", "label", "mask"), ("object", "split", "label", "image", "mask")


def recognises(folder: Path) -> bool:
    """Whether the folder is a category, or holds one."""
    return bool(_categories(folder))


def read(folder: Path) -> list[Sample]:
    """The pictures of one category. Raises SampleError, also where the folder holds several."""
    categories = _categories(folder)
    if len(categories) > 1:
        raise SampleError(
            f"{folder}: holds {len(categories)} categories, such as {categories[0].name}; give the folder of one"
        )
    (category,) = categories or [folder]
    labels = {_key(row["image"]): row["label"] for row in _rows(category / LABELS, COLUMNS)}
    splits = {
        _key(row["image"]): row["split"]
        for row in _rows(category.resolve().parent / SPLIT, SPLIT_COLUMNS)
        if row["object"] == category.resolve().name
    }
    masks = {path.stem: path for path in _pictures(category / "Data" / "Masks" / ANOMALY)}
    found = []
    for kind in (NORMAL, ANOMALY):
        for picture in _pictures(category / "Data" / "Images" / kind):
            key = f"{kind}/{picture.stem}"
            label = GOOD
            annotation: Annotation = NothingThere()
            if kind == ANOMALY:
                label = "+".join(sorted(labels.get(key, ANOMALY.lower()).split(",")))
                if picture.stem not in masks:
                    raise SampleError(
                        f"{category}/Data/Masks/{ANOMALY}/{picture.stem}.png: the mask of {key} is missing; add it, or "
                        "drop the image"
                    )
                annotation = MaskFile(masks[picture.stem], {None: label})
            found.append(Sample(key, content_group(picture), label, picture, annotation, splits.get(key, "")))
    return found


def write(picture: Labelled, setup: Setup) -> Written:
    """A picture and, where it is flawed, its mask; impurities have no place here."""
    category = folder_name(setup.name)
    kind = ANOMALY if picture.classes else NORMAL
    image = f"{category}/Data/Images/{kind}/{picture.file}"
    mask = f"{category}/Data/Masks/{kind}/{picture.stem}.png" if picture.classes else ""
    files = {image: picture.content} | ({mask: png_of(picture.truth.defect)} if mask else {})
    split = TRAIN if picture.split == TRAIN and not picture.classes else TEST
    entry = [split, ",".join(picture.classes) or "normal", image, mask]
    return Written(files, of_components(picture.truth.defect.astype(np.int32), {None: picture.label}), entry)


def close(setup: Setup, entries: Entries, folder: Path) -> Iterator[tuple[str, Iterable[bytes]]]:
    """The two tables."""
    category = folder_name(setup.name)
    rows = list(entries())
    yield f"{category}/{LABELS}", [_table([COLUMNS, *((image, label, mask) for _, label, image, mask in rows)])]
    as_visa = ((category, split, "anomaly" if mask else "normal", image, mask) for split, _, image, mask in rows)
    yield SPLIT, [_table([SPLIT_COLUMNS, *as_visa])]


def _table(rows: Iterable[Iterable[str]]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode()


def _categories(folder: Path) -> list[Path]:
    """The folder itself, or those in it that are laid out as a category is."""
    inside = (path for path in sorted(folder.iterdir()) if path.is_dir() and not is_hidden(path))
    if (folder / "Data" / "Images").is_dir():
        return [folder]
    return [path for path in inside if any((path / "Data" / "Images" / kind).is_dir() for kind in (NORMAL, ANOMALY))]


def _pictures(folder: Path) -> list[Path]:
    return pictures_in(folder) if folder.is_dir() else []


def _key(image: str) -> str:
    """Kind and name of a picture, of what a table calls it: they are looked for where they lie."""
    *_, kind, name = ["", *image.replace("\\", "/").split("/")]
    return f"{kind}/{Path(name).stem}"


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """The lines of a table, none where it is not there. Raises SampleError where it lacks a column or a value."""
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = set(columns) - set(reader.fieldnames or ())
            rows = [] if missing else list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SampleError(f"{path}: is no table of comma-separated values ({error}); restore it") from None
    if missing:
        raise SampleError(f"{path}: lacks the columns {', '.join(sorted(missing))}; restore it")
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise SampleError(f"{path}: line {number} has another number of columns than the first; restore it")
    return rows
