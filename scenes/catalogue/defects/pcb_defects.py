"""What goes wrong with the copper of a printed circuit board: the six defects of DeepPCB and PKU-Market-PCB."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from procgen.boards.layout import ADDS, Board, CopperClass, CopperDefect, pour_distance
from procgen.errors import BlemishError
from procgen.surface.layer import Family, Layer
from scenes.catalogue.entry import DefectEntry
from scenes.catalogue.layer_model import LayerRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.parts.pcb import BoardChart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Count, Fraction, Severity
from scenes.quantities.scene_model import Positive, SceneModel

Floats = NDArray[np.float64]

Size = Annotated[Distribution, Within(0.01, 20)]  # mm
TRIES = 60  # places looked at before a defect is left out
FROM_PAD = 0.25e-3  # m that defects of masked tracks keep from pads, or they would be under no mask
LEAST = 0.15  # of its size, what remains of a defect at severity 0
WIDEST_GAP = 1.6e-3  # m between tracks that a short may bridge
STEPS = 64  # at which a short looks for the next net


class MissingHoleRecipe(LayerRecipeModel):
    """Pads whose hole was not drilled."""

    class_name: ClassVar[str] = "missing_hole"
    family: ClassVar[Family] = "defect"
    kind: Literal["missing_hole"]
    count: Count

    def sample(self, surface: Chart, stream: RandomStream) -> list[CopperLayer]:
        """The missing holes of one frame, at most as many as the board has holes."""
        board = board_of(surface, self.kind)
        drilled = np.flatnonzero(board.drills > 0)
        chosen = stream.at("place").generator().permutation(drilled)[: stream.whole("count", self.count)]
        return [
            CopperLayer(
                class_name="missing_hole",
                start=_point(board.pads[pad]),
                end=_point(board.pads[pad]),
                radius=1.5 * float(board.drills[pad]),
                raggedness=0.0,
                seed=0,
            )
            for pad in chosen.tolist()
        ]


class StrokeRecipeModel(LayerRecipeModel):
    """Base of the recipes of ragged strokes of copper, too much of it or too little."""

    family: ClassVar[Family] = "defect"
    if TYPE_CHECKING:
        count: Count
        raggedness: Fraction
        severity: Severity

    def sample(self, surface: Chart, stream: RandomStream) -> list[CopperLayer]:
        """The strokes of one frame for which the board has room."""
        board = board_of(surface, self.kind)
        found = (_one(self, board, stream.at(number)) for number in range(stream.whole("count", self.count)))
        return [layer for layer in found if layer is not None]


class MouseBiteRecipe(StrokeRecipeModel):
    """Bites out of a track's edge; severity: how much of the bite's depth the etchant reached."""

    class_name: ClassVar[str] = "mouse_bite"
    kind: Literal["mouse_bite"]
    count: Count
    depth: Annotated[Distribution, Within(0.05, 0.95)] = Field(
        Constant(0.55), description="Depth of the bite, as a share of the track's width"
    )
    raggedness: Fraction = Field(Constant(0.35), description="Unevenness of the outline")
    severity: Severity = Constant(1.0)


class OpenCircuitRecipe(StrokeRecipeModel):
    """Tracks cut through; severity: how far the gap has opened."""

    class_name: ClassVar[str] = "open_circuit"
    kind: Literal["open_circuit"]
    count: Count
    gap_mm: Size = Field(description="Width of the gap in the track")
    raggedness: Fraction = Field(Constant(0.35), description="Unevenness of the outline")
    severity: Severity = Constant(1.0)


class PinHoleRecipe(StrokeRecipeModel):
    """Holes in the midst of copper; severity: how large."""

    class_name: ClassVar[str] = "pin_hole"
    kind: Literal["pin_hole"]
    count: Count
    size_mm: Size = Field(description="Size from side to side")
    raggedness: Fraction = Field(Constant(0.5), description="Unevenness of the outline")
    severity: Severity = Constant(1.0)


class ShortRecipe(StrokeRecipeModel):
    """Bridges from one net to the next; severity: how wide the bridge is."""

    class_name: ClassVar[str] = "short"
    kind: Literal["short"]
    count: Count
    width_mm: Size = Field(description="Width of the bridge")
    raggedness: Fraction = Field(Constant(0.35), description="Unevenness of the outline")
    severity: Severity = Constant(1.0)


class SpurRecipe(StrokeRecipeModel):
    """Copper that sticks out of a track's edge; severity: how far."""

    class_name: ClassVar[str] = "spur"
    kind: Literal["spur"]
    count: Count
    length_mm: Size = Field(description="How far it sticks out")
    raggedness: Fraction = Field(Constant(0.35), description="Unevenness of the outline")
    severity: Severity = Constant(1.0)


class SpuriousCopperRecipe(StrokeRecipeModel):
    """Specks of copper that touch nothing; severity: how large."""

    class_name: ClassVar[str] = "spurious_copper"
    kind: Literal["spurious_copper"]
    count: Count
    size_mm: Size = Field(description="Size from side to side")
    raggedness: Fraction = Field(Constant(0.5), description="Unevenness of the outline")
    severity: Severity = Constant(1.0)


class CopperLayer(SceneModel):
    """One defect of a board's copper: a ragged stroke, metres from the board's middle."""

    kind: Literal["copper"] = "copper"
    class_name: CopperClass
    start: tuple[float, float]
    end: tuple[float, float]
    radius: Positive
    raggedness: float
    seed: int

    def to_layer(self, surface: Chart) -> Layer:
        """The defect on its board."""
        board = board_of(surface, self.class_name)
        return CopperDefect(board, self.class_name, self.start, self.end, self.radius, self.raggedness, self.seed)


ENTRIES = (
    DefectEntry(
        kind="missing_hole",
        recipe=MissingHoleRecipe,
        drawn=CopperLayer,
        title="Missing Hole",
        tooltip="A pad whose hole was not drilled",
        noun="missing hole",
        materials=frozenset({"board"}),
        requires=frozenset({"copper"}),
    ),
    DefectEntry(
        kind="mouse_bite",
        recipe=MouseBiteRecipe,
        drawn=CopperLayer,
        title="Mouse Bite",
        tooltip="A bite out of the edge of a copper track",
        noun="mousebite",
        materials=frozenset({"board"}),
        requires=frozenset({"copper"}),
    ),
    DefectEntry(
        kind="open_circuit",
        recipe=OpenCircuitRecipe,
        drawn=CopperLayer,
        title="Open Circuit",
        tooltip="A copper track that is cut through",
        noun="open",
        materials=frozenset({"board"}),
        requires=frozenset({"copper"}),
    ),
    DefectEntry(
        kind="pin_hole",
        recipe=PinHoleRecipe,
        drawn=CopperLayer,
        title="Pinhole",
        tooltip="A small hole in the midst of copper",
        noun="pinhole",
        materials=frozenset({"board"}),
        requires=frozenset({"copper"}),
    ),
    DefectEntry(
        kind="short",
        recipe=ShortRecipe,
        drawn=CopperLayer,
        title="Short",
        tooltip="A bridge of copper from one net to the next",
        noun="short",
        materials=frozenset({"board"}),
        requires=frozenset({"copper"}),
    ),
    DefectEntry(
        kind="spur",
        recipe=SpurRecipe,
        drawn=CopperLayer,
        title="Spur",
        tooltip="Copper that sticks out of a track's edge",
        noun="spur",
        materials=frozenset({"board"}),
        requires=frozenset({"copper"}),
    ),
    DefectEntry(
        kind="spurious_copper",
        recipe=SpuriousCopperRecipe,
        drawn=CopperLayer,
        title="Spurious Copper",
        tooltip="A speck of copper that touches nothing",
        noun="spurious copper",
        countable=False,
        materials=frozenset({"board"}),
        requires=frozenset({"copper"}),
    ),
)


def board_of(surface: Chart, kind: str) -> Board:
    """The layout of a board. Raises BlemishError for a part that is none."""
    if not isinstance(surface, BoardChart):
        raise BlemishError(f"defects: {kind} needs copper to go wrong; expected a part of kind: pcb")
    return surface.board


def _one(recipe: StrokeRecipeModel, board: Board, stream: RandomStream) -> CopperLayer | None:
    """One defect where the layout has room for it, None where no place was found."""
    drawn = stream.quantities(recipe, omit=("count", "severity"))
    grade = share_at(recipe.severity, stream, least=LEAST)
    rng = stream.at("place").generator()
    for _ in range(TRIES):
        if isinstance(recipe, SpuriousCopperRecipe):
            stroke = _speck(board, grade * drawn["size"] / 2, rng)
        elif isinstance(recipe, PinHoleRecipe):
            stroke = _pin_hole(board, grade * drawn["size"] / 2, rng)
        else:
            stroke = _at_track(recipe, board, drawn, grade, rng)
        if stroke is not None and _shows(board, recipe.class_name, *stroke):
            start, end, radius = stroke
            return CopperLayer(
                class_name=recipe.kind,
                start=_point(start),
                end=_point(end),
                radius=radius,
                raggedness=drawn["raggedness"],
                seed=stream.layer_seed(),
            )
    return None


def _at_track(
    recipe: StrokeRecipeModel,
    board: Board,
    drawn: dict[str, float],
    grade: float,
    rng: np.random.Generator,
) -> tuple[Floats, Floats, float] | None:
    """The stroke of a defect at a place on a track, uniform over their length; None where it does not fit."""
    span = board.tracks[:, 1] - board.tracks[:, 0]
    length = np.hypot(span[:, 0], span[:, 1])
    if length.sum() == 0:
        return None
    track = int(rng.choice(len(length), p=length / length.sum()))
    along = span[track] / length[track]
    side = np.array([-along[1], along[0]]) * (1 if rng.random() < 0.5 else -1)
    middle = board.tracks[track, 0] + rng.uniform(0.1, 0.9) * span[track]
    half = board.widths[track] / 2
    if board.pad_distance(middle[None])[0][0] < (half + FROM_PAD if board.masked else 0.0):
        return None
    border = middle + half * side
    if isinstance(recipe, MouseBiteRecipe):
        depth = grade * drawn["depth"] * 2 * half
        shift = along * depth * rng.uniform(-0.5, 0.5)
        return border - shift, border + shift, depth
    if isinstance(recipe, OpenCircuitRecipe):
        slant = along * half * rng.uniform(-0.6, 0.6)
        reach = side * half * 1.2 + slant
        return middle - reach, middle + reach, grade * drawn["gap"] / 2
    if isinstance(recipe, SpurRecipe):
        reach = grade * drawn["length"]
        radius = min(0.4 * reach, 0.8 * half)
        tip = border + (reach - radius) * (side + along * rng.uniform(-0.5, 0.5))
        # It must end before the next copper, or it is a short.
        return (border, tip, radius) if board.copper_distance(tip[None])[0] > 1.3 * radius else None
    beyond = border + side * np.linspace(0.02e-3, WIDEST_GAP, STEPS)[:, None]
    copper = board.copper_distance(beyond)
    met = np.flatnonzero(copper <= 0)
    if not len(met) or met[0] < 2:
        return None
    net = _net_at(board, beyond[met[0]])
    return None if net in (None, int(board.nets[track])) else (border, beyond[met[0]], grade * drawn["width"] / 2)


def _speck(board: Board, radius: float, rng: np.random.Generator) -> tuple[Floats, Floats, float] | None:
    low, high = board.pads.min(axis=0), board.pads.max(axis=0)
    place, turn = rng.uniform(low, high), rng.uniform(0, 2 * math.pi)
    reach = radius * rng.uniform(0, 0.9) * np.array([math.cos(turn), math.sin(turn)])
    clear = board.copper_distance(np.stack([place - reach, place, place + reach])).min()
    return (place - reach, place + reach, radius) if clear > min(1.3 * radius, 0.35e-3) else None


def _pin_hole(board: Board, radius: float, rng: np.random.Generator) -> tuple[Floats, Floats, float] | None:
    """A stroke where a track, a pad or a poured area has copper all round it; half of them in what is widest."""
    if len(board.pours) and rng.random() < 0.5:
        pour = board.pours[int(rng.integers(len(board.pours)))]
        place = pour[:2] + rng.uniform(-1, 1, 2) * pour[2:4]
    elif len(board.tracks):
        along = rng.uniform(0, 1)
        ends = board.tracks[int(rng.integers(len(board.tracks)))]
        place = ends[0] + along * (ends[1] - ends[0])
    else:
        return None
    turn = rng.uniform(0, 2 * math.pi)
    reach = radius * rng.uniform(0, 1.5) * np.array([math.cos(turn), math.sin(turn)])
    around = np.stack([place - reach, place, place + reach])
    inside = board.copper_distance(around).max() < -1.4 * radius
    # Under solder mask, pads shine bare: their holes would look like a hole that is drilled.
    clear_of_holes = board.pad_distance(around)[int(not board.masked)].min() > 1.4 * radius
    return (place - reach, place + reach, radius) if inside and clear_of_holes else None


def _shows(board: Board, class_name: str, start: Floats, end: Floats, radius: float) -> bool:
    """Whether there is copper to take away under a stroke, or room to add some."""
    steps = np.linspace(start, end, 9)
    around = radius * 0.6 * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
    copper = board.copper_distance((steps[:, None] + around[None]).reshape(-1, 2))
    return bool(((copper > 0) == ADDS[class_name]).any())


def _net_at(board: Board, place: Floats) -> int | None:
    """The net of the copper at a place, None where there is none."""
    inside = (np.abs(board.pads - place) <= board.pad_halves).all(axis=1)
    if inside.any():
        return int(board.pad_nets[np.argmax(inside)])
    in_pour = [pour_distance(place[None], pour)[0] <= 0 for pour in board.pours]
    if any(in_pour) and min(board.track_distance(place[None])[0], board.pad_distance(place[None])[0][0]) > 0:
        return len(board.pads) + in_pour.index(True)  # nets are numbered after pads
    span = board.tracks[:, 1] - board.tracks[:, 0]
    square = np.maximum((span**2).sum(axis=1), np.finfo(float).tiny)
    along = np.clip(((place - board.tracks[:, 0]) * span).sum(axis=1) / square, 0, 1)
    nearest = board.tracks[:, 0] + along[:, None] * span
    distance = np.hypot(*(place - nearest).T) - board.widths / 2
    return int(board.nets[np.argmin(distance)]) if distance.min() <= 1e-5 else None


def _point(xy: Floats) -> tuple[float, float]:
    x, y = xy.tolist()
    return x, y
