"""Bars with intervals: what is drawn is in proportion to what is said."""

import re
from xml.etree import ElementTree

import pytest

from anomaly.reporting.charts import Bar, Dot, bar_chart, scatter_chart


def drawn(*bars, **options):
    return ElementTree.fromstring(str(bar_chart("shares", bars, x_label="share, %", **options)))


def test_bars_and_whiskers_are_in_proportion():
    svg = drawn(Bar("a", 0.2, 0.1, 0.3, "#123456"), Bar("b", 0.6, 0.5, 0.8, "#123456", is_solid=False))
    rects = list(svg.iter("rect"))
    widths = [float(rect.get("width")) for rect in rects]
    assert widths[1] == pytest.approx(3 * widths[0], rel=0.01)
    assert [rect.get("fill-opacity") for rect in rects] == ["1", "0.45"]
    whiskers = [path.get("d") for path in svg.iter("path") if path.get("class") == "whisker"]
    ends = [tuple(map(float, re.match(r"M([\d.]+) [\d.]+H([\d.]+)", path).groups())) for path in whiskers]
    assert ends[1][1] - ends[1][0] == pytest.approx(1.5 * (ends[0][1] - ends[0][0]), rel=0.01)
    left = float(rects[0].get("x"))
    assert ends[0][0] - left == pytest.approx(widths[0] / 2, rel=0.02)


def test_marks_lie_and_grow_in_proportion():
    dots = [Dot("a", 0.2, 0.1, 1, "red"), Dot("b", 0.3, 0.3, 4, "red"), Dot("c", 0.6, 0.2, 1, "red")]
    dots.append(Dot("none", float("nan"), 0.2, 1, "red"))
    svg = ElementTree.fromstring(str(scatter_chart("t", dots, x_label="x", y_label="y")))
    marks = {mark.find("title").text[0]: mark for mark in svg.iter("circle")}
    assert set(marks) == {"a", "b", "c"}
    across, down, radius = ({name: float(mark.get(key)) for name, mark in marks.items()} for key in ("cx", "cy", "r"))
    assert across["c"] - across["a"] == pytest.approx(4 * (across["b"] - across["a"]), abs=0.3)
    assert down["a"] - down["b"] == pytest.approx(2 * (down["a"] - down["c"]), abs=0.3)
    assert radius["b"] == pytest.approx(2 * radius["a"])


def test_bars_may_start_above_nothing():
    svg = drawn(Bar("a", 0.6, 0.55, 0.65, "red"), Bar("b", 0.8, 0.7, 0.9, "red"), start=0.5, line=0.6)
    widths = [float(rect.get("width")) for rect in svg.iter("rect")]
    assert widths[1] == pytest.approx(3 * widths[0], rel=0.01)
    mark = next(path.get("d") for path in svg.iter("path") if path.get("class") == "mark")
    rect = next(svg.iter("rect"))
    assert float(re.match(r"M([\d.]+)", mark)[1]) == pytest.approx(float(rect.get("x")) + widths[0], abs=0.2)


def test_what_is_not_defined_is_left_out_and_names_are_escaped():
    nan = float("nan")
    svg = drawn(Bar("<a>", nan, nan, nan, "red", index="x&y", suffix=" (ft)"), Bar("b", 0.5, nan, nan, "red", mark=0.7))
    assert len(list(svg.iter("rect"))) == 1
    assert [path.get("class") for path in svg.iter("path")].count("whisker") == 0
    assert [path.get("class") for path in svg.iter("path")].count("diamond") == 1
    assert "<a>x&y (ft)" in ["".join(text.itertext()) for text in svg.iter("text")]


def test_a_chart_of_nothing_defined_can_be_drawn():
    nan = float("nan")
    assert not list(drawn(Bar("a", nan, nan, nan, "red")).iter("rect"))


@pytest.mark.parametrize("top", range(1, 21))
def test_every_axis_has_ticks(top):
    """.3 divided by .1 is less than 3 in binary."""
    svg = drawn(Bar("a", top / 20, top / 20, top / 20, "red"))
    assert 3 <= sum(path.get("class") == "rule" for path in svg.iter("path")) <= 9
