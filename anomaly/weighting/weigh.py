"""A dataset with what each of its frames counts for in training, as an estimator says that learnt from another set."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from anomaly.backbone.extractor import FeatureExtractor
from anomaly.backbone.patch_extractor import PatchExtractor
from anomaly.weighting.estimator import weights_of
from anomaly.weighting.learning import Judge, Settings, learnt
from anomaly.weighting.windows import Window, background_of, shown, windows_of
from procgen.errors import BlemishError
from scenes.datasets.files import sha256_of
from scenes.datasets.frame_files import frame_files
from scenes.datasets.lock import locked
from scenes.datasets.reader import Dataset
from scenes.datasets.writer import DatasetWriter
from scenes.formats.registry import read_samples
from scenes.formats.sample import Sample
from scenes.jobs.progress import Progress

LEARNT_FROM = 600  # windows of either set, at most
DIGITS = 6

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Weighed:
    """frames: numbers of those that are kept. qualities: of all frames, NaN of those without defects. weights: of all.

    The mean weight of the kept frames with defects is 1, as is that of every good one; that of others is 0.
    """

    frames: tuple[int, ...]
    qualities: Values
    weights: Values


def quality_of(judge: Judge, windows: Sequence[Window], extractor: PatchExtractor) -> float:
    """The mean over a picture's windows; NaN without one."""
    if not windows:
        return float("nan")
    return float(judge.qualities(shown(windows, extractor, lambda done: None)).mean())


def weighed(qualities: Values, temperature: float, keep: float = 1.0) -> Weighed:
    """The best `keep` of the frames with defects (at least one), and all good ones, with their weights."""
    flawed = np.flatnonzero(~np.isnan(qualities))
    count = max(1, round(keep * len(flawed))) if len(flawed) else 0
    best = np.sort(flawed[np.argsort(-qualities[flawed], kind="stable")][:count])
    weights = np.ones(len(qualities))
    weights[flawed] = 0.0
    if count:
        weights[best] = weights_of(torch.from_numpy(qualities[best]), temperature).numpy()
    kept = tuple(int(place) for place in np.flatnonzero(weights > 0))
    return Weighed(kept, qualities, weights)


def weigh(
    dataset: Path,
    validation: Sequence[Sample],
    out: Path,
    settings: Settings = Settings(),
    *,
    keep: float = 1.0,
    validation_name: str = "",
    progress: Progress = lambda what, done, total: None,
) -> Weighed:
    """Write the dataset with weights to `out`, and give them.

    The same arguments give the same bytes; a stopped run is taken up again, learning anew. Raises BlemishError for sets
    without defects, a dataset that is not finished, or an output that is the input; DatasetError.
    """
    source = Dataset(dataset)
    if not source.complete:
        raise BlemishError(
            f"{dataset}: has {len(source)} of {source.header.frames} frames; run the command that began it again first"
        )
    if out.resolve() == dataset.resolve():
        raise BlemishError(f"{out}: is the dataset that is weighed; choose another folder for --out")
    samples = read_samples(dataset, "blemish")
    with locked(out):
        extractor = FeatureExtractor()
        judge = _judge(samples, validation, settings, dataset, validation_name, extractor, progress)
        qualities = np.empty(len(samples))
        for number, sample in enumerate(samples):
            qualities[number] = quality_of(judge, windows_of(sample), extractor)
            progress("weighing", number + 1, len(samples))
        found = weighed(qualities, settings.temperature, keep)
        told = {
            "validation": validation_name,
            "pictures": [{"sha256": sha256_of(sample.image_path)} for sample in validation],
        }
        _write(source, found, out, {**asdict(settings), "keep": keep}, told, progress)
    return found


def _judge(
    samples: Sequence[Sample],
    validation: Sequence[Sample],
    settings: Settings,
    dataset: Path,
    validation_name: str,
    extractor: PatchExtractor,
    progress: Progress,
) -> Judge:
    random = np.random.default_rng(settings.seed)
    synthetic, good = _some_windows(samples, random)
    others, _ = _some_windows(validation, random)
    for windows, name in ((synthetic, str(dataset)), (others, validation_name)):
        if not windows:
            raise BlemishError(f"{name}: shows no defect with a mask; nothing can be weighed by it")
    total = len(synthetic) + len(others) + len(good)
    mine = shown(synthetic, extractor, lambda done: progress("features", done, total))
    theirs = shown(others, extractor, lambda done: progress("features", len(synthetic) + done, total))
    clean = shown(good, extractor, lambda done: progress("features", len(synthetic) + len(others) + done, total))
    return learnt(mine, clean.features, theirs, settings, lambda done: progress("estimator", done, settings.steps))[0]


def _some_windows(samples: Sequence[Sample], random: np.random.Generator) -> tuple[list[Window], list[Window]]:
    """Windows round the defects of samples in random order, up to LEARNT_FROM, and one without of each sample."""
    flawed: list[Window] = []
    good: list[Window] = []
    for place in random.permutation(len(samples)):
        if len(flawed) >= LEARNT_FROM:
            break
        flawed += windows_of(samples[place])
        good.append(background_of(samples[place], random))
    return flawed, good


def _write(
    source: Dataset,
    found: Weighed,
    out: Path,
    settings: dict[str, Any],
    told: dict[str, Any],
    progress: Progress,
) -> None:
    recipe = source.recipe
    entries = sorted(source.header.classes.items(), key=lambda item: item[1].bit)
    beyond = {name: entry.family for name, entry in entries if name not in recipe.class_families}
    digests = "".join(each["sha256"] for each in told["pictures"])
    written = {
        **source.header.settings,
        "weighed": {
            **settings,
            "of": {"frames": len(source), "sha256": sha256_of(source.path / "dataset.json")},
            "validation": {
                "set": told["validation"],
                "pictures": len(told["pictures"]),
                "sha256": hashlib.sha256(digests.encode()).hexdigest(),
            },
        },
    }
    writer = DatasetWriter(out, recipe, source.seed, len(found.frames), classes=beyond, **written)
    for done, number in enumerate(writer.missing(), 1):
        place = found.frames[number]
        frame = source[place]
        before = frame.refinement or {}
        parent = {
            "recipe": source.recipe_name,
            "seed": source.seed,
            "frame": frame.index,
            "sha256": sha256_of(frame.image_path),
        }
        quality = found.qualities[place]
        record = {
            **before,
            "parents": [parent, *before.get("parents", ())],
            "weight": round(float(found.weights[place]), DIGITS),
            "quality": None if np.isnan(quality) else round(float(quality), DIGITS),
            "weighed": told,
        }
        files = frame_files(
            writer.recipe,
            frame.image,
            frame.classes,
            frame.defects,
            frame.impurities,
            frame.scene,
            frame.instances,
            record,
        )
        writer.put(number, files)
        progress("writing", done, len(found.frames))
    writer.finish()
