"""Points of a surface, the layers that lie on it, and how they stack into maps.

A layer is a pure function of surface points: what it says about a point never depends on which other points are asked
for. Its mask and its appearance come from the same evaluation, so that picture and annotation cannot disagree.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.errors import BlemishError
from procgen.surface.tiles import over_tiles

Family = Literal["defect", "impurity"]
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

HIGHEST_CLASS_BIT = 15  # class masks are 16-bit pictures on disk
MOST_INSTANCES = 65535  # and so are instance maps, where 0 is the background
FINISH_TILE = 65536  # points; a finish has more to set up than a noise


@dataclass(frozen=True)
class SurfacePoints:
    """Places on a surface, each with its local frame.

    positions: (N, 3) metres in the frame of the part. normals: (N, 3) unit, outward. tangents: (N, 3) unit, the
    direction of growing u. shape: (rows, columns) where the points are the texel centres of a grid, row-major, row 0 at
    v = 0. spacing: metres between the rows (along the bitangent) and the columns (along the tangent) of that grid, or
    of the grids that points without a shape were taken from. on_part: (N,) False for points beyond the border of the
    part, where layers have no mask; None where there are none.
    Raises BlemishError where the arrays disagree or hold values that are not finite.
    """

    positions: Floats
    normals: Floats
    tangents: Floats
    shape: tuple[int, int] | None = None
    spacing: tuple[float, float] | None = None
    on_part: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        count = len(self.positions)
        for name in ("positions", "normals", "tangents"):
            array = getattr(self, name)
            if array.shape != (count, 3):
                raise BlemishError(f"surface points: {name} has shape {array.shape}; expected ({count}, 3)")
            with np.errstate(invalid="ignore"):
                total = array.sum()  # no NaN and no infinity gets lost in a sum, and it makes no array
            if not np.isfinite(total):
                raise BlemishError(f"surface points: {name} holds NaN or infinite values; expected finite numbers")
        if self.shape is not None and self.spacing is None:
            raise BlemishError("surface points: a grid needs both its shape and its spacing; found only its shape")
        if self.on_part is not None and self.on_part.shape != (count,):
            raise BlemishError(f"surface points: on_part has shape {self.on_part.shape}; expected ({count},)")
        if self.shape is not None and self.shape[0] * self.shape[1] != count:
            raise BlemishError(f"surface points: found {count} points for a grid of {self.shape}; expected its product")

    @classmethod
    def of(cls, points: "SurfacePoints | ArrayLike") -> "SurfacePoints":
        """Take surface points as they are; read an (N, 3) array as points of a flat surface facing +z with u along +x.

        Raises BlemishError for any other shape and for values that are not finite numbers.
        """
        if isinstance(points, SurfacePoints):
            return points
        try:
            positions = np.asarray(points, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise BlemishError(f"surface points: expected an (N, 3) array of numbers in metres ({error})") from None
        if positions.ndim != 2 or positions.shape[1] != 3:
            raise BlemishError(f"surface points: found an array of shape {positions.shape}; expected (N, 3), in metres")
        return cls(
            positions=positions,
            normals=np.broadcast_to(np.array([0.0, 0.0, 1.0]), positions.shape),
            tangents=np.broadcast_to(np.array([1.0, 0.0, 0.0]), positions.shape),
        )

    @cached_property
    def bitangents(self) -> Floats:
        """(N, 3) unit vectors normal × tangent: the direction of growing v."""
        if self.normals.strides[0] == self.tangents.strides[0] == 0 < len(self):  # a plane: the same frame everywhere
            return np.broadcast_to(np.cross(self.normals[0], self.tangents[0]), self.normals.shape)
        return np.cross(self.normals, self.tangents)

    def tile(self, which: slice) -> "SurfacePoints":
        """Some of the points; they are no grid any more."""
        on_part = None if self.on_part is None else self.on_part[which]
        return replace(
            self,
            positions=self.positions[which],
            normals=self.normals[which],
            tangents=self.tangents[which],
            shape=None,
            on_part=on_part,
        )

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True)
class LayerSample:
    """What one layer does at N points: each quantity is added to what its opacity leaves of the same quantity below.

    inside: (N,) bool, the mask. instance: (N,) int64, 0 outside, else a positive id that belongs to the layer alone.
    height: (N,) metres. reflectance: change of the base colour, (N,) the same in every channel or (N, 3) linear red,
    green, blue. roughness, metallic: (N,). opacity: (N,) share of the surface below that the layer hides, relief and
    all; what covers the surface with a colour of its own has the reflectance opacity x colour.
    """

    inside: NDArray[np.bool_]
    instance: NDArray[np.int64]
    height: Singles
    reflectance: Singles
    roughness: Singles
    metallic: Singles
    opacity: Singles

    @classmethod
    def blank(cls, count: int, *, coloured: bool = False) -> Self:
        """A sample of `count` points that the layer does not touch, for the layer to fill in.

        coloured: with a reflectance of shape (count, 3).
        """
        height, roughness, metallic, opacity = np.zeros((4, count), dtype=np.float32)
        reflectance = np.zeros((count, 3) if coloured else count, dtype=np.float32)
        inside, instance = np.zeros(count, dtype=bool), np.zeros(count, dtype=np.int64)
        return cls(inside, instance, height, reflectance, roughness, metallic, opacity)


class Layer(Protocol):
    """A defect or an impurity as a field over the surface."""

    @property
    def family(self) -> Family: ...

    @property
    def class_name(self) -> str: ...

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample: ...


@dataclass(frozen=True)
class FinishSample:
    """The bare surface at N points: height (N,) m, base_colour (N, 3) linear, roughness (N,), metallic (N,).

    lay: (N, 3) unit vectors along the machining marks where they turn from place to place, as on a turned face;
    None where the finish's `lay_direction` holds everywhere.
    """

    height: Singles
    base_colour: Singles
    roughness: Singles
    metallic: Singles
    lay: Singles | None = None


class Finish(Protocol):
    """The surface as manufactured, before anything happened to it.

    anisotropy: 0 to 1, as Blender's Principled shader has it. lay_direction: vector along the machining marks, for
    anisotropy alone. coat: weight of a clear coat, 0 to 1.
    """

    @property
    def anisotropy(self) -> float: ...

    @property
    def lay_direction(self) -> tuple[float, float, float]: ...

    @property
    def coat(self) -> float: ...

    def evaluate(self, points: SurfacePoints | ArrayLike) -> FinishSample: ...


@dataclass(frozen=True)
class Instance:
    """One connected thing in an instance map: its id there, its family and its class."""

    id: int
    family: Family
    class_name: str


@dataclass(frozen=True)
class SurfaceMaps:
    """A finished surface. Arrays are (rows, columns[, 3]) where the points were a grid, otherwise (N[, 3]).

    height: m. base_colour: linear, 0 to 1. roughness, metallic: 0 to 1. normal: unit, frame of the part.
    lay: unit, along the machining marks, None where the finish has one direction everywhere.
    classes: uint16, bit k set where class k is. defects, impurities: uint16 instance ids from 1, 0 where there is none.
    """

    height: Singles
    base_colour: Singles
    roughness: Singles
    metallic: Singles
    normal: Singles
    classes: NDArray[np.uint16]
    defects: NDArray[np.uint16]
    impurities: NDArray[np.uint16]
    instances: tuple[Instance, ...]
    lay: Singles | None = None


@dataclass(frozen=True)
class SurfaceOverlay:
    """What layers do to any surface that they lie on, at N points or (rows, columns) texels.

    Each quantity becomes `kept` times what it is below plus what stands here, within its bounds: base colour by
    reflectance (..., 3), height (m), roughness, metallic. The rest: see `SurfaceMaps`.
    """

    kept: Singles
    height: Singles
    reflectance: Singles
    roughness: Singles
    metallic: Singles
    classes: NDArray[np.uint16]
    defects: NDArray[np.uint16]
    impurities: NDArray[np.uint16]
    instances: tuple[Instance, ...]


def compose(
    points: SurfacePoints | ArrayLike, finish: Finish, layers: Iterable[Layer], class_bits: Mapping[str, int]
) -> SurfaceMaps:
    """Evaluate a finish and stack layers in order on it; see `stack`."""
    points = SurfacePoints.of(points)
    return stack(points, evaluated(finish, points), layers, class_bits)


def stack(
    points: SurfacePoints, bare: FinishSample, layers: Iterable[Layer], class_bits: Mapping[str, int]
) -> SurfaceMaps:
    """Stack layers in order on a bare surface, whose arrays become those of the maps.

    Class bits of overlapping layers are kept both; in the instance map of a family the later layer wins. Instances that
    can still be seen there are numbered from 1 in the order of (layer, its own id). `class_bits`: class name -> bit.
    Raises BlemishError for a class without a bit, a bit beyond 15, or more than 65,535 instances of a family.
    """
    height = bare.height.astype(np.float64)
    base_colour, roughness, metallic = bare.base_colour, bare.roughness, bare.metallic
    marks = _lay(points, layers, class_bits, height, base_colour, roughness, metallic)
    grid = points.shape if points.shape is not None else (len(points),)
    return SurfaceMaps(
        height=height.astype(np.float32).reshape(grid),
        base_colour=np.clip(base_colour, 0.0, 1.0, out=base_colour).reshape(*grid, 3),
        roughness=np.clip(roughness, 0.0, 1.0, out=roughness).reshape(grid),
        metallic=np.clip(metallic, 0.0, 1.0, out=metallic).reshape(grid),
        normal=_normals(points, height).reshape(*grid, 3),
        classes=marks.classes.reshape(grid),
        defects=marks.defects.reshape(grid),
        impurities=marks.impurities.reshape(grid),
        instances=marks.instances,
        lay=None if bare.lay is None else bare.lay.reshape(*grid, 3),
    )


def overlay(points: SurfacePoints, layers: Iterable[Layer], class_bits: Mapping[str, int]) -> SurfaceOverlay:
    """Stack layers in order on a surface that is known to somebody else. Raises BlemishError as `stack` does."""
    count = len(points)
    height, kept = np.zeros(count), np.ones(count, dtype=np.float32)
    roughness, metallic = np.zeros((2, count), dtype=np.float32)
    reflectance = np.zeros((count, 3), dtype=np.float32)
    marks = _lay(points, layers, class_bits, height, reflectance, roughness, metallic, kept)
    return SurfaceOverlay(
        kept,
        height.astype(np.float32),
        reflectance,
        roughness,
        metallic,
        marks.classes,
        marks.defects,
        marks.impurities,
        marks.instances,
    )


@dataclass(frozen=True)
class _Marks:
    """Which classes and instances are where, (N,) each, and what the instances are."""

    classes: NDArray[np.uint16]
    defects: NDArray[np.uint16]
    impurities: NDArray[np.uint16]
    instances: tuple[Instance, ...]


def _lay(
    points: SurfacePoints,
    layers: Iterable[Layer],
    class_bits: Mapping[str, int],
    height: Floats,
    reflectance: Singles,
    roughness: Singles,
    metallic: Singles,
    kept: Singles | None = None,
) -> _Marks:
    """Change a surface's quantities, in place, into what layers make of them.

    kept: multiplied by the share of the surface below that the layers leave to be seen.
    """
    classes = np.zeros(len(points), dtype=np.uint16)
    families: dict[Family, _InstanceMap] = {"defect": _InstanceMap(len(points)), "impurity": _InstanceMap(len(points))}
    for layer in layers:
        sample = layer.evaluate(points)
        if points.on_part is not None:
            sample = replace(sample, inside=sample.inside & points.on_part)
        if sample.opacity.any():
            left = 1.0 - sample.opacity
            height *= left
            reflectance *= left[:, np.newaxis]
            roughness *= left
            metallic *= left
            if kept is not None:
                kept *= left
        height += sample.height
        reflectance += sample.reflectance.reshape(len(points), -1)
        roughness += sample.roughness
        metallic += sample.metallic
        classes[sample.inside] |= np.uint16(1 << _bit(layer.class_name, class_bits))
        families[layer.family].cover(sample, layer.class_name)
    defects, defect_instances = families["defect"].numbered("defect")
    impurities, impurity_instances = families["impurity"].numbered("impurity")
    return _Marks(classes, defects, impurities, defect_instances + impurity_instances)


def evaluated(finish: Finish, points: SurfacePoints) -> FinishSample:
    """The finish at the points, tile by tile; the arrays are nobody else's."""
    count = len(points)
    height, roughness, metallic = np.empty((3, count), dtype=np.float32)
    base_colour, lay = np.empty((2, count, 3), dtype=np.float32)
    has_lay = False

    def fill(which: slice) -> None:
        nonlocal has_lay
        sample = finish.evaluate(points.tile(which))
        height[which], roughness[which], metallic[which] = sample.height, sample.roughness, sample.metallic
        base_colour[which] = sample.base_colour
        if sample.lay is not None:
            lay[which], has_lay = sample.lay, True

    over_tiles(count, fill, FINISH_TILE)
    return FinishSample(height, base_colour, roughness, metallic, lay if has_lay else None)


class _InstanceMap:
    """The instances of one family while layers are still being laid over each other."""

    def __init__(self, count: int) -> None:
        self.layer = np.full(count, -1, dtype=np.int32)  # which layer is on top, -1 for none
        self.raw = np.zeros(count, dtype=np.int64)  # and which of its own instances
        self.class_names: list[str] = []

    def cover(self, sample: LayerSample, class_name: str) -> None:
        self.layer[sample.inside] = len(self.class_names)
        self.raw[sample.inside] = sample.instance[sample.inside]
        self.class_names.append(class_name)

    def numbered(self, family: Family) -> tuple[NDArray[np.uint16], tuple[Instance, ...]]:
        numbers = np.zeros(len(self.raw), dtype=np.uint16)
        instances: list[Instance] = []
        for layer, class_name in enumerate(self.class_names):
            on_top = np.flatnonzero(self.layer == layer)
            raw_ids, rank = np.unique(self.raw[on_top], return_inverse=True)
            if len(instances) + len(raw_ids) > MOST_INSTANCES:
                raise BlemishError(
                    f"the surface carries more than {MOST_INSTANCES} instances of the {family} family, the most that a "
                    f"16-bit map can number; class {class_name!r} is the one too many: lower its density"
                )
            numbers[on_top] = len(instances) + 1 + rank
            instances += [Instance(len(instances) + 1 + i, family, class_name) for i in range(len(raw_ids))]
        return numbers, tuple(instances)


def _bit(class_name: str, class_bits: Mapping[str, int]) -> int:
    if class_name not in class_bits:
        known = ", ".join(sorted(class_bits)) or "none"
        raise BlemishError(f"class {class_name!r} has no bit in the class mask; classes with a bit: {known}")
    bit = class_bits[class_name]
    if not 0 <= bit <= HIGHEST_CLASS_BIT:
        raise BlemishError(f"class {class_name!r} has bit {bit}; a class mask holds bits 0 to {HIGHEST_CLASS_BIT}")
    return bit


def _normals(points: SurfacePoints, height: Floats) -> Singles:
    """Tilt the normals of a grid by the slope of its height; the normals themselves where there is no grid."""
    if points.shape is None or points.spacing is None or min(points.shape) < 2:
        return points.normals.astype(np.float32)
    slope_v, slope_u = (slope.reshape(-1) for slope in np.gradient(height.reshape(points.shape), *points.spacing))
    tilted = np.empty((len(points), 3), dtype=np.float32)

    def tilt(which: slice) -> None:
        up, right = slope_v[which], slope_u[which]
        shorter = 1.0 / np.sqrt(1.0 + right**2 + up**2)  # over its length, because the frame is orthonormal
        for axis in range(3):
            normal, tangent = points.normals[which, axis], points.tangents[which, axis]
            tilted[which, axis] = shorter * (normal - right * tangent - up * points.bitangents[which, axis])

    over_tiles(len(points), tilt)
    return tilted
