"""Inspectors beside anomalib's detectors on photographs: figures of both, seconds and memory.

    python benchmarks/detectors.py [--quick] [--set magnetic_tile ...] [--most 30] [--seeds 3] [--json detectors.json]
    python benchmarks/detectors.py --set magnetic_tile --bank out/tiles     # trained on renders instead
    python benchmarks/detectors.py --device cuda --at-once 12     # on a graphics card

Judged are the surfaces that `python -m anomaly.backbone.evaluate` holds out, on which nothing was chosen. Every seed
draws other surfaces to train on from all the others. Figures are means over the seeds; beside them the 95 % interval of
the difference to the first detector, over surfaces and seeds. Each training has a process of its own, and its result is
kept in --cache, from which a stopped run goes on. Seconds are the process's own on a processor; on a card they pass by,
and memory is the card's. With several trainings at once on a card they tell little, and are left out.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.backbone.evaluate import CPU, extractor_of, filled, some, split_set
from anomaly.backbone.normalisation import normalised
from anomaly.patchcore.torch_model import SequentialPatchcoreModel
from anomaly.studies.anomaly.counts import SurfaceCounter, SurfaceCounts
from anomaly.studies.anomaly.replicates import replicated
from anomaly.studies.engine.bootstrap import Draws, Values, draw, estimate
from benchmarks import anomalib_detectors
from benchmarks.common import Figure, peak_now, report, write
from scenes.formats.registry import read_samples
from scenes.formats.sample import GOOD, Sample
from scenes.formats.splitting import split_by_group

REPOSITORY = Path(__file__).resolve().parents[1]
SETS = ("magnetic_tile", "neu_seg_dedup", "crackforest", "ballscrew_pitting", "deeppcb")
FIGURES = ("image AUROC", "pixel AUROC", "AUPRO", "best pixel F1", "false alarms at 95 % recall")
COSTS = ("train, s", "a picture, s", "memory, MiB")
RECALL = 0.95
REPLICATES = 500


class Detector(Protocol):
    """What is trained on pictures and gives maps (H, W), not negative, with a score, of images (H, W, 3)."""

    needs_good_pictures: bool
    device: str

    def fit(self, bank: Sequence[Sample], rows: int, seed: int) -> None: ...

    def predict(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]: ...


class Inspector:
    """Sequential PatchCore with one of our backbones, at its defaults."""

    needs_good_pictures = False
    model: SequentialPatchcoreModel

    def __init__(self, backbone: str, device: str = CPU) -> None:
        self.backbone, self.device = backbone, device

    def fit(self, bank: Sequence[Sample], rows: int, seed: int) -> None:
        self.model = filled(extractor_of(self.backbone), bank, rows, seed, device=self.device)

    @torch.inference_mode()
    def predict(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
        found = self.model.anomaly_maps(normalised(image).to(self.device))[0, 0].cpu().numpy()
        return found, float(found.max())


OURS = ("dinov2-small", "embedded", "distilled", "efficientnet-lite0")
DETECTORS: dict[str, Callable[[str], Detector]] = {
    **{name: partial(Inspector, name) for name in OURS},
    "anomalib's Patchcore": anomalib_detectors.Patchcore,
    "anomalib's PaDiM": anomalib_detectors.Padim,
    "anomalib's STFPM": anomalib_detectors.StudentTeacher,
}


def parted(samples: Sequence[Sample], seed: int, most: int | None) -> tuple[list[Sample], list[Sample]]:
    """Pictures to train on, half of the surfaces as the seed draws them, and those that are judged, always the same."""
    held_out = split_set(samples, 0).parts["held out"]
    apart = {sample.group for sample in held_out}
    half = split_by_group([sample for sample in samples if sample.group not in apart], (2 / 3,), seed)[0]
    bank = [sample for sample in half if sample.label == GOOD] or half
    return some(bank, most, seed), some(held_out, most, 0)


def best_f1(counts: SurfaceCounts, weights: Values) -> Values:
    """(1 + B,) highest pixel F1 of any threshold, for weights (1 + B, G) of the surfaces."""
    good, bad = ((weights @ part)[:, ::-1].cumsum(axis=1) for part in (counts.good, counts.bad))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.max(2 * bad / (bad + good + bad[:, -1:]), axis=1)


def false_alarms(counts: SurfaceCounts, weights: Values) -> Values:
    """(1 + B,) share of good pictures flagged where `RECALL` of the flawed ones are."""
    every = weights[:, counts.surface]  # of pictures
    order = np.argsort(-counts.scores, kind="stable")
    bad, good = (every * flag for flag in (counts.defective, ~counts.defective))
    found, alarms = bad[:, order].cumsum(axis=1), good[:, order].cumsum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        enough = np.argmax(found >= RECALL * found[:, -1:], axis=1)
        return alarms[np.arange(len(alarms)), enough] / alarms[:, -1]


def figures_of(counts: SurfaceCounts, weights: Values) -> dict[str, Values]:
    """Every one of FIGURES, (1 + B,)."""
    known = replicated(counts, weights)
    values = [known["image_auroc"], known["pixel_auroc"], known["aupro"], best_f1(counts, weights)]
    return dict(zip(FIGURES, [*values, false_alarms(counts, weights)], strict=True))


def train_and_judge(
    detector: Detector, bank: Sequence[Sample], judged: Sequence[Sample], rows: int, seed: int, out: Path
) -> None:
    """Write counts.npz and costs.json into `out`: seconds of training and of one picture, memory in MiB."""
    on_card = detector.device != CPU
    clock = time.perf_counter if on_card else time.process_time  # a card is waited for
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    start = clock()
    detector.fit(bank, rows, seed)
    trained = clock()
    counter = SurfaceCounter(float("inf"))
    spent = 0.0
    for sample in judged:
        image = sample.image()
        before = clock()
        anomaly_map, score = detector.predict(image)
        spent += clock() - before
        counter.update(anomaly_map, sample.truth(), sample.label, sample.group, score)
    counter.counts().save(out / "counts.npz")
    memory = torch.cuda.max_memory_allocated() / 2**20 if on_card else peak_now() / 1024
    costs = {"train, s": trained - start, "a picture, s": spent / len(judged), "memory, MiB": memory}
    (out / "costs.json").write_text(json.dumps({**costs, "pictures": len(judged), "bank": len(bank)}))


@dataclass(frozen=True)
class Step:
    """A detector trained on a set with a seed, in a process of its own; `folder` keeps what it found."""

    folder: Path
    arguments: tuple[str, ...]

    @classmethod
    def of(cls, cache: Path, data: Path, given: Mapping[str, object]) -> "Step":
        said = [str(part) for key, value in given.items() if value is not None for part in (f"--{key}", value)]
        key = hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]
        return cls(cache / f"{given['set']}-{key}", (*said, "--data", str(data)))

    def run(self) -> None:
        """Do it, unless it is done, or known that the detector cannot be trained on the set."""
        if (self.folder / "costs.json").is_file() or (self.folder / "cannot").is_file():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, __file__, "--step", str(self.folder), *self.arguments]
        subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}, check=True)

    @property
    def counts(self) -> SurfaceCounts:
        return SurfaceCounts.load(self.folder / "counts.npz")

    @property
    def costs(self) -> dict[str, float]:
        found: dict[str, float] = json.loads((self.folder / "costs.json").read_text())
        return found


def row(name: str, steps: Sequence[Step], first: Sequence[Step], draws: Draws, costs: bool) -> dict[str, Figure]:
    """A detector's row: means over seeds, and the interval of the difference to the first one."""

    def by_seed(every: Sequence[Step]) -> dict[str, Values]:
        counts = [step.counts for step in every]
        found = [figures_of(each, draws.weights(each.surfaces)) for each in counts]
        return {figure: np.stack([each[figure] for each in found]) for figure in FIGURES}

    own, its = by_seed(steps), by_seed(first)
    shown: dict[str, Figure] = {"detector": name}
    for figure in FIGURES:
        value = estimate(own[figure], draws, 0.95).value
        if not np.isfinite(value):
            shown[figure] = None
        elif steps is first:
            shown[figure] = f"{value:.3f}"
        else:
            against = estimate(own[figure] - its[figure], draws, 0.95)
            shown[figure] = f"{value:.3f} ({against.low:+.3f} to {against.high:+.3f})"
    for cost in COSTS if costs else ():
        shown[cost] = float(np.median([step.costs[cost] for step in steps]))
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few pictures of one set, one seed, two detectors")
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("BLEMISH_DATA", REPOSITORY / "../shared/data"))
    )
    parser.add_argument("--set", action="append", help=f"folder of --data, repeatable; {', '.join(SETS)}")
    parser.add_argument("--bank", type=Path, help="folder whose good pictures are trained on instead of the set's")
    parser.add_argument("--detector", action="append", help=f"repeatable; {', '.join(DETECTORS)}, or any backbone")
    parser.add_argument("--rows", type=int, default=2048, help="of the bank")
    parser.add_argument("--most", type=int, help="pictures to train on, and to judge, at the most")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=REPOSITORY / "out/detectors")
    parser.add_argument("--device", default=CPU, help="torch's name of what computes")
    parser.add_argument("--at-once", type=int, default=1, help="trainings in processes beside each other")
    parser.add_argument("--json", type=Path, help="written after every row")
    parser.add_argument("--step", type=Path, help=argparse.SUPPRESS)
    settings = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    names = settings.detector or list(DETECTORS)
    sets, seeds, most, rows = settings.set or list(SETS), settings.seeds, settings.most, settings.rows
    if settings.quick:
        sets, seeds, most, rows, names = ["magnetic_tile"], 1, 6, 256, ["embedded", "anomalib's Patchcore"]
    if settings.step:
        step(settings.step, settings.data / sets[0], settings.bank, names[0], rows, most, seeds, settings.device)
        return
    here = [each for each in sets if (settings.data / each).is_dir()]
    for each in set(sets) - set(here):
        print(f"{settings.data / each} is not there: nothing to measure")
    common = {"rows": rows, "most": most, "bank": settings.bank, "device": settings.device}
    steps = {
        (each, name): [
            Step.of(settings.cache, settings.data, {"set": each, "detector": name, "seeds": seed, **common})
            for seed in range(seeds)
        ]
        for each in here
        for name in names
    }
    told = settings.device == CPU or settings.at_once == 1
    tables: list[dict[str, Figure]] = []
    with ThreadPoolExecutor(settings.at_once) as pool:
        running = {which: [pool.submit(each.run) for each in every] for which, every in steps.items()}
        for each in here:
            for found in rows_of(each, {name: steps[each, name] for name in names}, running, told):
                tables.append({"set": each, **found})
                if settings.json:
                    write(tables, settings.json)
            report([found for found in tables if found["set"] == each], title=f"{each}, {seeds} seeds")
    if any("failed" in found for found in tables):
        raise SystemExit(1)


def rows_of(
    folder: str,
    steps: Mapping[str, Sequence[Step]],
    running: Mapping[tuple[str, str], Sequence[Future[None]]],
    costs: bool,
) -> Iterator[dict[str, Figure]]:
    """The rows of a set, each as soon as its steps and those before it are done."""
    first: Sequence[Step] = ()
    for name, every in steps.items():
        if broken := [error for future in running[folder, name] if (error := future.exception())]:
            yield {"detector": name, "failed": str(broken[0])}
            continue
        if not (every[0].folder / "costs.json").is_file():
            continue  # it cannot be trained on the set
        if not first:
            first, counts = every, every[0].counts
            defective = dict(zip(counts.surfaces, map(bool, counts.defective_surfaces), strict=True))
            draws = draw(defective, len(every), REPLICATES, 0)
        found = row(name, every, first, draws, costs)
        yield {**found, "trained on": round(every[0].costs["bank"]), "judged": round(every[0].costs["pictures"])}


def step(
    out: Path, folder: Path, other: Path | None, name: str, rows: int, most: int | None, seed: int, device: str
) -> None:
    """One training and what it finds, in this process."""
    bank, judged = parted(read_samples(folder), seed, most)
    if other is not None:
        bank = [sample for sample in read_samples(other) if sample.label == GOOD][: most or None]
    detector = DETECTORS[name](device) if name in DETECTORS else Inspector(name, device)
    if detector.needs_good_pictures and any(sample.label != GOOD for sample in bank):
        (out / "cannot").write_text("there are no good pictures to train on\n")
        return
    print(f"{folder.name}, {name}, seed {seed}", file=sys.stderr, flush=True)
    train_and_judge(detector, bank, judged, rows, seed, out)


if __name__ == "__main__":
    main()
