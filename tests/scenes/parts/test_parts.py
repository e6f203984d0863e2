import math
from collections import Counter

import numpy as np
import pytest

from scenes.geometry.atlas import BODY, INSPECTED, Mesh, Part
from scenes.parts.arc_segment import SAGITTA_LIMIT, arc_segment
from scenes.parts.ball_screw import OSCULATION, ROUNDING, BallScrew
from scenes.parts.plate import plate

RADIUS, WIDTH, LENGTH, THICKNESS = 0.030, 0.034, 0.044, 0.006
LAND = 2e-3
PARTS = {
    "plate": plate(0.12, 0.1, 0.003),
    "arc_segment": arc_segment(RADIUS, WIDTH, LENGTH, THICKNESS),
    "concave": arc_segment(RADIUS, WIDTH, LENGTH, THICKNESS, concave=True),
    "with lands": arc_segment(RADIUS, WIDTH, LENGTH, THICKNESS, concave=True, land=LAND),
}
every_part = pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)


def _triangles(mesh: Mesh) -> np.ndarray:
    return mesh.vertices[np.concatenate([mesh.faces[:, [0, 1, 2]], mesh.faces[:, [0, 2, 3]]])]


def volume(mesh: Mesh) -> float:
    return float(np.linalg.det(_triangles(mesh)).sum() / 6)


@every_part
def test_mesh_is_closed_and_faces_outwards(part: Part) -> None:
    directed = Counter((int(face[k]), int(face[(k + 1) % 4])) for face in part.mesh.faces for k in range(4))
    assert set(directed.values()) == {1}
    assert all((end, start) in directed for start, end in directed)
    assert len(np.unique(part.mesh.faces)) == len(part.mesh.vertices)


def test_volumes_are_those_of_the_bodies() -> None:
    half_angle = math.asin(WIDTH / 2 / RADIUS)
    tube = half_angle * (RADIUS**2 - (RADIUS - THICKNESS) ** 2) * LENGTH
    assert volume(PARTS["plate"].mesh) == pytest.approx(0.12 * 0.1 * 0.003)
    assert volume(PARTS["arc_segment"].mesh) == pytest.approx(tube, rel=1e-4)


@every_part
def test_uv_of_every_inspected_corner_leads_back_to_its_vertex(part: Part) -> None:
    inspected = part.mesh.materials == INSPECTED
    uv = part.mesh.uvs[inspected].reshape(-1, 2) * part.surface.size
    corners = part.mesh.vertices[part.mesh.faces[inspected]].reshape(-1, 3)
    assert np.allclose(part.surface.embed(uv), corners, atol=1e-15)
    assert part.mesh.uvs[inspected].min() == 0
    assert part.mesh.uvs[inspected].max() == 1
    assert set(part.mesh.materials) == {INSPECTED, BODY}


@every_part
def test_texel_centres_lie_where_interpolated_uv_puts_them(part: Part) -> None:
    """What Blender does: find the face that holds the texel's UV, and interpolate its corners."""
    points = part.surface.points(4e-4)
    assert points.shape is not None
    rows, columns = points.shape
    inspected = part.mesh.materials == INSPECTED
    corners, uvs = part.mesh.vertices[part.mesh.faces[inspected]], part.mesh.uvs[inspected]
    rng = np.random.default_rng(3)
    for row, column in zip(rng.integers(0, rows, 40), rng.integers(0, columns, 40), strict=True):
        u, v = (column + 0.5) / columns, (row + 0.5) / rows
        face = int(np.flatnonzero((uvs[:, 0, 0] <= u) & (u <= uvs[:, 1, 0]))[0])
        s = (u - uvs[face, 0, 0]) / (uvs[face, 1, 0] - uvs[face, 0, 0])
        p, q, r, t = corners[face]
        expected = (1 - v) * ((1 - s) * p + s * q) + v * ((1 - s) * t + s * r)
        assert points.positions[row * columns + column] == pytest.approx(expected, abs=2 * SAGITTA_LIMIT)


def test_plate_lies_centred_at_height_zero() -> None:
    part = PARTS["plate"]
    embedded = part.surface.embed(np.array([[0.0, 0.0], [0.12, 0.1], [0.06, 0.05]]))
    assert np.allclose(embedded, [[-0.06, -0.05, 0], [0.06, 0.05, 0], [0, 0, 0]])


def test_arc_segment_is_the_cylinder() -> None:
    surface = PARTS["arc_segment"].surface
    arc = 2 * RADIUS * math.asin(WIDTH / 2 / RADIUS)
    assert surface.size == pytest.approx((arc, LENGTH))
    points = surface.points(5e-4)
    x, z = points.positions[:, 0], points.positions[:, 2]
    assert np.allclose(np.hypot(x, z + RADIUS), RADIUS, atol=1e-15)
    assert np.allclose(points.normals, np.column_stack([x, 0 * x, z + RADIUS]) / RADIUS)
    assert points.shape is not None
    grid = points.positions.reshape(*points.shape, 3)
    steps = np.linalg.norm(np.diff(grid, axis=1), axis=2)
    assert points.spacing is not None
    assert np.allclose(steps, 2 * RADIUS * math.sin(points.spacing[1] / 2 / RADIUS))
    assert np.allclose(np.diff(grid[..., 1], axis=0), points.spacing[0])
    ends = surface.embed(np.array([[0, 0], [arc, LENGTH], [arc / 2, 0]]))
    assert np.allclose(ends[:, 0], [-WIDTH / 2, WIDTH / 2, 0])
    assert ends[2, 2] == pytest.approx(0)


@every_part
def test_frames_are_orthonormal_and_follow_the_chart(part: Part) -> None:
    points = part.surface.points(1e-3)
    assert np.allclose(np.linalg.norm(points.normals, axis=1), 1)
    assert np.allclose(np.einsum("nk,nk->n", points.normals, points.tangents), 0)
    uv = np.array([[0.011, 0.013], [0.02, 0.03]])
    step = 1e-7
    along_u, along_v = (
        (part.surface.embed(uv + ahead) - part.surface.embed(uv - ahead)) / (2 * step) for ahead in step * np.eye(2)
    )
    assert np.allclose(along_u, part.surface.tangents(uv), atol=1e-7)
    assert np.allclose(along_v, np.cross(part.surface.normals(uv), part.surface.tangents(uv)), atol=1e-7)


@pytest.mark.parametrize(("name", "land"), [("concave", 0.0), ("with lands", LAND)])
def test_concave_side_is_the_cylinder_from_inside_between_its_lands(name: str, land: float) -> None:
    surface = PARTS[name].surface
    half_chord = WIDTH / 2 - land
    half_angle = math.asin(half_chord / RADIUS)
    assert surface.size == pytest.approx((2 * RADIUS * half_angle + 2 * land, LENGTH))
    points = surface.points(5e-4)
    x, z = points.positions[:, 0], points.positions[:, 2]
    axis = RADIUS * math.cos(half_angle)  # its uppermost points lie at 0
    round_part = np.abs(x) < half_chord
    assert np.allclose(np.hypot(x, z - axis)[round_part], RADIUS)
    assert np.allclose(points.normals[round_part], (np.column_stack([-x, 0 * x, axis - z]) / RADIUS)[round_part])
    assert round_part.all() == (land == 0)
    assert np.allclose(z[~round_part], 0)
    assert np.allclose(points.normals[~round_part], [0, 0, 1])
    u, v = (np.arange(3) + 0.5) / 3 * np.array(surface.size)[:, None]
    uv = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
    assert np.allclose(surface.locate(surface.embed(uv)), uv)
    assert np.isnan(surface.locate(surface.embed(uv) + np.array([0, 0, 1e-3]))).all()
    assert volume(PARTS[name].mesh) == pytest.approx(WIDTH * LENGTH * THICKNESS, rel=1e-4)


def test_lands_beside_a_convex_side_or_without_a_hollow_are_refused() -> None:
    for shape in ({"land": 1e-3}, {"concave": True, "land": WIDTH / 2}):
        with pytest.raises(ValueError, match="no arc segment"):
            arc_segment(RADIUS, WIDTH, LENGTH, THICKNESS, **shape)


def test_facets_stay_near_the_cylinder() -> None:
    mesh = PARTS["arc_segment"].mesh
    top = mesh.vertices[mesh.faces[mesh.materials == INSPECTED]]
    middle = top[:, :2].mean(axis=1)
    assert RADIUS - np.hypot(middle[:, 0], middle[:, 2] + RADIUS).min() <= SAGITTA_LIMIT * 1.001


def test_too_fine_texels_and_impossible_arcs_are_refused() -> None:
    with pytest.raises(ValueError, match=r"need a texture of 120000 x 100000; at most 8192"):
        PARTS["plate"].surface.points(1e-6)
    with pytest.raises(ValueError, match="no arc segment"):
        arc_segment(0.01, 0.03, 0.04, 0.002)


def test_the_edge_between_land_and_groove_of_a_ball_screw_is_rounded() -> None:
    screw = BallScrew(diameter=0.03, length=0.03, lead=0.007, ball=0.0045, groove_depth=0.0016)
    surface, arc = screw.build().surface, OSCULATION * screw.ball / 2
    half_width = math.sqrt(arc**2 - (arc - screw.groove_depth) ** 2)
    # At a quarter of a turn the groove's middle is three quarters of the lead along, on the first of its turns.
    place = 0.75 * screw.lead + screw.lead + np.array([0.0, half_width, half_width + 3e-4])
    uv = np.column_stack([np.full(3, math.pi * screw.diameter / 4), place])
    position = surface.embed(uv)
    depth = screw.diameter / 2 - np.hypot(position[:, 1], position[:, 2] + screw.diameter / 2)
    assert depth[0] == pytest.approx(screw.groove_depth, rel=1e-3)
    assert depth[1] == pytest.approx(ROUNDING * screw.ball)
    assert 0 < depth[2] < 0.2 * ROUNDING * screw.ball
    across = place[1] + np.linspace(-1e-4, 1e-4, 41)  # in steps of 5 micrometres
    normals = surface.normals(np.column_stack([np.full(41, uv[0, 0]), across]))
    turned = np.arccos(np.clip((normals[1:] * normals[:-1]).sum(axis=1), -1, 1))
    corner = math.asin(half_width / arc)
    assert turned.max() < corner / 5 < corner / 2 < turned.sum()
