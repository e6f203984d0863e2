"""Drawing a concrete scene from a recipe: the one place where anything is random.

Every quantity has a generator of its own, keyed by seed, frame and the quantity's path in the recipe. So no quantity
depends on which others are drawn: a family that is switched off, or a number that becomes a distribution, changes
nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from procgen.cracks import CrackParameters
from procgen.finish import GroundFinish
from procgen.stains import WaterStains
from scenes.atlas import Chart
from scenes.distribution import Distribution
from scenes.imaging import camera_above, closed_ring_panel_length, pixel_footprint, ring_light
from scenes.parts import build_part
from scenes.recipe import (
    TEXELS_PER_PIXEL,
    ArcSegmentRecipe,
    CameraRecipe,
    CrackRecipe,
    GroundFinishRecipe,
    PartRecipe,
    PlateRecipe,
    Recipe,
    RingLightRecipe,
    SensorRecipe,
    WaterStainsRecipe,
)
from scenes.scene import (
    ArcSegment,
    Camera,
    CrackLayer,
    Light,
    Plate,
    Scene,
    SceneLayer,
    Sensor,
    Shape,
    WaterStainLayer,
)

MM = 1e-3
UM = 1e-6
CM2 = 1e-4

STEPS_PER_CORRELATION = 2  # of the grid on which a crack finds its way
MOST_STEPS = 400  # of that grid from end to end; a tenth of a second
TIP_TAPER = 0.15  # share of a crack's length over which it closes towards a tip inside the part


@dataclass(frozen=True)
class Lot:
    """The randomness of one frame at one place of the recipe."""

    seed: int
    index: int
    path: str = ""

    def at(self, name: str | int) -> Lot:
        return Lot(self.seed, self.index, f"{self.path}.{name}" if self.path else str(name))

    def generator(self) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.seed, self.index, crc32(self.path.encode())]))

    def draw(self, name: str, quantity: Distribution) -> float:
        return quantity.sample(self.at(name).generator())

    def whole(self, name: str, quantity: Distribution) -> int:
        return quantity.sample_whole(self.at(name).generator())

    def chance(self, name: str) -> float:
        """Uniform in [0, 1)."""
        return float(self.at(name).generator().random())

    def layer_seed(self) -> int:
        """A seed for what is simulated later."""
        return int(self.at("seed").generator().integers(2**31))


def draw(recipe: Recipe, seed: int, index: int) -> Scene:
    """The scene of frame `index` of a dataset with `seed`; the same arguments give the same scene, bit for bit.

    Raises ValueError for a negative seed or index.
    """
    if seed < 0 or index < 0:
        raise ValueError(f"seed {seed} and frame {index}: both count from 0")
    lot = Lot(seed, index)
    shape = _part(recipe.part, lot.at("part"))
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
        finish=_ground_finish(recipe.finish, lot.at("finish")),
        layers=_layers(recipe, surface, lot),
        classes=recipe.class_bits,
        texel_size=from_camera if recipe.texel_um is None else UM * recipe.texel_um,
        light=_ring_light(recipe.light, (offset[0], offset[1]), lot.at("light")),
        camera=camera,
        sensor=_sensor(recipe.sensor, lot.at("sensor")),
    )


def _part(recipe: PartRecipe, lot: Lot) -> Shape:
    match recipe:
        case PlateRecipe():
            return Plate(
                width=MM * lot.draw("width_mm", recipe.width_mm),
                height=MM * lot.draw("height_mm", recipe.height_mm),
                thickness=MM * lot.draw("thickness_mm", recipe.thickness_mm),
            )
        case ArcSegmentRecipe():
            return ArcSegment(
                radius=MM * lot.draw("radius_mm", recipe.radius_mm),
                width=MM * lot.draw("width_mm", recipe.width_mm),
                length=MM * lot.draw("length_mm", recipe.length_mm),
                thickness=MM * lot.draw("thickness_mm", recipe.thickness_mm),
            )


def _layers(recipe: Recipe, surface: Chart, lot: Lot) -> tuple[SceneLayer, ...]:
    """Defects first: they are in the surface, and impurities lie on it."""
    layers: list[SceneLayer] = []
    if "defects" not in recipe.switched_off:
        for position, defect in enumerate(recipe.defects):
            layers += _cracks(defect, surface, lot.at("defects").at(position))
    if "impurities" not in recipe.switched_off:
        for position, impurity in enumerate(recipe.impurities):
            layers += _water_stains(impurity, lot.at("impurities").at(position))
    return tuple(layers)


def _ground_finish(recipe: GroundFinishRecipe, lot: Lot) -> GroundFinish:
    lay = math.radians(lot.draw("lay_degrees", recipe.lay_degrees))
    brightness = lot.draw("brightness", recipe.brightness)
    red, green, blue = (
        min(1.0, brightness * lot.draw(f"base_colour.{channel}", quantity))
        for channel, quantity in enumerate(recipe.base_colour)
    )
    return GroundFinish(
        lay_direction=(math.cos(lay), math.sin(lay), 0.0),
        correlation_along=MM * lot.draw("correlation_along_mm", recipe.correlation_along_mm),
        correlation_across=MM * lot.draw("correlation_across_mm", recipe.correlation_across_mm),
        grain=lot.draw("grain", recipe.grain),
        grain_size=MM * lot.draw("grain_size_mm", recipe.grain_size_mm),
        height_rms=UM * lot.draw("height_rms_um", recipe.height_rms_um),
        base_colour=(red, green, blue),
        roughness=lot.draw("roughness", recipe.roughness),
        metallic=lot.draw("metallic", recipe.metallic),
        anisotropy=lot.draw("anisotropy", recipe.anisotropy),
        streaks=lot.draw("streaks", recipe.streaks),
        roughness_streaks=lot.draw("roughness_streaks", recipe.roughness_streaks),
        grooves=lot.draw("grooves", recipe.grooves),
        groove_depth=UM * lot.draw("groove_depth_um", recipe.groove_depth_um),
        mottle=lot.draw("mottle", recipe.mottle),
        mottle_size=MM * lot.draw("mottle_size_mm", recipe.mottle_size_mm),
        pit_density=lot.draw("pit_density_per_cm2", recipe.pit_density_per_cm2) / CM2,
        pit_radius=UM * lot.draw("pit_radius_um", recipe.pit_radius_um),
        pit_depth=UM * lot.draw("pit_depth_um", recipe.pit_depth_um),
        pit_darkening=lot.draw("pit_darkening", recipe.pit_darkening),
        seed=lot.layer_seed(),
    )


def _cracks(recipe: CrackRecipe, surface: Chart, lot: Lot) -> list[SceneLayer]:
    return [_crack(recipe, surface, lot.at(number)) for number in range(lot.whole("count", recipe.count))]


def _crack(recipe: CrackRecipe, surface: Chart, lot: Lot) -> CrackLayer:
    length = MM * lot.draw("length_mm", recipe.length_mm)
    turn = math.radians(lot.draw("angle_degrees", recipe.angle_degrees))
    if recipe.origin == "anywhere":
        (u, v), heading = _place_within(surface, lot), turn
        start = (u - length / 2 * math.cos(heading), v - length / 2 * math.sin(heading))
    else:
        start, inward = _place_on_border(surface, lot, ends_only=recipe.origin == "ends")
        heading = inward + turn
    correlation = MM * lot.draw("toughness_correlation_mm", recipe.toughness_correlation_mm)
    return CrackLayer(
        parameters=CrackParameters(
            width=UM * lot.draw("width_um", recipe.width_um),
            depth=UM * lot.draw("depth_um", recipe.depth_um),
            toughness_sigma=lot.draw("toughness_sigma", recipe.toughness_sigma),
            toughness_correlation=correlation,
            grid_spacing=max(correlation / STEPS_PER_CORRELATION, length / MOST_STEPS),
            width_variation=lot.draw("width_variation", recipe.width_variation),
            width_correlation=MM * lot.draw("width_correlation_mm", recipe.width_correlation_mm),
            start_taper=TIP_TAPER if recipe.origin == "anywhere" else 0.0,
            end_taper=TIP_TAPER,
        ),
        reflectance_change=lot.draw("reflectance_change", recipe.reflectance_change),
        roughness_change=lot.draw("roughness_change", recipe.roughness_change),
        start=start,
        end=(start[0] + length * math.cos(heading), start[1] + length * math.sin(heading)),
        seed=lot.layer_seed(),
    )


def _place_within(surface: Chart, lot: Lot) -> tuple[float, float]:
    """A point of the chart, uniform over its area."""
    return surface.size[0] * lot.chance("place.u"), surface.size[1] * lot.chance("place.v")


def _place_on_border(surface: Chart, lot: Lot, *, ends_only: bool) -> tuple[tuple[float, float], float]:
    """A point of the border, uniform over its length, and the direction (radians) from there into the chart.

    ends_only: of its lower and upper border.
    """
    width, height = surface.size
    along = lot.chance("place") * (2 * width if ends_only else 2 * (width + height))
    if along < width:
        return (along, 0.0), math.pi / 2
    if along < 2 * width:
        return (along - width, height), -math.pi / 2
    if along < 2 * width + height:
        return (0.0, along - 2 * width), 0.0
    return (width, along - 2 * width - height), math.pi


def _water_stains(recipe: WaterStainsRecipe, lot: Lot) -> list[SceneLayer]:
    if lot.chance("probability") >= recipe.probability:
        return []
    seed = lot.layer_seed()
    stains = WaterStains(
        cell_size=MM * lot.draw("cell_size_mm", recipe.cell_size_mm),
        radius=MM * lot.draw("radius_mm", recipe.radius_mm),
        frequency=lot.draw("frequency_per_mm", recipe.frequency_per_mm) / MM,
        amplitude=MM * lot.draw("amplitude_mm", recipe.amplitude_mm),
        gamma=lot.draw("gamma", recipe.gamma),
        alpha=lot.draw("alpha", recipe.alpha),
        occupancy=lot.draw("occupancy", recipe.occupancy),
        heterogeneity=lot.draw("heterogeneity", recipe.heterogeneity),
        roughness_change=lot.draw("roughness_change", recipe.roughness_change),
        seed=seed,
        noise_seed=seed,
    )
    return [WaterStainLayer(stains=stains)]


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
