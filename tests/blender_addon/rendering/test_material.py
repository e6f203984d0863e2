"""What a finish adds to the picture, a clear coat and highlights that turn with the lay, leaves the masks alone."""

from pathlib import Path

import numpy as np
import pytest

from blender_addon import render_dataset
from scenes import Recipe, load_recipe
from tests.blender_addon.recipes import changed, small

pytestmark = pytest.mark.render
FINISH = {"ra_um": 0.8, "base_colour": [0.5, 0.5, 0.5], "roughness": 0.3}


def finished(**finish: object) -> Recipe:
    recipe = changed(small(load_recipe("plate")), defects={"count": 4})
    noiseless = {"full_well_electrons": None, "read_noise_electrons": 0, "vignetting": 0, "blur_px": 0}
    still = {"offset_x_mm": 0, "offset_y_mm": 0, "roll_degrees": 0}
    fields = changed(recipe, sensor=noiseless, camera=still, light={"imbalance": 0}).model_dump(mode="json")
    return Recipe.model_validate({**fields, "finish": {**FINISH, **finish}})


def test_a_coat_changes_the_picture_and_no_mask(tmp_path: Path) -> None:
    painted = {"kind": "painted", "peel_size_mm": 1.5}
    coated, bare = (
        render_dataset(finished(**painted, coat=coat), tmp_path / str(coat), 1, samples=8)[0] for coat in (1, 0)
    )
    assert (coated.image != bare.image).mean() > 0.5
    assert coated.defects.any()
    for name in ("classes", "defects", "impurities"):
        assert np.array_equal(getattr(coated, name), getattr(bare, name))


def test_a_turned_face_looks_alike_beside_and_above_its_middle(tmp_path: Path) -> None:
    turned = {"kind": "turned", "feed_mm": 0.5, "irregularity": 0}
    frames = {
        anisotropy: render_dataset(
            finished(**turned, anisotropy=anisotropy).without("defects", "impurities"),
            tmp_path / str(anisotropy), 1, samples=32,
        )[0].image.astype(float).mean(axis=2)
        for anisotropy in (0, 0.9)
    }  # fmt: skip
    ratio = frames[0.9] / frames[0]
    y, x = np.mgrid[: ratio.shape[0], : ratio.shape[1]] + 0.5
    x, y = x - ratio.shape[1] / 2, y - ratio.shape[0] / 2
    ring = np.abs(np.hypot(x, y) / ratio.shape[0] - 0.35) < 0.1
    beside = ratio[ring & (np.abs(y) < 0.3 * np.abs(x))].mean()
    above = ratio[ring & (np.abs(x) < 0.3 * np.abs(y))].mean()
    assert abs(beside - 1.0) > 0.02  # it is seen at all
    assert above - 1.0 == pytest.approx(beside - 1.0, rel=0.3)
