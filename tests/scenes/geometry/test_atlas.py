"""Parts of several charts: their meshes, the texture that they are packed into, and what is drawn on it."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procgen.errors import BlemishError
from procgen.surface.layer import LayerSample, SurfacePoints, compose
from scenes import build_part, draw, surface_maps
from scenes.geometry.atlas import MARGIN, Mesh, Part, chart_triangles, packed, texture
from scenes.geometry.raster import owners, touched
from scenes.recipes.examples import catalogue, example
from scenes.recipes.recipe import Recipe

COARSE = 4e-4  # m, texels of these tests
NEAR = 2e-5  # m; facets may bridge the crest of a thread
KINDS = tuple(catalogue()["part"])
every_kind = pytest.mark.parametrize("kind", KINDS)


@cache
def part_of(kind: str) -> Part:
    shown = example("part", kind)
    return build_part(draw(shown.recipes[0], shown.seed, 0).part)


def edges(mesh: Mesh) -> np.ndarray:
    """(E, 2) vertices of every side of every face, in its direction."""
    sides = []
    for corners, faces in ((3, mesh.faces[mesh.faces[:, 3] < 0]), (4, mesh.faces[mesh.faces[:, 3] >= 0])):
        sides += [faces[:, [corner, (corner + 1) % corners]] for corner in range(corners)]
    return np.concatenate(sides)


@every_kind
def test_mesh_is_closed_and_faces_outwards(kind: str) -> None:
    mesh = part_of(kind).mesh
    directed = edges(mesh)
    once = np.unique(directed, axis=0)
    assert len(once) == len(directed)
    assert np.array_equal(once, np.unique(directed[:, ::-1], axis=0))
    triangles = np.concatenate([mesh.faces[:, [0, 1, 2]], mesh.faces[mesh.faces[:, 3] >= 0][:, [0, 2, 3]]])
    assert np.linalg.det(mesh.vertices[triangles]).sum() > 0


@every_kind
def test_uv_of_every_inspected_corner_leads_back_to_its_vertex(kind: str) -> None:
    part = part_of(kind)
    corners, chart = chart_triangles(part.mesh, part.mesh.vertices)
    uvs, _ = chart_triangles(part.mesh, part.mesh.uvs)
    for number in range(min(len(part.charts), 12)):
        some = np.flatnonzero(chart == number)[::7]
        size = np.array(part.charts[number].size)
        embedded = part.charts[number].embed((uvs[some] * size).reshape(-1, 2))
        assert np.allclose(embedded, corners[some].reshape(-1, 3), atol=2e-8)
        assert uvs[chart == number].min() > -1e-9
        assert uvs[chart == number].max() < 1 + 1e-9


@every_kind
def test_normals_point_out_of_the_faces(kind: str) -> None:
    part = part_of(kind)
    corners, chart = chart_triangles(part.mesh, part.mesh.vertices)
    uvs, _ = chart_triangles(part.mesh, part.mesh.uvs)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(normals, axis=1)
    for number in range(min(len(part.charts), 12)):
        some = np.flatnonzero((chart == number) & (areas > 1e-12))[::5]
        middle = uvs[some].mean(axis=1) * np.array(part.charts[number].size)
        said, tangent = part.charts[number].normals(middle), part.charts[number].tangents(middle)
        assert np.allclose(np.linalg.norm(said, axis=1), 1)
        assert np.allclose(np.einsum("nk,nk->n", said, tangent), 0, atol=1e-6)
        facing = np.einsum("nk,nk->n", said, normals[some]) / areas[some]
        assert facing.min() > 0
        assert np.median(facing) > 0.99


@every_kind
def test_texels_lie_where_the_faces_put_them(kind: str) -> None:
    """What Blender does at a texel's centre: interpolate the corners of the face that holds it."""
    part = part_of(kind)
    atlas = texture(part, COARSE)
    uvs, _ = chart_triangles(part.mesh, atlas.uvs)
    corners, _ = chart_triangles(part.mesh, part.mesh.vertices)
    uvs = uvs * (atlas.shape[1], atlas.shape[0])
    texels = np.arange(len(atlas.points)) if atlas.texels is None else atlas.texels
    place = np.full(atlas.shape, -1).ravel()
    place[texels] = np.arange(len(texels))
    (first, second), origin = (uvs[:, 1:] - uvs[:, :1]).transpose(1, 0, 2), uvs[:, 0]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    checked = 0
    for triangle in np.argsort(-np.abs(area))[:: max(1, len(area) // 60)][:60]:
        column, row = np.floor(uvs[triangle].mean(axis=0)).astype(int)
        away = np.array([column + 0.5, row + 0.5]) - origin[triangle]
        b = (away[0] * second[triangle, 1] - away[1] * second[triangle, 0]) / area[triangle]
        c = (first[triangle, 0] * away[1] - first[triangle, 1] * away[0]) / area[triangle]
        if min(b, c, 1 - b - c) < 0:
            continue
        expected = np.array([1 - b - c, b, c]) @ corners[triangle]
        assert (
            np.linalg.norm(atlas.points.positions[place[row * atlas.shape[1] + column]] - expected) < 2e-5
        )  # facets may bridge the crest of a thread
        checked += 1
    assert checked > 0


class Everywhere:
    """A layer that claims all of space, with a bump of its own."""

    family = "defect"
    class_name = "all"

    def evaluate(self, points: SurfacePoints) -> LayerSample:
        sample = LayerSample.blank(len(points))
        sample.inside[:] = True
        sample.instance[:] = 1
        return sample


@every_kind
def test_masks_never_reach_outside_the_part(kind: str) -> None:
    shown = example("part", kind)
    scene = draw(shown.recipes[0], shown.seed, 0)
    part = part_of(kind)
    atlas = texture(part, COARSE)
    maps = atlas.pasted(compose(atlas.points, part.coated(scene.finish), [Everywhere()], {"all": 3}))
    triangles, _ = chart_triangles(part.mesh, atlas.uvs)
    on_part = touched(triangles * (atlas.shape[1], atlas.shape[0]), atlas.shape)
    masked = maps.classes == 8
    assert not (masked & ~on_part).any()
    # Rounding alone may leave out a texel that a face touches in a point.
    assert (on_part & ~masked).mean() < 2e-3
    assert np.allclose(np.linalg.norm(maps.normal, axis=-1), 1, atol=1e-5)


@every_kind
def test_linear_lookup_on_the_part_meets_evaluated_texels_only(kind: str) -> None:
    part = part_of(kind)
    atlas = texture(part, COARSE)
    if atlas.texels is None:
        return
    assert len(np.unique(atlas.texels)) == len(atlas.texels)
    evaluated = np.zeros(atlas.shape, dtype=bool)
    evaluated.ravel()[atlas.texels] = True
    assert atlas.points.on_part is not None
    row, column = np.divmod(atlas.texels[atlas.points.on_part], atlas.shape[1])
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            assert evaluated[row + down, column + right].all()


@given(st.integers(0, 2**31), st.integers(1, 60))
@settings(max_examples=30)
def test_raster_agrees_with_brute_force(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    triangles = rng.uniform(-2, 14, (count, 1, 2)) + rng.normal(0, rng.choice([0.2, 3]), (count, 3, 2))
    shape = (12, 11)
    centres = np.stack(np.meshgrid(np.arange(11) + 0.5, np.arange(12) + 0.5), axis=-1)
    held = np.zeros((count, *shape), dtype=bool)
    for number, corners in enumerate(triangles):
        turns = [
            np.sign(np.cross(corners[(k + 1) % 3] - corners[k], centres - corners[k])) for k in range(3)
        ]  # fmt: skip
        held[number] = (turns[0] == turns[1]) & (turns[1] == turns[2])
    owner, near = owners(triangles, shape), touched(triangles, shape)
    assert (owner[held.any(axis=0)] >= 0).all()
    rows, columns = np.nonzero(held.any(axis=0))
    assert held[owner[rows, columns], rows, columns].all()
    assert ((owner >= 0) == near).all()
    # A texel is touched where any of many points of it lies in a triangle.
    fine = rng.uniform(0, 1, (200, 1, 1, 2)) + centres - 0.5
    for corners in triangles:
        turns = [np.cross(corners[(k + 1) % 3] - corners[k], fine - corners[k]) > 0 for k in range(3)]
        assert near[((turns[0] == turns[1]) & (turns[1] == turns[2])).any(axis=0)].all()


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), min_size=1, max_size=40))
@settings(max_examples=50)
def test_packed_boxes_never_overlap(boxes: list[tuple[int, int]]) -> None:
    sizes = np.array(boxes)
    corners, shape = packed(sizes)
    taken = np.zeros(shape, dtype=np.int64)
    for (row, column), (rows, columns) in zip(corners, sizes, strict=True):
        taken[row : row + rows, column : column + columns] += 1
    assert taken.max() == 1
    assert taken.sum() == sizes.prod(axis=1).sum()
    assert MARGIN >= 2


def test_relief_tilts_normals_on_every_chart_alike() -> None:
    """A plane wave of height in space tilts the normals of a ring's charts as calculus says."""
    part = part_of("ring")
    atlas = texture(part, 2e-4)
    wave = np.array([100.0, 225.0, 175.0])
    phase = atlas.points.positions @ wave
    height = (4e-4 * np.sin(phase)).astype(np.float32)
    slope = 4e-4 * np.cos(phase)[:, None] * wave
    normals = atlas.points.normals
    expected = normals - (slope - np.einsum("nk,nk->n", slope, normals)[:, None] * normals)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    inner = atlas.points.on_part
    angle = np.arccos(np.clip(np.einsum("nk,nk->n", atlas._normals(height), expected)[inner], -1, 1))
    assert np.quantile(angle, 0.94) < 2e-3  # at the chamfers' edges a texel sees two slopes


def test_layers_of_many_frames_lie_on_several_charts() -> None:
    fields = example("part", "shaft").recipes[0].model_dump(mode="json")
    fields["defects"] = example("defects", "crack").recipes[0].model_dump(mode="json")["defects"]
    recipe = Recipe.model_validate(fields)
    charts = {chart for index in range(12) for chart in draw(recipe, 1, index).charts}
    assert len(charts) > 1
    assert surface_maps(draw(recipe, 1, 0)).defects.any()


def test_texels_too_fine_for_the_atlas_are_refused() -> None:
    with pytest.raises(BlemishError, match=r"need a texture of .* at most 8192"):
        texture(part_of("ring"), 1e-6)
