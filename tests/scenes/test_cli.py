import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml
from PIL import Image
from typer.testing import CliRunner

from procgen.errors import BlemishError
from scenes import DatasetError, Recipe, RecipeError
from scenes.cli import register
from scenes.recipes.reading import as_yaml


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    register(app)
    return app


def test_recipes_are_listed_and_printed(app: typer.Typer) -> None:
    listed = CliRunner().invoke(app, ["recipes"])
    assert "plate " in listed.output
    assert "magnetic_tile " in listed.output
    printed = CliRunner().invoke(app, ["recipe", "plate"])
    assert yaml.safe_load(printed.output)["name"] == "plate"
    assert "#" in printed.output


def test_check_tells_what_is_wrong(app: typer.Typer, tmp_path: Path) -> None:
    assert "plate: good; part: plate" in CliRunner().invoke(app, ["check", "plate"]).output
    (tmp_path / "mine.yaml").write_text("name: mine")
    refused = CliRunner().invoke(app, ["check", str(tmp_path / "mine.yaml")])
    assert isinstance(refused.exception, RecipeError)


def test_a_scene_of_ones_own_is_checked_and_has_no_preview(app: typer.Typer, tmp_path: Path) -> None:
    written = {"name": "own", "scene": {"inspect": ["Nut*"], "background": {"folder": "behind"}}}
    (tmp_path / "own.yaml").write_text(as_yaml(written))
    refused = CliRunner().invoke(app, ["check", str(tmp_path / "own.yaml")])
    assert isinstance(refused.exception, BlemishError)
    (tmp_path / "behind").mkdir()
    (tmp_path / "behind" / "wall.png").write_bytes(b"")
    told = CliRunner().invoke(app, ["check", str(tmp_path / "own.yaml")])
    assert "good; inspects Nut* of your own scene; classes: none" in told.output
    refused = CliRunner().invoke(app, ["preview", str(tmp_path / "own.yaml"), "--out", str(tmp_path / "own.png")])
    assert isinstance(refused.exception, RecipeError)
    assert not (tmp_path / "own.png").exists()


def test_preview_is_a_picture_of_both_views(app: typer.Typer, tmp_path: Path, small_plate: Recipe) -> None:
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(small_plate.model_dump(mode="json")))
    out = tmp_path / "preview.png"
    told = CliRunner().invoke(app, ["preview", str(tmp_path / "mine.yaml"), "--out", str(out)])
    assert "x crack" in told.output
    with Image.open(out) as picture:
        bare, tinted = np.split(np.asarray(picture), 2, axis=1)
    assert bare.shape[1] > bare.shape[0]
    assert (bare != tinted).any()


def test_preview_into_a_missing_folder_names_the_file(app: typer.Typer, tmp_path: Path) -> None:
    out = tmp_path / "absent" / "preview.png"
    refused = CliRunner().invoke(app, ["preview", "magnetic_tile", "--out", str(out)])
    assert isinstance(refused.exception, DatasetError)
    assert str(refused.exception) == f"{out}: the folder it belongs in does not exist; make that first"


def test_importing_scenes_loads_nothing_heavy() -> None:
    code = (
        "import sys; import scenes; from scenes import Dataset, draw, load_recipe\n"
        "heavy = {'skimage', 'scipy', 'pycocotools', 'PIL', 'torch', 'bpy', 'numba'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
