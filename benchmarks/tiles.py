"""Large pictures in tiles: how far maps are from those of one piece, and what memory they take.

    python benchmarks/tiles.py [--quick] [--only maps|memory|evaluation|inspection] [--backbone embedded ...]
                               [--device cuda] [--json FILE]

Maps: a bank of patches of a procedural surface looks at another piece of it with two flaws, in one piece and in tiles.
Memory: what a process takes at most beside the picture and its map, after it has looked at a small picture; each in a
process of its own. On a card: what of the card's is taken at most. Seconds are wall time, of one thread on a processor.
Evaluation: the same of all that `blemish evaluate` does with two such pictures, one with flaws, from their files to the
report, in a process that evaluated two small ones before; looked at reduced to 640 pixels, the default of `train`.
Inspection: of what `blemish inspect --out` does with the one with flaws. The alternative to bands of rows and arrays on
disk is to decode pictures whole and to keep their maps in memory, as it is done with small ones.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.backbone.patch_extractor import patch_extractor
from anomaly.backbone.training.textures import draw_texture
from anomaly.evaluation.results import REPORT
from anomaly.inspection.computing import CPU, Computing
from anomaly.inspection.evaluate import evaluate_inspector
from anomaly.inspection.inspector import Inspector, TrainingRecord
from anomaly.inspection.train import LONGEST_SIDE
from anomaly.line.inspection import Inspection, inspected
from anomaly.line.sources import picture_file
from anomaly.line.verdict_file import VerdictFile
from anomaly.patchcore.torch_model import SequentialPatchcoreModel
from anomaly.reporting.report import write_report
from benchmarks.common import Figure, peak_now, report, write
from scenes.formats.registry import read_samples
from scenes.pictures import on_disk
from scenes.pictures.reading import ReadingOptions

BACKBONES = ("efficientnet-lite0", "filters", "embedded", "dinov2-small")
LOOKED_AT = ("embedded", "distilled", "dinov2-small")  # whose memory is told
PARTS = ("maps", "memory", "evaluation", "inspection")
WAYS = ("by bands", "whole")  # of reading and judging a large picture
SIDES = (2800, 4000, 10_000)  # pixels
EVALUATED = (2000, 4000, 10_000)  # and of pictures that are evaluated
SHAPE, TILE, ROWS = (1100, 900), 640, 200


def surface(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """(H, W, 3) a plate of the catalogue, mirrored to fill the picture, with its own noise."""
    texture = (draw_texture(0, 0).bare[:3].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    for axis, side in enumerate((height, width)):
        there_and_back = np.concatenate([np.arange(texture.shape[axis]), np.arange(texture.shape[axis])[::-1]])
        texture = np.take(texture, np.resize(there_and_back, side), axis)
    noise = np.random.default_rng(seed).integers(-5, 6, (height, width, 1), np.int8)
    return np.clip(texture.astype(np.int16) + noise, 0, 255).astype(np.uint8)


def inspector_of(backbone: str, scale: float = 1.0) -> Inspector:
    extractor = patch_extractor(backbone)
    record = TrainingRecord(extractor.backbone, True, extractor.weights, ROWS, 1, scale, 0, (), (), "")
    inspector = Inspector(SequentialPatchcoreModel(extractor, ROWS), record)
    side = round(320 / scale)
    inspector.model.update_features(inspector.features(surface(side, side, 1)))
    return inspector


def maps(backbone: str) -> dict[str, Figure]:
    """The largest and the median difference between a map of one piece and one of tiles, over the score."""
    inspector, picture = inspector_of(backbone), surface(*SHAPE, 2)
    picture[500:520, 300:420], picture[10:30, 10:30] = 255, 0
    whole, score = inspector.predict(picture)
    tiled, tiled_score = inspector.on(Computing(tile=TILE)).predict(picture)
    difference = np.abs(tiled - whole) / score
    return {
        "backbone": backbone,
        "largest": f"{difference.max():.1g}",
        "median": f"{np.median(difference):.1g}",
        "score": f"{abs(tiled_score - score) / score:.1g}",
    }


def memory(backbone: str, side: int, device: str) -> dict[str, Figure]:
    taken, seconds = _in_own_process("--worker", backbone, side, device)
    picture = side * side * 3 / 2**20
    return {
        "backbone": backbone,
        "picture": f"{side} × {side}",
        "picture and map, MiB": round(picture * 7 / 3),
        "more, MiB": round(taken - picture * 4 / 3 if device == CPU else taken),
        "s": seconds,
    }


def _in_own_process(what: str, backbone: str, side: int, device: str, way: str = WAYS[0]) -> tuple[float, float]:
    """What it prints at last: MiB and seconds."""
    command = [sys.executable, __file__, what, backbone, "--side", str(side), "--device", device, "--way", way]
    run = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(run.stderr)
    taken, seconds = map(float, run.stdout.split()[-2:])
    return taken, seconds


def evaluation(backbone: str, side: int, way: str = WAYS[0], what: str = "--evaluates") -> dict[str, Figure]:
    taken, seconds = _in_own_process(what, backbone, side, CPU, way)
    return {
        "backbone": backbone,
        "pictures": f"{side} × {side}",
        "way": way,
        "MiB": round(taken),
        "bytes a pixel": taken * 2**20 / side**2,
        "s": seconds,
    }


def _print_taken(side: int, work: Callable[[Path, Path], object]) -> None:
    """Print by how many MiB work on pictures raises this process's memory, and its seconds, after it did small ones.

    work: on a folder of pictures, with a path for what it writes.
    """
    with TemporaryDirectory() as folder:
        for name, length in (("small", 256), ("large", side)):
            photos, out = Path(folder, name), Path(folder, f"{name}-out")
            _write_pictures(photos, length)
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            before, start = peak_now(), time.perf_counter()
            work(photos, out)
            taken, seconds = (peak_now() - before) / 1024, time.perf_counter() - start
    print(taken, seconds)


def evaluates(backbone: str, side: int) -> None:
    """What evaluating and reporting takes."""
    inspector = inspector_of(backbone, LONGEST_SIDE / side).with_threshold(1.0, "given as a number")

    def work(photos: Path, out: Path) -> None:
        record = evaluate_inspector(inspector, read_samples(photos), None, out)
        write_report(out / REPORT, datasets=[photos], evaluation=record, command="")

    _print_taken(side, work)


def inspects(backbone: str, side: int) -> None:
    """What inspecting a picture takes."""
    inspector = inspector_of(backbone, LONGEST_SIDE / side).with_threshold(1.0, "given as a number")

    def work(photos: Path, out: Path) -> None:
        out.mkdir()
        file = VerdictFile(out, {})
        picture = picture_file(photos / "test/scratch/0.png", "", ReadingOptions(), out)
        (line,) = inspected(Inspection(inspector, 1.0), [picture], file, None)
        assert line["verdict"] == "flawed"

    _print_taken(side, work)


def _write_pictures(folder: Path, side: int) -> None:
    """A good picture and a flawed one of that side, in the layout of MVTec AD."""
    picture, mask = np.resize(surface(256, side, 2), (side, side, 3)), np.zeros((side, side), np.uint8)
    for name in ("test/good", "test/scratch", "ground_truth/scratch"):
        (folder / name).mkdir(parents=True)
    Image.fromarray(picture).save(folder / "test/good/0.png", compress_level=1)
    for top in range(20, side - 40, side // 8):
        mask[top : top + 20, side // 4 : side // 2] = 255
    picture[mask > 0] = 255
    Image.fromarray(picture).save(folder / "test/scratch/0.png", compress_level=1)
    Image.fromarray(mask).save(folder / "ground_truth/scratch/0_mask.png", compress_level=1)


def worker(backbone: str, side: int, device: str) -> None:
    inspector = inspector_of(backbone).on(Computing(device, batch=4))
    inspector.predict(surface(256, 256, 1))
    picture = np.resize(surface(512, side, 2), (side, side, 3))
    if device == CPU:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    else:
        torch.cuda.reset_peak_memory_stats()
    before, start = peak_now(), time.perf_counter()
    inspector.predict(picture)
    seconds = time.perf_counter() - start
    taken = (peak_now() - before) / 1024 if device == CPU else torch.cuda.max_memory_allocated() / 2**20
    print(taken, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two backbones, and the smallest picture")
    parser.add_argument("--only", choices=PARTS, action="append", help="repeatable")
    parser.add_argument("--backbone", action="append", help=f"repeatable; {', '.join(BACKBONES)}, or any other")
    parser.add_argument("--device", default=CPU, help="torch's name of what computes the pictures whose memory is told")
    parser.add_argument("--json", type=Path, help="written after every row")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--evaluates", help=argparse.SUPPRESS)
    parser.add_argument("--inspects", help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--side", type=int, help=argparse.SUPPRESS)
    settings = parser.parse_args()
    torch.set_num_threads(1)
    if settings.worker:
        worker(settings.worker, settings.side, settings.device)
        return
    if settings.way == "whole":
        on_disk.LARGE = sys.maxsize
    if settings.evaluates:
        evaluates(settings.evaluates, settings.side)
        return
    if settings.inspects:
        inspects(settings.inspects, settings.side)
        return
    parts = settings.only or PARTS
    sides = SIDES[:1] if settings.quick else SIDES
    if "maps" in parts:
        names = settings.backbone or (BACKBONES[1:3] if settings.quick else BACKBONES)
        found = list(map(maps, names))
        report(found, settings.json, f"{SHAPE[0]} × {SHAPE[1]} pixels in tiles of {TILE}: differences over the score")
    if "memory" in parts:
        taken: list[dict[str, Figure]] = []
        for backbone, side in product(settings.backbone or LOOKED_AT, sides):
            taken.append(memory(backbone, side, settings.device))
            if settings.json:
                write(taken, settings.json)
        report(taken, title="Memory of a picture in tiles")
    for part, title in (
        ("evaluation", "Memory of an evaluation of two pictures, from their files to the report"),
        ("inspection", "Memory of an inspection of one picture, from its file to overlay, heat map and mask"),
    ):
        if part in parts:
            each = product(settings.backbone or LOOKED_AT[:1], EVALUATED[:1] if settings.quick else EVALUATED, WAYS)
            what = {"evaluation": "--evaluates", "inspection": "--inspects"}[part]
            report([evaluation(*one, what) for one in each], title=title)


if __name__ == "__main__":
    main()
