"""Drawing a concrete scene from a recipe: nothing after it is random.

Each kind of part, finish, defect and impurity samples itself, from the stream that it is handed; see
`scenes.quantities.random_stream`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from scenes.cache import SceneCache
from scenes.camera.imaging import camera_above, pixel_footprint
from scenes.camera.light import Head
from scenes.catalogue.placement.sites import PlacedRecipeModel, PlacedStream, site_for
from scenes.catalogue.registry import DefectRecipe, ImpurityRecipe, SceneLayer
from scenes.geometry.atlas import Part
from scenes.parts import Shape, build_part
from scenes.quantities.distribution import Distribution
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.scene_model import Vector
from scenes.quantities.units import MM, UM
from scenes.recipes.camera import CameraRecipe
from scenes.recipes.recipe import TEXELS_PER_PIXEL, Recipe, SensorRecipe
from scenes.scene import SIDES, Camera, LensSpot, Scene, Sensor

Drawn = tuple[str, SceneLayer, int]  # the kind of its entry, the layer, and the chart that it lies on
Number = TypeVar("Number", int, float)


def draw(
    recipe: Recipe,
    seed: int,
    index: int,
    cache: SceneCache | None = None,
    heard: dict[str, float] | None = None,
    views: int | None = None,
) -> Scene:
    """The scene of frame `index` of a dataset with `seed`; the same arguments give the same scene, bit for bit.

    cache: of scenes that differ little, for the time's sake alone: entries whose draws it knows are not drawn again.
    heard: takes down what is drawn of every quantity, in the recipe's unit, by its path in the recipe.
    views: of one surface, frames one after the other; by default as many as the recipe's camera has positions. Part,
    finish and layers are drawn for the surface, and for either side of it; light, camera and sensor for each view.
    Raises ValueError for a negative seed or index.
    """
    if seed < 0 or index < 0:
        raise ValueError(f"seed {seed} and frame {index}: both count from 0")
    views = recipe.camera.views if views is None else views
    surface, view = divmod(index, views)
    recipe, lot = recipe.of_surface(seed, surface)
    *position, side = recipe.camera.position_mm(view % recipe.camera.views)
    of_view = RandomStream(seed, index, heard=heard)
    of_surface = RandomStream(seed, surface, heard=heard)
    shape = recipe.part.sample(of_surface.at("part"))
    part = build_part(shape)
    stream = replace(of_surface, side=SIDES.index(side))
    offsets = (("offset_x_mm", recipe.camera.offset_x_mm), ("offset_y_mm", recipe.camera.offset_y_mm))
    centre_x, centre_y = (
        MM * (place + of_view.at("camera").draw(name, quantity))
        for place, (name, quantity) in zip(position, offsets, strict=True)
    )
    camera = _camera(recipe.camera, shape, (centre_x, centre_y), of_view.at("camera"))
    head = Head((centre_x, centre_y), _opposite(camera.forward), camera.up)
    from_camera = pixel_footprint(camera, camera.focus_distance) / TEXELS_PER_PIXEL
    layers, charts = drawn_layers(recipe, part, stream, cache)
    return Scene(
        recipe_name=recipe.name,
        seed=seed,
        index=index,
        surface=surface if views > 1 else None,
        view=view,
        side=side,
        lot=lot,
        part=shape,
        finish=recipe.finish.sample(stream.at("finish")),
        layers=layers,
        charts=charts if len(part.charts) > 1 else (),
        classes=recipe.class_bits,
        texel_size=from_camera if recipe.texel_um is None else UM * recipe.texel_um,
        light=recipe.light.drawn(head, of_view.at("light")),
        camera=camera,
        sensor=draw_sensor(recipe.sensor, recipe.camera.resolution, of_view.at("sensor")),
    )


def _opposite(vector: Vector) -> Vector:
    return -vector[0], -vector[1], -vector[2]


def drawn_layers(
    recipe: Recipe, part: Part, stream: RandomStream, cache: SceneCache | None = None
) -> tuple[tuple[SceneLayer, ...], tuple[int, ...]]:
    """The layers, each with the chart that it is placed on: defects first, for impurities lie on the surface."""
    drawn: list[Drawn] = []
    shown: list[Drawn] = []
    for family, entries in (("defects", recipe.defects), ("impurities", recipe.impurities)):
        for position, entry in enumerate(entries):
            of_entry = _cached_entry(cache, entry, part, drawn, stream.at(family).at(position))
            drawn += of_entry
            # What is switched off is drawn all the same: what lies at it or keeps off it must not move.
            if not recipe.is_off(family, position):
                shown += of_entry
    return tuple(layer for _, layer, _ in shown), tuple(chart for _, _, chart in shown)


def _cached_entry(
    cache: SceneCache | None,
    entry: DefectRecipe | ImpurityRecipe,
    part: Part,
    earlier: list[Drawn],
    stream: RandomStream,
) -> list[Drawn]:
    if cache is None:
        return _entry(entry, part, earlier, stream)
    placed = isinstance(entry, PlacedRecipeModel) and entry.placement is not None
    inputs = (entry, part, stream, tuple(earlier) if placed else ())
    return cache.latest_or_compute(f"draw {stream.path}", inputs, lambda: _entry(entry, part, earlier, stream))


def _entry(entry: DefectRecipe | ImpurityRecipe, part: Part, earlier: list[Drawn], stream: RandomStream) -> list[Drawn]:
    """What one entry of a recipe puts on one chart of the part."""
    placement = entry.placement if isinstance(entry, PlacedRecipeModel) else None
    if placement is None:
        chart = _chart(part, stream)
        layers: Sequence[SceneLayer] = entry.sample(part.charts[chart], stream)
    else:
        charts_of_hosts = [chart for kind, _, chart in earlier if kind == placement.of]
        chart = charts_of_hosts[0] if charts_of_hosts else _chart(part, stream)
        site = site_for(placement, part.charts, chart, earlier, stream.at("placement"))
        placed = PlacedStream(stream.seed, stream.index, stream.path, stream.side, stream.heard, site)
        layers = site.with_room(entry.sample(part.charts[chart], placed))
    return [(entry.kind, layer, chart) for layer in layers]


def _chart(part: Part, stream: RandomStream) -> int:
    """One of the part's charts, in proportion to the area of it that the camera faces."""
    if len(part.charts) == 1:
        return 0
    share = np.cumsum(part.chart_areas())
    return min(int(np.searchsorted(share, stream.chance("chart") * share[-1], side="right")), len(share) - 1)


def _camera(recipe: CameraRecipe, shape: Shape, centre: tuple[float, float], stream: RandomStream) -> Camera:
    focal_length = MM * stream.draw("focal_length_mm", recipe.focal_length_mm)
    sensor_width = MM * recipe.sensor_width_mm
    if recipe.magnification is not None:
        field_width = sensor_width / stream.draw("magnification", recipe.magnification)
    elif recipe.working_distance_mm is None:
        columns, rows = recipe.resolution
        framed = max(shape.framed_width, shape.framed_height * columns / rows)
        field_width = framed * (1 + 2 * stream.draw("margin", recipe.margin))
    else:
        field_width = MM * stream.draw("working_distance_mm", recipe.working_distance_mm) * sensor_width / focal_length
    return camera_above(
        field_width=field_width,
        focal_length=focal_length,
        sensor_width=sensor_width,
        resolution=recipe.resolution,
        aperture_radius=0.0
        if recipe.f_number is None
        else focal_length / (2 * stream.draw("f_number", recipe.f_number)),
        roll=math.radians(stream.draw("roll_degrees", recipe.roll_degrees)),
        centre=centre,
        tilt=math.radians(stream.draw("tilt_degrees", recipe.tilt_degrees)),
        tilt_azimuth=math.radians(stream.draw("tilt_azimuth_degrees", recipe.tilt_azimuth_degrees)),
        telecentric=recipe.telecentric,
    )


def draw_sensor(recipe: SensorRecipe, resolution: tuple[int, int], stream: RandomStream) -> Sensor:
    """The sensor of one frame of this many columns and rows."""
    return Sensor(
        exposure=stream.draw("exposure", recipe.exposure),
        vignetting=stream.draw("vignetting", recipe.vignetting),
        blur=stream.draw("blur_px", recipe.blur_px),
        full_well=recipe.full_well_electrons,
        read_noise=stream.draw("read_noise_electrons", recipe.read_noise_electrons),
        transfer=recipe.transfer,
        bits=recipe.bits,
        monochrome=recipe.monochrome,
        seed=stream.layer_seed(),
        dirt=_dirt(recipe, resolution, stream),
        column_gain=stream.draw("column_gain", recipe.column_gain),
        column_offset=stream.draw("column_offset", recipe.column_offset),
        row_jitter=stream.draw("row_jitter_px", recipe.row_jitter_px),
        white_balance=_if_any(stream.draw, "white_balance_kelvin", recipe.white_balance_kelvin),
        threshold=_if_any(stream.draw, "threshold", recipe.threshold),
        negative=recipe.negative,
        sharpening=(sharpening := stream.draw("sharpening", recipe.sharpening)),
        sharpening_radius=stream.draw("sharpening_px", recipe.sharpening_px) if sharpening else 0.0,
        jpeg_quality=_if_any(stream.whole, "jpeg_quality", recipe.jpeg_quality),
    )


def _if_any(draw: Callable[[str, Distribution], Number], name: str, quantity: Distribution | None) -> Number | None:
    return None if quantity is None else draw(name, quantity)


def _dirt(recipe: SensorRecipe, resolution: tuple[int, int], stream: RandomStream) -> tuple[LensSpot, ...]:
    """Spots evenly over the picture, each with a radius and an opacity of its own."""
    width, height = resolution
    spots = []
    for number in range(stream.whole("dirt_spots", recipe.dirt_spots)):
        own = stream.at("dirt").at(number)
        spots.append(
            LensSpot(
                x=own.chance("x"),
                y=own.chance("y") * height / width,
                radius=recipe.dirt_radius.sample(own.at("radius").generator()),
                opacity=recipe.dirt_opacity.sample(own.at("opacity").generator()),
            )
        )
    return tuple(spots)
