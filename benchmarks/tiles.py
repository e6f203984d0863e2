"""Large pictures in tiles: how far maps are from those of one piece, and what memory they take.

    python benchmarks/tiles.py [--quick] [--only maps|memory] [--backbone embedded ...] [--device cuda] [--json FILE]

Maps: a bank of patches of a procedural surface looks at another piece of it with two flaws, in one piece and in tiles.
Memory: what a process takes at most beside the picture and its map, after it has looked at a small picture; each in a
process of its own. On a card: what of the card's is taken at most. Seconds are wall time, of one thread on a processor.
"""

import argparse
import os
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.backbone.patch_extractor import patch_extractor
from anomaly.backbone.training.textures import draw_texture
from anomaly.inspection.computing import Computing
from anomaly.inspection.inspector import Inspector, TrainingRecord
from anomaly.patchcore.torch_model import SequentialPatchcoreModel
from benchmarks.common import Figure, peak_now, report, write

BACKBONES = ("efficientnet-lite0", "filters", "embedded", "dinov2-small")
LOOKED_AT = ("embedded", "distilled", "dinov2-small")  # whose memory is told
SIDES = (2800, 4000, 10_000)  # pixels
SHAPE, TILE, ROWS = (1100, 900), 640, 200


def surface(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """(H, W, 3) a plate of the catalogue, mirrored to fill the picture, with its own noise."""
    texture = (draw_texture(0, 0).bare[:3].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    for axis, side in enumerate((height, width)):
        there_and_back = np.concatenate([np.arange(texture.shape[axis]), np.arange(texture.shape[axis])[::-1]])
        texture = np.take(texture, np.resize(there_and_back, side), axis)
    noise = np.random.default_rng(seed).integers(-5, 6, (height, width, 1), np.int8)
    return np.clip(texture.astype(np.int16) + noise, 0, 255).astype(np.uint8)


def inspector_of(backbone: str) -> Inspector:
    extractor = patch_extractor(backbone)
    record = TrainingRecord(extractor.backbone, True, extractor.weights, ROWS, 1, 1.0, 0, (), (), "")
    inspector = Inspector(SequentialPatchcoreModel(extractor, ROWS), record)
    inspector.model.update_features(inspector.features(surface(320, 320, 1)))
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
    command = [sys.executable, __file__, "--worker", backbone, "--side", str(side), "--device", device]
    run = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(run.stderr)
    picture = side * side * 3 / 2**20
    taken, seconds = map(float, run.stdout.split()[-2:])
    return {
        "backbone": backbone,
        "picture": f"{side} × {side}",
        "picture and map, MiB": round(picture * 7 / 3),
        "more, MiB": round(taken - picture * 4 / 3 if device == "cpu" else taken),
        "s": seconds,
    }


def worker(backbone: str, side: int, device: str) -> None:
    inspector = inspector_of(backbone).on(Computing(device, batch=4))
    inspector.predict(surface(256, 256, 1))
    picture = np.resize(surface(512, side, 2), (side, side, 3))
    if device == "cpu":
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    else:
        torch.cuda.reset_peak_memory_stats()
    before, start = peak_now(), time.perf_counter()
    inspector.predict(picture)
    seconds = time.perf_counter() - start
    taken = (peak_now() - before) / 1024 if device == "cpu" else torch.cuda.max_memory_allocated() / 2**20
    print(taken, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two backbones, and the smallest picture")
    parser.add_argument("--only", choices=["maps", "memory"])
    parser.add_argument("--backbone", action="append", help=f"repeatable; {', '.join(BACKBONES)}, or any other")
    parser.add_argument(
        "--device", default="cpu", help="torch's name of what computes the pictures whose memory is told"
    )
    parser.add_argument("--json", type=Path, help="written after every row")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--side", type=int, help=argparse.SUPPRESS)
    settings = parser.parse_args()
    torch.set_num_threads(1)
    if settings.worker:
        worker(settings.worker, settings.side, settings.device)
        return
    if settings.only != "memory":
        names = settings.backbone or (BACKBONES[1:3] if settings.quick else BACKBONES)
        found = list(map(maps, names))
        report(found, settings.json, f"{SHAPE[0]} × {SHAPE[1]} pixels in tiles of {TILE}: differences over the score")
    if settings.only != "maps":
        taken: list[dict[str, Figure]] = []
        for backbone, side in product(settings.backbone or LOOKED_AT, SIDES[:1] if settings.quick else SIDES):
            taken.append(memory(backbone, side, settings.device))
            if settings.json:
                write(taken, settings.json)
        report(taken, title="Memory of a picture in tiles")


if __name__ == "__main__":
    main()
