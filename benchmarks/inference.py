"""Judging one picture: Sequential PatchCore beside anomalib's Patchcore, with one backbone and banks of one size.

    python benchmarks/inference.py [--quick] [--threads 1] [--json FILE]

Weights are untrained and the banks hold patches of noise: what is measured does not depend on either. Times are
processor time over threads, the two models in turn. Each size and model has a process of its own for its peak memory.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.features import FeatureExtractor
from anomaly.torch_model import SequentialPatchcoreModel
from benchmarks.common import Figure, report

SIZES = ((256, 256), (1024, 1024), (2050, 2448))  # pixels, height first
ROWS = 2048
LAYERS = ["blocks.2", "blocks.4"]  # of strides 8 and 16, as ours


def sequential(bank: torch.Tensor) -> SequentialPatchcoreModel:
    model = SequentialPatchcoreModel(FeatureExtractor("untrained"), ROWS)
    model.memory_bank = bank
    return model.eval()


def patchcore(bank: torch.Tensor) -> torch.nn.Module:
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    model = PatchcoreModel(layers=LAYERS, backbone="mobilenetv3_large_100", pre_trained=False)
    model.memory_bank = bank
    return model.eval()


def bank_of(extractor: FeatureExtractor) -> torch.Tensor:
    """Patches of noise, as many as the bank holds."""
    from anomaly.features import patches

    dice = torch.Generator().manual_seed(1)
    return patches(extractor(torch.randn(2, 3, 256, 256, generator=dice)))[:ROWS]


def latencies(size: tuple[int, int], repeats: int) -> dict[str, Figure]:
    """Median processor seconds of one picture: both models, and our backbone alone."""
    with torch.inference_mode():
        bank = bank_of(FeatureExtractor("untrained"))
        ours, theirs = sequential(bank), patchcore(bank)
        picture = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(2))
        works: dict[str, Callable[[], object]] = {
            "ours": lambda: ours(picture),
            "backbone": lambda: ours.extractor.network(picture),
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
        "picture": f"{size[1]} × {size[0]}",
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
        bank = bank_of(FeatureExtractor("untrained"))
        both = {"ours": sequential(bank), "anomalib's": patchcore(bank)}
        both[model](torch.randn(1, 3, 64, 64))
        picture = torch.randn(1, 3, *size)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        both[model](picture)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def rows(sizes: tuple[tuple[int, int], ...], repeats: int) -> Iterator[dict[str, Figure]]:
    for size in sizes:
        row = latencies(size, repeats)
        yield {**row, **{f"{model}, MiB": peak(model, size) for model in ("ours", "anomalib's")}}


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
