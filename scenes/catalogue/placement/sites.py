"""Where the things of one entry of a recipe may lie: apart from each other, off other things, at them or along them.

A recipe says it in `placement`. What is already there is read from the masks of the layers drawn before, so that it
holds for every kind. Clearances run in space to the edge of a thing where its extent is known when it is placed: a
thing that is round, or fits a circle, has a reach round its place; a line has points along it. Other places are that of
a thing's middle, or of the start of a line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from procgen.surface.layer import SurfacePoints
from procgen.surface.placement import distance_to_border
from scenes.catalogue.layer_model import DrawnLayer, LayerRecipeModel
from scenes.geometry.atlas import Chart, Floats
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Fine, RecipeModel, exactly_when, together
from scenes.quantities.units import MM

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

Place = tuple[float, float]
Placeable = TypeVar("Placeable")
Clearance = Annotated[float, Field(strict=True, ge=0, le=1000)]  # mm

MASK_POINTS = 200_000  # of a chart at which masks are looked up: every .08 mm on a plate of 40 x 34 mm
CURVATURE_POINTS = 32  # a side, among which the sharpest bend of a chart is found
CURVATURE_STEP = 1e-3  # of the chart's size, over which its normals are compared
ON_THE_BORDER = ("edge", "ends", "across")  # origins of things that begin there
MOST_ATTEMPTS = 300  # to find room; what finds none is left out


class Placement(RecipeModel):
    """Where on the surface the things of an entry lie.

    kind: uniform over the area; poisson_disk, likewise but spacing_mm from middle to middle; edge, the denser the
    nearer to the border, falling to 1/e at reach_mm from it; curvature, in proportion to how sharply the surface bends;
    at, in the middle of a thing of the kind `of`; along, anywhere on one. margin_mm: off the border. keep_off_mm: kind
    -> off its masks.
    """

    kind: Literal["uniform", "poisson_disk", "edge", "curvature", "at", "along"] = Field(
        "uniform", description="How they choose their places"
    )
    spacing_mm: Annotated[Distribution, Within(0, 1000)] = Field(
        Constant(0.0), description="How far apart they lie at least"
    )
    margin_mm: Annotated[Distribution, Within(0, 1000)] = Field(
        Constant(0.0), description="How far they keep off the border"
    )
    reach_mm: Fine | None = Field(
        None,
        json_schema_extra=exactly_when(kind=("edge",)),
        description="They lie the denser the nearer to the border, a third as dense at this distance",
    )
    of: str | None = Field(
        None,
        json_schema_extra=exactly_when(kind=("at", "along")),
        title="Thing",
        description="The kind of thing, of those listed above, that these lie at or along",
    )
    keep_off_mm: dict[str, Clearance] = Field(
        default_factory=dict, description="Things that were drawn before, which these keep away from"
    )

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if self.kind == "poisson_disk" and self.spacing_mm.low <= 0:
            raise together("found kind: poisson_disk without spacing_mm; expected how far apart things lie at least")
        if (self.reach_mm is None) == (self.kind == "edge"):
            found = "without" if self.reach_mm is None else "with"
            raise together(
                f"found kind: {self.kind} {found} reach_mm; expected reach_mm with kind: edge, and only there"
            )
        if (self.of is None) == (self.kind in ("at", "along")):
            found = "without" if self.of is None else "with"
            raise together(f"found kind: {self.kind} {found} of; expected of, a kind, with kind: at or along alone")
        return self


class PlacedRecipeModel(LayerRecipeModel):
    """Base of everything that a recipe counts and places."""

    placement: Placement | None = Field(None, description="Say where on the surface they lie")

    @property
    def refers_to(self) -> tuple[str, ...]:
        """The kinds of entry that must be drawn before."""
        if self.placement is None:
            return ()
        return (*self.placement.keep_off_mm, *([self.placement.of] if self.placement.of is not None else []))

    @model_validator(mode="after")
    def _placed_within(self) -> Self:
        origin = getattr(self, "origin", "anywhere")
        kind = "uniform" if self.placement is None else self.placement.kind
        if origin in ON_THE_BORDER and kind not in ("uniform", "poisson_disk"):
            raise together(
                f"found origin: {origin} with a placement of kind: {kind}; expected origin: anywhere, "
                "for the border and that placement cannot both say where it lies"
            )
        return self


@dataclass(frozen=True)
class MaskPoints:
    """Where the masks of some layers are: (N, 2) metres on the chart, (N, 3) in space, and which thing (N,) each is."""

    uv: Floats
    positions: Floats
    thing: NDArray[np.int64]

    @classmethod
    def of(cls, surface: Chart, layers: Iterable[DrawnLayer]) -> MaskPoints:
        """Look the layers of one chart up on a grid over it."""
        width, height = surface.size
        spacing = math.sqrt(width * height / MASK_POINTS)
        columns, rows = (max(2, round(extent / spacing)) for extent in (width, height))
        u, v = (np.arange(columns) + 0.5) * width / columns, (np.arange(rows) + 0.5) * height / rows
        uv = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
        uv = uv[surface.covers(uv)]
        points = SurfacePoints(surface.embed(uv), surface.normals(uv), surface.tangents(uv))
        found, things = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        for layer in layers:
            sample = layer.to_layer(surface).evaluate(points)
            inside = np.flatnonzero(sample.inside)
            _, number = np.unique(sample.instance[inside], return_inverse=True)
            things.append(number + 1 + max(int(some.max(initial=0)) for some in things))
            found.append(inside)
        inside = np.concatenate(found)
        return cls(uv[inside], points.positions[inside], np.concatenate(things))

    def __len__(self) -> int:
        return len(self.uv)


@dataclass(frozen=True)
class Extent:
    """How far a thing reaches (m) round its place, or to both sides of a line, (N, 2) m of points on the chart."""

    reach: float = 0.0
    line: Floats | None = None


@dataclass
class Site:
    """Where the things of one entry may lie in one frame; it remembers where they went.

    spacing, margin, reach: m; see Placement. hosts: what to lie at or along. obstacles: trees of positions (N, 3) m to
    keep off, each with a clearance (m). places: (3,) m of what has been placed, None for what found no room.
    """

    kind: str = "uniform"
    spacing: float = 0.0
    margin: float = 0.0
    reach: float = 0.0
    hosts: MaskPoints | None = None
    obstacles: tuple[tuple[cKDTree, float], ...] = ()
    places: list[Floats | None] = field(default_factory=list)

    def candidate(self, surface: Chart, stream: RandomStream) -> Place:
        """A place that may be found to suit or not."""
        if self.hosts is None or not len(self.hosts):
            return surface.size[0] * stream.chance("place.u"), surface.size[1] * stream.chance("place.v")
        chance = stream.chance("place.host")
        if self.kind == "along":
            u, v = self.hosts.uv[int(chance * len(self.hosts))].tolist()
            return u, v
        things = np.unique(self.hosts.thing)
        host = self.hosts.uv[self.hosts.thing == things[int(chance * len(things))]]
        u, v = host[np.argmin(((host - host.mean(axis=0)) ** 2).sum(axis=1))].tolist()
        return u, v

    def suits(
        self, surface: Chart, place: Place, stream: RandomStream, extent: Extent, *, on_border: bool = False
    ) -> bool:
        """Whether a thing of such an extent may lie there."""
        if self.hosts is not None and not len(self.hosts):
            return False
        uv = np.array([place])
        if not on_border and (self.margin > 0.0 or self.kind == "edge"):
            inwards = float(distance_to_border(uv, _border(surface))[0])
            if inwards < self.margin + extent.reach:
                return False
            if self.kind == "edge" and stream.chance("place.kept") >= math.exp(-inwards / self.reach):
                return False
        if self.kind == "curvature" and stream.chance("place.kept") >= _relative_curvature(surface, uv):
            return False
        position = surface.embed(uv)[0]
        placed = [other for other in self.places if other is not None]
        if self.spacing > 0.0 and placed and np.linalg.norm(np.array(placed) - position, axis=1).min() < self.spacing:
            return False
        if not self.obstacles:
            return True
        middles = position[np.newaxis] if extent.line is None else surface.embed(extent.line)
        return all(tree.query(middles)[0].min() >= clearance + extent.reach for tree, clearance in self.obstacles)

    def with_room(self, layers: Sequence[Placeable]) -> Sequence[Placeable]:
        """Of the layers of the entry, one a thing, those that found room; all where one layer holds a population."""
        if len(layers) != len(self.places):
            return layers
        return [layer for layer, place in zip(layers, self.places, strict=True) if place is not None]

    def take(self, surface: Chart, place: Place | None) -> None:
        """Remember where the next thing went, or that it found no room."""
        self.places.append(None if place is None else surface.embed(np.array([place]))[0])


@dataclass(frozen=True)
class PlacedStream(RandomStream):
    """The randomness of an entry whose recipe says where its things may lie."""

    site: Site = field(default_factory=Site)


def site_of(stream: RandomStream) -> Site | None:
    """Where the things drawn with a stream may lie, if the recipe says so."""
    return stream.site if isinstance(stream, PlacedStream) else None


def site_for(
    placement: Placement,
    charts: Sequence[Chart],
    chart: int,
    earlier: Sequence[tuple[str, DrawnLayer, int]],
    stream: RandomStream,
) -> Site:
    """The site of an entry that lies on one of the charts of a part.

    earlier: the layers drawn before, each with the kind of its entry and the chart that it lies on.
    """

    from scipy.spatial import cKDTree

    def masks_of(kind: str, on: int) -> MaskPoints:
        layers = [layer for its_kind, layer, its_chart in earlier if (its_kind, its_chart) == (kind, on)]
        return MaskPoints.of(charts[on], layers)

    return Site(
        kind=placement.kind,
        spacing=MM * stream.draw("spacing_mm", placement.spacing_mm),
        margin=MM * stream.draw("margin_mm", placement.margin_mm),
        reach=0.0 if placement.reach_mm is None else MM * stream.draw("reach_mm", placement.reach_mm),
        hosts=None if placement.of is None else masks_of(placement.of, chart),
        obstacles=tuple(
            (cKDTree(np.concatenate([masks_of(kind, on).positions for on in range(len(charts))])), MM * clearance)
            for kind, clearance in placement.keep_off_mm.items()
        ),
    )


def _border(surface: Chart) -> Floats:
    if surface.outline is not None:
        return surface.outline
    width, height = surface.size
    return np.array([[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]])


def _curvature(surface: Chart, uv: Floats) -> Floats:
    """(N,) 1/m, how sharply the surface bends at (N, 2) chart points in the direction where it bends the most."""
    bends = []
    for step in CURVATURE_STEP * np.diag(surface.size):
        turned = surface.normals(uv + step) - surface.normals(uv - step)
        moved = np.linalg.norm(surface.embed(uv + step) - surface.embed(uv - step), axis=1)
        bends.append(np.linalg.norm(turned, axis=1) / np.maximum(moved, np.finfo(np.float64).tiny))
    result: Floats = np.maximum(*bends)
    return result


def _relative_curvature(surface: Chart, uv: Floats) -> float:
    """Curvature at a point over the sharpest of the chart; 1 where nothing bends."""
    share = (np.arange(CURVATURE_POINTS) + 0.5) / CURVATURE_POINTS
    everywhere = np.stack(np.meshgrid(share, share), axis=-1).reshape(-1, 2) * np.array(surface.size)
    everywhere = everywhere[surface.covers(everywhere)]
    sharpest = float(_curvature(surface, everywhere).max(initial=0.0))
    return 1.0 if sharpest <= 0.0 else float(_curvature(surface, uv)[0]) / sharpest
