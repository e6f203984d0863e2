"""What holds for every defect and impurity that a recipe can name, on the example that each ships."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from procgen.surface.layer import LayerSample, SurfacePoints
from scenes import build_part
from scenes.catalogue.registry import LAYERS
from scenes.geometry.atlas import Chart
from scenes.quantities.random_stream import RandomStream
from scenes.recipes.examples import catalogue, example

FIELDS = ("inside", "instance", "height", "reflectance", "roughness", "metallic")
COLUMNS = 120
FINER = 3  # an odd refinement keeps the coarse points among the fine ones
# Such as stains, which [Mao 2025] places, and draws the outlines of, by position in space: moving the surface moves it
# through what stays where it is.
FIXED_IN_SPACE = {kind for kind, entry in LAYERS.items() if entry.fixed_in_space}
COPPER = {kind for kind, entry in LAYERS.items() if "copper" in entry.requires}  # bound to a board's layout

LAYER_KINDS = sorted(LAYERS)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Moved(Chart):
    """A chart turned and shifted in space; nothing on it changes."""

    chart: Chart
    turn: Floats  # (3, 3)
    shift: Floats

    @property
    def size(self) -> tuple[float, float]:
        return self.chart.size

    def embed(self, uv: Floats) -> Floats:
        return self.chart.embed(uv) @ self.turn.T + self.shift

    def normals(self, uv: Floats) -> Floats:
        return self.chart.normals(uv) @ self.turn.T

    def tangents(self, uv: Floats) -> Floats:
        return self.chart.tangents(uv) @ self.turn.T

    def locate(self, positions: Floats) -> Floats:
        return self.chart.locate((positions - self.shift) @ self.turn)


def grid(chart: Chart, columns: int) -> SurfacePoints:
    """Points of a grid over the whole chart, without a spacing of their own."""
    return replace(chart.points(chart.size[0] / columns), shape=None, spacing=None)


def taken(points: SurfacePoints, which: NDArray[np.int64]) -> SurfacePoints:
    return SurfacePoints(points.positions[which], points.normals[which], points.tangents[which])


def layers_of(kind: str):
    """The layers of the kind's example at its most severe, and the charts that they lie on."""
    group = "defects" if kind in catalogue()["defects"] else "impurities"
    scene = example(group, kind).scenes()[-1]
    part = build_part(scene.part)
    return [(layer, part.charts[chart]) for layer, chart in scene.placed_layers()]


def assert_equal(one: LayerSample, other: LayerSample, tolerance: float = 0.0) -> None:
    for name in FIELDS:
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_a_point_does_not_depend_on_which_others_are_asked_for(kind: str) -> None:
    for layer, chart in layers_of(kind):
        field, points = layer.to_layer(chart), grid(chart, COLUMNS)
        which = np.random.default_rng(0).permutation(len(points))[: len(points) // 3]
        whole, part = field.evaluate(points), field.evaluate(taken(points, which))
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(whole, name)[which], getattr(part, name), err_msg=name)


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_resolutions_agree_at_shared_points(kind: str) -> None:
    for layer, chart in layers_of(kind):
        field, coarse = layer.to_layer(chart), chart.points(chart.size[0] / COLUMNS)
        rows, columns = coarse.shape
        fine = SurfacePoints.of(chart.points(chart.size[0] / (COLUMNS * FINER)))
        if fine.shape != (rows * FINER, columns * FINER):
            pytest.skip("the chart's sides do not divide alike")
        index = np.arange(len(fine)).reshape(fine.shape)[FINER // 2 :: FINER, FINER // 2 :: FINER].ravel()
        shared = field.evaluate(taken(fine, index))
        assert_equal(shared, field.evaluate(taken(coarse, np.arange(len(coarse)))), tolerance=1e-6)


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_everything_is_finite_and_instances_are_where_the_mask_is(kind: str) -> None:
    for layer, chart in layers_of(kind):
        sample = layer.to_layer(chart).evaluate(grid(chart, COLUMNS))
        for name in FIELDS:
            assert np.isfinite(getattr(sample, name)).all(), name
        assert np.array_equal(sample.instance > 0, sample.inside)


@pytest.mark.parametrize("kind", sorted(set(LAYER_KINDS) - FIXED_IN_SPACE - COPPER))
def test_moving_the_surface_moves_the_mask_and_nothing_else(kind: str) -> None:
    turn = Rotation.from_euler("xyz", [0.3, -1.1, 2.0]).as_matrix()
    group = "defects" if kind in catalogue()["defects"] else "impurities"
    shown = example(group, kind)
    chart = build_part(shown.scenes()[-1].part).charts[0]
    moved = Moved(chart, turn, np.array([0.02, -0.3, 0.11]))
    for section in getattr(shown.recipes[-1], group):
        stream = RandomStream(shown.seed, 0)
        for here, there in zip(section.sample(chart, stream), section.sample(moved, stream), strict=True):
            one = here.to_layer(chart).evaluate(grid(chart, COLUMNS))
            other = there.to_layer(moved).evaluate(grid(moved, COLUMNS))
            assert np.mean(one.inside != other.inside) < 1e-3  # rounding, at borders
            same = one.inside == other.inside
            slack = 1e-2 * np.ptp(one.height) + 1e-12
            np.testing.assert_allclose(other.height[same], one.height[same], rtol=0, atol=slack)
