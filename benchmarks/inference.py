"""Judging one picture: Sequential PatchCore beside anomalib's Patchcore, with one backbone and banks of one size.

    python benchmarks/inference.py [--quick] [--threads 1] [--json FILE]

One embedded backbone in both; the bank is a coreset of patches of a procedural surface, the picture another piece of
that surface, larger ones mirrored from it. `noise` is the worst case: a bank and a picture of noise, of which nothing
can be ruled out early. Times are processor time over threads, the two models in turn. Each size and model has a process
of its own for its peak memory.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.backbone.extractor import FeatureExtractor
from anomaly.backbone.normalisation import patches, standardised
from anomaly.backbone.training.textures import draw_texture
from anomaly.patchcore.coreset import SequentialCoreset
from anomaly.patchcore.torch_model import SequentialPatchcoreModel
from benchmarks.common import Figure, anomalib_patchcore, peak_now, report

SIZES = ((256, 256), (1024, 1024), (2050, 2448))  # pixels, height first
ROWS = 2048


def sequential(bank: torch.Tensor) -> SequentialPatchcoreModel:
    model = SequentialPatchcoreModel(FeatureExtractor(), ROWS)
    model.memory_bank = bank
    return model.eval()


def patchcore(bank: torch.Tensor) -> Any:
    model = anomalib_patchcore()
    model.memory_bank = bank
    return model.eval()


def surface(size: tuple[int, int], seed: int) -> torch.Tensor:
    """(1, 3, H, W), ImageNet-normalised: a plate of the catalogue, mirrored to fill the picture, with its own noise."""
    texture = draw_texture(0, 0).bare[:3].float()
    for axis, side in ((1, size[0]), (2, size[1])):
        there_and_back = torch.cat([torch.arange(texture.shape[axis]), torch.arange(texture.shape[axis]).flip(0)])
        texture = texture.index_select(axis, there_and_back.repeat(-(-side // len(there_and_back)))[:side])
    noise = torch.randn(texture.shape, generator=torch.Generator().manual_seed(seed))
    return standardised((texture + 0.02 * noise).clamp(0, 1)[None])


def noise(size: tuple[int, int], seed: int) -> torch.Tensor:
    return torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(seed))


PICTURES = {"surface": surface, "noise": noise}


@torch.inference_mode()
def bank_of(kind: str) -> torch.Tensor:
    """A coreset of the patches of one picture."""
    coreset = SequentialCoreset(ROWS)
    coreset.update(patches(FeatureExtractor()(PICTURES[kind]((512, 512), 1))))
    return coreset.bank


def latencies(kind: str, size: tuple[int, int], repeats: int) -> dict[str, Figure]:
    """Median processor seconds of one picture: both models, and our backbone alone."""
    with torch.inference_mode():
        bank = bank_of(kind)
        ours, theirs = sequential(bank), patchcore(bank)
        picture = PICTURES[kind](size, 2)
        channels_last = picture.contiguous(memory_format=torch.channels_last)
        works: dict[str, Callable[[], object]] = {
            "ours": lambda: ours(picture),
            "backbone": lambda: ours.extractor.network(channels_last),
            "anomalib's": lambda: theirs(picture),
        }
        times: dict[str, list[float]] = {name: [] for name in works}
        for repeat in range(repeats + 1):
            for name, work in works.items():
                start = time.process_time()
                work()
                if repeat:  # the first is not counted
                    times[name].append(time.process_time() - start)
    median = {name: statistics.median(values) for name, values in times.items()}
    return {
        "picture": f"{size[1]} × {size[0]}, {kind}",
        "ours, ms": 1e3 * median["ours"],
        "anomalib's, ms": 1e3 * median["anomalib's"],
        "not our backbone": 1 - median["backbone"] / median["ours"],
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
        bank = bank_of("surface")
        both = {"ours": sequential(bank), "anomalib's": patchcore(bank)}
        both[model](torch.randn(1, 3, 64, 64))
        picture = surface(size, 2)
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = peak_now()
        both[model](picture)
    print((peak_now() - before) / 1024)


def rows(sizes: tuple[tuple[int, int], ...], repeats: int) -> Iterator[dict[str, Figure]]:
    for size in sizes:
        memory = {f"{model}, MiB": peak(model, size) for model in ("ours", "anomalib's")}
        yield {**latencies("surface", size, repeats), **memory}
    yield latencies("noise", sizes[0], repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the small picture only")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", choices=["ours", "anomalib's"], help=argparse.SUPPRESS)
    parser.add_argument("--shape", type=int, nargs=2, help=argparse.SUPPRESS)
    settings = parser.parse_args()
    torch.set_num_threads(settings.threads)
    if settings.worker:
        worker(settings.worker, tuple(settings.shape))
        return
    sizes = SIZES[:1] if settings.quick else SIZES
    report(list(rows(sizes, 3 if settings.quick else 5)), settings.json, f"Judging one picture, {ROWS} rows")


if __name__ == "__main__":
    main()
