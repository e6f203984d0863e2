"""Verdicts against brute force and closed forms; regions against what their files say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy.ndimage import label

from anomaly.inspection.regions import Regions, RegionsError, read_regions
from anomaly.inspection.verdict import Box, verdict_of

MAPS = arrays(np.float32, (7, 9), elements=st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0]))


@given(anomaly_map=MAPS, smallest=st.integers(0, 4))
def test_findings_are_the_connected_places_at_or_above_the_threshold(anomaly_map, smallest):
    verdict = verdict_of(anomaly_map, 1.0, smallest=smallest)
    numbers, count = label(anomaly_map >= 1, np.ones((3, 3)))
    expected = {}
    for number in range(1, count + 1):
        rows, columns = np.nonzero(numbers == number)
        if len(rows) >= smallest:
            box = Box(columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
            expected[box, len(rows)] = anomaly_map[rows, columns].max()
    assert {(finding.box, finding.area): finding.peak for finding in verdict.findings} == expected
    assert verdict.mask.sum() == sum(finding.area for finding in verdict.findings)
    assert verdict.is_flawed == bool(verdict.findings)
    assert verdict.score == anomaly_map.max()
    areas = [finding.area for finding in verdict.findings]
    assert areas == sorted(areas, reverse=True)
    for finding in verdict.findings:
        assert anomaly_map[finding.peak_at[::-1]] == finding.peak


@pytest.mark.parametrize("degrees", [0, 20, 45, 77, 90])
def test_sides_of_a_turned_rectangle_are_its_own(degrees):
    turn = np.radians(degrees)
    y, x = np.mgrid[:200, :200] - 99.5
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    anomaly_map = ((abs(along) <= 40) & (abs(across) <= 6)).astype(np.float32)
    (finding,) = verdict_of(anomaly_map, 1.0).findings
    assert finding.length == pytest.approx(80, abs=1.6)
    assert finding.width == pytest.approx(12, abs=1.6)


def test_a_single_pixel_has_a_side_of_one():
    anomaly_map = np.zeros((5, 5), np.float32)
    anomaly_map[2, 3] = 9
    (finding,) = verdict_of(anomaly_map, 1.0).findings
    assert (finding.box, finding.area, finding.length, finding.width) == (Box(3, 2, 1, 1), 1, 1.0, 1.0)


THRESHOLDS = st.floats(0.0625, 100, width=32)


@given(
    anomaly_map=arrays(np.float32, (6, 8), elements=st.floats(0, 100, width=32)),
    threshold=THRESHOLDS,
    own=THRESHOLDS,
)
def test_a_region_is_flawed_exactly_from_its_own_threshold_on(anomaly_map, threshold, own):
    levels = np.zeros((6, 8), np.uint8)
    levels[1:, :4], levels[1:, 4:] = 100, 200
    regions = Regions(levels).with_thresholds({200: own})
    found = verdict_of(regions.scaled(anomaly_map, threshold), threshold).mask
    expected = np.where(levels == 200, anomaly_map >= np.float32(own), anomaly_map >= np.float32(threshold))
    assert (found == (expected & (levels > 0))).all()


def test_what_nobody_looks_at_is_never_flawed():
    anomaly_map = np.full((4, 4), 9, np.float32)
    levels = np.zeros((4, 4), np.uint8)
    levels[0, 0] = 255
    verdict = verdict_of(Regions(levels).scaled(anomaly_map, None), 1.0)
    assert verdict.mask.sum() == 1
    assert verdict.mask[0, 0]


def test_regions_are_read_from_black_and_white_levels_palettes_and_colours(tmp_path):
    levels = np.zeros((6, 8), np.uint8)
    levels[2:4, 1:3], levels[4:, 5:] = 1, 7
    white = levels > 0
    Image.fromarray(levels).save(tmp_path / "levels.png")
    Image.fromarray(white).save(tmp_path / "bits.png")
    palette = Image.fromarray(levels, "P")
    palette.putpalette([255, 0, 0] * 256)
    palette.save(tmp_path / "palette.png")
    Image.fromarray(np.repeat((white * np.uint8(255))[..., None], 3, axis=2)).save(tmp_path / "colour.png")
    for name, expected in (("levels", levels), ("bits", white), ("palette", levels), ("colour", white * 255)):
        assert (read_regions(tmp_path / f"{name}.png").levels == expected).all(), name
    assert read_regions(tmp_path / "levels.png").numbers == (1, 7)


def test_half_tones_and_files_without_anything_to_look_at_are_refused(tmp_path):
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "half.png")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "black.png")
    with pytest.raises(RegionsError, match="64 distinct values"):
        read_regions(tmp_path / "half.png")
    with pytest.raises(RegionsError, match="black everywhere"):
        read_regions(tmp_path / "black.png")


def test_another_size_and_unknown_regions_are_refused():
    regions = Regions(np.ones((4, 6), np.uint8))
    with pytest.raises(RegionsError, match=r"8 x 4 pixels, but .* 6 x 4"):
        regions.looked_at(None, (4, 8))
    with pytest.raises(RegionsError, match="region 9: there is none"):
        regions.with_thresholds({9: 1.0})
    with pytest.raises(RegionsError, match="region 1: its threshold is 0"):
        regions.with_thresholds({1: 0.0})
