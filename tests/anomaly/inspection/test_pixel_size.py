"""What a pixel of a render shows, against what the recipe says that the whole picture shows across."""

import numpy as np
import pytest

import scenes
from anomaly.inspection.inspector import Inspector, PixelSize
from anomaly.inspection.pixel_size import pixel_size_of
from anomaly.inspection.train import train_inspector
from scenes.datasets.writer import DatasetWriter
from scenes.formats.registry import read_samples
from scenes.formats.sample import Sample
from scenes.quantities.distribution import Constant


def dataset(folder, margin, frames=3):
    """Renders of a plate 120 mm wide, with this share of its width free at the left and right."""
    recipe = scenes.load_recipe("plate")
    camera = recipe.camera.model_copy(update={"resolution": (64, 48), "margin": Constant(margin)})
    recipe = recipe.model_copy(update={"camera": camera})
    writer = DatasetWriter(folder, recipe, 7, frames)
    rng = np.random.default_rng(0)
    for index in writer.missing():
        empty = [np.zeros((48, 64), np.uint16) for _ in range(3)]
        image = rng.integers(100, 140, (48, 64, 3), np.uint8)
        writer.write(index, image, *empty, scenes.draw(recipe, 7, index), [])
    writer.finish()
    return read_samples(folder)


def test_it_is_what_the_picture_shows_across_over_its_pixels(tmp_path):
    samples = dataset(tmp_path / "renders", 0.0)
    size = PixelSize(pytest.approx(0.120 / 64), 48, 64)
    assert pixel_size_of(samples) == size
    train_inspector(samples, tmp_path / "inspector", backbone="filters", size=20, epochs=1)
    assert Inspector.load(tmp_path / "inspector").training.pixel_size == size
    wider = dataset(tmp_path / "wider", 0.1)
    assert pixel_size_of([*samples, *wider]) is None
    photograph = Sample("a", "a", "good", samples[0].image_path)
    assert pixel_size_of([*samples, photograph]) is None
