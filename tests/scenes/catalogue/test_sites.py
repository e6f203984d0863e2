"""Where things lie: apart, near the border, where it bends, at and along other things, and what twins must keep."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

from scenes import Recipe, RecipeError, Scene, build_part, draw, load_recipe
from scenes.catalogue.placement.placing import place_within
from scenes.catalogue.placement.sites import PlacedRecipeModel, PlacedStream, Site
from scenes.recipes.examples import catalogue
from scenes.recipes.recipe import recipe_from

DENT = {"kind": "dent", "count": 30, "diameter_mm": 2, "depth_um": 50}
SCRATCH = {
    "kind": "scratch", "count": 2, "length_mm": 40, "angle_degrees": {"uniform": [0, 360]}, "width_um": 400,
    "depth_um": 30,
}  # fmt: skip
CRACK = {
    "kind": "crack", "count": 4, "length_mm": 15, "angle_degrees": {"uniform": [0, 360]}, "width_um": 300,
    "depth_um": 100, "reflectance_change": -0.5,
}  # fmt: skip
STAIN = load_recipe("plate").model_dump(mode="json")["impurities"][0]


def plate(*defects: dict[str, Any], impurities: tuple[dict[str, Any], ...] = (), **sections: Any) -> Recipe:
    base = load_recipe("plate").model_dump(mode="json")
    return recipe_from({**base, "defects": list(defects), "impurities": list(impurities), **sections}, "mine.yaml")


def places(scene: Scene, kind: str = "dent") -> NDArray[np.float64]:
    """(N, 2) metres on the chart."""
    return np.array([layer.place for layer in scene.layers if layer.kind == kind])  # type: ignore[union-attr]


def of_kind(scene: Scene, *kinds: str) -> tuple[Any, ...]:
    return tuple(layer for layer in scene.layers if layer.kind in kinds)


@pytest.mark.parametrize("index", range(3))
def test_poisson_disks_lie_apart_and_uniform_places_do_not(index: int) -> None:
    apart = places(draw(plate({**DENT, "placement": {"kind": "poisson_disk", "spacing_mm": 10}}), 1, index))
    anyhow = places(draw(plate(DENT), 1, index))
    assert len(apart) == len(anyhow) == 30
    assert pdist(apart).min() >= 10e-3 > pdist(anyhow).min()


def test_what_finds_no_room_is_left_out() -> None:
    crowded = places(draw(plate({**DENT, "count": 60, "placement": {"kind": "poisson_disk", "spacing_mm": 30}}), 1, 0))
    assert 10 <= len(crowded) <= 30  # 12 disks of that distance fill 120 x 100 mm at random, 20 do at best
    assert pdist(crowded).min() >= 30e-3


def test_without_a_placement_places_are_what_they_always_were() -> None:
    plain, stated = plate(DENT, CRACK), plate({**DENT, "placement": {"kind": "uniform"}}, CRACK)
    assert draw(plain, 3, 0).layers == draw(stated, 3, 0).layers


def test_edge_places_fall_off_from_the_border() -> None:
    recipe = plate({**DENT, "count": 200, "placement": {"kind": "edge", "reach_mm": 5}})
    u, v = places(draw(recipe, 0, 0)).T
    inwards = np.min([u, 0.12 - u, v, 0.10 - v], axis=0)
    assert inwards.mean() == pytest.approx(5e-3, rel=0.2)  # of an exponential, a little less where the middle is near
    assert np.median(inwards) == pytest.approx(5e-3 * np.log(2), rel=0.3)


def test_margin_keeps_off_the_border() -> None:
    u, v = places(draw(plate({**DENT, "count": 100, "placement": {"margin_mm": 20}}), 0, 0)).T
    assert np.min([u, 0.12 - u, v, 0.10 - v]) >= 20e-3


def test_keep_off_is_a_distance_from_the_mask() -> None:
    recipe = plate(SCRATCH, {**DENT, "count": 150, "placement": {"keep_off_mm": {"scratch": 8}}})
    scene = draw(recipe, 2, 0)
    surface = build_part(scene.part).surface
    mask = np.concatenate([_mask(layer.to_layer(surface), surface) for layer in of_kind(scene, "scratch")])
    distance = np.linalg.norm(mask[:, None] - surface.embed(places(scene)), axis=-1).min(axis=0)
    assert len(places(scene)) == 150
    assert 7.9e-3 <= distance.min() < 10e-3  # found on a grid of a quarter of a millimetre


@pytest.mark.parametrize(
    "kept_off",
    [
        {"kind": "sticker", "count": 2, "width_mm": 12, "height_mm": 8, "turn_degrees": 30},
        {**SCRATCH, "count": 8, "length_mm": 15, "bend_degrees": 20, "tracks": 3, "spread_mm": 3},
        {"kind": "bump", "count": 8, "diameter_mm": 10, "height_um": 300},
        {**CRACK, "count": 6, "toughness_sigma": 0},
    ],
    ids=lambda thing: str(thing["kind"]),
)
def test_keep_off_is_a_distance_from_edge_to_edge(kept_off: dict[str, Any]) -> None:
    kept_off = {**kept_off, "placement": {"keep_off_mm": {"dent": 3}}}
    dents = {**DENT, "count": 8, "diameter_mm": 6, "elongation": 1.4}
    is_impurity = kept_off["kind"] == "sticker"
    scene = draw(plate(dents, *([] if is_impurity else [kept_off]), impurities=(kept_off,) * is_impurity), 3, 0)
    surface = build_part(scene.part).surface
    dented, others = (
        np.concatenate(
            [_mask(layer.to_layer(surface), surface) for layer in scene.layers if (layer.kind == "dent") == of]
        )
        for of in (True, False)
    )
    assert len(others) > 100
    assert cKDTree(dented).query(others)[0].min() > 2.7e-3  # masks are looked up on a grid of a quarter of a millimetre


def _mask(layer: Any, surface: Any) -> NDArray[np.float64]:
    points = surface.points(2e-4)
    return points.positions[layer.evaluate(points).inside]


def test_cracks_start_at_dents() -> None:
    scene = draw(plate({**DENT, "count": 3}, {**CRACK, "placement": {"kind": "at", "of": "dent"}}), 1, 0)
    starts = np.array([crack.start for crack in of_kind(scene, "crack")])
    distance = np.linalg.norm(starts[:, None] - places(scene), axis=-1).min(axis=1)
    assert len(starts) == 4
    assert distance.max() < 3e-4


def test_things_at_what_is_not_there_are_left_out() -> None:
    recipe = plate({**DENT, "count": 0}, {**CRACK, "placement": {"kind": "at", "of": "dent"}})
    assert draw(recipe, 1, 0).layers == ()


def test_dents_along_a_scratch_lie_in_it_from_end_to_end() -> None:
    recipe = plate({**SCRATCH, "count": 1}, {**DENT, "placement": {"kind": "along", "of": "scratch"}})
    scene = draw(recipe, 1, 0)
    surface = build_part(scene.part).surface
    (scratch,) = of_kind(scene, "scratch")
    distance = np.linalg.norm(
        _mask(scratch.to_layer(surface), surface)[:, None] - surface.embed(places(scene)), axis=-1
    ).min(axis=0)
    assert distance.max() < 3e-4
    assert pdist(places(scene)).max() > 20e-3


def test_rust_breaks_out_along_a_scratch_and_nowhere_else() -> None:
    rust = {
        "kind": "rust", "hours": 24, "spots_per_cm2": 0.5, "front_speed_mm_per_day": 1.0,
        "placement": {"kind": "along", "of": "scratch"},
    }  # fmt: skip
    scene = draw(plate({**SCRATCH, "count": 1}, rust), 1, 0)
    surface = build_part(scene.part).surface
    scratch, rusty = (_mask(layer.to_layer(surface), surface) for layer in scene.layers)
    assert len(rusty) > 100
    assert np.linalg.norm(scratch[:, None] - rusty[::7], axis=-1).min(axis=0).max() < 2e-3
    assert draw(plate({**SCRATCH, "count": 0}, rust), 1, 0).layers == ()


def test_everything_that_is_counted_can_be_placed() -> None:
    kinds = {**catalogue()["defects"], **catalogue()["impurities"]}
    on_a_layout = {"missing_hole", "mouse_bite", "open_circuit", "pin_hole", "short", "spur", "spurious_copper"}
    counted = {
        kind: section
        for kind, section in kinds.items()
        if "count" in section.model_fields and kind not in on_a_layout  # a board's copper says where they can be
    }
    assert [kind for kind, section in counted.items() if not issubclass(section, PlacedRecipeModel)] == []


def test_curvature_gathers_things_where_the_surface_bends() -> None:
    class Rounded:
        """A flat floor for 0 < u < 1 that goes over into a quarter of a cylinder of radius 1, up to u = 2."""

        outline = None
        size = (2.0, 1.0)

        def embed(self, uv: NDArray[np.float64]) -> NDArray[np.float64]:
            bend = np.maximum(uv[:, 0] - 1.0, 0.0)
            return np.column_stack([np.minimum(uv[:, 0], 1.0) + np.sin(bend), uv[:, 1], 1.0 - np.cos(bend)])

        def normals(self, uv: NDArray[np.float64]) -> NDArray[np.float64]:
            bend = np.maximum(uv[:, 0] - 1.0, 0.0)
            return np.column_stack([-np.sin(bend), 0 * bend, np.cos(bend)])

        def covers(self, uv: NDArray[np.float64]) -> NDArray[np.bool_]:
            return np.ones(len(uv), dtype=bool)

    stream = PlacedStream(0, 0, site=Site(kind="curvature"))
    u = np.array([place_within(Rounded(), stream.at(number))[0] for number in range(60)])  # type: ignore[arg-type]
    assert u.min() > 0.99


def test_placements_hold_in_space_on_a_curved_part() -> None:
    tile = load_recipe("magnetic_tile").model_dump(mode="json")
    dents = {**DENT, "placement": {"kind": "poisson_disk", "spacing_mm": 5}}
    scene = draw(recipe_from({**tile, "defects": [dents]}, "mine.yaml"), 0, 0)
    assert pdist(build_part(scene.part).surface.embed(places(scene))).min() >= 5e-3


def test_switching_a_family_off_moves_nothing_of_the_other() -> None:
    marked = {"kind": "sticker", "count": 3, "width_mm": 12, "height_mm": 8, "placement": {"keep_off_mm": {"crack": 5}}}
    recipe = plate(DENT, {**CRACK, "placement": {"kind": "at", "of": "dent"}}, impurities=(marked, STAIN))
    for index in range(2):
        scene = draw(recipe, 5, index)
        assert draw(recipe.without("impurities"), 5, index).layers == of_kind(scene, "dent", "crack")
        assert draw(recipe.without("defects"), 5, index).layers == of_kind(scene, "sticker", "water_stains")
        assert draw(recipe, 5, index) == scene
        assert Scene.model_validate_json(scene.model_dump_json()) == scene


@pytest.mark.parametrize(
    ("defects", "told"),
    [
        (
            [{**DENT, "placement": {"kind": "poisson_disk"}}],
            "defects.0.placement: found kind: poisson_disk without spa",
        ),
        ([{**DENT, "placement": {"kind": "edge"}}], "defects.0.placement: found kind: edge without reach_mm; expected"),
        ([{**DENT, "placement": {"reach_mm": 3}}], "defects.0.placement: found kind: uniform with reach_mm; expected"),
        (
            [{**CRACK, "placement": {"kind": "at"}}],
            "defects.0.placement: found kind: at without of; expected of, a kin",
        ),
        (
            [{**CRACK, "placement": {"kind": "at", "of": "dent"}}, DENT],
            "defects.0.placement: found 'dent'; expected the kind of an entry before it, of which there is none",
        ),
        (
            [DENT, {**CRACK, "placement": {"keep_off_mm": {"dint": 1}}}],
            "defects.1.placement: found 'dint'; expected the kind of an entry before it, dent; defects come before",
        ),
        (
            [DENT, {**CRACK, "origin": "edge", "placement": {"kind": "at", "of": "dent"}}],
            "defects.1: found origin: edge with a placement of kind: at; expected origin: anywhere",
        ),
        (
            [{**DENT, "placement": {"kind": "somewhere"}}],
            "defects.0.placement.kind: found 'somewhere'; expected unifor",
        ),
    ],
)
def test_a_placement_that_cannot_be_is_told_in_one_line(defects: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(RecipeError) as refusal:
        plate(*defects)
    assert str(refusal.value).startswith(f"mine.yaml: {told}")
    assert "\n" not in str(refusal.value)
