"""Fibres: their course, their width and what is left of them on coarse texels."""

from dataclasses import replace

import numpy as np
import pytest

from procgen.errors import BlemishError
from procgen.impurities.fibres import STEPS, Fibre, curled
from procgen.surface.layer import SurfacePoints
from procgen.surface.paths import Path

STRAIGHT = Path(np.array([[-0.004, -0.003, 0.0], [0.004, 0.003, 0.0]]))


def grid(step, side=0.012):
    count = round(side / step)
    along = (np.arange(count) + 0.5) * step - side / 2
    y, x = np.meshgrid(along, along, indexing="ij")
    flat = SurfacePoints.of(np.stack([x, y, 0 * x], -1).reshape(-1, 3))
    return replace(flat, shape=(count, count), spacing=(step, step))


def test_course_has_its_length_and_turns_by_its_curl():
    course = curled(0.01, 2.0, 0.0, np.random.default_rng(0))
    steps = np.diff(course, axis=0)
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1), 0.01 / STEPS)
    heading = np.unwrap(np.arctan2(*steps.T[::-1]))
    assert heading[-1] - heading[0] == pytest.approx(2.0, rel=0.02)


def test_waviness_is_how_far_the_turn_strays():
    turns = []
    for seed in range(400):
        steps = np.diff(curled(0.01, 0.0, 1.5, np.random.default_rng(seed)), axis=0)
        heading = np.unwrap(np.arctan2(*steps.T[::-1]))
        turns.append(heading[-1] - heading[0])
    assert abs(np.mean(turns)) < 0.3
    assert np.std(turns) == pytest.approx(1.5, rel=0.12)


def test_resolved_fibre_is_as_wide_as_it_is():
    points, fibre = grid(1e-5, 0.001), Fibre(STRAIGHT, width=2e-4)
    sample = fibre.evaluate(points)
    assert sample.inside.sum() * 1e-10 == pytest.approx(2e-4 * 0.001 / 0.8, rel=0.02)
    assert sample.opacity[sample.inside].min() == pytest.approx(0.9)
    assert sample.height.max() == pytest.approx(2e-4, rel=0.01)


@pytest.mark.parametrize("step", [5e-5, 1e-4, 2e-4])
def test_hairline_keeps_its_area_and_its_mask_has_no_gaps(step):
    from scipy.ndimage import label

    points, fibre = grid(step), Fibre(STRAIGHT, width=3e-5)
    sample = fibre.evaluate(points)
    assert sample.opacity.sum() * step**2 == pytest.approx(0.9 * 3e-5 * 0.01, rel=0.1)
    assert label(sample.inside.reshape(points.shape), np.ones((3, 3)))[1] == 1
    for field in ("opacity", "reflectance", "roughness", "height", "instance"):
        assert not getattr(sample, field)[~sample.inside].any()


def test_parameters_out_of_range_are_refused():
    with pytest.raises(BlemishError, match="fibre: found length = 0"):
        curled(0.0, 0.0, 1.0, np.random.default_rng(0))
    with pytest.raises(BlemishError, match="width = nan"):
        Fibre(STRAIGHT, width=float("nan"))
