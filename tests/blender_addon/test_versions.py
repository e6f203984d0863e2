"""The same dataset from every Blender: masks to the byte, pictures within what noise and shading models leave."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from blender_addon import RenderError, render_dataset
from blender_addon.workers.blenders import find, own
from scenes import Dataset, DatasetError, Recipe, load_recipe
from tests.blender_addon.blenders import PROGRAM, WHEELS, executable
from tests.blender_addon.recipes import changed, crowded, small

pytestmark = pytest.mark.render
LABELS = ("classes", "defects", "impurities")
SAMPLES = 32
BLOCK = 16  # pixels; over so many the noise of two renderings averages out
# Largest difference of the mean, and of a block's mean, as shares of the picture's mean. Debian's Blender has no
# denoiser, and shades what is no metal with other models.
MEAN = {"4.2": 0.005, "4.5": 0.005, PROGRAM: 0.05}
BLOCKS = {"4.2": 0.1, "4.5": 0.1, PROGRAM: 0.15}


def noiseless(recipe: Recipe) -> Recipe:
    """The recipe with a sensor that adds nothing: otherwise its electrons are drawn anew for every rounding."""
    sensor = {"full_well_electrons": None, "read_noise_electrons": 0, "bits": 16, "transfer": "linear"}
    return changed(small(recipe), sensor=sensor)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Dataset]:
    """Two frames of a shipped recipe from the bpy of this Python, rendered once."""
    done: dict[str, Dataset] = {}

    def render(name: str) -> Dataset:
        if name not in done:
            folder = tmp_path_factory.mktemp(name) / "usual"
            done[name] = render_dataset(noiseless(crowded(name)), folder, 2, 3, samples=SAMPLES)
        return done[name]

    return render


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plate", "magnetic_tile", "painted_panel"])
@pytest.mark.parametrize("version", [*WHEELS, PROGRAM])
def test_every_blender_gives_the_same_masks_and_pictures_alike(
    version: str, name: str, usual: Callable[[str], Dataset], tmp_path: Path
) -> None:
    blender = executable(version)
    other = render_dataset(noiseless(crowded(name)), tmp_path / "other", 2, 3, samples=SAMPLES, blender=blender)
    for folder in (*LABELS, "scenes"):
        for path in sorted((usual(name).path / folder).iterdir()):
            assert (other.path / folder / path.name).read_bytes() == path.read_bytes(), f"{folder}/{path.name}"
    assert (other.path / "annotations.json").read_bytes() == (usual(name).path / "annotations.json").read_bytes()
    for one, two in zip(usual(name), other, strict=True):
        difference = two.image.astype(float) - one.image.astype(float)
        assert abs(difference.mean()) < MEAN[version] * one.image.mean()
        assert abs(blocks(difference)).max() < BLOCKS[version] * one.image.mean()


def blocks(image: np.ndarray) -> np.ndarray:
    """Means over squares of BLOCK pixels."""
    grey = image.mean(axis=2) if image.ndim == 3 else image
    rows, columns = grey.shape[0] // BLOCK, grey.shape[1] // BLOCK
    return grey[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3))


def test_frames_of_two_blenders_are_not_mixed(tmp_path: Path) -> None:
    blender = executable("4.2")
    recipe = small(load_recipe("plate"))
    render_dataset(recipe, tmp_path / "set", 1, samples=1)
    with pytest.raises(DatasetError, match=r"settings\.blender is not given there and '4\.2' now"):
        render_dataset(recipe, tmp_path / "set", 2, samples=1, blender=blender)


def test_the_bpy_of_this_python_named_is_the_default(tmp_path: Path) -> None:
    import sys

    assert find(sys.executable).version == own().version


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "found no program"),
        ("#!/bin/sh\necho GNU something 1.0\n", "neither Blender nor Python"),
        ("#!/bin/sh\necho Python 3.11.2\n", "a Python without bpy"),
        ("#!/bin/sh\necho Blender 2.93.1\n", "found Blender 2.93; expected 3.4 or later"),
        ("#!/bin/sh\nkill -9 $$\n", "neither Blender nor Python"),
    ],
)
def test_what_is_no_blender_is_refused_before_a_folder_is_made(content: str | None, told: str, tmp_path: Path) -> None:
    program = tmp_path / "program"
    if content is not None:
        program.write_text(content)
        program.chmod(0o755)
    with pytest.raises(RenderError, match=told):
        render_dataset(load_recipe("plate"), tmp_path / "set", 1, blender=program)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    "content",
    [
        "#!/bin/sh\n[ $1 = --version ] && echo Blender 4.2.0 && exit\necho 'Error: no display' >&2; exit 3\n",
        "#!/bin/sh\n[ $1 = --version ] && echo Blender 4.2.0 && exit\nkill -11 $$\n",
    ],
)
def test_a_blender_that_dies_at_once_leaves_nothing_behind(content: str, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(content)
    program.chmod(0o755)
    with pytest.raises(RenderError, match=r"exit code 3.*no display|killed by signal 11"):
        render_dataset(load_recipe("plate"), tmp_path / "set", 1, blender=program)
    assert not (tmp_path / "set").exists()
