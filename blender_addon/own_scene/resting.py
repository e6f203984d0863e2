"""Objects that are dropped, and where they come to rest: simulated by Blender's rigid bodies, the same every time."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.transform import Rotation

from blender_addon.errors import RenderError
from blender_addon.own_scene import placing
from blender_addon.rendering.mesh_export import SOLID
from blender_addon.rendering.triangles import triangles_of
from scenes.own_scene.variation import Drop, Pose

# The bodies are simulated as if the typical one had a radius of one unit, a size that Blender's tolerances suit. Where
# they come to rest does not depend on the scale.
GRAVITY = 9.81  # units/s²
MARGIN = 0.002  # units; between bodies that touch, twice that is free
FRAMES_PER_SECOND, SUBSTEPS = 24, 10
LONGEST = 40 * FRAMES_PER_SECOND  # frames after which what still rolls is taken as it is
STILL = 2e-4  # units a frame
STILL_FRAMES = 12
CLEARANCE = 0.05  # units between bodies at the start
BELOW = 3.0  # units beneath all that they fall on: what got there fell off
LEAST_MASS = 1e-3


@dataclass(frozen=True)
class Body:
    """A surface about its centre of mass: vertices in Blender's units, faces of three, farthest vertex, volume."""

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    centre: NDArray[np.float64]
    radius: float
    volume: float


def settle(scene: bpy.types.Scene, drop: Drop, originals: Mapping[str, placing.Matrix], metre: float) -> Drop:
    """The drop with the poses in which its things come to rest; those that fall off have none.

    originals: poses of the things in the file, which say their scale and, for some, how they are turned at the start.
    metre: how many of Blender's units one is. The scene is left as it was. Raises RenderError for what has no surface.
    """
    depsgraph = bpy.context.evaluated_depsgraph_get()
    ground = [_surface(scene.objects[name], depsgraph) for name in drop.onto]
    grounds = [
        (vertices @ pose[:3, :3].T + pose[:3, 3], faces)
        for (vertices, faces), pose in zip(
            ground, (placing.matrix_of(scene.objects[name]) for name in drop.onto), strict=True
        )
    ]
    bodies = []
    for thing in drop.things:
        vertices, faces = _surface(scene.objects[thing.name], depsgraph)
        bodies.append(_body(vertices @ originals[thing.name][:3, :3].T, faces))
    if not bodies:
        return drop.model_copy(update={"settled": True})
    unit = float(np.median([body.radius for body in bodies]))
    over = np.concatenate(
        [vertices for (vertices, _), name in zip(grounds, drop.onto, strict=True) if name in drop.over]
    )
    starts = _starts(drop, bodies, over, metre * drop.height, unit)
    lowest = min(float(vertices[:, 2].min()) for vertices, _ in grounds)
    rests = _simulated(drop, bodies, starts, grounds, unit, lowest)
    things = tuple(
        thing.model_copy(update={"rest": None if rest is None else _pose(rest, body, unit, metre)})
        for thing, body, rest in zip(drop.things, bodies, rests, strict=True)
    )
    return drop.model_copy(update={"things": things, "settled": True})


def _surface(thing: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Vertices and triangles of an object as it looks, in its own axes. Raises RenderError where it has none."""
    evaluated = thing.evaluated_get(depsgraph)
    mesh = evaluated.to_mesh() if thing.type in SOLID else None
    try:
        if mesh is None or not mesh.polygons:
            raise RenderError(f"object {thing.name}: found no faces; expected a surface that can fall or be fallen on")
        return triangles_of(mesh)
    finally:
        evaluated.to_mesh_clear()


def _body(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> Body:
    """A body of even density: of what its surface encloses, or else of its convex hull, or of its vertices alone."""
    corners = vertices[faces]
    middle = vertices.mean(axis=0)
    shares = np.einsum("ij,ij->i", corners[:, 0] - middle, np.cross(corners[:, 1] - middle, corners[:, 2] - middle)) / 6
    volume = abs(float(shares.sum()))
    try:
        hull = ConvexHull(vertices).volume
    except (QhullError, ValueError):  # flat
        hull = 0.0
    if volume > 0.02 * hull > 0:
        centre = middle + (shares[:, None] * (corners.sum(axis=1) - 3 * middle) / 4).sum(axis=0) / shares.sum()
    else:
        centre, volume = (vertices.min(axis=0) + vertices.max(axis=0)) / 2, hull
    about = vertices - centre
    return Body(about, faces, centre, float(np.linalg.norm(about, axis=1).max()), volume)


def _starts(
    drop: Drop, bodies: Sequence[Body], over: NDArray[np.float64], height: float, unit: float
) -> list[NDArray[np.float64]]:
    """Where the bodies' centres are at the start: each as low as it clears the ground and those before it."""
    low, high = over.min(axis=0), over.max(axis=0)
    placed: list[tuple[NDArray[np.float64], float]] = []
    for thing, body in zip(drop.things, bodies, strict=True):
        free = np.maximum((high[:2] - low[:2]) / 2 - body.radius, 0.0)
        across = (low[:2] + high[:2]) / 2 + drop.spread * free * np.array(thing.across)
        upright = high[2] + height + body.radius
        for other, radius in placed:
            reach, aside = body.radius + radius + CLEARANCE * unit, float(np.linalg.norm(across - other[:2]))
            if aside < reach:
                upright = max(upright, float(other[2]) + float(np.sqrt(reach**2 - aside**2)))
        placed.append((np.array([*across, upright]), body.radius))
    return [centre for centre, _ in placed]


def _simulated(
    drop: Drop,
    bodies: Sequence[Body],
    starts: Sequence[NDArray[np.float64]],
    grounds: Sequence[tuple[NDArray[np.float64], NDArray[np.int64]]],
    unit: float,
    lowest: float,
) -> list[placing.Matrix | None]:
    """The bodies' poses at rest, in units; None for those that fell off."""
    window = bpy.context.window_manager.windows[0]
    shown = window.scene
    scene = bpy.data.scenes.new("blemish drop")
    window.scene = scene  # only the scene that a window shows is simulated
    things: list[bpy.types.Object] = []
    collection = bpy.data.collections.new("blemish drop")
    try:
        with bpy.context.temp_override(scene=scene):
            bpy.ops.rigidbody.world_add()
        world = scene.rigidbody_world
        world.collection = collection
        world.substeps_per_frame, world.solver_iterations = SUBSTEPS, 40
        world.point_cache.frame_start, world.point_cache.frame_end = 1, LONGEST
        scene.gravity = (0.0, 0.0, -GRAVITY)
        scene.render.fps, scene.render.fps_base = FRAMES_PER_SECOND, 1.0
        origin = starts[0]
        for vertices, faces in grounds:
            thing = _rigid(scene, collection, (vertices - origin) / unit, faces, "PASSIVE", "MESH", drop)
            things.append(thing)
        falling = []
        for dropped, body, start in zip(drop.things, bodies, starts, strict=True):
            shape = "MESH" if drop.shape == "mesh" else "CONVEX_HULL"
            thing = _rigid(scene, collection, body.vertices / unit, body.faces, "ACTIVE", shape, drop)
            thing.location = (start - origin) / unit
            thing.rotation_mode = "QUATERNION"
            thing.rotation_quaternion = dropped.rotation or (1.0, 0.0, 0.0, 0.0)
            thing.rigid_body.mass = max(body.volume / unit**3, LEAST_MASS)
            falling.append(thing)
        things += falling
        poses = _run(scene, falling, (lowest - origin[2]) / unit - BELOW)
    finally:
        window.scene = shown
        for thing in things:
            mesh = thing.data
            bpy.data.objects.remove(thing)
            bpy.data.meshes.remove(mesh)
        bpy.data.collections.remove(collection)
        bpy.data.scenes.remove(scene)
    for pose in poses:
        if pose is not None:
            pose[:3, 3] += origin / unit
    return poses


def _rigid(
    scene: bpy.types.Scene,
    collection: bpy.types.Collection,
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    kind: str,
    shape: str,
    drop: Drop,
) -> bpy.types.Object:
    """A rigid body of a scene that only simulates."""
    mesh = bpy.data.meshes.new("blemish drop")
    mesh.from_pydata(vertices.tolist(), [], faces.tolist())
    mesh.update()
    thing = bpy.data.objects.new("blemish drop", mesh)
    scene.collection.objects.link(thing)
    collection.objects.link(thing)
    body = thing.rigid_body
    body.type, body.collision_shape = kind, shape
    body.mesh_source = "BASE"
    body.use_margin, body.collision_margin = True, MARGIN
    body.friction, body.restitution = drop.friction, drop.bounce
    if kind == "ACTIVE":
        body.use_deactivation = True
        body.deactivate_linear_velocity = body.deactivate_angular_velocity = 0.05
    return thing


def _run(scene: bpy.types.Scene, falling: Sequence[bpy.types.Object], bottom: float) -> list[placing.Matrix | None]:
    """Step until everything lies still; gives poses, None for what is below `bottom`."""
    before: NDArray[np.float64] | None = None
    still = 0
    for number in itertools.count(1):
        scene.frame_set(number)
        depsgraph = bpy.context.evaluated_depsgraph_get()
        now = np.array([placing.matrix_of(thing.evaluated_get(depsgraph)) for thing in falling])
        lying = now[:, 2, 3] >= bottom
        if before is not None:
            quiet = np.abs(now - before)[lying].max(initial=0.0) < STILL
            still = still + 1 if quiet else 0
        if still >= STILL_FRAMES or number == LONGEST:
            break
        before = now
    return [pose if on else None for pose, on in zip(now, lying, strict=True)]


def _pose(rest: placing.Matrix, body: Body, unit: float, metre: float) -> Pose:
    """A body's pose as that of its object: where its origin is, and how it is turned from how the file has it."""
    rotation = Rotation.from_matrix(rest[:3, :3])
    x, y, z = ((unit * rest[:3, 3] - rotation.apply(body.centre)) / metre).tolist()
    w, i, j, k = rotation.as_quat(canonical=True, scalar_first=True).tolist()
    return Pose(position=(x, y, z), rotation=(w, i, j, k))
