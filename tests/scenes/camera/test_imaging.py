import math

import numpy as np
import pytest

from scenes.camera.imaging import camera_above, closed_ring_panel_length, pixel_footprint, ring_light
from scenes.scene import AreaPanel


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
