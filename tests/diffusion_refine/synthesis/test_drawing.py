"""Defects drawn into holes: who draws a word, how large, where, under which light, and what stays as it was."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.draw import ellipse
from skimage.measure import label

from diffusion_refine.synthesis.refine import drawing
from diffusion_refine.synthesis.refine.drawing import DRAWS, Drawer, Drawn, Sheets, drawer_for, drawn_into, extent_of
from scenes import Recipe, Scene, draw, load_recipe
from scenes.camera.imaging import pixel_footprint
from scenes.camera.light import AreaPanel, Light
from scenes.recipes.examples import example
from scenes.recipes.on_photographs import draw_on

SIDE = 96
WORDS = ("scratch", "crack", "dent", "pit", "rust", "blowhole", "gouge")


def plate(**fields: Any) -> Recipe:
    """Ground steel, a pixel of .2 mm."""
    written: dict[str, Any] = load_recipe("plate").model_dump(mode="json")
    written["part"] = {"kind": "plate", "width_mm": 0.2 * SIDE, "height_mm": 0.2 * SIDE, "thickness_mm": 3}
    written["camera"] |= {"resolution": [SIDE, SIDE], "margin": 0, "working_distance_mm": None}
    return Recipe.model_validate(written | fields)


def entry(kind: str, **fields: Any) -> dict[str, Any]:
    """The catalogue's, once, with other fields."""
    written: dict[str, Any] = example("defects", kind).recipes[-1].defects[0].model_dump(mode="json")
    return written | ({"count": 1} if "count" in written else {}) | fields


@pytest.fixture(scope="module")
def scene() -> Scene:
    return draw(plate(), 0, 0)


def grey(value: int = 120, shape: tuple[int, ...] = (SIDE, SIDE, 3)) -> NDArray[np.uint8]:
    noise = np.random.default_rng(3).integers(-6, 7, shape)
    return (value + noise).astype(np.uint8)


def hole(rows: float = 18, columns: float = 18, at: tuple[int, int] = (48, 48)) -> NDArray[np.bool_]:
    found = np.zeros((SIDE, SIDE), bool)
    found[ellipse(*at, rows, columns, shape=found.shape)] = True
    return found


def catalogued(word: str) -> Drawer:
    found = drawer_for(word, plate(defects=[]))
    assert found is not None
    return found


def drawn(picture: NDArray[Any], room: NDArray[np.bool_], drawer: Drawer, scene: Scene, seed: int) -> Drawn | None:
    sheets = Sheets(drawer, picture, extent_of(room), scene, seed)
    return drawn_into(picture, room, sheets, np.random.default_rng(seed))


def test_a_recipe_draws_its_own_words_and_the_catalogue_all_others() -> None:
    recipe = plate(defects=[entry("crack"), entry("dent"), entry("pitting")])
    own = drawer_for("dent", recipe)
    assert own is not None
    assert own.scale is None
    assert [recipe.defects[number].kind for number in own.entries] == ["dent"]
    other = drawer_for("rust", recipe)
    camera = example("defects", "rust").scenes()[-1].camera
    assert other is not None
    assert other.scale == pixel_footprint(camera, camera.focus_distance)
    assert [other.recipe.defects[number].kind for number in other.entries] == ["rust"]


@pytest.mark.parametrize("word", ["chip", "short", "open", "fray", "no such thing"])
def test_what_needs_a_border_or_copper_and_what_nobody_knows_is_not_drawn(word: str) -> None:
    assert drawer_for(word, plate(defects=[entry("chipped_edge")])) is None


@pytest.mark.parametrize("word", WORDS)
@settings(max_examples=4, deadline=None)
@given(
    st.tuples(st.integers(10, 24), st.integers(10, 24)),
    st.tuples(st.integers(8, 88), st.integers(8, 88)),
    st.integers(0, 2**40),
)
def test_all_that_changes_is_in_the_hole_and_the_mask_too(
    word: str, axes: tuple[int, int], at: tuple[int, int], seed: int
) -> None:
    scene, picture, room = draw(plate(), 0, 0), grey(), hole(*axes, at)
    made = drawn(picture, room, catalogued(word), scene, seed)
    if made is None:
        return
    changed = (made.pixels != picture).any(axis=2)
    assert not (changed & ~room).any()
    assert not (made.mask & ~room).any()
    assert (changed & made.mask).sum() > 0.5 * made.mask.sum()


@pytest.mark.parametrize("word", WORDS)
def test_a_word_finds_room_in_a_hole_and_the_same_seed_gives_the_same_bytes(word: str, scene: Scene) -> None:
    first, again, other = (drawn(grey(), hole(), catalogued(word), scene, seed) for seed in (4, 4, 5))
    assert first is not None
    assert again is not None
    assert other is not None
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.mask, again.mask)
    assert (first.pixels != other.pixels).any()
    assert first.mask.sum() >= 12


def test_nothing_is_drawn_where_there_is_no_room(scene: Scene) -> None:
    assert drawn(grey(), hole(1.1, 1.1), catalogued("dent"), scene, 0) is None


@pytest.mark.parametrize("shape", [(SIDE, SIDE), (SIDE, SIDE, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pictures_of_every_kind_are_drawn_on(shape: tuple[int, ...], dtype: type, scene: Scene) -> None:
    bits = scene.sensor.model_copy(update={"bits": 8 * np.dtype(dtype).itemsize, "monochrome": len(shape) == 2})
    picture = grey(shape=shape).astype(dtype) * dtype(257 if dtype is np.uint16 else 1)
    made = drawn(picture, hole(), catalogued("blowhole"), scene.model_copy(update={"sensor": bits}), 0)
    assert made is not None
    assert made.pixels.shape == shape
    assert made.pixels.dtype == dtype
    inside = made.mask if len(shape) == 2 else np.repeat(made.mask[..., None], 3, 2)
    assert made.pixels[inside].mean() < 0.5 * picture[inside].mean()  # a cavity is dark


def test_a_recipes_own_defect_is_as_large_as_it_says(scene: Scene) -> None:
    """A round hole of 4 mm is 20 pixels across: 314 of them."""
    recipe = plate(defects=[entry("blowhole", diameter_um=4000, aspect=1)])
    drawer = drawer_for("blowhole", recipe)
    assert drawer is not None
    own = draw(recipe, 0, 0)
    made = drawn(grey(), hole(30, 30), drawer, own, 0)
    assert made is not None
    assert made.mask.sum() == pytest.approx(math.pi * 10**2, rel=0.1)


def test_it_gets_smaller_to_find_room_and_what_is_slender_only_shorter(scene: Scene) -> None:
    scratch = entry("scratch", length_mm=12, width_um=600, angle_degrees=30, bend_degrees=0)
    dent = entry("dent", diameter_mm=8, depth_um=400, elongation=1)
    sizes = {}
    for word, defect in {"scratch": scratch, "dent": dent}.items():
        recipe = plate(defects=[defect])
        drawer = drawer_for(word, recipe)
        assert drawer is not None
        for axis in (12, 44):
            made = drawn(grey(), hole(axis, axis), drawer, draw(recipe, 0, 0), 1)
            assert made is not None
            rows, columns = np.nonzero(made.mask)
            length = math.hypot(np.ptp(rows) + 1, np.ptp(columns) + 1)
            sizes[word, axis] = length, made.mask.sum() / length
    (short, narrow), (long, wide) = sizes["scratch", 12], sizes["scratch", 44]
    assert short < 0.5 * long
    assert narrow == pytest.approx(wide, rel=0.3)
    (small, breadth), (large, broad) = sizes["dent", 12], sizes["dent", 44]
    assert small < 0.7 * large
    assert breadth < 0.7 * broad


def test_light_falls_as_in_the_scene(scene: Scene) -> None:
    """A hollow that is lit from the right has a bright wall on the left, and the other way round."""
    recipe = plate(defects=[entry("dent", diameter_mm=5, depth_um=400, elongation=1)])
    drawer = drawer_for("dent", recipe)
    assert drawer is not None
    brighter_left = []
    for azimuth in (0.0, math.pi):
        light = lamp(azimuth)
        made = drawn(grey(), hole(30, 30), drawer, draw(recipe, 0, 0).model_copy(update={"light": light}), 1)
        assert made is not None
        columns = np.nonzero(made.mask)[1]
        middle = (columns.min() + columns.max()) / 2
        left, right = (made.mask & side for side in (np.arange(SIDE) < middle, np.arange(SIDE) > middle))
        brighter_left.append(float(made.pixels[left].mean() - made.pixels[right].mean()))
    assert brighter_left[0] > 3
    assert brighter_left[1] < -3


def test_a_light_that_does_not_reach_the_middle_gives_way_to_that_of_the_recipe_which_draws(scene: Scene) -> None:
    dark = scene.model_copy(update={"light": Light(panels=(), ambient=0.0)})
    assert drawn(grey(), hole(), catalogued("dent"), dark, 0) is not None


def test_drawings_are_made_when_they_are_asked_for_and_serve_all_holes(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    monkeypatch.setattr(drawing, "draw_on", lambda *given: made.append(given[3]) or draw_on(*given))
    sheets = Sheets(catalogued("blowhole"), grey(), extent_of(hole()), scene, 0)
    random = np.random.default_rng(0)
    found = [drawn_into(grey(), hole(at=at), sheets, random) for at in ((30, 30), (60, 60), (40, 50), (48, 48))]
    assert len(made) == len(set(made)) <= DRAWS
    places = {(one.mask.sum(), *np.argwhere(one.mask).mean(axis=0).round()) for one in found if one is not None}
    assert len(places) == 4
    assert len({area for area, *_ in places}) > 1  # not the same one every time


def test_pieces_that_would_be_cut_off_leave_no_trace(scene: Scene) -> None:
    """Spots of a field lie whole in the hole or are not there."""
    made = drawn(grey(), hole(20, 30), catalogued("pit"), scene, 2)
    assert made is not None
    assert label(made.mask).max() > 1
    changed = (made.pixels != grey()).any(axis=2)
    far = changed & (np.hypot(*(np.indices(changed.shape) - np.array([48, 48])[:, None, None])) > 32)
    assert not far.any()


def lamp(azimuth: float) -> Light:
    towards = (0.8 * math.cos(azimuth), 0.8 * math.sin(azimuth), 0.6)
    panel = AreaPanel(
        position=(10 * towards[0], 10 * towards[1], 10 * towards[2]),
        direction=(-towards[0], -towards[1], -towards[2]),
        along=(-math.sin(azimuth), math.cos(azimuth), 0.0),
        width=0.1,
        length=0.1,
        power=100.0,
    )
    return Light(panels=(panel,), ambient=0.02)
