"""What the panel Dataset's settings stand for, and what lies in a dataset's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from blender_addon.ui import schema
from blender_addon.ui.dataset import own_scene
from blender_addon.ui.dataset.render_run import RenderRequest
from blender_addon.ui.preferences import preferences_of

if TYPE_CHECKING:
    from scenes import Recipe


def recipe_of(context: bpy.types.Context) -> Recipe:
    """The recipe that the panel shows, less what the dataset shall leave out. Raises BlemishError, OSError."""
    from blender_addon.ui.preview.snapshots import bring_back
    from blender_addon.ui.recipe.exchange import to_recipe

    settings = context.scene.blemish_dataset
    bring_back(context.scene.blemish)
    left_out = {"defects": settings.without_defects, "impurities": settings.without_impurities}
    recipe = to_recipe(context.scene.blemish)
    return recipe.without(*(family for family, left in left_out.items() if left))


def shows_defects(context: bpy.types.Context) -> bool:
    """Whether the frames to render may show defects."""
    settings = context.scene.blemish
    shown = settings.defects and not context.scene.blemish_dataset.without_defects
    return shown and any(
        schema.section_of_kind()[layer.kind].group == "defects" and not layer.muted for layer in settings.layers
    )


def folder_of(context: bpy.types.Context) -> Path:
    """The folder that the panel's dataset is in or shall be in, absolute."""
    given = context.scene.blemish_dataset.folder
    if given:
        return Path(bpy.path.abspath(given))
    name = getattr(context.scene.blemish, "name", "") or "dataset"
    return Path(preferences_of(context).folder) / name


def request_of(context: bpy.types.Context, folder: Path, frames: int) -> RenderRequest:
    """The request for frames as the panel describes them. Raises RecipeError."""
    settings = context.scene.blemish_dataset
    seed = context.scene.blemish.seed
    options: dict[str, object] = {"device": preferences_of(context).device, **own_scene.options_of(context)}
    if settings.passes:
        options |= {"passes": tuple(sorted(settings.passes)), "pass_format": settings.pass_format}
    return RenderRequest(recipe_of(context), folder, frames, seed, settings.samples, settings.workers, options=options)


def test_conditions(context: bpy.types.Context) -> str:
    """What a test frame's time holds for: what decides it that is not the recipe's."""
    return f"{context.scene.blemish_dataset.samples} samples, {preferences_of(context).device}"


def free_folder(folder: Path) -> Path:
    """The folder, or the next of its name with a number, that does not exist yet."""
    stem, _, number = folder.name.rpartition("-")
    first = folder.name if not (stem and number.isdigit()) else stem
    count = int(number) + 1 if stem and number.isdigit() else 2
    found = folder
    while found.exists():
        found, count = folder.with_name(f"{first}-{count}"), count + 1
    return found


@dataclass(frozen=True)
class DatasetStatus:
    """What lies in a dataset's folder: the run that began it, and how far that came."""

    folder: Path
    frames: int
    written: int
    seed: int
    samples: int

    @property
    def missing(self) -> int:
        return self.frames - self.written


def read_status(folder: Path) -> DatasetStatus | None:
    """The dataset in a folder, finished or not; None where there is none that this Blemish can read."""
    from scenes.datasets.errors import DatasetError
    from scenes.datasets.schema import committed, read_header

    try:
        header = read_header(folder)
        written = len(committed(folder, header.frames))
    except (DatasetError, OSError):
        return None
    samples = header.settings.get("samples")
    return DatasetStatus(folder, header.frames, written, header.seed, samples if isinstance(samples, int) else 1)


def resuming_request(folder: Path) -> RenderRequest:
    """The request that goes on with the dataset in a folder, read from it. Raises DatasetError, RecipeError."""
    from scenes.datasets.schema import HEADER, read_header
    from scenes.recipes.recipe import recipe_from

    header = read_header(folder)
    recipe = recipe_from(header.recipe, str(folder / HEADER))
    samples, device = header.settings.get("samples", 1), header.settings.get("device", "cpu")
    options: dict[str, object] = {"device": device}
    if header.passes:
        options |= {"passes": tuple(header.passes), "pass_format": "exr" if "exr" in header.passes.values() else "png"}
    if (blend := header.settings.get("blend")) is not None:
        options["blend"] = own_scene.blend_again(folder, blend)
    return RenderRequest(recipe, folder, header.frames, header.seed, samples, options=options)


_statuses: dict[Path, tuple[float, DatasetStatus | None]] = {}


def status_of(folder: Path) -> DatasetStatus | None:
    """The dataset in a folder; looks again only when something has been written there, for panels draw often."""
    try:
        changed = max(place.stat().st_mtime for place in (folder / "dataset.json", folder / "scenes"))
    except OSError:
        return None
    if folder not in _statuses or _statuses[folder][0] != changed:
        _statuses.clear()
        _statuses[folder] = (changed, read_status(folder))
    return _statuses[folder][1]


_last_pictures: dict[Path, tuple[float, Path | None]] = {}


def last_picture(folder: Path) -> Path | None:
    """The picture of the highest frame that is written; looks again only when one has been."""
    scenes = folder / "scenes"
    try:
        changed = scenes.stat().st_mtime
        if folder not in _last_pictures or _last_pictures[folder][0] != changed:
            _last_pictures.clear()
            frames = [path.stem for path in scenes.glob("[0-9]*.json")]
            _last_pictures[folder] = (changed, folder / "images" / f"{max(frames)}.png" if frames else None)
    except OSError:
        return None
    return _last_pictures[folder][1]


def forget() -> None:
    """Look into the folders anew when next asked."""
    _statuses.clear()
    _last_pictures.clear()
