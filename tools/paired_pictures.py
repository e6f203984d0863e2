"""Render pairs: one surface under one light, with each of eight defects in turn at the same place.

    python tools/paired_pictures.py DIR                            # for the training of the embedded diffusion model
    python tools/paired_pictures.py DIR --frames 2 --seed 9000     # surfaces that it never sees, to judge it on

DIR/FINISH_KIND are ordinary datasets of single defects; frame N of all datasets of a finish shows the same surface,
from the same camera, and the defect round the same point where it lies at one. So a caption's word for the defect is
all that tells such pictures apart.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scenes.recipes.recipe import recipe_from
from tools.commands import blemish
from tools.diffusion_pictures import SEVERITY, VARIANTS, WIDER, example, stage

Fields = dict[str, Any]

SIDE = 128  # pixels, of 30 mm
KINDS = ("scratch", "crack", "dent", "pitting", "rust", "blowhole", "gouge", "chipped_edge")
FINISHES = ("ground", "milled", "rolled", "cast", "brushed", "sand_blasted", "turned", "painted", "anodised")
LARGER: dict[str, Fields] = {
    "blowhole": {"diameter_um": {"uniform": [2000, 5000]}},
    "scratch": {"length_mm": {"uniform": [8, 22]}, "width_um": {"uniform": [300, 600]}},
    "crack": {"length_mm": {"uniform": [8, 20]}},
    "chipped_edge": {"length_mm": {"uniform": [6, 12]}, "reach_mm": {"uniform": [4, 8]}},
}


def surface(finish: str, change: Fields) -> Fields:
    """A small plate that fills the picture, its border in view or not."""
    fields = stage() | example(finish)
    fields.pop("seed", None)
    fields["part"] = {"kind": "plate", "width_mm": 30, "height_mm": 30, "thickness_mm": 3}
    fields["camera"] = fields["camera"] | {"resolution": [SIDE, SIDE], "margin": {"uniform": [-0.12, 0.03]}}
    fields["finish"] |= {"brightness": {"uniform": [0.75, 1.2]}} | change
    return fields


def recipes() -> dict[str, Fields]:
    """Every finish, in its colours, with every kind of defect; all checked."""
    made = {}
    for finish in FINISHES:
        for colour, change in {"": {}, **VARIANTS.get(finish, {})}.items():
            for kind in KINDS:
                entry = dict(example(kind)["defects"][0]) | WIDER.get(kind, {}) | LARGER.get(kind, {})
                name = f"{finish}{'_' * bool(colour)}{colour}_{kind}"
                fields = surface(finish, change) | {"name": name, "defects": [entry | {"severity": SEVERITY}]}
                recipe_from(fields, name)
                made[name] = fields
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="DIR")
    parser.add_argument("--frames", type=int, default=8, help="surfaces of every finish")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=8, help="Cycles samples a pixel")
    parser.add_argument("--only", nargs="+", default=None, metavar="FINISH", help="finishes, as in the folders' names")
    given = parser.parse_args()
    folder = given.out / "recipes"
    folder.mkdir(parents=True, exist_ok=True)
    for name, fields in recipes().items():
        if given.only and not name.startswith(tuple(given.only)):
            continue
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(fields, sort_keys=False), encoding="utf-8")
        how = ("--frames", given.frames, "--seed", given.seed, "--samples", given.samples, "--workers", 1)
        blemish("render", path, *how, "--out", given.out / name)


if __name__ == "__main__":
    main()
