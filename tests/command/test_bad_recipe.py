"""Recipes that cannot be used: one clear line, exit code 2, and every file as it was."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import blemish
from tests.command.inputs import written
from tests.command.told import Refused, Run


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no such file and no such recipe (shipped: "),
        (b"", "found an empty file; expected the fields of a recipe (see `blemish recipe plate`)"),
        (bytes(range(256)), "found bytes that are not UTF-8 text; expected a YAML file"),
        (b"name: mine\npart: [plate\nlight: {", "line 3, column 6: not valid YAML"),
        (b"name: mine\nname: yours\n", "line 2, column 1: not valid YAML: found the field 'name' a second time"),
        (b"- plate\n", "found ['plate']; expected fields as in `blemish recipe plate`"),
        (
            b"!!python/object/apply:os.system [id]",
            "line 1, column 1: not valid YAML: found the tag '!!python/object/apply:os.system'",
        ),
        (b"#" * (256 << 10) + b"#", "expected a recipe of at most 256 KiB"),
        (b"[" * 100_000, "found brackets nested more than 50 deep"),
    ],
    ids=["missing", "empty", "binary", "syntax", "twice", "list", "python", "large", "nested"],
)
def test_file_that_is_no_recipe(refused: Refused, at: Path, content: bytes | None, told: str) -> None:
    path = at / "mine.yaml"
    if content is not None:
        path.write_bytes(content)
    for command in (("render", path, "--out", at / "new"), ("check", path), ("preview", path, "--out", at / "p.png")):
        line = refused(*command)
        assert line.startswith(f"{path}: ")
        assert told in line


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"camera__focal_lenght_mm": 16}, "camera.focal_lenght_mm", "unknown field; did you mean focal_length_mm?"),
        ({"camera__resolution": "large"}, "camera.resolution", "found 'large'; expected a list"),
        ({"camera__resolution": [64.5, 48]}, "camera.resolution.0", "found 64.5; expected a valid integer"),
        ({"sensor__bits": 12}, "sensor.bits", "found 12; expected 8 or 16"),
        ({"light__power_w": float("nan")}, "light.power_w", "found nan; expected a finite number"),
        ({"light__power_w": float("inf")}, "light.power_w", "found inf; expected a finite number"),
        ({"part__width_mm": -100}, "part.width_mm", "found -100; expected 0.1 to 2000"),
        ({"finish__roughness": 1e300}, "finish.roughness", "found 1e+300; expected 0 to 1"),
        ({"defects__count": 10**400}, "defects.0.count", "; expected a finite number"),
        ({"camera__resolution": [100_000, 48]}, "camera.resolution.0", "found 100000; expected at most 4096"),
        ({"part__height_mm": {"uniform": [9, 3]}}, "part.height_mm", "runs downwards; expected {uniform: [3, 9]}"),
        ({"part__height_mm": {"unifrom": [3, 9]}}, "part.height_mm", "{uniform: [low, high]}"),
        ({"part__height_mm": {"normal": [100, 1]}}, "part.height_mm", "expected clip: [low, high] beside it"),
        ({"part__kind": "sphere"}, "part", "found kind: sphere; expected arc_segment, ball_screw"),
        (
            {"impurities__radius_mm": 9, "impurities__amplitude_mm": 3, "impurities__cell_size_mm": 12},
            "impurities.0",
            "found radius_mm + amplitude_mm up to 12 with a cell_size_mm from 12; expected their sum below the cell",
        ),
    ],
)  # fmt: skip
def test_field_of_a_recipe(refused: Refused, at: Path, changes: dict[str, Any], field: str, told: str) -> None:
    path = at / "mine.yaml"
    path.write_text(yaml.safe_dump(written(**changes)))
    line = refused("render", path, "--out", at / "new")
    assert line.startswith(f"{path}: {field}: "), line
    assert told in line


def test_field_that_is_missing(refused: Refused, at: Path) -> None:
    fields = written()
    del fields["light"]
    (at / "mine.yaml").write_text(yaml.safe_dump(fields))
    assert "light: missing; expected this field to be given" in refused("check", at / "mine.yaml")


def test_every_problem_of_a_recipe_is_one_line(run: Run, at: Path) -> None:
    (at / "mine.yaml").write_text(yaml.safe_dump(written(part__width_mm=-1, sensor__bits=12)))
    told = run("check", at / "mine.yaml")
    assert told.code == blemish.USER_ERROR
    assert [line.split(": ")[:3] for line in told.err.splitlines()] == [
        ["blemish", str(at / "mine.yaml"), field] for field in ("part.width_mm", "sensor.bits")
    ]


def test_recipe_by_a_name_or_path_that_is_none(refused: Refused, at: Path) -> None:
    assert "platte: no such file and no such recipe; did you mean plate?" in refused("check", "platte")
    assert f"{at}: found a folder; expected a YAML file" in refused("render", at, "--out", at / "new")
    assert "/dev/zero: found a pipe or a device" in refused("recipe", "/dev/zero")
    (at / "picture.yaml").write_bytes(b"\x89PNG\r\n\xff")
    assert "picture.yaml: found bytes that are not UTF-8" in refused("recipe", at / "picture.yaml")
