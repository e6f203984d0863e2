import math

import numpy as np
import pytest

from scenes.camera.imaging import camera_above, pixel_footprint, rays
from scenes.camera.light import AreaPanel, closed_ring_panel_length, ring_light


def _hexagon(rotation: float = 0.0, scale: float = 1.0) -> tuple[AreaPanel, ...]:
    return ring_light(
        diameter=0.2,
        height=0.18,
        panel_length=closed_ring_panel_length(6, 0.2),
        panel_width=0.035,
        tilt=math.radians(25),
        rotation=rotation,
        scale=scale,
        powers=(1.0,) * 6,
        centre=(0.01, -0.02),
    )


def _ends(panel: AreaPanel) -> np.ndarray:
    half = panel.width / 2 * np.array(panel.along)
    return np.array(panel.position) + np.stack([-half, half])


def test_panels_close_the_hexagon() -> None:
    panels = _hexagon()
    for panel, following in zip(panels, (*panels[1:], panels[0]), strict=True):
        assert np.allclose(_ends(panel)[1], _ends(following)[0])


def test_panels_face_inwards_and_down_by_their_tilt() -> None:
    for panel in _hexagon():
        direction, inward = np.array(panel.direction), np.array([0.01, -0.02, 0.18]) - panel.position
        assert np.linalg.norm(direction) == pytest.approx(1)
        assert math.degrees(math.acos(-direction[2])) == pytest.approx(25)
        assert direction @ inward > 0
        assert direction @ np.array(panel.along) == pytest.approx(0)


def test_scale_keeps_the_radiance_and_the_height() -> None:
    for panel, larger in zip(_hexagon(), _hexagon(scale=2), strict=True):
        radiance, radiance_of_larger = (p.power / (p.width * p.length) for p in (panel, larger))
        assert radiance_of_larger == pytest.approx(radiance)
        assert larger.width == pytest.approx(2 * panel.width)
        assert larger.position[2] == panel.position[2]


def test_a_hexagon_turned_by_60_degrees_is_itself_and_by_90_is_not() -> None:
    def corners(panels: tuple[AreaPanel, ...]) -> set[tuple[float, ...]]:
        return {tuple(np.round(panel.position, 9)) for panel in panels}

    assert corners(_hexagon(math.radians(60))) == corners(_hexagon())
    assert corners(_hexagon(math.radians(90))) != corners(_hexagon())


def test_two_panels_close_nothing() -> None:
    with pytest.raises(ValueError, match="give the panels a length"):
        closed_ring_panel_length(2, 0.2)


def test_camera_sees_the_width_asked_for() -> None:
    camera = camera_above(
        field_width=0.12, focal_length=0.016, sensor_width=0.008446, resolution=(612, 512), roll=math.radians(10)
    )
    assert pixel_footprint(camera, camera.focus_distance) * 612 == pytest.approx(0.12)
    edge = camera.sensor_width / 2 / camera.focal_length * camera.position[2]
    assert edge == pytest.approx(0.06)
    right = np.cross(camera.forward, camera.up)
    assert right == pytest.approx([math.cos(math.radians(10)), math.sin(math.radians(10)), 0])


def plain(**changes: object) -> object:
    given = {"field_width": 0.12, "focal_length": 0.016, "sensor_width": 0.008, "resolution": (612, 512)}
    return camera_above(**{**given, "centre": (0.01, -0.02), **changes})  # type: ignore[arg-type]


CORNERS = np.array([[0.0, 0.0], [612.0, 0.0], [306.0, 256.0], [0.0, 512.0]])


def met(camera: object, height: float) -> np.ndarray:
    """(N, 3) where the rays through the corners of the picture meet a level plane."""
    origins, directions = rays(camera, CORNERS)  # type: ignore[arg-type]
    return np.asarray(origins + (height - origins[:, 2:]) / directions[:, 2:] * directions)


def test_the_scale_of_a_telecentric_lens_depends_on_no_depth() -> None:
    camera = plain(telecentric=True)
    for height in (0.0, -0.05, 0.03):
        seen = met(camera, height)
        assert np.allclose(seen[1] - seen[0], (0.12, 0, 0))
        assert np.allclose(seen[2], (0.01, -0.02, height))
        assert pixel_footprint(camera, 0.24 - height) == pytest.approx(0.12 / 612)  # type: ignore[arg-type]
    ordinary = met(plain(), -0.05)
    assert np.allclose(ordinary[1] - ordinary[0], (0.12 * (0.24 + 0.05) / 0.24, 0, 0))


@pytest.mark.parametrize("telecentric", [False, True])
def test_a_tilted_camera_looks_at_the_same_place_from_as_far(telecentric: bool) -> None:
    tilt, azimuth = math.radians(35), math.radians(120)
    camera = plain(tilt=tilt, tilt_azimuth=azimuth, telecentric=telecentric, roll=0.3)
    away = np.array(camera.position) - (0.01, -0.02, 0)  # type: ignore[attr-defined]
    assert np.linalg.norm(away) == pytest.approx(0.24)
    assert math.acos(away[2] / 0.24) == pytest.approx(tilt)
    assert math.atan2(away[1], away[0]) == pytest.approx(azimuth)
    assert np.allclose(met(camera, 0)[2], (0.01, -0.02, 0))
    forward, up = np.array(camera.forward), np.array(camera.up)  # type: ignore[attr-defined]
    assert np.allclose(forward, -away / 0.24)
    assert (forward @ up, up @ up) == (pytest.approx(0), pytest.approx(1))


def test_a_plane_looked_at_aslant_is_foreshortened_by_the_cosine() -> None:
    tilt = math.radians(40)
    seen = met(plain(tilt=tilt, telecentric=True), 0)
    assert np.linalg.norm(seen[1] - seen[0]) == pytest.approx(0.12 / math.cos(tilt))  # across, along the tilt
    assert np.linalg.norm(seen[3] - seen[0]) == pytest.approx(0.12 * 512 / 612)
    assert np.allclose(met(plain(tilt=1e-9), 0), met(plain(), 0), atol=1e-9)
