"""How one number is made of a picture's patches: the image AUROC of each way, on surfaces that fill no bank.

    python benchmarks/scores.py [--quick] [--backbone dinov2-small] [--set magnetic_tile] [--json scores.json]

Scores: the largest value of the blurred map, which inspectors give; the mean of the map's highest share; the largest
patch distance, as it is, reweighted by the bank's rows around the nearest one (PatchCore: Roth et al., CVPR 2022,
equation 7), or as the mean distance of several rows.
"""

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.backbone.evaluate import extractor_of, filled, split_set
from anomaly.backbone.normalisation import normalised, patches
from anomaly.backbone.patch_scorer import enlarged_and_blurred
from anomaly.patchcore.torch_model import SequentialPatchcoreModel
from benchmarks.common import Figure, report
from scenes.formats.registry import read_samples
from scenes.formats.sample import GOOD

REPOSITORY = Path(__file__).resolve().parents[1]
SHARES = (0.001, 0.01, 0.05)
NEIGHBOURS = (3, 9)


def scores(model: SequentialPatchcoreModel, between: Tensor, images: Tensor) -> Iterator[tuple[str, float]]:
    """Every score of an image (1, 3, H, W); between: (M, M) distances of the bank's rows."""
    grid = model.extractor(images)
    distances = torch.cdist(patches(grid), model.memory_bank)
    nearest, row = distances.min(dim=1)
    cells = nearest.reshape(1, 1, *grid.shape[-2:])
    pixels = enlarged_and_blurred(cells, model.extractor.strides[0])[..., : images.shape[-2], : images.shape[-1]]
    yield "largest of the map", float(pixels.max())
    for share in SHARES:
        count = max(1, round(share * pixels.numel()))
        yield f"mean of its highest {share:.1%}", float(pixels.flatten().topk(count).values.mean())
    worst = int(nearest.argmax())
    yield "largest patch distance", float(nearest[worst])
    for count in NEIGHBOURS:
        around = distances[worst, between[row[worst]].topk(count, largest=False).indices]
        weight = 1 - torch.exp(nearest[worst] - torch.logsumexp(around, dim=0))
        yield f"reweighted by {count} rows", float(weight * nearest[worst])
        yield f"mean of {count} rows", float(distances.topk(count, dim=1, largest=False).values.mean(dim=1).max())


@torch.no_grad()
def measured(folder: Path, backbone: str, most: int | None, size: int) -> list[dict[str, Figure]]:
    split = split_set(read_samples(folder), most=most)
    model = filled(extractor_of(backbone), split.bank, size)
    between = torch.cdist(model.memory_bank, model.memory_bank)
    found: dict[str, dict[str, list[tuple[float, int]]]] = defaultdict(lambda: defaultdict(list))
    for part, samples in split.parts.items():
        for sample in samples:
            for name, score in scores(model, between, normalised(sample.image())):
                for each in (part, "both"):
                    found[name][each].append((score, int(sample.label != GOOD)))
    return [{"score": name, **{part: _auroc(pairs) for part, pairs in parts.items()}} for name, parts in found.items()]


def _auroc(pairs: list[tuple[float, int]]) -> float:
    values, truth = np.array(pairs).T
    # Ranks are kept and values that are no chances are not squeezed into 0 to 1, where they would run together.
    ranks = torch.from_numpy(np.unique(values, return_inverse=True)[1] / len(values))
    return float(binary_auroc(ranks, torch.from_numpy(truth).long()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer pictures and rows")
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("BLEMISH_DATA", REPOSITORY / "../shared/data"))
    )
    parser.add_argument("--set", default="magnetic_tile", help="folder of --data with good pictures")
    parser.add_argument("--backbone", default="dinov2-small")
    parser.add_argument("--size", type=int, default=2048, help="rows of the bank")
    parser.add_argument("--most", type=int, help="pictures of every part at the most")
    parser.add_argument("--json", type=Path)
    settings = parser.parse_args()
    torch.set_num_threads(1)
    folder = settings.data / settings.set
    if not folder.is_dir():
        print(f"{folder} is not there: nothing to measure")
        return
    most, size, backbone = settings.most, settings.size, settings.backbone
    if settings.quick:
        most, size, backbone = 10, 256, "embedded"
    report(measured(folder, backbone, most, size), settings.json, f"{settings.set}, {backbone}: image AUROC")


if __name__ == "__main__":
    main()
