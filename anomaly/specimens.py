"""Specimens to train on and to judge, whatever folder they come from: Blemish's own datasets, MVTec AD, real sets.

Everything is read lazily: a list of specimens holds paths only, a picture or a mask is decoded when it is asked for.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from procgen.errors import BlemishError

Family = Literal["defect", "impurity"]
Format = Literal[
    "auto", "blemish", "mvtec", "magnetic_tile", "crackforest", "ballscrew_pitting", "neu_seg_dedup", "deeppcb"
]
GOOD = "good"
UNLABELLED = "unlabelled"
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


class SpecimenError(BlemishError):
    """A dataset folder, picture or mask that cannot be used; names the file and what to do."""


@dataclass(frozen=True, eq=False)
class DefectInstance:
    """One defect or impurity: mask (H, W) bool."""

    class_name: str
    family: Family
    mask: NDArray[np.bool_]


class InstanceMaps(Sequence[DefectInstance]):
    """Instances kept as one integer map per family; a mask exists only while somebody looks at it.

    maps: (H, W) non-negative integers by family, 0 where there is none; entries: (family, number in that
    map, class name).
    """

    def __init__(self, maps: Mapping[Family, NDArray[np.integer]], entries: Sequence[tuple[Family, int, str]]) -> None:
        self._maps, self._entries = dict(maps), tuple(entries)

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> DefectInstance: ...
    @overload
    def __getitem__(self, index: slice) -> "InstanceMaps": ...
    def __getitem__(self, index: int | slice) -> "DefectInstance | InstanceMaps":
        if isinstance(index, slice):
            return InstanceMaps(self._maps, self._entries[index])
        family, number, class_name = self._entries[index]
        return DefectInstance(class_name, family, self._maps[family] == number)

    def kinds(self) -> list[tuple[Family, str]]:
        """Family and class of every instance, without making its mask."""
        return [(family, class_name) for family, _, class_name in self._entries]

    def of_family(self, family: Family) -> NDArray[np.bool_] | None:
        """(H, W) where any instance of the family is; None where no map of it is kept."""
        numbers = [number for kind, number, _ in self._entries if kind == family]
        return np.isin(self._maps[family], numbers) if family in self._maps else None

    def areas(self, within: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """(len,) pixels of every instance, only those `within` (H, W) when given: one pass over each map."""
        counts = {}
        for family, labels in self._maps.items():
            chosen = labels.ravel() if within is None else labels[within]
            highest = max((number for kind, number, _ in self._entries if kind == family), default=0)
            counts[family] = np.bincount(chosen, minlength=highest + 1)
        return np.array([counts[family][number] for family, number, _ in self._entries], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of one picture: defect (H, W) bool, the union of the defect family; instances of both families."""

    defect: NDArray[np.bool_]
    instances: Sequence[DefectInstance] = ()

    def kinds(self) -> list[tuple[Family, str]]:
        """Family and class name of every instance."""
        if isinstance(self.instances, InstanceMaps):
            return self.instances.kinds()
        return [(instance.family, instance.class_name) for instance in self.instances]

    def of_family(self, family: Family) -> NDArray[np.bool_]:
        """(H, W) where any instance of the family is."""
        if isinstance(self.instances, InstanceMaps):
            found = self.instances.of_family(family)
            return np.zeros(self.defect.shape, bool) if found is None else found
        masks = (instance.mask for instance in self.instances if instance.family == family)
        return np.logical_or.reduce([np.zeros(self.defect.shape, bool), *masks])

    def areas(self, within: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """(instances,) pixels of every instance, only those `within` (H, W) when given."""
        if isinstance(self.instances, InstanceMaps):
            return self.instances.areas(within)
        masks = (instance.mask if within is None else instance.mask & within for instance in self.instances)
        return np.array([np.count_nonzero(mask) for mask in masks], dtype=np.int64)


class Annotation(Protocol):
    """Where the truth of a picture comes from; small and picklable, so that loader processes can carry it."""

    def read(self, shape: tuple[int, int], image_path: Path) -> Truth: ...


@dataclass(frozen=True)
class NothingThere:
    """A picture known to be good."""

    def read(self, shape: tuple[int, int], image_path: Path) -> Truth:
        return Truth(np.zeros(shape, bool))


@dataclass(frozen=True)
class Unknown:
    """A picture that nobody has labelled: asking for its truth is a mistake."""

    def read(self, shape: tuple[int, int], image_path: Path) -> Truth:
        raise SpecimenError(f"{image_path}: is unlabelled, so it can be neither trained on nor judged; leave it out")


@dataclass(frozen=True)
class MaskFile:
    """A mask picture of image size; `classes` names its values, None in it every other value above 0.

    Instances of a class are its 8-connected components.
    """

    path: Path
    classes: Mapping[int | None, str]

    def read(self, shape: tuple[int, int], image_path: Path) -> Truth:
        from skimage.measure import label

        values = _read_mask(self.path)
        if values.shape != shape:
            raise SpecimenError(
                f"{self.path}: is {values.shape[1]} × {values.shape[0]} pixels but its image {image_path.name} is "
                f"{shape[1]} × {shape[0]}; export the mask at image size"
            )
        named = [value for value in self.classes if value is not None]
        unnamed = (values > 0) & ~np.isin(values, named)
        if None not in self.classes and unnamed.any():
            raise SpecimenError(
                f"{self.path}: holds the value {values[unnamed][0]}; expected 0 and {', '.join(map(str, named))} only; "
                "mend or remove this mask"
            )
        components = np.zeros(shape, np.int32)
        entries: list[tuple[Family, int, str]] = []
        for value, class_name in self.classes.items():
            found, count = label(unnamed if value is None else values == value, connectivity=2, return_num=True)
            components[found > 0] = found[found > 0] + len(entries)
            entries += [("defect", len(entries) + k + 1, class_name) for k in range(count)]
        return Truth(components > 0, InstanceMaps({"defect": components}, entries))


@dataclass(frozen=True)
class FrameOfDataset:
    """The exact instance maps of one frame of a Blemish dataset."""

    dataset: Path
    index: int

    def read(self, shape: tuple[int, int], image_path: Path) -> Truth:
        from scenes.datasets.dataset import Frame

        frame = Frame(self.dataset, self.index)
        maps: dict[Family, NDArray[np.integer]] = {"defect": frame.defects, "impurity": frame.impurities}
        entries: list[tuple[Family, int, str]] = [(i.family, i.id, i.class_name) for i in frame.instances]
        # An instance out of sight, or wholly covered by a later one, is nothing that could be found or missed.
        seen = InstanceMaps(maps, entries).areas() > 0
        return Truth(maps["defect"] > 0, InstanceMaps(maps, [e for e, kept in zip(entries, seen, strict=True) if kept]))


@dataclass(frozen=True)
class Specimen:
    """One picture of one inspected surface.

    name: unique within its source; group: the physical surface, which a split must not part; label: "good",
    "unlabelled", or the classes of its defects joined by "+"; split: the source's own word ("train", "test") or "".
    """

    name: str
    group: str
    label: str
    image_path: Path
    annotation: Annotation = field(default_factory=NothingThere)
    split: str = ""

    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) RGB; grey is repeated, 16 bits are scaled to 8, transparent is black. Raises SpecimenError."""
        return _read_picture(self.image_path)[0]

    def seen(self) -> NDArray[np.bool_] | None:
        """(H, W) where the picture is not wholly transparent: the rest is no surface; None where all of it is seen."""
        with _opened(self.image_path) as image:
            if not image.has_transparency_data:
                return None
        return _read_picture(self.image_path)[1]

    def truth(self) -> Truth:
        """The masks, read now. Raises SpecimenError when they are missing, damaged, of another size or unknown."""
        with _opened(self.image_path) as image:
            width, height = image.size
        return self.annotation.read((height, width), self.image_path)


def read_specimens(path: Path | str, format: Format = "auto", *, unlabelled: bool = False) -> list[Specimen]:
    """Every specimen of a folder, in a fixed order, without decoding a picture.

    `auto` tells the formats apart by the files that lie there. Pictures that their source leaves unlabelled (the
    earlier views `no_pit` of ballscrew_pitting, on which pits may already be) are left out unless `unlabelled`; then
    their label is "unlabelled", so that they never count as good, and their truth raises.

    Raises SpecimenError: nothing of any format found, empty folder, manifest, picture or mask missing.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise SpecimenError(f"{folder}: is no folder; give a dataset's folder")
    if format == "auto":
        format = _detect(folder)
    if format == "blemish":
        specimens = _read_blemish(folder)
    elif format == "mvtec":
        specimens = _read_mvtec(folder)
    elif format in REAL_SETS:
        specimens = _read_real_set(folder, format)
    else:
        raise SpecimenError(f"{format}: is no dataset format; choose auto, blemish, mvtec, {', '.join(REAL_SETS)}")
    specimens = [s for s in specimens if unlabelled or s.label != UNLABELLED]
    if not specimens:
        raise SpecimenError(f"{folder}: holds no picture for the format {format}; check the path")
    return specimens


def split_by_group(specimens: Sequence[Specimen], fractions: Sequence[float], seed: int) -> list[list[Specimen]]:
    """Disjoint lists of about the given shares, whose groups are never parted; the same seed gives the same lists.

    fractions: non-negative, summing to at most 1; what they leave over goes nowhere. Every group goes where specimens
    of its kind (good, defective) are most wanting, largest groups first, in an order that the seed decides among
    equals; so each list gets its share of good and of defective specimens as well as the groups allow.
    """
    shares = np.asarray([*fractions, max(0.0, 1 - sum(fractions))])
    if not len(fractions) or (shares < 0).any() or sum(fractions) > 1 + 1e-9:
        raise SpecimenError(f"fractions {tuple(fractions)}: expected non-negative numbers that sum to at most 1")
    groups: dict[str, list[int]] = {}
    for index, specimen in enumerate(specimens):
        groups.setdefault(specimen.group, []).append(index)
    counts = {g: Counter(specimens[i].label == GOOD for i in members) for g, members in groups.items()}
    vectors = {g: np.array([c[True], c[False]], float) for g, c in counts.items()}
    wanted = shares[:, None] * np.sum(list(vectors.values()), axis=0) if vectors else np.zeros((len(shares), 2))
    names = sorted(groups)
    np.random.default_rng(seed).shuffle(names)
    parts: list[list[int]] = [[] for _ in shares]
    scale = np.maximum(wanted.sum(axis=0), 1)
    for name in sorted(names, key=lambda g: -len(groups[g])):
        # The growth of the squared relative shortfall is linear in what is still wanted: choose the largest shortfall.
        need = (wanted - vectors[name] / 2) / scale @ (vectors[name] / scale)
        open_parts = np.flatnonzero(shares > 0)
        chosen = int(open_parts[np.argmax(need[open_parts])])
        wanted[chosen] -= vectors[name]
        parts[chosen] += groups[name]
    return [[specimens[i] for i in sorted(part)] for part in parts[: len(fractions)]]


def _detect(folder: Path) -> Format:
    if (folder / "dataset.json").is_file():
        return "blemish"
    if (folder / "train").is_dir() or (folder / "test").is_dir():
        return "mvtec"
    if folder.resolve().name in REAL_SETS:
        return folder.resolve().name  # type: ignore[return-value]
    if not any(folder.iterdir()):
        raise SpecimenError(f"{folder}: is empty; give a folder that holds a dataset")
    raise SpecimenError(
        f"{folder}: no dataset recognised; looked for dataset.json (Blemish), train/ or test/ (MVTec AD) and a folder "
        f"called {', '.join(REAL_SETS)}; name its kind with --format"
    )


def _read_blemish(folder: Path) -> list[Specimen]:
    from scenes.datasets.dataset import Dataset

    dataset = Dataset(folder)
    # Frames of twin datasets (same recipe, seed and number) show the same surface: one group. So do those made of one
    # photograph, and what was refined or varied shows the surface of the frame it began with.
    surfaces = f"{dataset.header.recipe.get('name')}/{dataset.seed}"
    specimens = []
    for frame in dataset:
        defects = {i.id: i.class_name for i in frame.instances if i.family == "defect"}
        # Only what the camera sees makes a frame defective, so the mask decides; without defects it is not decoded.
        visible = {defects[number] for number in np.unique(frame.defects).tolist() if number} if defects else set()
        number = f"{frame.index:06d}"
        annotation = FrameOfDataset(folder, frame.index)
        label = "+".join(sorted(visible)) or GOOD
        part = frame.scene.part
        began = frame.refinement["parents"][-1]["frame"] if frame.refinement else frame.index
        group = f"photo/{part.sha256}" if part.kind == "photo" else f"{surfaces}/{began:06d}"
        specimens.append(Specimen(number, group, label, frame.image_path, annotation))
    return specimens


def _read_mvtec(folder: Path) -> list[Specimen]:
    specimens = []
    for split in ("train", "validation", "test"):
        for class_folder in _folders(folder / split):
            for picture in _pictures(class_folder):
                good = class_folder.name == GOOD
                annotation: Annotation = NothingThere()
                if not good:
                    annotation = MaskFile(_mvtec_mask(folder, picture), {None: class_folder.name})
                name = picture.relative_to(folder).with_suffix("").as_posix()
                group = f"{folder.resolve().name}/{name}"  # the format names no surfaces: every picture is one
                specimens.append(Specimen(name, group, class_folder.name, picture, annotation, split))
    return specimens


def _mvtec_mask(folder: Path, picture: Path) -> Path:
    expected = folder / "ground_truth" / picture.parent.name / f"{picture.stem}_mask.png"
    if not expected.is_file():
        raise SpecimenError(
            f"{expected}: the mask of {picture.relative_to(folder)} is missing; add it, or drop the image"
        )
    return expected


@dataclass(frozen=True)
class RealSet:
    """How one of the real sets names things: labels of the manifest, and what the values of its masks mean."""

    classes: Callable[[str], Mapping[int | None, str]]
    label: Callable[[str], str] = str


_NEU: dict[int | None, str] = {1: "inclusion", 2: "patch", 3: "scratch"}
_PCB = {"1": "open", "2": "short", "3": "mousebite", "4": "spur", "5": "spurious_copper", "6": "pin_hole"}


def _neu_label(label: str) -> str:
    return "+".join(_NEU[int(value)] for value in label.split("+"))


def _pcb_label(label: str) -> str:
    return GOOD if label == "template" else "+".join(_PCB[value] for value in label.split("+"))


REAL_SETS: dict[str, RealSet] = {
    "magnetic_tile": RealSet(lambda label: {None: label}, lambda label: GOOD if label == "Free" else label),
    "crackforest": RealSet(lambda label: {None: label}),
    "ballscrew_pitting": RealSet(lambda label: {None: label}, lambda label: UNLABELLED if label == "no_pit" else label),
    "neu_seg_dedup": RealSet(lambda label: _NEU, _neu_label),
    # The masks of DeepPCB are binary and an image mixes types, so that no instance's own type is known.
    "deeppcb": RealSet(lambda label: {None: "pcb_defect"}, _pcb_label),
}
MANIFEST_COLUMNS = ("set", "group", "label", "image", "mask")


def _read_real_set(folder: Path, name: str) -> list[Specimen]:
    import csv

    manifest = folder.resolve().parent / "manifest.csv"
    if not manifest.is_file():
        raise SpecimenError(
            f"{manifest}: is missing; the real set {name} is read through the manifest beside its folder"
        )
    try:
        with manifest.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = set(MANIFEST_COLUMNS) - set(reader.fieldnames or ())
            rows = [] if missing else [row for row in reader if row["set"] == name]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SpecimenError(f"{manifest}: is no table of comma-separated values ({error}); restore it") from error
    if missing:
        raise SpecimenError(f"{manifest}: lacks the columns {', '.join(sorted(missing))}; restore it")
    real_set = REAL_SETS[name]
    specimens = []
    for row in rows:
        if any(row[column] is None for column in MANIFEST_COLUMNS):
            raise SpecimenError(
                f"{manifest}: a line of {name} has fewer than {len(MANIFEST_COLUMNS)} columns; restore it"
            )
        try:
            label = real_set.label(row["label"])
        except (KeyError, ValueError):
            raise SpecimenError(
                f"{manifest}: {row['image']} has the unknown label {row['label']}; restore it"
            ) from None
        annotation: Annotation
        if label in (GOOD, UNLABELLED):
            annotation = NothingThere() if label == GOOD else Unknown()
        elif row["mask"]:
            annotation = MaskFile(_listed(folder, row["mask"], manifest), real_set.classes(row["label"]))
        else:
            raise SpecimenError(f"{manifest}: {row['image']} is labelled {row['label']} but has no mask; add its mask")
        image_path = _listed(folder, row["image"], manifest)
        specimens.append(Specimen(Path(row["image"]).stem, f"{name}/{row['group']}", label, image_path, annotation))
    return sorted(specimens, key=lambda s: s.name)


def _listed(folder: Path, name: str, manifest: Path) -> Path:
    path = folder / name
    if Path(name).name != name:
        raise SpecimenError(f"{manifest}: names {name}, which is not a plain file name in {folder}; restore it")
    if not path.is_file():
        raise SpecimenError(f"{path}: is listed in {manifest.name} but missing; restore it or remove its line")
    return path


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []


def _pictures(folder: Path) -> Iterator[Path]:
    return (p for p in sorted(folder.iterdir()) if p.suffix.lower() in PICTURES)


def _opened(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except FileNotFoundError:
        raise SpecimenError(f"{path}: is missing; restore it") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SpecimenError(
            f"{path}: is no picture that can be read ({_brief(error)}); replace or remove it"
        ) from error


def _decoded(path: Path) -> Image.Image:
    image = _opened(path)
    try:
        image.load()
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise SpecimenError(f"{path}: is truncated or damaged ({_brief(error)}); replace or remove it") from error
    return image


def _brief(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _read_picture(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    image = _decoded(path)
    if image.mode == "F" or image.mode.startswith("I"):
        levels = np.asarray(image)
        if image.mode == "F" or levels.min() < 0 or levels.max() > 65535:
            raise SpecimenError(f"{path}: holds values beyond 16 bits (mode {image.mode}); save it with 8 or 16 bits")
        grey = ((levels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2), None
    if not image.has_transparency_data:
        return np.array(image.convert("RGB")), None
    values = np.array(image.convert("RGBA"))
    seen = values[..., 3] > 0
    values[~seen] = 0
    return values[..., :3].copy(), seen


def _read_mask(path: Path) -> NDArray[np.integer]:
    image = _decoded(path)
    values = np.asarray(image.convert("L") if image.mode == "P" else image)
    if values.ndim == 3:
        values = values[..., :3].max(axis=2) if values.shape[2] >= 3 else values[..., 0]
    return values.astype(np.int32)
