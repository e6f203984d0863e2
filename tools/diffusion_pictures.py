"""Render what the embedded diffusion model is trained on: `blemish render` of every part, finish, defect and impurity.

    python tools/diffusion_pictures.py DIR                 # two passes of about 35 recipes, 1100 frames in all
    python tools/diffusion_pictures.py DIR --recipes-only  # DIR/recipes/*.yaml alone

Recipes are put together from the examples of the catalogue (scenes/recipes/presets/kinds) and from the shipped
presets: every
finish with the defects that befall it, a few at a time, and every part. Each is an ordinary recipe, each dataset an
ordinary dataset; the seed follows from the pass and the recipe's place, so that the same bytes come again.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scenes.catalogue.registry import DEFECTS, PARTS
from scenes.recipes.examples import KINDS, STAGE, catalogue
from scenes.recipes.reading import PRESETS, recipe_fields
from scenes.recipes.recipe import recipe_from
from tools.commands import blemish

Fields = dict[str, Any]

CLASSES = 16  # that a class mask can tell apart
ONE_IN = 8  # frames that show a given defect
IMPURE_ONE_IN = 16
SEVERITY = {"uniform": [0.5, 1]}
COPPER = tuple(kind for kind, entry in DEFECTS.items() if "copper" in entry.requires)
CRACKS = ("crack", "branching_crack", "phase_field_crack")
METAL = ("scratch", "dent", "gouge", *CRACKS, "bump", "pitting", "rust", "pore", "blowhole", "chipped_edge")
# What the corpus shows, in the order in which it is drawn. Rust and threads of corrosion need steel or a coat above it;
# glaze crazes; roads only crack, in the preset `asphalt`.
FITTING = {
    "anodised": ("scratch", "dent", "gouge", "crack", "bump", "pitting", "chipped_edge"),
    "brushed": ("scratch", "dent", "gouge", "crack", "bump", "pitting", "rust", "chipped_edge", "filiform_corrosion"),
    "cast": METAL,
    "ceramic": ("crazing", "crazing", "crack", "branching_crack", "pore", "blowhole", "scratch", "chipped_edge"),
    "ground": (*METAL, "wear", "filiform_corrosion"),
    "milled": METAL,
    "painted": ("scratch", "dent", "gouge", "crack", "bump", "rust", "crazing", "filiform_corrosion", "chipped_edge"),
    "rolled": METAL,
    "sand_blasted": METAL,
    "turned": ("scratch", "dent", "gouge", "crack", "pitting", "rust", "pore", "blowhole", "chipped_edge"),
}
# Colours that a finish comes in besides its example's.
VARIANTS: dict[str, dict[str, Fields]] = {
    "painted": {"white": {"base_colour": [0.6, 0.6, 0.57]}, "blue": {"base_colour": [0.05, 0.11, 0.3]}},
    "anodised": {"black": {"base_colour": [0.04, 0.04, 0.045]}},
    "ground": {
        "ferrite": {
            "base_colour": [0.16, 0.16, 0.165],
            "lay_degrees": 90,
            "roughness": 0.42,
            "streaks": 0.18,
            "mottle": 0.2,
            "grain": 0.2,
            "metallic": 0.5,
        }
    },
}
# Wider than the examples, which show one clear case.
WIDER: dict[str, Fields] = {
    "scratch": {"length_mm": {"uniform": [8, 30]}, "angle_degrees": {"uniform": [0, 360]}},
    "crack": {"length_mm": {"uniform": [10, 30]}, "width_um": {"uniform": [200, 450]}, "origin": "anywhere"}
    | {"angle_degrees": {"uniform": [0, 360]}},
    "branching_crack": {"width_um": {"uniform": [180, 320]}},
    "dent": {"diameter_mm": {"uniform": [3, 9]}, "depth_um": {"uniform": [200, 450]}},
    "blowhole": {"diameter_um": {"uniform": [900, 3000]}},
    "gouge": {"angle_degrees": {"uniform": [0, 180]}},
    "rust": {"hours": {"uniform": [36, 80]}},
    "pitting": {"hours": {"uniform": [24, 80]}},
    "wear": {"lay_degrees": 90},
}
PRESET_NAMES: tuple[str, ...] = (
    "asphalt",
    "ball_screw",
    "hot_strip",
    "magnetic_tile",
    "milled_steel",
    "painted_panel",
    "plate",
)
PRESET_NAMES += ("rusting_steel", "turned_shaft")


def example(kind: str) -> Fields:
    fields = recipe_fields(KINDS / f"{kind}.yaml")
    assert isinstance(fields, dict)
    return fields


def stage() -> Fields:
    """The catalogue's stage with its light from anywhere, and the camera nearer or farther."""
    fields = recipe_fields(STAGE)
    assert isinstance(fields, dict)
    fields["light"] |= {"imbalance": {"uniform": [0.1, 0.7]}, "rotation_degrees": {"uniform": [0, 360]}}
    fields["camera"]["margin"] = {"uniform": [-0.25, 0.03]}
    fields["sensor"]["exposure"] = {"uniform": [0.045, 0.075]}
    return fields


def seldom(group: str, kind: str, one_in: int, times: int = 1) -> Fields:
    """A kind's entry of a recipe, drawn in one of so many frames."""
    entry = dict(example(kind)[group][0]) | WIDER.get(kind, {})
    known = catalogue()[group][kind].model_fields  # type: ignore[index]
    if "severity" in known:
        entry["severity"] = SEVERITY
    if "probability" in known:
        return entry | {"probability": 1 / one_in}
    return entry | {"count": {"choice": [0] * (one_in - 1) + [times]}}


def impurities(beside: tuple[str, ...], first: int) -> list[Fields]:
    """As many as a class mask has room for beside those defects, others for every recipe."""
    kinds = [kind for kind in catalogue()["impurities"] if kind != "chalk"]
    turned = kinds[first % len(kinds) :] + kinds[: first % len(kinds)]
    return [seldom("impurities", kind, IMPURE_ONE_IN) for kind in turned[: CLASSES - len(set(beside))]]


def defects(kinds: tuple[str, ...]) -> list[Fields]:
    return [seldom("defects", kind, ONE_IN) for kind in kinds]


def surfaces() -> dict[str, tuple[Fields, int]]:
    """Every finish with its defects, under the name of the recipe; and how many frames a pass."""
    recipes: dict[str, tuple[Fields, int]] = {}
    for finish, kinds in FITTING.items():
        for name, change in {"": {}, **VARIANTS.get(finish, {})}.items():
            fields = (
                stage()
                | example(finish)
                | {"defects": defects(kinds), "impurities": impurities(kinds, 2 * len(recipes))}
            )
            fields["finish"] |= {"brightness": {"uniform": [0.75, 1.2]}} | change
            fields.pop("seed", None)
            recipes[f"finish_{finish}{'_' * bool(name)}{name}"] = (fields, 20)
    return recipes


def parts() -> dict[str, tuple[Fields, int]]:
    """Every part in its example's finish with a metal's defects, and circuits with theirs."""
    recipes: dict[str, tuple[Fields, int]] = {}
    for part in catalogue()["part"]:
        if part == "plate" or PARTS[part].requires:  # the surfaces show plates; a mesh is whatever its file holds
            continue
        fields = stage() | example(part)
        fields.pop("seed", None)
        if "copper" in PARTS[part].provides:
            fields["part"] |= {"density": {"uniform": [1.4, 2]}, "width_mm": {"uniform": [18, 24]}, "height_mm": 18}
            fields["camera"] = fields["camera"] | {"margin": {"uniform": [-0.2, 0]}}
            fields["finish"] |= {"brightness": {"uniform": [0.7, 1.4]}}
            fields["defects"] = [seldom("defects", kind, 3, times=3) for kind in COPPER]
            recipes[f"part_{part}"] = (fields, 40)
            continue
        kinds = ("scratch", "dent", "gouge", "crack", "pitting", "rust", "chipped_edge")
        fields["defects"], fields["impurities"] = defects(kinds), impurities(kinds, len(recipes))
        recipes[f"part_{part}"] = (fields, 7)
    return recipes


def recipes() -> dict[str, tuple[Fields, int]]:
    """All recipes, checked; the presets as they are shipped."""
    made = surfaces() | parts()
    chalked = stage() | example("asphalt") | {"impurities": [seldom("impurities", "chalk", 2)]}
    made["finish_asphalt"] = (chalked, 6)
    for name in PRESET_NAMES:
        fields = recipe_fields(PRESETS / f"{name}.yaml")
        assert isinstance(fields, dict)
        made[f"preset_{name}"] = (fields, {"magnetic_tile": 24, "hot_strip": 24, "asphalt": 14}.get(name, 4))
    for name, (fields, _) in made.items():
        fields["name"] = name
        recipe_from(fields, name)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for recipes/ and the datasets pass0/NAME, pass1/NAME, ...")
    parser.add_argument("--only", nargs="+", default=None, metavar="RECIPE", help="only these, in this order")
    parser.add_argument("--passes", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="number of the first pass; those before it are done")
    parser.add_argument("--samples", type=int, default=8, help="Cycles samples a pixel")
    parser.add_argument("--recipes-only", action="store_true")
    arguments = parser.parse_args()

    folder = arguments.out / "recipes"
    folder.mkdir(parents=True, exist_ok=True)
    made = recipes()
    for name, (fields, _) in made.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(fields, sort_keys=False), encoding="utf-8")
    if arguments.recipes_only:
        return
    places = {name: place for place, name in enumerate(made)}
    for turn in range(arguments.first, arguments.passes):
        mixed = sorted(places, key=lambda name: places[name] % 3)  # a training can begin on a part of them
        for name in arguments.only or mixed:
            place, frames = places[name], made[name][1]
            how = ("--frames", frames, "--seed", 1000 * turn + place, "--samples", arguments.samples, "--workers", 1)
            blemish("render", folder / f"{name}.yaml", *how, "--out", arguments.out / f"pass{turn}" / name)


if __name__ == "__main__":
    main()
