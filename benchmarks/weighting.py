"""What the weights of `blemish weigh` are worth: on a set half of which is spoiled, and on sets as they were made.

    python benchmarks/weighting.py --real photos/tiles --made coarse=out/coarse --made fine=out/fine
    python benchmarks/weighting.py --real photos/tiles --made fine=out/fine --names taught.txt --seeds 3 [--json FILE]

The real set is parted by surfaces: one half teaches the estimator, the other judges. --names says which pictures teach,
where datasets were made with some of them already. A detector, BiSQAD's segmentation head on the frozen embedded
backbone, learns windows round synthetic defects and windows without, and is judged on windows of the other half.
`pixel` is the AUROC of its patches, `image` that of windows' highest logits, windows with defects against windows of
good pictures: means over seeds, with the standard deviation.

Spoiled: of the synthetic windows of each set every other one is blurred, has its mask shifted, a foreign texture in the
mask, or shows no defect at all, in turns. `found` is the AUROC of the qualities of sound windows against those of
spoiled ones, and by what spoiled them; then the detector that learnt the sound half alone, all, all by weight, and the
best half.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, pstdev

import cv2
import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.backbone.extractor import FeatureExtractor, seeded
from anomaly.backbone.patch_extractor import PatchExtractor
from anomaly.weighting.bilevel import SegmentationHead, inner_loss
from anomaly.weighting.estimator import weights_of
from anomaly.weighting.learning import Settings, learnt, losses
from anomaly.weighting.windows import SIDE, Shown, Window, background_of, shown, windows_of
from benchmarks.common import Figure, report
from procgen.surface.noise import perlin
from scenes.formats.registry import read_samples
from scenes.formats.sample import GOOD, Sample
from scenes.formats.splitting import split_by_group

Row = dict[str, Figure]
WAYS = ("blurred", "shifted", "foreign", "no defect")
MOST = 240  # windows of a set
STEPS, BATCH, RATE = 200, 16, 3e-3  # of the detector
BLUR = 3.0  # pixels


def spoiled(window: Window, way: str, random: np.random.Generator) -> Window:
    """A window that teaches nothing, or the wrong thing."""
    image, mask = window.image, window.mask
    if way == "blurred":
        return replace(window, image=cv2.GaussianBlur(image, (0, 0), BLUR))
    if way == "shifted":
        far = tuple(int(step) for step in random.choice([-1, 1], 2) * random.integers(SIDE // 4, SIDE // 2, 2))
        moved = np.roll(mask, far, axis=(0, 1))
        over = cv2.dilate(moved.astype(np.uint8), np.ones((3, 3), np.uint8))
        return Window(image, moved, cv2.inpaint(image, over, 3.0, cv2.INPAINT_TELEA))
    if way == "foreign":
        points = np.stack(np.meshgrid(*2 * ((np.arange(SIDE) + 0.5) / 4,), indexing="ij"), axis=-1).reshape(-1, 2)
        texture = perlin(np.pad(points, ((0, 0), (0, 1))), int(random.integers(2**31))).reshape(SIDE, SIDE, 1)
        drawn = np.clip(127 + 160 * texture, 0, 255).astype(np.uint8)
        return replace(window, image=np.where(mask[..., None], drawn, image))
    return replace(window, image=window.filled)


def detector_of(synthetic: Shown, weights: Tensor, good: Tensor, seed: int) -> tuple[SegmentationHead, Tensor, Tensor]:
    """A head that learnt windows by their weights, and the mean and deviation of the features."""
    average = synthetic.features.mean(dim=(0, 2, 3), keepdim=True)
    deviation = synthetic.features.std(dim=(0, 2, 3), keepdim=True).clamp(min=1e-6)
    rng = torch.Generator().manual_seed(seed)
    with seeded(seed):
        head = SegmentationHead(synthetic.features.shape[1])
    optimizer = torch.optim.Adam(head.parameters(), RATE)
    for _ in range(STEPS):
        mine, clean = (torch.randint(len(each), (BATCH,), generator=rng) for each in (synthetic, good))
        parameters = dict(head.named_parameters())
        inputs = (synthetic.features[mine] - average) / deviation
        of_good = (good[clean] - average) / deviation
        loss = inner_loss(
            weights[mine],
            losses(head, parameters, inputs, synthetic.truth[mine]),
            losses(head, parameters, of_good, torch.zeros(BATCH, 1, *of_good.shape[2:])),
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return head.eval(), average, deviation


def auroc(good: Sequence[float] | np.ndarray, bad: Sequence[float] | np.ndarray) -> float:
    """How often what is bad is larger."""
    ranks = rankdata(np.concatenate([np.asarray(good), np.asarray(bad)]))
    return float((ranks[len(good) :].sum() - len(bad) * (len(bad) + 1) / 2) / (len(good) * len(bad)))


@torch.no_grad()
def judged(trained: tuple[SegmentationHead, Tensor, Tensor], flawed: Shown, good: Tensor) -> tuple[float, float]:
    """Image and pixel AUROC of a detector on windows with defects and without."""
    head, average, deviation = trained
    bad, fine = (head((each - average) / deviation) for each in (flawed.features, good))
    marked = flawed.truth >= 0.5
    image = auroc(fine.amax(dim=(1, 2, 3)).numpy(), bad.amax(dim=(1, 2, 3)).numpy())
    ground = torch.cat([fine.flatten(), bad[flawed.truth == 0]])
    return image, auroc(ground.numpy(), bad[marked].numpy())


def part(of: Shown, chosen: Tensor) -> Shown:
    return Shown(*(getattr(of, name)[chosen] for name in ("pictures", "filled", "masks", "features", "truth")))


def some(samples: Sequence[Sample], seed: int) -> Iterator[tuple[Window, Window]]:
    """Windows round the defects of samples in random order, each with one that shows none."""
    random = np.random.default_rng(seed)
    count = 0
    for place in random.permutation(len(samples)):
        for window in windows_of(samples[place]):
            if count == MOST:
                return
            count += 1
            yield window, background_of(samples[place], random)


Pairs = Sequence[tuple[Window, Window]]


def real_windows(real: Path, names: Path | None) -> tuple[list[Window], list[Window], list[Window]]:
    """Windows of a real set: what teaches, and what judges: with defects, and of good pictures."""
    samples = read_samples(real)
    if names is None:
        teaching, judging = split_by_group(samples, (0.5, 0.5), 0)
    else:
        wanted = set(names.read_text().splitlines())
        teaching = [sample for sample in samples if sample.name in wanted]
        groups = {sample.group for sample in teaching}
        judging = [sample for sample in samples if sample.group not in groups]
    random = np.random.default_rng(2)
    good = [background_of(sample, random) for sample in judging if sample.label == GOOD]
    return [window for window, _ in some(teaching, 0)], [window for window, _ in some(judging, 1)], good[:MOST]


class Sets:
    """The same as networks see them."""

    def __init__(self, windows: Sequence[Sequence[Window]], extractor: PatchExtractor) -> None:
        self.teaching, self.flawed, good = (shown(each, extractor, lambda done: None) for each in windows)
        self.good = good.features


def told(found: Sequence[tuple[float, float]]) -> Row:
    """Mean and deviation of image and pixel AUROC."""
    row: Row = {}
    for name, values in zip(("image", "pixel"), zip(*found, strict=True), strict=True):
        row[name], row[f"{name} ±"] = round(mean(values), 3), round(pstdev(values), 3)
    return row


def rows_of(name: str, pairs: Pairs, sets: Sets, extractor: PatchExtractor, seeds: int, steps: int) -> list[Row]:
    """What is printed of a set of windows round synthetic defects, each with one that shows none."""
    random = np.random.default_rng(4)
    ways = [WAYS[number // 2 % len(WAYS)] if number % 2 else "" for number in range(len(pairs))]
    dirty = [spoiled(window, way, random) if way else window for (window, _), way in zip(pairs, ways, strict=True)]
    clean = shown([window for window, _ in pairs], extractor, lambda done: None)
    mixed = shown(dirty, extractor, lambda done: None)
    good = shown([window for _, window in pairs], extractor, lambda done: None).features
    sound = torch.tensor([not way for way in ways])
    found: dict[str, list[tuple[float, float]]] = {}
    told_apart: dict[str, list[float]] = {}

    def judge(arm: str, synthetic: Shown, weights: Tensor, seed: int) -> None:
        trained = detector_of(synthetic, weights, good, seed)
        found.setdefault(arm, []).append(judged(trained, sets.flawed, sets.good))

    for seed in range(seeds):
        settings = Settings(seed=seed, steps=steps)
        for synthetic, arm in ((clean, "as made"), (mixed, "half spoiled")):
            qualities = learnt(synthetic, good, sets.teaching, settings)[0].qualities(synthetic)
            judge(arm, synthetic, torch.ones(len(pairs)), seed)
            judge(f"{arm}, weighed", synthetic, weights_of(qualities, settings.temperature), seed)
            best = qualities.argsort(descending=True, stable=True)[: len(pairs) // 2]
            judge(f"{arm}, best half", part(synthetic, best), torch.ones(len(best)), seed)
            if synthetic is mixed:
                judge("sound half alone", part(mixed, sound.nonzero()[:, 0]), torch.ones(int(sound.sum())), seed)
                for way in ("", *WAYS):
                    chosen = ~sound if not way else torch.tensor([each == way for each in ways])
                    value = auroc(qualities[chosen].numpy(), qualities[sound].numpy())
                    told_apart.setdefault(way or "all", []).append(value)
    rows: list[Row] = [
        {"set": name, "windows": len(pairs), "learnt from": arm, **told(values)} for arm, values in found.items()
    ]
    rows += [
        {
            "set": name,
            "learnt from": f"found: {way}",
            "image": round(mean(values), 3),
            "image ±": round(pstdev(values), 3),
        }
        for way, values in told_apart.items()
    ]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True, help="a labelled set with good pictures in it")
    parser.add_argument("--made", action="append", required=True, metavar="NAME=DATASET", help="repeatable")
    parser.add_argument("--names", type=Path, help="the real pictures that teach, a sample's name a line")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=200, help="of the estimator")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    extractor = FeatureExtractor()
    sets = Sets(real_windows(given.real, given.names), extractor)
    rows: list[Row] = []
    for entry in given.made:
        name, _, made = entry.partition("=")
        flawed = [sample for sample in read_samples(Path(made)) if sample.label != GOOD]
        rows += rows_of(name, list(some(flawed, 3)), sets, extractor, given.seeds, given.steps)
    report(rows, given.json)


if __name__ == "__main__":
    main()
