"""The one description that every crack is simulated into, and how a picture is thinned to it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from procgen.finish.solid import OCTAVES_PER_STREAM, isotropic

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

PIECES_PER_GRAIN = 3  # into which edges are cut, to run round one
GRAIN_OCTAVES = 2


@dataclass(frozen=True)
class CrackGraph:
    """A crack without a resolution: vertices (V, 2) in a chart or (V, 3) on a part, m; edges (E, 2) between them.

    widths, depths: (V,) m, which run linearly along each edge.
    """

    vertices: Floats
    edges: Indices
    widths: Floats
    depths: Floats

    def embedded(self, embed: Callable[[Floats], Floats]) -> "CrackGraph":
        """The same crack on a part; `embed` maps (V, 2) chart positions to (V, 3) positions, both in metres."""
        return replace(self, vertices=np.asarray(embed(self.vertices), dtype=np.float64))


def chain(count: int) -> Indices:
    """(count - 1, 2) edges of an open line through `count` vertices."""
    return np.stack([np.arange(count - 1), np.arange(1, count)], axis=1)


def edge_lengths(vertices: Floats, edges: Indices) -> Floats:
    """(E,) in the unit of the (V, D) vertices."""
    return np.asarray(np.linalg.norm(vertices[edges[:, 1]] - vertices[edges[:, 0]], axis=1))


def degrees(count: int, edges: Indices) -> Indices:
    """(count,) how many edges meet at each vertex."""
    return np.bincount(edges.ravel(), minlength=count)


def thinned(band: NDArray[np.bool_], shortest_spur: int) -> tuple[Floats, Indices]:
    """The centre lines of a band in a picture: vertices (V, 2) as (row, column), edges (E, 2).

    Free ends shorter than `shortest_spur` pixels that hang on a junction are the thinning's own, and are cut off.
    """
    from skimage.morphology import skeletonize

    vertices, edges = _pixel_graph(skeletonize(band))
    for _ in range(shortest_spur):  # each round shortens every spur by one pixel, or uncovers no more of them
        spurs = _spurs(len(vertices), edges, shortest_spur)
        if not len(spurs):
            break
        vertices, edges = reduced(vertices, edges, ~np.isin(np.arange(len(vertices)), spurs))
    return vertices, edges


def relaxed(vertices: Floats, edges: Indices, rounds: int) -> Floats:
    """The vertices moved half-way to the mean of their neighbours, `rounds` times; free ends stay where they are."""
    degree = degrees(len(vertices), edges)
    movable = degree > 1
    both = np.concatenate([edges, edges[:, ::-1]])
    for _ in range(rounds):
        total = np.stack([np.bincount(both[:, 0], column[both[:, 1]], len(vertices)) for column in vertices.T], axis=1)
        vertices = np.where(movable[:, None], 0.5 * (vertices + total / np.maximum(degree, 1)[:, None]), vertices)
    return vertices


def reduced(vertices: Floats, edges: Indices, keep: NDArray[np.bool_]) -> tuple[Floats, Indices]:
    """The vertices that are kept (V,), and the edges between them."""
    renumbered = np.cumsum(keep) - 1
    return vertices[keep], renumbered[edges[keep[edges].all(axis=1)]]


def round_grains(graph: CrackGraph, deviation: float, grain: float, seed: int) -> CrackGraph:
    """The same crack in a chart, (V, 2), as it runs round grains that it meets: pushed aside from one to the next.

    deviation: m, the standard deviation of that, along each axis. grain: m, their size. seed: of the grains.
    """
    fine = _cut(graph, grain / PIECES_PER_GRAIN)
    flat = np.column_stack([fine.vertices, np.zeros(len(fine.vertices))])
    pushed = [isotropic(flat, grain, GRAIN_OCTAVES, seed + OCTAVES_PER_STREAM * axis) for axis in (0, 1)]
    return replace(fine, vertices=fine.vertices + deviation * np.stack(pushed, axis=1))


def _cut(graph: CrackGraph, longest: float) -> CrackGraph:
    """The same crack with its edges cut into equal pieces of at most so many metres; new vertices follow the old."""
    lengths = edge_lengths(graph.vertices, graph.edges)
    pieces = np.maximum(np.ceil(lengths / longest), 1).astype(np.int64)
    of_piece = np.repeat(np.arange(len(pieces)), pieces)
    step = np.arange(len(of_piece)) - np.repeat(np.cumsum(pieces) - pieces, pieces)  # of each piece along its edge
    is_last = step == pieces[of_piece] - 1
    ends = np.where(is_last, graph.edges[of_piece, 1], len(graph.vertices) + np.cumsum(~is_last) - 1)
    starts = np.where(step == 0, graph.edges[of_piece, 0], np.roll(ends, 1))
    along = ((step + 1) / pieces[of_piece])[~is_last]
    tail, head = graph.edges[of_piece[~is_last]].T

    def with_between(values: Floats) -> Floats:
        between = values[tail] + (along * (values[head] - values[tail]).T).T
        return np.concatenate([values, between])

    return CrackGraph(
        with_between(graph.vertices),
        np.stack([starts, ends], axis=1),
        with_between(graph.widths),
        with_between(graph.depths),
    )


def _pixel_graph(skeleton: NDArray[np.bool_]) -> tuple[Floats, Indices]:
    """Pixels joined to their neighbours; across a corner only where no pixel beside it joins them already."""
    number = np.full(np.add(skeleton.shape, 2), -1)
    number[1:-1, 1:-1][skeleton] = np.arange(np.count_nonzero(skeleton))
    here, right, below, diagonal = number[1:-1, 1:-1], number[1:-1, 2:], number[2:, 1:-1], number[2:, 2:]
    falling, rising = (right < 0) & (below < 0), (here < 0) & (diagonal < 0)
    edges = []
    for one, other, allowed in (
        (here, right, None),
        (here, below, None),
        (here, diagonal, falling),
        (right, below, rising),
    ):
        joined = (one >= 0) & (other >= 0)
        if allowed is not None:
            joined &= allowed
        edges.append(np.stack([one[joined], other[joined]], axis=1))
    return np.argwhere(skeleton).astype(np.float64), np.concatenate(edges)


def _spurs(count: int, edges: Indices, shortest: int) -> Indices:
    """The vertices of the chains that lead from a free end to a junction in fewer than `shortest` steps."""
    degree = degrees(count, edges)
    neighbours: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges.tolist():
        neighbours[a].append(b)
        neighbours[b].append(a)
    found: list[int] = []
    for tip in np.flatnonzero(degree == 1).tolist():
        walked, here = [tip], neighbours[tip][0]
        while degree[here] == 2 and len(walked) < shortest:
            walked.append(here)
            here = next(other for other in neighbours[here] if other != walked[-2])
        if degree[here] > 2 and len(walked) < shortest:
            found += walked
    return np.array(found, dtype=np.int64)
