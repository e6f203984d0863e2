"""A defect costs four files and no edit: its physics, its catalogue module, its example and its test.

A throwaway one is added to a copy of the packages, and everything that knows of kinds is asked there.
"""

import filecmp
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
COPIED = ("procgen", "scenes", "blender_addon", "diffusion_refine", "tools")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "weights", "*.jpg")

PHYSICS = '''
"""Bruises: round places that a blow dulled."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from procgen.surface.anchor import Anchor
from procgen.surface.layer import Family, LayerSample, SurfacePoints


@dataclass(frozen=True)
class Bruise:
    """A disc of `radius` (m) about its anchor, darkened by `darkening`."""

    anchor: Anchor
    radius: float
    darkening: float
    family: ClassVar[Family] = "defect"
    class_name: ClassVar[str] = "bruise"

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        """The disc at N points."""
        points = SurfacePoints.of(points)
        sample = LayerSample.blank(len(points))
        near, place = self.anchor.unrolled(points, self.radius)
        inside = near[np.hypot(place[:, 0], place[:, 1]) <= self.radius]
        sample.reflectance[inside] = -self.darkening
        sample.inside[inside], sample.instance[inside] = True, 1
        return sample
'''
MODULE = '''
"""Bruises."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from procgen.defects.bruises import Bruise
from procgen.surface.layer import Family, Layer
from scenes.catalogue.entry import DefectEntry
from scenes.catalogue.placement.placing import anchored, place_within
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.geometry.atlas import Chart
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Count, Fine, Fraction
from scenes.quantities.scene_model import SceneModel


class BruiseRecipe(PlacedRecipeModel):
    """See `procgen.defects.bruises`."""

    class_name: ClassVar[str] = "bruise"
    family: ClassVar[Family] = "defect"
    kind: Literal["bruise"]
    count: Count
    radius_mm: Fine = Field(description="Radius of the dull place")
    darkening: Fraction = Field(description="What it takes of the base colour")

    def sample(self, surface: Chart, stream: RandomStream) -> list[BruiseLayer]:
        """The bruises of one frame."""
        return [self._one(surface, stream.at(number)) for number in range(stream.whole("count", self.count))]

    def _one(self, surface: Chart, stream: RandomStream) -> BruiseLayer:
        quantities = stream.quantities(self, omit=("count",))
        return BruiseLayer(place=place_within(surface, stream, reach=quantities["radius"]), **quantities)


class BruiseLayer(SceneModel):
    """One bruise at `place`, metres on the chart."""

    kind: Literal["bruise"] = "bruise"
    place: tuple[float, float]
    radius: float
    darkening: float

    def to_layer(self, surface: Chart) -> Layer:
        """The field over the surface."""
        return Bruise(anchored(surface, self.place), self.radius, self.darkening)


ENTRIES = (
    DefectEntry(
        kind="bruise",
        recipe=BruiseRecipe,
        drawn=BruiseLayer,
        title="Bruise",
        tooltip="A dull place where something hit it",
        noun="bruise",
        materials=frozenset({"metal"}),
    ),
)
'''
EXAMPLE = "defects:\n  - {kind: bruise, count: 3, radius_mm: 4, darkening: 0.3}\n"
TEST = '''
"""Bruises, against the area of a circle."""

import math

import numpy as np
import pytest

from procgen.defects.bruises import Bruise
from procgen.surface.anchor import Anchor
from procgen.surface.layer import SurfacePoints


def test_a_bruise_covers_a_disc() -> None:
    u, v = np.meshgrid(np.linspace(-0.01, 0.01, 401), np.linspace(-0.01, 0.01, 401))
    points = SurfacePoints.of(np.column_stack([u.ravel(), v.ravel(), np.zeros(u.size)]))
    sample = Bruise(Anchor((0, 0, 0), (0, 0, 1), (1, 0, 0)), 0.004, 0.3).evaluate(points)
    assert sample.inside.mean() * 0.02**2 == pytest.approx(math.pi * 0.004**2, rel=0.02)
'''
WRITTEN = {
    "procgen/defects/bruises.py": PHYSICS,
    "scenes/catalogue/defects/bruise.py": MODULE,
    "scenes/recipes/presets/kinds/bruise.yaml": EXAMPLE,
    "tests/procgen/defects/test_bruises.py": TEST,
}
ASKED = """
import json, sys
from blender_addon.ui import schema
from diffusion_refine.prompts.captions import caption_of
from diffusion_refine.prompts.vocabulary import corpus, vocabulary
from scenes import draw, load_recipe, surface_maps
from scenes.catalogue.registry import DEFECTS
from scenes.recipes.examples import example
from scenes.scene import Scene
from tools.contact_sheet import page

scene = example("defects", "bruise").scenes()[0]
mask = surface_maps(scene).classes & 1 << scene.classes["bruise"]
described = schema.described()
fields = {field.name: field for field in described.sections["bruise"].fields}
json.dump({
    "catalogue": DEFECTS["bruise"].title,
    "loaded": [entry.kind for entry in load_recipe(sys.argv[1]).defects],
    "again": Scene.model_validate_json(scene.model_dump_json()) == scene,
    "share": float((mask > 0).mean()),
    "panel": [described.kinds["bruise"].tooltip, fields["radius_mm"].label, fields["radius_mm"].tooltip],
    "caption": caption_of(scene),
    "words": ["bruise" in corpus("metal"), "bruise" in corpus("board"), "bruise" in vocabulary()],
    "page": [line for line in page().splitlines() if "`bruise`" in line],
    "unchanged": caption_of(draw(load_recipe("plate"), 0, 0)),
}, sys.stdout)
"""


def run(copy: Path, *arguments: str) -> str:
    """What Python prints in the copy; it imports the packages from there."""
    found = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages with four files more."""
    copy = tmp_path_factory.mktemp("house")
    for package in COPIED:
        shutil.copytree(REPOSITORY / package, copy / package, ignore=LEFT_OUT)
    for name, text in WRITTEN.items():
        path = copy / name
        assert not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip(), encoding="utf-8")
    return copy


def test_a_defect_of_four_files_is_everywhere_that_knows_of_kinds(copy: Path) -> None:
    recipe = (REPOSITORY / "scenes/recipes/presets/plate.yaml").read_text(encoding="utf-8")
    mine = copy / "mine.yaml"
    mine.write_text(recipe.replace("defects:\n", f"{EXAMPLE}", 1), encoding="utf-8")
    told = json.loads(run(copy, "-c", ASKED, str(mine)))
    mine.unlink()
    assert told["catalogue"] == "Bruise"
    assert told["loaded"][0] == "bruise"
    assert told["again"]
    assert 0.02 < told["share"] < 0.5
    assert told["panel"] == ["A dull place where something hit it", "Radius", "Radius of the dull place"]
    assert told["caption"] == "photo of a bruise defect on a ground plate"
    assert told["words"] == [True, False, True]
    assert len(told["page"]) == 1
    assert "Bruises: round places that a blow dulled." in told["page"][0]
    assert told["unchanged"].startswith("photo of a")


def test_the_defects_own_test_passes(copy: Path) -> None:
    run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/procgen/defects/test_bruises.py")


def test_no_file_was_edited(copy: Path) -> None:
    files = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    added = {name for name in files if "__pycache__" not in name and not (REPOSITORY / name).exists()}
    assert added == set(WRITTEN)
    same, different, missing = filecmp.cmpfiles(
        copy, REPOSITORY, [name for name in files - added if "__pycache__" not in name], shallow=False
    )
    assert same
    assert not different
    assert not missing
