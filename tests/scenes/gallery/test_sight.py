"""Where on a part a pixel lies, against the way back: from the chart through the lens to the picture."""

import numpy as np
import pytest

from scenes import build_part, draw, load_recipe
from scenes.gallery.sight import sighted
from tests.blender_addon.recipes import changed


def seen_at(camera, positions):
    """(N, 2) column and row of positions (N, 3), as the definition of `Camera` says."""
    forward, up = np.array(camera.forward), np.array(camera.up)
    away = positions - np.array(camera.position)
    scale = (
        camera.focal_length / (away @ forward)
        if camera.field_width is None
        else (camera.sensor_width / camera.field_width)
    )
    x, y = scale * (away @ np.cross(forward, up)), scale * (away @ up)
    return np.column_stack(
        [(x / camera.sensor_width + 0.5) * camera.width, 0.5 * camera.height - y / camera.sensor_width * camera.width]
    )


@pytest.mark.parametrize("camera", [{}, {"tilt_degrees": 30, "tilt_azimuth_degrees": 200}, {"telecentric": True}])
@pytest.mark.parametrize("name", ["plate", "magnetic_tile"])
def test_places_on_a_part_are_found_again_through_the_camera(name, camera):
    scene = draw(changed(load_recipe(name), camera=camera), 2, 1)
    part = build_part(scene.part)
    uv = np.random.default_rng(0).uniform(0.02, 0.98, (40, 2))
    pixels = seen_at(scene.camera, part.surface.embed(uv * part.surface.size))
    charts, found = sighted(part, scene.camera, pixels)
    assert (charts == 0).all()
    assert np.abs(found - uv).max() < 2e-3  # the mesh is flat between its vertices


def test_a_ray_past_the_part_meets_nothing():
    scene = draw(load_recipe("plate"), 2, 1)
    charts, uv = sighted(build_part(scene.part), scene.camera, np.array([[-4e4, 0.0], [scene.camera.width / 2, 10.0]]))
    assert charts[0] == -1
    assert np.isnan(uv[0]).all()
    assert charts[1] == 0
