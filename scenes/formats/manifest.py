"""Pictures that a table lists: `manifest.csv` in their folder, or beside it for several folders.

    image   the file's name in the folder
    label   good, unlabelled, or the classes of its defects joined by "+"
    mask    the file's name of its mask, which every flawed picture has; that of a good picture has to be empty
    group   the physical surface; without this column every picture is one, but for copies of the same bytes
    split   train, validation or test, where the set has its own; or nothing
    set     in a table beside several folders: the name of the folder that a line is about

Other columns are passed over. Where labels or the values of masks are no words, `manifest.yaml` in the folder says what
they mean; for the public sets in `public_sets` it comes with Blemish:

    labels: {Free: good, "1": open}      what stands in the table, or a part of it, and what it means
    mask: {1: inclusion, 2: patch}       values of the masks; or one class for every value above 0, as `mask: pore`;
                                         without this line that class is the picture's label
"""

import csv
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from scenes.formats.errors import SampleError
from scenes.formats.sample import GOOD, UNLABELLED, Sample
from scenes.formats.surfaces import content_group, joined
from scenes.formats.truth import Annotation, EmptyMask, MaskFile, NothingThere, Unknown
from scenes.quantities.distribution import shown
from scenes.recipes.reading import recipe_fields

MANIFEST, WORDS = "manifest.csv", "manifest.yaml"
SPLITS = ("", "train", "validation", "test")
PUBLIC_SETS = Path(__file__).parent / "public_sets"
LOOKS_FOR = MANIFEST


class Words(BaseModel):
    """What manifest.yaml says: meanings of labels, and the classes of mask values."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    labels: dict[str, str] = {}
    mask: dict[PositiveInt, str] | str | None = None

    def label(self, written: str) -> str:
        return "+".join(self.labels.get(word, word) for word in written.split("+"))

    def classes(self, written: str) -> Mapping[int | None, str]:
        if isinstance(self.mask, dict):
            return {value: name for value, name in self.mask.items()}
        return {None: self.label(written) if self.mask is None else self.mask}


def recognises(folder: Path) -> bool:
    """Whether the folder holds a manifest.csv, or one beside it names the folder."""
    return (folder / MANIFEST).is_file() or bool(_beside(folder) and _rows(folder))


def read(folder: Path) -> list[Sample]:
    """The pictures that the table lists, in order of their names. Raises SampleError, RecipeError."""
    manifest = _manifest_of(folder)
    words = _words_for(folder)
    samples = []
    for row in _rows(folder):
        label = words.label(row["label"])
        if (row.get("split") or "") not in SPLITS:
            raise SampleError(
                f"{manifest}: {row['image']} has the split {shown(row['split'])}; expected train, validation, test or "
                "nothing"
            )
        mask_path = _listed(folder, row["mask"], manifest) if row.get("mask") else None
        annotation: Annotation
        if not label:
            raise SampleError(f"{manifest}: {row['image']} has no label; expected {GOOD}, {UNLABELLED} or its classes")
        if label == UNLABELLED:
            annotation = Unknown()
        elif label == GOOD:
            annotation = NothingThere() if mask_path is None else EmptyMask(mask_path)
        elif mask_path is not None:
            annotation = MaskFile(mask_path, words.classes(row["label"]))
        else:
            raise SampleError(
                f"{manifest}: {row['image']} is labelled {row['label']} but has no mask; add its mask, or say in "
                f"{folder / WORDS} whether the label means {GOOD} or {UNLABELLED}"
            )
        image_path = _listed(folder, row["image"], manifest)
        if image_path == mask_path:
            raise SampleError(f"{manifest}: names {row['image']} as its own mask; name its mask, or none")
        name = PurePosixPath(row["image"]).with_suffix("").as_posix()
        group = f"{folder.resolve().name}/{row['group']}" if row.get("group") else content_group(image_path)
        samples.append(Sample(name, group, label, image_path, annotation, row.get("split") or ""))
    return sorted(joined(samples), key=lambda sample: sample.name)


def _beside(folder: Path) -> bool:
    return (folder.resolve().parent / MANIFEST).is_file()


def _manifest_of(folder: Path) -> Path:
    if (folder / MANIFEST).is_file():
        return folder / MANIFEST
    if _beside(folder):
        return folder.resolve().parent / MANIFEST
    raise SampleError(f"{folder / MANIFEST}: is missing; list the pictures there, or beside the folder")


def _rows(folder: Path) -> list[dict[str, str]]:
    """The lines about a folder. Raises SampleError where the table lacks a column, or a line lacks a value."""
    manifest = _manifest_of(folder)
    needed = {"image", "label"} if manifest.parent == folder else {"image", "label", "set"}
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or ()
            missing = needed - set(columns)
            rows = [] if missing else list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SampleError(f"{manifest}: is no table of comma-separated values ({error}); restore it") from error
    if missing:
        raise SampleError(
            f"{manifest}: lacks the columns {', '.join(sorted(missing))}; its first line, between commas, names "
            f"{', '.join(map(shown, columns)) or 'nothing'}"
        )
    if "set" in needed:
        rows = [row for row in rows if row["set"] == folder.resolve().name]
    for row in rows:
        if None in row.values() or None in row:
            raise SampleError(
                f"{manifest}: a line about {row['image'] or 'no picture'} has another number of columns than the "
                f"first line's {len(columns)}; restore it"
            )
    return rows


def _words_for(folder: Path) -> Words:
    path = folder / WORDS
    if not path.is_file():
        path = PUBLIC_SETS / f"{folder.resolve().name}.yaml"
    if not path.is_file():
        return Words()
    try:
        return Words.model_validate(recipe_fields(path.resolve()) or {})
    except ValidationError as error:
        details = error.errors()[0]
        where = ".".join(map(str, details["loc"]))
        raise SampleError(f"{path}: {where}: {details['msg']}; expected fields as docs/inspectors.md shows") from None


def _listed(folder: Path, name: str, manifest: Path) -> Path:
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or not name:
        raise SampleError(f"{manifest}: names {name or 'nothing'}, which is no file inside {folder}; restore it")
    path = folder / name
    try:
        is_there = path.is_file()
    except OSError as error:  # a name that no file can have
        raise SampleError(f"{manifest}: names {shown(name)}: {error.strerror}; restore it") from None
    if not is_there:
        raise SampleError(f"{path}: is listed in {manifest.name} but missing; restore it or remove its line")
    return path
