"""One page on a dataset: what is in it, and some of its pictures with their masks to be shown or hidden.

A single HTML file that needs nothing beside it; the pictures in it are reduced, and lead to those of the dataset.
"""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from scenes.datasets.errors import DatasetError
from scenes.datasets.files import seal_of, write_atomically
from scenes.datasets.reader import Dataset
from scenes.datasets.schema import ANNOTATIONS, FAMILY_FOLDERS
from scenes.files import content_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from procgen.surface.layer import Family
    from scenes.datasets.reader import Frame

PICTURES = 24
WIDTH = 420  # pixels of a picture on the page
COLOURS: dict[Family, tuple[int, int, int]] = {"defect": (213, 94, 0), "impurity": (0, 114, 178)}  # Okabe and Ito
OPACITY = 150  # of 255


@dataclass(frozen=True)
class ClassCount:
    """What a dataset shows of one class. share: of all pixels, 0..1."""

    name: str
    family: Family
    things: int
    frames: int
    share: float


def overview_path(folder: Path) -> Path:
    """Where the page on a dataset's folder lies: beside it, for the folder holds what was rendered and nothing else."""
    return folder.with_name(f"{folder.name}-overview.html")


def counts(dataset: Dataset) -> tuple[ClassCount, ...]:
    """How often each class is to be seen, from annotations.json. Raises DatasetError where the dataset lacks it."""
    path = dataset.path / ANNOTATIONS
    try:
        content = content_of(path)
        if seal_of(content) == "broken":
            raise ValueError
        written = json.loads(content)
        pixels = sum(image["width"] * image["height"] for image in written["images"])
        found = []
        for category in written["categories"]:
            things = [entry for entry in written["annotations"] if entry["category_id"] == category["id"]]
            name = category["name"]
            frames = len({entry["image_id"] for entry in things})
            area = sum(entry["area"] for entry in things)
            found.append(ClassCount(name, dataset.families[name], len(things), frames, area / pixels))
        return tuple(found)
    except FileNotFoundError:
        raise DatasetError(f"{dataset.path}: is not finished; render its missing frames first") from None
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError, OverflowError, RecursionError):
        raise DatasetError(f"{path}: truncated or damaged; remove it and render the dataset again to mend it") from None


def write_overview(dataset: Dataset) -> Path:
    """Write the page on a finished dataset beside its folder, and give its path. Raises DatasetError."""
    path = overview_path(dataset.path.resolve())
    write_atomically(path, page(dataset).encode())
    return path


def page(dataset: Dataset) -> str:
    """The page on a finished dataset as HTML. Raises DatasetError."""
    name = escape(dataset.recipe_name)
    height, width = dataset[0].size
    settings = ", ".join(f"{key} {value}" for key, value in dataset.header.settings.items())
    facts = [f"{len(dataset)} frames of {width} × {height} pixels", f"seed {dataset.seed}", settings]
    return "".join(
        [
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title><style>{STYLE}</style>',
            f"<h1>{name}</h1><p>{escape(' · '.join(filter(None, facts)))}</p>",
            table(counts(dataset)),
            '<input type="checkbox" id="masks" checked><label for="masks">Masks: ',
            '<b class="defect">defects</b>, <b class="impurity">impurities</b></label>',
            f"<main>{''.join(figures(dataset))}</main></html>\n",
        ]
    )


def table(classes: Sequence[ClassCount]) -> str:
    """The classes and how often they are to be seen."""
    if not classes:
        return "<p>Its recipe has neither defects nor impurities.</p>"
    rows = "".join(
        f'<tr><td><i class="{entry.family}"></i>{escape(entry.name)}<td>{entry.things}<td>{entry.frames}'
        f"<td>{100 * entry.share:.2f} %"
        for entry in classes
    )
    return f"<table><tr><th>Class<th>Things in sight<th>Frames with it<th>Pixels{rows}</table>"


def figures(dataset: Dataset) -> Iterator[str]:
    """Frames from the first to the last, evenly, each with its masks over it."""
    for position in np.unique(np.linspace(0, len(dataset) - 1, PICTURES).round().astype(int)):
        frame = dataset[int(position)]
        there = quote(f"{os.path.basename(dataset.path.resolve())}/images/{frame.index:06d}.png")
        picture = data_url(reduced(eight_bits(frame.image)), "JPEG")
        masks = data_url(reduced(mask_picture(frame)), "PNG")
        yield (
            f'<a href="{there}"><img src="{picture}" alt="frame {frame.index}">'
            f'<img class="mask" src="{masks}" alt=""><span>{frame.index}</span></a>'
        )


def eight_bits(image: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """A picture of 8 or 16 bits as 8."""
    return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image.astype(np.uint8)


def mask_picture(frame: Frame) -> NDArray[np.uint8]:
    """The masks of both families in their colours, (H, W, 4), transparent where there is neither."""
    height, width = frame.size
    picture = np.zeros((height, width, 4), np.uint8)
    for family, folder in reversed(FAMILY_FOLDERS.items()):  # defects over impurities
        picture[getattr(frame, folder) > 0] = (*COLOURS[family], OPACITY)
    return picture


def reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture, (H, W) or (H, W, C), at most `WIDTH` wide."""
    from PIL import Image

    height, width = pixels.shape[:2]
    if width <= WIDTH:
        return pixels
    smaller = Image.fromarray(pixels).resize((WIDTH, max(1, round(height * WIDTH / width))), Image.Resampling.BOX)
    return np.asarray(smaller)


def data_url(pixels: NDArray[np.uint8], format: str) -> str:
    """A picture as a URL that holds it."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format, quality=85)
    return f"data:image/{format.lower()};base64,{base64.b64encode(stream.getvalue()).decode()}"


STYLE = """
:root{color-scheme:light dark;--line:#8884}
body{font:15px/1.5 system-ui,sans-serif;max-width:1360px;margin:2rem auto;padding:0 1rem}
h1{margin:0;font-size:1.6rem}
p{margin:.2rem 0 1.2rem;opacity:.75}
table{border-collapse:collapse;margin-bottom:1.4rem}
th,td{text-align:right;padding:.25rem 0 .25rem 2rem;border-bottom:1px solid var(--line)}
td{font-variant-numeric:tabular-nums}
th:first-child,td:first-child{text-align:left;padding-left:0}
th{font-weight:600}
i{display:inline-block;width:.75em;height:.75em;border-radius:2px;margin-right:.6em}
i.defect{background:rgb(213 94 0)}i.impurity{background:rgb(0 114 178)}
b.defect{color:rgb(213 94 0)}b.impurity{color:rgb(0 114 178)}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(280px,1fr));gap:10px;margin-top:.8rem}
a{position:relative;display:block;line-height:0}
img{width:100%;border-radius:4px}
.mask{position:absolute;inset:0;display:none}
#masks:checked~main .mask{display:block}
span{position:absolute;left:6px;bottom:6px;font-size:12px;line-height:1.4;color:#fff;background:#0009;padding:0 .5em}
""".strip().replace("\n", "")
