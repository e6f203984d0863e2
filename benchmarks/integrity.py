"""What checking costs: `blemish verify` beside `sha256sum`, and reading with digests beside reading without.

    python benchmarks/integrity.py [--quick] [--frames 40] [--side 1024] [--rounds 5]

On a dataset of noise, which no compression makes small. The steps of training and evaluation that checking touches are
the reading of pictures and of their truth; the backbone's features of a picture are what they are compared with. The
least of some rounds, all of one run.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.backbone.patch_extractor import patch_extractor
from anomaly.inspection.inspector import Inspector, TrainingRecord
from anomaly.patchcore.torch_model import SequentialPatchcoreModel
from procgen.errors import BlemishNote
from procgen.surface.layer import Instance
from scenes import DatasetWriter, draw, load_recipe
from scenes.datasets import files
from scenes.datasets.verify import damages
from scenes.formats.registry import read_samples

warnings.simplefilter("ignore", BlemishNote)


def written(folder: Path, frames: int, side: int) -> Path:
    """A dataset of noise with one defect and one impurity a frame."""
    recipe = load_recipe("plate").only("crack", "water_stains")
    recipe = recipe.model_copy(update={"camera": recipe.camera.model_copy(update={"resolution": (side, side)})})
    writer = DatasetWriter(folder, recipe, 0, frames, samples=1)
    things = [Instance(1, "defect", "crack"), Instance(1, "impurity", "water_stain")]
    for index in range(frames):
        rng = np.random.default_rng(index)
        image = rng.integers(90, 160, (side, side, 3), np.uint8)
        defects, impurities = np.zeros((2, side, side), np.uint16)
        defects[side // 4 : side // 3, side // 8 : side // 2] = 1
        impurities[side // 3 : side // 2, side // 8 : side // 3] = 1
        writer.write(index, image, defects + 2 * impurities, defects, impurities, draw(recipe, 0, index), things)
    writer.finish()
    return folder


def without_digests(folder: Path) -> None:
    """The dataset as earlier versions wrote it: nothing is compared."""
    for path in (folder / "dataset.json", folder / "annotations.json", *folder.glob("scenes/*.json")):
        values = json.loads(path.read_bytes())
        path.write_bytes(files.as_json({k: v for k, v in values.items() if k not in ("sha256", "files")}))


def inspector(side: int) -> Inspector:
    """An inspector without a bank: of it only the features are wanted."""
    training = TrainingRecord("embedded", False, "", 2, 1, min(1.0, 640 / side), 0, (), (), "")
    return Inspector(SequentialPatchcoreModel(patch_extractor("embedded"), 2), training)


def least(rounds: int, *works: Callable[[], object]) -> list[float]:
    """Seconds of the fastest of some rounds of each, taken in turns, so that what else the machine does hits all."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, times in zip(works, taken, strict=True):
            begin = time.perf_counter()
            work()
            times.append(time.perf_counter() - begin)
    return [min(times) for times in taken]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--side", type=int, default=1024, help="pixels")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="6 frames, 2 rounds")
    given = parser.parse_args()
    frames, rounds = (6, 2) if given.quick else (given.frames, given.rounds)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        checked = written(Path(scratch) / "checked", frames, given.side)
        plain = Path(shutil.copytree(checked, Path(scratch) / "plain"))
        without_digests(plain)
        every = [str(path) for path in sorted(checked.rglob("*")) if path.is_file()]
        size = sum(Path(path).stat().st_size for path in every) / 1e6
        command = ["sha256sum", *every]
        verify, alone = least(
            rounds,
            lambda: list(damages(checked)),
            lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True),
        )
        print(f"{frames} frames of {given.side} x {given.side} pixels, {size:.0f} MB in {len(every)} files")
        print(f"sha256sum            {size / alone:7.0f} MB/s")
        print(f"blemish verify       {size / verify:7.0f} MB/s, {alone / verify:.2f} of sha256sum")

        features = inspector(given.side)

        def work(folder: Path, judged: bool) -> None:
            for sample in read_samples(folder):
                if judged:
                    sample.truth()
                features.features(sample.image(), sample.valid_mask())

        for name, judged in (("train", False), ("evaluate", True)):
            with_digests, without = least(rounds, partial(work, checked, judged), partial(work, plain, judged))
            print(f"{name:20} {with_digests:.2f} s with digests, {without:.2f} s without: {with_digests / without:.3f}")


if __name__ == "__main__":
    main()
