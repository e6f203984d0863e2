"""Render tiles, plates, strip and screws and train SARD on them, and on nothing else; the model and its card are in
DIR/model.

    python tools/sard_model.py DIR                     # renders, then trains: a card takes minutes, a core many hours
    python tools/sard_model.py DIR --render-only       # the two stages apart, so that each runs where it is quick
    python tools/sard_model.py DIR --train-only --device cuda --half
    python tools/sard_model.py DIR --quick             # a few frames and steps, to see that it runs

Every set is a shipped recipe, or the plate of the catalogue's examples under another finish, with more of every defect.
Datasets and training are what `blemish render` and `blemish train-generator` make.
"""

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scenes.datasets.reader import Dataset
from scenes.recipes.examples import KINDS, STAGE
from scenes.recipes.reading import recipe_fields
from scenes.recipes.recipe import recipe_from
from tools.commands import blemish
from tools.curves import curve_table

SEED = 23
PLATE = {"kind": "plate", "width_mm": 32, "height_mm": 27.4, "thickness_mm": 3}  # 7 pixels to a millimetre
ON_TILES = {"wear": {"poisson": 0.4}, "crack": {"choice": [0, 1, 2]}, "chipped_edge": {"poisson": 0.8}}
WARM_UP = 0.35  # more than usual, since the training is short
SHARES = {"tile": 1.0, "ground": 0.5, "brushed": 0.5, "milled": 0.45, "strip": 0.4, "screw": 0.3}  # of --frames
ON_PLATES: list[dict[str, Any]] = [
    {
        "kind": "crack",
        "count": {"poisson": 0.9},
        "origin": "anywhere",
        "length_mm": {"log_uniform": [5, 20]},
        "angle_degrees": {"uniform": [0, 360]},
        "width_um": {"log_uniform": [250, 500]},
        "width_variation": 0.35,
        "depth_um": {"uniform": [100, 260]},
        "toughness_sigma": {"uniform": [0.3, 1.1]},
        "toughness_correlation_mm": {"uniform": [0.4, 1.2]},
        "reflectance_change": {"uniform": [-0.6, -0.35]},
    },
    {
        "kind": "scratch",
        "count": {"poisson": 1.0},
        "length_mm": {"log_uniform": [6, 24]},
        "angle_degrees": {"uniform": [0, 360]},
        "bend_degrees": {"normal": [0, 8], "clip": [-30, 30]},
        "width_um": {"log_uniform": [250, 550]},
        "depth_um": {"log_uniform": [25, 60]},
        "cutting": {"uniform": [0.1, 0.6]},
        "stick_slip": {"uniform": [0, 0.5]},
        "reflectance_change": {"uniform": [0.0, 0.2]},
    },
    {
        "kind": "dent",
        "count": {"poisson": 1.2},
        "diameter_mm": {"log_uniform": [2, 6]},
        "depth_um": {"uniform": [120, 300]},
        "decay": {"uniform": [3, 6]},
        "elongation": {"uniform": [1, 1.5]},
        "angle_degrees": {"uniform": [0, 180]},
        "roughness_change": {"uniform": [-0.08, 0]},
    },
    {
        "kind": "gouge",
        "count": {"poisson": 1.0},
        "length_mm": {"log_uniform": [4, 14]},
        "angle_degrees": {"uniform": [0, 360]},
        "bend_degrees": {"uniform": [-20, 20]},
        "width_um": {"log_uniform": [600, 1600]},
        "depth_um": {"uniform": [100, 280]},
        "ragged": 0.2,
        "tear": 0.25,
        "reflectance_change": -0.1,
        "roughness_change": 0.15,
    },
    {
        "kind": "pitting",
        "probability": 0.4,
        "hours": {"log_uniform": [24, 120]},
        "density_per_cm2": {"log_uniform": [1, 8]},
        "depth_um": {"log_uniform": [90, 220]},
        "aspect": {"uniform": [1.2, 2]},
        "elongation": {"uniform": [1, 1.6]},
        "clustering": {"uniform": [0.2, 0.7]},
        "ragged": 0.12,
        "reflectance_change": {"uniform": [-0.5, -0.3]},
    },
    {
        "kind": "rust",
        "probability": 0.35,
        "hours": {"uniform": [24, 96]},
        "spots_per_cm2": {"log_uniform": [0.4, 3]},
        "front_speed_mm_per_day": {"uniform": [0.4, 0.9]},
    },
]


def recipes() -> dict[str, dict[str, Any]]:
    """What is rendered, by the name of its folder."""
    tile, strip, screw = (fields_of(name) for name in ("magnetic_tile", "hot_strip", "ball_screw"))
    for defect in tile["defects"]:
        defect["count"] = ON_TILES.get(defect["kind"], {"poisson": 1.5})
    tile["camera"]["resolution"] = [224, 260]
    strip["defects"][0]["count"] = {"choice": [1, 1, 2]}
    screw["camera"]["resolution"] = [452, 186]
    screw["defects"][0]["density_per_cm2"] = {"uniform": [3, 6]}
    found = {"tile": tile, "strip": strip, "screw": screw}
    for finish in ("ground", "brushed", "milled"):
        found[finish] = {**fields_of(STAGE), **fields_of(KINDS / f"{finish}.yaml"), "part": PLATE, "defects": ON_PLATES}
    brushed = found["brushed"]
    brushed["sensor"]["monochrome"] = True
    brushed["defects"] = [defect for defect in ON_PLATES if defect["kind"] != "rust"]  # which colour tells
    for name, fields in found.items():
        fields["name"] = f"sard_{name}"
        fields.pop("impurities", None)  # which the model is not to take for defects
        recipe_from(fields, name)
    return found


def fields_of(source: str | Path) -> dict[str, Any]:
    """What a recipe or a piece of one says."""
    fields = recipe_fields(source)
    assert isinstance(fields, dict)
    fields.pop("seed", None)
    return fields


def render(given: argparse.Namespace) -> None:
    """Every set that is not there yet."""
    for number, (name, fields) in enumerate(recipes().items()):
        path = given.out / f"{name}.yaml"
        path.write_text(yaml.safe_dump(fields, sort_keys=False), encoding="utf-8")
        frames = max(1, round(SHARES[name] * given.frames))
        where = ("--frames", frames, "--samples", given.samples, "--seed", SEED + number, "--workers", 1)
        blemish("render", path, *where, "--out", given.out / name)


def train(given: argparse.Namespace) -> None:
    """The model, and its card beside it."""
    model = given.out / "model"
    words = ("--steps", given.steps, "--batch", given.batch, "--pairs", given.pairs, "--threads", given.threads)
    chosen = ("--mask-input", "--warm-up", WARM_UP, "--seed", SEED, "--every", given.every)
    flags = (*(("--device", given.device) if given.device else ()), *(("--half",) if given.half else ()))
    sets = [given.out / name for name in SHARES]
    blemish("train-generator", "sard", *sets, *words, *chosen, *flags, "--out", model)
    with (model / "training" / "sard.csv").open(encoding="utf-8") as file:
        curve = list(csv.DictReader(file))
    text = card({name: Dataset(given.out / name) for name in SHARES}, given, curve)
    (model / "card.md").write_text(text, encoding="utf-8")


def card(sets: Mapping[str, Dataset], given: argparse.Namespace, curve: list[dict[str, str]]) -> str:
    """What the model saw and how it learnt, for whoever uses it."""
    counts = {
        name: Counter(i.class_name for frame in dataset for i in frame.instances if i.family == "defect")
        for name, dataset in sets.items()
    }
    classes = sorted({name for found in counts.values() for name in found})
    half = " --half" if given.half else ""
    lines = [
        "# SARD's model of tiles, plates, strip and screws",
        "",
        "Made from nothing but Blemish's own renders by",
        "",
        f"    python tools/sard_model.py DIR --frames {given.frames} --samples {given.samples} --steps {given.steps} "
        f"--batch {given.batch} --pairs {given.pairs}{half}",
        "",
        f"Everything random follows from seeds from {SEED} on. No photograph and no other model's weights went in. The",
        "generator is told the mask and sees windows of 64 pixels a side. What looks otherwise than these renders",
        "needs a model of its own.",
        "",
        "| set | finish | frames | " + " | ".join(classes) + " |",
        "| --- | --- | --- |" + " --- |" * len(classes),
        *(
            f"| {name} | {dataset[0].scene.finish.kind} | {len(dataset)} | "
            + " | ".join(str(counts[name][kind] or "") for kind in classes)
            + " |"
            for name, dataset in sets.items()
        ),
        "",
        "What both networks lost, the mean since the line before; the whole curve is `training/sard.csv`:",
        "",
        *curve_table(curve),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="DIR")
    parser.add_argument("--frames", type=int, default=50, help="of tiles; the other sets have a share of them")
    parser.add_argument("--samples", type=int, default=10, help="Cycles samples a pixel")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--pairs", type=int, default=8000, help="crops to cut round defects")
    parser.add_argument("--every", type=int, default=500, help="steps between checkpoints")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", help="cpu or cuda; cuda where there is one")
    parser.add_argument("--half", action="store_true", help="bfloat16 where it suffices")
    parser.add_argument("--quick", action="store_true", help="a few frames and steps")
    stage = parser.add_mutually_exclusive_group()
    stage.add_argument("--render-only", action="store_true", help="leave the training to another machine")
    stage.add_argument("--train-only", action="store_true", help="the renders are there")
    given = parser.parse_args()
    if given.quick:
        given.frames, given.samples, given.steps, given.pairs = 2, 1, 2, 8
    given.out.mkdir(parents=True, exist_ok=True)
    if not given.train_only:
        render(given)
    if not given.render_only:
        train(given)


if __name__ == "__main__":
    main()
