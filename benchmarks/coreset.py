"""The sequential coreset against the bare matrix products, greedy k-center, and anomalib's Patchcore in memory.

    python benchmarks/coreset.py [--quick] [--data FOLDER] [--json FILE] [--only {speed,cover,melding,memory}]

Patches are those of real ground tiles under the default backbone where the set `magnetic_tile` is at hand (in
$BLEMISH_DATA or ../shared/data), else of a curved sheet in 152 dimensions. Times are processor time of one thread, both
sides in turn picture by picture, so that what else the machine does falls on both alike.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.patchcore.boundary_patches import BoundaryPatches, BoundaryPatchFinder
from anomaly.patchcore.boundary_patches import melded as melded_with_boundary_patches
from anomaly.patchcore.coreset import SequentialCoreset
from anomaly.patchcore.nearest_row import nearest_rows
from benchmarks.common import Figure, anomalib_patchcore, report

REPOSITORY = Path(__file__).resolve().parents[1]
PICTURE = 1628  # patches offered at once: about those of one tile
DIMENSIONS = 152
SIZE, EPOCHS = 2048, 5  # [Mao 2025], section V.B
BOUNDARY_PATCHES = 4  # of each row
SEVERAL, PARTS = (2, 4, 8), (2, 3, 4)  # so many of them, and so many banks, where melding is looked at by itself
SET, SETS, SET_ROWS = 20_000, 4, 512  # patches, and rows of a bank, there
SIDE = 512  # pixels of the pictures that memory is measured with
SHARDS = (2, 4, 8)
PICTURES = {"sequential": (25, 50, 100, 400), "patchcore": (25, 50, 100)}
FEW_PICTURES = {"sequential": (3, 12), "patchcore": (12,)}


def sheet(patches: int) -> Tensor:
    """Points of a curved 6-dimensional sheet in 152 dimensions with a little noise."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((patches, 6))
    waves = np.sin(latent @ rng.standard_normal((6, 64)) + rng.uniform(0, 6.28, 64))
    features = waves @ rng.standard_normal((64, DIMENSIONS)) + 0.05 * rng.standard_normal((patches, DIMENSIONS))
    return torch.from_numpy(features.astype(np.float32))


def tiles(patches: int, folder: Path) -> Tensor:
    """Patches of good real tiles, picture after picture."""
    from anomaly.backbone.extractor import FeatureExtractor
    from anomaly.backbone.normalisation import normalised
    from anomaly.backbone.normalisation import patches as rows_of
    from scenes.formats.registry import read_samples
    from scenes.formats.sample import GOOD

    good = [sample for sample in read_samples(folder) if sample.label == GOOD]
    extractor, pieces, count = FeatureExtractor(), [], 0
    for index in np.random.default_rng(0).permutation(len(good)):
        with torch.no_grad():
            pieces.append(rows_of(extractor(normalised(good[index].image()))))
        count += len(pieces[-1])
        if count >= patches:
            break
    return torch.cat(pieces)[:patches]


def speed(features: Tensor, size: int) -> Iterator[dict[str, Figure]]:
    """A whole training beside the products of all its patches with a bank of that size."""
    coreset, rows = SequentialCoreset(size), features[:size].clone()
    ours, products, entered = [0.0], [0.0], [0]
    for epoch in range(EPOCHS):
        spent = [0.0, 0.0]
        entered.append(0)
        for piece in features.split(PICTURE):
            start = time.thread_time()
            entered[-1] += coreset.update(piece)
            between = time.thread_time()
            torch.mm(piece, rows.T)
            spent = [spent[0] + between - start, spent[1] + time.thread_time() - between]
        ours.append(spent[0])
        products.append(spent[1])
        yield _row(f"epoch {epoch + 1}", entered[-1], spent[0], spent[1], len(features))
    yield _row("all epochs", sum(entered), sum(ours), sum(products), EPOCHS * len(features))


def _row(what: str, entered: int, ours: float, products: float, patches: int) -> dict[str, Figure]:
    return {
        "training": what,
        "entered": entered,
        "µs a patch": 1e6 * ours / patches,
        "products alone": 1e6 * products / patches,
        "ratio": ours / products,
    }


def cover(features: Tensor, size: int) -> Iterator[dict[str, Figure]]:
    """How far the worst covered patch is from the bank, however the bank came to be."""
    halves = features.split((len(features) + 1) // 2)
    yield _covered("greedy k-center", features, lambda: greedy(features, size))
    yield _covered(f"{EPOCHS} epochs", features, lambda: trained(features, size, EPOCHS).bank)
    yield _covered("to the fixed point", features, lambda: trained(features, size, 50).bank)
    parts = [trained(half, size, 50) for half in halves]
    files = mebibytes(*(part.bank for part in parts))
    for room in (size, 2 * size):
        row = _covered(f"two halves melded into {room} rows", features, lambda room=room: melded(parts, room).bank)
        yield {**row, "melded from, MiB": files}
    start = time.thread_time()
    known = [(part, boundary_patches_of(part, half)) for part, half in zip(parts, halves, strict=True)]
    yield {
        "bank": f"a pass that finds {BOUNDARY_PATCHES} boundary patches a row",
        "seconds": time.thread_time() - start,
    }
    row = _covered(
        f"two halves and these into {size} rows", features, lambda: melded_with_boundary_patches(known, size).bank
    )
    yield {**row, "melded from, MiB": files + mebibytes(*(tensor for _, o in known for tensor in o.tensors().values()))}
    continued = melded(parts, size)
    yield _covered("melded by rows, on to the fixed point", features, lambda: _settle(continued, features).bank)


def melding(sets: Sequence[Tensor], size: int) -> Iterator[dict[str, Figure]]:
    """How much farther than after joint training the worst patch lies where parts of a set were melded instead.

    Every set is parted in three ways: in the order of its pictures, patch by patch in turn, and at random.
    """
    beyond: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for features in sets:
        joint = _distances(features, trained(features, size, 50).bank)
        for count in PARTS:
            for parting in _partings(len(features), count):
                parts = [features[parting == number] for number in range(count)]
                banks = [trained(part, size, 50) for part in parts]
                for each in (0, *SEVERAL):
                    bank = melded(banks, size) if each == 0 else _melded_with(banks, parts, each, size)
                    found = _distances(features, bank.bank)
                    excess = [float(f / j - 1) for f, j in zip(found, joint, strict=True)]
                    beyond.setdefault((count, each), []).append((excess[0], excess[1]))
    for (count, each), pairs in beyond.items():
        largest, most = np.array(pairs).T
        yield {
            "parts": count,
            "boundary patches a row": each,
            "largest, least %": 100 * float(largest.min()),
            "mean %": 100 * float(largest.mean()),
            "most %": 100 * float(largest.max()),
            "99th per cent, mean %": 100 * float(most.mean()),
        }


def shards(sets: Sequence[Tensor], size: int) -> Iterator[dict[str, Figure]]:
    """How much farther the worst patch lies where shards of a set were melded in pairs, as `train --shards` does.

    The shards are pictures at random; beside it, all banks melded one after the other.
    """
    pictures = len(sets[0]) // PICTURE
    for count in SHARDS:
        found: dict[str, list[float]] = {"in pairs": [], "one after the other": []}
        for features in sets:
            joint = _distances(features, trained(features, size, 50).bank)[0]
            order = np.random.default_rng(0).permutation(pictures)
            pieces = features.split(PICTURE)
            banks = [
                trained(torch.cat([pieces[k] for k in sorted(order[first::count])]), size, 50) for first in range(count)
            ]
            found["one after the other"].append(_distances(features, melded(banks, size).bank)[0] / joint - 1)
            while len(banks) > 1:
                banks = [melded(banks[k : k + 2], size) for k in range(0, len(banks), 2)]
            found["in pairs"].append(_distances(features, banks[0].bank)[0] / joint - 1)
        for how, excess in found.items():
            yield {
                "shards": count,
                "melded": how,
                "largest, least %": 100 * min(excess),
                "mean %": 100 * float(np.mean(excess)),
                "most %": 100 * max(excess),
            }


def _partings(patches: int, count: int) -> Iterator[NDArray[np.int64]]:
    """(patches,) the part of every patch."""
    numbers = np.arange(patches)
    yield numbers * count // patches
    yield numbers % count
    yield np.random.default_rng(0).permutation(numbers) % count


def _melded_with(
    banks: Sequence[SequentialCoreset], parts: Sequence[Tensor], each: int, size: int
) -> SequentialCoreset:
    known = [(bank, boundary_patches_of(bank, part, each)) for bank, part in zip(banks, parts, strict=True)]
    return melded_with_boundary_patches(known, size)


def _distances(features: Tensor, bank: Tensor) -> tuple[float, float]:
    """The largest distance from the bank and the 99th per cent."""
    distances = nearest_rows(features, bank)[0].numpy()
    return float(distances.max()), float(np.quantile(distances, 0.99))


def _covered(what: str, features: Tensor, make: Callable[[], Tensor]) -> dict[str, Figure]:
    start = time.thread_time()
    bank = make()
    seconds = time.thread_time() - start
    distances = nearest_rows(features, bank)[0].numpy()
    return {
        "bank": what,
        "largest": float(distances.max()),
        "99th per cent": float(np.quantile(distances, 0.99)),
        "mean": float(distances.mean()),
        "seconds": seconds,
    }


def trained(features: Tensor, size: int, epochs: int) -> SequentialCoreset:
    coreset = SequentialCoreset(size)
    for _ in range(epochs):
        if not sum(coreset.update(piece) for piece in features.split(PICTURE)):
            break
    return coreset


def _settle(coreset: SequentialCoreset, features: Tensor) -> SequentialCoreset:
    while sum(coreset.update(piece) for piece in features.split(PICTURE)):
        pass
    return coreset


def melded(parts: list[SequentialCoreset], size: int) -> SequentialCoreset:
    result = SequentialCoreset(parts[0].size)
    result.load_state_dict(parts[0].state_dict())
    result.resize(size)
    result.meld(*parts[1:])
    return result


def boundary_patches_of(coreset: SequentialCoreset, features: Tensor, each: int = BOUNDARY_PATCHES) -> BoundaryPatches:
    finder = BoundaryPatchFinder(coreset.bank, each)
    for piece in features.split(PICTURE):
        finder.offer(piece)
    return finder.found()


def mebibytes(*tensors: Tensor) -> float:
    return sum(tensor.nbytes for tensor in tensors) / 2**20


def greedy(features: Tensor, size: int) -> Tensor:
    """Farthest-first traversal: each new row is the patch farthest from those before."""
    squares = features.square().sum(dim=1)
    chosen, nearest = [0], (features - features[0]).square().sum(dim=1)
    while len(chosen) < size:
        chosen.append(int(nearest.argmax()))
        row = features[chosen[-1]]
        nearest = torch.minimum(nearest, squares + squares[chosen[-1]] - 2 * (features @ row))
    return features[chosen]


def memory(counts: dict[str, tuple[int, ...]], size: int) -> Iterator[dict[str, Figure]]:
    """What training on so many pictures takes at its peak, ours and anomalib's, backbone alike, a process each."""
    for model, numbers in counts.items():
        for count in numbers:
            command = [sys.executable, __file__, "--worker", model, "--pictures", str(count), "--size", str(size)]
            environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
            run = subprocess.run(command, env=environment, capture_output=True, text=True)
            if run.returncode:
                raise SystemExit(run.stderr)
            loaded, peak = map(float, run.stdout.split()[-2:])
            yield {
                "model": model,
                f"pictures of {SIDE}²": count,
                "MiB before": loaded,
                "MiB more at the peak": peak - loaded,
            }


def sequential(size: int) -> Any:
    from anomaly.backbone.patch_extractor import UNTRAINED, patch_extractor
    from anomaly.patchcore.torch_model import SequentialPatchcoreModel

    return SequentialPatchcoreModel(patch_extractor(UNTRAINED), size)


def worker(model: str, pictures: int, size: int) -> None:
    """Train on noise pictures one after the other; print the memory before and its peak meanwhile, in MiB."""
    torch.set_num_threads(1)
    learner = sequential(size) if model == "sequential" else anomalib_patchcore().train()
    learn = learner.update if model == "sequential" else learner
    rng = torch.Generator().manual_seed(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far, that of imports, is not asked for
    loaded = resident("VmRSS")
    with torch.no_grad():
        for _ in range(pictures):
            learn(torch.rand(1, 3, SIDE, SIDE, generator=rng))
        if model == "patchcore":
            # One row: what the subsampling itself keeps in memory does not depend on how many it chooses.
            learner.subsample_embedding(1.01 / (pictures * (SIDE // 8) ** 2))
    print(loaded, resident("VmHWM"))


def resident(name: str) -> float:
    """MiB of this process that lie in memory now (VmRSS) or lay at the most (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer patches and pictures")
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("BLEMISH_DATA", REPOSITORY / "../shared/data"))
    )
    parser.add_argument("--only", choices=["speed", "cover", "melding", "shards", "memory"])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--worker", choices=list(PICTURES), help=argparse.SUPPRESS)
    parser.add_argument("--pictures", type=int, help=argparse.SUPPRESS)
    settings = parser.parse_args()
    if settings.worker:
        worker(settings.worker, settings.pictures, settings.size)
        return
    torch.set_num_threads(1)
    patches = 20_000 if settings.quick else 200_000
    size = min(settings.size, 512) if settings.quick else settings.size
    pictures = FEW_PICTURES if settings.quick else PICTURES
    folder = settings.data / "magnetic_tile"
    if settings.only in ("melding", "shards"):
        patches = SET * (1 if settings.quick else SETS)
    if settings.only != "memory":
        features = tiles(patches, folder) if folder.is_dir() else sheet(patches)
        source = f"{len(features)} {'real' if folder.is_dir() else 'synthetic'} patches, {size} rows"

    def meld_sets() -> Iterator[dict[str, Figure]]:
        return melding([part for part in features.split(SET)[:SETS] if len(part) == SET], SET_ROWS)

    def meld_shards() -> Iterator[dict[str, Figure]]:
        return shards([part for part in features.split(SET)[:SETS] if len(part) == SET], SET_ROWS)

    for name, title, rows in (
        ("speed", "Training on {}", lambda: speed(features, size)),
        ("cover", "Distance of {} to the bank", lambda: cover(features, size)),
        ("melding", f"Melded in the place of joint training, sets of {SET} patches, {SET_ROWS} rows", meld_sets),
        ("shards", f"Shards in the place of one training, sets of {SET} patches, {SET_ROWS} rows", meld_shards),
        ("memory", "Memory of training", lambda: memory(pictures, size)),
    ):
        if settings.only in (None, name):
            path = settings.json and settings.json.with_stem(f"{settings.json.stem}-{name}")
            report(list(rows()), path, title.format(source) if "{}" in title else title)


if __name__ == "__main__":
    main()
