"""What generators of defects cost and how near their defects are to real ones.

    python benchmarks/generators.py [--quick] [--model DIR] [--json FILE]
    python benchmarks/generators.py --real photos/steel --made SARD=out/drawn --made pasted=out/copied [--sheet FILE]

Speed: windows a second drawn by SARD in its four steps, beside one call of its UNet and beside a word swap of the
embedded diffusion model in 50 steps, all in one process; without --model SARD has the shape that its command trains and
random weights, which cost the same. Training: seconds of a step beside the bare forwards and backwards of both
networks, which a training cannot do without; processor time, the two in turns.

Distance: with --real, a labelled set, and --made, datasets that hold drawn defects, the kernel inception distance's
estimator [Bińkowski 2018] between cuttings round their defects and round the real ones. Its features are those of the
embedded model's denoiser, not an Inception network's, so that figures compare arms and no papers; "spread" is the
standard deviation over random halves. "real halves" is what real defects come to beside other real ones: as near as one
can get. --sheet: a row of such cuttings of each, beside the real ones.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, report, seconds, write
from diffusion_refine.core.models import Model, load_model
from diffusion_refine.editing.word_swap import SwapSettings, swap_words
from diffusion_refine.metrics.kernel_distance import denoiser_statistics, kernel_distance, standardised
from diffusion_refine.synthesis.sard.model import load_sard
from diffusion_refine.synthesis.sard.network import Conditions, GeneratorNetwork, NetworkShape
from diffusion_refine.synthesis.sard.sampling import sample
from diffusion_refine.synthesis.sard.schedule import StepSchedule
from diffusion_refine.synthesis.sard.training import SardSettings, SardTraining
from diffusion_refine.training.model_shapes import random_start
from scenes.datasets.reader import Dataset, Frame
from scenes.datasets.schema import HEADER
from scenes.formats.registry import read_samples

SIDE = 128  # pixels of a cutting, as many as the embedded model sees
ROOM = 1.6  # side of a cutting over that of its defect
LEAST = 32  # pixels of a picture that a cutting shows at least
MOST = 200  # cuttings of a set
HALVINGS = 50
SHOWN, CELL = 10, 96  # cuttings of a row of the sheet, and their pixels
SWAP = ("photo of a scratch defect on a ground plate", "photo of a dent defect on a ground plate")

Cuttings = list[NDArray[np.float32]]


def batch_of(count: int, size: int) -> tuple[Tensor, Tensor, Conditions]:
    """Noise in the place of pictures, a square mask in each."""
    mask = torch.zeros((count, 1, size, size), dtype=torch.bool)
    mask[..., size // 4 : size // 2, size // 4 : size // 2] = True
    numbers = torch.zeros(count, dtype=torch.long)
    pictures = torch.rand((count, 3, size, size), generator=torch.Generator().manual_seed(0)) * 2 - 1
    return pictures, mask, Conditions(numbers, numbers)


def drawing(folder: Path | None, quick: bool) -> list[dict[str, Figure]]:
    """Windows a second: SARD's four steps, one call of its UNet, and a word swap."""
    count, repeats = (2, 1) if quick else (8, 3)
    if folder is None:
        with random_start(0):
            network = GeneratorNetwork(NetworkShape(), 9, 4).requires_grad_(False).eval()
        schedule = StepSchedule()
    else:
        model = load_sard(folder, "cpu")
        network, schedule = model.network, model.schedule
    size = network.shape.size
    good, mask, conditions = batch_of(count, size)
    latent, timestep = torch.zeros((count, network.shape.latent)), torch.ones(count, dtype=torch.long)
    with torch.no_grad():
        once = seconds(lambda: network(good, timestep, latent, conditions, mask), repeats) / count
    whole = seconds(
        lambda: sample(network, schedule, good, mask, conditions, torch.Generator().manual_seed(0)), repeats
    )
    rows: list[dict[str, Figure]] = [
        {"what": "one call of SARD's UNet", "pixels": size, "pictures a second": 1 / once, "calls": 1},
        {
            "what": f"SARD, {schedule.steps} steps",
            "pixels": size,
            "pictures a second": count / whole,
            "calls": schedule.steps,
        },
    ]
    diffusion = load_model(device="cpu")
    picture = np.random.default_rng(0).random((diffusion.size, diffusion.size, 3))
    place = np.zeros((diffusion.size, diffusion.size), bool)
    place[32:64, 32:64] = True
    steps = 4 if quick else 50
    settings = SwapSettings(steps=steps)
    begin, diffusion.calls.forwards = time.perf_counter(), 0
    swap_words(diffusion, picture, SWAP[0], SWAP[1:], place, settings)
    rows.append(
        {
            "what": f"direct word swap, {steps} steps",
            "pixels": diffusion.size,
            "pictures a second": 1 / (time.perf_counter() - begin),
            "calls": diffusion.calls.forwards,
        }
    )
    return rows


def bare(training: SardTraining, pictures: Tensor, mask: Tensor, conditions: Conditions) -> None:
    """The calls of both networks that a step makes, and their gradients, of nothing in particular."""
    timestep = torch.ones(len(pictures), dtype=torch.long)
    latent = torch.zeros((len(pictures), training.settings.network.latent))
    network, discriminator = training.network, training.discriminator
    made = network(pictures, timestep, latent, conditions, mask)
    for judged in (pictures, made.detach()):
        _total(discriminator(judged, pictures, timestep, conditions.labels, mask)).backward()  # type: ignore[no-untyped-call]
    discriminator.requires_grad_(False)
    _total(discriminator(made, pictures, timestep, conditions.labels, mask)).backward()  # type: ignore[no-untyped-call]
    discriminator.requires_grad_(True)
    network.zero_grad()
    discriminator.zero_grad()


def _total(verdicts: tuple[Tensor, Tensor]) -> Tensor:
    return verdicts[0].sum() + verdicts[1].sum()


def training_step(quick: bool) -> list[dict[str, Figure]]:
    """A step as it is trained, without the penalty that every tenth has, and the bare one; of each the median."""
    settings = SardSettings(batch=2 if quick else 4, penalty=0.0, warm_up=0.0)
    training = SardTraining(settings, 9, 4)
    pictures, mask, conditions = batch_of(settings.batch, settings.network.size)
    works: dict[str, Callable[[], object]] = {
        "bare": lambda: bare(training, pictures, mask, conditions),
        "step": lambda: training.step(pictures, mask, conditions, torch.Generator().manual_seed(0)),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(1 + (5 if quick else 15)):
        for name, work in works.items():
            begin = time.process_time()
            work()
            times[name] += [time.process_time() - begin] if number else []  # the first is not counted
    step, without = (median(times[name]) for name in ("step", "bare"))
    penalised = SardTraining(replace(settings, penalty=1.0, penalty_every=1), 9, 4)
    begin = time.process_time()
    penalised.step(pictures, mask, conditions, torch.Generator().manual_seed(0))
    return [
        {
            "crops": settings.batch,
            "seconds a step": step,
            "bare": without,
            "ratio": step / without,
            "seconds with R1": time.process_time() - begin,
        }
    ]


def cuttings(folder: Path, seed: int = 0) -> Cuttings:
    """Squares (SIDE, SIDE, 3) in [0, 1] round the defects of a labelled set, at most MOST of them, at random.

    Of a set that a generator made, round what it added, not round what its pictures had before.
    """
    found: Cuttings = []
    rng = np.random.default_rng(seed)
    samples = read_samples(folder)
    frames = {f"{frame.index:06d}": frame for frame in Dataset(folder)} if (folder / HEADER).is_file() else {}
    for number in rng.permutation(len(samples)):
        sample = samples[number]
        if sample.name in frames:
            masks = list(_added(frames[sample.name]))
        else:
            masks = [each.mask for each in sample.truth().instances if each.family == "defect"]
        image = sample.image() if masks else None
        found += [_cut(image, mask) for mask in masks if image is not None and mask.any()]
        if len(found) >= MOST:
            break
    return found[:MOST]


def _added(frame: Frame) -> Iterator[NDArray[np.bool_]]:
    """Masks of the defects that were pasted or drawn; of all defects where the record names none."""
    pieces = (frame.refinement or {}).get("pasted")
    if pieces is None:
        yield from (frame.defects == each.id for each in frame.instances if each.family == "defect")
        return
    for piece in pieces:
        first, last = piece["instances"]
        yield (frame.defects >= first) & (frame.defects <= last)


def _cut(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    spans = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    side = min(max(LEAST, round(ROOM * max(np.ptp(span) + 1 for span in spans))), *mask.shape)
    rows, columns = (
        int(np.clip((span[0] + span[-1] + 1 - side) // 2, 0, length - side))
        for span, length in zip(spans, mask.shape, strict=True)
    )
    square = Image.fromarray(image[rows : rows + side, columns : columns + side])
    return np.asarray(square.resize((SIDE, SIDE), Image.Resampling.LANCZOS), np.float32) / 255


def distances(model: Model, sets: dict[str, Cuttings]) -> list[dict[str, Figure]]:
    """Of every set's cuttings to the first set's, which are the real ones; half of these judge, half stand beside."""
    features = {name: denoiser_statistics(model, found) for name, found in sets.items()}
    (real, whole), *made = features.items()
    judges, others = whole[::2], whole[1::2]
    rows: list[dict[str, Figure]] = []
    for name, found in ((f"{real} halves", others), *made):
        reference, ours = standardised(judges, judges, found)
        rng = np.random.default_rng(0)
        drawn = [
            kernel_distance(*(part[rng.permutation(len(part))[: max(2, len(part) // 2)]] for part in (ours, reference)))
            for _ in range(HALVINGS)
        ]
        rows.append(
            {
                "defects": name,
                "cuttings": len(found),
                "distance": kernel_distance(ours, reference),
                "spread": float(np.std(drawn)),
            }
        )
    return rows


def sheet(sets: dict[str, Cuttings], path: Path) -> None:
    """A row of cuttings of each set."""
    tall = CELL + 18
    canvas = Image.new("RGB", (SHOWN * (CELL + 4) + 4, len(sets) * tall + 4), (24, 24, 24))
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(12)
    for row, (name, found) in enumerate(sets.items()):
        pen.text((4, row * tall + 2), name, fill=(235, 235, 235), font=font)
        for column, picture in enumerate(found[:SHOWN]):
            small = Image.fromarray((picture * 255).round().astype(np.uint8)).resize((CELL, CELL))
            canvas.paste(small, (4 + column * (CELL + 4), row * tall + 18))
    canvas.save(path)


def named(words: Sequence[str]) -> dict[str, Path]:
    """NAME=FOLDER, or a folder by its own name."""
    return {word.partition("=")[0]: Path(word.rpartition("=")[2]) for word in words}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a trained SARD's folder")
    parser.add_argument("--real", type=Path, help="a labelled set of real defects")
    parser.add_argument("--made", action="append", default=[], metavar="NAME=DATASET", help="repeatable")
    parser.add_argument("--sheet", type=Path, help="a picture of cuttings, with --real")
    parser.add_argument("--device", default="cpu", help="of the features, with --real")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="few windows and steps, seconds in all")
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    found: dict[str, Any] = {}
    if given.real:
        sets = {"real": cuttings(given.real), **{name: cuttings(path) for name, path in named(given.made).items()}}
        found["distance"] = distances(load_model(device=given.device, dtype=torch.float32), sets)
        report(found["distance"], title="how near defects are to real ones")
        if given.sheet:
            sheet(sets, given.sheet)
    else:
        found["drawing"] = drawing(given.model, given.quick)
        report(found["drawing"], title="pictures a second")
        found["training"] = training_step(given.quick)
        report(found["training"], title="a step of training")
    if given.json:
        write(found, given.json)


if __name__ == "__main__":
    main()
