"""`blemish refine` as it is typed, from photographs to a refined dataset, and what it says when it cannot."""

import inspect
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy.ndimage import gaussian_filter

import blemish
from diffusion_refine.editing.label_check import Limits
from diffusion_refine.editing.realism import RealismSettings
from diffusion_refine.editing.word_swap import SwapSettings
from diffusion_refine.synthesis.refine.before_after import sheet_path
from diffusion_refine.synthesis.refine.method import synthesis
from diffusion_refine.synthesis.refine.settings import RefineSettings
from diffusion_refine.synthesis.swap_options import painter_for, swap_settings
from diffusion_refine.training.model_shapes import Shape, build_pipeline
from scenes import Dataset
from tests.command.told import Run, runner
from tests.diffusion_refine.synthesis.labelled_sets import mvtec_set

QUICK = ("--steps", "4", "--visible", "0", "--in-place", "0", "--stray", "1e9", "--spill", "1e9", "--swap", "0")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model in a folder, as `blemish train-generator diffusion` leaves one."""
    folder = tmp_path_factory.mktemp("model") / "untrained"
    shape = Shape(size=64, autoencoder=(16, 32, 48), unet=(16, 16, 32), head=8, text=32, text_layers=1)
    build_pipeline(shape).save_pretrained(folder, safe_serialization=True)
    return folder


@pytest.fixture
def drawn(tmp_path: Path, run: Run) -> Path:
    """Two photographs of a ground surface, not of a size that a model likes, with what a recipe draws on them."""
    photos = []
    for number in range(2):
        streaks = gaussian_filter(np.random.default_rng(number).normal(size=(75, 101)), (0, 5))
        photos.append(tmp_path / f"good{number}.png")
        Image.fromarray((120 + 40 * streaks / np.abs(streaks).max()).astype(np.uint8)).save(photos[-1])
    recipe = tmp_path / "flawed.yaml"
    recipe.write_text(blemish_recipe(run))
    assert run("synthesize", *photos, "--recipe", recipe, "--out", tmp_path / "drawn", "--seed", 3).code == 0
    return tmp_path / "drawn"


def blemish_recipe(run: Run) -> str:
    fields = yaml.safe_load(run("recipe", "plate").out)
    fields["defects"] = [entry for entry in fields["defects"] if entry["kind"] == "crack"]
    fields["defects"][0] |= {"count": 2, "width_um": 3000, "length_mm": 20}
    fields["impurities"] = []
    return yaml.safe_dump(fields)


def test_a_shell_and_python_have_the_same_defaults() -> None:
    typed = {name: option.default for name, option in inspect.signature(synthesis).parameters.items()}
    limits = ("visible", "in_place", "stray", "spill", "swap")
    realism = ("realism", "background", "band", "steps", "guidance", "rli")
    assert RealismSettings(*(typed[name] for name in realism)) == RealismSettings()
    assert Limits(*(typed[name] for name in limits)) == Limits()
    swaps = ("inversion", "steps", "rli", "cross", "self_share", "amplify", "paper")
    assert swap_settings(*(typed[name] for name in swaps)) == SwapSettings()
    assert {name: typed[name] for name in ("variants", "attempts")} == {
        name: getattr(RefineSettings(), name) for name in ("variants", "attempts")
    }


@pytest.mark.parametrize(
    ("given", "swaps_words", "keeps_classes", "painter"),
    [
        (None, False, False, "embedded"),
        (None, True, False, None),
        (None, False, True, None),
        ("none", False, False, None),
        ("none", True, False, None),
        ("out/painter", False, False, "out/painter"),
        ("out/painter", False, True, "out/painter"),
    ],
)
def test_variants_are_drawn_unless_words_are_to_be_swapped(
    given: str | None, swaps_words: bool, keeps_classes: bool, painter: str | None
) -> None:
    assert painter_for(given, swaps_words, keeps_classes) == painter


def test_photographs_with_drawn_defects_are_refined_and_looked_at(
    drawn: Path, model: Path, tmp_path: Path, run: Run
) -> None:
    out = tmp_path / "refined"
    told = run("refine", drawn, "--out", out, "--model", model, "--variants", 1, "--word", "dent", *QUICK)
    assert told.code == 0, told
    source, refined = Dataset(drawn), Dataset(out)
    assert f"frames     {len(refined)}: {len(refined)} refined" in told.out
    assert "visible >= 0, in place >= 0, stray <= 1e+09, spill <= 1e+09, swap >= 0" in told.out
    assert "s a frame" in told.out
    assert str(sheet_path(out)) in told.out
    with Image.open(sheet_path(out)) as sheet:
        assert min(sheet.size) > 200
    for before, after in zip(source, refined, strict=False):
        assert after.scene.part == before.scene.part  # the photograph is still known by its digest
        np.testing.assert_array_equal(after.defects, before.defects)
        far = gaussian_filter((before.defects > 0).astype(float), 4, truncate=2) == 0
        np.testing.assert_array_equal(after.image[far], before.image[far])
    assert "dent" in refined.classes
    again = run("refine", drawn, "--out", out, "--model", model, "--variants", 1, "--word", "dent", *QUICK)
    assert again.code == 0
    assert "s a frame" not in again.out


def test_the_papers_way_in_one_word_and_what_is_given_beside_it_wins(
    drawn: Path, model: Path, tmp_path: Path, run: Run
) -> None:
    line = ("refine", drawn, "--model", model, "--no-originals", "--variants", 1, "--word", "dent", *QUICK)
    line = (*line, "--steps", 2, "--realism", 0)
    own = {"--method": "direct", "--seed": 3, "--cross": 0.5, "--self": 0.25, "--amplify": 4}
    beside = [word for option in own.items() for word in option]
    told = {}
    for name, more in {"plain": ("--painter", "none"), "paper": ("--paper",), "both": ("--paper", *beside)}.items():
        assert run(*line, *more, "--out", tmp_path / name).code == 0
        told[name] = Dataset(tmp_path / name)[0].refinement
    assert {name: (record["method"], record["seed"]) for name, record in told.items()} == {
        "plain": ("direct", 0), "paper": ("null", 42), "both": ("direct", 3)
    }  # fmt: skip
    assert "photo of a dent defect image" in told["paper"]["prompts"]
    assert "photo of a dent defect image" in told["both"]["prompts"]
    assert "photo of a dent defect on a ground plate" in told["plain"]["prompts"]
    assert "base_prompt" not in told["plain"]["settings"]
    swaps = {name: record["settings"]["swap"] for name, record in told.items()}
    assert swaps["paper"] == {**swaps["plain"], "method": "null"}
    assert swaps["both"] == {**swaps["plain"], "cross": 0.5, "self_share": 0.25, "amplifier": 4}


def test_progress_is_told_in_lines_that_the_panel_reads(
    drawn: Path, model: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLEMISH_PROGRESS", "lines")
    told = run("refine", str(drawn), "--out", str(tmp_path / "refined"), "--model", model, *QUICK)
    marked = [line.removeprefix("blemish-progress ") for line in told.err.splitlines() if "blemish-progress" in line]
    assert json.loads(marked[-1]) == ["refining", 2, 2]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--word", "dent"), "--word says what defects become in variants; give --variants as well"),
        (("--paper",), "--paper says how words are swapped in variants; give --variants as well"),
        (("--painter", "embedded"), "--painter says how variants are made; give --variants as well"),
        (("--painter", "embedded", "--variants", "1", "--cross", "0.5"), "give one or the other"),
        (("--painter", "embedded", "--variants", "1", "--paper"), "give one or the other"),
        (("--painter", "nowhere", "--variants", "1"), "nowhere"),
        (("--variants", "1", "--self", "1.5"), "1.5"),
        (("--model", "nowhere"), "nowhere"),
        (("--realism", "1.5"), "1.5"),
        (("--method", "guess"), "guess"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_writes_nothing(
    drawn: Path, tmp_path: Path, run: Run, arguments: tuple[str, ...], line: str
) -> None:
    assert line in run("refine", drawn, "--out", tmp_path / "refined", *arguments).refusal()
    assert not (tmp_path / "refined").exists()


def test_a_folder_that_is_no_dataset_is_told(tmp_path: Path, model: Path, run: Run) -> None:
    assert "dataset.json" in run("refine", tmp_path, "--out", tmp_path / "out", "--model", model).refusal()


@pytest.mark.parametrize("library", ["diffusers", "transformers", "tokenizers", "accelerate", "peft"])
def test_libraries_of_the_extra_are_named(library: str) -> None:
    assert blemish.missing_extra(ModuleNotFoundError(name=library)) == (
        f"{library} is not installed; this command needs: pip install 'blemish[diffusion]'"
    )


def test_what_the_panel_passes_is_all_that_the_command_requires(run: Run) -> None:
    """`[dataset, "--out", folder]` and nothing else: see the operator `blemish.refine`."""
    told = run("refine", "--help")
    required = [line for line in told.out.splitlines() if line.startswith("│ *")]
    assert len(required) == 2
    assert "dataset" in required[0]
    assert "--out" in required[1]


def test_without_diffusers_the_command_names_the_extra(
    drawn: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for loaded in [name for name in sys.modules if name.startswith("diffusion_refine.")]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, "diffusers", None)
    assert "blemish[diffusion]" in run("refine", drawn, "--out", tmp_path / "out").refusal()


@pytest.mark.parametrize("method", [("--recipe", "plate"), ("--method", "cutpaste"), ("--method", "draem")])
def test_a_photograph_of_more_pixels_than_may_be_is_refused_unopened(
    method: tuple[str, ...], tmp_path: Path, run: Run
) -> None:
    """The file says 40 x 30 pixels and is cut short after that: whoever decodes it first says something else."""
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:1000])
    told = run("synthesize", path, *method, "--most-pixels", "0.001", "--out", tmp_path / "out")
    assert f"{path}: is 40 x 30 pixels, more than 0.001 million" in told.refusal()
    assert "is truncated or damaged" in run("synthesize", path, *method, "--out", tmp_path / "out").refusal()


def test_a_folder_of_good_and_flawed_pictures_is_drawn_on_where_it_is_good(tmp_path: Path, run: Run) -> None:
    labelled = mvtec_set(tmp_path / "set")
    assert run("synthesize", labelled, "--recipe", "magnetic_tile", "--out", tmp_path / "drawn").code == 0
    photos = json.loads((tmp_path / "drawn" / "dataset.json").read_text())["settings"]["photos"]
    good = sorted((labelled / "train" / "good").iterdir())
    assert [photo["name"] for photo in photos] == [path.name for path in good]

    shutil.rmtree(labelled / "train")
    shutil.rmtree(labelled / "test" / "good")
    told = run("synthesize", labelled, "--recipe", "magnetic_tile", "--out", tmp_path / "none")
    assert told.code == 2
    assert "holds no good picture to draw on" in told.err
    assert not (tmp_path / "none").exists()
