"""How pictures are looked at: scales, quarter turns of good pictures, borders, blur, context; figures of each way.

    python benchmarks/views.py [--quick] [--set crackforest ...] [--backbone dinov2-small ...] [--most 10]
        [--device cuda] [--json views.json]

Half of the surfaces of a set fill the bank, the development part of the others is evaluated, as
`python -m anomaly.backbone.evaluate` does. Every way is measured on the same pictures.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.backbone.evaluate import Split, evaluated, extractor_of, filled, split_set
from anomaly.backbone.patch_extractor import PatchExtractor
from benchmarks.common import Figure, report, write
from scenes.formats.registry import read_samples

REPOSITORY = Path(__file__).resolve().parents[1]
SETS = ("magnetic_tile", "neu_seg_dedup", "crackforest", "ballscrew_pitting", "deeppcb")
BACKBONES = ("dinov2-small", "embedded", "distilled")
MARGIN = 32  # pixels that a picture is mirrored by; whole patches of strides 8 and 16


class Maps(Protocol):
    """What gives maps (1, 1, H, W) of images (1, 3, H, W), ImageNet-normalised."""

    def anomaly_maps(self, images: Tensor) -> Tensor: ...


class Mirrored(nn.Module):
    """A backbone that sees pictures continued beyond their borders by their mirror image."""

    def __init__(self, extractor: PatchExtractor) -> None:
        super().__init__()
        self.extractor = extractor
        self.channels, self.strides = extractor.channels, extractor.strides

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        margin = min(MARGIN, 16 * ((min(height, width) - 1) // 16))
        grid = self.extractor(functional.pad(images, (margin,) * 4, mode="reflect"))
        beyond, stride = margin // self.strides[0], self.strides[0]
        rows, columns = (-(-side // stride) for side in (height, width))
        return grid[..., beyond : beyond + rows, beyond : beyond + columns]


class BesideContext(nn.Module):
    """A backbone whose features stand beside their mean over `patches` squared around, None: over the whole picture."""

    def __init__(self, extractor: PatchExtractor, patches: int | None) -> None:
        super().__init__()
        self.extractor, self.patches = extractor, patches
        self.channels, self.strides = 2 * extractor.channels, extractor.strides

    def forward(self, images: Tensor) -> Tensor:
        grid = self.extractor(images)
        if self.patches is None:
            return torch.cat([grid, grid.mean(dim=(2, 3), keepdim=True).expand_as(grid)], dim=1)
        padded = functional.pad(grid, (self.patches // 2,) * 4, mode="replicate")
        return torch.cat([grid, functional.avg_pool2d(padded, self.patches, 1)], dim=1)


class Blurred:
    """Maps blurred once more, by so many pixels."""

    def __init__(self, model: Maps, deviation: float) -> None:
        self.model, self.deviation = model, deviation

    def anomaly_maps(self, images: Tensor) -> Tensor:
        from torchvision.transforms.functional import gaussian_blur

        maps = self.model.anomaly_maps(images)
        reach = min(round(3 * self.deviation), min(maps.shape[-2:]) - 1)
        return gaussian_blur(maps, [2 * reach + 1] * 2, [self.deviation] * 2)


class Pyramid:
    """The mean of the maps of several scales, each with a bank of its own."""

    def __init__(self, levels: dict[float, Maps]) -> None:
        self.levels = levels

    def anomaly_maps(self, images: Tensor) -> Tensor:
        maps = []
        for scale, model in self.levels.items():
            size = [max(1, round(side * scale)) for side in images.shape[-2:]]
            seen = functional.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
            found = model.anomaly_maps(seen)
            maps.append(functional.interpolate(found, images.shape[-2:], mode="bilinear", align_corners=False))
        return torch.stack(maps).mean(dim=0)


class WithoutBorder:
    """Maps in which the outermost patches are 0."""

    def __init__(self, model: Maps, stride: int) -> None:
        self.model, self.stride = model, stride

    def anomaly_maps(self, images: Tensor) -> Tensor:
        maps = self.model.anomaly_maps(images)
        inside = torch.zeros_like(maps)
        within = (..., slice(self.stride, -self.stride), slice(self.stride, -self.stride))
        inside[within] = maps[within]
        return inside


def ways(extractor: PatchExtractor, split: Split, size: int, device: str) -> Iterator[tuple[str, Maps]]:
    """Every way by its name, with its bank filled."""
    bank = partial(filled, bank=split.bank, size=size, device=device)
    plain = bank(extractor)
    yield "as it is", plain
    yield "outermost patches left out", WithoutBorder(plain, extractor.strides[0])
    yield "mirrored beyond the borders", bank(Mirrored(extractor))
    yield "quarter turns of good pictures", bank(extractor, turns=(0, 1, 2, 3))
    for deviation in (8, 16):
        yield f"blurred by {deviation} pixels", Blurred(plain, deviation)
    yield "beside the mean of 5 x 5 patches", bank(BesideContext(extractor, 5))
    yield "beside the mean of the picture", bank(BesideContext(extractor, None))
    half = bank(extractor, scale=0.5)
    yield "at half the size alone", Pyramid({0.5: half})
    yield "at full and half size", Pyramid({1.0: plain, 0.5: half})


@torch.no_grad()
def measured(folder: Path, backbone: str, most: int | None, size: int, device: str) -> Iterator[dict[str, Figure]]:
    split = split_set(read_samples(folder), most=most)
    for name, model in ways(extractor_of(backbone), split, size, device):
        found = evaluated(model, {"development": split.parts["development"]}, device=device)["development"]
        figures = {
            "image AUROC": found.image_auroc,
            "pixel AUROC": found.pixel_auroc,
            "AUPRO": found.aupro,
            "best pixel F1": found.best_pixel_f1,
        }
        yield {"set": folder.name, "backbone": backbone, "way": name, **figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer pictures and rows")
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("BLEMISH_DATA", REPOSITORY / "../shared/data"))
    )
    parser.add_argument("--set", action="append", help=f"folder of --data, repeatable; {', '.join(SETS)}")
    parser.add_argument("--backbone", action="append", help=f"repeatable; {', '.join(BACKBONES)}")
    parser.add_argument("--size", type=int, default=2048, help="rows of the bank")
    parser.add_argument("--most", type=int, help="pictures of every part at the most")
    parser.add_argument("--device", default="cpu", help="torch's name of what computes")
    parser.add_argument("--json", type=Path, help="written after every row")
    settings = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    most, size, sets, backbones = settings.most, settings.size, settings.set or SETS, settings.backbone or BACKBONES
    if settings.quick:
        most, size, sets, backbones = 6, 256, settings.set or SETS[:1], settings.backbone or BACKBONES[1:2]
    rows: list[dict[str, Figure]] = []
    for name in sets:
        folder = settings.data / name
        if not folder.is_dir():
            print(f"{folder} is not there: nothing to measure")
            continue
        for backbone in backbones:
            for row in measured(folder, backbone, most, size, settings.device):
                rows.append(row)
                if settings.json:
                    write(rows, settings.json)
            report([row for row in rows if (row["set"], row["backbone"]) == (name, backbone)])


if __name__ == "__main__":
    main()
