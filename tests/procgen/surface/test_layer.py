"""Stacking layers into maps, and what every layer owes its points."""

from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procgen.defects.cracks import Crack, CrackParameters, simulate_minimum_energy_path
from procgen.errors import BlemishError
from procgen.finish import GroundFinish
from procgen.impurities.stains import WaterStains
from procgen.surface import layer as layers_module
from procgen.surface.layer import FinishSample, Instance, LayerSample, SurfacePoints, compose, overlay

BITS = {"crack": 0, "water_stain": 3, "scratch": 15}
SIZE = 0.06


@dataclass(frozen=True)
class Disc:
    """A flat spot with one id per half-plane, to stack where we like."""

    x: float
    radius: float = 0.01
    family: str = "defect"
    class_name: str = "scratch"
    reflectance: float = -0.1
    roughness: float = 0.0
    ids: tuple[int, int] = (70, 3)

    def evaluate(self, points):
        positions = SurfacePoints.of(points).positions
        sample = LayerSample.blank(len(positions))
        sample.inside[:] = np.hypot(positions[:, 0] - self.x, positions[:, 1]) <= self.radius
        sample.instance[sample.inside] = np.where(positions[sample.inside, 1] > 0, *self.ids)
        sample.reflectance[sample.inside] = self.reflectance
        sample.roughness[sample.inside] = self.roughness
        return sample


@dataclass(frozen=True)
class Wave:
    """A bare surface with a known height, A sin(k · x) in the chart."""

    amplitude: float = 0.0
    k: tuple[float, float, float] = (0.0, 0.0, 0.0)
    anisotropy: float = 0.0
    lay_direction: tuple[float, float, float] = (1.0, 0.0, 0.0)
    coat: float = 0.0

    def evaluate(self, points):
        positions = SurfacePoints.of(points).positions
        height = self.amplitude * np.sin(positions @ np.array(self.k))
        half = np.full(len(positions), 0.5, dtype=np.float32)
        return FinishSample(height.astype(np.float32), np.full((len(positions), 3), 0.5, np.float32), half, half)


def grid(rows, columns, size=SIZE):
    """Texel centres of a flat square, u along +x."""
    v, u = np.meshgrid((np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, indexing="ij")
    flat = SurfacePoints.of(np.stack([u - 0.5, v - 0.5, 0 * u], axis=-1).reshape(-1, 3) * size)
    return replace(flat, shape=(rows, columns), spacing=(size / rows, size / columns))


def real_layers():
    graph = simulate_minimum_energy_path(
        CrackParameters(width=8e-4, depth=4e-4), (-0.02, -0.02), (0.02, 0.025), np.random.default_rng(5)
    )
    embedded = graph.embedded(lambda chart: np.column_stack([chart, np.zeros(len(chart))]))
    stains = WaterStains(0.015, 0.006, 200.0, 0.003, 5.0, -0.2, seed=2, heterogeneity=0.3, roughness_change=0.05)
    return [Crack(embedded), stains]


FINISH = GroundFinish(
    (1.0, 0.0, 0.0), 4e-3, 3e-4, 1e-6, (0.6, 0.6, 0.62), 0.3,
    streaks=0.05, grooves=0.1, groove_depth=1e-6, grain=0.03, mottle=0.05, roughness_streaks=0.02,
    pit_density=1e5, pit_radius=3e-4, pit_depth=1e-5,
)  # fmt: skip


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31), keep=st.integers(1, 400), far=st.booleans())
def test_a_layer_says_the_same_of_a_point_whoever_else_is_asked(seed, keep, far):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.03, 0.03, (2000, 3)) * [1, 1, 0]
    if far:  # a few points that stretch the extent of the whole
        points[:3] *= 50
    chosen = rng.permutation(len(points))[:keep]
    for layer in real_layers():
        whole, part = layer.evaluate(points), layer.evaluate(points[chosen])
        for field in fields(LayerSample):
            np.testing.assert_array_equal(getattr(whole, field.name)[chosen], getattr(part, field.name))


def test_layers_touch_nothing_outside_their_mask():
    points = grid(200, 200)
    for layer in real_layers():
        sample = layer.evaluate(points)
        assert sample.inside.any()
        assert (sample.instance > 0).tolist() == sample.inside.tolist()
        for field in ("height", "reflectance", "roughness", "metallic", "opacity"):
            assert not getattr(sample, field)[~sample.inside].any()


def test_maps_of_real_layers_are_finite_in_range_and_shaped_as_the_grid():
    maps = compose(grid(180, 150), FINISH, real_layers(), BITS)
    for field in ("height", "base_colour", "roughness", "metallic", "normal"):
        array = getattr(maps, field)
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
        assert array.shape[:2] == (180, 150)
    for field in ("base_colour", "roughness", "metallic"):
        assert getattr(maps, field).min() >= 0
        assert getattr(maps, field).max() <= 1
    np.testing.assert_allclose(np.linalg.norm(maps.normal, axis=-1), 1, atol=1e-6)
    assert maps.classes.dtype == maps.defects.dtype == maps.impurities.dtype == np.uint16


def test_class_bits_of_overlapping_layers_are_both_kept():
    points = grid(200, 200)
    crack, stains = real_layers()
    maps = compose(points, FINISH, [crack, stains], BITS)
    in_crack, in_stain = crack.evaluate(points).inside, stains.evaluate(points).inside
    assert (in_crack & in_stain).any()
    np.testing.assert_array_equal(maps.classes.ravel(), in_crack * (1 << 0) + in_stain * (1 << 3))
    np.testing.assert_array_equal(maps.defects.ravel() > 0, in_crack)
    np.testing.assert_array_equal(maps.impurities.ravel() > 0, in_stain)


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.floats(-0.03, 0.03), st.floats(0.0, 0.02), st.sampled_from(["defect", "impurity"])), max_size=6
    )
)
def test_instances_are_numbered_from_1_and_the_later_layer_wins(discs):
    points = grid(40, 40)
    layers = [Disc(x, radius, family) for x, radius, family in discs]
    maps = compose(points, Wave(), layers, BITS)
    for family, numbers in (("defect", maps.defects), ("impurity", maps.impurities)):
        instances = [instance for instance in maps.instances if instance.family == family]
        assert [instance.id for instance in instances] == list(range(1, len(instances) + 1))
        assert set(np.unique(numbers)) - {0} == {instance.id for instance in instances}

        on_top = np.zeros(len(points), dtype=object)  # what painting the layers one after another leaves
        for index, layer in enumerate(layers):
            if layer.family == family:
                sample = layer.evaluate(points)
                for i in np.flatnonzero(sample.inside):
                    on_top[i] = (index, sample.instance[i])
        seen = sorted({pair for pair in on_top if pair})
        expected = [seen.index(pair) + 1 if pair else 0 for pair in on_top]
        np.testing.assert_array_equal(numbers.ravel(), expected)


def test_removing_a_family_leaves_the_other_as_it_was():
    points = grid(100, 100)
    crack, stains = real_layers()
    both, clean = compose(points, FINISH, [crack, stains], BITS), compose(points, FINISH, [crack], BITS)
    np.testing.assert_array_equal(both.defects, clean.defects)
    np.testing.assert_array_equal(both.height, clean.height)
    untouched = both.impurities == 0
    np.testing.assert_array_equal(both.base_colour[untouched], clean.base_colour[untouched])


def test_sums_beyond_the_range_are_clipped_once_all_layers_are_on():
    spots = [Disc(0.0, reflectance=-2.0, roughness=2.0), Disc(0.0, reflectance=1.9, roughness=-1.8)]
    maps = compose(np.zeros((1, 3)), Wave(), spots, BITS)
    assert maps.base_colour[0, 0] == pytest.approx(0.4, abs=1e-6)
    assert maps.roughness[0] == pytest.approx(0.7, abs=1e-6)
    darkest = compose(np.zeros((1, 3)), Wave(), spots[:1], BITS)
    assert darkest.base_colour[0, 0] == 0
    assert darkest.roughness[0] == 1


@dataclass(frozen=True)
class Patch:
    """A layer that does the same everywhere."""

    sample: LayerSample
    family: str = "impurity"
    class_name: str = "water_stain"

    def evaluate(self, points):
        return self.sample


def test_plain_layers_add_to_the_last_bit():
    """What compose did before layers could have a colour or cover anything, written out."""
    points = grid(60, 50)
    layers = real_layers()
    maps, bare = compose(points, FINISH, layers, BITS), FINISH.evaluate(points)
    height, colour = bare.height.astype(np.float64), bare.base_colour.copy()
    for layer in layers:
        sample = layer.evaluate(points)
        height += sample.height
        colour += sample.reflectance[:, np.newaxis]
    np.testing.assert_array_equal(maps.height.ravel(), height.astype(np.float32))
    np.testing.assert_array_equal(maps.base_colour.reshape(-1, 3), np.clip(colour, 0, 1))


def test_a_change_may_have_a_colour():
    grey, coloured = LayerSample.blank(4), LayerSample.blank(4, coloured=True)
    assert coloured.reflectance.shape == (4, 3)
    grey.reflectance[:] = 0.25
    coloured.reflectance[:] = 0.25, -0.125, 0.0
    points = np.zeros((4, 3))
    np.testing.assert_array_equal(compose(points, Wave(), [Patch(grey)], BITS).base_colour, 0.75)
    tinted = compose(points, Wave(), [Patch(grey), Patch(coloured)], BITS).base_colour
    np.testing.assert_array_equal(tinted, np.tile(np.float32([1.0, 0.625, 0.75]), (4, 1)))


def test_what_covers_the_surface_hides_its_relief_and_colour():
    points = grid(30, 30)
    cover, film = LayerSample.blank(900, coloured=True), LayerSample.blank(900)
    cover.opacity[:], cover.height[:], cover.roughness[:], cover.metallic[:] = 1.0, 1e-4, 0.6, 0.0
    cover.reflectance[:] = 0.9, 0.8, 0.1
    rough = compose(points, Wave(1e-4, (900.0, 0.0, 0.0)), [], BITS)
    covered = compose(points, Wave(1e-4, (900.0, 0.0, 0.0)), [Patch(cover)], BITS)
    np.testing.assert_array_equal(covered.height, np.float32(1e-4))
    np.testing.assert_array_equal(covered.normal.reshape(-1, 3), points.normals)
    np.testing.assert_array_equal(covered.base_colour, np.broadcast_to(np.float32([0.9, 0.8, 0.1]), (30, 30, 3)))
    np.testing.assert_array_equal(covered.roughness, np.float32(0.6))
    np.testing.assert_array_equal(covered.metallic, 0.0)

    film.opacity[:] = 0.25
    through = compose(points, Wave(1e-4, (900.0, 0.0, 0.0)), [Patch(film)], BITS)
    for field in ("height", "base_colour", "roughness", "metallic"):
        np.testing.assert_allclose(getattr(through, field), 0.75 * getattr(rough, field), rtol=1e-6)


def test_an_overlay_gives_on_any_surface_what_stacking_gives_there():
    points = grid(30, 30)
    film = LayerSample.blank(900, coloured=True)
    film.opacity[:] = np.linspace(0, 0.9, 900)
    film.reflectance[:] = 0.02, 0.05, 0.01
    film.height[:], film.roughness[:], film.metallic[:] = 2e-5, 0.1, 0.05
    stacked = [Patch(film), Disc(0.0, reflectance=-0.1, roughness=0.2), Patch(film)]
    laid = overlay(points, stacked, BITS)
    for finish in (FINISH, Wave(1e-4, (900.0, 0.0, 0.0))):
        bare, maps = finish.evaluate(points), compose(points, finish, stacked, BITS)
        changes = {"height": laid.height, "roughness": laid.roughness, "metallic": laid.metallic}
        for field, change in changes.items():
            expected = laid.kept * getattr(bare, field) + change
            np.testing.assert_allclose(getattr(maps, field).ravel(), np.clip(expected, None, 1), rtol=1e-5, atol=1e-9)
        colour = laid.kept[:, np.newaxis] * bare.base_colour + laid.reflectance
        np.testing.assert_allclose(maps.base_colour.reshape(-1, 3), np.clip(colour, 0, 1), rtol=1e-5, atol=1e-6)
        for field in ("classes", "defects", "impurities"):
            np.testing.assert_array_equal(getattr(laid, field), getattr(maps, field).ravel())
        assert laid.instances == maps.instances


def test_scattered_points_keep_their_own_normals():
    scattered = SurfacePoints.of(np.random.default_rng(0).uniform(-0.03, 0.03, (50, 3)))
    maps = compose(scattered, Wave(1e-4, (500.0, 0.0, 0.0)), [], BITS)
    np.testing.assert_array_equal(maps.normal, scattered.normals)
    assert maps.height.shape == (50,)


def test_normals_tilt_by_the_slope_in_the_frame_of_the_part():
    """A wave on a plane that stands on its edge, against the gradient worked out by hand."""
    rows, columns, texel = 80, 90, 1e-4
    normal, tangent = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.6, 0.8])
    bitangent = np.cross(normal, tangent)
    v, u = np.meshgrid((np.arange(rows) + 0.5) * texel, (np.arange(columns) + 0.5) * texel, indexing="ij")
    positions = u.reshape(-1, 1) * tangent + v.reshape(-1, 1) * bitangent
    points = SurfacePoints(
        positions, np.tile(normal, (rows * columns, 1)), np.tile(tangent, (rows * columns, 1)),
        (rows, columns), (texel, texel),
    )  # fmt: skip
    along_u, along_v, amplitude = 900.0, -600.0, 2e-4
    maps = compose(points, Wave(amplitude, tuple(along_u * tangent + along_v * bitangent)), [], BITS)

    slope = amplitude * np.cos(along_u * u + along_v * v)
    expected = normal - (slope * along_u)[..., None] * tangent - (slope * along_v)[..., None] * bitangent
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    inner = (slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(maps.normal[inner], expected[inner], atol=1e-3)


def test_arrays_are_read_as_a_flat_surface_and_surface_points_pass_through():
    points = SurfacePoints.of([[0.0, 0.0, 1.0], [1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(points.normals, [[0, 0, 1], [0, 0, 1]])
    np.testing.assert_array_equal(points.tangents, [[1, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(points.bitangents, [[0, 1, 0], [0, 1, 0]])
    assert SurfacePoints.of(points) is points


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((4, 2)), r"found an array of shape \(4, 2\); expected \(N, 3\)"),
        (np.zeros(3), r"found an array of shape \(3,\)"),
        ([[0.0, 0.0, float("nan")]], "positions holds NaN or infinite values"),
        ([[0.0, float("inf"), 0.0], [0.0, -float("inf"), 0.0]], "positions holds NaN or infinite values"),
        ("points", "array of numbers in metres"),
    ],
)
def test_what_is_not_points_is_refused(points, message):
    with pytest.raises(BlemishError, match=message):
        SurfacePoints.of(points)


def test_grid_that_does_not_hold_its_points_is_refused():
    flat = SurfacePoints.of(np.zeros((6, 3)))
    with pytest.raises(BlemishError, match=r"found 6 points for a grid of \(2, 4\)"):
        replace(flat, shape=(2, 4), spacing=(1.0, 1.0))
    with pytest.raises(BlemishError, match="both its shape and its spacing"):
        replace(flat, shape=(2, 3))


def test_class_without_a_bit_or_beyond_the_mask_is_refused():
    with pytest.raises(BlemishError, match="class 'scratch' has no bit in the class mask; classes with a bit: crack"):
        compose(np.zeros((1, 3)), Wave(), [Disc(0.0)], {"crack": 0})
    with pytest.raises(BlemishError, match="class 'scratch' has bit 16; a class mask holds bits 0 to 15"):
        compose(np.zeros((1, 3)), Wave(), [Disc(0.0)], {"scratch": 16})


def test_more_instances_than_a_map_can_number_are_refused(monkeypatch):
    monkeypatch.setattr(layers_module, "MOST_INSTANCES", 3)
    points = grid(20, 20)
    assert len(compose(points, Wave(), [Disc(0.02), Disc(-0.02, ids=(1, 1))], BITS).instances) == 3
    with pytest.raises(BlemishError, match="class 'scratch' is the one too many"):
        compose(points, Wave(), [Disc(0.02), Disc(-0.02)], BITS)


def test_instances_know_their_class():
    maps = compose(grid(20, 20), Wave(), [Disc(0.0)], BITS)
    assert maps.instances == (Instance(1, "defect", "scratch"), Instance(2, "defect", "scratch"))
