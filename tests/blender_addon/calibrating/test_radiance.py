"""What calibration has rendered is what a dataset's pictures are developed from."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from blender_addon import RenderError, render_dataset
from blender_addon.calibrating.radiance import labelled, renderer
from scenes import Recipe, load_recipe
from scenes.calibration.measuring import Shot, developed
from scenes.calibration.photographs import middle
from tests.blender_addon.recipes import changed, crowded, small


def shot(recipe: Recipe, index: int) -> NDArray:
    taken: dict[int, NDArray[np.float32]] = {}
    shots = [Shot(recipe, 3, k) for k in range(index + 1)]
    renderer(recipe, samples=2, workers=1)(shots, taken.__setitem__)
    return developed(taken[index], shots[index].sensor()[0], recipe.camera.resolution)


@pytest.mark.render
def test_a_developed_shot_is_the_picture_of_a_dataset(tmp_path: Path) -> None:
    recipe = small(load_recipe("magnetic_tile"))
    dataset = render_dataset(recipe, tmp_path / "set", 2, seed=3, samples=2)
    np.testing.assert_array_equal(shot(recipe, 1), dataset[1].image)


@pytest.mark.render
def test_of_a_large_frame_the_middle_is_rendered(tmp_path: Path) -> None:
    recipe = changed(load_recipe("turned_shaft"), sensor={"blur_px": 0.5})
    dataset = render_dataset(recipe, tmp_path / "set", 1, seed=3, samples=2)
    picture, whole = shot(recipe, 0).astype(int), middle(dataset[0].image).astype(int)
    assert picture.shape == whole.shape != dataset[0].image.shape
    inner = (slice(4, -4), slice(4, -4))
    assert np.abs(picture - whole)[inner].mean() < 3  # the denoiser sees other surroundings
    assert np.corrcoef(picture[inner].ravel(), whole[inner].ravel())[0, 1] > 0.97


def test_no_workers_are_refused() -> None:
    with pytest.raises(RenderError, match="found 0 workers"):
        renderer(load_recipe("plate"), samples=1, workers=0)


@pytest.mark.render
def test_frames_with_masks_are_those_of_a_dataset(tmp_path: Path) -> None:
    recipe = small(crowded("magnetic_tile"))
    samples = labelled(tmp_path / "real", 3, samples=1).frames(recipe, tmp_path / "frames", 2)
    assert len(samples) == 2
    kinds = {name for sample in samples for family, name in sample.truth().kinds() if family == "defect"}
    assert kinds <= {entry.class_name for entry in recipe.defects}
    assert any(sample.truth().defect.any() for sample in samples)
