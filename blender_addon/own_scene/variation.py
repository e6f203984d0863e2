"""A scene of the user brought to what a frame's record says, from how the file has it, whatever was shown before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from blender_addon.own_scene import placing, resting, surroundings
from blender_addon.own_scene.lights import OriginalLight, is_light, original_light
from scenes.own_scene.contents import Contents, found_in, views
from scenes.own_scene.section import OwnSceneRecipe
from scenes.own_scene.variation import Variation
from scenes.quantities.distribution import Constant

LENS = ("lens", "ortho_scale", "shift_x", "shift_y")
FOCUS = ("focus_distance", "aperture_fstop")


def contents_of(scene: bpy.types.Scene, inspected: Sequence[str]) -> Contents:
    """Names of what the scene that is open holds, in alphabetical order; inspected: those of the inspected objects."""
    things = sorted(scene.objects, key=lambda thing: thing.name)
    return Contents(
        blend=bpy.data.filepath or "the scene that is open",
        objects=tuple(thing.name for thing in things),
        inspected=tuple(inspected),
        lights=tuple(thing.name for thing in things if is_light(thing)),
        cameras=tuple(thing.name for thing in things if thing.type == "CAMERA"),
        camera=None if scene.camera is None else scene.camera.name,
        collections=tuple(sorted(collection.name for collection in scene.collection.children_recursive)),
    )


@dataclass(frozen=True)
class OriginalCamera:
    """A camera that stands still, its pose and lens in the file, and its twin that goes on along the animation."""

    thing: bpy.types.Object
    twin: bpy.types.Object
    pose: placing.Matrix

    def show(self, pose: placing.Matrix) -> None:
        """Take a pose, and the lens that the twin has now."""
        placing.put(self.thing, pose)
        lens, other = self.thing.data, self.twin.data
        for name in LENS:
            setattr(lens, name, getattr(other, name))
        for name in FOCUS:
            setattr(lens.dof, name, getattr(other.dof, name))


class Original:
    """The scene as the file has it, to which every frame goes back before it is varied.

    Opening it fixes in place what the section may move, and takes from it parents, constraints and animation: this is
    for a copy of the user's file that is never saved. Raises BlemishError where the section names what is not there.
    """

    def __init__(self, scene: bpy.types.Scene, section: OwnSceneRecipe, contents: Contents) -> None:
        self.scene, self.section = scene, section
        self.metre = 1.0 / scene.unit_settings.scale_length
        self._anchor = placing.anchor_in(scene)
        self._update()
        self._stop_simulation()
        self._cameras = self._followed(contents)
        self._lights = self._varied_lights(contents)
        self._poses = {
            name: placing.detach(scene.objects[name], self._anchor)
            for name in self._movable(contents)
            if name not in self._lights or self._lights[name].pose is None
        }
        self._hidden = {
            hideable: (hideable.hide_render, hideable.hide_viewport)
            for hideable in (*scene.objects, *scene.collection.children_recursive)
        }
        self._inspected = contents.inspected
        self._world, self._transparent = scene.world, scene.render.film_transparent
        self._update()
        self.axis = self._middle()

    def vary(self, variation: Variation) -> Variation:
        """Bring the scene to what a record says; gives the record with the poses in which what is dropped rests.

        Raises BlemishError where it names what is not there, or a picture that is another.
        """
        self.restore()
        self._hide(variation)
        self._move(variation)
        if variation.drop is not None:
            variation = self._drop(variation)
        self._look(variation)
        for light in variation.lights:
            self._lights[light.name].vary(light, self.axis)
        self._surround(variation)
        self._update()
        return variation

    def restore(self) -> None:
        """Bring the scene back to how the file has it."""
        for hideable, (in_render, in_viewport) in self._hidden.items():
            hideable.hide_render, hideable.hide_viewport = in_render, in_viewport
        for name, pose in self._poses.items():
            placing.put(self.scene.objects[name], pose)
        for camera in self._cameras:
            camera.show(camera.pose)
        for light in self._lights.values():
            light.restore()
        self.scene.render.film_transparent = self._transparent
        if self.scene.world != self._world:
            varied, self.scene.world = self.scene.world, self._world
            surroundings.remove(varied)
        self._update()

    def _movable(self, contents: Contents) -> tuple[str, ...]:
        """What the section may move, and what it may hide and an animation could show again."""
        section, names = self.section, list[str]()
        for field, entries in (
            ("pose", section.pose),
            ("conveyor", (section.conveyor,) if section.conveyor else ()),
            ("resting", (section.resting,) if section.resting else ()),
        ):
            for entry in entries:
                patterns = entry.objects
                found = found_in(contents, f"scene.{field}", patterns, contents.objects) if patterns else None
                names += contents.inspected if found is None else found
        for clutter in section.clutter:
            found = found_in(contents, "scene.clutter", clutter.objects, contents.objects)
            names += [name for name in found if self.scene.objects[name].animation_data is not None]
        return tuple(dict.fromkeys(names))

    def _followed(self, contents: Contents) -> tuple[OriginalCamera, ...]:
        """The cameras, each with a twin that keeps its animation, where the section takes them along that."""
        if self.section.camera_frame is None:
            return ()
        pairs = []
        for name in views(self.section, contents):
            thing = self.scene.objects[name]
            twin = thing.copy()
            twin.data = thing.data.copy()
            self.scene.collection.objects.link(twin)
            pairs.append((thing, twin))
        self._update()
        followed = []
        for thing, twin in pairs:
            thing.data = thing.data.copy()
            thing.data.animation_data_clear()
            followed.append(OriginalCamera(thing, twin, placing.detach(thing, self._anchor)))
        return tuple(followed)

    def _varied_lights(self, contents: Contents) -> dict[str, OriginalLight]:
        turning: dict[str, bool] = {}
        for lights in self.section.lights:
            turns = lights.turn_degrees != Constant(0.0)
            for name in found_in(contents, "scene.lights", lights.lights, contents.lights):
                turning[name] = turning.get(name, False) or turns
        return {
            name: original_light(self.scene.objects[name], self._anchor, turns=turns) for name, turns in turning.items()
        }

    def _middle(self) -> tuple[float, float]:
        """x and y of the middle of all that is inspected, as the file has it."""
        corners = [
            placing.matrix_of(thing)[:3] @ (*corner, 1.0)
            for thing in (self.scene.objects[name] for name in self._inspected)
            for corner in thing.bound_box
        ]
        low, high = np.min(corners, axis=0), np.max(corners, axis=0)
        x, y, _ = ((low + high) / 2).tolist()
        return x, y

    def _hide(self, variation: Variation) -> None:
        for name in variation.hidden:
            self._hide_object(name)
        for collection in self.scene.collection.children_recursive:
            if collection.name in variation.hidden_collections:
                collection.hide_render = collection.hide_viewport = True

    def _hide_object(self, name: str) -> None:
        """Hide an object with all that hangs on it."""
        thing = self.scene.objects[name]
        for hidden in (thing, *thing.children_recursive):
            hidden.hide_render = hidden.hide_viewport = True

    def _move(self, variation: Variation) -> None:
        poses: dict[str, placing.Matrix] = {}
        for move in variation.moved:
            before = poses.get(move.name, self._poses[move.name])
            poses[move.name] = placing.moved(before, move, self.metre)
        for name, pose in poses.items():
            placing.put(self.scene.objects[name], pose)

    def _drop(self, variation: Variation) -> Variation:
        drop = variation.drop
        assert drop is not None
        if not drop.settled:
            self._update()
            drop = resting.settle(self.scene, drop, self._poses, self.metre)
        for thing in drop.things:
            if thing.rest is None:
                self._hide_object(thing.name)
            else:
                pose = placing.at_rest(self._poses[thing.name], thing.rest, self.metre)
                placing.put(self.scene.objects[thing.name], pose)
        return variation.model_copy(update={"drop": drop})

    def _look(self, variation: Variation) -> None:
        """Have the cameras stand where they are at another frame of the animation."""
        if variation.camera_frame is None:
            return
        now = (self.scene.frame_current, self.scene.frame_subframe)
        whole = int(np.floor(variation.camera_frame))
        self.scene.frame_set(whole, subframe=variation.camera_frame - whole)
        for camera in self._cameras:
            camera.show(placing.matrix_of(camera.twin))
        self.scene.frame_set(now[0], subframe=now[1])

    def _surround(self, variation: Variation) -> None:
        varied, background = variation.world, variation.background
        if varied is None and background is None:
            return
        world = surroundings.world_with_nodes(self._world)
        if varied is not None:
            hdris = None if self.section.world is None else self.section.world.hdris
            hdri = None if varied.hdri is None or hdris is None else hdris.path_of(varied.hdri)
            surroundings.vary(world, varied, hdri)
        if background is not None and self.section.background is not None:
            render = self.scene.render
            aspect = render.resolution_x * render.pixel_aspect_x / (render.resolution_y * render.pixel_aspect_y)
            surroundings.put_behind(world, self.section.background.path_of(background), aspect)
            render.film_transparent = False
        self.scene.world = world

    def _stop_simulation(self) -> None:
        """Have the bodies of the file's own simulation stand as they are when it opens."""
        world = self.scene.rigidbody_world
        if world is not None and world.collection is not None:
            for thing in list(world.collection.objects):
                placing.detach(thing, self._anchor)
            world.enabled = False

    def _update(self) -> None:
        bpy.context.view_layer.update()
