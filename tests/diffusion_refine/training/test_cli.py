"""`blemish train-generator METHOD` as it is typed: what it trains and says, and a method that comes from outside."""

import inspect
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffusion_refine.core.models import load_model
from diffusion_refine.training import cli, diffusion_cli
from diffusion_refine.training.diffusion import DiffusionSettings
from diffusion_refine.training.model_shapes import build_pipeline
from diffusion_refine.training.saving import model_in, save_pipeline
from tests.command.told import Run, runner
from tests.diffusion_refine.training.conftest import TINY

CAPTION = ("--caption", "photo of a good tile")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys)


def test_tuning_tells_how_far_it_is_and_makes_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    photographs, start, out = tmp_path / "photographs", tmp_path / "start", tmp_path / "out"
    photographs.mkdir()
    start.mkdir()
    with model_in(start) as part:
        save_pipeline(build_pipeline(TINY, 3), part)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)).save(photographs / "0.png")
    monkeypatch.setenv("BLEMISH_PROGRESS", "lines")
    command = ("train-generator", "diffusion", photographs, "--out", out, "--lora", "--start", start)
    options = ("--steps", 2, "--batch", 2, "--crops", 4, "--device", "cpu")
    assert "--caption" in run(*command, *options).refusal()  # photographs say nothing of themselves
    assert not out.exists()
    told = run(*command, *options, *CAPTION)
    assert told.code == 0, told
    marks = [line.removeprefix("blemish-progress ") for line in told.err.splitlines() if "blemish-progress" in line]
    assert ["denoiser", 2, 2] in [json.loads(mark) for mark in marks]
    assert load_model(str(out), "cpu").size == 32
    told = run(*command, *options, *CAPTION, "--seed", 5)
    assert "seed was 0 and is 5" in told.refusal()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("train-diffusion", "photos", "--out", "m"), ("train-diffusion is now called train-generator diffusion",)),
        (("train-diffusion", "--help"), ("train-diffusion is now called train-generator diffusion",)),
        (("train-generator",), ("Missing command", "`blemish train-generator --help`")),
        (("train-generator", "photos", "--out", "m"), ("No such command 'photos'", "`blemish train-generator --help`")),
        (("train-generator", "diffusoin", "photos"), ("'diffusoin'", "Did you mean 'diffusion'")),
        (("train-generator", "diffusion", "photos"), ("'--out'", "`blemish train-generator diffusion --help`")),
        (("train-generator", "diffusion", "photos", "--out", "m", "--steps", "0"), ("--steps", "found 0")),
        (("train-generator", "diffusion", "photos", "--out", "m", "--size", "40"), ("--size: found 40", "16")),
    ],
)
def test_what_makes_no_sense_is_one_line(arguments: tuple[str, ...], parts: tuple[str, ...], run: Run) -> None:
    line = run(*arguments).refusal()
    assert all(part in line for part in parts), line


def test_a_shell_and_python_have_the_same_defaults() -> None:
    typed = {name: option.default for name, option in inspect.signature(diffusion_cli.train).parameters.items()}
    plain = DiffusionSettings()
    for name in ("steps", "autoencoder_steps", "batch", "rank", "rate", "crops", "caption", "turns", "seed", "every"):
        assert typed[name] == getattr(plain, name), name
    assert typed["size"] == plain.shape.size


def test_a_method_is_added_by_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    """Its module, from outside, brings its own arguments and options."""
    (tmp_path / "outside.py").write_text(
        "import typer\n\n\n"
        "def train(dataset: str, out: str = typer.Option(...), sharpness: float = 2.0) -> None:\n"
        '    """Learn what edges are."""\n'
        "    print(dataset, out, sharpness)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(cli.METHODS, "edges", "outside")
    told = run("train-generator", "edges", "data", "--out", "model", "--sharpness", 3)
    assert (told.code, told.out) == (0, "data model 3.0\n")
    listed = run("train-generator", "--help").out
    assert "Learn what edges are." in listed
    assert "diffusion" in listed
    sys.modules.pop("outside")
