"""The list of layers: what its buttons do to the recipe."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from scenes import draw, load_recipe
from scenes.catalogue.registry import DEFECTS
from scenes.recipes.examples import catalogue
from scenes.recipes.recipe import recipe_from

bpy = pytest.importorskip("bpy")
from blender_addon.ui.recipe import exchange  # noqa: E402 - needs bpy

pytestmark = pytest.mark.render


@pytest.fixture
def plate(settings: Any) -> Any:
    exchange.from_recipe(load_recipe("plate"), settings)
    return settings


def kinds(settings: Any) -> list[str]:
    return [layer.kind for layer in settings.layers]


def test_every_kind_can_be_added_and_makes_a_recipe(settings: Any) -> None:
    settings.part.kind = "pcb"
    for family in ("defects", "impurities"):
        for kind in catalogue()[family]:
            assert bpy.ops.blemish.layer_add(kind=kind) == {"FINISHED"}
            assert settings.layers[settings.active_layer].kind == kind
    recipe = exchange.to_recipe(settings)
    assert {entry.kind for entry in recipe.defects} == set(catalogue()["defects"])
    assert {entry.kind for entry in recipe.impurities} == set(catalogue()["impurities"])


def test_a_defect_is_added_below_the_impurities(plate: Any) -> None:
    before = kinds(plate)
    bpy.ops.blemish.layer_add(kind="pitting")
    assert kinds(plate) == [*before[:4], "pitting", *before[4:]]
    assert plate.active_layer == 4


@pytest.mark.parametrize("kind", [kind for kind, entry in DEFECTS.items() if "copper" in entry.requires])
def test_defects_of_copper_are_refused_where_there_is_none(kind: str, plate: Any) -> None:
    before = kinds(plate)
    assert bpy.ops.blemish.layer_add(kind=kind) == {"CANCELLED"}
    assert kinds(plate) == before


def test_layers_are_removed_until_none_is_left(plate: Any) -> None:
    while len(plate.layers):
        plate.active_layer = len(plate.layers) - 1
        assert bpy.ops.blemish.layer_remove() == {"FINISHED"}
    assert not bpy.ops.blemish.layer_remove.poll()
    with pytest.raises(RuntimeError, match="no layer yet"):
        bpy.ops.blemish.layer_remove()
    assert exchange.to_recipe(plate).defects == ()


def test_layers_move_within_their_family_only(plate: Any) -> None:
    before = kinds(plate)
    plate.active_layer = 1
    assert bpy.ops.blemish.layer_move(direction="UP") == {"FINISHED"}
    assert kinds(plate)[:2] == [before[1], before[0]]
    assert plate.active_layer == 0
    assert bpy.ops.blemish.layer_move(direction="UP") == {"CANCELLED"}
    plate.active_layer = 3
    assert bpy.ops.blemish.layer_move(direction="DOWN") == {"CANCELLED"}
    exchange.to_recipe(plate)


def test_a_copy_is_the_same_but_for_its_chances(plate: Any) -> None:
    plate.active_layer = 0
    bpy.ops.blemish.layer_duplicate()
    recipe = exchange.to_recipe(plate)
    assert recipe.defects[0] == recipe.defects[1]
    assert plate.active_layer == 1


def test_muted_and_solo_layers_are_left_out_and_move_no_other(plate: Any) -> None:
    for layer in plate.layers:
        section = getattr(layer, layer.kind)
        if hasattr(section, "count"):
            section.count_form, section.count = "FIXED", 2
    whole = draw(exchange.to_recipe(plate), 0, 0)
    plate.layers[0].muted = True
    without = draw(exchange.to_recipe(plate), 0, 0)
    assert list(without.layers) == [layer for layer in whole.layers if layer.kind != "crack"]
    plate.layers[1].solo = plate.layers[0].solo = True
    alone = draw(exchange.to_recipe(plate), 0, 0)
    assert {layer.kind for layer in alone.layers} == {"scratch"}
    assert alone.classes == whole.classes


def test_a_muted_layer_is_muted_when_its_recipe_comes_back(plate: Any) -> None:
    plate.layers[2].muted = True
    recipe = exchange.to_recipe(plate)
    assert recipe.switched_off == ("defects.2",)
    exchange.from_recipe(load_recipe("ball_screw"), plate)
    exchange.from_recipe(recipe, plate)
    assert [layer.muted for layer in plate.layers].index(True) == 2


def test_the_dice_give_another_seed_each_time(settings: Any) -> None:
    seen = {settings.seed}
    for _ in range(5):
        bpy.ops.blemish.seed_dice()
        seen.add(settings.seed)
    assert len(seen) == 6


def test_things_are_placed_by_what_lies_below(plate: Any) -> None:
    plate.active_layer = 2
    bpy.ops.blemish.keep_off_add(kind="scratch")
    dent = plate.layers[2].dent
    dent.placement.keep_off_mm[0].clearance_mm = 3.5
    placement = exchange.to_recipe(plate).defects[2].placement
    assert placement.keep_off_mm == {"scratch": 3.5}
    dent.placement.kind = "along"
    bpy.ops.blemish.placement_of(kind="crack")
    assert exchange.to_recipe(plate).defects[2].placement.of == "crack"
    dent.placement.kind = "edge"
    assert exchange.to_recipe(plate).defects[2].placement.reach_mm.low > 0
    bpy.ops.blemish.keep_off_remove(number=0)
    assert exchange.to_recipe(plate).defects[2].placement.keep_off_mm == {}


def test_a_population_has_no_placement_and_says_so(plate: Any) -> None:
    plate.active_layer = kinds(plate).index("water_stains")
    with pytest.raises(RuntimeError, match="no placement"):
        bpy.ops.blemish.keep_off_add(kind="crack")


def test_a_layer_kept_as_preset_comes_back(plate: Any, user_folder: Path) -> None:
    plate.active_layer = 1
    kept = exchange.to_recipe(plate).defects[1]
    assert bpy.ops.blemish.preset_add(of="LAYER", name="deep one") == {"FINISHED"}
    plate.layers[1].scratch.depth_um_form = "FIXED"
    assert exchange.to_recipe(plate).defects[1] != kept
    assert bpy.ops.blemish.preset_apply(of="LAYER", name="deep one") == {"FINISHED"}
    assert exchange.to_recipe(plate).defects[1] == kept
    bpy.ops.blemish.preset_remove(of="LAYER", name="deep one")
    with pytest.raises(RuntimeError, match="deep_one"):
        bpy.ops.blemish.preset_apply(of="LAYER", name="deep one")


def test_a_surface_kept_as_preset_suits_another_part(plate: Any, user_folder: Path) -> None:
    kept = exchange.to_recipe(plate)
    bpy.ops.blemish.preset_add(of="SURFACE", name="mine")
    exchange.from_recipe(load_recipe("turned_shaft"), plate)
    bpy.ops.blemish.preset_apply(of="SURFACE", name="mine")
    recipe = exchange.to_recipe(plate)
    assert (recipe.finish, recipe.defects, recipe.impurities) == (kept.finish, kept.defects, kept.impurities)
    assert recipe.part == load_recipe("turned_shaft").part


def test_presets_are_shared_as_files(plate: Any, user_folder: Path, tmp_path: Path) -> None:
    plate.active_layer = 1
    kept = exchange.to_recipe(plate)
    bpy.ops.blemish.preset_add(of="LAYER", name="deep one")
    bpy.ops.blemish.preset_add(of="SURFACE", name="mine")
    layer, surface = tmp_path / "for you" / "a layer.yaml", tmp_path / "for you" / "a surface.yaml"
    layer.parent.mkdir()
    assert bpy.ops.blemish.preset_export(of="LAYER", name="deep_one", filepath=str(layer)) == {"FINISHED"}
    assert bpy.ops.blemish.preset_export(of="SURFACE", name="mine", filepath=str(surface)) == {"FINISHED"}
    shutil.rmtree(user_folder / "presets")
    exchange.from_recipe(load_recipe("turned_shaft"), plate)
    for path in (layer, surface):
        assert bpy.ops.blemish.preset_import(filepath=str(path)) == {"FINISHED"}
    bpy.ops.blemish.preset_apply(of="SURFACE", name="a_surface")
    assert exchange.to_recipe(plate).defects == kept.defects
    plate.layers[1].scratch.depth_um_form = "FIXED"
    plate.active_layer = 1
    bpy.ops.blemish.preset_apply(of="LAYER", name="a_layer")
    assert exchange.to_recipe(plate).defects == kept.defects
    with pytest.raises(RuntimeError, match="there is a preset a_layer already"):
        bpy.ops.blemish.preset_import(filepath=str(layer))


@pytest.mark.parametrize("text", ["", "[1]", "kind: plate", "kind: velvet", "finish: {kind: velvet}", "kind: scratch"])
def test_files_that_are_no_presets_are_not_added(text: str, plate: Any, user_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(text)
    with pytest.raises(RuntimeError, match=r"wrong\.yaml"):
        bpy.ops.blemish.preset_import(filepath=str(tmp_path / "wrong.yaml"))
    assert list(user_folder.glob("presets/**/*.yaml")) == []


def test_a_preset_that_someone_spoiled_changes_nothing(plate: Any, user_folder: Path) -> None:
    bpy.ops.blemish.preset_add(of="SURFACE", name="mine")
    (user_folder / "presets/blemish/surface/mine.yaml").write_text("finish: {kind: velvet}")
    before = exchange.to_recipe(plate)
    with pytest.raises(RuntimeError, match="velvet"):
        bpy.ops.blemish.preset_apply(of="SURFACE", name="mine")
    assert exchange.to_recipe(plate) == before


def test_a_preset_cannot_leave_its_folder(plate: Any, user_folder: Path) -> None:
    bpy.ops.blemish.preset_add(of="SURFACE", name="../../../outside")
    assert [path.name for path in user_folder.rglob("*.yaml")] == ["outside.yaml"]
    assert (user_folder / "presets/blemish/surface/outside.yaml").is_file()


LOTS = [{"name": "dark", "share": 0.5, "quantities": {"finish.roughness": 0.4, "defects.1.severity": 0.3}}]


def with_lots(plate: Any) -> Any:
    """The plate with a lot that says something of its second defect."""
    fields = exchange.to_fields(plate)
    exchange.from_recipe(recipe_from({**fields, "lots": LOTS}, "plate"), plate)
    return plate


def said_in_lots(plate: Any) -> set[str]:
    return {path for lot in exchange.to_fields(plate).get("lots", []) for path in lot["quantities"]}


def test_what_lots_say_of_a_layer_goes_where_it_goes(plate: Any) -> None:
    with_lots(plate)
    assert said_in_lots(plate) == {"finish.roughness", "defects.1.severity"}
    plate.active_layer = 1
    bpy.ops.blemish.layer_move(direction="UP")
    assert said_in_lots(plate) == {"finish.roughness", "defects.0.severity"}
    bpy.ops.blemish.layer_duplicate()
    assert said_in_lots(plate) == {"finish.roughness", "defects.0.severity", "defects.1.severity"}
    for _ in range(2):
        plate.active_layer = 0
        bpy.ops.blemish.layer_remove()
    assert said_in_lots(plate) == {"finish.roughness"}
    exchange.to_recipe(plate)


def test_lots_can_be_left_out_and_another_surface_forgets_them(plate: Any, user_folder: Path) -> None:
    with_lots(plate)
    plate.use_lots = False
    assert not said_in_lots(plate)
    plate.use_lots = True
    bpy.ops.blemish.preset_add(of="SURFACE", name="mine")
    assert said_in_lots(plate)
    bpy.ops.blemish.preset_apply(of="SURFACE", name="mine")
    assert not said_in_lots(plate)
