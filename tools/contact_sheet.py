"""Render every kind of part, finish, defect and impurity three times, and write the catalogue: `make contact-sheet`.

    python tools/contact_sheet.py                          # docs/images/contact_sheet_*.jpg and docs/catalogue.md
    python tools/contact_sheet.py --page                   # docs/catalogue.md alone, without Blender
    python tools/contact_sheet.py --kind dent --kind rust --out sheet.png

Kinds come from the registries and their examples from scenes/recipes/presets/kinds, so a new kind appears by itself.
"""

import argparse
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scenes import Scene, build_part, develop, surface_maps
from scenes.catalogue.entry import CatalogueEntry, DefectEntry, FinishEntry, PartEntry
from scenes.catalogue.registry import GROUP_TITLES, GROUPS, Group
from scenes.quantities.recipe_model import RecipeModel
from scenes.recipes.examples import SEVERITIES, Example, catalogue, example

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "catalogue.md"
PICTURES = REPOSITORY / "docs" / "images"

LARGEST_CELL = (224, 192)
GAP, CAPTION, KINDS_PER_ROW = 4, 22, 2
JPEG_QUALITY = 88
REFERENCE, ALSO = re.compile(r"See `([\w.]+)`[;.,]? ?"), re.compile(r"; see `[\w.]+`")
NOT_KNOBS = {"kind", "severity"}

Picture = NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", action="append", help="only this kind, into --out; may be given several times")
    parser.add_argument("--out", type=Path, default=Path("contact_sheet.png"))
    parser.add_argument("--page", action="store_true", help="write docs/catalogue.md alone")
    parser.add_argument("--samples", type=int, default=16, help="Cycles samples a pixel")
    arguments = parser.parse_args()

    if arguments.page:
        PAGE.write_text(page(), encoding="utf-8")
        return
    rendered = renderer(arguments.samples)
    kinds = catalogue()
    if arguments.kind:
        chosen = [example(group, kind) for group in kinds for kind in kinds[group] if kind in arguments.kind]
        sheet(chosen, rendered).save(arguments.out)
        return
    PICTURES.mkdir(parents=True, exist_ok=True)
    for group in GROUP_TITLES:
        shown = sheet([example(group, kind) for kind in kinds[group]], rendered)
        shown.save(PICTURES / picture_name(group), quality=JPEG_QUALITY, optimize=True)
    PAGE.write_text(page(), encoding="utf-8")


def renderer(samples: int) -> Callable[[Scene], Picture]:
    """What renders a scene to (H, W, 3) uint8, on one stage in this process."""
    from blender_addon.rendering.passes import picture_in, render
    from blender_addon.rendering.stage import build_stage

    stage = build_stage(samples)

    def rendered(scene: Scene) -> Picture:
        stage.show(scene, build_part(scene.part), surface_maps(scene))
        image = develop(picture_in(render(stage.picture)), scene.sensor)
        return np.broadcast_to(np.atleast_3d(image), (*image.shape[:2], 3)).astype(np.uint8)

    return rendered


def sheet(examples: list[Example], rendered: Callable[[Scene], Picture]) -> Image.Image:
    """The examples' three pictures each, two kinds a row, under their names."""
    width, height = LARGEST_CELL
    strip = (len(SEVERITIES) * (width + GAP), CAPTION + height + GAP)
    rows = -(-len(examples) // KINDS_PER_ROW)
    canvas = Image.new("RGB", (KINDS_PER_ROW * strip[0] + 3 * GAP, rows * strip[1] + GAP), "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(13)
    for number, shown in enumerate(examples):
        row, column = divmod(number, KINDS_PER_ROW)
        left, top = GAP + column * (strip[0] + GAP), GAP + row * strip[1]
        pen.text((left, top + 2), caption(shown), fill="black", font=font)
        for step, scene in enumerate(shown.scenes()):
            cell = Image.fromarray(rendered(scene))
            cell.thumbnail(LARGEST_CELL)
            canvas.paste(cell, (left + step * (width + GAP), top + CAPTION))
    return canvas


def caption(shown: Example) -> str:
    graded = len(set(shown.frames)) == 1
    return f"{shown.kind}: severity {', '.join(f'{severity:g}' for severity in SEVERITIES)}" if graded else shown.kind


def page() -> str:
    """docs/catalogue.md: every kind with its one line and its knobs, beneath the pictures."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "# The catalogue"
    yield ""
    severities = ", ".join(f"{severity:g}" for severity in SEVERITIES)
    yield "Everything that a recipe can name. `make contact-sheet` renders the pictures and writes this page from the"
    yield "kinds' modules; its examples are `scenes/recipes/presets/kinds/KIND.yaml`. A kind that knows its severity"
    yield f"is shown at {severities} of it, any other in three draws."
    for group, title in GROUP_TITLES.items():
        yield ""
        yield f"## {title}"
        yield ""
        yield f"![{title}](images/{picture_name(group)})"
        yield ""
        yield "| kind | what it is | in captions | where | knobs |"
        yield "| --- | --- | --- | --- | --- |"
        for entry in GROUPS[group].values():
            if entry.recipe is not None:
                told = (f"`{entry.kind}`", what_it_is(entry.recipe), entry.noun, where(entry), knobs(entry.recipe))
                yield f"| {' | '.join(told)} |"
    yield ""


def picture_name(group: Group) -> str:
    return f"contact_sheet_{GROUP_TITLES[group].lower()}.jpg"


def where(entry: CatalogueEntry) -> str:
    """The materials that a defect befalls, the one that a finish stands for, and what a kind needs or a part has."""
    told = sorted(entry.materials) if isinstance(entry, DefectEntry) else []
    told += [entry.material] if isinstance(entry, FinishEntry) else []
    told += [f"has {provided}" for provided in sorted(entry.provides)] if isinstance(entry, PartEntry) else []
    return ", ".join([*told, *(f"needs {required}" for required in sorted(entry.requires))])


def what_it_is(section: type[RecipeModel]) -> str:
    """The first paragraph of a section's docstring on one line; "See `place`" becomes what stands at that place."""
    told = ALSO.sub("", first_paragraph(section))
    reference = REFERENCE.match(told)
    if reference:
        rest = told[reference.end() :]
        names_a_field = "_" in rest.partition(" ")[0]
        told = f"{summary(reference[1], section)} {rest if names_a_field else rest[:1].upper() + rest[1:]}"
    return told.strip().replace("|", "\\|")


def summary(place: str, section: type[RecipeModel]) -> str:
    """The first paragraph about a module of procgen, or a class or function in one or beside the section."""
    module, _, name = place.rpartition(".")
    if not module:
        return first_paragraph(getattr(sys.modules[section.__module__], place))
    try:
        return first_paragraph(importlib.import_module(place))
    except ModuleNotFoundError:
        return first_paragraph(getattr(importlib.import_module(module), name))


def first_paragraph(thing: object) -> str:
    """Of its docstring, on one line that ends in a full stop."""
    line = " ".join((thing.__doc__ or "").strip().split("\n\n")[0].split())
    return f"{line.rstrip('.;,')}."


def knobs(section: type[RecipeModel]) -> str:
    """The names of a section's fields, severity first."""
    names = [name for name in section.model_fields if name not in NOT_KNOBS]
    return ", ".join(["**severity**"] * ("severity" in section.model_fields) + names)


if __name__ == "__main__":
    main()
