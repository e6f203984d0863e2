"""What the panel Learn's settings stand for, and what lies in an evaluation's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy

from blender_addon.ui.dataset.data import folder_of
from blender_addon.ui.words import say

REPORT, INSPECTION, SHEET = "report.html", "inspection.html", "sheet.png"
RESULTS_BYTES_LIMIT = 64 << 20


def place(given: str, otherwise: Path) -> Path:
    """An absolute folder: the one that was given, or else this."""
    return Path(bpy.path.abspath(given)) if given else otherwise


def train_on(context: bpy.types.Context) -> Path:
    return place(context.scene.blemish_learn.train_on, folder_of(context))


def inspector(context: bpy.types.Context) -> Path:
    pictures = train_on(context)
    return place(context.scene.blemish_learn.inspector, pictures.with_name(pictures.name + "-inspector"))


def _chosen(given: str) -> Path | None:
    return place(given, Path()) if given else None


def judge_on(context: bpy.types.Context) -> Path | None:
    return _chosen(context.scene.blemish_learn.judge_on)


def report(context: bpy.types.Context) -> Path:
    trained = inspector(context)
    return place(context.scene.blemish_learn.report, trained.with_name(trained.name + "-report"))


def inspect_on(context: bpy.types.Context) -> Path | None:
    return _chosen(context.scene.blemish_learn.inspect_on)


def inspection(context: bpy.types.Context) -> Path:
    trained = inspector(context)
    return place(context.scene.blemish_learn.inspection, trained.with_name(trained.name + "-inspection"))


def to_refine(context: bpy.types.Context) -> Path:
    return place(context.scene.blemish_learn.refine, folder_of(context))


def refined(context: bpy.types.Context) -> Path:
    pictures = to_refine(context)
    return place(context.scene.blemish_learn.refined, pictures.with_name(pictures.name + "-refined"))


def photographs(context: bpy.types.Context) -> Path | None:
    return _chosen(context.scene.blemish_learn.photographs)


def masks(context: bpy.types.Context) -> Path | None:
    return _chosen(context.scene.blemish_learn.masks)


def calibrated(context: bpy.types.Context) -> Path:
    pictures = folder_of(context)
    return place(context.scene.blemish_learn.calibrated, pictures.with_name(pictures.name + "-fitted.yaml"))


def calibrated_from(context: bpy.types.Context) -> Path:
    """Where the panel's recipe is written, for the fit to begin from."""
    out = calibrated(context)
    return out.with_name(f"{out.stem}-before.yaml")


def sheet(context: bpy.types.Context) -> Path:
    """The pictures of a fit: real ones over rendered ones."""
    out = calibrated(context)
    return out.with_name(f"{out.stem}-fit") / SHEET


_flawed: dict[Path, tuple[float, str]] = {}


def none_is_good(folder: Path) -> str:
    """A sentence where every picture of a finished dataset shows a defect, as its annotations tell; empty otherwise.

    Reads anew only what has changed, and nothing of what is no dataset of Blemish's.
    """
    path = folder / "annotations.json"
    try:
        status = path.stat()
        if path not in _flawed or _flawed[path][0] != status.st_mtime:
            _flawed.clear()
            written = json.loads(path.read_bytes()) if status.st_size <= RESULTS_BYTES_LIMIT else {}
            defects = {entry["id"] for entry in written["categories"] if entry["supercategory"] == "defect"}
            flawed = {entry["image_id"] for entry in written["annotations"] if entry["category_id"] in defects}
            frames = len(written["images"])
            _flawed[path] = (status.st_mtime, _none_of(frames) if frames == len(flawed) else "")
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""  # what it is, the command says
    return _flawed[path][1]


def _none_of(frames: int) -> str:
    return say(
        "None of the {frames} pictures is good, and training takes good ones alone: render some and leave out Defects",
        frames=frames,
    )


_results: dict[Path, tuple[float, dict[str, Any]]] = {}


def figures_in(report: Path) -> dict[str, Any]:
    """The figures of an evaluation's folder, by name; none where there are none. Reads anew only what has changed."""
    path = report / "results.json"
    try:
        status = path.stat()
        if path not in _results or _results[path][0] != status.st_mtime:
            _results.clear()
            written = json.loads(path.read_bytes()) if status.st_size <= RESULTS_BYTES_LIMIT else {}
            metrics = written.get("metrics") if isinstance(written, dict) else None
            _results[path] = (status.st_mtime, metrics if isinstance(metrics, dict) else {})
    except (OSError, ValueError, RecursionError):
        return {}
    return _results[path][1]


def forget() -> None:
    """Read figures and annotations anew when next asked."""
    _results.clear()
    _flawed.clear()
