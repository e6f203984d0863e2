"""What it gives to use freed memory again, as every `blemish` command does: networks on a processor, with and without.

    python benchmarks/allocation.py [--quick] [--threads 1] [--json FILE]

Processor time of a pass, the median of processes of either kind in turns, and how often a pass waits for a page of
memory from the system. Results are compared bit for bit.
"""

import argparse
import hashlib
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.backbone.patch_extractor import EMBEDDED, patch_extractor
from benchmarks.common import Figure, report
from diffusion_refine.synthesis.sard.network import Conditions
from diffusion_refine.synthesis.sard.training import SardSettings, SardTraining
from scenes.memory import keep_freed

SIDE = 1024  # pixels of the picture whose features are found
PLAIN, KEPT = "as the system has it", "used again"
CROPS = 8  # of 64 pixels a side that SARD learns from at once


def features() -> Callable[[], list[Tensor]]:
    """The embedded backbone's features of one picture."""
    extractor = patch_extractor(EMBEDDED)
    picture = torch.rand((1, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(0))

    def work() -> list[Tensor]:
        with torch.inference_mode():
            return list(extractor(picture))

    return work


def training(half: bool) -> Callable[[], list[Tensor]]:
    """One step of both of SARD's networks."""
    trained = SardTraining(SardSettings(batch=CROPS, half=half, penalty=0.0, warm_up=0.0), 4, 4)
    rng = torch.Generator().manual_seed(0)
    images = torch.rand((CROPS, 3, 64, 64), generator=rng).contiguous(memory_format=torch.channels_last) * 2 - 1
    masks = torch.zeros((CROPS, 1, 64, 64), dtype=torch.bool)
    masks[..., 20:40, 20:40] = True
    told = Conditions(torch.zeros(CROPS, dtype=torch.long), torch.zeros(CROPS, dtype=torch.long))

    def work() -> list[Tensor]:
        return list(trained.step(images, masks, told, rng))

    return work


WORK: Mapping[str, Callable[[], Callable[[], list[Tensor]]]] = {
    f"features, {SIDE}²": features,
    "a step of SARD's training": lambda: training(half=False),
    "the same with --half": lambda: training(half=True),
}


def measured(name: str, passes: int) -> dict[str, float | str]:
    """One kind of work in this process."""
    work = WORK[name]()
    digest = hashlib.sha256()
    for value in work():
        digest.update(value.float().contiguous().numpy().tobytes())
    before, start = faults(), time.process_time()
    for _ in range(passes):
        work()
    return {
        "s": (time.process_time() - start) / passes,
        "faults": (faults() - before) / passes,
        "digest": digest.hexdigest(),
    }


def faults() -> int:
    """Pages that the system has handed out to this process until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one process of each kind, two passes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=2, metavar=("KIND", "PASSES"), help="in this process; as JSON")
    given = parser.parse_args()
    if given.one:
        kind, passes = given.one
        torch.set_num_threads(given.threads)
        if kind == KEPT and not keep_freed():
            raise SystemExit("this system's C library is not told so, or it has no large pages")
        print(json.dumps({name: measured(name, int(passes)) for name in WORK}))
        return
    found: dict[str, list[dict[str, dict[str, Any]]]] = {PLAIN: [], KEPT: []}
    for _ in range(1 if given.quick else 5):
        for kind, answers in found.items():
            words = ("--one", kind, "2" if given.quick else "5", "--threads", str(given.threads))
            answer = subprocess.run([sys.executable, __file__, *words], check=True, capture_output=True).stdout
            answers.append(json.loads(answer))
    report([compared(name, found) for name in WORK], given.json, "Memory that was freed")


def compared(name: str, found: Mapping[str, list[dict[str, dict[str, Any]]]]) -> dict[str, Figure]:
    """A line of the table."""
    assert len({answer[name]["digest"] for answers in found.values() for answer in answers}) == 1, "results differ"
    row: dict[str, Figure] = {"work": name}
    for unit in ("s", "faults"):
        for kind, answers in found.items():
            row[f"{unit}, {kind}"] = statistics.median(answer[name][unit] for answer in answers)
    row["time, ratio"] = float(row[f"s, {KEPT}"] or 0) / float(row[f"s, {PLAIN}"] or 1)
    return row


if __name__ == "__main__":
    main()
