"""What many frames cost: by resolution and samples, on more workers, through Ray, and what holds 100,000 of them.

    python benchmarks/scale.py [--quick] [--only costs|workers|handing|writing] [--json FILE]

costs      seconds, seconds of cores and bytes of a frame by resolution and samples, rendered by one worker on all
           cores, and the sum for a million at a price of a core hour that --price changes
workers    frames a second of one worker on one core and on all, of two, and of two through Ray, on the same machine in
           the same run; rounds take turns, so that what else the machine does hits all
handing    what a frame costs over its making: the files of one, made beforehand, from workers to the disk
writing    empty frames through the writer of datasets, and what finishes a dataset: seconds and memory as they grow

The load of the machine stands beside the figures: those of time are true on one that does nothing else; seconds of
cores hardly depend on it.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, peak_now, report
from scenes import DatasetWriter, Recipe, draw, load_recipe
from scenes.datasets.frame_files import FrameFiles, frame_files
from scenes.datasets.schema import committed
from scenes.jobs.executor import Executor, Place, Simple, Worker
from scenes.jobs.frames import write_missing
from scenes.jobs.local import Local
from scenes.jobs.ray import LOCAL, Ray

MILLION = 1_000_000
PRICE = 0.04  # of an hour of one core, in dollars: about what the large clouds ask on demand; --price has your own
SAMPLES = 16  # of the comparison of workers
ONE_CORE = "1 worker on one core"
SIDES = {"quick": (256,), "full": (256, 512, 1024)}
RAYS = {"quick": (4, 16), "full": (4, 16, 64)}


def sized(recipe: Recipe, side: int) -> Recipe:
    return recipe.model_copy(update={"camera": recipe.camera.model_copy(update={"resolution": (side, side)})})


@dataclass(frozen=True)
class Cost:
    """Of a frame, once every worker has delivered its first: seconds, those of cores, and bytes on disk."""

    seconds: float
    core_seconds: float
    size: int


def rendering(recipe: Recipe, folder: Path, frames: int, samples: int, executor: Executor) -> Cost:
    from blender_addon import render_dataset

    moments: list[tuple[float, float]] = []
    render_dataset(
        recipe,
        folder,
        frames,
        samples=samples,
        executor=executor,
        on_frame=lambda _: moments.append((time.perf_counter(), children_worked())),
    )
    first = executor.workers or 1
    begun, ended = moments[first - 1], moments[-1]
    seconds, core_seconds = ((after - before) / (frames - first) for before, after in zip(begun, ended, strict=True))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Cost(seconds, core_seconds, size // frames)


def children_worked() -> float:
    """Seconds of cores that the processes of this one have used."""
    times = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return sum(each.user + each.system for each in times)


def costs(which: str, frames: int, price: float, scratch: Path) -> list[dict[str, Figure]]:
    rows = []
    for side in SIDES[which]:
        for samples in RAYS[which]:
            folder = scratch / f"{side}-{samples}"
            cost = rendering(sized(load_recipe("plate"), side), folder, frames, samples, Local(1))
            hours = cost.core_seconds * MILLION / 3600
            rows.append(
                {
                    "pixels": f"{side} x {side}",
                    "samples": samples,
                    "s a frame": cost.seconds,
                    "core s a frame": cost.core_seconds,
                    "kB a frame": cost.size / 1e3,
                    "million: core hours": hours,
                    "million: GB": cost.size * MILLION / 1e9,
                    "million: $": hours * price,
                    "load": os.getloadavg()[0],
                }
            )
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


@contextmanager
def on_one_core() -> Iterator[None]:
    """Within it this process and those that it starts have one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def workers(frames: int, side: int, rounds: int, scratch: Path) -> list[dict[str, Figure]]:
    recipe, found = sized(load_recipe("plate"), side), dict[str, list[float]]()
    arms: dict[str, Executor] = {"1 worker": Local(1), "2 workers": Local(2), "2 through Ray": Ray(LOCAL, 2)}
    if hasattr(os, "sched_setaffinity"):
        arms = {ONE_CORE: Local(1), **arms}
    for turn in range(rounds):
        for name, executor in arms.items():
            with on_one_core() if name == ONE_CORE else nullcontext():
                cost = rendering(recipe, scratch / f"{turn} {name}", frames, SAMPLES, executor)
            found.setdefault(name, []).append(1 / cost.seconds)
            print(f"{name}: {1 / cost.seconds:.3f} frames a second", file=sys.stderr, flush=True)
    rates = {name: statistics.median(values) for name, values in found.items()}
    return [
        {
            "rendered by": name,
            "pixels": f"{side} x {side}",
            "samples": SAMPLES,
            "frames a second": rate,
            "over 1 on one core": rate / rates[ONE_CORE] if ONE_CORE in rates else None,
            "over 1 worker": rate / rates["1 worker"],
            "over 2 workers": rate / rates["2 workers"],
            "load": os.getloadavg()[0],
        }
        for name, rate in rates.items()
    ]


@dataclass(frozen=True)
class Ready:
    """Work whose results are there already."""

    files: FrameFiles

    has_own_process = False

    def open(self, place: Place) -> Worker[int, FrameFiles]:
        return Simple(lambda index: self.files)


def one_frame(recipe: Recipe, pixels: np.ndarray) -> FrameFiles:
    mask = np.zeros(pixels.shape[:2], np.uint16)
    return frame_files(recipe, pixels, mask, mask, mask, draw(recipe, 0, 0), ())


def handing(frames: int, side: int, scratch: Path) -> list[dict[str, Figure]]:
    recipe, rows = sized(load_recipe("plate"), side), []
    files = one_frame(recipe, np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8))
    arms: dict[str, Executor] = {"this process": Local(1), "2 workers": Local(2), "2 through Ray": Ray(LOCAL, 2)}
    for name, executor in arms.items():
        times: list[float] = []
        writer = DatasetWriter(scratch / name, recipe, 0, frames)
        write_missing(writer, Ready(files), executor, on_frame=lambda _, t=times: t.append(time.perf_counter()))
        rows.append(
            {
                "handed over by": name,
                "kB a frame": sum(map(len, files.values())) / 1e3,
                "ms a frame": 1e3 * (times[-1] - times[9]) / (frames - 10),
                "load": os.getloadavg()[0],
            }
        )
    return rows


def writing(frames: int, scratch: Path) -> list[dict[str, Figure]]:
    """At every tenth part, the seconds of a frame since the last, and memory; then what finishing takes."""
    recipe = sized(load_recipe("plate").without("defects").without("impurities"), 8)
    writer, files = DatasetWriter(scratch / "set", recipe, 0, frames), one_frame(recipe, np.zeros((8, 8, 3), np.uint8))
    rows: list[dict[str, Figure]] = []

    def timed(what: str, done: int, work: Callable[[], object], each: int) -> None:
        begin = time.perf_counter()
        work()
        taken = time.perf_counter() - begin
        rows.append(
            {
                "what": what,
                "frames": done,
                "s": taken,
                "ms a frame": 1e3 * taken / each,
                "peak MB": peak_now() / 1e3,
                "load": os.getloadavg()[0],
            }
        )
        print(rows[-1], file=sys.stderr, flush=True)

    part = max(1, frames // 10)
    for first in range(0, frames, part):
        last = min(frames, first + part)

        def write(first: int = first, last: int = last) -> None:
            for index in range(first, last):
                writer.put(index, files)

        timed("writing", last, write, last - first)
    timed("which are there", frames, lambda: committed(writer.path, frames), frames)
    timed("finishing", frames, writer.finish, frames)
    timed("resuming", frames, lambda: DatasetWriter(writer.path, recipe, 0, frames), frames)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few and small frames; within a minute on idle cores")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--only", choices=["costs", "workers", "handing", "writing"])
    parser.add_argument("--frames", type=int, help="of what is measured: rendered, or written")
    parser.add_argument("--side", type=int, default=512, help="pixels of the comparison of workers")
    parser.add_argument("--rounds", type=int, help="of the comparison of workers")
    parser.add_argument(
        "--folder", type=Path, help="on whose disk frames are written; by default the system's for such"
    )
    parser.add_argument("--price", type=float, default=PRICE, help="of a core hour, in dollars")
    given = parser.parse_args()
    quick = given.quick
    with TemporaryDirectory(prefix="blemish-scale-", dir=given.folder) as folder:
        scratch = Path(folder)
        parts: dict[str, Callable[[], list[dict[str, Figure]]]] = {
            "costs": lambda: costs(
                "quick" if quick else "full", given.frames or (3 if quick else 12), given.price, scratch
            ),
            "workers": lambda: workers(
                given.frames or (8 if quick else 40), 256 if quick else given.side, given.rounds or 1, scratch
            ),
            "handing": lambda: handing(given.frames or (40 if quick else 400), 512, scratch / "handed"),
            "writing": lambda: writing(given.frames or (200 if quick else 100_000), scratch / "written"),
        }
        rows: list[dict[str, Figure]] = []
        for name, part in parts.items():
            if given.only in (None, name):
                found = part()
                report(found, title=name)
                rows += [{"part": name, **row} for row in found]
    if given.json is not None:
        report(rows, given.json, title="all")


if __name__ == "__main__":
    main()
