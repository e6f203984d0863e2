import numpy as np
import pytest

from scenes.camera.white_balance import RENDERED_KELVIN, black_body, chromaticity, gains


@pytest.mark.parametrize(
    ("kelvin", "x", "y"),
    [  # black bodies by Planck's law and the CIE 1931 observer; 2856 K is illuminant A by its definition
        (2000, 0.5267, 0.4133),
        (2856, 0.44757, 0.40745),
        (4000, 0.3805, 0.3768),
        (6500, 0.3135, 0.3237),
        (10000, 0.2807, 0.2884),
    ],
)
def test_black_bodies_have_the_colours_of_the_tables(kelvin: float, x: float, y: float) -> None:
    assert chromaticity(kelvin) == pytest.approx((x, y), abs=0.001)


def test_a_camera_set_for_the_light_of_renders_changes_nothing() -> None:
    assert gains(RENDERED_KELVIN) == pytest.approx(np.ones(3))


def test_a_camera_set_for_lamps_shows_daylight_blue_and_one_set_for_shade_shows_it_brown() -> None:
    red, green, blue = gains(3200)
    assert red == 1
    assert red < green < blue
    red, green, blue = gains(9000)
    assert blue == 1
    assert red > green > blue


def test_the_gains_make_the_light_that_the_camera_is_set_for_white() -> None:
    light = black_body(4200) / black_body(RENDERED_KELVIN)  # what of a white sheet under 4200 K a render would show
    shown = light * gains(4200)
    assert shown == pytest.approx(np.full(3, shown[0]))


def test_luminance_of_a_black_body_is_one() -> None:
    assert black_body(5000) @ [0.2126, 0.7152, 0.0722] == pytest.approx(1, abs=1e-3)
