"""Figures of backbones on photographs, no surface on both sides: `python -m anomaly.backbone.evaluate FOLDER ...`.

Half of the surfaces of a set fill the bank: their good pictures or, in a set without any, what of their pictures lies
clear of every defect. The others are evaluated: pictures and pixels, or pixels alone where no picture is good.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from anomaly.backbone.normalisation import normalised
from anomaly.backbone.patch_extractor import (
    BACKBONES,
    EMBEDDED,
    FILTERS,
    UNTRAINED,
    PatchExtractor,
    bare_name,
    patch_extractor,
)
from anomaly.evaluation.metrics import Evaluator, Metrics
from anomaly.patchcore.torch_model import SequentialPatchcoreModel
from scenes.formats.registry import read_samples
from scenes.formats.sample import GOOD, Sample
from scenes.formats.splitting import split_by_group

CPU = "cpu"
COMPARED = (UNTRAINED, FILTERS, EMBEDDED)
CLEARANCE = 2  # patches between a defect and what may fill a bank
EPOCHS = 5


@dataclass(frozen=True)
class Split:
    """Whose patches fill the bank, and what is evaluated: pictures that choices were made on, and others."""

    bank: list[Sample]
    parts: dict[str, list[Sample]]


def split_set(samples: Sequence[Sample], seed: int = 0, most: int | None = None) -> Split:
    """Half of the surfaces to fill the bank with; the rest in two halves, "development" and "held out".

    most: pictures of every part at the most, drawn by the seed.
    """
    half = split_by_group(samples, (0.5,), seed)[0]
    bank = [s for s in half if s.label == GOOD] or half
    taken = {sample.group for sample in bank}
    rest = [sample for sample in samples if sample.group not in taken]
    development, held_out = split_by_group(rest, (0.5, 0.5), seed + 1)
    parts = {"development": some(development, most, seed), "held out": some(held_out, most, seed)}
    return Split(some(bank, most, seed), parts)


def extractor_of(name: str, seed: int = 0, pretrained: bool = False) -> PatchExtractor:
    """A backbone by its name, as NAME=FILE with a file of its weights, or a file of the embedded one's.

    pretrained: timm's networks have their weights from its hub.
    """
    backbone, given, file = name.partition("=")
    if given:
        return patch_extractor(backbone, weights=file, seed=seed)
    if name.endswith(".safetensors"):
        return patch_extractor(weights=name)
    return patch_extractor(name, seed=seed, pretrained=pretrained and bare_name(name) not in BACKBONES)


def filled(
    extractor: PatchExtractor,
    bank: Sequence[Sample],
    size: int,
    seed: int = 0,
    scale: float = 1.0,
    turns: Sequence[int] = (0,),
    device: str = CPU,
) -> SequentialPatchcoreModel:
    """A model on a device whose bank saw the patches of `bank`, scaled, that lie clear of defects, epoch after epoch.

    turns: by how many quarters of a turn every picture is shown.
    """
    model = SequentialPatchcoreModel(extractor, size).to(device)
    rows: list[Tensor] = []
    for sample, turn in product(bank, turns):
        features = model.features(normalised(np.rot90(sample.image(), turn), scale).to(device))
        if sample.label != GOOD:
            defect = np.rot90(sample.truth().defect, turn).copy()
            features = features[_clear(defect, extractor.strides[0], scale)]
        rows.append(features)
    for epoch in range(EPOCHS):
        order = np.random.default_rng([seed, epoch]).permutation(len(rows))
        if sum(model.update_features(rows[index]) for index in order if len(rows[index])) == 0:
            break
    return model


@torch.no_grad()
def evaluated(
    model: SequentialPatchcoreModel,
    parts: Mapping[str, Sequence[Sample]],
    scale: float = 1.0,
    device: str = CPU,
    by_class: bool = False,
) -> dict[str, Metrics]:
    """The figures of a model that is on a device, of every part and of all together.

    by_class: also of each class of every part, its pictures beside all good ones, as "PART, CLASS". Those that need a
    threshold mean nothing here.
    """
    whole, evaluators = Evaluator(threshold=0.0), {part: Evaluator(threshold=0.0) for part in parts}
    for part, samples in parts.items():
        classes = {label: Evaluator(0.0) for label in sorted({s.label for s in samples} - {GOOD}) if by_class}
        evaluators |= {f"{part}, {label}": evaluator for label, evaluator in classes.items()}
        for sample in samples:
            image, truth = sample.image(), sample.truth()
            maps = model.anomaly_maps(normalised(image, scale).to(device)).cpu()
            if scale != 1:
                maps = functional.interpolate(maps, image.shape[:2], mode="bilinear", align_corners=False)
            anomaly_map = maps[0, 0].numpy()
            own = classes.values() if sample.label == GOOD else (classes[sample.label],) if by_class else ()
            for evaluator in (evaluators[part], whole, *own):
                evaluator.update(anomaly_map, truth, sample.label)
    return {part: evaluator.compute() for part, evaluator in {**evaluators, "both": whole}.items()}


def _clear(defect: NDArray[np.bool_], stride: int, scale: float) -> Tensor:
    """(h·w,) bool, patches of the scaled picture that no defect is near."""
    mask = torch.from_numpy(defect)[None, None].float()
    height, width = (max(1, round(side * scale)) for side in defect.shape)
    mask = functional.adaptive_max_pool2d(mask, (height, width))
    mask = functional.pad(mask, (0, -width % stride, 0, -height % stride))
    touched = functional.max_pool2d(mask, stride)
    return far_from(touched)


def far_from(touched: Tensor) -> Tensor:
    """(h·w,) bool, patches that none of those `touched` (1, 1, h, w) by a defect is near."""
    return functional.max_pool2d(touched, 2 * CLEARANCE + 1, 1, CLEARANCE).flatten() == 0


def some(samples: Sequence[Sample], most: int | None, seed: int) -> list[Sample]:
    """All of the samples, or `most` of them, drawn by the seed, in their order."""
    if most is None or len(samples) <= most:
        return list(samples)
    chosen = np.random.default_rng(seed).permutation(len(samples))[:most]
    return [samples[index] for index in sorted(chosen)]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", help="sets of photographs, as `blemish train` reads them")
    parser.add_argument(
        "--backbone",
        action="append",
        help=f"repeatable; {', '.join(COMPARED)}, any other of `blemish train`, NAME=FILE with a file of its weights, "
        "or such a file of the embedded one",
    )
    parser.add_argument("--pretrained", action="store_true", help="weights of timm's networks from its hub")
    parser.add_argument("--size", type=int, default=2048, help="rows of the bank")
    parser.add_argument("--most", type=int, help="pictures of every part at the most")
    parser.add_argument("--scale", type=float, default=1.0, help="of the pictures, as seen by the backbone")
    parser.add_argument("--by-class", action="store_true", help="figures of each class, beside all good pictures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default=CPU, help="torch's name of what computes")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # numbers of next to nothing, which untrained features hold, cost a hundred times
    print("| set | backbone | part | pictures | image AUROC | pixel AUROC | AUPRO | best pixel F1 |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for folder in given.folders:
        split = split_set(read_samples(folder), given.seed, given.most)
        for name in given.backbone or COMPARED:
            extractor = extractor_of(name, given.seed, given.pretrained)
            model = filled(extractor, split.bank, given.size, given.seed, given.scale, device=given.device)
            every = evaluated(model, split.parts, given.scale, given.device, given.by_class)
            for part, metrics in every.items():
                figures = (metrics.image_auroc, metrics.pixel_auroc, metrics.aupro, metrics.best_pixel_f1)
                values = [folder.name, name, part, str(metrics.images), *map(_figure, figures)]
                print(f"| {' | '.join(values)} |", flush=True)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
