"""A defect drawn into a hole of a picture: as the dataset's own recipe draws its word, else as the catalogue shows it.

A recipe knows the shape of every defect and gives an exact mask; a model need only heal the hole before, and make what
was drawn real afterwards. It is shaded on the picture's own pixels, under the light and on the finish of its scene, as
`procgen.surface.photo` does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.signal import fftconvolve
from skimage.segmentation import clear_border

from diffusion_refine.editing.label_check import LEAST_PIXELS, standing_out
from diffusion_refine.editing.painting import grown
from diffusion_refine.editing.pixels import colour, pasted
from diffusion_refine.editing.relabelling import EVERY_WAY
from diffusion_refine.editing.windows import round_about
from diffusion_refine.prompts.vocabulary import DEFECTS
from diffusion_refine.synthesis.procedural.painting import painted, photo_light
from diffusion_refine.synthesis.refine.swap_words import word_of
from scenes.calibration.defects.quantities import ACROSS, ALONG, has, scaled
from scenes.camera.imaging import pixel_footprint
from scenes.camera.light import Light
from scenes.catalogue import registry
from scenes.pictures.errors import PictureError
from scenes.pictures.reading import Photograph, Pixels
from scenes.recipes.examples import example
from scenes.recipes.on_photographs import draw_on
from scenes.recipes.paths import replaced
from scenes.recipes.recipe import Recipe
from scenes.scene import Scene

Mask = NDArray[np.bool_]

DRAWS = 6  # of a size
SIZES = tuple(0.7**step for step in range(10))  # over what the recipe draws, until there is one with room
INSIDE = 0.95  # share of a piece that has to lie in the hole for it to stay
LEAST_SIDE = 48  # pixels of the sheet that is drawn on
SURROUNDINGS = 32  # pixels round a hole that drawings are looked at with
FADE = 3.0  # pixels beyond a mask as far as which a defect darkens or brightens the picture
POINTS = 3  # along a side of every pixel, over which what is drawn there is averaged
CLEAR = 1.5  # spreads of the surroundings by which a drawing stands out that is taken without looking at others


@dataclass(frozen=True)
class Drawer:
    """A recipe of whose layers only defects of one word are on. scale: its metres per pixel, the frame's where None."""

    recipe: Recipe
    scale: float | None = None

    @property
    def entries(self) -> list[int]:
        """Positions of the defects that are on."""
        return [number for number in range(len(self.recipe.defects)) if not self.recipe.is_off("defects", number)]

    def smaller(self, size: float) -> tuple[Recipe, float]:
        """The recipe with defects of a size, over its own, and by what its scale is to be divided to that end.

        What has a length and a breadth only gets shorter, so that it stays as well to be seen.
        """
        recipe, slender = self.recipe, True
        for number in self.entries:
            along = has(recipe, number, ALONG)
            slender = slender and bool(along and has(recipe, number, ACROSS))
            for path in along:
                recipe = replaced(recipe, {path: scaled(self.recipe, path, size)})
        return (recipe, 1.0) if slender else (self.recipe, size)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A picture like the one that was drawn on, (H, W[, 3]), and where the defect is, (H, W)."""

    pixels: Pixels
    mask: Mask


def drawer_for(word: str, recipe: Recipe) -> Drawer | None:
    """What draws a word: the recipe's own entries of it, else the catalogue's example; None where neither can.

    What needs a border or copper is not drawn, for a picture does not say where these are; nor what crosses a part.
    """
    own = [
        number
        for number, entry in enumerate(recipe.defects)
        if word_of(entry.class_name) == word
        and not registry.DEFECTS[entry.kind].requires
        and getattr(entry, "origin", None) != "across"
    ]
    if own:
        return Drawer(_alone(recipe, own))
    return _of_catalogue(word)


def _alone(recipe: Recipe, entries: Collection[int]) -> Recipe:
    """With defects of some entries alone, none of which has to begin at a border."""
    others = (f"defects.{number}" for number in range(len(recipe.defects)) if number not in entries)
    defects = tuple(
        entry.model_copy(update={"origin": "anywhere"}) if hasattr(entry, "origin") else entry
        for entry in recipe.defects
    )
    return recipe.model_copy(update={"defects": defects, "switched_off": ("impurities", *others)})


@cache
def _of_catalogue(word: str) -> Drawer | None:
    for kind, entry in sorted(registry.DEFECTS.items(), key=lambda item: item[0] != word):  # a crack before its kinds
        if DEFECTS[kind] == word and entry.recipe is not None and not entry.requires:
            shown = example("defects", kind)
            camera = shown.scenes()[-1].camera
            return Drawer(_alone(shown.recipes[-1], [0]), pixel_footprint(camera, camera.focus_distance))
    return None


@dataclass(frozen=True, eq=False)
class Sheet:
    """What was drawn on an empty sheet: its scene, where defects are on it (S, S), and which of them are all on it."""

    scene: Scene
    seen: Mask
    whole: Mask


class Sheets:
    """Drawings of one word for the holes of a picture: of every size some, each drawn when it is first asked for.

    pixels: (H, W[, 3]), a picture of the scene. extent: pixels of the largest hole, from end to end. look: what
    drawings are shaded with, the scene's. The same seed gives the same.
    """

    def __init__(self, drawer: Drawer, pixels: Pixels, extent: int, scene: Scene, seed: int) -> None:
        self.drawer, self.seed = drawer, seed
        self.side = max(LEAST_SIDE, 2 * extent)
        shape, eight = (self.side, self.side, *pixels.shape[2:]), pixels.dtype == np.uint8
        empty: Pixels = np.zeros(shape, np.uint8) if eight else np.zeros(shape, np.uint16)
        self.sheet = Photograph(empty, scene.recipe_name, "0" * 64)
        self.scale = drawer.scale or pixel_footprint(scene.camera, scene.camera.focus_distance)
        self.look = {"finish": scene.finish, "sensor": scene.sensor} | _light_of(scene)
        self._drawn: dict[tuple[int, int], Sheet] = {}

    def at(self, size: int, number: int) -> Sheet:
        """One of DRAWS of a size of SIZES, by their places."""
        if (size, number) not in self._drawn:
            recipe, divisor = self.drawer.smaller(SIZES[size])
            drawn = draw_on(self.sheet, recipe, self.seed, size * DRAWS + number, self.scale / divisor, None)
            seen = painted(self.sheet.pixels, drawn, None, POINTS).defects > 0
            self._drawn[size, number] = Sheet(drawn, seen, clear_border(label(seen, structure=EVERY_WAY)[0]) > 0)
        return self._drawn[size, number]


def drawn_into(pixels: Pixels, hole: Mask, sheets: Sheets, random: np.random.Generator) -> Drawn | None:
    """A picture (H, W[, 3]) with a defect drawn into its hole (H, W), and nothing beyond it changed.

    Of the largest drawings for which there is room, any that is clear to see; None where nothing finds room.
    """
    if not hole.any():
        return None
    span = round_about(hole, SURROUNDINGS)
    drawn = _drawn_into(pixels[span], hole[span], sheets, random)
    if drawn is None:
        return None
    result, mask = pixels.copy(), np.zeros_like(hole)
    result[span], mask[span] = drawn.pixels, drawn.mask
    return Drawn(result, mask)


def _drawn_into(pixels: Pixels, hole: Mask, sheets: Sheets, random: np.random.Generator) -> Drawn | None:
    for size in range(len(SIZES)):
        fitting = []
        for number in range(DRAWS):
            sheet = sheets.at(size, number)
            if not sheet.whole.any():
                continue
            move = _placed(sheet.whole, hole)
            room = _moved(hole, move, sheets.side)
            kept = _kept(sheet.whole, room)
            covered, cut = np.count_nonzero(kept), np.count_nonzero(sheet.seen & room & ~kept)
            if covered >= max(LEAST_PIXELS, cut):
                fitting.append((covered, sheet, move, kept))
        if fitting:
            most = max(covered for covered, *_ in fitting)
            large = [found for covered, *found in fitting if covered >= most / 2]
            shaded = (_shaded(pixels, hole, sheets, *large[place]) for place in random.permutation(len(large)).tolist())
            return _clearest(shaded)
    return None


def _clearest(drawings: Iterable[Drawn]) -> Drawn:
    """The first that is clear enough; where none is, the one that stands out most."""
    found = []
    for drawn in drawings:
        found.append((standing_out(colour(drawn.pixels), drawn.mask, drawn.mask) or 0.0, drawn))
        if found[-1][0] >= CLEAR:
            break
    return max(found, key=lambda one: one[0])[1]


def extent_of(hole: Mask) -> int:
    """Pixels of a hole (H, W) along the longer side of the box round it."""
    return max(int(np.ptp(places)) + 1 for places in np.nonzero(hole)) if hole.any() else 0


def _moved(hole: Mask, move: tuple[int, int], side: int) -> Mask:
    """(side, side): the hole as it lies on a sheet that is moved by so many rows and columns."""
    found = np.zeros((side, side), dtype=bool)
    rows, columns = (places - first for places, first in zip(np.nonzero(hole), move, strict=True))
    on_sheet = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
    found[rows[on_sheet], columns[on_sheet]] = True
    return found


def _placed(seen: Mask, hole: Mask) -> tuple[int, int]:
    """Rows and columns to move a sheet by for most of what is seen on it to be in a hole, in its middle."""
    (rows, columns), (sheet_rows, sheet_columns) = np.nonzero(hole), np.nonzero(seen)
    around = hole[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    held = fftconvolve(around.astype(np.float64), seen[::-1, ::-1].astype(np.float64))
    first = np.array([rows.min(), columns.min()]) - np.array(seen.shape) + 1
    moves = first + np.argwhere(held > held.max() - 0.5)
    middle = np.array([rows.mean() - sheet_rows.mean(), columns.mean() - sheet_columns.mean()])
    top, left = moves[np.argmin(((moves - middle) ** 2).sum(axis=1))]
    return int(top), int(left)


def _kept(seen: Mask, room: Mask) -> Mask:
    """The pieces of what is seen that lie in the room, cut off where they leave it."""
    pieces, count = label(seen, structure=EVERY_WAY)
    sizes, inside = (np.bincount(numbers, minlength=count + 1) for numbers in (pieces.ravel(), pieces[room]))
    stays = inside >= INSIDE * sizes
    stays[0] = False
    return np.asarray(stays[pieces] & room)


def _shaded(pixels: Pixels, hole: Mask, sheets: Sheets, sheet: Sheet, move: tuple[int, int], kept: Mask) -> Drawn:
    """The kept pieces of what is drawn on a sheet, on the pixels that it is moved to; of others no trace."""
    side, (height, width) = len(kept), hole.shape
    rows, columns = (np.arange(side) + first for first in move)
    beneath = pixels[np.clip(rows, 0, height - 1)][:, np.clip(columns, 0, width - 1)]
    made = painted(beneath, sheet.scene.model_copy(update=sheets.look), None, POINTS)
    changed = grown(kept, FADE) & ~(sheet.seen & ~kept)
    there = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    inside, place = np.ix_(*there), np.ix_(rows[there[0]], columns[there[1]])
    result, mask = pixels.copy(), np.zeros_like(hole)
    mask[place] = kept[inside]
    result[place] = pasted(pixels[place], made.pixels[inside], changed[inside] & hole[place])
    return Drawn(result, mask)


def _light_of(scene: Scene) -> dict[str, Light]:
    """The scene's light; none where it does not reach the middle or is Blender's, so that drawings keep their own."""
    try:
        photo_light(scene.light, 0.0)
    except PictureError:
        return {}
    return {"light": scene.light}
