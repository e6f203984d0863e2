"""The method `edit`: what of a photograph stays, which words are exchanged, and what its masks are masks of."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_refine.core.models import load_model
from diffusion_refine.editing.word_swap import SwapSettings, swap_words
from diffusion_refine.synthesis.edit import generator
from diffusion_refine.synthesis.edit.method import synthesis
from diffusion_refine.synthesis.edit.places import edited, resized, seen_shape
from diffusion_refine.synthesis.loop import carry_out
from diffusion_refine.synthesis.request import Request
from diffusion_refine.training.model_shapes import Shape, build_pipeline
from scenes import Dataset
from scenes.jobs.progress import Progress
from scenes.pictures.reading import read_photograph
from tests.command.told import Run, contents, runner
from tests.diffusion_refine.synthesis.labelled_sets import mvtec_set, saved, surface

GOOD, BASE = "photo of a good ground tile", "photo of a crack defect image"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An untrained model of 64 pixels a side in a folder."""
    folder = tmp_path_factory.mktemp("model") / "untrained"
    shape = Shape(size=64, autoencoder=(16, 32, 48), unet=(16, 16, 32), head=8, text=32, text_layers=1)
    build_pipeline(shape).save_pretrained(folder, safe_serialization=True)
    return str(folder)


def made_by(
    inputs: Sequence[Path], out: Path, model: str, progress: Progress = lambda *_: None, **options: object
) -> Dataset:
    asked = {"prompt": GOOD, "to": ["crack"], "exchange": ["good"], "changed": 0.0, "steps": 2, **options}
    return carry_out(synthesis(Request(tuple(inputs)), model=model, **asked), out, progress)  # type: ignore[arg-type]


@pytest.mark.parametrize(("shape", "dtype"), [((40, 70), np.uint16), ((75, 101, 3), np.uint8)])
def test_the_mask_is_the_thresholded_difference_and_all_else_keeps_its_bits(
    tmp_path: Path, model: str, shape: tuple[int, ...], dtype: type
) -> None:
    picture = saved(tmp_path / "good.png", surface(1, shape), dtype)
    before = read_photograph(picture).pixels
    [every] = made_by([picture], tmp_path / "every", model)
    assert every.image.dtype == dtype
    assert every.image.shape == shape
    assert 0 < (every.defects > 0).mean() < 1
    assert np.array_equal((every.image != before).reshape(*shape[:2], -1).any(axis=2), every.defects > 0)
    difference = np.abs(every.image.astype(float) - before).reshape(*shape[:2], -1).max(axis=2)
    threshold = float(np.median(difference[difference > 0])) / np.iinfo(dtype).max
    [frame] = made_by([picture], tmp_path / "some", model, changed=threshold)
    assert np.array_equal(frame.image, every.image)
    assert np.array_equal(frame.defects > 0, difference / np.iinfo(dtype).max > threshold)
    assert np.array_equal(frame.classes > 0, frame.defects > 0)
    assert [instance.class_name for instance in frame.instances] == ["crack"]
    record = frame.refinement
    assert record is not None
    assert record["mask"] == pytest.approx((frame.defects > 0).mean(), abs=1e-6)
    inside = frame.defects > 0
    error = np.mean(((frame.image.astype(float) - before) / np.iinfo(dtype).max)[~inside] ** 2)
    assert record["metrics"]["background_psnr"] == pytest.approx(-10 * np.log10(error), abs=1e-4)
    assert record["prompts"] == [GOOD, "photo of a crack ground tile"]
    assert (record["exchanged"], record["word"], record["method"]) == ("good", "crack", "direct")


def test_only_where_the_words_attend_changes(tmp_path: Path, model: str) -> None:
    """The place is `swap_words`', at the model's own size, where nothing has to be resized."""
    picture = saved(tmp_path / "good.png", surface(4, (64, 64, 3)), np.uint8)
    before = read_photograph(picture).pixels
    [frame] = made_by([picture], tmp_path / "out", model, blend=(0.6, 0.0))
    settings = SwapSettings(steps=2, threshold=0.6, start=0.0)
    found = swap_words(load_model(model), before / 255, GOOD, ["photo of a crack ground tile"], settings=settings)
    [place] = (swap.place for swap in found.swaps)
    assert 0 < place.mean() < 1
    assert np.array_equal(frame.image[~place], before[~place])
    assert (frame.image != before)[place].any()
    assert frame.refinement is not None
    assert frame.refinement["place"] == pytest.approx(place.mean(), abs=1e-6)


def test_key_words_are_exchanged_in_the_order_of_their_maps(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Share times contrast: "tile" attends much and in one place, "good" less, "photo" most of all but everywhere."""
    spot = np.zeros((4, 4), np.float32)
    spot[1, 1] = 1
    maps = {"photo": 9 + 0 * spot, "of": 5 * spot, "a": spot, "good": 2 * spot, "ground": 0.1 * spot, "tile": 3 * spot}
    inversions = []
    really = generator.inverted
    monkeypatch.setattr(generator, "attention_of", lambda *_: maps)
    monkeypatch.setattr(generator, "inverted", lambda *asked: inversions.append(asked) or really(*asked))
    pictures = [saved(tmp_path / f"{number}.png", surface(number, (40, 50))) for number in range(2)]
    made = made_by(pictures, tmp_path / "out", model, exchange=None, keys=2, to=["crack", "tile"])
    records = [frame.refinement for frame in made if frame.refinement]
    told = [(record["parents"][0]["frame"], record["exchanged"], record["word"]) for record in records]
    of_one = [("tile", "crack"), ("good", "tile"), ("good", "crack"), ("ground", "tile")]
    assert told == [(picture, *pair) for picture in (0, 1) for pair in of_one]
    assert list(records[0]["key_words"]) == ["tile", "good", "ground", "photo"]
    assert len(inversions) == 2  # each picture once


def test_by_default_defects_that_the_prompt_names_are_exchanged(tmp_path: Path, model: str) -> None:
    picture = saved(tmp_path / "flawed.png", surface(2, (40, 50)))
    prompt = "photo of a crack defect and a dent defect on a ground tile"
    made = made_by([picture], tmp_path / "out", model, prompt=prompt, exchange=None, to=["rust"])
    assert [frame.refinement["exchanged"] for frame in made if frame.refinement] == ["crack", "dent"]
    [frame] = made_by([picture], tmp_path / "key", model, exchange=None)
    assert frame.refinement is not None
    assert frame.refinement["exchanged"] == next(iter(frame.refinement["key_words"]))


def test_a_stopped_run_ends_in_the_same_bytes(tmp_path: Path, model: str) -> None:
    pictures = [saved(tmp_path / f"{number}.png", surface(number, (40, 50))) for number in range(2)]
    whole = made_by(pictures, tmp_path / "whole", model, to=["crack", "dent"])
    with pytest.raises(ZeroDivisionError):
        made_by(pictures, tmp_path / "cut", model, lambda _, done, total: 1 // (3 - done), to=["crack", "dent"])
    assert len(Dataset(tmp_path / "cut")) == 3
    made_by(pictures, tmp_path / "cut", model, to=["crack", "dent"])
    assert contents(whole.path) == contents(tmp_path / "cut")


def test_what_is_labelled_or_transparent_stays(tmp_path: Path, model: str) -> None:
    labelled = mvtec_set(tmp_path / "tiles")
    only = tmp_path / "only.txt"
    only.write_text("test/pit/000\n")
    [frame] = made_by([labelled], tmp_path / "out", model, only=only)
    old = frame.defects == 1
    [(path, before)] = [(p, read_photograph(p).pixels) for p in labelled.rglob("test/pit/000.png")]
    assert old.any(), path
    assert np.array_equal(frame.image[old], before[old])
    assert [instance.class_name for instance in frame.instances] == ["pit", "crack"]
    alpha = np.zeros((60, 80), np.uint8)
    alpha[:, 40:] = 255
    pixels = np.rint(surface(3, (60, 80, 3)) * 255).astype(np.uint8)
    Image.fromarray(np.dstack([pixels, alpha])).save(tmp_path / "cut_out.png")
    [frame] = made_by([tmp_path / "cut_out.png"], tmp_path / "clear", model)
    assert not frame.image[:, :40].any()


def test_an_edit_that_nobody_sees_leaves_the_frame_and_is_counted(tmp_path: Path, model: str, run: Run) -> None:
    picture = saved(tmp_path / "good.png", surface(1, (40, 50)))
    out = tmp_path / "out"
    told = run(
        "synthesize", picture, "--method", "edit", "--model", model, "--steps", 2, "--prompt", GOOD, "--exchange",
        "good", "--to", "crack", "--changed", 1, "--out", out,
    )  # fmt: skip
    assert told.code == 0, told
    assert "frames     1: 0 edited, 1 left as they were: no pixel changed by 1 of white" in told.out
    [frame] = Dataset(out)
    assert np.array_equal(frame.image, read_photograph(picture).pixels)
    assert not frame.defects.any()
    assert frame.refinement is not None
    assert frame.refinement["outcome"] == "nothing changed"


def test_grey_pictures_of_three_channels_stay_grey(tmp_path: Path, model: str) -> None:
    grey = saved(tmp_path / "grey.png", np.repeat(surface(1, (64, 64))[..., None], 3, axis=2))
    [frame] = made_by([grey], tmp_path / "out", model)
    assert frame.image.shape == (64, 64, 3)
    assert (frame.image == frame.image[..., :1]).all()
    assert frame.defects.any()


def test_the_papers_way_in_one_word_and_what_is_given_beside_it_wins(tmp_path: Path, model: str, run: Run) -> None:
    picture = saved(tmp_path / "flawed.png", surface(1, (40, 50)))
    line = ("synthesize", picture, "--method", "edit", "--model", model, "--steps", 2, "--paper", "--to", "dent")
    assert run(*line, "--out", tmp_path / "paper").code == 0
    [frame] = Dataset(tmp_path / "paper")
    record = frame.refinement
    assert record is not None
    assert record["prompts"] == [BASE, "photo of a dent defect image"]
    assert (record["method"], record["seed"], record["settings"]["side"]) == ("null", 42, 64)
    swap = record["settings"]["swap"]
    assert (swap["cross"], swap["self_share"], swap["amplifier"], swap["alpha"]) == (0.8, 0.6, 2, 0.1)
    assert swap["null"]["updates"] == 10
    given = ("--prompt", "photo of a crack on a tile", "--inversion", "direct", "--seed", 0, "--cross", 0.5)
    assert run(*line, *given, "--out", tmp_path / "given").code == 0
    [frame] = Dataset(tmp_path / "given")
    record = frame.refinement
    assert record is not None
    assert record["prompts"][0] == "photo of a crack on a tile"
    assert (record["method"], record["seed"], record["settings"]["swap"]["cross"]) == ("direct", 0, 0.5)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--to", "dent"), "--prompt: is missing"),
        (("--to", "dent", "--prompt", BASE, "--exchange", "rust"), "does not contain 'rust'"),
        (("--to", "crack", "--prompt", BASE), "--to crack: is what the prompt"),
        (("--to", "dent", "--prompt", BASE, "--exchange", "crack", "--keys", 1), "leave it or --exchange out"),
        (("--to", "dent", "--prompt", GOOD, "--keys", 5), "--keys: found 5; the prompt"),
        (("--to", "dent", "--prompt", BASE, "--blend", 2, 0), "--blend: found 2 for SHARE"),
        (("--to", "dent", "--prompt", BASE, "--label-check"), "--label-check"),
        (("--to", "dent", "--prompt", "a " * 40 + "crack"), "shorten it"),
        (("--prompt", BASE), "--to"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_writes_nothing(
    tmp_path: Path, model: str, run: Run, arguments: tuple[object, ...], line: str
) -> None:
    picture = saved(tmp_path / "good.png", surface(1, (40, 50)))
    told = run("synthesize", picture, "--method", "edit", "--model", model, "--out", tmp_path / "out", *arguments)
    assert line in told.refusal()
    assert not (tmp_path / "out").exists()


def test_a_picture_is_seen_as_large_as_asked_in_whole_texels() -> None:
    assert seen_shape((371, 390), 128, 16) == (128, 128)
    assert seen_shape((500, 1250, 3), 512, 64) == (192, 512)
    assert seen_shape((10, 1000), 128, 16) == (16, 128)
    picture = np.random.default_rng(0).random((16, 32, 3)).astype(np.float32)
    assert resized(picture, (16, 32)) is picture
    ours = resized(picture, (8, 16))
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(picture.transpose(2, 0, 1))[None], size=(8, 16), mode="bilinear", antialias=True
    )
    assert np.array_equal(ours, theirs[0].numpy().transpose(1, 2, 0))


def test_a_change_rises_from_the_rim_of_its_place() -> None:
    pixels, place = np.full((21, 21), 100, np.uint8), np.zeros((21, 21), bool)
    place[3:18, 3:18] = True
    found = edited(pixels, np.full((21, 21, 3), 40 / 255), place, band=3)
    assert (found[~place] == 100).all()
    assert found[10, 10] == 140
    profile = found[10, 3:8].astype(int)
    assert profile.tolist() == [100 + round(40 * s * s * (3 - 2 * s)) for s in (0.25, 0.5, 0.75, 1, 1)]
