"""Training on one's own pictures: same bytes in one go and resumed, what it makes loads, and what it refuses."""

import json
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image

from diffusion_refine.core.models import load_model
from diffusion_refine.training.autoencoder import AutoencoderSettings
from diffusion_refine.training.crops import PicturesError
from diffusion_refine.training.diffusion import ADDITIONS, DiffusionSettings, TrainingError, train_diffusion
from diffusion_refine.training.model_shapes import Shape, build_pipeline
from diffusion_refine.training.saving import save_pipeline
from scenes.jobs.checkpoints import CheckpointError
from tests.command.told import REPOSITORY

TINY = Shape(size=32, autoencoder=(16, 32), latent_channels=4, unet=(16, 32), head=16, text=32)
QUICK = DiffusionSettings(
    steps=6, autoencoder_steps=4, batch=4, crops=12, every=2, caption="photo of a tile", shape=TINY
)


class Stopped(Exception):
    """What an interruption is here."""


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in (".safetensors", ".json", ".csv")
    }


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (48, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start")
    save_pipeline(build_pipeline(TINY, 3), folder)
    return folder


@pytest.fixture(scope="module", params=["scratch", "lora"])
def settings(request: pytest.FixtureRequest, start: Path) -> DiffusionSettings:
    """A model from nothing, with its autoencoder and denoiser, and one tuned by an adapter."""
    return QUICK if request.param == "scratch" else replace(QUICK, start=str(start), lora=True)


@pytest.fixture(scope="module")
def whole(photographs: Path, settings: DiffusionSettings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an uninterrupted training writes."""
    out = tmp_path_factory.mktemp("whole") / "out"
    train_diffusion([photographs], out, settings, "cpu")
    return contents(out)


def told(photographs: Path, settings: DiffusionSettings, folder: Path) -> list[tuple[str, int]]:
    """Every moment at which a training says how far it is."""
    moments: list[tuple[str, int]] = []
    train_diffusion([photographs], folder, settings, "cpu", lambda what, done, _: moments.append((what, done)))
    return moments


@pytest.mark.parametrize("seed", range(2))
def test_a_training_stopped_at_random_moments_ends_in_the_same_bytes(
    seed: int, photographs: Path, settings: DiffusionSettings, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    moments = told(photographs, settings, tmp_path / "told")
    assert contents(tmp_path / "told") == whole
    chosen = np.random.default_rng(seed).choice(len(moments), 3, replace=False)
    stops = {moments[number] for number in chosen}

    def stopping(what: str, done: int, total: int) -> None:
        if (what, done) in stops:
            stops.remove((what, done))
            raise Stopped

    out = tmp_path / "out"
    while stops:
        with pytest.raises(Stopped):
            train_diffusion([photographs], out, settings, "cpu", stopping)
    train_diffusion([photographs], out, settings, "cpu")
    assert contents(out) == whole


# Trains in children of one process that has loaded torch: each is killed at its moment, the last one ends by itself.
KILLED = """
import os, pickle, signal, sys
from pathlib import Path
from diffusion_refine.training.diffusion import train_diffusion

datasets, out, settings, moments = pickle.load(sys.stdin.buffer)
for moment in [*moments, None]:
    def kill(what, done, total):
        if (what, done) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        train_diffusion(datasets, out, settings, "cpu", kill)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_a_training_killed_by_the_system_ends_in_the_same_bytes(
    photographs: Path, settings: DiffusionSettings, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    rng = np.random.default_rng(7)
    stages = [("denoiser", QUICK.steps)]
    if not settings.lora:
        stages.insert(0, ("autoencoder", AutoencoderSettings(steps=QUICK.autoencoder_steps).linear + 4))
    moments = [(stage, int(rng.integers(1, last + 1))) for stage, last in stages]
    given = pickle.dumps(([photographs], tmp_path / "out", settings, moments))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", KILLED], input=given, capture_output=True, check=True, cwd=REPOSITORY, env=environment
    )
    assert [int(line) for line in ended.stdout.split()] == [-signal.SIGKILL] * len(moments) + [0]
    assert contents(tmp_path / "out") == whole


def test_a_model_from_nothing_loads_and_makes_pictures(photographs: Path, tmp_path: Path) -> None:
    model = load_model(str(train_diffusion([photographs], tmp_path / "out", QUICK, "cpu")), "cpu")
    assert (model.size, model.factor, model.latent_channels) == (32, 2, 4)
    prompt = model.encode_prompt(["photo of a tile"])
    noise = model.noise(torch.zeros(1, 4, 16, 16), 500, prompt)
    assert noise.isfinite().all()


def test_additions_change_the_attention_alone_and_are_kept_beside(
    photographs: Path, start: Path, tmp_path: Path
) -> None:
    tuned = replace(QUICK, start=str(start), lora=True, rate=1e-2)
    out = train_diffusion([photographs], tmp_path / "out", tuned, "cpu")
    before, after = (load_model(str(folder), "cpu").unet.state_dict() for folder in (start, out))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(any(part in name for part in ("to_q", "to_k", "to_v", "to_out.0")) for name in changed)

    plain = StableDiffusionXLPipeline.from_pretrained(start)
    plain.load_lora_weights(out / ADDITIONS)
    plain.fuse_lora()
    plain.unload_lora_weights()
    for name, value in plain.unet.state_dict().items():
        assert torch.allclose(value, after[name], atol=2e-3)


def test_tuning_all_weights_lowers_the_error_on_the_pictures(photographs: Path, start: Path, tmp_path: Path) -> None:
    tuned = replace(QUICK, start=str(start), steps=60, rate=3e-3, every=10)
    train_diffusion([photographs], tmp_path / "out", tuned, "cpu")
    rows = (tmp_path / "out" / "training" / "denoiser.csv").read_text().splitlines()[1:]
    losses = [float(row.split(",")[2]) for row in rows]
    assert losses[-1] < 0.9 * losses[0]


def test_another_training_in_the_folder_is_named(photographs: Path, start: Path, tmp_path: Path) -> None:
    out = train_diffusion([photographs], tmp_path / "out", replace(QUICK, start=str(start), steps=2), "cpu")
    with pytest.raises(CheckpointError, match="seed was 0 and is 9"):
        train_diffusion([photographs], out, replace(QUICK, start=str(start), steps=2, seed=9), "cpu")
    with pytest.raises(TrainingError, match="not empty"):
        train_diffusion([photographs], photographs, QUICK, "cpu")
    with pytest.raises(TrainingError, match="--start"):
        train_diffusion([photographs], tmp_path / "other", replace(QUICK, lora=True), "cpu")
    with pytest.raises(PicturesError, match="--caption"):
        train_diffusion([photographs], tmp_path / "another", replace(QUICK, caption=None), "cpu")


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_a_pipeline_of_a_shape_survives_the_disk(family: Any, tmp_path: Path) -> None:
    shape = replace(TINY, family=family)
    pipeline = build_pipeline(shape, 1)
    kept = {name: value.clone() for name, value in pipeline.unet.state_dict().items()}
    save_pipeline(pipeline, tmp_path)
    assert all(torch.equal(value, kept[name]) for name, value in pipeline.unet.state_dict().items())
    model = load_model(str(tmp_path), "cpu")
    assert model.family == family
    configs = [json.loads(unet.to_json_string()) for unet in (pipeline.unet, model.unet)]
    assert configs[0] == {name: value for name, value in configs[1].items() if name != "_name_or_path"}
    assert all(torch.equal(value, kept[name].half().float()) for name, value in model.unet.state_dict().items())
