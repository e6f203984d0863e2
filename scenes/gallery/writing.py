"""The page itself: one HTML file beside folders of what it loads of frames when they are to be seen."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from procgen.surface.layer import Family
from scenes.datasets.files import sealed_page, write_atomically
from scenes.gallery import packs
from scenes.gallery.comparison import Comparison
from scenes.gallery.judged import Judged
from scenes.gallery.survey import FOLDER, Survey

PAGE = "report.html"
ASSETS = Path(__file__).parent / "page"
# What runs on the page, in this order: what is kept by others (see `make page-libraries`), then our own as one.
SCRIPTS = ("data", "overlays", "filters", "charts", "frames", "detail", "figures", "inspector", "page")
# Okabe and Ito's colours, which the colour-blind tell apart, then some of Tol's; defects warm, impurities cool.
COLOURS: dict[Family, tuple[str, ...]] = {
    "defect": ("#d55e00", "#e69f00", "#cc79a7", "#aa4499", "#999933", "#b2182b"),
    "impurity": ("#0072b2", "#56b4e9", "#009e73", "#6a6fc9"),
}


def page_folder(dataset: Path) -> Path:
    """Where the page on a dataset's folder lies by default: beside it, for that holds what was rendered alone."""
    return dataset.with_name(f"{dataset.name}-report")


def write_page(
    folder: Path,
    survey: Survey,
    judged: Sequence[Judged] = (),
    comparison: Comparison | None = None,
    *,
    command: str,
) -> Path:
    """Write the page on a survey whose packs lie in `folder`, and give its path.

    The page comes last, by one rename: until then an earlier one stays whole. Packs of an earlier one go then. command:
    what to type to get all of it again. Raises DatasetError where the disk does not take it.
    """
    path = folder / PAGE
    write_atomically(path, sealed_page(page(folder, survey, judged, comparison, command=command)))
    packs.clear(folder / FOLDER, survey.packs)
    for judge in judged:
        packs.clear(folder / judge.folder, judge.packs)
    return path


def page(folder: Path, survey: Survey, judged: Sequence[Judged], comparison: Comparison | None, *, command: str) -> str:
    """The page as HTML: the scripts that may run on it are those whose digests it names, whatever a file is called."""
    dataset = survey.dataset
    data = {
        "title": dataset.recipe_name,
        "images": _from(folder, dataset.path / "images"),
        "command": command,
        "facts": _facts(survey),
        "classes": _classes(dataset.families),
        "indices": list(dataset.indices),
        "sizes": [frame["size"] for frame in survey.frames],
        "pack_size": packs.FRAMES,
        "thumbnails": _names(survey, FOLDER, "thumbnails"),
        "details": _names(survey, FOLDER, "details"),
        "parameters": {name: _packed(values) for name, values in survey.parameters.items()},
        "brightness": _packed(np.array([frame["brightness"] for frame in survey.frames])),
        "near_duplicates": _packed(survey.near_duplicates),
        "charts": _charts(survey),
        "things": {
            name: _packed(getattr(survey, name))
            for name in ("frame", "class_number", "area", "contrast", "column", "row", "chart", "u", "v")
        },
        "judges": [_judge(judge) for judge in judged],
        "comparison": None if comparison is None else asdict(comparison),
    }
    libraries, own = _asset("libraries.js"), "".join(_asset(f"{name}.js") for name in SCRIPTS)
    own = f'"use strict";\n(() => {{\n{own}}})();\n'
    return Template(_asset("page.html")).substitute(
        title=escape(dataset.recipe_name),
        digests=" ".join(f"'sha256-{_digest(script)}'" for script in (libraries, own)),
        style=_asset("libraries.css") + _asset("page.css"),
        data=_as_data(data),
        licences=escape(_asset("LICENCES.txt")),
        libraries=libraries,
        page=own,
    )


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _as_data(value: object) -> str:
    """JSON that no browser takes for the end of the element it stands in, or for a comment."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def _from(folder: Path, path: Path) -> str:
    """The way from a folder to another place, as a page writes it."""
    return quote(Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix())


def _facts(survey: Survey) -> list[str]:
    dataset = survey.dataset
    settings = [f"{name} {value}" for name, value in dataset.header.settings.items() if not isinstance(value, dict)]
    unfinished = [] if dataset.complete else [f"{dataset.header.frames - len(dataset)} frames missing"]
    without = [f"without {', '.join(dataset.header.without)}"] if dataset.header.without else []
    return [f"seed {dataset.seed}", *settings, *without, *unfinished]


def _classes(families: Mapping[str, Family]) -> list[dict[str, str]]:
    """Every class with its family and colour."""
    found: list[dict[str, str]] = []
    for name, family in families.items():
        place = sum(entry["family"] == family for entry in found)
        found.append({"name": name, "family": family, "colour": COLOURS[family][place % len(COLOURS[family])]})
    return found


def _names(survey: Survey, folder: str, kind: str) -> list[str]:
    return [f"{folder}/{kind}/{pack['files'][kind]}" for pack in survey.packs]


def _charts(survey: Survey) -> list[list[float]]:
    """The usual size of each chart on which things lie, metres."""
    most = int(survey.chart.max(initial=-1)) + 1
    sizes = [frame["chart_sizes"] for frame in survey.frames]
    return [np.median([found[k] for found in sizes if len(found) > k], axis=0).tolist() for k in range(most)]


def _judge(judge: Judged) -> dict[str, Any]:
    return {
        "name": judge.name,
        "threshold": judge.threshold,
        "origin": judge.origin,
        "maps": [f"{judge.folder}/maps/{pack['files']['maps']}" for pack in judge.packs],
        **{name: _packed(getattr(judge, name)) for name in ("scores", "peaks", "low", "high", "seen")},
    }


def _packed(values: NDArray[Any]) -> str:
    """Numbers in base64: 32 bits each, little-endian, as JavaScript's Float32Array reads them."""
    return base64.b64encode(np.asarray(values).astype("<f4").tobytes()).decode("ascii")
