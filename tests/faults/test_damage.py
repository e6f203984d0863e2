"""One bit of a file is another, or the file is cut short: nobody uses it unseen, and `blemish verify` names it.

How much is done: `--flips`, which are shared among the files of a test; `make test-faults` does more than `make test`.
"""

from __future__ import annotations

import os
import shutil
import signal
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import blemish
from procgen.errors import BlemishError, BlemishNote
from scenes import Dataset, DatasetWriter, Recipe
from scenes.datasets.schema import recipe_in
from scenes.formats.registry import read_samples
from scenes.recipes.recipe import recipe_from
from tests.command.inputs import SAMPLES, SEED, write_frame, written
from tests.faults.stages import REPOSITORY, Stage, ended, forked, left, run

Used = Callable[[Path], Any]
PICTURES_INSPECTED = 8
HEAD = 4096  # bytes, within which half of the flips lie: sizes and names, where a large file is mostly numbers


@dataclass(frozen=True)
class Kind:
    """A kind of file. used: all that anybody makes of it, read as its readers do, of the folder."""

    files: tuple[str, ...]
    used: Used


def frame(folder: Path) -> Any:
    """Frame 1, as training, evaluation and refinement see it."""
    sample, own = read_samples(folder)[1], Dataset(folder)[1]
    truth = sample.truth()
    arrays = (sample.image(), truth.defect, own.image, own.classes, own.defects, own.impurities)
    return [array.tobytes() for array in arrays], truth.kinds(), own.scene, own.instances, own.refinement


def resumed(folder: Path) -> Any:
    """What `render` goes on with."""
    recipe = recipe_in(folder)
    part = recipe.part
    DatasetWriter(folder, recipe, SEED, 2, samples=SAMPLES)
    return recipe, part.read() if hasattr(part, "read") else None


def inspector(folder: Path) -> Any:
    from anomaly.inspection.inspector import Inspector

    loaded = Inspector.load(folder)
    tensors = {**loaded.model.extractor.weight_tensors(), "bank": loaded.model.coreset.bank}
    return loaded.training, {name: value.numpy().tobytes() for name, value in tensors.items()}


def stopped_training(folder: Path) -> Any:
    from anomaly.inspection.inspector import read_tensors

    tensors, described = read_tensors(folder / "training.safetensors")
    return {name: value.numpy().tobytes() for name, value in tensors.items()}, described


def evaluation(folder: Path) -> Any:
    from anomaly.evaluation.results import read_results

    record = read_results(folder)
    sample = record.samples[1]
    pictures = (record.picture(sample), record.anomaly_map(sample), record.truth(sample))
    return record, [np.asarray(picture).tobytes() for picture in pictures]


def inspection(folder: Path) -> Any:
    """What `inspect` goes on with; what is missing it makes anew."""
    from anomaly.line.verdict_file import VERDICTS, VerdictFile, read_settings
    from anomaly.reporting.inspection_page import pictures_shown

    lines = VerdictFile(folder, read_settings(folder)).lines
    if len(lines) < PICTURES_INSPECTED:
        raise BlemishError(f"{folder / VERDICTS}: made anew")
    return lines, list(pictures_shown(folder, lines, len(lines)))


def model(folder: Path) -> Any:
    from diffusion_refine.core.models import load_model

    pipeline = load_model(str(folder), "cpu").pipeline
    weights = {f"{part}.{name}": value for part in ("unet", "vae", "text_encoder", "text_encoder_2")
               for name, value in getattr(pipeline, part).state_dict().items()}  # fmt: skip
    words = [getattr(pipeline, name)("a scratch on a plate").input_ids for name in ("tokenizer", "tokenizer_2")]
    return {name: value.numpy().tobytes() for name, value in weights.items()}, words, dict(pipeline.scheduler.config)


def checkpoint(folder: Path) -> Any:
    from diffusion_refine.training.loop import UNREADABLE, load_state

    try:
        return str(load_state(folder / "training/denoiser.pt"))
    except UNREADABLE as error:  # as the loop does
        raise BlemishError(str(error)) from None


def nothing(folder: Path) -> Any:
    """Of what people read alone."""


def step(folder: Path) -> Any:
    """What a study takes from its cache; what is damaged it makes anew."""
    from anomaly.studies.engine.cache import damages_of_step

    for path in sorted((folder / "cache").glob("*/*")):
        if any(damages_of_step(path)):
            raise BlemishError(f"{path}: made anew")


DATASET = (
    Kind(tuple(f"{name}/000001.png" for name in ("images", "classes", "defects", "impurities")), frame),
    Kind(("scenes/000001.json", "dataset.json"), frame),
    Kind(("annotations.json",), nothing),
)
MESH = (Kind(("mesh/part.*",), resumed),)
INSPECTOR = (Kind(("bank.safetensors",), inspector),)
TRAINING = (Kind(("training.safetensors",), stopped_training),)
EVALUATION = (
    Kind(("results.json", "pictures-*/images/000001.jpg", "pictures-*/maps/000001.png", "pictures-*/truths/000001.png"),
         evaluation),
    Kind(("report.html",), nothing),
)  # fmt: skip
INSPECTION = (
    Kind(("inspection.json", "verdicts.jsonl", "overlays/000001.png"), inspection),
    Kind(("maps/000001.png", "masks/*.png", "inspection.html"), nothing),
)
GENERATOR = (
    Kind(("model_index.json", "digests.json", "scheduler/*.json", "tokenizer/*.json", "tokenizer_2/*.json", "vae/*",
          "unet/*", "text_encoder/*", "text_encoder_2/*"), model),
    Kind(("lora/*", "training/denoiser.csv", "training/settings.json"), nothing),
    Kind(("training/denoiser.pt",), checkpoint),
)  # fmt: skip
STUDY = (Kind(("figures.json", "report.html"), nothing), Kind(("cache/*/*/*",), step))


def damaged(content: bytes, rng: Random, cut: bool) -> bytes:
    """The content with one bit turned, or cut short."""
    place = rng.randrange(min(HEAD, len(content)) if rng.random() < 0.5 else len(content))
    if cut:
        return content[:place]
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def verify_names(folder: Path, path: Path) -> bool:
    try:
        return any(str(path) in str(damage) for damage in blemish.verifier_of(folder).damages(folder))
    except BlemishError as error:
        return str(path) in str(error)


def hurt(folder: Path, kinds: tuple[Kind, ...], counts: Counter[str], times: int) -> None:
    """Damage the files of a folder in turn, one in three cut short, and count what comes of it."""
    rng = Random(str(kinds[0].files))
    counts |= Counter({"damaged": 0, "refused": 0, "used unseen": 0})
    files = [(path, kind.used) for kind in kinds for name in kind.files for path in sorted(folder.glob(name))]
    assert files
    sound = {used: used(folder) for _, used in files}
    assert not list(blemish.verifier_of(folder).damages(folder))
    for number in range(times):
        path, used = files[number % len(files)]
        content = path.read_bytes()
        path.write_bytes(damaged(content, rng, number % 3 == 2))
        counts["damaged"] += 1
        counts["not named by verify"] += not verify_names(folder, path)
        try:
            counts["used unseen"] += used(folder) != sound[used]
        except BlemishError as error:
            counts["refused"] += 1
            counts["refused for another file"] += path.name not in str(error) and used not in (step, checkpoint)
        path.write_bytes(content)
    assert used(folder) == sound[used]
    assert counts["damaged"] == times
    assert not {what: n for what, n in counts.items() if what not in ("damaged", "refused") and n}


@pytest.fixture(autouse=True)
def _quietly() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BlemishNote)
        yield


@pytest.fixture
def flips(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("--flips"))


def test_damage_to_datasets(made: Path, out: Path, counts: Counter[str], flips: int) -> None:
    shutil.copytree(made / "data", out)
    hurt(out, DATASET, counts, flips)


def of_mesh(path: Path) -> Recipe:
    """The plate's recipe with a mesh as its part."""
    return recipe_from(written() | {"part": {"kind": "mesh", "path": str(path), "unit_mm": 1}}, str(path))


@pytest.fixture(params=["obj", "stl"])
def mesh_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    import trimesh

    path = tmp_path / f"wheel.{request.param}"
    trimesh.load(REPOSITORY / "scenes/recipes/presets/kinds/handwheel.obj").export(path)
    return path


def test_damage_to_meshes_of_datasets(mesh_file: Path, out: Path, counts: Counter[str], flips: int) -> None:
    writer = DatasetWriter(out, of_mesh(mesh_file), SEED, 2, samples=SAMPLES)
    for index in range(2):
        write_frame(writer, writer.recipe, index)
    writer.finish()
    hurt(out, MESH, counts, flips // 10)


def test_a_mesh_that_changed_is_not_gone_on_with(mesh_file: Path, out: Path, counts: Counter[str], flips: int) -> None:
    """A recipe names it, and it is another file than the dataset was begun with."""
    DatasetWriter(out, of_mesh(mesh_file), SEED, 2, samples=SAMPLES)
    rng, content = Random("mesh"), mesh_file.read_bytes()
    for number in range(flips // 10):
        mesh_file.write_bytes(damaged(content, rng, number % 3 == 2))
        counts["damaged"] += 1
        try:
            DatasetWriter(out, of_mesh(mesh_file), SEED, 2, samples=SAMPLES)
            counts["used unseen"] += 1
        except BlemishError:
            counts["refused"] += 1
    mesh_file.write_bytes(content)
    DatasetWriter(out, of_mesh(mesh_file), SEED, 2, samples=SAMPLES)
    assert not counts["used unseen"]


@pytest.mark.slow
def test_damage_to_inspectors(made: Path, learnt: None, out: Path, counts: Counter[str], flips: int) -> None:
    shutil.copytree(made / "bank", out)
    hurt(out, INSPECTOR, counts, flips // 5)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["train"])
def test_damage_to_stopped_trainings(
    stage: str, stages: dict[str, Stage], whole: dict[str, bytes], out: Path, counts: Counter[str], flips: int
) -> None:
    """The file is refused, and the training begins anew, which it says, and ends with the same bytes."""
    child = forked(lambda: stages[stage].run(out))
    while not stages[stage].has_begun(out):
        pass
    os.kill(child, signal.SIGKILL)
    ended(child)
    hurt(out, TRAINING, counts, flips // 5)
    path = out / "training.safetensors"
    content = path.read_bytes()
    path.write_bytes(damaged(content, Random(1), cut=False))
    said = out.with_name("said")
    assert run(stages[stage], out, said) == 0
    assert "it is trained anew" in said.read_text()
    assert (out / "bank.safetensors").read_bytes() == whole["bank.safetensors"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "kinds", "share"),
    [("evaluate", EVALUATION, 1), ("inspect", INSPECTION, 1), ("train-generator", GENERATOR, 1), ("study", STUDY, 2)],
)
def test_damage_to_results(
    stage: str,
    kinds: tuple[Kind, ...],
    share: int,
    stages: dict[str, Stage],
    whole: dict[str, bytes],
    out: Path,
    counts: Counter[str],
    flips: int,
) -> None:
    assert run(stages[stage], out) == 0
    hurt(out, kinds, counts, flips // share)
    path = next(out.glob(kinds[0].files[0]))
    if stage not in ("evaluate", "inspect"):  # the one writes all of it again anyhow, the other refuses it
        path.write_bytes(damaged(path.read_bytes(), Random(1), cut=False))
    assert run(stages[stage], out) == 0
    assert left(out) == whole
