"""Drawing a concrete scene from a recipe: nothing after it is random.

Each kind of part, finish, defect and impurity draws itself, from the lot that it is handed; see `scenes.lot`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from scenes.atlas import Part
from scenes.imaging import camera_above, closed_ring_panel_length, pixel_footprint, ring_light
from scenes.kinds import DefectRecipe, ImpurityRecipe, SceneLayer
from scenes.kinds.sites import PlacedSection, site_for
from scenes.lot import MM, UM, Lot
from scenes.memory import Memory
from scenes.parts import Shape, build_part
from scenes.recipe import TEXELS_PER_PIXEL, CameraRecipe, Recipe, RingLightRecipe, SensorRecipe
from scenes.scene import Camera, Light, Scene, Sensor

Drawn = tuple[str, SceneLayer, int]  # the kind of its entry, the layer, and the chart that it lies on


def draw(recipe: Recipe, seed: int, index: int, memory: Memory | None = None) -> Scene:
    """The scene of frame `index` of a dataset with `seed`; the same arguments give the same scene, bit for bit.

    memory: of scenes that differ little, for the time's sake alone: entries whose draws it knows are not drawn again.
    Raises ValueError for a negative seed or index.
    """
    if seed < 0 or index < 0:
        raise ValueError(f"seed {seed} and frame {index}: both count from 0")
    lot = Lot(seed, index)
    shape = recipe.part.drawn(lot.at("part"))
    part = build_part(shape)
    offset = tuple(
        MM * lot.at("camera").draw(name, quantity)
        for name, quantity in (("offset_x_mm", recipe.camera.offset_x_mm), ("offset_y_mm", recipe.camera.offset_y_mm))
    )
    camera = _camera(recipe.camera, shape, (offset[0], offset[1]), lot.at("camera"))
    from_camera = pixel_footprint(camera, camera.focus_distance) / TEXELS_PER_PIXEL
    layers, charts = drawn_layers(recipe, part, lot, memory)
    return Scene(
        recipe_name=recipe.name,
        seed=seed,
        index=index,
        part=shape,
        finish=recipe.finish.drawn(lot.at("finish")),
        layers=layers,
        charts=charts if len(part.charts) > 1 else (),
        classes=recipe.class_bits,
        texel_size=from_camera if recipe.texel_um is None else UM * recipe.texel_um,
        light=_ring_light(recipe.light, (offset[0], offset[1]), lot.at("light")),
        camera=camera,
        sensor=_sensor(recipe.sensor, lot.at("sensor")),
    )


def drawn_layers(
    recipe: Recipe, part: Part, lot: Lot, memory: Memory | None = None
) -> tuple[tuple[SceneLayer, ...], tuple[int, ...]]:
    """The layers, each with the chart that it is placed on: defects first, for impurities lie on the surface."""
    drawn: list[Drawn] = []
    shown: list[Drawn] = []
    for family, entries in (("defects", recipe.defects), ("impurities", recipe.impurities)):
        for position, entry in enumerate(entries):
            of_entry = _remembered_entry(memory, entry, part, drawn, lot.at(family).at(position))
            drawn += of_entry
            # What is switched off is drawn all the same: what lies at it or keeps off it must not move.
            if not recipe.is_off(family, position):
                shown += of_entry
    return tuple(layer for _, layer, _ in shown), tuple(chart for _, _, chart in shown)


def _remembered_entry(
    memory: Memory | None, entry: DefectRecipe | ImpurityRecipe, part: Part, earlier: list[Drawn], lot: Lot
) -> list[Drawn]:
    if memory is None:
        return _entry(entry, part, earlier, lot)
    placed = isinstance(entry, PlacedSection) and entry.placement is not None
    inputs = (entry, part, lot, tuple(earlier) if placed else ())
    return memory.again(f"draw {lot.path}", inputs, lambda: _entry(entry, part, earlier, lot))


def _entry(entry: DefectRecipe | ImpurityRecipe, part: Part, earlier: list[Drawn], lot: Lot) -> list[Drawn]:
    """What one entry of a recipe puts on one chart of the part."""
    placement = entry.placement if isinstance(entry, PlacedSection) else None
    if placement is None:
        chart = _chart(part, lot)
        layers: Sequence[SceneLayer] = entry.drawn(part.charts[chart], lot)
    else:
        charts_of_hosts = [chart for kind, _, chart in earlier if kind == placement.of]
        chart = charts_of_hosts[0] if charts_of_hosts else _chart(part, lot)
        site = site_for(placement, part.charts, chart, earlier, lot.at("placement"))
        layers = site.kept(entry.drawn(part.charts[chart], lot.on(site)))
    return [(entry.kind, layer, chart) for layer in layers]


def _chart(part: Part, lot: Lot) -> int:
    """One of the part's charts, in proportion to the area of it that the camera faces."""
    if len(part.charts) == 1:
        return 0
    share = np.cumsum(part.chart_areas())
    return min(int(np.searchsorted(share, lot.chance("chart") * share[-1], side="right")), len(share) - 1)


def _ring_light(recipe: RingLightRecipe, centre: tuple[float, float], lot: Lot) -> Light:
    diameter = MM * lot.draw("diameter_mm", recipe.diameter_mm)
    if recipe.panel_length_mm is None:
        panel_length = closed_ring_panel_length(recipe.sides, diameter)
    else:
        panel_length = MM * lot.draw("panel_length_mm", recipe.panel_length_mm)
    power = lot.draw("power_w", recipe.power_w) / recipe.sides
    imbalance = lot.draw("imbalance", recipe.imbalance)
    shares = lot.at("shares").generator().uniform(-1, 1, recipe.sides)
    return Light(
        panels=ring_light(
            diameter=diameter,
            height=MM * lot.draw("height_mm", recipe.height_mm),
            panel_length=panel_length,
            panel_width=MM * lot.draw("panel_width_mm", recipe.panel_width_mm),
            tilt=math.radians(lot.draw("tilt_degrees", recipe.tilt_degrees)),
            rotation=math.radians(lot.draw("rotation_degrees", recipe.rotation_degrees)),
            scale=lot.draw("scale", recipe.scale),
            powers=tuple(power * (1 + imbalance * float(share)) for share in shares),
            centre=centre,
        ),
        ambient=lot.draw("ambient_w_per_m2_sr", recipe.ambient_w_per_m2_sr),
    )


def _camera(recipe: CameraRecipe, shape: Shape, centre: tuple[float, float], lot: Lot) -> Camera:
    focal_length = MM * lot.draw("focal_length_mm", recipe.focal_length_mm)
    sensor_width = MM * recipe.sensor_width_mm
    if recipe.working_distance_mm is None:
        columns, rows = recipe.resolution
        framed = max(shape.framed_width, shape.framed_height * columns / rows)
        field_width = framed * (1 + 2 * lot.draw("margin", recipe.margin))
    else:
        field_width = MM * lot.draw("working_distance_mm", recipe.working_distance_mm) * sensor_width / focal_length
    return camera_above(
        field_width=field_width,
        focal_length=focal_length,
        sensor_width=sensor_width,
        resolution=recipe.resolution,
        aperture_radius=0.0 if recipe.f_number is None else focal_length / (2 * lot.draw("f_number", recipe.f_number)),
        roll=math.radians(lot.draw("roll_degrees", recipe.roll_degrees)),
        centre=centre,
    )


def _sensor(recipe: SensorRecipe, lot: Lot) -> Sensor:
    return Sensor(
        exposure=lot.draw("exposure", recipe.exposure),
        vignetting=lot.draw("vignetting", recipe.vignetting),
        blur=lot.draw("blur_px", recipe.blur_px),
        full_well=recipe.full_well_electrons,
        read_noise=lot.draw("read_noise_electrons", recipe.read_noise_electrons),
        transfer=recipe.transfer,
        bits=recipe.bits,
        monochrome=recipe.monochrome,
        seed=lot.layer_seed(),
    )
