"""The one loop: any method, also one from outside, whole frames, records, and the same bytes after a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from diffusion_refine.synthesis.loop import carry_out
from diffusion_refine.synthesis.registry import METHODS, factory_of
from diffusion_refine.synthesis.request import Request
from diffusion_refine.training.model_shapes import Shape, build_pipeline
from procgen.errors import BlemishError
from scenes import Dataset, load_recipe
from tests.command.told import REPOSITORY, Run, contents, runner

QUICK = ("--steps", "4", "--stray", "1e9", "--spill", "1e9", "--visible", "0", "--in-place", "0")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys)


@pytest.fixture
def throwaway(monkeypatch: pytest.MonkeyPatch) -> str:
    """One line in the registry."""
    monkeypatch.setitem(METHODS, "throwaway", "tests.diffusion_refine.synthesis.throwaway")
    return "throwaway"


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"good{number}.png" for number in range(2)]
    for number, path in enumerate(paths):
        pixels = np.random.default_rng(number).integers(100, 140, (64, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return paths


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Three wide cracks."""
    fields = load_recipe("plate").model_dump(mode="json")
    fields["defects"] = [entry for entry in fields["defects"] if entry["kind"] == "crack"]
    fields["defects"][0] |= {"count": 3, "width_um": 4000, "length_mm": 40}
    fields["impurities"] = []
    path = tmp_path / "cracked.yaml"
    path.write_text(yaml.safe_dump(fields))
    return path


def test_a_method_from_outside_costs_its_module_and_one_line(
    photographs: list[Path], recipe: Path, throwaway: str, tmp_path: Path, run: Run
) -> None:
    asked = ("synthesize", *photographs, "--method", throwaway, "--recipe", recipe, "--depth", 0.8, "--seed", 5)
    told = run(*asked, "--out", tmp_path / "out")
    assert told.code == 0, told
    assert "4 blackened" in told.out
    made = Dataset(tmp_path / "out")
    assert made.header.settings == {"depth": 0.8}
    assert made.header.seed == 5
    for index, frame in enumerate(made):
        record = frame.refinement
        assert record is not None
        parent = Image.open(photographs[index // 2])
        assert record["generator"] == "blackened"
        assert [entry["photo"] for entry in record["parents"]] == [photographs[index // 2].name]
        assert record["variant"] == index % 2
        assert record["seed"] == 5
        assert record["settings"] == {"depth": 0.8}
        assert record["outcome"] in ("refined", "kept")
        there = frame.defects > 0
        assert there.any()
        np.testing.assert_array_equal(frame.image[~there], np.asarray(parent)[~there])
    (tmp_path / "out" / "scenes" / "000002.json").unlink()
    before = contents(tmp_path / "out")
    assert run(*asked, "--out", tmp_path / "out").code == 0
    assert run(*asked, "--out", tmp_path / "whole").code == 0
    after = contents(tmp_path / "out")
    assert set(after) - set(before) == {"scenes/000002.json"}
    assert after == contents(tmp_path / "whole")


def test_its_options_are_shown_and_checked(photographs: list[Path], recipe: Path, throwaway: str, run: Run) -> None:
    helped = run("synthesize", f"--method={throwaway}", "--help")
    assert "--depth" in helped.out
    assert "--gloss" not in helped.out
    assert "Usage: blemish synthesize" in helped.out
    refusal = run("synthesize", *photographs, "--method", throwaway, "--recipe", recipe, "--depth", 2).refusal()
    assert "2" in refusal
    assert "--gloss" in run("synthesize", *photographs, "--method", throwaway, "--gloss", 1).refusal()
    assert "procedural, refine" in run("synthesize", *photographs, "--method", "guess").refusal()


def test_the_label_check_is_a_step_that_one_can_leave_out(
    photographs: list[Path], recipe: Path, throwaway: str, tmp_path: Path
) -> None:
    request = Request(tuple(photographs), 5)
    checked = carry_out(factory_of(throwaway)(request, recipe=recipe), tmp_path / "checked")
    unchecked = Request(tuple(photographs), 5, label_check=False)
    free = carry_out(factory_of(throwaway)(unchecked, recipe=recipe), tmp_path / "free")
    for one, other in zip(checked, free, strict=True):
        assert one.refinement is not None
        assert other.refinement is not None
        assert len(one.refinement["checks"]) == len(np.unique(one.defects)) - 1
        assert other.refinement["checks"] == other.refinement["refused"] == []
        assert other.refinement["attempts"] == 1
        assert other.refinement["outcome"] == "refined"
    with pytest.raises(BlemishError, match="nothing to check"):
        factory_of("procedural")(Request(tuple(photographs), 5, label_check=True), recipe=str(recipe))


def test_drawing_on_photographs_loads_no_torch(photographs: list[Path], recipe: Path, tmp_path: Path) -> None:
    arguments = ["synthesize", *map(str, photographs), "--recipe", str(recipe), "--out", str(tmp_path / "out")]
    code = (
        "import sys, blemish\n"
        f"assert blemish.run({arguments!r}) == 0\n"
        "print(sorted({'torch', 'diffusers', 'transformers', 'torchmetrics', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert Dataset(tmp_path / "out").complete


def killed(arguments: list[str], out: Path) -> None:
    """Start a command and kill it once its first frame is there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "blemish", *arguments, "--out", str(out)],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and not list((out / "scenes").glob("0*.json")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_a_killed_drawing_goes_on_and_ends_in_the_same_bytes(
    photographs: list[Path], recipe: Path, tmp_path: Path, run: Run
) -> None:
    asked = ["synthesize", *map(str, photographs), "--recipe", str(recipe), "--count", "5"]
    killed(asked, tmp_path / "killed")
    assert not Dataset(tmp_path / "killed").complete
    for out in ("killed", "whole"):
        assert run(*asked, "--out", tmp_path / out).code == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


@pytest.mark.slow
def test_a_killed_refinement_goes_on_and_ends_in_the_same_bytes(
    photographs: list[Path], recipe: Path, tmp_path: Path, run: Run
) -> None:
    shape = Shape(size=64, autoencoder=(16, 32, 48), unet=(16, 16, 32), head=8, text=32, text_layers=1)
    build_pipeline(shape).save_pretrained(tmp_path / "model", safe_serialization=True)
    drawn = ["synthesize", *map(str, photographs), "--recipe", str(recipe), "--count", "4"]
    assert run(*drawn, "--out", tmp_path / "drawn").code == 0
    asked = ["refine", str(tmp_path / "drawn"), "--model", str(tmp_path / "model"), *QUICK]
    killed(asked, tmp_path / "killed")
    assert not Dataset(tmp_path / "killed").complete
    for out in ("killed", "whole"):
        assert run(*asked, "--out", tmp_path / out).code == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_refine_is_a_shorthand(photographs: list[Path], recipe: Path, tmp_path: Path, run: Run) -> None:
    shape = Shape(size=64, autoencoder=(16, 32, 48), unet=(16, 16, 32), head=8, text=32, text_layers=1)
    build_pipeline(shape).save_pretrained(tmp_path / "model", safe_serialization=True)
    assert run("synthesize", photographs[0], "--recipe", recipe, "--out", tmp_path / "drawn").code == 0
    options = ("--model", tmp_path / "model", "--variants", 1, "--word", "dent", "--seed", 3, "--attempts", 1, *QUICK)
    swaps = ("--method", "negative-prompt")
    assert run("refine", tmp_path / "drawn", "--out", tmp_path / "one", *options, *swaps).code == 0
    swaps = ("--method", "refine", "--inversion", "negative-prompt")
    assert run("synthesize", tmp_path / "drawn", "--out", tmp_path / "other", *options, *swaps).code == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "other")
