"""From positions on a part back to its chart."""

import numpy as np
import pytest

from scenes.geometry.atlas import LOCATE_TOLERANCE, Chart, Part, texture
from scenes.geometry.meshes import MeshChart, unwrapped
from scenes.geometry.surfaces import Surface
from scenes.parts.arc_segment import arc_segment
from scenes.parts.plate import plate

CHARTS = {"plate": plate(0.12, 0.1, 0.003).surface, "arc_segment": arc_segment(0.03, 0.034, 0.045, 0.006).surface}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_locate_is_the_inverse_of_embed_and_so_is_its_general_form(chart: Chart) -> None:
    uv = np.random.default_rng(0).uniform(0, 1, (500, 2)) * chart.size
    np.testing.assert_allclose(chart.locate(chart.embed(uv)), uv, atol=1e-14)
    np.testing.assert_allclose(Chart.locate(chart, chart.embed(uv)), uv, atol=1e-9)


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_what_lies_on_another_chart_is_nowhere(chart: Chart) -> None:
    uv = np.random.default_rng(0).uniform(0, 1, (50, 2)) * chart.size
    below = chart.embed(uv) - 0.002 * chart.normals(uv)
    assert np.isnan(chart.locate(below)).all()
    assert np.isnan(Chart.locate(chart, below)).all()


def mesh_part(shape: str) -> Part:
    """A bent body with thin triangles, a ring whose two faces lie in planes of their own, and one all of flat faces."""
    trimesh = pytest.importorskip("trimesh")
    mesh = {
        "lump": lambda: trimesh.creation.icosphere(3, radius=10).apply_scale((1, 1, 0.6)),
        "ring": lambda: trimesh.creation.annulus(5, 20, 8, sections=64),
        "box": lambda: trimesh.creation.box((30, 20, 10)),
    }[shape]()
    return unwrapped(Surface(1e-3 * np.asarray(mesh.vertices, float), np.asarray(mesh.faces, np.int64)))


@pytest.mark.parametrize("shape", ["lump", "ring", "box"])
def test_on_a_mesh_texels_are_located_as_in_the_general_way(shape: str) -> None:
    part = mesh_part(shape)
    positions = texture(part, 4e-4).points.positions
    some = positions[np.random.default_rng(0).choice(len(positions), 600, replace=False)]
    chart = part.surface
    general, located = Chart.locate(chart, some), chart.locate(some)
    there, found = np.isfinite(general).all(axis=1), np.isfinite(located).all(axis=1)
    assert 50 < there.sum() < len(some)
    assert found[there].all()
    np.testing.assert_allclose(located[there], general[there], atol=1e-9)
    miss = np.linalg.norm(chart.embed(located[found]) - some[found], axis=1)
    assert miss.max() <= LOCATE_TOLERANCE * max(chart.size)
    assert np.isnan(chart.locate(some + 1.0)).all()


@pytest.mark.parametrize("shape", ["lump", "ring", "box"])
def test_a_point_of_a_chart_lies_in_the_triangle_that_holds_it_best(shape: str) -> None:
    """Of all triangles, not only of those that are near."""
    chart = mesh_part(shape).surface
    assert isinstance(chart, MeshChart)
    uv = np.random.default_rng(0).uniform(0, 1, (400, 2)) * chart.size
    a, b, c = chart.flat.transpose(1, 0, 2)
    basis = np.linalg.inv(np.stack([b - a, c - a], axis=2))  # every triangle of these has an area
    first = np.einsum("tij,ntj->nti", basis, uv[:, None] - a)
    weights = np.concatenate([1 - first.sum(axis=2, keepdims=True), first], axis=2)
    best = weights.min(axis=2).argmax(axis=1)
    held = weights[np.arange(len(uv)), best]
    on_it = held.min(axis=1) > 0
    expected = np.einsum("nk,nkj->nj", held, chart.solid[best])
    assert on_it.sum() > 200
    np.testing.assert_allclose(chart.embed(uv)[on_it], expected[on_it], atol=1e-12)
