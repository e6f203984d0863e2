"""Drawing a concrete scene from a recipe: nothing after it is random.

Each kind of part, finish, defect and impurity draws itself, from the lot that it is handed; see `scenes.lot`.
"""

from __future__ import annotations

import math

from scenes.atlas import Chart
from scenes.imaging import camera_above, closed_ring_panel_length, pixel_footprint, ring_light
from scenes.kinds import SceneLayer
from scenes.lot import MM, UM, Lot
from scenes.parts import build_part
from scenes.recipe import TEXELS_PER_PIXEL, CameraRecipe, Recipe, RingLightRecipe, SensorRecipe
from scenes.scene import Camera, Light, Scene, Sensor


def draw(recipe: Recipe, seed: int, index: int) -> Scene:
    """The scene of frame `index` of a dataset with `seed`; the same arguments give the same scene, bit for bit.

    Raises ValueError for a negative seed or index.
    """
    if seed < 0 or index < 0:
        raise ValueError(f"seed {seed} and frame {index}: both count from 0")
    lot = Lot(seed, index)
    shape = recipe.part.drawn(lot.at("part"))
    surface = build_part(shape).surface
    offset = tuple(
        MM * lot.at("camera").draw(name, quantity)
        for name, quantity in (("offset_x_mm", recipe.camera.offset_x_mm), ("offset_y_mm", recipe.camera.offset_y_mm))
    )
    camera = _camera(recipe.camera, shape.width, (offset[0], offset[1]), lot.at("camera"))
    from_camera = pixel_footprint(camera, camera.focus_distance) / TEXELS_PER_PIXEL
    return Scene(
        recipe_name=recipe.name,
        seed=seed,
        index=index,
        part=shape,
        finish=recipe.finish.drawn(lot.at("finish")),
        layers=_layers(recipe, surface, lot),
        classes=recipe.class_bits,
        texel_size=from_camera if recipe.texel_um is None else UM * recipe.texel_um,
        light=_ring_light(recipe.light, (offset[0], offset[1]), lot.at("light")),
        camera=camera,
        sensor=_sensor(recipe.sensor, lot.at("sensor")),
    )


def _layers(recipe: Recipe, surface: Chart, lot: Lot) -> tuple[SceneLayer, ...]:
    """Defects first: they are in the surface, and impurities lie on it."""
    layers: list[SceneLayer] = []
    if "defects" not in recipe.switched_off:
        for position, defect in enumerate(recipe.defects):
            layers += defect.drawn(surface, lot.at("defects").at(position))
    if "impurities" not in recipe.switched_off:
        for position, impurity in enumerate(recipe.impurities):
            layers += impurity.drawn(surface, lot.at("impurities").at(position))
    return tuple(layers)


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


def _camera(recipe: CameraRecipe, part_width: float, centre: tuple[float, float], lot: Lot) -> Camera:
    focal_length = MM * lot.draw("focal_length_mm", recipe.focal_length_mm)
    sensor_width = MM * recipe.sensor_width_mm
    if recipe.working_distance_mm is None:
        field_width = part_width * (1 + 2 * lot.draw("margin", recipe.margin))
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
