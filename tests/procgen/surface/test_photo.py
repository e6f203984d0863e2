"""Layers on photographs, against closed forms."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest

from procgen.errors import BlemishError
from procgen.surface.layer import LayerSample, SurfacePoints
from procgen.surface.photo import BareSurface, PhotoLight, Surface, photo_points, synthesize

SCALE = 1e-4
GREY = BareSurface((0.5, 0.5, 0.5), roughness=0.4)
FROM_RIGHT = PhotoLight(directions=((0.6, 0.0, 0.8),), weights=(1.0,))
BITS = {"thing": 3}


@dataclass(frozen=True)
class Box:
    """Everything right of x = 0 up to `width`: a slope, a change of colour, a cover."""

    width: float = 1.0
    slope: float = 0.0
    reflectance: float | tuple[float, float, float] = 0.0
    roughness: float = 0.0
    metallic: float = 0.0
    opacity: float = 0.0
    family: ClassVar[str] = "defect"
    class_name: ClassVar[str] = "thing"
    asked: list[int] = field(default_factory=list)

    def evaluate(self, points):
        points = SurfacePoints.of(points)
        x = points.positions[:, 0]
        sample = LayerSample.blank(len(points), coloured=True)
        inside = (x > 0) & (x < self.width)
        sample.inside[inside], sample.instance[inside] = True, 7
        sample.height[inside] = self.slope * x[inside]
        sample.reflectance[inside] = self.reflectance
        sample.roughness[inside] = self.roughness
        sample.metallic[inside] = self.metallic
        sample.opacity[inside] = self.opacity
        return sample


@pytest.fixture
def photo():
    return np.random.default_rng(0).uniform(0.1, 0.9, (20, 32, 3))


def test_no_layers_change_nothing(photo):
    result = synthesize(photo, SCALE, [], {}, GREY, FROM_RIGHT, blur=0.7)
    assert np.array_equal(result.linear, photo)
    assert not result.changed.any()


@pytest.mark.parametrize("slope", [0.2, -0.3, -2.0])
@pytest.mark.parametrize("direction", [(0.6, 0.0, 0.8), (0.0, 0.6, 0.8), (-0.48, 0.36, 0.8)])
def test_a_slope_is_lit_as_lambert_says(photo, slope, direction):
    light = PhotoLight((direction,), (3.0,))
    result = synthesize(photo, SCALE, [Box(slope=slope)], BITS, GREY, light)
    normal = np.array([-slope, 0.0, 1.0]) / np.hypot(slope, 1.0)
    expected = max(normal @ direction, 0.0) / direction[2]
    assert np.allclose(result.linear[:, 18:31] / photo[:, 18:31], expected, atol=1e-5)
    assert np.array_equal(result.linear[:, :15], photo[:, :15])  # the central difference reaches one pixel further


def test_albedo_multiplies_each_channel(photo):
    result = synthesize(photo, SCALE, [Box(reflectance=(0.25, 0.0, -0.25))], BITS, GREY, FROM_RIGHT)
    assert np.allclose(result.linear[:, 16:], photo[:, 16:] * [1.5, 1.0, 0.5])
    assert np.array_equal(result.changed, np.broadcast_to(np.arange(32) >= 16, (20, 32)))


def test_grey_photos_take_the_luminance(photo):
    result = synthesize(photo[..., 0], SCALE, [Box(reflectance=(0.25, 0.0, -0.25))], BITS, GREY, FROM_RIGHT)
    assert np.allclose(result.linear[:, 16:] / photo[:, 16:, 0], 1 + 0.5 * 0.2126 - 0.5 * 0.0722)


def test_a_cover_hides_the_texture_but_not_the_light():
    y = np.arange(64)[:, np.newaxis] / 64
    light = 0.4 + 0.2 * y
    photo = light * (1 + 0.3 * np.random.default_rng(1).choice([-1, 1], (64, 64)))
    result = synthesize(photo, SCALE, [Box(reflectance=0.25, opacity=1.0)], BITS, GREY, FROM_RIGHT)
    covered = result.linear[8:-8, 40:-8]
    assert np.allclose(covered, np.broadcast_to(0.5 * light, photo.shape)[8:-8, 40:-8], rtol=0.1)


def test_a_smoother_surface_shines_more_towards_its_light():
    overhead = PhotoLight(((0.0, 0.0, 1.0),), (1.0,), gloss=0.5)
    photo = np.full((20, 32), 0.2)
    smoother, rougher = (
        synthesize(photo, SCALE, [Box(roughness=change)], BITS, GREY, overhead).linear for change in (-0.2, 0.2)
    )
    assert (smoother[:, 16:] > photo[:, 16:]).all()
    assert (rougher[:, 16:] < photo[:, 16:]).all()


def test_the_mask_is_the_inside_at_pixel_centres(photo):
    result = synthesize(photo, SCALE, [Box(width=5.2 * SCALE)], BITS, GREY, FROM_RIGHT)
    x = (np.arange(32) + 0.5 - 16) * SCALE
    inside = np.broadcast_to((x > 0) & (x < 5.2 * SCALE), (20, 32))
    assert np.array_equal(result.maps.classes, inside * np.uint16(8))
    assert np.array_equal(result.maps.defects, inside * np.uint16(1))


def test_blur_reaches_four_deviations_beyond_the_mask(photo):
    blurred = synthesize(photo, SCALE, [Box(reflectance=-0.3)], BITS, GREY, FROM_RIGHT, blur=1.0)
    assert np.array_equal(blurred.linear[:, :12], photo[:, :12])
    assert (blurred.linear[:, 12:] != photo[:, 12:]).any(axis=(0, 2)).all()


def test_rows_run_upwards_from_the_bottom():
    points = photo_points((2, 3), 0.5)
    assert points.positions.tolist() == [[x, y, 0] for y in (-0.25, 0.25) for x in (-0.5, 0, 0.5)]


@pytest.mark.parametrize(
    ("directions", "weights", "fault"),
    [
        (((0.0, 0.0, -1.0),), (1.0,), "height"),
        (((0.0, 0.0, 1.0),), (), "as many of both"),
        (((0.0, 0.0, 1.0),), (0.0,), "weight above 0"),
        (((0.0, 0.0, float("nan")),), (1.0,), "finite"),
    ],
)
def test_impossible_lights_are_refused(directions, weights, fault):
    with pytest.raises(BlemishError, match=fault):
        PhotoLight(directions, weights)


def test_without_a_share_that_is_mirrored_the_material_tells_it():
    everywhere = PhotoLight((), (), ambient=1.0, gloss=None)
    metal = BareSurface((0.4, 0.4, 0.4), roughness=0.3, metallic=1.0)
    photo = np.full((20, 32, 3), 0.1)
    lighter = synthesize(photo, SCALE, [Box(reflectance=0.2)], BITS, metal, everywhere).linear
    assert np.allclose(lighter[:, 16:], 0.15)  # all that arrives is mirrored in the metal's colour
    painted = synthesize(photo, SCALE, [Box(reflectance=0.1, metallic=-1.0)], BITS, metal, everywhere).linear
    assert np.allclose(painted[:, 16:], 0.1 * (0.5 + 0.04) / 0.4)  # scattered, under a mirror of 4 %
    slope = Box(slope=1.0)
    tilted = synthesize(photo, SCALE, [slope], BITS, metal, everywhere).linear
    assert np.allclose(tilted[:, 18:31], 0.1 * (1.0 + 0.5 * 0.4))  # half of what it mirrors is the metal beside it


def test_a_mirror_is_no_brighter_than_the_light_in_it():
    overhead = PhotoLight(((0.0, 0.0, 1.0),), (1.0,), gloss=None, solid_angles=(0.2,))
    normal, one = np.array([[0.0, 0.0, 1.0]]), np.ones(1)
    smooth = Surface(normal, np.ones((1, 3)), 0.0 * one, one)
    sent, _ = overhead.sent(smooth, smooth)
    assert np.allclose(sent, np.pi / 0.2, rtol=1e-3)  # radiance over irradiance of the light, in units of 1/pi
    rough = Surface(normal, np.ones((1, 3)), one, one)
    assert (overhead.sent(rough, smooth)[0] < 0.3).all()


@pytest.mark.parametrize("points", [1, 4])
@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_what_is_narrower_than_a_pixel_changes_it_by_as_much_as_it_covers(photo, points, share):
    result = synthesize(photo, SCALE, [Box(width=share * SCALE, reflectance=-0.4)], BITS, GREY, FROM_RIGHT, 0.0, points)
    covered = share if points > 1 else float(share > 0.5)
    assert np.allclose(result.linear[:, 16], photo[:, 16] * (1 - 0.8 * covered))
    assert np.array_equal(result.linear[:, 17:], photo[:, 17:])
    classes, defects, impurities = result.masks()
    assert classes.shape == photo.shape[:2]
    assert (classes[:, 16] == 8 * (covered >= 0.4)).all()
    assert (defects[:, 16] == (covered >= 0.4)).all()
    assert not classes[:, 17:].any()
    assert not impurities.any()


def test_masks_of_pixels_have_what_covers_enough_of_them():
    @dataclass(frozen=True)
    class Other(Box):
        class_name: ClassVar[str] = "other"

    layers, bits = [Box(width=2.6 * SCALE), Other(width=1.2 * SCALE)], {**BITS, "other": 5}
    result = synthesize(np.full((20, 32), 0.5), SCALE, layers, bits, GREY, FROM_RIGHT, 0.0, 5)
    classes, defects, _ = result.masks()
    assert classes[0, 15:20].tolist() == [0, 8 | 32, 8, 8, 0]
    assert defects[0, 15:20].tolist() == [0, 2, 1, 1, 0]
    assert np.array_equal(classes, np.tile(classes[:1], (20, 1)))
