"""Masks are what a ray through the pixel's centre meets, to the pixel."""

from collections.abc import Callable

import numpy as np
import pytest

from scenes import Dataset, Recipe, surface_maps
from tests.blender_addon.ray_cast import look_up, near_border, texels_on_arc_segment, texels_on_plate
from tests.blender_addon.recipes import changed, crowded

pytestmark = pytest.mark.render
Render = Callable[[Recipe, int], Dataset]
FRAMES = 5
LABELS = ("classes", "defects", "impurities")
HALF_A_TEXEL = 0.5


def test_masks_equal_ray_cast_on_plate(rendered: Render) -> None:
    overlapping = 0
    for frame in rendered(crowded("plate"), FRAMES):
        maps = surface_maps(frame.scene)
        rows, columns = texels_on_plate(frame.scene, maps.classes.shape)
        for name in LABELS:
            differing = np.count_nonzero(getattr(frame, name) != look_up(getattr(maps, name), rows, columns))
            assert differing == 0, f"{name} of frame {frame.index}"
        assert frame.defects.any()
        assert frame.impurities.any()
        overlapping += np.count_nonzero((frame.defects > 0) & (frame.impurities > 0))
    assert overlapping > 100  # a crack under a stain keeps both


@pytest.mark.parametrize(("telecentric", "tilt"), [(True, 0), (True, 33), (False, 33)])
def test_masks_equal_ray_cast_through_other_cameras(telecentric: bool, tilt: float, rendered: Render) -> None:
    lens = {"telecentric": telecentric, "tilt_degrees": tilt, "tilt_azimuth_degrees": 50, "roll_degrees": 20}
    for frame in rendered(changed(crowded("plate"), camera=lens), 1):
        maps = surface_maps(frame.scene)
        rows, columns = texels_on_plate(frame.scene, maps.classes.shape)
        for name in LABELS:
            differing = np.count_nonzero(getattr(frame, name) != look_up(getattr(maps, name), rows, columns))
            assert differing == 0, f"{name} of frame {frame.index}"
        assert frame.defects.any()


def test_masks_equal_ray_cast_on_arc_segment_away_from_texel_borders(rendered: Render) -> None:
    for frame in rendered(crowded("magnetic_tile"), FRAMES):
        maps = surface_maps(frame.scene)
        rows, columns = texels_on_arc_segment(frame.scene, maps.classes.shape)
        for name in LABELS:
            values = getattr(maps, name)
            differing = getattr(frame, name) != look_up(values, rows, columns)
            assert not (differing & ~near_border(values, rows, columns, HALF_A_TEXEL)).any(), f"{name} of {frame.index}"
        assert frame.defects.any()


def test_class_bits_and_instances_agree(rendered: Render) -> None:
    dataset = rendered(crowded("plate"), FRAMES)
    bits, families = dataset.classes, dataset.families
    for frame in dataset:
        for family, ids in (("defect", frame.defects), ("impurity", frame.impurities)):
            of_family = sum(1 << bit for name, bit in bits.items() if families[name] == family)
            assert np.array_equal(ids > 0, (frame.classes & of_family) > 0)


def test_depth_of_field_leaves_masks_alone(rendered: Render) -> None:
    sharp = crowded("plate")
    blurred = changed(sharp, camera={"f_number": 1.4})
    for one, other in zip(rendered(sharp, FRAMES), rendered(blurred, 2), strict=False):
        assert other.scene.camera.aperture_radius > 0
        for name in LABELS:
            assert np.array_equal(getattr(one, name), getattr(other, name))
