"""Pictures a second of Sequential PatchCore beside anomalib's Patchcore, on a graphics card or a processor.

    python benchmarks/throughput.py --device cuda [--quick] [--backbone dinov2-small ...] [--json FILE]

Banks hold 2048 patches of a procedural surface, pictures show another piece of it. *Maps*: tensors on the device in,
maps on the device out, in batches; anomalib's with EfficientNet-Lite0, as ours of that name, and their scores.
*Pictures*: what `blemish inspect` does with decoded ones, arrays of 8 bits in, maps as arrays out. Wall time, the card
waited for; the fastest batch of each row is told. Memory is the card's at most.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.backbone.normalisation import IMAGENET_DEVIATION, IMAGENET_MEAN
from anomaly.backbone.patch_extractor import patch_extractor
from anomaly.inspection.computing import Computing
from anomaly.inspection.inspector import Inspector, TrainingRecord
from anomaly.patchcore.distance_bounds import full_precision
from anomaly.patchcore.torch_model import SequentialPatchcoreModel
from benchmarks import anomalib_detectors
from benchmarks.common import Figure, report, write
from benchmarks.inference import surface

BACKBONES = ("efficientnet-lite0", "dinov2-small", "distilled", "embedded")
SIDES, BATCHES, ROWS = (256, 1024), (1, 8, 32), 2048
LEAST, LONGEST = 5, 3.0  # calls that are timed, and seconds after which no further one is


def array_of(images: Tensor) -> np.ndarray:
    """(H, W, 3) uint8 of one image (1, 3, H, W), ImageNet-normalised."""
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    return ((images[0] * deviation + mean) * 255).round().byte().permute(1, 2, 0).numpy()


@cache
def ours(backbone: str, device: str) -> Inspector:
    """An inspector with a bank of patches of a procedural surface."""
    extractor = patch_extractor(backbone)
    record = TrainingRecord(extractor.backbone, True, extractor.weights, ROWS, 1, 1.0, 0, (), (), "")
    inspector = Inspector(SequentialPatchcoreModel(extractor, ROWS), record).on(Computing(device))
    for seed in range(1, 5):
        inspector.model.update_features(inspector.features(array_of(surface((512, 512), seed))))
    return inspector


@cache
def anomalibs(device: str) -> torch.nn.Module:
    """Anomalib's model on EfficientNet-Lite0, with a bank of as many rows."""
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    model = PatchcoreModel(anomalib_detectors.LAYERS, anomalib_detectors.EFFICIENTNET_LITE0.model, pre_trained=False)
    model.feature_extractor = anomalib_detectors.extractor()
    model = model.to(device).train()
    with torch.inference_mode():
        patches = torch.cat([model(surface((512, 512), seed).to(device)) for seed in range(1, 5)])
    model.memory_bank = patches[torch.randperm(len(patches), generator=torch.Generator().manual_seed(0))[:ROWS]]
    return model.eval()


def a_second(work: Callable[[], object], pictures: int, device: str) -> float:
    """Pictures a second of a call that does so many, the median of several, after one that is not counted."""
    times: list[float] = []
    begun = time.perf_counter()
    while (len(times) <= LEAST and time.perf_counter() - begun < LONGEST) or len(times) < 2:
        start = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return pictures / float(np.median(times[1:]))


def fastest(speed: Callable[[int], float], device: str, batches: tuple[int, ...]) -> dict[str, Figure]:
    """The most pictures a second of all batches that the memory allows, which one, and the memory of all."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    found: dict[int, float] = {}
    for batch in batches:
        try:
            found[batch] = speed(batch)
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
    best = max(found, key=lambda batch: found[batch])
    memory = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else None
    return {"a second": found[best], "batch": best, "one by one": found[min(found)], "memory, MiB": memory}


def rows_of_ours(
    backbone: str, device: str, side: int, half: bool, batches: tuple[int, ...]
) -> Iterator[dict[str, Figure]]:
    inspector = ours(backbone, device)
    inspector.model.half_precision = half
    picture = surface((side, side), 9)
    about: dict[str, Figure] = {
        "model": f"ours, {backbone}",
        "picture": f"{side} × {side}",
        "precision": "half" if half else "full",
    }

    def maps(batch: int) -> float:
        images = picture.expand(batch, -1, -1, -1).contiguous().to(device)
        return a_second(lambda: inspector.model.anomaly_maps(images), batch, device)

    def pictures(batch: int) -> float:
        there = inspector.on(Computing(device, batch, half))
        arrays = [(array_of(picture), None)] * batch
        return a_second(lambda: list(there.predict_each(arrays)), batch, device)

    with torch.inference_mode():
        yield {**about, "of": "maps", **fastest(maps, device, batches)}
        yield {**about, "of": "pictures", **fastest(pictures, device, batches)}


def row_of_anomalib(device: str, side: int, half: bool, batches: tuple[int, ...]) -> dict[str, Figure]:
    model, picture = anomalibs(device), surface((side, side), 9)

    def maps(batch: int) -> float:
        images = picture.expand(batch, -1, -1, -1).contiguous().to(device)
        return a_second(lambda: model(images), batch, device)

    precision = torch.autocast(device, torch.float16) if half else full_precision(torch.device(device))
    with torch.inference_mode(), precision:
        found = fastest(maps, device, batches)
    name, size = "anomalib's, efficientnet-lite0", f"{side} × {side}"
    return {"model": name, "picture": size, "precision": "half" if half else "full", "of": "maps", **found}


def rows(
    device: str, backbones: list[str], sides: tuple[int, ...], batches: tuple[int, ...]
) -> Iterator[dict[str, Figure]]:
    precisions = (False, True) if device != "cpu" else (False,)
    for side, half in product(sides, precisions):
        yield from rows_of_ours(backbones[0], device, side, half, batches)
        yield row_of_anomalib(device, side, half, batches)
    for backbone, side, half in product(backbones[1:], sides, precisions):
        yield from rows_of_ours(backbone, device, side, half, batches)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one backbone, the small picture")
    parser.add_argument("--device", default="cuda", help="torch's name of what computes")
    parser.add_argument("--backbone", action="append", help=f"repeatable; {', '.join(BACKBONES)}")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="written after every row")
    settings = parser.parse_args()
    torch.set_num_threads(settings.threads)
    backbones = settings.backbone or list(BACKBONES)
    sides, batches = SIDES, BATCHES
    if settings.quick:
        backbones, sides, batches = backbones[:1], SIDES[:1], BATCHES[:2]
    found: list[dict[str, Figure]] = []
    for row in rows(settings.device, backbones, sides, batches):
        found.append(row)
        if settings.json:
            write(found, settings.json)
    card = torch.cuda.get_device_name() if settings.device == "cuda" else f"{settings.threads} threads"
    report(found, title=f"Pictures a second, {ROWS} rows, {card}")


if __name__ == "__main__":
    main()
