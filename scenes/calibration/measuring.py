"""Frames of recipes as they are compared with photographs: rendered once, seen by several sensors, measured, kept."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.calibration.parameters import Parameter
from scenes.calibration.photographs import Features, middle, window
from scenes.calibration.picture_statistics import picture_statistics
from scenes.camera.sensor import Singles, develop
from scenes.datasets.files import as_json
from scenes.jobs.checkpoints import read_checked, write_checked
from scenes.jobs.progress import Progress
from scenes.pictures.reading import rgb_of
from scenes.quantities.random_stream import RandomStream
from scenes.recipes.paths import quantity_at
from scenes.recipes.recipe import Recipe
from scenes.recipes.sampling import draw, draw_sensor
from scenes.scene import Sensor

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shot:
    """A frame of a recipe, as `draw` makes its scene."""

    recipe: Recipe
    seed: int
    index: int

    def key(self) -> list[Any]:
        """All that it depends on, as JSON."""
        return [self.recipe.model_dump(mode="json"), self.seed, self.index]

    def sensor(self) -> tuple[Sensor, dict[str, float]]:
        """Its sensor, and what is drawn of that by its path."""
        values: dict[str, float] = {}
        stream = RandomStream(self.seed, self.index, heard=values).at("sensor")
        recipe = self.recipe.of_frame(self.seed, self.index)
        return draw_sensor(recipe.sensor, recipe.camera.resolution, stream), values

    def heard(self) -> dict[str, float]:
        """What is drawn of every quantity by its path."""
        values: dict[str, float] = {}
        draw(self.recipe, self.seed, self.index, heard=values)
        return values


Take = Callable[[int, Singles], None]  # told the position of a shot and its linear radiance (H, W, 3), see `window`
Renderer = Callable[[Sequence[Shot], Take], None]


@dataclass(frozen=True)
class View:
    """A shot, and those whose sensors look at what is rendered of it."""

    name: str
    shot: Shot
    looks: tuple[Shot, ...]


@dataclass(frozen=True, eq=False)
class Measured:
    """Of V views with L looks each: units (V, L, K), statistics (V, L, d), features (V, f), and a picture of each."""

    units: Floats
    statistics: Floats
    features: Floats
    pictures: tuple[NDArray[np.uint8], ...]

    def rows(self) -> tuple[Floats, Floats]:
        """Units (V L, K) and statistics (V L, d), look by look."""
        return self.units.reshape(-1, self.units.shape[2]), self.statistics.reshape(-1, self.statistics.shape[2])


@dataclass(frozen=True)
class Bench:
    """Where frames are rendered and measured, and what is kept of each, in a folder.

    names: of the statistics. features: see `Photographs`; None where nothing computes any.
    """

    folder: Path
    parameters: tuple[Parameter, ...]
    names: tuple[str, ...]
    colour: bool
    renderer: Renderer
    features: Features | None
    progress: Progress

    def measured(self, what: str, views: Sequence[View], *, judged: bool) -> Measured:
        """Measure views; those whose measurements the folder has are not rendered again.

        judged: whether features are computed, too. Raises what the renderer raises, DatasetError.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        keys = [_digest([view.shot.key(), *(look.key() for look in view.looks), judged, *self.names]) for view in views]
        known = {k: found for k, view in enumerate(views) if (found := self._kept(view, keys[k])) is not None}
        missing = [k for k in range(len(views)) if k not in known]
        self.progress(what, len(known), len(views))

        def take(position: int, radiance: Singles) -> None:
            k = missing[position]
            content = self._measure(views[k], radiance, judged)
            write_checked(self._path(views[k]), _packed({**content, "key": np.array(keys[k])}))
            known[k] = content
            self.progress(what, len(known), len(views))

        if missing:
            self.renderer([views[k].shot for k in missing], take)
        ordered = [known[k] for k in range(len(views))]
        return Measured(
            units=np.array([entry["units"] for entry in ordered]),
            statistics=np.array([entry["statistics"] for entry in ordered]),
            features=np.array([entry["features"] for entry in ordered]),
            pictures=tuple(entry["picture"] for entry in ordered),
        )

    def _path(self, view: View) -> Path:
        return self.folder / f"{view.name}.npz"

    def _kept(self, view: View, key: str) -> dict[str, NDArray[Any]] | None:
        """What an earlier run left of a view; None where that is nothing, damaged, or of another view."""
        try:
            content = read_checked(self._path(view))
        except (OSError, ValueError):
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return dict(arrays) if str(arrays["key"]) == key else None

    def _measure(self, view: View, radiance: Singles, judged: bool) -> dict[str, NDArray[Any]]:
        frame = view.shot.heard()
        units, statistics, first = [], [], None
        for look in view.looks:
            sensor, of_sensor = look.sensor()
            picture = developed(radiance, sensor, view.shot.recipe.camera.resolution)
            first = rgb_of(picture) if first is None else first
            of_look = picture_statistics(picture, self.colour)
            statistics.append([of_look[name] for name in self.names])
            units.append(self._units(look.recipe, frame | of_sensor))
        assert first is not None
        features = self.features(first) if judged and self.features else np.zeros(0)
        return {
            "units": np.array(units),
            "statistics": np.array(statistics),
            "features": np.asarray(features, dtype=np.float64),
            "picture": first,
        }

    def _units(self, recipe: Recipe, drawn: dict[str, float]) -> list[float]:
        """(K,) of what was drawn, and the middle of what a frame draws nothing of, as of plain numbers."""
        return [
            float(p.unit(drawn[p.path])) if p.path in drawn else replace(p, quantity=quantity_at(recipe, p.path)).middle
            for p in self.parameters
        ]


def developed(radiance: Singles, sensor: Sensor, resolution: tuple[int, int]) -> NDArray[Any]:
    """The middle of the picture that a sensor takes of radiance, whole or of that middle alone; see `window`."""
    width, height = resolution
    row, column, rows, columns = window(height, width)
    if radiance.shape[:2] == (height, width):
        return middle(develop(radiance, sensor))
    beyond = ((row, height - rows - row), (column, width - columns - column), (0, 0))
    return middle(develop(np.pad(radiance, beyond, mode="edge"), sensor))


def _digest(value: object) -> str:
    return hashlib.sha256(as_json(value)).hexdigest()


def _packed(arrays: dict[str, NDArray[Any]]) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()
