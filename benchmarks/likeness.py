"""How like photographs a recipe's frames are: the figures that give renders away, of both, side by side.

    blemish render hot_strip --frames 24 --samples 8 --out out/strips
    python benchmarks/likeness.py out/strips --set neu_seg_dedup --label scratch [--held-out] [--sheet sheet.png]

Of every picture: its median brightness, how much the finest 4 pixels vary, how far neighbours of that are alike along
rows and along columns, its colours' saturation, the share of dark pixels, and how many edges a row crosses. Told are
the median over pictures, one of a surface where there are enough, and the middle half of them. Recipes are chosen
beside every second surface of a set; --held-out measures the others. --sheet writes six of either kind to look at.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scenes import Dataset
from scenes.formats.registry import read_samples
from scenes.formats.sample import Sample
from scenes.pictures.reading import read_rgb

REAL = Path(__file__).resolve().parents[2] / "shared" / "data"
MOST = 60  # surfaces
FINE = 4.0  # px: what a Gaussian of this deviation leaves out is told of as fine
SHOWN, ROW, GAP = 6, 3, 4  # pictures on a sheet, in a row, and px between them
LARGEST = 640  # px, of a picture on a sheet
GREY_LEVELS = 255

Picture = NDArray[np.uint8]
FIGURES = ("median", "fine deviation", "alike in rows", "alike in columns", "saturation", "dark share", "edges")


def figures(picture: Picture) -> tuple[float, ...]:
    """FIGURES of a picture (H, W, 3), in grey levels of 255, correlations, and edges in 100 pixels of a row."""
    shown = Image.fromarray(picture)
    grey = np.asarray(shown.convert("L"), dtype=np.float64)
    fine = grey - gaussian_filter(grey, FINE)
    dark = grey < GREY_LEVELS / 2
    return (
        float(np.median(grey)),
        float(fine.std()),
        correlation(fine[:, 1:], fine[:, :-1]),
        correlation(fine[1:], fine[:-1]),
        float(np.asarray(shown.convert("HSV"))[..., 1].mean()),
        float(dark.mean()),
        float(100 * (dark[:, 1:] != dark[:, :-1]).mean()),
    )


def correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Of two arrays, value by value; 0 where one of them does not vary."""
    if not first.std() * second.std():
        return 0.0
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def photographs(folder: Path, label: str | None, held_out: bool) -> Iterator[Picture]:
    """Pictures of every second surface, with `label` among their labels where one is asked for.

    One of each surface, or more, evenly, where there are fewer surfaces than MOST.
    """
    surfaces: dict[str, list[Sample]] = {}
    for sample in read_samples(folder):
        if label is None or label in sample.label.split("+"):
            surfaces.setdefault(sample.group, []).append(sample)
    chosen = [surfaces[name] for name in sorted(surfaces)[int(held_out) :: 2]][:MOST]
    for samples in chosen:
        for sample in samples[:: max(1, len(samples) * len(chosen) // MOST)][: max(1, MOST // len(chosen))]:
            yield read_rgb(sample.image_path, sample.options).astype(np.uint8)


def frames(folder: Path) -> Iterator[Picture]:
    """The pictures of a dataset as colours."""
    for frame in Dataset(folder):
        yield np.broadcast_to(np.atleast_3d(frame.image), (*frame.image.shape[:2], 3)).astype(np.uint8)


def sheet(rendered: list[Picture], real: list[Picture]) -> Image.Image:
    """Six real pictures above six rendered ones."""
    chosen = [
        pictures[int(k)] for pictures in (real, rendered) for k in np.linspace(0, len(pictures) - 1, SHOWN).round()
    ]
    cells = [Image.fromarray(picture) for picture in chosen]
    for cell in cells:
        cell.thumbnail((LARGEST, LARGEST))
    width, height = (max(cell.size[axis] for cell in cells) + GAP for axis in (0, 1))
    canvas = Image.new("RGB", (ROW * width, len(cells) // ROW * height), "white")
    for number, cell in enumerate(cells):
        canvas.paste(cell, (number % ROW * width, number // ROW * height))
    return canvas


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rendered", type=Path, help="a dataset of the recipe")
    parser.add_argument("--data", type=Path, default=REAL, help="folder of the public sets")
    parser.add_argument("--set", required=True, help="the set's folder in --data")
    parser.add_argument("--label", help="only pictures with this label")
    parser.add_argument("--held-out", action="store_true", help="the surfaces that recipes were not chosen beside")
    parser.add_argument("--sheet", type=Path, help="a picture to write, of six of either")
    arguments = parser.parse_args()
    rendered = list(frames(arguments.rendered))
    real = list(photographs(arguments.data / arguments.set, arguments.label, arguments.held_out))
    print(f"{len(real)} photographs, {len(rendered)} frames")
    measured = [np.array([figures(picture) for picture in pictures]).T for pictures in (real, rendered)]
    for name, theirs, ours in zip(FIGURES, *measured, strict=True):
        told = (
            f"{np.median(of):8.2f} [{np.quantile(of, 0.25):.2f}-{np.quantile(of, 0.75):.2f}]" for of in (theirs, ours)
        )
        print(f"{name:18} real {'  rendered '.join(told)}")
    if arguments.sheet:
        sheet(rendered, real).save(arguments.sheet)


if __name__ == "__main__":
    main()
