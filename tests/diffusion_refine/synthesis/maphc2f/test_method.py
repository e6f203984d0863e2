"""The method `maphc2f` as its user has it: with and without a model, records of the stages, nothing else touched."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from diffusion_refine.synthesis.maphc2f.physics import LEAST
from diffusion_refine.synthesis.maphc2f.wavelets import dilated
from diffusion_refine.synthesis.procedural.painting import painted
from scenes import Dataset, load_recipe
from scenes.pictures.reading import read_photograph
from scenes.recipes.on_photographs import draw_on
from tests.command.told import Run, contents, runner
from tests.diffusion_refine.synthesis.labelled_sets import mvtec_set, saved, surface

SHAPE = (72, 96)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys)


def flawed_plate(path: Path) -> Path:
    """A plate with a crack, a dent and large pits, which pictures of a hundred pixels show."""
    fields = load_recipe("plate").model_dump(mode="json")
    kinds = {entry["kind"]: entry for entry in fields["defects"]}
    crack = {**kinds["crack"], "count": 1, "width_um": 3000, "length_mm": 40}
    dent = {"kind": "dent", "count": 1, "diameter_mm": 14, "depth_um": 900, "decay": 4, "elongation": 1}
    rust = {"kind": "rust", "hours": 90, "spots_per_cm2": 0.1, "front_speed_mm_per_day": 1}
    fields["defects"] = [crack, dent, rust]
    fields["impurities"] = []
    path.write_text(yaml.safe_dump(fields))
    return path


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled set, a recipe, and a model trained with them for a few steps by the command."""
    import blemish

    folder = tmp_path_factory.mktemp("maphc2f")
    mvtec_set(folder / "tiles")
    for part in ("test", "ground_truth"):
        (folder / "tiles" / part / "pit").rename(folder / "tiles" / part / "crack")
    recipe = flawed_plate(folder / "flawed.yaml")
    options = ["--recipe", str(recipe), "--steps", "3", "--pairs", "6", "--size", "32", "--batch", "2"]
    arguments = ["train-generator", "maphc2f", str(folder / "tiles"), *options, "--out", str(folder / "model")]
    assert blemish.run(arguments) == 0
    return folder


@pytest.mark.parametrize(
    ("asked", "dtype", "shape"),
    [
        ("shipped", np.uint8, SHAPE),
        ("physics", np.uint8, SHAPE),
        ("scaled", np.uint8, SHAPE),
        ("coarse", np.uint8, SHAPE),
        ("references", np.uint16, (*SHAPE, 3)),
        ("model", np.uint8, (*SHAPE, 3)),
        ("db2", np.uint8, SHAPE),
    ],
)
def test_pixels_change_near_the_masks_alone_and_masks_are_the_physics(
    there: Path, tmp_path: Path, run: Run, asked: str, dtype: type, shape: tuple[int, ...]
) -> None:
    picture = saved(tmp_path / "good.png", surface(1, shape), dtype)
    recipe = there / "flawed.yaml"
    given = {
        "shipped": (),
        "physics": ("--stages", "physics"),
        "scaled": ("--stages", "physics", "--mm-per-pixel", "0.8"),
        "coarse": ("--solver",),
        "references": ("--solver", "--references", there / "tiles"),
        "model": ("--model", there / "model"),
        "db2": ("--solver", "--references", there / "tiles", "--wavelet", "db2"),
    }[asked]
    command = ("synthesize", picture, "--method", "maphc2f", "--recipe", recipe, *given, "--count", 2)
    for out in ("first", "again"):
        told = run(*command, "--out", tmp_path / out)
        assert told.code == 0, told
    assert contents(tmp_path / "first") == contents(tmp_path / "again")
    photograph = read_photograph(picture)
    classes = set()
    for frame in Dataset(tmp_path / "first"):
        record = frame.refinement or {}
        pieces = record["pasted"]
        seed = pieces[0]["drawn_with"]
        scene = draw_on(photograph, load_recipe(str(recipe)), seed, 0, 0.8e-3 if asked == "scaled" else None, None)
        drawn = painted(photograph.pixels, scene, gloss=0.0)
        marked = frame.defects > 0
        large = np.flatnonzero(np.bincount(drawn.defects.ravel()) >= LEAST)
        assert np.array_equal(marked, np.isin(drawn.defects, large[large > 0]))
        reach = {"physics": 0, "scaled": 0, "coarse": 0, "db2": 9}.get(asked, 3)
        near = dilated(torch.from_numpy(marked)[None, None], reach)[0, 0].numpy()
        assert frame.image.dtype == dtype
        assert np.array_equal(frame.image[~near], photograph.pixels[~near])
        assert not np.array_equal(frame.image[marked], photograph.pixels[marked])
        assert record["generator"] == "maphc2f"
        assert ("model" in record) == (asked in ("model", "shipped"))
        if asked in ("physics", "scaled"):
            assert np.array_equal(frame.image[marked], drawn.pixels[marked])
        for piece in pieces if asked not in ("physics", "scaled") else ():
            coarse = piece["stages"]["coarse"]
            assert coarse["by"] == ("network" if "model" in record else "solver")
            assert "model" in record or coarse["energy"][1] <= coarse["energy"][0]
            assert ("fine" in piece["stages"]) == (asked != "coarse")
            if asked != "coarse":
                assert len(piece["stages"]["fine"]["gains"]) == 6
        classes |= {(piece["class"], piece["mechanism"]) for piece in pieces}
    assert classes == {("crack", "crack"), ("dent", "deformation"), ("rust", "corrosion")}


def test_a_stopped_run_ends_in_the_same_bytes(there: Path, tmp_path: Path, run: Run) -> None:
    picture = saved(tmp_path / "good.png", surface(2, SHAPE))
    command = ("synthesize", picture, "--method", "maphc2f", "--recipe", there / "flawed.yaml", "--count")
    assert run(*command, 3, "--out", tmp_path / "whole").code == 0
    assert run(*command, 1, "--out", tmp_path / "parts").code == 0
    assert run(*command, 3, "--out", tmp_path / "parts").code == 0
    assert contents(tmp_path / "whole") == contents(tmp_path / "parts")


def test_what_cannot_be_drawn_is_refused(there: Path, tmp_path: Path, run: Run) -> None:
    picture = saved(tmp_path / "good.png", surface(1, (60, 60)))
    common = (picture, "--method", "maphc2f", "--recipe", there / "flawed.yaml", "--out", tmp_path / "no")
    for asked, said in {
        ("--stages", "fine", "--solver"): "--references",
        ("--solver", "--model", there / "model"): "leave one of them out",
        ("--wavelet", "db2"): "the model that ships learnt with haar",
        ("--class", "moon"): "crack, dent, rust",
        ("--model", tmp_path): "train-generator maphc2f",
        ("--model", there / "model", "--wavelet", "db2"): "learnt with haar",
        ("--label-check",): "--label-check",
    }.items():
        assert said in run("synthesize", *common, *asked).refusal()
    assert not (tmp_path / "no").exists()
