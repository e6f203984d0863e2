"""What the weights of `blemish weigh` are worth: on a set half of which is spoiled, and on the set as it was made.

    python benchmarks/weighting.py --real photos/magnetic_tile --recipe magnetic_tile --out out/weighting-tiles
    python benchmarks/weighting.py --real photos/neu_seg_dedup --pieces 100 100 --most 2 --recipe hot_strip \
                                   --mm-per-pixel 0.4 --out out/weighting-steel

For every seed the real set is parted by surfaces. On good pictures of one half `maphc2f` draws a recipe's defects, with
the fine detail of the half's own, and that half teaches the estimator. The other half judges: a detector, BiSQAD's
segmentation head on the frozen embedded backbone, learns windows round synthetic defects and windows without, and sees
windows of the other half, with defects and of good pictures. `image` is the AUROC of windows' highest logits, `pixel`
that of patches, `AP` the average precision of patches.

Spoiled: half of the synthetic windows are blurred, have their masks shifted, a foreign texture in the mask, or show no
defect at all, in turns. `cost` is what a detector loses by that, `won back` what weights, or keeping the best half,
return of it; the same where all spoiled ones are so in one way, and where they are mislabelled: have shifted masks or
show no defect. `found` is the AUROC of the qualities of sound windows against those of spoiled ones.

`rank` is Spearman's correlation of the mean quality of groups of the half-spoiled windows with what the groups are
worth, which is also told by kind, as in [Ilyas 2022]: many short trainings on random halves of the groups, and a
regression of the loss on the judging half on which groups were learnt.

What is measured of a seed is kept in --out, from which a stopped run goes on. With --quick, a few windows and short
trainings of one seed on magnetic tiles show that all of it runs, and no more. Intervals are of 95 %: of `found` and
`rank` over windows, groups and trainings, of the rest over seeds, from the least to the most.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr
from sklearn.metrics import average_precision_score
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.backbone.extractor import FeatureExtractor
from anomaly.backbone.patch_extractor import PatchExtractor
from anomaly.studies.engine.cache import Cache
from anomaly.studies.engine.labelled import Classes, LabelledPicture
from anomaly.studies.sources.parts import in_pieces, write_part
from anomaly.studies.sources.real_set import thinned
from anomaly.studies.sources.renders import is_rendered
from anomaly.weighting.detector import Detector, Examples, detector_of, losses
from anomaly.weighting.estimator import weights_of
from anomaly.weighting.learning import Settings, learnt
from anomaly.weighting.windows import SIDE, Shown, Window, background_of, shown, windows_of
from benchmarks.common import Figure, report, write
from procgen.surface.noise import perlin
from scenes.formats.registry import read_samples
from scenes.formats.sample import GOOD, UNLABELLED, Sample
from scenes.formats.splitting import split_by_group

REPOSITORY = Path(__file__).resolve().parents[1]
WAYS = ("blurred", "shifted", "foreign", "no defect")
MISLABELLED = ("shifted", "no defect")  # whose masks mark sound surface
FIGURES = ("image", "pixel", "AP")
BLUR = 3.0  # pixels
SHORT, FEW = 30, 8  # steps and batch of a short training
RIDGE = 1e-2  # of the regression
REPLICATES = 1000

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Size:
    """windows: of a set at the most. groups: of windows, whose worth is measured. retrainings: on half of them each.
    learning: of the estimator.
    """

    windows: int = 120
    groups: int = 24
    retrainings: int = 64
    learning: Settings = field(default_factory=Settings)


QUICK = Size(windows=16, groups=4, retrainings=6, learning=Settings(steps=4))
QUICK_SET, QUICK_GOOD = "magnetic_tile", 6  # under DATA; pictures that are drawn on
DATA = Path(os.environ.get("BLEMISH_DATA", REPOSITORY / "../shared/data"))


@dataclass(frozen=True)
class Learnt:
    """What a seed's detectors come to. detectors: by what was learnt, FIGURES. ways: of the windows, "" of sound ones;
    qualities: theirs, none where no estimator was asked.
    """

    detectors: dict[str, list[float]]
    ways: list[str]
    qualities: list[float]


@dataclass(frozen=True)
class Retraining:
    """What a seed's many short trainings come to.

    groups: of each half-spoiled window; learnt: (retrainings, groups) of 0 and 1; losses: of each, on the judging half.
    """

    groups: list[int]
    learnt: list[list[int]]
    losses: list[float]


@dataclass(frozen=True)
class Measured:
    """All of a seed."""

    alike: Learnt
    mislabelled: Learnt
    spoiled: Learnt
    retraining: Retraining

    @property
    def detectors(self) -> dict[str, list[float]]:
        return {**self.alike.detectors, **self.mislabelled.detectors, **self.spoiled.detectors}


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


def auroc(good: Sequence[float] | np.ndarray, bad: Sequence[float] | np.ndarray) -> float:
    """How often what is bad is larger."""
    ranks = rankdata(np.concatenate([np.asarray(good), np.asarray(bad)]))
    return float((ranks[len(good) :].sum() - len(bad) * (len(bad) + 1) / 2) / (len(good) * len(bad)))


@torch.no_grad()
def judged(detector: Detector, flawed: Examples, good: Tensor) -> list[float]:
    """FIGURES of a detector on windows with defects and without."""
    bad, fine = (detector(features) for features in (flawed.features, good))
    marked, clean = flawed.truth >= 0.5, flawed.truth == 0
    image = auroc(fine.amax(dim=(1, 2, 3)).numpy(), bad.amax(dim=(1, 2, 3)).numpy())
    ground, defects = torch.cat([fine.flatten(), bad[clean]]).numpy(), bad[marked].numpy()
    marked_or_not = np.repeat([0, 1], [len(ground), len(defects)])
    precision = average_precision_score(marked_or_not, np.concatenate([ground, defects]))
    return [image, auroc(ground, defects), float(precision)]


@torch.no_grad()
def loss_of(detector: Detector, flawed: Examples, good: Tensor) -> float:
    """The mean loss on windows with defects, and that on windows without."""
    head = detector.head
    inputs = [(features - detector.mean) / detector.deviation for features in (flawed.features, good)]
    parameters = dict(head.named_parameters())
    nothing = torch.zeros(len(good), 1, *good.shape[2:])
    of_both = [losses(head, parameters, inputs[0], flawed.truth), losses(head, parameters, inputs[1], nothing)]
    return float(sum(each.mean() for each in of_both))


def some(samples: Sequence[Sample], seed: int, most: int) -> Iterator[tuple[Window, Window]]:
    """Windows round the defects of samples in random order, each with one that shows none."""
    random = np.random.default_rng(seed)
    count = 0
    for place in random.permutation(len(samples)):
        for window in windows_of(samples[place]):
            if count == most:
                return
            count += 1
            yield window, background_of(samples[place], random)


def examples(of: Shown) -> Examples:
    return Examples(of.features, of.truth)


@dataclass(frozen=True, eq=False)
class Judges:
    """Windows of the real half that judges, as the detector sees them: with defects, and features of good ones."""

    flawed: Examples
    good: Tensor

    @classmethod
    def of(cls, samples: Sequence[Sample], extractor: PatchExtractor, seed: int, most: int) -> "Judges":
        random = np.random.default_rng([seed, 2])
        flawed = [window for window, _ in some(samples, seed, most)]
        good = [background_of(sample, random) for sample in samples if sample.label == GOOD][:most]
        seen = [shown(each, extractor, lambda done: None) for each in (flawed, good)]
        return cls(examples(seen[0]), seen[1].features)


def half_spoiled(windows: Sequence[Window], ways: Sequence[str], seed: int) -> tuple[list[Window], list[str]]:
    """Every other window, in random order, spoiled by these ways in turns; and how each is, "" for a sound one."""
    random = np.random.default_rng([seed, 4])
    told = [""] * len(windows)
    for number, place in enumerate(random.permutation(len(windows))[: len(windows) // 2]):
        told[place] = ways[number % len(ways)]
    return [spoiled(each, way, random) if way else each for each, way in zip(windows, told, strict=True)], told


def grouped(ways: Sequence[str], seed: int, count: int) -> NDArray[np.int64]:
    """(N,) that many groups of as many windows each, of one kind as far as numbers allow."""
    order = np.random.default_rng([seed, 5]).permutation(len(ways))
    order = np.array(sorted(order, key=lambda place: ways[place]))
    groups = np.empty(len(ways), np.int64)
    groups[order] = np.arange(len(ways)) * count // len(ways)
    return groups


@dataclass(frozen=True, eq=False)
class Sets:
    """All windows of a seed: pairs round synthetic defects and without; features of the latter; the real halves."""

    pairs: Sequence[tuple[Window, Window]]
    good: Tensor
    teaching: Shown
    judges: Judges
    extractor: PatchExtractor
    seed: int
    size: Size

    def spoiled(self, ways: Sequence[str]) -> tuple[Shown, list[str]]:
        """Half of them in these ways, and how each is; with no way all are as they were made."""
        windows = [window for window, _ in self.pairs]
        found, told = half_spoiled(windows, ways, self.seed) if ways else (windows, [""] * len(windows))
        return shown(found, self.extractor, lambda done: None), told


def judged_arm(sets: Sets, synthetic: Examples, weights: Tensor) -> list[float]:
    detector = detector_of(synthetic, weights, sets.good, sets.seed)
    return judged(detector, sets.judges.flawed, sets.judges.good)


def alike(sets: Sets) -> Learnt:
    """Windows as they were made, half of them spoiled in one way, and the sound half of those spoiled in any."""
    equal = torch.ones(len(sets.pairs))
    found = {"as made": judged_arm(sets, examples(sets.spoiled(())[0]), equal)}
    for way in WAYS:
        found[f"half {way}"] = judged_arm(sets, examples(sets.spoiled((way,))[0]), equal)
    mixed, told = sets.spoiled(WAYS)
    sound = torch.tensor([not way for way in told]).nonzero()[:, 0]
    found["sound half alone"] = judged_arm(sets, examples(mixed).chosen(sound), torch.ones(len(sound)))
    return Learnt(found, told, [])


def weighing(sets: Sets, arm: str, ways: Sequence[str]) -> Learnt:
    """Windows, half of them spoiled, all alike, by weight, and the best half."""
    mixed, told = sets.spoiled(ways)
    equal, settings = torch.ones(len(told)), replace(sets.size.learning, seed=sets.seed)
    found = {arm: judged_arm(sets, examples(mixed), equal)}
    qualities = learnt(mixed, sets.good, sets.teaching, settings)[0].qualities(mixed)
    found[f"{arm}, weighed"] = judged_arm(sets, examples(mixed), weights_of(qualities, settings.temperature))
    best = qualities.argsort(descending=True, stable=True)[: len(told) // 2]
    found[f"{arm}, best half"] = judged_arm(sets, examples(mixed).chosen(best), torch.ones(len(best)))
    return Learnt(found, told, qualities.tolist())


def retraining(sets: Sets) -> Retraining:
    """Many short trainings on random halves of the groups of half-spoiled windows."""
    random = np.random.default_rng([sets.seed, 6])
    mixed, told = sets.spoiled(WAYS)
    count = sets.size.groups
    synthetic, groups = examples(mixed), grouped(told, sets.seed, count)
    rows, found = [], []
    for number in range(sets.size.retrainings):
        row = np.zeros(count, np.int64)
        row[random.permutation(count)[: count // 2]] = 1
        mine = synthetic.chosen(torch.from_numpy(np.flatnonzero(row[groups])))
        own = sets.seed * sets.size.retrainings + number
        detector = detector_of(mine, torch.ones(len(mine)), sets.good, own, SHORT, FEW)
        rows.append(row.tolist())
        found.append(loss_of(detector, sets.judges.flawed, sets.judges.good))
    return Retraining(groups.tolist(), rows, found)


def worth(learnt_groups: Values, lost: Values) -> Values:
    """(groups,) by how much a group's being learnt lowers the loss, of regressions over trainings (N, groups)."""
    inputs = learnt_groups - learnt_groups.mean(axis=0)
    slope = np.linalg.solve(
        inputs.T @ inputs + RIDGE * len(inputs) * np.eye(inputs.shape[1]), inputs.T @ (lost - lost.mean())
    )
    return -slope


def rank_correlations(seeds: Sequence[Measured]) -> tuple[float, float, float]:
    """Of groups' mean quality and worth, the mean over seeds, and its interval over groups and trainings."""
    random = np.random.default_rng(0)

    def once(is_drawn: bool) -> float:
        values = []
        for seed in seeds:
            each = seed.retraining
            rows, lost = np.array(each.learnt, float), np.array(each.losses)
            quality = np.bincount(each.groups, seed.spoiled.qualities) / np.bincount(each.groups)
            taken, groups = np.arange(len(rows)), np.arange(len(quality))
            if is_drawn:
                taken, groups = (
                    random.integers(len(rows), size=len(rows)),
                    random.integers(len(quality), size=len(quality)),
                )
            values.append(spearmanr(quality[groups], worth(rows[taken], lost[taken])[groups]).statistic)
        return float(np.nanmean(values))

    return once(False), *percentiles([once(True) for _ in range(REPLICATES)])


def worth_of_kind(each: Measured, way: str) -> float:
    """The mean worth of the groups that windows spoiled in a way, "" of sound ones, lie in."""
    found = each.retraining
    of_groups = worth(np.array(found.learnt, float), np.array(found.losses))
    return float(
        np.mean([of_groups[group] for group, own in zip(found.groups, each.spoiled.ways, strict=True) if own == way])
    )


def found_again(seeds: Sequence[Measured], way: str) -> tuple[float, float, float]:
    """The AUROC of sound windows' qualities against those spoiled in a way, "" for any; its interval over windows."""
    random = np.random.default_rng(1)
    parts = []
    for each in seeds:
        quality, ways = np.array(each.spoiled.qualities), np.array(each.spoiled.ways)
        parts.append((quality[(ways == way) if way else (ways != "")], quality[ways == ""]))

    def once() -> float:
        return mean(auroc(*(random.choice(part, len(part)) for part in pair)) for pair in parts)

    return mean(auroc(*pair) for pair in parts), *percentiles([once() for _ in range(REPLICATES)])


def percentiles(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def rows_of(seeds: Sequence[Measured]) -> Iterator[dict[str, Figure]]:
    """What is printed of all seeds."""
    for arm in seeds[0].detectors:
        values = np.array([each.detectors[arm] for each in seeds])
        yield {"learnt from": arm, **ranged(dict(zip(FIGURES, values.T, strict=True)))}
    made = np.array([each.detectors["as made"] for each in seeds])
    for arm in (*(f"half {way}" for way in WAYS), "half mislabelled", "half spoiled"):
        every = np.array([each.detectors[arm] for each in seeds])
        yield {"learnt from": f"cost: {arm}", **ranged(dict(zip(FIGURES, (made - every).T, strict=True)))}
        for way in ("weighed", "best half") if f"{arm}, weighed" in seeds[0].detectors else ():
            better = np.array([each.detectors[f"{arm}, {way}"] for each in seeds])
            yield {"learnt from": f"won back: {way}", **ranged(dict(zip(FIGURES, (better - every).T, strict=True)))}
    for way in ("", *WAYS):
        yield {"learnt from": f"found: {way or 'all'}", "value": told(found_again(seeds, way))}
    yield {"learnt from": "rank", "value": told(rank_correlations(seeds))}
    for way in ("", *WAYS):
        of_kind = [worth_of_kind(each, way) for each in seeds]
        yield {"learnt from": f"worth: {way or 'sound'}", "value": told((mean(of_kind), min(of_kind), max(of_kind)))}


def ranged(values: Mapping[str, Values]) -> dict[str, Figure]:
    return {name: told((float(each.mean()), float(each.min()), float(each.max()))) for name, each in values.items()}


def told(value: tuple[float, float, float]) -> str:
    return f"{value[0]:.3f} ({value[1]:.3f} to {value[2]:.3f})"


class Silent:
    """Says nothing of steps."""

    def begin(self, steps: int) -> None: ...

    def step(self, name: str, is_new: bool) -> None: ...

    def advance(self, what: str, done: int, total: int) -> None: ...


def real_pictures(given: argparse.Namespace) -> list[LabelledPicture]:
    """The labelled pictures of the real set, or the pieces that they are cut into."""
    samples = [sample for sample in read_samples(given.real) if sample.label != UNLABELLED]
    names = {word for sample in samples if sample.label != GOOD for word in sample.label.split("+")}
    classes = Classes(tuple(sorted(names)))
    pictures = [LabelledPicture(sample, classes) for sample in samples]
    if given.pieces:
        cut = in_pieces(pictures, tuple(given.pieces), Cache(given.out / "cache"), Silent())
        pictures = [LabelledPicture(sample, classes) for sample in cut]
    return thinned(pictures, given.most)


def drawn_on(teaching: Sequence[LabelledPicture], given: argparse.Namespace, seed: int) -> list[Sample]:
    """Synthetic pictures on good ones of the half that teaches, with the fine detail of its defects."""
    folder, made = given.out / f"teaching-{seed}", given.out / f"drawn-{seed}"
    if not is_rendered(made):
        write_part(teaching, folder)
        good = [sample.image_path for sample in read_samples(folder) if sample.label == GOOD]
        chosen = np.linspace(0, len(good) - 1, min(len(good), given.good)).round().astype(int)
        command = [sys.executable, str(REPOSITORY / "blemish.py"), "synthesize", *(str(good[k]) for k in chosen)]
        command += ["--method", "maphc2f", "--recipe", given.recipe, "--solver", "--references", str(folder)]
        command += ["--mm-per-pixel", str(given.mm_per_pixel)] if given.mm_per_pixel else []
        command += ["--count", str(given.count), "--seed", str(seed), "--out", str(made)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [sample for sample in read_samples(made) if sample.label != GOOD]


def sets_of(given: argparse.Namespace, seed: int) -> Sets:
    """The windows of a seed; what is drawn is kept."""
    size = QUICK if given.quick else Size()
    extractor, pictures = FeatureExtractor(), real_pictures(given)
    by_sample = {id(picture.sample): picture for picture in pictures}
    halves = split_by_group([picture.sample for picture in pictures], (0.5, 0.5), seed)
    made = drawn_on([by_sample[id(sample)] for sample in halves[0]], given, seed)
    pairs = list(some(made, seed, size.windows))
    good = shown([window for _, window in pairs], extractor, lambda done: None).features
    teaching = shown([window for window, _ in some(halves[0], seed, size.windows)], extractor, lambda done: None)
    judges = Judges.of(halves[1], extractor, seed, size.windows)
    return Sets(pairs, good, teaching, judges, extractor, seed, size)


PARTS: dict[str, Callable[[Sets], Learnt | Retraining]] = {
    "alike": alike,
    "spoiled": partial(weighing, arm="half spoiled", ways=WAYS),
    "retraining": retraining,
    "mislabelled": partial(weighing, arm="half mislabelled", ways=MISLABELLED),
}


def of_seed(given: argparse.Namespace, seed: int) -> Measured:
    """What is measured with a seed, or was before."""
    paths = {part: given.out / f"{part}-{seed}.json" for part in PARTS}
    missing = [part for part, path in paths.items() if not path.is_file()]
    sets = sets_of(given, seed) if missing else None
    for part in missing:
        write(asdict(PARTS[part](sets)), paths[part])
    found = {part: json.loads(path.read_text(encoding="utf-8")) for part, path in paths.items()}
    of_groups = Retraining(**found.pop("retraining"))
    return Measured(**{part: Learnt(**value) for part, value in found.items()}, retraining=of_groups)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, help="a labelled set")
    parser.add_argument("--recipe", help="whose defects are drawn")
    parser.add_argument("--mm-per-pixel", type=float, help="scale of the pictures")
    parser.add_argument("--pieces", type=int, nargs=2, metavar=("ROWS", "COLUMNS"), help="that pictures are cut into")
    parser.add_argument("--most", type=int, help="pictures of each surface")
    parser.add_argument("--good", type=int, default=24, help="pictures that are drawn on")
    parser.add_argument("--count", type=int, default=2, help="frames of each of them")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for what is made and measured")
    parser.add_argument("--quick", action="store_true", help="that it runs, within a minute")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.quick:
        given.real, given.recipe, given.most, given.seeds = DATA / QUICK_SET, QUICK_SET, 1, [0]
        given.good, given.count = QUICK_GOOD, 1
        if not given.real.is_dir():
            print(f"{DATA}: no real photographs there to judge by; name their folder by $BLEMISH_DATA")
            return
    elif None in (given.real, given.recipe, given.out):
        parser.error("--real, --recipe and --out are needed without --quick")
    with TemporaryDirectory(prefix="blemish-") as scratch:
        given.out = given.out or Path(scratch)
        measured(given)


def measured(given: argparse.Namespace) -> None:
    """Every seed, from what is kept of it on; printed."""
    torch.set_num_threads(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    report(list(rows_of([of_seed(given, seed) for seed in given.seeds])), given.json)


if __name__ == "__main__":
    main()
