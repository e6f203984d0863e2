"""Blemish's own datasets."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from procgen.surface.layer import Family
from scenes.datasets.reader import Dataset, Frame
from scenes.datasets.schema import HEADER, read_header
from scenes.formats.sample import GOOD, Sample
from scenes.formats.truth import DefectInstance, InstanceMaps, IntegerMap, Truth
from scenes.parts.photo import Photo
from scenes.pictures.reading import ReadingOptions

LOOKS_FOR = HEADER
FULL_SCALE = ReadingOptions(white_level=65535, of_format=True)  # of the sensor's 16 bits


@dataclass(frozen=True)
class Passes:
    """Passes as files: suffix and content by the pass's name; record: what is to be known to read them."""

    files: dict[str, tuple[str, bytes]]
    record: dict[str, Any]


@dataclass(frozen=True)
class FrameOfDataset:
    """The exact instance maps of one frame of a Blemish dataset."""

    dataset: Path
    index: int

    def read(self, shape: tuple[int, int], image_path: Path, folder: Path | None = None) -> Truth:
        frame = Frame(self.dataset, self.index)
        maps: dict[Family, IntegerMap] = {"defect": frame.defects, "impurity": frame.impurities}
        entries: list[tuple[Family, int, str]] = [(i.family, i.id, i.class_name) for i in frame.instances]
        # An instance out of sight, or wholly covered by a later one, is nothing that could be found or missed.
        seen = InstanceMaps(maps, entries).areas() > 0
        return Truth(maps["defect"] > 0, InstanceMaps(maps, [e for e, kept in zip(entries, seen, strict=True) if kept]))

    def under_others(self) -> tuple[DefectInstance, ...]:
        """Where a class is, by its bit, but none of its instances: these lie under others of their family there."""
        frame = Frame(self.dataset, self.index)
        header = read_header(self.dataset)
        found = []
        for name, entry in header.classes.items():
            numbers = [i.id for i in frame.instances if i.class_name == name]
            ids = frame.defects if entry.family == "defect" else frame.impurities
            mask = (frame.classes >> entry.bit & 1).astype(bool) & ~np.isin(ids, numbers)
            if mask.any():
                found.append(DefectInstance(name, entry.family, mask))
        return tuple(found)

    def passes(self) -> Passes | None:
        """What the frame holds beside picture and masks; None where that is nothing. Raises DatasetError."""
        frame, header = Frame(self.dataset, self.index), read_header(self.dataset)
        if not header.passes:
            return None
        record = frame.pass_record.model_dump(mode="json", exclude_defaults=True)
        return Passes({name: frame.pass_file(name) for name in header.passes}, record)

    def files(self) -> tuple[Path, ...]:
        number = f"{self.index:06d}"
        names = (f"defects/{number}.png", f"impurities/{number}.png", f"scenes/{number}.json")
        return tuple(self.dataset / name for name in names)


def recognises(folder: Path) -> bool:
    """Whether the folder holds a dataset.json."""
    return (folder / HEADER).is_file()


def read(folder: Path) -> list[Sample]:
    """The frames that are written whole, labelled by the defects that the camera sees. Raises DatasetError."""
    dataset = Dataset(folder)
    # Frames of twin datasets (same recipe, seed and number) show the same surface: one group. So do the views of a
    # surface and those made of one photograph; what was refined or varied shows the surface of the frame it began with.
    surfaces = f"{dataset.header.recipe.get('name')}/{dataset.seed}"
    kind = _surface_digest(dataset)
    samples = []
    for frame in dataset:
        defects = {i.id: i.class_name for i in frame.instances if i.family == "defect"}
        # Only what the camera sees makes a frame defective, so the mask decides; without defects it is not decoded.
        numbers = np.flatnonzero(np.bincount(frame.defects.ravel())).tolist() if defects else []
        visible = {defects[number] for number in numbers if number}
        number = f"{frame.index:06d}"
        annotation = FrameOfDataset(folder, frame.index)
        label = "+".join(sorted(visible)) or GOOD
        part = frame.scene.part
        made = frame.refinement or {}
        parents = [parent for parent in made.get("parents", ()) if "gave" not in parent]
        began = parents[-1]["frame"] if parents else frame.index
        surface = began if frame.scene.surface is None else frame.scene.surface
        if isinstance(part, Photo):
            group = parents[-1].get("surface", f"photo/{part.sha256}") if parents else f"photo/{part.sha256}"
        else:
            group = f"{surfaces}/{surface:06d}#{kind}"
        samples.append(
            Sample(
                number,
                group,
                label,
                frame.image_path,
                annotation,
                str(made.get("split", "")),
                sha256=frame.digests.get("images", ""),
                options=FULL_SCALE,
                weight=made.get("weight", 1.0),
                ancestors=frozenset(_digests(made)) | ({part.sha256} if isinstance(part, Photo) else set()),
            )
        )
    return samples


def _digests(record: object) -> Iterator[str]:
    """Everything that a record names by its SHA-256, among it the pictures that a frame was made of."""
    if isinstance(record, dict):
        yield from (value for key, value in record.items() if key == "sha256" and isinstance(value, str))
        record = list(record.values())
    if isinstance(record, list):
        for value in record:
            yield from _digests(value)


def _surface_digest(dataset: Dataset) -> str:
    """What tells the surfaces of two recipes of one name apart: part and finish."""
    described = json.dumps([dataset.header.recipe.get(key) for key in ("part", "finish")], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()[:8]
