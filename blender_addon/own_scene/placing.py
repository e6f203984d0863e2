"""Where objects stand: set exactly, and independently of what moved them in the user's file."""

from __future__ import annotations

import bpy
import mathutils
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from scenes.own_scene.variation import Moved, Pose

Matrix = NDArray[np.float64]


def moved(matrix: Matrix, move: Moved, metre: float) -> Matrix:
    """A 4 × 4 pose after a move; metre: how many of Blender's units one is."""
    own = _directions(matrix[:3, :3]) if move.axes == "own" else np.eye(3)
    turn = own @ Rotation.from_euler("xyz", move.turn).as_matrix() @ own.T
    result = matrix.copy()
    result[:3, :3] = turn @ matrix[:3, :3]
    result[:3, 3] += metre * own @ np.array(move.shift)
    return result


def turned_about(matrix: Matrix, axis: tuple[float, float], angle: float) -> Matrix:
    """A 4 × 4 pose, turned about the upright axis through (x, y) by radians."""
    turn = Rotation.from_euler("z", angle).as_matrix()
    centre = np.array([*axis, 0.0])
    result = matrix.copy()
    result[:3, :3] = turn @ matrix[:3, :3]
    result[:3, 3] = centre + turn @ (matrix[:3, 3] - centre)
    return result


def at_rest(matrix: Matrix, rest: Pose, metre: float) -> Matrix:
    """A 4 × 4 pose that keeps its scale, turned from how it is and put where it rests."""
    result = matrix.copy()
    result[:3, :3] = Rotation.from_quat(rest.rotation, scalar_first=True).as_matrix() @ matrix[:3, :3]
    result[:3, 3] = metre * np.array(rest.position)
    return result


def _directions(linear: Matrix) -> Matrix:
    """The rotation next to a matrix that may also scale, mirror and shear; columns are an object's own axes."""
    left, _, right = np.linalg.svd(linear)
    if np.linalg.det(left @ right) < 0:
        left[:, -1] *= -1
    return np.asarray(left @ right)


def matrix_of(thing: bpy.types.Object) -> Matrix:
    """The object's pose in the world as it was last evaluated."""
    return np.array(thing.matrix_world, dtype=np.float64)


def detach(thing: bpy.types.Object, anchor: bpy.types.Object) -> Matrix:
    """Have an object stand where it is, whatever its parent, constraints and animation say; gives its pose.

    anchor: an object at the origin, whose child it becomes: the inverse of a parent keeps any matrix to the last bit,
    shear too, which place, rotation and scale do not.
    """
    matrix = matrix_of(thing)
    thing.animation_data_clear()
    thing.constraints.clear()
    thing.parent, thing.parent_type = anchor, "OBJECT"
    for place in ("location", "delta_location", "rotation_euler", "delta_rotation_euler"):
        setattr(thing, place, (0.0, 0.0, 0.0))
    thing.rotation_mode = "XYZ"
    thing.scale = thing.delta_scale = (1.0, 1.0, 1.0)
    put(thing, matrix)
    return matrix


def put(thing: bpy.types.Object, matrix: Matrix) -> None:
    """Place an object that was detached."""
    thing.matrix_parent_inverse = mathutils.Matrix(matrix.tolist())


def anchor_in(scene: bpy.types.Scene) -> bpy.types.Object:
    """A new object at the origin that shows nothing."""
    anchor = bpy.data.objects.new("blemish anchor", None)
    anchor.hide_render = True
    scene.collection.objects.link(anchor)
    return anchor
