"""The method `sard` as its user has it: a model trained by the command, masks of every source, nothing else touched."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.torch import load_file
from scipy.ndimage import gaussian_filter

from diffusion_refine.synthesis.procedural.painting import painted
from diffusion_refine.synthesis.sard.drawing import drawn
from diffusion_refine.synthesis.sard.method import surface_of
from diffusion_refine.synthesis.sard.model import EMBEDDED_FOLDER, load_sard
from scenes import Dataset, load_recipe
from scenes.datasets.files import sha256_of
from scenes.pictures.reading import read_photograph
from scenes.recipes.on_photographs import draw_on
from tests.command.told import Run, contents, runner
from tests.diffusion_refine.synthesis.labelled_sets import mvtec_set, saved, surface


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled set, and a model trained on it for a few steps by the command."""
    import blemish

    folder = tmp_path_factory.mktemp("sard")
    mvtec_set(folder / "tiles")
    for part in ("test", "ground_truth"):
        (folder / "tiles" / part / "pit").rename(folder / "tiles" / part / "crack")
    arguments = ["--steps", "4", "--pairs", "8", "--size", "32", "--batch", "2", "--out", str(folder / "model")]
    assert blemish.run(["train-generator", "sard", str(folder / "tiles"), *arguments]) == 0
    return folder


@pytest.mark.parametrize(("dtype", "shape"), [(np.uint8, (70, 90)), (np.uint16, (80, 61, 3))])
@pytest.mark.parametrize("masks", ["random", "tiles"])
def test_pixels_change_inside_the_masks_alone(
    there: Path, tmp_path: Path, run: Run, masks: str, dtype: type, shape: tuple[int, ...]
) -> None:
    picture = saved(tmp_path / "good.png", surface(1, shape), dtype)
    named = masks if masks == "random" else str(there / masks)
    asked = (picture, "--method", "sard", "--model", there / "model", "--masks", named, "--count", 2, "--pieces", 2)
    for out in ("first", "again"):
        told = run("synthesize", *asked, "--out", tmp_path / out)
        assert told.code == 0, told
    assert contents(tmp_path / "first") == contents(tmp_path / "again")
    before = read_photograph(picture).pixels
    for frame in Dataset(tmp_path / "first"):
        marked = frame.defects > 0
        assert marked.any()
        assert frame.image.dtype == dtype
        assert np.array_equal(frame.image[~marked], before[~marked])
        assert not np.array_equal(frame.image[marked], before[marked])
        assert {instance.class_name for instance in frame.instances} <= {"crack", "spot"}
        record = frame.refinement or {}
        assert record["generator"] == "sard"
        assert len(record["model"]["sha256"]) == 64
        given = [parent for parent in record["parents"] if parent.get("gave") == "defect"]
        assert bool(given) == (masks == "tiles")


def test_a_grey_picture_of_three_channels_stays_grey(there: Path, tmp_path: Path, run: Run) -> None:
    picture = saved(tmp_path / "grey.png", np.repeat(surface(1, (70, 90))[..., None], 3, axis=2))
    told = run("synthesize", picture, "--method", "sard", "--model", there / "model", "--out", tmp_path / "out")
    assert told.code == 0, told
    (frame,) = Dataset(tmp_path / "out")
    assert frame.image.ndim == 3
    assert np.array_equal(frame.image, np.repeat(frame.image[..., :1], 3, axis=2))
    assert (frame.image != read_photograph(picture).pixels).any()


def test_masks_of_a_recipe_are_those_that_its_physics_draws(there: Path, tmp_path: Path, run: Run) -> None:
    fields = load_recipe("plate").model_dump(mode="json")
    fields["defects"] = [entry for entry in fields["defects"] if entry["kind"] == "crack"]
    fields["defects"][0] |= {"count": 3, "width_um": 4000, "length_mm": 40}
    fields["impurities"] = []
    recipe = tmp_path / "cracked.yaml"
    recipe.write_text(yaml.safe_dump(fields))
    picture = saved(tmp_path / "good.png", surface(1, (96, 120)))
    asked = ("--method", "sard", "--model", there / "model", "--masks", f"recipe:{recipe}")
    told = run("synthesize", picture, *asked, "--out", tmp_path / "out")
    assert told.code == 0, told
    (frame,) = Dataset(tmp_path / "out")
    assert {instance.class_name for instance in frame.instances} == {"crack"}
    seed = (frame.refinement or {})["pasted"][0]["drawn_with"]
    photograph = read_photograph(picture)
    expected = painted(photograph.pixels, draw_on(photograph, load_recipe(str(recipe)), seed, 0, None, None), gloss=0.0)
    assert np.array_equal(frame.defects > 0, expected.defects > 0)


def test_what_the_model_did_not_learn_is_refused(there: Path, tmp_path: Path, run: Run) -> None:
    picture = saved(tmp_path / "good.png", surface(1, (60, 60)))
    common = (picture, "--method", "sard", "--out", tmp_path / "no")
    for asked, said in {
        ("--model", there / "model", "--class", "rust"): "learnt crack, spot",
        ("--model", there / "model", "--surface", "moon"): "learnt tiles",
        ("--model", tmp_path): "train-generator sard",
        ("--model", there / "model", "--label-check"): "--label-check",
    }.items():
        assert said in run("synthesize", *common, *asked).refusal()
    assert not (tmp_path / "no").exists()


def test_the_surface_is_the_only_one_or_what_the_recipe_says() -> None:
    assert surface_of(("tiles",), "plate") == "tiles"
    assert surface_of(("ground", "rolled"), "plate") == "ground"
    assert surface_of(("ground", "rolled"), "hot_strip") == "rolled"
    assert surface_of(("steel", "tiles"), "plate") is None


def streaked() -> np.ndarray:
    """(96, 96) grey with an upright lay."""
    rng = np.random.default_rng(0)
    lay = gaussian_filter(rng.normal(size=(96, 96)), (6, 0.7))
    return 0.47 + 0.035 * lay / lay.std() + rng.normal(0, 0.008, lay.shape)


def test_without_a_model_the_one_that_ships_draws(tmp_path: Path, run: Run) -> None:
    picture = saved(tmp_path / "good.png", streaked())
    before = read_photograph(picture).pixels
    asked = ("--method", "sard", "--recipe", "magnetic_tile", "--class", "blowhole", "--count", 2)
    told = run("synthesize", picture, *asked, "--out", tmp_path / "out")
    assert told.code == 0, told
    for frame in Dataset(tmp_path / "out"):
        marked = frame.defects > 0
        assert {instance.class_name for instance in frame.instances} == {"blowhole"}
        assert np.array_equal(frame.image[~marked], before[~marked])
        assert (frame.refinement or {})["model"]["sha256"] == sha256_of(EMBEDDED_FOLDER / "sard.safetensors")


@pytest.mark.parametrize(
    ("surface_name", "name", "low", "high"),
    [("ground", "crack", -60, -6), ("ground", "blowhole", -80, -15), ("milled", "scratch", 20, 120)],
)
def test_the_model_that_ships_draws_what_it_is_asked_for(surface_name: str, name: str, low: int, high: int) -> None:
    """Cracks and blowholes darker than what was there, scratches brighter: mean change in grey levels of 255."""
    model = load_sard(EMBEDDED_FOLDER, "cpu")
    rows, columns = np.mgrid[:96, :96]
    is_round = (rows - 48) ** 2 / 64 + (columns - 48) ** 2 / 100 < 1
    mask = is_round if name == "blowhole" else (np.abs(columns - 47) < 2) & (np.abs(rows - 48) < 28)
    pixels = np.rint(255 * streaked()).astype(np.uint8)
    asked = model.labels.index(name), model.surfaces.index(surface_name)
    changes = [
        (drawn(model, pixels, mask, *asked, np.random.default_rng(seed)).astype(float) - pixels)[mask].mean()
        for seed in range(3)
    ]
    assert low < min(changes)
    assert max(changes) < high


def test_the_model_that_ships_is_small_and_finite() -> None:
    weights = load_file(EMBEDDED_FOLDER / "sard.safetensors")
    assert all(value.isfinite().all() for value in weights.values())
    assert sum(path.stat().st_size for path in EMBEDDED_FOLDER.iterdir()) < 5_000_000
    assert load_sard(EMBEDDED_FOLDER, "cpu").size == 64
