"""What it costs that every file is compared with its digest: beside `sha256sum`, and beside a dataset that has none."""

import argparse
import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.inspection.evaluate import evaluate_inspector
from anomaly.inspection.inspector import Inspector
from anomaly.inspection.train import train_inspector
from benchmarks.common import Figure, report, seconds
from procgen.errors import BlemishNote
from procgen.surface.layer import Instance
from scenes import DatasetWriter, draw, load_recipe
from scenes.datasets.verify import damages
from scenes.formats.registry import read_samples

MEBIBYTE = 2**20
LEAST_RATE, MOST_COST = 0.8, 1.03  # of sha256sum; of a run without checks


def write_set(folder: Path, frames: int, height: int, width: int) -> None:
    """Frames of noise, which no compression makes small, the odd ones with a defect."""
    fields = load_recipe("plate").model_dump(mode="json")
    fields["camera"]["resolution"] = [width, height]
    recipe = type(load_recipe("plate")).model_validate(fields)
    writer = DatasetWriter(folder, recipe, 0, frames, samples=1)
    nothing = np.zeros((height, width), np.uint16)
    for index in range(frames):
        image = np.random.default_rng(index).integers(90, 130, (height, width, 3), dtype=np.uint8)
        marked = nothing.copy()
        marked[height // 4 : height // 2, width // 4 : width // 2] = index % 2
        instances = [Instance(1, "defect", "crack")] if index % 2 else []
        writer.write(index, image, marked, marked, nothing, draw(recipe, 0, index), instances)
    writer.finish()


def without_digests(folder: Path) -> None:
    """Make of a dataset one as Blemish wrote it before there were digests, of which nothing is compared."""
    for path in (folder / "dataset.json", folder / "annotations.json", *(folder / "scenes").iterdir()):
        written = {name: v for name, v in json.loads(path.read_text()).items() if name not in ("sha256", "files")}
        path.write_text(json.dumps(written))


def looked_at(folder: Path) -> None:
    assert not list(damages(folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller frames")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    frames, height, width = (12, 240, 320) if options.quick else (60, 960, 1280)
    warnings.simplefilter("ignore", BlemishNote)
    torch.set_num_threads(1)
    with TemporaryDirectory() as scratch:
        place = Path(scratch)
        write_set(place / "set", frames, height, width)
        shutil.copytree(place / "set", place / "bare")
        without_digests(place / "bare")
        files = sorted(str(path) for path in (place / "set").rglob("*.*"))
        size = sum(Path(path).stat().st_size for path in files) / MEBIBYTE
        theirs = seconds(lambda: subprocess.run(["sha256sum", *files], stdout=subprocess.DEVNULL, check=True))
        ours = seconds(lambda: looked_at(place / "set"))
        rows: list[dict[str, Figure]] = [
            {"what": "verify", "MiB/s": size / ours, "beside": "sha256sum", "its MiB/s": size / theirs,
             "ratio": theirs / ours, "wanted": f"at least {LEAST_RATE}"}
        ]  # fmt: skip

        def train(name: str) -> None:
            shutil.rmtree(place / "bank", ignore_errors=True)
            train_inspector(read_samples(place / name), place / "bank", size=64, epochs=1)

        def evaluate(name: str) -> None:
            inspector = Inspector.load(place / "bank").with_threshold(1.0, "given")
            samples = [sample for sample in read_samples(place / name) if sample.label != "good"]
            evaluate_inspector(inspector, samples, None, place / "report")

        for what, work in (("training", train), ("evaluating", evaluate)):
            checked, bare = (seconds(lambda work=work, name=name: work(name)) for name in ("set", "bare"))
            rows.append(
                {"what": what, "s": checked, "beside": "without digests", "its s": bare, "ratio": checked / bare,
                 "wanted": f"at most {MOST_COST}"}
            )  # fmt: skip
        report(rows, options.json, f"{frames} frames of {width} x {height}, {size:.0f} MiB")


if __name__ == "__main__":
    main()
