"""Datasets that several of the renderer's tests look at."""

from collections.abc import Callable
from pathlib import Path

import pytest

from blender_addon import render_dataset
from scenes import Dataset, Recipe

DATASET_SEED = 5


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Recipe, int], Dataset]:
    """Render a recipe once a session: at one sample a pixel, for masks do not depend on it."""
    done: dict[tuple[str, int], Dataset] = {}

    def render(recipe: Recipe, frames: int) -> Dataset:
        key = (recipe.model_dump_json(), frames)
        if key not in done:
            folder: Path = tmp_path_factory.mktemp(recipe.name) / "dataset"
            done[key] = render_dataset(recipe, folder, frames, DATASET_SEED, samples=1)
        return done[key]

    return render
