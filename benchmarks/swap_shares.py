r"""How many word swaps become what the word says: a classifier trained on renders tells, the label check on.

    python tools/paired_pictures.py DIR/train
    python tools/paired_pictures.py DIR/judged --frames 4 --seed 9000 --only ground milled rolled cast brushed \
        sand_blasted turned                                               # surfaces that no model has seen
    python benchmarks/swap_shares.py DIR [--model embedded|ID|PATH] [--painter none|embedded|ID|PATH]... \
        [--draw] [--no-draw] [--candidates N]... [--rounds N] [--quick] [--sheet PNG] [--json FILE]

A round is eight renders of DIR/judged, each with another of eight defects on another finish, well in view and called
by its own word, and what `blemish refine --variants 1 --word WORD` makes of each for every word but its own: 56 swaps,
or with `--quick` two, to the word after its own, and a classifier that learns from a quarter. They are drawn where the
painter healed, with `--no-draw` painted, and with `--painter none` only words are swapped; the last rows are of the
renders themselves of those words on those surfaces. `made` is the share that the label check let pass; `called so` the
share of all that the classifier then calls by the new word, `still` by the old one; it sees what is round the mask that
was made. The classifier is a logistic regression on the patch features of the backbone at hand, of the frames in
DIR/train, over their defects and round them, all of a frame and groups of them; `right` is the share of the frames in
DIR/judged that it calls by their own word.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation, label
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.backbone.normalisation import standardised
from anomaly.backbone.packaged_weights import best_at_hand
from anomaly.backbone.patch_extractor import PatchExtractor, patch_extractor
from benchmarks.common import Figure, report
from benchmarks.sheets import Row, sheet
from diffusion_refine.core.models import Model, load_model, load_painter
from diffusion_refine.editing.painting import PaintSettings
from diffusion_refine.metrics.difference import outlined
from diffusion_refine.synthesis.loop import frame_of
from diffusion_refine.synthesis.refine.method import refine_synthesis
from diffusion_refine.synthesis.refine.settings import RefineSettings
from diffusion_refine.synthesis.refine.swap_words import word_of
from diffusion_refine.synthesis.swap_options import NO_PAINTER
from scenes.datasets.reader import Dataset, Frame
from scenes.jobs.progress import print_progress
from scenes.pictures.reading import rgb_of
from tools.paired_pictures import KINDS

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

WORDS = tuple(word_of(kind) for kind in KINDS)
AT_BORDERS = ("chip",)
ROOM = 1.6  # side of the window that is judged, over the defect's extent
QUICK = 4  # of so many renders one is taken
LEAST_SIDE, SIDE = 40, 224  # pixels of that window, and of what the backbone sees
LEAST = 6  # pixels of a defect that can be judged
NEAR, GROUPS = 8, 2  # pixels within which defects are of one group; groups of a render that a classifier learns from
BATCH = 64


@dataclass(frozen=True, eq=False)
class Shown:
    """A render (H, W, 3), where its defects are (H, W), and the word for them."""

    dataset: Dataset
    frame: Frame
    picture: Pixels
    mask: Mask
    word: str


def renders(folder: Path) -> Iterator[Shown]:
    """All with a defect in sight, dataset by dataset."""
    for path in sorted(folder.glob("*/dataset.json")):
        dataset = Dataset(path.parent)
        for frame in dataset:
            if (frame.defects > 0).sum() >= LEAST:
                word = word_of(next(i.class_name for i in frame.instances if i.family == "defect"))
                yield Shown(dataset, frame, rgb_of(frame.image), frame.defects > 0, word)


@dataclass(frozen=True, eq=False)
class Window:
    """(SIDE, SIDE, 3) round defects, and the share of every pixel that is theirs (SIDE, SIDE)."""

    picture: Pixels
    share: NDArray[np.float32]

    @property
    def mirrored(self) -> "Window":
        return Window(np.ascontiguousarray(self.picture[:, ::-1]), np.ascontiguousarray(self.share[:, ::-1]))


def pieces_of(mask: Mask) -> list[Mask]:
    """The defects of a mask, and where they lie apart the largest groups of them alone, as variants have them."""
    groups, count = label(binary_dilation(mask, iterations=NEAR // 2), np.ones((3, 3)))
    found = sorted((mask & (groups == number) for number in range(1, count + 1)), key=lambda group: -group.sum())
    return [mask, *(group for group in found[:GROUPS] if count > 1 and group.sum() >= 2 * LEAST)]


def window(picture: Pixels, mask: Mask) -> Window:
    """Round the defects of a picture."""
    spans = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    side = min(max(LEAST_SIDE, round(ROOM * max(span[-1] - span[0] + 1 for span in spans))), *mask.shape)
    top, left = (
        int(np.clip((span[0] + span[-1] + 1) / 2 - side / 2, 0, length - side))
        for span, length in zip(spans, mask.shape, strict=True)
    )
    cut = np.s_[top : top + side, left : left + side]
    larger = Image.fromarray(picture[cut]).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    share = Image.fromarray(mask[cut].astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return Window(np.asarray(larger), np.asarray(share))


@torch.inference_mode()
def features(extractor: PatchExtractor, windows: Sequence[Window]) -> NDArray[np.float64]:
    """(N, 2 D): means over the patches of windows, and over their defects."""
    found = []
    for start in range(0, len(windows), BATCH):
        of_batch = windows[start : start + BATCH]
        pictures = torch.from_numpy(np.stack([one.picture for one in of_batch])).permute(0, 3, 1, 2).float() / 255
        maps = extractor(standardised(pictures))
        shares = torch.from_numpy(np.stack([one.share for one in of_batch]))[:, None]
        shares = torch.nn.functional.adaptive_avg_pool2d(shares, (maps.shape[2], maps.shape[3]))
        of_defects = (maps * shares).sum((2, 3)) / shares.sum((2, 3))
        found.append(torch.cat([maps.mean((2, 3)), of_defects], dim=1).double().numpy())
    return np.concatenate(found)


@dataclass(frozen=True, eq=False)
class Judge:
    """Says which of the words a window shows."""

    extractor: PatchExtractor
    classifier: object

    @classmethod
    def taught(cls, shown: Sequence[Shown]) -> "Judge":
        extractor = patch_extractor(best_at_hand())
        pairs = [(window(one.picture, mask), one.word) for one in shown for mask in pieces_of(one.mask)]
        seen = [*(piece for piece, _ in pairs), *(piece.mirrored for piece, _ in pairs)]
        learner = LogisticRegression(C=0.01, max_iter=3000, class_weight="balanced")
        classifier = make_pipeline(StandardScaler(), learner)
        classifier.fit(features(extractor, seen), 2 * [word for _, word in pairs])
        return cls(extractor, classifier)

    def called(self, windows: Sequence[Window]) -> list[str]:
        return list(self.classifier.predict(features(self.extractor, windows)))  # type: ignore[attr-defined]


def in_view(one: Shown) -> bool:
    """Whether the middle of the defects is no nearer to the rim than a tenth of the side; borders chip at the rim."""
    middle = np.argwhere(one.mask).mean(axis=0) / one.mask.shape
    return one.word in AT_BORDERS or bool(np.all(np.abs(middle - 0.5) <= 0.4))


def after(word: str) -> list[str]:
    """All other words, in their order from this one on."""
    place = WORDS.index(word)
    return [*WORDS[place + 1 :], *WORDS[:place]]


def rounds_of(shown: Sequence[Shown], rounds: int) -> list[Shown]:
    """Eight renders a round, of eight words on as many finishes as there are, others every round."""
    chosen = []
    for turn in range(rounds):
        for number, word in enumerate(WORDS):
            of_word = [one for one in shown if one.word == word]
            if not of_word:
                sys.exit(f"DIR/judged: found no {word} that is well in view and called so; render more --frames")
            chosen.append(of_word[(3 * number + 5 * turn) % len(of_word)])
    return chosen


@dataclass(frozen=True, eq=False)
class Swap:
    """What a render became for a word, where: whether the label check let it pass, and what the classifier calls it."""

    source: Shown
    word: str
    picture: Pixels
    mask: Mask
    passed: bool
    called: str = ""

    def became(self, word: str) -> bool:
        return self.passed and self.called == word


def swapped(model: Model, painter: Model | None, one: Shown, word: str, settings: RefineSettings) -> Swap:
    """As `blemish refine` does it, not yet called anything."""
    wanted = replace(settings, variants=1, words=(word,), originals=False)
    made = frame_of(refine_synthesis(one.dataset, model, wanted, painter), one.frame, 1)
    return Swap(one, word, rgb_of(made.image), made.defects > 0, bool(made.record["swapped"]))


def shares(swaps: Sequence[Swap]) -> dict[str, Figure]:
    """Of all swaps."""
    return {
        "swaps": len(swaps),
        "made": float(np.mean([swap.passed for swap in swaps])),
        "called so": float(np.mean([swap.became(swap.word) for swap in swaps])),
        "still": float(np.mean([swap.became(swap.source.word) for swap in swaps])),
    }


@dataclass(frozen=True)
class Way:
    """How swaps are made; drawn and candidates mean something with a painter alone."""

    painter: str
    drawn: bool | None = None
    candidates: int | None = None


def ways_of(given: argparse.Namespace) -> list[Way]:
    """Every painter, drawing or not, with every number of candidates where it paints."""
    ways = []
    for name in given.painter or ["embedded"]:
        if name == NO_PAINTER:
            ways.append(Way(name))
            continue
        if given.draw or not given.no_draw:
            ways.append(Way(name, drawn=True))
        if given.no_draw:
            ways += [Way(name, False, count) for count in given.candidates or [PaintSettings().candidates]]
    return ways


def judged_by(judge: Judge, made: Sequence[Swap]) -> list[Swap]:
    """The swaps with what the classifier calls them."""
    called = judge.called([window(swap.picture, swap.mask) for swap in made])
    return [replace(swap, called=word) for swap, word in zip(made, called, strict=True)]


def figures(way: Way, swaps: Sequence[Swap]) -> list[dict[str, Figure]]:
    """Rows of all swaps, and of each word's."""
    told: dict[str, Figure] = {**asdict(way)}
    rows: list[dict[str, Figure]] = [{**told, "word": "all", **shares(swaps)}]
    for word in WORDS:
        if of_word := [swap for swap in swaps if swap.word == word]:
            rows.append({**told, "word": word, **shares(of_word)})
    return rows


def renders_of(pairs: Sequence[tuple[Shown, str]], shown: Sequence[Shown]) -> list[Swap]:
    """Of every render and word the render of that word on the same surface, where its defect is in sight."""
    of_place = {(one.dataset.path.name, one.frame.index): one for one in shown}
    kind_of = dict(zip(WORDS, KINDS, strict=True))
    found = []
    for one, word in pairs:
        finish = one.dataset.path.name.removesuffix(kind_of[one.word])
        other = of_place.get((finish + kind_of[word], one.frame.index))
        if other is not None:
            found.append(Swap(one, word, other.picture, other.mask, True))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--model", default="embedded", help="embedded, an id or a folder")
    parser.add_argument("--painter", action="append", help="none, embedded, an id or a folder; repeatable")
    parser.add_argument("--draw", action="store_true", help="draw what a recipe can, the default")
    parser.add_argument("--no-draw", action="store_true", help="paint all; with --draw as well, both")
    parser.add_argument("--candidates", type=int, action="append", help="paintings to choose from; repeatable")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a quarter of the renders, a swap each")
    parser.add_argument("--sheet", type=Path, help="of the first painter and round")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.candidates and not given.no_draw:
        parser.error("--candidates are of what is painted; give --no-draw as well")
    torch.set_flush_denormal(True)
    torch.set_num_threads(given.threads)
    every, others = (QUICK, 1) if given.quick else (1, len(WORDS) - 1)
    shown = list(renders(given.folder / "train"))[::every]
    judged = list(renders(given.folder / "judged"))
    if not shown or not judged:
        sys.exit(f"{given.folder}: found no renders in train/ and judged/; make them with tools/paired_pictures.py")
    judge = Judge.taught(shown)
    own = judge.called([window(one.picture, one.mask) for one in judged])
    right = float(np.mean([name == one.word for name, one in zip(own, judged, strict=True)]))
    plain = [one for name, one in zip(own, judged, strict=True) if name == one.word and in_view(one)]
    chosen = rounds_of(plain, given.rounds)[::every]
    ways = ways_of(given)
    model = load_model(given.model)
    pairs = [(one, word) for one in chosen for word in after(one.word)[:others]]
    rows: list[dict[str, Figure]] = []
    for way in ways:
        painter, made = None if way.painter == NO_PAINTER else load_painter(way.painter), []
        settings = RefineSettings(paint=PaintSettings(candidates=way.candidates or 1, drawn=bool(way.drawn)))
        for one, word in pairs:
            made.append(swapped(model, painter, one, word, settings))
            print_progress("swaps", len(made), len(pairs))
        swaps = judged_by(judge, made)
        rows += figures(way, swaps)
        if given.sheet and way == ways[0]:
            Image.fromarray(page(chosen[: len(WORDS)], swaps)).save(given.sheet)
    rows += figures(Way("renders"), judged_by(judge, renders_of(pairs, judged)))
    report(rows, given.json, f"the classifier is right about {right:.2f} of {len(judged)} unseen renders")


def page(chosen: Sequence[Shown], swaps: Sequence[Swap]) -> Pixels:
    """Renders by words, with what the classifier calls them; in brackets what the label check refused."""
    rows = []
    for one in chosen:
        titles, pictures = [one.word], [outlined(one.picture, one.mask)]
        of_words = {swap.word: swap for swap in swaps if swap.source is one}
        for word in WORDS:
            swap = of_words.get(word)  # none for its own
            pictures.append(outlined(swap.picture, swap.mask) if swap and swap.passed else one.picture)
            titles.append("" if swap is None else swap.called if swap.passed else f"({swap.called})")
        rows.append(Row(titles, pictures))
    return sheet(("render", *WORDS), rows)


if __name__ == "__main__":
    main()
