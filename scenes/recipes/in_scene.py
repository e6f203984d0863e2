"""Drawing what lies on the objects of a user's scene, and the scene's record of it.

Each object draws from a stream of its own name and of the surface's number: none depends on which others there are, and
all views of a surface show the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from procgen.errors import BlemishError
from scenes.camera.light import Light
from scenes.catalogue.registry import SceneFinish, SceneLayer
from scenes.geometry.atlas import Part
from scenes.own_scene.record import OwnScene
from scenes.own_scene.variation import Variation
from scenes.quantities.random_stream import RandomStream
from scenes.recipes.recipe import Recipe
from scenes.recipes.sampling import draw_sensor, drawn_layers
from scenes.scene import Camera, Scene


@dataclass(frozen=True)
class DrawnObject:
    """What lies on one object: its finish, its layers, bottom first, and the chart of its part that each lies on."""

    finish: SceneFinish
    layers: tuple[SceneLayer, ...] = ()
    charts: tuple[int, ...] = ()


def check_entries(recipe: Recipe, parts: Mapping[str, Part]) -> None:
    """Raise BlemishError where an entry of the recipe, of any lot, cannot lie on one of the objects, by name."""
    for (name, part), lot in product(parts.items(), recipe.of_each_lot()):
        sizes = [chart.size for chart in part.charts]
        for family, entries in (("defects", lot.defects), ("impurities", lot.impurities)):
            for position, entry in enumerate(entries):
                if trouble := entry.trouble_on(lambda sizes=sizes: sizes):  # type: ignore[misc]
                    raise BlemishError(f"object {name}: {family}.{position}.{trouble}")


def draw_object(recipe: Recipe, seed: int, surface: int, name: str, part: Part) -> DrawnObject:
    """What lies on the object of this name, unwrapped into `part`, on one of the dataset's surfaces."""
    stream = RandomStream(seed, surface).at("objects").at(name)
    recipe, _ = recipe.of_surface(seed, surface)
    return DrawnObject(recipe.finish.sample(stream.at("finish")), *drawn_layers(recipe, part, stream))


def scene_of(
    recipe: Recipe,
    seed: int,
    index: int,
    views: int,
    camera: Camera,
    variation: Variation,
    own: OwnScene,
    objects: Mapping[str, DrawnObject],
) -> Scene:
    """The record of frame `index` of a dataset whose surfaces have so many views each.

    own, objects: by name, the same objects.
    """
    surface, view = divmod(index, views)
    stream = RandomStream(seed, index)
    recipe, lot = recipe.of_surface(seed, surface)
    drawn = [objects[thing.name] for thing in own.objects]
    return Scene(
        recipe_name=recipe.name,
        seed=seed,
        index=index,
        lot=lot,
        part=recipe.part.sample(stream.at("part")),
        finish=recipe.finish.sample(RandomStream(seed, surface).at("finish")),
        layers=tuple(layer for one in drawn for layer in one.layers),
        charts=tuple(chart for one in drawn for chart in one.charts),
        classes=recipe.class_bits,
        texel_size=min(thing.texel_size for thing in own.objects),
        light=Light(panels=(), ambient=0.0),
        camera=camera,
        sensor=draw_sensor(recipe.sensor, (camera.width, camera.height), stream.at("sensor")),
        surface=surface,
        view=view,
        variation=variation,
        own=own,
    )
