"""Drawing how a frame's scene differs from the user's file: nothing after it is random."""

from __future__ import annotations

import math
from collections.abc import Iterator

from procgen.errors import BlemishError
from scenes.own_scene.black_body import black_body_colour
from scenes.own_scene.contents import Contents, found_in
from scenes.own_scene.section import (
    ClutterRecipe,
    ConveyorRecipe,
    LightsRecipe,
    OwnSceneRecipe,
    PoseRecipe,
    RestingRecipe,
    WorldRecipe,
)
from scenes.own_scene.variation import Drop, Dropped, Moved, Quaternion, Variation, VariedLight, VariedWorld
from scenes.quantities.random_stream import Colour, RandomStream
from scenes.quantities.units import MM

WHITE: Colour = (1.0, 1.0, 1.0)


def draw_variation(section: OwnSceneRecipe, contents: Contents, stream: RandomStream) -> Variation:
    """What of the scene differs in one frame; the same arguments give the same, bit for bit.

    stream: of the surface's number, at the recipe's `scene`: views of one surface share it. What each object draws
    depends on its name, not on which others there are. Raises BlemishError where the section names what is not there.
    """
    moved = [
        *(_conveyed(section.conveyor, contents, stream.at("conveyor")) if section.conveyor else ()),
        *(move for k, pose in enumerate(section.pose) for move in _posed(pose, k, contents, stream.at("pose").at(k))),
    ]
    hidden: list[str] = []
    hidden_collections: list[str] = []
    for k, clutter in enumerate(section.clutter):
        names, collections = _hidden(clutter, k, contents, stream.at("clutter").at(k))
        hidden += names
        hidden_collections += collections
    drop = None
    if section.resting is not None:
        drop, left_out = _dropped(section.resting, contents, stream.at("resting"))
        hidden += left_out
        both = sorted({move.name for move in moved} & {*left_out, *(thing.name for thing in drop.things)})
        if both:
            raise BlemishError(
                f"{contents.blend}: {both[0]} is both dropped and moved; expected it in the recipe's scene.resting, or "
                "in scene.pose and scene.conveyor"
            )
    frame = section.camera_frame
    lights = [_lit(lights, k, contents, stream.at("lights").at(k)) for k, lights in enumerate(section.lights)]
    return Variation(
        hidden=tuple(dict.fromkeys(hidden)),
        hidden_collections=tuple(dict.fromkeys(hidden_collections)),
        moved=tuple(moved),
        drop=drop,
        camera_frame=None if frame is None else stream.draw("camera_frame", frame),
        lights=tuple(light for entry in lights for light in entry),
        world=None if section.world is None else _world(section.world, stream.at("world")),
        background=None if section.background is None else section.background.draw(stream, "background"),
    )


def _of(contents: Contents, field: str, patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the objects that a field names; those that are inspected where it names none."""
    return found_in(contents, field, patterns, contents.objects) if patterns else contents.inspected


def _conveyed(conveyor: ConveyorRecipe, contents: Contents, stream: RandomStream) -> Iterator[Moved]:
    direction = math.radians(conveyor.direction_degrees)
    along, left = (math.cos(direction), math.sin(direction)), (-math.sin(direction), math.cos(direction))
    travel = stream.draw("travel_mm", conveyor.travel_mm)
    for name in _of(contents, "scene.conveyor.objects", conveyor.objects):
        own = stream.at(name)
        run = MM * (travel + own.draw("along_mm", conveyor.along_mm))
        aside = MM * own.draw("across_mm", conveyor.across_mm)
        shift = (run * along[0] + aside * left[0], run * along[1] + aside * left[1], 0.0)
        turn = (0.0, 0.0, math.radians(own.draw("turn_degrees", conveyor.turn_degrees)))
        yield Moved(name=name, axes="world", shift=shift, turn=turn)


def _posed(pose: PoseRecipe, position: int, contents: Contents, stream: RandomStream) -> Iterator[Moved]:
    for name in _of(contents, f"scene.pose.{position}.objects", pose.objects):
        drawn = stream.at(name).quantities(pose)
        shift = (drawn["shift_x"], drawn["shift_y"], drawn["shift_z"])
        turn = (drawn["turn_x"], drawn["turn_y"], drawn["turn_z"])
        yield Moved(name=name, axes=pose.axes, shift=shift, turn=turn)


def _hidden(
    clutter: ClutterRecipe, position: int, contents: Contents, stream: RandomStream
) -> tuple[list[str], list[str]]:
    """Objects and collections that are not there in a frame."""
    field = f"scene.clutter.{position}"
    objects = found_in(contents, f"{field}.objects", clutter.objects, contents.objects)
    collections = found_in(contents, f"{field}.collections", clutter.collections, contents.collections)
    return (
        [name for name in objects if stream.at("objects").chance(name) >= clutter.probability],
        [name for name in collections if stream.at("collections").chance(name) >= clutter.probability],
    )


def _dropped(resting: RestingRecipe, contents: Contents, stream: RandomStream) -> tuple[Drop, list[str]]:
    """What is dropped, and what a frame leaves out of it."""
    names = _of(contents, "scene.resting.objects", resting.objects)
    onto, over = (
        tuple(name for name in found_in(contents, field, patterns, contents.objects) if name not in names)
        for field, patterns in (("scene.resting.onto", resting.onto), ("scene.resting.onto.0", resting.onto[:1]))
    )
    if not over:
        raise BlemishError(
            f"{contents.blend}: all that the recipe's scene.resting.onto.0 names is dropped itself; expected something "
            "that it falls on"
        )
    shown = len(names) if resting.count is None else min(len(names), stream.whole("count", resting.count))
    # In the order of numbers of their own, so that one object more or less changes no other's.
    order = sorted(names, key=lambda name: stream.at(name).chance("order"))
    things = tuple(
        Dropped(
            name=name,
            across=(2 * stream.at(name).chance("x") - 1, 2 * stream.at(name).chance("y") - 1),
            rotation=_any_rotation(stream.at(name)) if resting.start == "any" else None,
        )
        for name in order[:shown]
    )
    drop = Drop(
        onto=onto,
        over=over,
        things=things,
        spread=stream.draw("spread", resting.spread),
        height=MM * stream.draw("height_mm", resting.height_mm),
        shape=resting.shape,
        friction=stream.draw("friction", resting.friction),
        bounce=stream.draw("bounce", resting.bounce),
    )
    return drop, order[shown:]


def _any_rotation(stream: RandomStream) -> Quaternion:
    """One of all rotations, equally likely [Shoemake 1992]."""
    share, first, second = (stream.chance(f"rotation.{number}") for number in range(3))
    low, high = math.sqrt(1 - share), math.sqrt(share)
    first, second = 2 * math.pi * first, 2 * math.pi * second
    return high * math.cos(second), low * math.sin(first), low * math.cos(first), high * math.sin(second)


def _lit(lights: LightsRecipe, position: int, contents: Contents, stream: RandomStream) -> list[VariedLight]:
    turn = math.radians(stream.draw("turn_degrees", lights.turn_degrees))
    found = []
    for name in found_in(contents, f"scene.lights.{position}.lights", lights.lights, contents.lights):
        own = stream if lights.together else stream.at(name)
        strength, tint = own.draw("strength", lights.strength), _tint(lights, own)
        found.append(VariedLight(name=name, strength=strength, tint=tint, turn=turn))
    return found


def _tint(lights: LightsRecipe, stream: RandomStream) -> Colour:
    if lights.temperature_kelvin is not None:
        return black_body_colour(stream.draw("temperature_kelvin", lights.temperature_kelvin))
    return WHITE if lights.tint is None else stream.colour("tint", lights.tint)


def _world(world: WorldRecipe, stream: RandomStream) -> VariedWorld:
    return VariedWorld(
        turn=math.radians(stream.draw("turn_degrees", world.turn_degrees)),
        strength=stream.draw("strength", world.strength),
        hdri=None if world.hdris is None else world.hdris.draw(stream, "hdris"),
    )
