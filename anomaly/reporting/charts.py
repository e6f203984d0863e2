"""Small charts as inline SVG: text and axes take the page's colours, so that they follow its light and dark scheme."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

WIDTH, HEIGHT = 440.0, 270.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 14.0, 14.0, 44.0
Scale = Callable[[float], float]


@dataclass(frozen=True)
class Line:
    """One line of a chart; colour: any CSS colour; dashes: SVG dash array or ""."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str
    dashes: str = ""
    width: float = 2.0


@dataclass(frozen=True)
class Bar:
    """One bar with its interval; index: set below the name's line; mark: a value to compare with, shown as a diamond.

    A bar that is not solid is paler. NaN is left out.
    """

    name: str
    value: float
    low: float
    high: float
    colour: str
    index: str = ""
    suffix: str = ""
    is_solid: bool = True
    mark: float | None = None


@dataclass(frozen=True)
class Dot:
    """One point of a scatter; area: of its mark, as a multiple of the smallest one's. NaN is left out."""

    name: str
    x: float
    y: float
    area: float
    colour: str


def line_chart(
    title: str,
    lines: Sequence[Line],
    *,
    x_label: str,
    y_label: str,
    x_ticks: Sequence[tuple[float, str]] | None = None,
    diagonal: bool = False,
    markers: bool = False,
) -> Markup:
    """Lines over the unit square, or over the given ticks; `diagonal` draws where guessing would lie."""
    shares = [(value, f"{value:.1f}") for value in (0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    x_ticks = shares if x_ticks is None else x_ticks
    low, high = x_ticks[0][0], x_ticks[-1][0]
    x, y = _scale(low, high, LEFT, WIDTH - RIGHT), _scale(0, 1, HEIGHT - BOTTOM, TOP)
    parts = _axes(x, y, x_ticks, shares, x_label, y_label)
    if diagonal:
        parts.append(f'<path class="guess" d="M{x(0):.1f} {y(0):.1f}L{x(1):.1f} {y(1):.1f}"/>')
    for line in lines:
        points = [(x(a), y(b)) for a, b in zip(line.x, line.y, strict=True)]
        path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
        dashes = f' stroke-dasharray="{escape(line.dashes)}"' if line.dashes else ""
        parts.append(
            f'<path d="{path}" fill="none" stroke="{escape(line.colour)}" stroke-width="{line.width}"{dashes} '
            f'stroke-linejoin="round"><title>{escape(line.name)}</title></path>'
        )
        if markers:
            parts += [
                f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.6" fill="{escape(line.colour)}">'
                f"<title>{escape(line.name)}: {value:.3f}</title></circle>"
                for (a, b), value in zip(points, line.y, strict=True)
            ]
    return _svg(title, parts)


def score_chart(
    title: str, groups: Sequence[tuple[str, Sequence[float], str]], mark: tuple[float, str] | None = None
) -> Markup:
    """Histograms of scores, one behind the other; groups: (name, values, colour); mark: a score and its name."""
    values = np.concatenate([np.asarray(scores, float) for _, scores, _ in groups])
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-12 * max(abs(high), 1):
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, 25)
    counts = [np.histogram(scores, edges)[0] for _, scores, _ in groups]
    top = _nice_top(max(int(c.max()) for c in counts))
    x, y = _scale(low, high, LEFT, WIDTH - RIGHT), _scale(0, top, HEIGHT - BOTTOM, TOP)
    ticks = [(value, f"{value:.4g}") for value in _round_ticks(low, high)]
    parts = _axes(x, y, ticks, [(v, f"{v:g}") for v in _count_ticks(top)], "score of the picture", "pictures")
    for (name, _, colour), heights in zip(groups, counts, strict=True):
        parts.append(
            f'<path d="{_steps(edges, heights, x, y)}" fill="{escape(colour)}" fill-opacity=".38" '
            f'stroke="{escape(colour)}" stroke-width="1.5"><title>{escape(name)}</title></path>'
        )
    if mark and low <= mark[0] <= high:
        at = x(mark[0])
        anchor, shift = ("end", -5) if at > WIDTH / 2 else ("start", 5)
        parts.append(
            f'<path class="mark" d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
            f'<text x="{at + shift:.1f}" y="{TOP + 10}" text-anchor="{anchor}">{escape(mark[1])}</text>'
        )
    return _svg(title, parts)


def run_chart(
    title: str,
    groups: Sequence[tuple[str, Sequence[float], Sequence[float], str]],
    mark: tuple[float, str],
    *,
    x_label: str,
    y_label: str,
    exponents: bool = False,
) -> Markup:
    """One dot for each picture in the order in which they came; groups: (name, numbers, values, colour).

    mark: a value and its name, a dashed line across. exponents: values are powers of ten.
    """
    numbers = [number for _, xs, _, _ in groups for number in xs]
    values = [value for _, _, ys, _ in groups for value in ys] + [mark[0]]
    low, high = min(values), max(values)
    low, high = (low - 0.5, high + 0.5) if high - low < 1e-12 * max(abs(high), 1) else (low, high)
    first, last = min(numbers, default=0.0), max(numbers, default=1.0)
    last = last if last > first else first + 1
    x = _scale(first, last, LEFT + 6, WIDTH - RIGHT - 6)
    y = _scale(low - 0.04 * (high - low), high + 0.04 * (high - low), HEIGHT - BOTTOM, TOP)
    x_ticks = [(value, f"{value:g}") for value in _round_ticks(first, last) if value == int(value)]
    y_ticks = [(value, f"{10**value:.2g}" if exponents else f"{value:.4g}") for value in _round_ticks(low, high)]
    parts = _axes(x, y, x_ticks, y_ticks, x_label, y_label)
    for name, xs, ys, colour in groups:
        parts.append(f'<g fill="{escape(colour)}"><title>{escape(name)}</title>')
        parts += [f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="2.4"/>' for a, b in zip(xs, ys, strict=True)]
        parts.append("</g>")
    parts.append(
        f'<path class="mark" d="M{LEFT} {y(mark[0]):.1f}H{WIDTH - RIGHT}"/>'
        f'<text x="{WIDTH - RIGHT}" y="{y(mark[0]) - 5:.1f}" text-anchor="end">{escape(mark[1])}</text>'
    )
    return _svg(title, parts)


def area_chart(title: str, areas: NDArray[np.int64], bounds: tuple[int, int], colour: str) -> Markup:
    """Histogram of instance areas in pixels over a logarithmic axis whose bounds several charts share."""
    low, high = floor(log10(max(bounds[0], 1))), ceil(log10(max(bounds[1], 2)) + 1e-9)
    high = max(high, low + 1)
    height, bottom = 150.0, 38.0
    edges = np.logspace(low, high, 5 * (high - low) + 1 if high - low > 2 else 13)
    counts = np.histogram(areas, edges)[0]
    top = _nice_top(int(counts.max(initial=1)))
    x = _scale(low, high, LEFT, WIDTH - RIGHT)
    y = _scale(0, top, height - bottom, TOP)
    ticks = [(float(p), f"{10**p:,}".replace(",", "\u2009")) for p in range(low, high + 1)]
    parts = _axes(x, y, ticks, [(0, "0"), (top, f"{top:g}")], "area in pixels", "", height, bottom)
    parts.append(
        f'<path d="{_steps(np.log10(edges), counts, x, y)}" fill="{escape(colour)}" fill-opacity=".55" '
        f'stroke="{escape(colour)}" stroke-width="1.2"/>'
    )
    return _svg(title, parts, height)


def bar_chart(
    title: str, bars: Sequence[Bar], *, x_label: str, start: float = 0.0, line: float | None = None
) -> Markup:
    """Horizontal bars of shares from `start`, in per cent, with their intervals; line: a value drawn through."""
    names, pitch, thickness = 132.0, 19.0, 11.0
    height = TOP + pitch * len(bars) + BOTTOM
    reached = [v for b in bars for v in (b.value, b.high, b.mark) if v is not None and np.isfinite(v)]
    # A fifth more than is needed at most, and never beyond all.
    top = next(
        (step / 20 for step in range(1, 21) if step / 20 >= max(reached, default=1.0) and step / 20 > start), 1.0
    )
    x = _scale(start, top, names, WIDTH - RIGHT)
    floor_y = height - BOTTOM
    parts = []
    for value in _round_ticks(start, top):
        parts.append(f'<path class="rule" d="M{x(value):.1f} {TOP - 6}V{floor_y}"/>')
        parts.append(f'<text x="{x(value):.1f}" y="{floor_y + 16}" text-anchor="middle">{100 * value:g}</text>')
    if line is not None and start <= line <= top:
        parts.append(f'<path class="mark" d="M{x(line):.1f} {TOP - 6}V{floor_y}"/>')
    for row, bar in enumerate(bars):
        middle = TOP + pitch * (row + 0.5)
        below = f'<tspan dy="3" font-size="8.5">{escape(bar.index)}</tspan>' if bar.index else ""
        after = f'<tspan dy="{-3 if bar.index else 0}">{escape(bar.suffix)}</tspan>' if bar.suffix else ""
        parts.append(
            f'<text class="name" x="{names - 7}" y="{middle + 4:.1f}" text-anchor="end">'
            f"{escape(bar.name)}{below}{after}</text>"
        )
        if np.isfinite(bar.value):
            said = f"{bar.name} {bar.index}{bar.suffix}: {100 * bar.value:.1f} %"
            parts.append(
                f'<rect x="{x(start):.1f}" y="{middle - thickness / 2:.1f}" height="{thickness}" '
                f'width="{max(x(bar.value) - x(start), 0):.1f}" fill="{escape(bar.colour)}" '
                f'fill-opacity="{1 if bar.is_solid else 0.45}"><title>{escape(said)}</title></rect>'
            )
        if np.isfinite(bar.low) and np.isfinite(bar.high):
            low, high = x(max(bar.low, start)), x(max(bar.high, start))
            parts.append(
                f'<path class="whisker" d="M{low:.1f} {middle:.1f}H{high:.1f}M{low:.1f} {middle - 3:.1f}v6'
                f'M{high:.1f} {middle - 3:.1f}v6"/>'
            )
        if bar.mark is not None and start <= bar.mark <= top:
            parts.append(
                f'<path class="diamond" d="M{x(bar.mark):.1f} {middle - 5:.1f}l4 5l-4 5l-4 -5Z">'
                f"<title>{100 * bar.mark:.1f} %</title></path>"
            )
    parts.append(f'<path class="axis" d="M{names} {TOP - 6}V{floor_y}"/>')
    parts.append(
        f'<text class="name" x="{(names + WIDTH - RIGHT) / 2}" y="{height - 6}" text-anchor="middle">'
        f"{escape(x_label)}</text>"
    )
    return _svg(title, parts, height)


def scatter_chart(title: str, dots: Sequence[Dot], *, x_label: str, y_label: str) -> Markup:
    """Named points of shares, in per cent, the axes no wider than they need; the marks' areas are in proportion."""
    seen = [dot for dot in dots if np.isfinite(dot.x) and np.isfinite(dot.y)]
    bounds = [_room(values) for values in ([dot.x for dot in seen], [dot.y for dot in seen])]
    x, y = _scale(*bounds[0], LEFT, WIDTH - RIGHT), _scale(*bounds[1], HEIGHT - BOTTOM, TOP)
    ticks = [[(value, f"{100 * value:g}") for value in _round_ticks(*ends)] for ends in bounds]
    parts = _axes(x, y, ticks[0], ticks[1], x_label, y_label)
    for dot in sorted(seen, key=lambda dot: -dot.area):
        said = f"{dot.name}: {100 * dot.x:.1f} %, {100 * dot.y:.1f} %"
        parts.append(
            f'<circle cx="{x(dot.x):.1f}" cy="{y(dot.y):.1f}" r="{4.0 * dot.area**0.5:.2f}" '
            f'fill="{escape(dot.colour)}" fill-opacity="0.6"><title>{escape(said)}</title></circle>'
        )
        right = x(dot.x) < (LEFT + WIDTH - RIGHT) / 2
        beside = x(dot.x) + (1 if right else -1) * (4.0 * dot.area**0.5 + 3)
        parts.append(
            f'<text x="{beside:.1f}" y="{y(dot.y) + 3.5:.1f}" text-anchor="{"start" if right else "end"}">'
            f"{escape(dot.name)}</text>"
        )
    return _svg(title, parts)


def spark_histogram(values: Sequence[float]) -> Markup:
    """A histogram small enough for a table cell."""
    counts = np.histogram(values, bins=16)[0]
    tallest = max(int(counts.max()), 1)
    bars = "".join(
        f'<rect x="{6 * k}" y="{22 - 20 * c / tallest:.1f}" width="5" height="{20 * c / tallest:.1f}"/>'
        for k, c in enumerate(counts)
        if c
    )
    return Markup(f'<svg class="spark" viewBox="0 0 96 22" aria-hidden="true">{bars}</svg>')


def _axes(
    x: Scale,
    y: Scale,
    x_ticks: Sequence[tuple[float, str]],
    y_ticks: Sequence[tuple[float, str]],
    x_label: str,
    y_label: str,
    height: float = HEIGHT,
    bottom: float = BOTTOM,
) -> list[str]:
    floor_y = height - bottom
    parts = []
    for value, text in y_ticks:
        parts.append(f'<path class="rule" d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{escape(text)}</text>')
    for value, text in x_ticks:
        parts.append(f'<text x="{x(value):.1f}" y="{floor_y + 16:.1f}" text-anchor="middle">{escape(text)}</text>')
    parts.append(f'<path class="axis" d="M{LEFT} {floor_y:.1f}H{WIDTH - RIGHT}"/>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="name" x="{middle}" y="{height - 6}" text-anchor="middle">{escape(x_label)}</text>')
    if y_label:
        centre = (TOP + floor_y) / 2
        parts.append(
            f'<text class="name" transform="translate(11 {centre:.0f}) rotate(-90)" text-anchor="middle">'
            f"{escape(y_label)}</text>"
        )
    return parts


def _svg(title: str, parts: Sequence[str], height: float = HEIGHT) -> Markup:
    head = f'<svg class="chart" viewBox="0 0 {WIDTH:g} {height:g}" role="img"><title>{escape(title)}</title>'
    return Markup(head + "".join(parts) + "</svg>")


def _room(values: Sequence[float]) -> tuple[float, float]:
    """Bounds with some room beside values that are shares; all of them where there is none."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    room = max(0.15 * (high - low), 0.01)
    return max(0.0, low - room), min(1.0, high + room)


def _scale(low: float, high: float, start: float, stop: float) -> Scale:
    return lambda value: start + (value - low) / (high - low) * (stop - start)


def _steps(edges: NDArray[np.float64], heights: NDArray[np.int64], x: Scale, y: Scale) -> str:
    path = f"M{x(edges[0]):.1f} {y(0):.1f}"
    for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
        path += f"L{x(left):.1f} {y(height):.1f}L{x(right):.1f} {y(height):.1f}"
    return path + f"L{x(edges[-1]):.1f} {y(0):.1f}Z"


def _nice_top(highest: int) -> int:
    """The smallest of 1, 2, 4, 5, 8, 10, 20, … that is not below `highest`."""
    power: int = 10 ** max(floor(log10(max(highest, 1))), 0)
    return next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= highest)


def _round_ticks(low: float, high: float) -> list[float]:
    """Three to eight multiples of 1, 2 or 5 times a power of ten between the two bounds."""
    power = 10.0 ** floor(log10((high - low) / 3))
    step = next(s * power for s in (5, 2, 1) if (high - low) / (s * power) >= 3 - 1e-9)  # .3 / .1 is less than 3
    return [round(k * step, 12 - floor(log10(step))) for k in range(ceil(low / step), floor(high / step) + 1)]


def _count_ticks(top: int) -> list[float]:
    return [0, top] if top < 2 else [0, top / 2, top] if top < 4 else [0, top / 4, top / 2, 3 * top / 4, top]
