"""Judging one picture: Sequential PatchCore beside anomalib's Patchcore, with one backbone and banks of one size.

    python benchmarks/inference.py [--quick] [--threads 1] [--backbone embedded ...] [--side 1024] [--only times]
                                   [--json FILE]

One embedded backbone in both, and other backbones of ours alone; the bank is a coreset of patches of a procedural
surface, the picture another piece of it, larger ones mirrored from it. `noise` is the worst case: a bank and a picture
of noise, of which nothing can be ruled out early. Times are processor time of all threads, the two models in
turn; of the wall time only the share is told that is not the backbone's. Each size and model has a process of its own
for its peak memory.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.backbone.extractor import FeatureExtractor
from anomaly.backbone.normalisation import patches, standardised
from anomaly.backbone.patch_extractor import EMBEDDED, patch_extractor
from anomaly.backbone.training.textures import draw_texture
from anomaly.patchcore.coreset import SequentialCoreset
from anomaly.patchcore.torch_model import SequentialPatchcoreModel
from benchmarks.common import Figure, anomalib_patchcore, peak_now, report, write

SIZES = ((256, 256), (1024, 1024), (2050, 2448))  # pixels, height first
ROWS = 2048
ANOMALIBS = "anomalib's"


def sequential(bank: torch.Tensor, backbone: str) -> SequentialPatchcoreModel:
    model = SequentialPatchcoreModel(patch_extractor(backbone), ROWS)
    model.memory_bank = bank
    return model.eval()


def patchcore(bank: torch.Tensor) -> Any:
    model = anomalib_patchcore()
    model.memory_bank = bank
    return model.eval()


@cache
def plate() -> torch.Tensor:
    return draw_texture(0, 0).bare[:3].float()


def surface(size: tuple[int, int], seed: int) -> torch.Tensor:
    """(1, 3, H, W), ImageNet-normalised: a plate of the catalogue, mirrored to fill the picture, with its own noise."""
    texture = plate()
    for axis, side in ((1, size[0]), (2, size[1])):
        there_and_back = torch.cat([torch.arange(texture.shape[axis]), torch.arange(texture.shape[axis]).flip(0)])
        texture = texture.index_select(axis, there_and_back.repeat(-(-side // len(there_and_back)))[:side])
    noise = torch.randn(texture.shape, generator=torch.Generator().manual_seed(seed))
    return standardised((texture + 0.02 * noise).clamp(0, 1)[None])


def noise(size: tuple[int, int], seed: int) -> torch.Tensor:
    return torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(seed))


PICTURES = {"surface": surface, "noise": noise}


@torch.inference_mode()
def bank_of(kind: str, backbone: str) -> torch.Tensor:
    """A coreset of the patches of one picture, of several where one has too few."""
    extractor, coreset = patch_extractor(backbone), SequentialCoreset(ROWS)
    for seed in (1, *range(3, 10)):
        coreset.update(patches(extractor(PICTURES[kind]((512, 512), seed))))
        if coreset.count == ROWS:
            break
    return coreset.bank


def latencies(kind: str, size: tuple[int, int], repeats: int, backbone: str) -> dict[str, Figure]:
    """Median processor seconds of one picture: both models, and our backbone alone; ours alone but for the embedded."""
    with torch.inference_mode():
        bank = bank_of(kind, backbone)
        model = sequential(bank, backbone)
        picture = PICTURES[kind](size, 2)
        works: dict[str, Callable[[], object]] = {"ours": lambda: model(picture)}
        if isinstance(model.extractor, FeatureExtractor):
            network, channels_last = model.extractor.network, picture.contiguous(memory_format=torch.channels_last)
            works["backbone"] = lambda: network(channels_last)
        else:
            works["backbone"] = lambda: model.extractor(picture)
        if backbone == EMBEDDED:
            theirs = patchcore(bank)
            works["anomalib's"] = lambda: theirs(picture)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
        for repeat in range(repeats + 1):
            for name, work in works.items():
                start = time.process_time(), time.perf_counter()
                work()
                if repeat:  # the first is not counted
                    times[name].append((time.process_time() - start[0], time.perf_counter() - start[1]))
    median = {name: [statistics.median(each) for each in zip(*values, strict=True)] for name, values in times.items()}
    return {
        "backbone": backbone,
        "picture": f"{size[1]} × {size[0]}, {kind}",
        "ours, ms": 1e3 * median["ours"][0],
        "anomalib's, ms": 1e3 * median["anomalib's"][0] if "anomalib's" in median else None,
        "not our backbone": 1 - median["backbone"][0] / median["ours"][0],
        "of the wall time": 1 - median["backbone"][1] / median["ours"][1],
    }


def peak(model: str, size: tuple[int, int]) -> float:
    """MiB by which judging one picture raises the memory of a process of its own."""
    command = [sys.executable, __file__, "--worker", model, "--shape", *map(str, size)]
    run = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(run.stderr)
    return float(run.stdout.split()[-1])


def worker(model: str, size: tuple[int, int]) -> None:
    with torch.inference_mode():
        backbone = EMBEDDED if model == ANOMALIBS else model
        bank = bank_of("surface", backbone)
        judge = patchcore(bank) if model == ANOMALIBS else sequential(bank, backbone)
        judge(torch.randn(1, 3, 64, 64))
        picture = surface(size, 2)
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = peak_now()
        judge(picture)
    print((peak_now() - before) / 1024)


def rows(
    backbones: Sequence[str], sizes: tuple[tuple[int, int], ...], repeats: int, with_memory: bool
) -> Iterator[dict[str, Figure]]:
    for backbone, size in product(backbones, sizes):
        if not with_memory:
            yield latencies("surface", size, repeats, backbone)
            continue
        memory: dict[str, Figure] = {"ours, MiB": peak(backbone, size)}
        if backbone == EMBEDDED:
            memory["anomalib's, MiB"] = peak(ANOMALIBS, size)
        yield {**latencies("surface", size, repeats, backbone), **memory}
    if with_memory:
        yield latencies("noise", sizes[0], repeats, backbones[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the small picture only")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--backbone", action="append", help="repeatable; by default embedded, as anomalib's")
    parser.add_argument("--side", type=int, action="append", help="pixels, of a square picture; repeatable")
    parser.add_argument("--only", choices=["times"], help="neither memory nor the worst case")
    parser.add_argument("--json", type=Path, help="written after every row")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--shape", type=int, nargs=2, help=argparse.SUPPRESS)
    settings = parser.parse_args()
    torch.set_num_threads(settings.threads)
    if settings.worker:
        worker(settings.worker, tuple(settings.shape))
        return
    sizes = tuple((side, side) for side in settings.side or ()) or (SIZES[:1] if settings.quick else SIZES)
    found: list[dict[str, Figure]] = []
    for row in rows(settings.backbone or [EMBEDDED], sizes, 3 if settings.quick else 5, settings.only != "times"):
        found.append(row)
        if settings.json:
            write(found, settings.json)
    report(found, title=f"Judging one picture, {ROWS} rows, {settings.threads} threads")


if __name__ == "__main__":
    main()
