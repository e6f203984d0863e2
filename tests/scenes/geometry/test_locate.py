"""From positions on a part back to its chart."""

import numpy as np
import pytest

from scenes.geometry.atlas import Chart
from scenes.parts.arc_segment import arc_segment
from scenes.parts.plate import plate

CHARTS = {"plate": plate(0.12, 0.1, 0.003).surface, "arc_segment": arc_segment(0.03, 0.034, 0.045, 0.006).surface}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_locate_is_the_inverse_of_embed_and_so_is_its_general_form(chart: Chart) -> None:
    uv = np.random.default_rng(0).uniform(0, 1, (500, 2)) * chart.size
    np.testing.assert_allclose(chart.locate(chart.embed(uv)), uv, atol=1e-14)
    np.testing.assert_allclose(Chart.locate(chart, chart.embed(uv)), uv, atol=1e-9)


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_what_lies_on_another_chart_is_nowhere(chart: Chart) -> None:
    uv = np.random.default_rng(0).uniform(0, 1, (50, 2)) * chart.size
    below = chart.embed(uv) - 0.002 * chart.normals(uv)
    assert np.isnan(chart.locate(below)).all()
    assert np.isnan(Chart.locate(chart, below)).all()
