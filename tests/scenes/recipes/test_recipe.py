import os
import tracemalloc
from pathlib import Path
from time import process_time
from typing import Any

import pytest
import yaml

from scenes import Recipe, RecipeError, build_part, draw, load_recipe
from scenes.recipes.reading import as_yaml, recipe_fields, shipped_recipes
from scenes.recipes.recipe import recipe_from


@pytest.mark.parametrize("name", ["plate", "magnetic_tile"])
def test_shipped_recipes_survive_json(name: str) -> None:
    recipe = load_recipe(name).model_copy(update={"calibrate": {}})  # which no dataset holds
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    assert recipe_from(recipe.model_dump(mode="json"), name) == recipe


def test_every_shipped_recipe_is_named_after_its_file() -> None:
    assert set(shipped_recipes()) >= {"plate", "magnetic_tile"}
    assert all(load_recipe(name).name == name for name in shipped_recipes())


def test_twins_keep_classes_and_bits() -> None:
    recipe = load_recipe("plate")
    twin = recipe.without("impurities")
    assert twin.switched_off == ("impurities",)
    assert twin.class_bits == recipe.class_bits
    defects, impurities = (
        ["crack", "scratch", "dent", "bump"],
        ["water_stain", "fingerprint", "sticker", "dust", "fibre"],
    )
    assert recipe.class_bits == {name: bit for bit, name in enumerate(defects + impurities)}
    assert recipe.without("impurities").without("defects") == recipe.without("defects", "impurities")
    assert Recipe.model_validate_json(twin.model_dump_json()) == twin


def test_unknown_family_is_refused() -> None:
    with pytest.raises(RecipeError, match="no family 'stains'; expected defects, impurities"):
        load_recipe("plate").without("stains")


MINIMAL = """
name: minimal
part: {kind: plate, width_mm: 120, height_mm: 100, thickness_mm: 3}
finish:
  kind: ground
  lay_degrees: 0
  correlation_along_mm: 5
  correlation_across_mm: 0.2
  height_rms_um: 0.3
  base_colour: [0.8, 0.8, 0.8]
  roughness: 0.3
  pit_density_per_cm2: 3
defects:
  - {kind: crack, count: 1, length_mm: 20, angle_degrees: 0, width_um: 300, depth_um: 100, reflectance_change: -0.5}
impurities:
  - {kind: water_stains, cell_size_mm: 20, radius_mm: 6, frequency_per_mm: 0.2, amplitude_mm: 3, gamma: 4, alpha: -0.2}
light: {kind: ring, sides: 6, diameter_mm: 200, height_mm: 180, panel_width_mm: 35, power_w: 4}
camera: {resolution: [612, 512], focal_length_mm: 16, sensor_width_mm: 8.4}
sensor: {exposure: 0.3, full_well_electrons: 10000, read_noise_electrons: 6}
"""


def _changed(path: str, value: object) -> dict[str, Any]:
    fields = yaml.safe_load(MINIMAL)
    *outer, last = path.split(".")
    section: Any = fields
    for name in outer:
        section = section[int(name) if name.isdigit() else name]
    if value is KeyError:
        del section[last]
    else:
        section[last] = value
    return fields


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("finish.roughness", "shiny", "finish.roughness: found 'shiny'; expected a number, {uniform"),
        ("finish.roughness", 3, "finish.roughness: found 3; expected 0 to 1"),
        ("finish.rougness", 0.3, "finish.rougness: unknown field; did you mean roughness? (allowed: kind, lay_degrees"),
        ("nmae", "x", "nmae: unknown field; did you mean name? (allowed: name, part"),
        ("finish.base_colour", [0.5, 0.5], "finish.base_colour.2: missing"),
        ("part.width_mm", KeyError, "part.width_mm: missing"),
        ("part.width_mm", -5, "part.width_mm: found -5; expected 0.1 to 2000"),
        ("part.width_mm", 1e9, "part.width_mm: found 1e+09; expected 0.1 to 2000"),
        ("part.width_mm", float("nan"), "part.width_mm: found nan; expected a finite number"),
        ("part.width_mm", {"uniform": [20, 10]}, "part.width_mm: found {uniform: [20, 10]}, which runs downwards"),
        ("part.kind", "plat", "part: found kind: plat; expected arc_segment, "),
        ("part.kind", KeyError, "part: found no kind; expected kind: one of arc_segment, "),
        ("part", 3, "part: found 3; expected a mapping of fields"),
        ("defects", {"kind": "crack"}, "defects: found {'kind': 'crack'}; expected a list"),
        ("defects.0.kind", "crak", "defects.0: found kind: crak; expected "),
        ("defects.0.count", 1.5, "defects.0.count: found 1.5; expected whole numbers"),
        ("defects.0.count", {"poisson": -1}, "defects.0.count: found {poisson: -1}; expected a rate"),
        ("impurities.0.radius_mm", 30, "impurities.0: found radius_mm + amplitude_mm up to 33 with a cell"),
        ("impurities.0.probability", 2, "impurities.0.probability: found 2; expected at most 1"),
        ("light.sides", True, "light.sides: found True; expected a valid integer"),
        ("light.sides", 2, "light: found sides 2 and diameter_mm from 200 without panel_length_mm"),
        ("camera.resolution", [612, 1_000_000], "camera.resolution.1: found 1000000; expected at most 4096"),
        ("camera.margin", -0.49, "camera: found a view so near that the part may need 61200 texels on a side"),
        ("sensor.bits", 12, "sensor.bits: found 12; expected 8 or 16"),
        ("sensor.full_well_electrons", None, "sensor: found read_noise_electrons without full_well_electrons"),
        ("sensor", {"exposure": 1, "bits": 16, "jpeg_quality": 80}, "sensor: found jpeg_quality with 16 bits"),
        ("sensor.jpeg_quality", {"uniform": [80, 120]}, "sensor.jpeg_quality: found {uniform: [80, 120]}"),
        ("sensor.white_balance_kelvin", 900, "sensor.white_balance_kelvin: found 900; expected 1667 to 25000"),
        ("texel_um", 1, "texel_um: found 1, so fine that the part may need 120000 texels on a side; expected at most"),
        ("finish.pit_radius_um", 10_000, "finish: found pit_density_per_cm2 up to 3 of pit_radius_um up to 10000"),
        ("name", "../../etc/passwd", "name: found '../../etc/passwd'; expected up to 64 letters"),
        ("switched_off", ["stains"], "switched_off.0: found 'stains'; expected defects or impurities"),
    ],
)
def test_a_bad_field_gives_one_line_that_names_it(path: str, value: object, told: str) -> None:
    with pytest.raises(RecipeError) as refusal:
        recipe_from(_changed(path, value), "mine.yaml")
    assert str(refusal.value).startswith(f"mine.yaml: {told}")
    assert "\n" not in str(refusal.value)


def test_lands_that_no_frame_would_show_are_refused() -> None:
    fields = load_recipe("magnetic_tile").model_dump(mode="json")
    with pytest.raises(RecipeError, match="part: found land_mm with concave: 0; expected a share of concave frames"):
        recipe_from({**fields, "part": fields["part"] | {"land_mm": 2}}, "tile")
    recipe_from({**fields, "part": fields["part"] | {"land_mm": 2, "concave": 0.5}}, "tile")


def test_more_grooves_from_end_to_end_than_lie_side_by_side_are_refused() -> None:
    fields = _changed("finish.through_groove_density_per_mm", 8)
    fields["finish"]["through_groove_width_um"] = 2000
    with pytest.raises(
        RecipeError, match=r"through_groove_density_per_mm up to 8 .* up to 2000; expected fewer than 6.28"
    ):
        recipe_from(fields, "mine.yaml")
    fields["finish"]["through_groove_density_per_mm"] = 6
    recipe_from(fields, "mine.yaml")


def test_every_problem_is_told_at_once() -> None:
    fields = _changed("finish.roughness", 3)
    fields["camera"]["zoom"] = 2
    with pytest.raises(RecipeError) as refusal:
        recipe_from(fields, "mine.yaml")
    assert [problem.split(":")[0] for problem in refusal.value.problems] == ["finish.roughness", "camera.zoom"]
    assert str(refusal.value).count("\n") == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "found an empty file"),
        (b"# nothing but words\n", "found an empty file"),
        (b"just words", "found 'just words'; expected fields"),
        (b"- plate\n- tile\n", "found ['plate', 'tile']; expected fields"),
        (b"\xff\xfe\x00\x01\x80", "found bytes that are not UTF-8 text"),
        (b"part: 1\nname: \x00", "line 2, column 7: found the character '\\x00'; expected text"),
        (b"part:\n  kind: [plate\nfinish: 2\n", "line 3, column 7: not valid YAML"),
        (b"name: a\nname: b\n", "line 2, column 1: not valid YAML: found the field 'name' a second time"),
        (b"name: !!python/object/apply:os.system [ls]\n", "line 1, column 7: not valid YAML: found the tag '!!python"),
        (b"name: x\npart: {a: !!timestamp y}", "line 2, column 11: not valid YAML: found the tag '!!timestamp'"),
        (b"name: !!binary AA==\n", "line 1, column 7: not valid YAML: found the tag '!!binary'"),
        (b"name: !!set {a}\n", "line 1, column 7: not valid YAML: found the tag '!!set'"),
        (b"name: !!omap [a: 1]\n", "line 1, column 7: not valid YAML: found the tag '!!omap'"),
        (b"name: !mine x\n", "line 1, column 7: not valid YAML: found the tag '!mine'"),
        (b"name: !!bool x\n", "line 1, column 7: not valid YAML: found 'x'; expected what its tag !!bool says"),
        (b"name: !!int ''\n", "line 1, column 7: not valid YAML: found ''; expected what its tag !!int says"),
        (b"name: !!float 1e\n", "line 1, column 7: not valid YAML: found '1e'; expected what its tag !!float says"),
        (b"name: !!map x\n", "line 1, column 7: not valid YAML: expected a mapping node"),
        (b"name: !!str [x]\n", "line 1, column 7: not valid YAML: expected a scalar node"),
        (b"name: 2024-99-99\n", "part: missing"),
        (b"name: 0x" + b"f" * 5000, "line 1, column 7: not valid YAML: found a number of 5002 characters"),
        (b"name: " + b"1:" * 5000 + b"1", "line 1, column 7: not valid YAML: found a number of 10001 characters"),
        (b"[" * 5000, "line 1, column 51: not valid YAML: found brackets nested more than 50 deep"),
        (b"name: &a [*a]\n", "line 1, column 11: not valid YAML: found *a within what it stands for"),
        (b"name:\n\tx: 1\n", "line 2, column 1: not valid YAML: found character '\\t'"),
        (b"? [a]\n: 1\n", "line 1, column 3: not valid YAML: found unhashable key"),
        ("name: x\n".encode("utf-16"), "found bytes that are not UTF-8 text"),
        (b"x" * (256 << 10) + b"x", "expected a recipe of at most 256 KiB"),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else None,
)
def test_a_file_that_is_no_recipe_is_refused_in_one_sentence(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError) as refusal:
        load_recipe(path)
    assert all(line.startswith(f"{path}: ") for line in str(refusal.value).splitlines())
    assert told in str(refusal.value)


# Nine of the one before, nine deep: 600 bytes that stand for 9^9 values.
MERGES = "a0: &a0 {k: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], k{n}: 1}}\n" for n in range(1, 10)
)
LISTS = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (MERGES, "line 5, column 45: not valid YAML: found more than 20000 values up to here"),
        (LISTS, "not valid YAML: found more than 20000 values up to here"),
        (f"name: [{','.join('1' * 120_000)}]", "not valid YAML: found more than 20000 values up to here"),
        ("- " * 120_000, "found brackets nested more than 50 deep"),
        ("{" * 250_000, "found brackets nested more than 50 deep"),
        ("\n".join(f"{'x' * 20}{number}: 1" for number in range(9000)), "and 8986 more problems of 9006"),
        ("#" * 260_000, "found an empty file"),
        ("a\n" * 130_000, "expected fields as in"),
    ],
    ids=["merges", "aliases", "list", "dashes", "braces", "fields", "comment", "lines"],
)
def test_a_recipe_that_would_take_all_memory_or_time_is_refused(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "mine.yaml").write_text(content)
    load_recipe("plate")  # what loading takes once is not counted
    tracemalloc.start()
    begin = process_time()
    try:
        with pytest.raises(RecipeError) as refusal:
            load_recipe(tmp_path / "mine.yaml")
        assert process_time() - begin < 10.0  # of this process, which tracemalloc slows down about fourfold
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()
    assert told in str(refusal.value)


def test_aliases_merges_and_dates_are_read_as_people_mean_them(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "\ufeffa: &a {k: 1, l: 2}\nb: &b {<<: *a, k: 3}\nc: {<<: *b, l: 4}\nd: 2024-01-31\ne: [*a, 5e-3]\n"
    )
    assert recipe_fields(tmp_path / "mine.yaml") == {
        "a": {"k": 1, "l": 2}, "b": {"k": 3, "l": 2}, "c": {"k": 3, "l": 4}, "d": "2024-01-31",
        "e": [{"k": 1, "l": 2}, 0.005],
    }  # fmt: skip


def test_fields_that_cannot_be_printed_are_told_in_one_line_each() -> None:
    with pytest.raises(RecipeError) as refusal:
        recipe_from({"a\nb": 1, "\x1b[31m": 2, "x" * 10_000: 3}, "mine.yaml")
    assert all(problem.isprintable() and len(problem) < 200 for problem in refusal.value.problems)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_devices_and_links_in_circles_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "one.yaml").symlink_to(tmp_path / "other.yaml")
    (tmp_path / "other.yaml").symlink_to(tmp_path / "one.yaml")
    for name, told in (
        (tmp_path / "pipe.yaml", "found a pipe or a device"),
        ("/dev/zero", "found a pipe or a device"),
        (tmp_path / "one.yaml", "cannot be read"),
        (tmp_path / ("x" * 5000), "cannot be read"),
        ("a\0b", "no such file"),
    ):
        with pytest.raises(RecipeError, match=told):
            load_recipe(name)


def test_a_family_of_very_many_entries_is_refused() -> None:
    fields = yaml.safe_load(MINIMAL)
    fields["defects"] *= 101
    with pytest.raises(RecipeError, match=r"defects: found .* entries; expected at most 100"):
        recipe_from(fields, "mine.yaml")


def test_a_missing_file_a_folder_and_a_misspelt_name_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"palte: no such file .*did you mean plate\? \(shipped: "):
        load_recipe("palte")
    with pytest.raises(RecipeError, match="found a folder"):
        load_recipe(tmp_path)
    with pytest.raises(RecipeError, match="no such file"):
        load_recipe(tmp_path / "absent.yaml")


def test_exponents_without_a_point_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(MINIMAL.replace("height_rms_um: 0.3", "height_rms_um: 3e-1"))
    assert load_recipe(path) == recipe_from(yaml.safe_load(MINIMAL), "minimal")


def test_one_entry_switched_off_moves_no_other() -> None:
    fields = load_recipe("plate").model_dump(mode="json")
    for entry in fields["defects"]:
        entry["count"] = 2
    whole = recipe_from(fields, "whole")
    some = recipe_from({**fields, "switched_off": ["defects.1"]}, "some")
    kinds = [layer.kind for layer in draw(whole, 3, 0).layers]
    assert "scratch" in kinds
    expected = [layer for layer in draw(whole, 3, 0).layers if layer.kind != "scratch"]
    assert list(draw(some, 3, 0).layers) == expected
    assert some.class_bits == whole.class_bits


@pytest.mark.parametrize(
    ("off", "found"), [("defects.9", "of which there are 4"), ("defects.01", "found 'defects.01'")]
)
def test_an_entry_that_is_not_there_cannot_be_switched_off(off: str, found: str) -> None:
    with pytest.raises(RecipeError, match=found):
        recipe_from({**load_recipe("plate").model_dump(mode="json"), "switched_off": [off]}, "plate")


@pytest.mark.parametrize(
    ("network", "told"),
    [
        ({"cell_mm": 1}, "make 12896 cells on 120 x 100 mm; expected at most 1000: a cell_mm of 3.968 or more"),
        ({"cell_mm": {"uniform": [1, 9]}, "radius_mm": {"uniform": [3, 20]}}, "make 1936 cells on 40 x 40 mm"),
        ({"cell_mm": {"uniform": [3.968, 9]}}, None),
        ({"cell_mm": 1, "radius_mm": 13}, None),
    ],
)
def test_crazing_that_would_take_long_is_refused_when_it_is_read(network: dict[str, object], told: str | None) -> None:
    fields = {**load_recipe("plate").model_dump(mode="json"), "impurities": []}
    fields["defects"] = [{"kind": "crazing", "width_um": 50, "depth_um": 50, "reflectance_change": -0.2, **network}]
    if told is not None:
        with pytest.raises(RecipeError, match=f"my.yaml: defects.0.cell_mm: found .* which may {told}"):
            recipe_from(fields, "my.yaml")
    else:
        scene = draw(recipe_from(fields, "my.yaml"), 0, 0)
        scene.layers[0].to_layer(build_part(scene.part).surface)


def test_only_some_kinds_keep_their_entries_and_what_refers_to_others_is_refused() -> None:
    steel = load_recipe("milled_steel")
    assert {entry.kind for entry in steel.only("scratch", "dent").defects} == {"scratch", "dent"}
    assert steel.only("scratch").impurities == ()
    with pytest.raises(
        RecipeError, match=r"milled_steel: defects.*found 'scratch'; expected the kind of an entry before"
    ):
        steel.only("dent")


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_recipe_written_as_yaml_is_read_as_it_was(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    fields = recipe.model_dump(mode="json") | {"calibrate": {path: list(of) for path, of in recipe.calibrate.items()}}
    (tmp_path / "again.yaml").write_text(as_yaml(fields), encoding="utf-8")
    assert load_recipe(tmp_path / "again.yaml") == recipe


def test_yaml_has_whole_numbers_without_a_point_and_no_number_changed() -> None:
    numbers = {"a": 40.0, "b": [0.1, 1e300, -3.0], "c": {"d": True, "e": None, "f": 1e-7}}
    text = as_yaml(numbers)
    assert "a: 40\n" in text
    assert yaml.safe_load(text) == numbers
