"""How like real flaws and finishes the synthetic ones are: one estimator for both, beside how alike real ones are.

    python benchmarks/plausibility.py [--quick] [--json FILE] [--picture FILE] [--only SURFACE]

For every statistic: its median and 5 to 95 % range over real masks, its median over synthetic ones, the energy distance
between the two samples, and twice the mean energy distance between random halves of the real sample that part no
surface. A statistic is plausible when the synthetic median lies in the range and the ratio of the two is at most 1.
Where all real values are the same, as with the junctions of cracks that never fork, halves do not differ and allow no
distance; there the share of synthetic values that differ is set beside the largest share that so many surfaces without
one leave open at 95 % [Clopper 1934]. With few surfaces that share is large, and little is shown.
Synthetic masks are the layers of the shipped recipes evaluated at pixel centres, without Blender; finishes are seen
in rendered pictures, see --tiles.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, report
from benchmarks.surface_statistics import blob_statistics, energy_distance, line_statistics
from scenes import Dataset, Scene, build_part, draw, load_recipe
from scenes.camera.imaging import pixel_footprint
from scenes.formats.registry import read_samples
from scenes.gallery.finish_statistics import texture_statistics

REAL = Path(__file__).resolve().parents[2] / "shared" / "data"
MASKS, MASKS_QUICK = 240, 60  # synthetic ones of each surface
SPLITS = 200  # random halvings of the real sample
LEAST_SAMPLE = 8  # values; no comparison is made with fewer
BORDER = 0.1  # of a picture's side, on each side: the rim of the tile and the backdrop, which run along the lay
SEED = 0

Mask = NDArray[np.bool_]
Measured = list[dict[str, float]]  # one entry of statistics for each mask, blob or picture


@dataclass(frozen=True)
class Surface:
    """One real set, the recipe and the class of layers that are to be like it, and how both are measured."""

    name: str
    folder: str
    wanted: Callable[[str], bool]  # of the set's own labels
    real_class: str | None
    recipe: str
    synthetic_class: str | None
    measure: Callable[[NDArray], Measured]


def lines(mask: NDArray) -> Measured:
    found = line_statistics(mask)
    return [] if found is None else [asdict(found)]


def blobs(mask: NDArray) -> Measured:
    return [asdict(blob) for blob in blob_statistics(mask)]


def textures(picture: NDArray) -> Measured:
    rows, columns = (round(BORDER * side) for side in picture.shape)
    return [asdict(texture_statistics(picture[rows:-rows, columns:-columns]))]


SURFACES = (
    Surface("asphalt cracks", "crackforest", lambda label: True, "crack", "asphalt", "crack", lines),
    Surface("tile cracks", "magnetic_tile", lambda label: "Crack" in label, "Crack", "magnetic_tile", "crack", lines),
    Surface(
        "strip scratches", "neu_seg_dedup", lambda label: "scratch" in label, "scratch", "hot_strip", "scratch", lines
    ),
    Surface("screw pits", "ballscrew_pitting", lambda label: label == "pit", "pit", "ball_screw", "pitting", blobs),
    Surface(
        "tile blowholes",
        "magnetic_tile",
        lambda label: "Blowhole" in label,
        "Blowhole",
        "magnetic_tile",
        "blowhole",
        blobs,
    ),
    Surface("tile finish", "magnetic_tile", lambda label: label == "good", None, "magnetic_tile", None, textures),
)


def real(surface: Surface, folder: Path) -> tuple[Measured, list[str]]:
    """Statistics of a real set, and the physical surface that each comes from."""
    measured, groups = [], []
    for sample in read_samples(folder / surface.folder):
        if not surface.wanted(sample.label):
            continue
        if surface.real_class is None:
            picture = np.asarray(Image.open(sample.image_path).convert("L"), dtype=np.float64)
        else:
            masks = [i.mask for i in sample.truth().instances if i.class_name == surface.real_class]
            if not masks:
                continue
            picture = np.any(masks, axis=0)
        found = surface.measure(picture)
        measured += found
        groups += [sample.group] * len(found)
    return measured, groups


def synthetic(surface: Surface, count: int, rendered: Path | None) -> Measured:
    """Statistics of `count` masks of the surface's recipe, or of the rendered pictures of its finish."""
    if surface.synthetic_class is None:
        frames = () if rendered is None else Dataset(rendered)
        return [entry for frame in frames for entry in surface.measure(frame.image.astype(np.float64))]
    scenes = (draw(load_recipe(surface.recipe), SEED, index) for index in range(20 * count))
    return [entry for mask in islice(class_masks(scenes, surface), count) for entry in surface.measure(mask)]


def class_masks(scenes: Iterator[Scene], surface: Surface) -> Iterator[Mask]:
    """The mask of one class at the pixels of each scene that shows it."""
    for scene in scenes:
        part = build_part(scene.part)
        grown = [layer.to_layer(part.charts[chart]) for layer, chart in scene.placed_layers() if chart == 0]
        chosen = [layer for layer in grown if layer.class_name == surface.synthetic_class]
        points = part.surface.points(pixel_footprint(scene.camera, scene.camera.focus_distance))
        mask = np.zeros(len(points), dtype=bool)
        for layer in chosen:
            mask |= layer.evaluate(points).inside
        if mask.any():
            assert points.shape is not None
            yield mask.reshape(points.shape)


def compared(
    surface: Surface, folder: Path, count: int, rendered: Path | None
) -> tuple[list[dict[str, Figure]], dict[str, tuple]]:
    """A row for each statistic of a surface, and the two samples behind it."""
    measured, groups = real(surface, folder)
    made = synthetic(surface, count, rendered)
    rows: list[dict[str, Figure]] = []
    samples: dict[str, tuple] = {}
    for name in [*measured[0], *(["spread of ln d"] if "diameter" in measured[0] else [])]:
        ours, theirs = column(made, name), column(measured, name)
        known = np.isfinite(theirs)
        theirs, surfaces = theirs[known], np.array(groups)[known]
        ours = ours[np.isfinite(ours)]
        if min(len(ours), len(theirs)) < LEAST_SAMPLE:
            continue
        low, high = np.percentile(theirs, [5, 95])
        differs = np.ptp(theirs) > 0.0
        if differs:
            distance, allowed = energy_distance(theirs, ours), 2.0 * between_halves(theirs, surfaces)
        else:
            distance, allowed = float(np.mean(ours != theirs[0])), left_open(len(set(surfaces)))
        middle = float(np.median(ours))
        rows.append(
            {
                "surface": surface.name,
                "statistic": name,
                "n real": len(theirs),
                "surfaces": len(set(surfaces)),
                "real": float(np.median(theirs)),
                "5 %": float(low),
                "95 %": float(high),
                "synthetic": middle,
                "distance": distance,
                "allowed": allowed,
                "ratio": distance / allowed,
                "by": "halves" if differs else "share",
                "plausible": "yes" if low <= middle <= high and distance <= allowed else "NO",
            }
        )
        samples[f"{surface.name}: {name}"] = theirs, ours
    return rows, samples


def column(measured: Measured, name: str) -> NDArray[np.float64]:
    if name != "spread of ln d":
        return np.array([entry[name] for entry in measured])
    logarithms = np.log(column(measured, "diameter"))  # |ln d - median|; its median is 0.67 σ of a lognormal
    return np.abs(logarithms - np.median(logarithms))


def left_open(surfaces: int) -> float:
    """The largest share of a kind that cannot be excluded, at 95 %, when none of so many surfaces is of it."""
    return float(1.0 - 0.05 ** (1.0 / surfaces))


def between_halves(values: NDArray[np.float64], groups: NDArray[np.str_]) -> float:
    """The mean energy distance between two random halves of a sample that part no group."""
    rng = np.random.default_rng(SEED)
    names = np.unique(groups)
    distances = []
    for _ in range(SPLITS):
        first = np.isin(groups, rng.permutation(names)[: (len(names) + int(rng.integers(2))) // 2])
        distances.append(energy_distance(values[first], values[~first]))
    return float(np.mean(distances))


def draw_histograms(samples: dict[str, tuple], path: Path) -> None:
    """The two histograms of every statistic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = 7
    rows = -(-len(samples) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(2.6 * columns, 2.0 * rows), squeeze=False)
    for axis in axes.ravel()[len(samples) :]:
        axis.axis("off")
    for axis, (name, (theirs, ours)) in zip(axes.ravel(), samples.items(), strict=False):
        low, high = np.percentile(np.concatenate([theirs, ours]), [1, 99])
        bins = np.linspace(low, max(high, low + 1e-9), 24)
        for values, colour, label in ((theirs, "#0072b2", "real"), (ours, "#d55e00", "synthetic")):
            axis.hist(np.clip(values, low, high), bins, density=True, color=colour, alpha=0.55, label=label)
        axis.set_title(name.replace("_", " "), fontsize=8)
        axis.tick_params(labelsize=6)
        axis.set_yticks([])
    axes[0, 0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{MASKS_QUICK} synthetic masks instead of {MASKS}")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    parser.add_argument("--picture", type=Path, help="draw the histograms of every statistic there")
    parser.add_argument("--only", help="one surface: " + ", ".join(surface.name for surface in SURFACES))
    parser.add_argument("--data", type=Path, default=REAL, help="folder of the real sets")
    parser.add_argument(
        "--tiles",
        type=Path,
        help="dataset of the tile finish, rendered by `blemish render magnetic_tile --without defects --without "
        "impurities`; without it, the finish is left out, for what relief does to it shows in a render alone",
    )
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        print(f"{arguments.data}: no real photographs there to compare with; name their folder with --data")
        return

    rows: list[dict[str, Figure]] = []
    samples: dict[str, tuple] = {}
    for surface in SURFACES:
        if arguments.only in (None, surface.name):
            more, drawn = compared(surface, arguments.data, MASKS_QUICK if arguments.quick else MASKS, arguments.tiles)
            rows += more
            samples |= drawn
    report(rows, arguments.json, title="Real and synthetic surfaces")
    good = sum(row["plausible"] == "yes" for row in rows)
    print(f"{good} of {len(rows)} statistics plausible")
    if arguments.picture is not None:
        draw_histograms(samples, arguments.picture)


if __name__ == "__main__":
    main()
