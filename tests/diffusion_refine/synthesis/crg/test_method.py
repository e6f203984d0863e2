"""The method `crg` as its user has it: models trained by the commands, boxes of every source, nothing else touched."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from diffusion_refine.synthesis.crg import generator
from diffusion_refine.synthesis.crg.boxes import Box
from diffusion_refine.synthesis.crg.drawing import view_of
from diffusion_refine.synthesis.crg.model import EMBEDDED_FOLDER
from diffusion_refine.synthesis.crg.sampling import expected_calls
from diffusion_refine.synthesis.crg.sampling import literal as as_published
from scenes import Dataset
from scenes.datasets.files import sha256_of
from scenes.pictures.reading import read_photograph
from tests.command.told import Run, contents, runner
from tests.diffusion_refine.synthesis.labelled_sets import mvtec_set, saved, surface

QUICK = ("--steps", "10", "--start", "3", "--jump", "1", "--travels", "1", "--guidance-steps", "1")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled set, and a model trained on it for a few steps by the commands."""
    import blemish

    folder = tmp_path_factory.mktemp("crg")
    tiles = str(mvtec_set(folder / "tiles"))
    for part in ("test", "ground_truth"):
        (folder / "tiles" / part / "pit").rename(folder / "tiles" / part / "missing_hole")
    for half, size, *more in (("context", "32", "--crop", "16"), ("prior", "16")):
        arguments = ["--steps", "2", "--patches", "4", "--batch", "2", "--size", size, *more, "--every", "2"]
        assert blemish.run(["train-generator", f"crg-{half}", tiles, *arguments, "--out", str(folder / "model")]) == 0
    return folder


def labelled(folder: Path, *names: str) -> Path:
    """The published layout: pcb.json, and labels with two boxes beside each picture."""
    (folder / "pcb.json").parent.mkdir(parents=True, exist_ok=True)
    (folder / "pcb.json").write_text(json.dumps({"missinghole": 0, "spot": 5}))
    (folder / "sample").mkdir(exist_ok=True)
    for name in names:
        (folder / "sample" / f"{name}.txt").write_text("0 0.25 0.5 0.1 0.15\n5 0.8 0.95 0.12 0.1\n\n")
    return folder / "sample"


@pytest.mark.parametrize(("dtype", "shape"), [(np.uint8, (40, 90)), (np.uint16, (80, 61, 3)), (np.uint8, (20, 24))])
def test_pixels_change_round_the_boxes_alone(
    there: Path, tmp_path: Path, run: Run, dtype: type, shape: tuple[int, ...]
) -> None:
    """Also at the border, and in a picture smaller than the models'."""
    boxes = labelled(tmp_path / "data", "good")
    picture = saved(tmp_path / "good.png", surface(1, shape), dtype)
    asked = (picture, "--method", "crg", "--model", there / "model", "--boxes", boxes, "--per-box", 2, *QUICK)
    for out in ("first", "again"):
        told = run("synthesize", *asked, "--out", tmp_path / out)
        assert told.code == 0, told
    assert contents(tmp_path / "first") == contents(tmp_path / "again")
    before = read_photograph(picture).pixels
    frames = list(Dataset(tmp_path / "first"))
    assert len(frames) == 2
    assert not np.array_equal(frames[0].image, frames[1].image)
    for frame in frames:
        marked = frame.defects > 0
        assert marked.any()
        assert frame.image.dtype == dtype
        near = np.zeros_like(marked)
        rows, columns = np.nonzero(marked)
        for row, column in zip(rows, columns, strict=True):
            near[max(0, row - 4) : row + 5, max(0, column - 4) : column + 5] = True
        assert np.array_equal(frame.image[~near], before[~near])
        assert not np.array_equal(frame.image[marked], before[marked])
        record = frame.refinement or {}
        assert record["generator"] == "crg"
        assert {len(digest) for digest in record["model"]["sha256"].values()} == {64}
        assert record["asked"] == 2
        least, most = record["unet_calls"]["by_schedule"]
        assert least <= record["unet_calls"]["context"] <= most
        for piece in record["pasted"]:
            first, _ = piece["instances"]
            where = frame.defects == first
            if where.any():
                left, top, width, height = piece["drawn"]
                drawn = [np.flatnonzero(where.any(axis=axis)) for axis in (0, 1)]
                assert (drawn[0][0], drawn[1][0]) == (left, top)
                assert (np.ptp(drawn[0]) + 1, np.ptp(drawn[1]) + 1) == (width, height)
        given = {tuple(piece["given"]) for piece in record["pasted"]}
        height, width = shape[:2]
        assert given <= {
            tuple(round(value, 3) for value in box)
            for box in (
                ((0.25 - 0.05) * width, (0.5 - 0.075) * height, 0.1 * width, 0.15 * height),
                ((0.8 - 0.06) * width, (0.95 - 0.05) * height, 0.12 * width, 0.1 * height),
            )
        }


def test_what_nobody_would_see_is_left_out_and_counted(
    there: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = labelled(tmp_path / "data", "good")
    picture = saved(tmp_path / "good.png", surface(1, (64, 64, 3)))
    true_drawn = generator.drawn

    def faint(model: Any, pixels: Any, *more: Any) -> Any:
        changes, calls = true_drawn(model, pixels, *more)
        return [replace(c, pixels=np.where(c.changed[..., None], pixels[c.part] ^ 3, c.pixels)) for c in changes], calls

    monkeypatch.setattr(generator, "drawn", faint)
    asked = (picture, "--method", "crg", "--model", there / "model", "--boxes", boxes, *QUICK, "--out")
    told = run("synthesize", *asked, tmp_path / "out")
    assert told.code == 0, told
    assert "2 that would not be seen: the model may need a longer training" in told.out
    (frame,) = Dataset(tmp_path / "out")
    assert not frame.defects.any()
    assert np.array_equal(frame.image, read_photograph(picture).pixels)
    assert (frame.refinement or {})["unseen"] == 2
    told = run("synthesize", *asked, tmp_path / "literal", "--literal")
    assert "would not be seen" not in told.out  # as the published code, to its faults


def test_boxes_come_of_a_labelled_set(there: Path, tmp_path: Path, run: Run) -> None:
    picture = saved(tmp_path / "good.png", surface(1, (70, 90)))
    asked = (
        "--method",
        "crg",
        "--model",
        there / "model",
        "--boxes",
        there / "tiles",
        "--pieces",
        3,
        "--class",
        "spot",
    )
    told = run("synthesize", picture, *asked, *QUICK, "--out", tmp_path / "out")
    assert told.code == 0, told
    (frame,) = Dataset(tmp_path / "out")
    record = frame.refinement or {}
    assert {instance.class_name for instance in frame.instances} == {"spot"}
    assert {tuple(piece["given"][2:]) for piece in record["pasted"]} == {(9, 9)}  # a disc of radius 4
    assert any(parent.get("gave") == "defect" for parent in record["parents"])


def test_the_published_layout_is_read_and_written(there: Path, tmp_path: Path, run: Run) -> None:
    folder = labelled(tmp_path / "data", "board_1", "board_2")
    for number in (1, 2):
        saved(folder / f"board_{number}.png", surface(number, (48, 64, 3)))
    asked = ("--method", "crg", "--model", there / "model", "--boxes", folder, "--layout", "paper", "--per-box", 2)
    told = run("synthesize", folder, *asked, *QUICK, "--out", tmp_path / "out")
    assert told.code == 0, told
    names = {path.name for path in (tmp_path / "out" / "sample").iterdir()}
    assert names <= {
        f"board_{number}_{box}_{count}.png"
        for number in (1, 2)
        for box in ("missinghole_cx16_cy24", "spot_cx51_cy45")
        for count in (0, 1)
    }
    assert len(names) > 4
    log = (tmp_path / "out" / "log" / "generation.log").read_text().splitlines()
    assert len(log) == 8
    for path in (tmp_path / "out" / "grid").iterdir():
        assert path.name.endswith("_grid.png")
        assert Image.open(path).size[0] % 64 == 0
    for frame in Dataset(tmp_path / "out"):
        record = frame.refinement or {}
        assert record["asked"] == 1
        for piece in record["pasted"]:
            stem = Path(record["parents"][0]["photo"]).stem
            name = f"{stem}_{piece['class'].replace('_', '')}"
            assert any(each.startswith(name) for each in names)


def test_the_literal_mechanism_takes_over_all_that_it_saw(there: Path, tmp_path: Path, run: Run) -> None:
    folder = labelled(tmp_path / "data", "good")
    picture = saved(tmp_path / "good.png", surface(1, (32, 32, 3)))
    asked = (picture, "--method", "crg", "--model", there / "model", "--boxes", folder, "--class", "missing_hole")
    quick = ("--steps", "10", "--start", "3", "--jump", "1", "--travels", "2", "--guidance-steps", "1")
    told = run("synthesize", *asked, *quick, "--literal", "--out", tmp_path / "out")
    assert told.code == 0, told
    (frame,) = Dataset(tmp_path / "out")
    before = read_photograph(picture).pixels
    assert (frame.image != before).any(axis=2).mean() > 0.5
    assert not expected_calls(as_published())[0].context % 3


def test_a_context_as_large_as_is_asked_is_seen(there: Path, tmp_path: Path, run: Run) -> None:
    boxes = labelled(tmp_path / "data", "good")
    picture = saved(tmp_path / "good.png", surface(1, (60, 90)))
    asked = ("synthesize", picture, "--method", "crg", "--model", there / "model", "--boxes", boxes, *QUICK)
    seen = {}
    for name, given in {"by itself": (), "32": ("--context", 32), "16": ("--context", 16)}.items():
        assert run(*asked, *given, "--out", tmp_path / name).code == 0
        (frame,) = Dataset(tmp_path / name)
        assert frame.refinement is not None
        seen[name] = frame.refinement["settings"]["context"], frame.image
    assert [side for side, _ in seen.values()] == [32, 32, 16], "twice the window of 16"
    assert np.array_equal(seen["by itself"][1], seen["32"][1])
    assert not np.array_equal(seen["32"][1], seen["16"][1])


def test_without_guidance_the_priors_patch_is_put_in(there: Path, tmp_path: Path, run: Run) -> None:
    folder = labelled(tmp_path / "data", "good")
    picture = saved(tmp_path / "good.png", surface(1, (60, 60)))
    asked = (picture, "--method", "crg", "--model", there / "model", "--boxes", folder, *QUICK[:-1], "0")
    told = run("synthesize", *asked, "--out", tmp_path / "out")
    assert told.code == 0, told
    (frame,) = Dataset(tmp_path / "out")
    calls = (frame.refinement or {})["unet_calls"]
    assert calls["context"] == calls["by_schedule"][0] == calls["by_schedule"][1]


def test_the_window_lies_in_the_context_and_the_box_in_the_window() -> None:
    view = view_of(Box("a", 30.0, 40.0, 10, 20), (100, 100), 64, 32)
    assert (view.context.top, view.context.left, view.context.side) == (0, 8, 64)
    assert view.corner == (14, 16)
    # Of 32 pixels, whose centres run from -1 to 1, the box's centre is between the 16th and the 17th.
    assert view.centre == (pytest.approx(0.0), pytest.approx(0.0))
    assert view.half == (pytest.approx(10 / 31), pytest.approx(20 / 31))
    corner = view_of(Box("a", 2.0, 99.0, 4, 2), (100, 100), 64, 32)
    assert (corner.context.top, corner.context.left, corner.corner) == (0, 36, (0, 32))
    assert corner.centre == (pytest.approx(2 * 1.5 / 31 - 1), pytest.approx(2 * 30.5 / 31 - 1))
    large = view_of(Box("a", 50.0, 50.0, 48, 10), (100, 100), 64, 32)
    assert large.context.side == 128
    assert large.half[0] == pytest.approx(24 / 31)


def test_what_cannot_be_drawn_is_refused(there: Path, tmp_path: Path, run: Run) -> None:
    folder = labelled(tmp_path / "data", "good")
    picture = saved(tmp_path / "good.png", surface(1, (60, 60)))
    common = (picture, "--method", "crg", "--out", tmp_path / "no")
    named = ("--model", there / "model")
    for asked, said in {
        ("--boxes", folder): "it learnt missing_hole, mouse_bite",
        ("--boxes", folder, "--model", tmp_path): "train-generator crg-context",
        ("--boxes", folder, *named, "--class", "rust"): "learnt missing_hole, spot",
        ("--boxes", folder, *named, "--label-check"): "--label-check",
        ("--boxes", folder, *named, "--steps", 10, "--start", 11): "--start",
        ("--boxes", folder, *named, "--context", 40): "--context: found 40; expected a multiple of 16",
        ("--boxes", there / "tiles", *named, "--layout", "paper"): "--layout paper",
        ("--boxes", "recipe:plate", *named): "--boxes recipe:plate",
    }.items():
        assert said in run("synthesize", *common, *asked).refusal()
    for line, said in {
        "0 .5 .5 .1": "line 1: found 4 words",
        "x .5 .5 .1 .1": "whole number",
        "0 1.5 .5 .1 .1": "from 0 to 1",
        "7 .5 .5 .1 .1": "found class 7",
    }.items():
        (folder / "good.txt").write_text(line)
        assert said in run("synthesize", *common, *named, "--boxes", folder).refusal()
    (folder.parent / "pcb.json").unlink()
    (folder / "classes.txt").write_text("spot\nsoot\n")
    (folder / "good.txt").write_text("1 .5 .5 .1 .1\n")
    assert "found soot, which the model" in run("synthesize", *common, *named, "--boxes", folder).refusal()
    (folder / "classes.txt").unlink()
    assert "--classes" in run("synthesize", *common, *named, "--boxes", folder).refusal()
    assert not (tmp_path / "no").exists()


def test_the_model_that_ships_draws_copper_defects(tmp_path: Path, run: Run) -> None:
    """Without --model, on a track over laminate in the colours of its boards: an open circuit parts the copper."""
    board = np.empty((128, 128, 3))
    board[:] = (38, 105, 66)
    board[60:68] = (75, 150, 82)
    board += np.random.default_rng(0).normal(0, 1.5, board.shape)
    picture = saved(tmp_path / "board.png", board / 255, np.uint8)
    folder = tmp_path / "boxes"
    folder.mkdir()
    (folder / "classes.txt").write_text("open_circuit\n")
    (folder / "board.txt").write_text("0 0.5 0.5 0.08 0.1\n")
    told = run("synthesize", picture, "--method", "crg", "--boxes", folder, "--out", tmp_path / "drawn")
    assert told.code == 0, told
    (frame,) = Dataset(tmp_path / "drawn")
    assert [instance.class_name for instance in frame.instances] == ["open_circuit"]
    green = frame.image[..., 1].astype(float)
    middle, track = green[61:67, 62:66].mean(), green[61:67, 10:40].mean()
    assert middle < track - 20  # of the 45 between copper and laminate
    shipped = {sha256_of(path) for path in EMBEDDED_FOLDER.glob("crg-*.safetensors")}
    assert set((frame.refinement or {})["model"]["sha256"].values()) >= shipped
