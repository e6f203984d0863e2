"""Training on one's own pictures: same bytes in one go and resumed, what it makes loads, and what it refuses."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from PIL import Image

from diffusion_refine.core.models import ModelError, load_model, load_painter
from diffusion_refine.core.verify import STATE
from diffusion_refine.training.crops import PicturesError
from diffusion_refine.training.diffusion import ADDITIONS, DiffusionSettings, TrainingError, train_diffusion
from diffusion_refine.training.model_shapes import Shape, build_pipeline
from diffusion_refine.training.saving import PART, model_in, save_pipeline
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
        if path.is_file() and path.suffix in (".safetensors", ".json", ".csv", ".pt")
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
    with model_in(folder) as part:
        save_pipeline(build_pipeline(TINY, 3), part)
    return folder


@dataclass(frozen=True)
class Whole:
    """An uninterrupted training: its settings, every moment at which it told how far it was, and what it wrote."""

    settings: DiffusionSettings
    moments: list[tuple[str, int]]
    files: dict[str, bytes]


@pytest.fixture(scope="module")
def wholes(photographs: Path, start: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Whole]:
    """A model from nothing, with its autoencoder and denoiser, one tuned by an adapter, and one that paints."""
    found = {}
    tuned = replace(QUICK, start=str(start))
    for name, settings in (
        ("scratch", QUICK),
        ("lora", replace(tuned, lora=True)),
        ("painter", replace(tuned, painter=True, defects=8.0)),
    ):
        out, moments = tmp_path_factory.mktemp(name) / "out", list[tuple[str, int]]()

        def tell(what: str, done: int, total: int, told: list[tuple[str, int]] = moments) -> None:
            told.append((what, done))

        train_diffusion([photographs], out, settings, "cpu", tell)
        found[name] = Whole(settings, moments, contents(out))
    return found


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", ["scratch", "lora", "painter"])
def test_a_training_stopped_at_random_moments_ends_in_the_same_bytes(
    name: str, seed: int, photographs: Path, tmp_path: Path, wholes: dict[str, Whole]
) -> None:
    whole = wholes[name]
    chosen = np.random.default_rng(seed).choice(len(whole.moments), 3, replace=False)
    stops = {whole.moments[number] for number in chosen}

    def stopping(what: str, done: int, total: int) -> None:
        if (what, done) in stops:
            stops.remove((what, done))
            raise Stopped

    out = tmp_path / "out"
    while stops:
        with pytest.raises(Stopped):
            train_diffusion([photographs], out, whole.settings, "cpu", stopping)
    if (out / STATE).is_dir():  # as a writer leaves it that is killed
        (out / STATE / ".denoiser.pt.999999999.tmp").write_bytes(b"half")
    train_diffusion([photographs], out, whole.settings, "cpu")
    assert contents(out) == whole.files
    assert not list(out.rglob(".*"))


# Trains in children of one process that has loaded torch: each is killed at its moment, the last one ends by itself.
KILLED = """
import os, pickle, signal, sys
import peft  # which each child would load again
from diffusion_refine.training.diffusion import train_diffusion

for datasets, out, settings, moments in pickle.load(sys.stdin.buffer):
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


def test_trainings_killed_by_the_system_end_in_the_same_bytes(
    photographs: Path, tmp_path: Path, wholes: dict[str, Whole]
) -> None:
    rng = np.random.default_rng(7)
    given, expected = [], []
    for name, stages in (
        ("scratch", ("autoencoder", "denoiser")),
        ("lora", ("denoiser",)),
        ("painter", ("denoiser",)),
    ):
        whole = wholes[name]
        choices = [[moment for moment in whole.moments if moment[0] == stage] for stage in stages]
        moments = [choice[int(rng.integers(len(choice)))] for choice in choices]
        given.append(([photographs], tmp_path / name, whole.settings, moments))
        expected += [-signal.SIGKILL] * len(moments) + [0]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", KILLED],
        input=pickle.dumps(given),
        capture_output=True,
        check=True,
        cwd=REPOSITORY,
        env=environment,
    )
    assert [int(line) for line in ended.stdout.split()] == expected
    for name, whole in wholes.items():
        assert contents(tmp_path / name) == whole.files


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


def test_a_painter_learns_from_a_whole_model_or_another_painter_and_is_taken_for_none_else(
    photographs: Path, start: Path, tmp_path: Path
) -> None:
    settings = replace(QUICK, start=str(start), painter=True, steps=2)
    out = train_diffusion([photographs], tmp_path / "out", settings, "cpu")
    painter = load_painter(str(out), "cpu")
    assert painter.paints
    assert painter.unet.config.in_channels == 9
    with pytest.raises(ModelError, match="is an in-painting model; give a text-to-image model"):
        load_model(str(out), "cpu")
    with pytest.raises(ModelError, match="does not paint"):
        load_painter(str(start), "cpu")
    further = train_diffusion([photographs], tmp_path / "further", replace(settings, start=str(out)), "cpu")
    before, after = (load_painter(str(folder), "cpu").unet.state_dict() for folder in (out, further))
    assert before.keys() == after.keys()
    assert not torch.equal(before["conv_in.weight"], after["conv_in.weight"])
    for wrong in (replace(settings, lora=True), replace(QUICK, painter=True)):
        with pytest.raises(TrainingError, match="--painter goes on from a whole model"):
            train_diffusion([photographs], tmp_path / "wrong", wrong, "cpu")


def test_pieces_may_be_smaller_than_the_model_and_are_whole_texels(
    photographs: Path, start: Path, tmp_path: Path
) -> None:
    small = replace(QUICK, start=str(start), painter=True, steps=2, side=16)
    seen: list[torch.Size] = []
    hook = torch.nn.modules.module.register_module_forward_pre_hook(
        lambda module, given: seen.append(given[0].shape) if isinstance(module, UNet2DConditionModel) else None
    )
    try:
        train_diffusion([photographs], tmp_path / "out", small, "cpu")
    finally:
        hook.remove()
    assert set(seen) == {torch.Size([QUICK.batch, 9, 8, 8])}
    with pytest.raises(TrainingError, match="--side: found 18; expected a multiple of 4"):
        train_diffusion([photographs], tmp_path / "other", replace(small, side=18), "cpu")
    with pytest.raises(TrainingError, match="has --size"):
        train_diffusion([photographs], tmp_path / "other", replace(QUICK, side=16), "cpu")


def test_a_painter_learns_what_is_round_a_hole(photographs: Path, start: Path, tmp_path: Path) -> None:
    settings = replace(QUICK, start=str(start), painter=True, steps=60, rate=3e-3, every=10)
    train_diffusion([photographs], tmp_path / "out", settings, "cpu")
    rows = (tmp_path / "out" / "training" / "denoiser.csv").read_text().splitlines()[1:]
    losses = [float(row.split(",")[2]) for row in rows]
    assert losses[-1] < 0.9 * losses[0]


def test_tuning_all_weights_lowers_the_error_on_the_pictures(photographs: Path, start: Path, tmp_path: Path) -> None:
    tuned = replace(QUICK, start=str(start), steps=60, rate=3e-3, every=10)
    train_diffusion([photographs], tmp_path / "out", tuned, "cpu")
    rows = (tmp_path / "out" / "training" / "denoiser.csv").read_text().splitlines()[1:]
    losses = [float(row.split(",")[2]) for row in rows]
    assert losses[-1] < 0.9 * losses[0]


def test_what_is_left_of_a_writer_that_died_first_or_last_does_no_harm(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / STATE).mkdir()  # and died before it wrote what it trains
    train_diffusion([photographs], tmp_path, QUICK, "cpu")
    trained = contents(tmp_path)
    (tmp_path / PART).mkdir()  # all of which had been put in its place
    train_diffusion([photographs], tmp_path, QUICK, "cpu")
    assert not (tmp_path / PART).exists()
    assert contents(tmp_path) == trained


def test_another_training_in_the_folder_is_named(photographs: Path, start: Path, tmp_path: Path) -> None:
    out = train_diffusion([photographs], tmp_path / "out", replace(QUICK, start=str(start), steps=2), "cpu")
    elsewhere = tmp_path / "elsewhere" / "photographs"
    shutil.copytree(photographs, elsewhere)
    written = contents(out)
    shutil.copytree(start, tmp_path / "copy")
    assert train_diffusion([elsewhere], out, replace(QUICK, start=str(tmp_path / "copy"), steps=2), "cpu") == out
    assert contents(out) == written
    for path in (photographs, start):
        assert str(path).encode() not in b"".join(filter(None, written.values()))
    with pytest.raises(CheckpointError, match=r"start was \{'sha256': .*\} and is \{'sha256': "):
        train_diffusion([photographs], out, replace(QUICK, start=str(out), steps=2), "cpu")
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
    with model_in(tmp_path) as part:
        save_pipeline(pipeline, part)
    assert all(torch.equal(value, kept[name]) for name, value in pipeline.unet.state_dict().items())
    model = load_model(str(tmp_path), "cpu")
    assert model.family == family
    configs = [json.loads(unet.to_json_string()) for unet in (pipeline.unet, model.unet)]
    assert configs[0] == {name: value for name, value in configs[1].items() if name != "_name_or_path"}
    assert all(torch.equal(value, kept[name].half().float()) for name, value in model.unet.state_dict().items())
