"""On parts with an atlas of several charts, masks are what a ray through the pixel's centre meets on the mesh."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scenes import Dataset, Recipe, Scene, build_part, load_recipe, surface_maps
from scenes.geometry.atlas import INSPECTED, texture
from tests.blender_addon.ray_cast import look_up, near_border, rays
from tests.blender_addon.recipes import changed

trimesh = pytest.importorskip("trimesh")
pytestmark = pytest.mark.render
Render = Callable[[Recipe, int], Dataset]
LABELS = ("classes", "defects", "impurities")
NEAR = 0.02  # texels; Cycles computes in float32, and the atlas is a thousand texels wide
FIELD = (96, 80)


def crowded_with(part: dict[str, object]) -> Recipe:
    """The plate's defects and stains, many of them, on another part."""
    recipe = changed(
        load_recipe("plate"),
        camera={"resolution": list(FIELD), "margin": 0.05},
        defects={"count": 6, "width_um": 1500, "length_mm": 20},
        impurities={"probability": 1, "occupancy": 1, "cell_size_mm": 12, "radius_mm": 6, "amplitude_mm": 2},
    )
    return Recipe.model_validate({**recipe.model_dump(mode="json"), "name": str(part["kind"]), "part": part})


def seen_texels(scene: Scene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row, column) texel coordinates of what trimesh's rays meet, each (H, W), NaN off the part, and the face met."""
    part = build_part(scene.part)
    atlas = texture(part, scene.texel_size)
    quads = part.mesh.faces[:, 3] >= 0
    triangles = np.concatenate([part.mesh.faces[:, [0, 1, 2]], part.mesh.faces[quads][:, [0, 2, 3]]])
    uvs = np.concatenate([atlas.uvs[:, [0, 1, 2]], atlas.uvs[quads][:, [0, 2, 3]]])
    inspected = np.concatenate([part.mesh.materials, part.mesh.materials[quads]]) == INSPECTED
    origin, directions = rays(scene)
    directions = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    hit = first_hits(part.mesh.vertices[triangles], origin, directions.reshape(-1, 3))
    texels = np.full((len(hit), 2), np.nan)
    met = hit >= 0
    corners = part.mesh.vertices[triangles[hit[met]]]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    ray = directions.reshape(-1, 3)[met]
    along = np.einsum("nk,nk->n", corners[:, 0] - origin, normal) / np.einsum("nk,nk->n", ray, normal)
    weights = trimesh.triangles.points_to_barycentric(corners, origin + along[:, None] * ray)
    texels[met] = np.einsum("nk,nkj->nj", weights, uvs[hit[met]]) * (atlas.shape[1], atlas.shape[0])
    texels[met & ~inspected[hit]] = np.nan
    rows, columns = texels[:, 1].reshape(directions.shape[:2]), texels[:, 0].reshape(directions.shape[:2])
    return rows, columns, hit.reshape(directions.shape[:2])


def first_hits(triangles: np.ndarray, origin: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """(N,) the triangle that each ray meets first, -1 for none."""
    mesh = trimesh.Trimesh(triangles.reshape(-1, 3), np.arange(3 * len(triangles)).reshape(-1, 3), process=False)
    return mesh.ray.intersects_first(np.broadcast_to(origin, directions.shape), directions)


def check_against_rays(dataset: Dataset, least_sure: float) -> None:
    for frame in dataset:
        maps = surface_maps(frame.scene)
        rows, columns, face = seen_texels(frame.scene)
        on_part = np.isfinite(rows)
        # Whether a ray passes just beside an edge of the mesh, float32 cannot know.
        beside_edge = np.zeros(face.shape, dtype=bool)
        for axis in (0, 1):
            changes = np.diff(on_part, axis=axis)
            beside_edge |= np.insert(changes, 0, False, axis) | np.insert(changes, -1, False, axis)
        sure = on_part & ~beside_edge
        assert sure.mean() > least_sure
        for name in LABELS:
            values = getattr(maps, name)
            there = np.where(on_part, rows, -1), np.where(on_part, columns, -1)
            differing = getattr(frame, name) != look_up(values, *there)
            assert not (differing & sure & ~near_border(values, *there, NEAR)).any(), f"{name} of {frame.index}"
            assert not getattr(frame, name)[~on_part & ~beside_edge].any()
        assert frame.defects.any()
        assert frame.impurities.any()


def test_masks_equal_ray_cast_on_a_ring_of_two_charts(rendered: Render) -> None:
    ring = {"kind": "ring", "diameter_mm": 100, "bore_mm": 40, "thickness_mm": 12, "chamfer_mm": 3}
    check_against_rays(rendered(crowded_with(ring), 2), 0.3)


def test_masks_equal_ray_cast_on_a_mesh_of_the_user(rendered: Render, tmp_path: Path) -> None:
    lump = trimesh.creation.icosphere(3, radius=40)
    lump.vertices *= 1 + 0.1 * np.sin(lump.vertices / 9).sum(axis=1, keepdims=True)
    lump.apply_scale([1, 0.8, 0.4])
    lump.export(tmp_path / "lump.stl")
    part = {"kind": "mesh", "path": str(tmp_path / "lump.stl")}
    check_against_rays(rendered(crowded_with(part), 1), 0.3)
