"""A camera of the user's scene as rays through its pixels' centres, and as a record."""

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from blender_addon.errors import RenderError
from scenes.scene import Camera

Floats = NDArray[np.float64]
ORTHOGRAPHIC, PERSPECTIVE = "ORTHO", "PERSP"


@dataclass(frozen=True)
class View:
    """What a camera sees, in units of the scene.

    axes: (3, 3), columns to the right, up and backwards. corners: left, right, bottom and top of the picture at
    distance 1 before a perspective camera, and anywhere before an orthographic one. size: (width, height) pixels.
    """

    position: Floats
    axes: Floats
    corners: tuple[float, float, float, float]
    size: tuple[int, int]
    is_parallel: bool

    def ray(self, row: int, column: int) -> tuple[Floats, Floats]:
        """Origin and direction, of any length, through the centre of a pixel."""
        left, right, bottom, top = self.corners
        x = left + (column + 0.5) / self.size[0] * (right - left)
        y = top + (row + 0.5) / self.size[1] * (bottom - top)
        if self.is_parallel:
            return self.position + self.axes[:, :2] @ np.array([x, y]), -self.axes[:, 2]
        return self.position, self.axes @ np.array([x, y, -1.0])

    def depths(self, points: Floats) -> Floats:
        """(N,) how far points (N, 3) lie before the camera, along its axis."""
        depths: Floats = -((points - self.position) @ self.axes[:, 2])
        return depths

    def frames(self, points: Floats) -> NDArray[np.bool_]:
        """(N,) which of points (N, 3) lie before the camera and within its picture, seen or hidden."""
        across = (points - self.position) @ self.axes
        depth = -across[:, 2]
        scale = np.ones_like(depth) if self.is_parallel else np.where(depth > 0, depth, 1.0)
        x, y = across[:, 0] / scale, across[:, 1] / scale
        left, right, bottom, top = self.corners
        inside: NDArray[np.bool_] = (depth > 0) & (left <= x) & (x <= right) & (bottom <= y) & (y <= top)
        return inside

    def cosines(self, points: Floats, normals: Floats) -> Floats:
        """(N,) cosine between the unit normals (N, 3) at points (N, 3) and the direction to the camera."""
        towards = np.broadcast_to(self.axes[:, 2], points.shape) if self.is_parallel else self.position - points
        cosines: Floats = np.einsum("nk,nk->n", normals, towards / np.linalg.norm(towards, axis=1, keepdims=True))
        return cosines

    def pixel(self, depth: float) -> float:
        """Width of what a pixel sees at this depth."""
        left, right, _, _ = self.corners
        return (right - left) / self.size[0] * (1.0 if self.is_parallel else depth)


def view_of(camera: bpy.types.Object, scene: bpy.types.Scene) -> View:
    """What a camera of the scene sees now. Raises RenderError for a panorama."""
    lens = camera.data
    if lens.type not in (PERSPECTIVE, ORTHOGRAPHIC):
        raise RenderError(
            f"camera {camera.name}: found the type {lens.type}; expected a perspective or an orthographic camera"
        )
    evaluated = camera.evaluated_get(bpy.context.evaluated_depsgraph_get())
    pose = evaluated.matrix_world.normalized()
    frame = np.array(evaluated.data.view_frame(scene=scene), dtype=np.float64)
    parallel = lens.type == ORTHOGRAPHIC
    flat = frame[:, :2] if parallel else frame[:, :2] / -frame[:, 2:]
    (left, bottom), (right, top) = flat.min(axis=0).tolist(), flat.max(axis=0).tolist()
    turned = np.array(pose, dtype=np.float64)
    size = scene.render.resolution_x, scene.render.resolution_y
    return View(turned[:3, 3], turned[:3, :3], (left, right, bottom, top), size, parallel)


def record_of(camera: bpy.types.Object, view: View, unit: float) -> Camera:
    """The camera as a frame's record has it, in metres; of an orthographic one as it is seen from afar.

    unit: metres of a unit of the scene.
    """
    lens = camera.data
    left, right, _, _ = view.corners
    focal_length = lens.lens * 1e-3
    if lens.dof.focus_object:
        distance = float(view.depths(np.array([lens.dof.focus_object.matrix_world.translation]))[0])
    else:
        distance = lens.dof.focus_distance
    return Camera(
        position=tuple((view.position * unit).tolist()),
        forward=tuple((-view.axes[:, 2]).tolist()),
        up=tuple(view.axes[:, 1].tolist()),
        focal_length=focal_length,
        sensor_width=(right - left) * (unit if view.is_parallel else focal_length),
        width=view.size[0],
        height=view.size[1],
        aperture_radius=focal_length / (2 * lens.dof.aperture_fstop) if lens.dof.use_dof else 0.0,
        focus_distance=max(distance * unit, 1e-6),
    )
