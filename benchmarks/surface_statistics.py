"""Shape statistics of masks: one estimator for real and for synthetic surfaces, or the comparison is void.

Every statistic is in pixels and biased by them, the same way on both sides: a straight line gives a skeleton dimension
of .95 to 1.03. A statistic that a mask does not allow, such as the branch angle of an unbranched crack, is NaN.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LONGEST_SPUR = 8  # px; shorter side branches of a skeleton are the ragged edge of the mask, not branches of the crack
DIRECTION_RANGE = (3.0, 14.0)  # px from a junction between which a branch shows its direction
BOX_SIZES = (2, 3, 4, 6, 8, 12, 16, 24)  # px
PATH_SMOOTHING = 2.0  # px along a path, without which its staircase of pixels counts as length
SHORTEST_PATH = 32  # px; nothing is said of the roughness of a shorter one
SHORTEST_LAG = 4  # px; between nearer points the pixels' staircase is all there is
SMALLEST_BLOB = 12  # px of area; less is a handful of pixels without a shape


@dataclass(frozen=True)
class LineStatistics:
    """Statistics of one mask of cracks or scratches.

    width: px, area over length of the skeleton. width_variation: standard deviation over mean of the width along it.
    dimension: of the skeleton, by box counting. tortuosity: length of the longest path over the distance of its ends.
    roughness_exponent: of that path. junctions: per 1000 px of skeleton. branch_angle: degrees, mean of the smallest
    angle at each junction.
    """

    width: float
    width_variation: float
    dimension: float
    tortuosity: float
    roughness_exponent: float
    junctions: float
    branch_angle: float


@dataclass(frozen=True)
class BlobStatistics:
    """Statistics of one connected blob: diameter of the circle of its area in px, and three measures of its outline.

    eccentricity: 0 for a circle, to 1. solidity: area over area of the convex hull. circularity: 4π area/perimeter².
    """

    diameter: float
    eccentricity: float
    solidity: float
    circularity: float


def line_statistics(mask: ArrayLike) -> LineStatistics | None:
    """Measure an (H, W) mask of thin things; None where its skeleton has fewer than two pixels."""
    from scipy.ndimage import distance_transform_edt
    from skimage.morphology import skeletonize

    inside = np.asarray(mask, dtype=bool)
    skeleton = pruned(np.asarray(skeletonize(inside)))
    if np.count_nonzero(skeleton) < 2:
        return None
    # Beyond the border of the picture the thing goes on: it is not narrower there.
    reach = distance_transform_edt(np.pad(inside, 1, mode="edge"))[1:-1, 1:-1]
    widths = 2.0 * reach[skeleton] - 1.0
    length = _length(skeleton)
    path = smoothed(longest_path(skeleton))
    chord = float(np.linalg.norm(path[-1] - path[0]))
    travelled = float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())
    count, angles = junctions(skeleton)
    return LineStatistics(
        width=np.count_nonzero(inside) / length,
        width_variation=float(widths.std() / widths.mean()),
        dimension=box_dimension(skeleton),
        tortuosity=travelled / chord if chord >= 2.0 else np.nan,
        roughness_exponent=roughness_exponent(path),
        junctions=1000.0 * count / length,
        branch_angle=float(np.mean(angles)) if len(angles) else np.nan,
    )


def blob_statistics(mask: ArrayLike) -> list[BlobStatistics]:
    """Measure every 8-connected blob of an (H, W) mask that has SMALLEST_BLOB pixels or more."""
    from skimage.measure import label, regionprops

    labels = label(np.asarray(mask, dtype=bool), connectivity=2)
    return [
        BlobStatistics(
            diameter=float(np.sqrt(4.0 * blob.area / np.pi)),
            eccentricity=float(blob.eccentricity),
            solidity=float(blob.solidity),
            circularity=float(4.0 * np.pi * blob.area / blob.perimeter_crofton**2),
        )
        for blob in regionprops(labels)
        if blob.area >= SMALLEST_BLOB
    ]


def pruned(skeleton: Mask, longest_spur: int = LONGEST_SPUR) -> Mask:
    """A skeleton (H, W) without the side branches of fewer than `longest_spur` pixels."""
    from scipy.ndimage import binary_dilation
    from skimage.measure import label, regionprops
    from skimage.morphology import skeletonize

    for _ in range(3):  # a spur of a spur shows when the first is gone
        degree = _degree(skeleton)
        crossing = binary_dilation(skeleton & (degree >= 3), np.ones((3, 3))) & skeleton
        branches = label(skeleton & ~crossing, connectivity=2)
        beside = binary_dilation(crossing, np.ones((3, 3)))
        spurs = [
            branch.label
            for branch in regionprops(branches)
            if branch.area < longest_spur
            and (degree[tuple(branch.coords.T)] <= 1).any()
            and beside[tuple(branch.coords.T)].any()
        ]
        if not spurs:
            break
        skeleton = np.asarray(skeletonize(skeleton & ~np.isin(branches, spurs)))
    return skeleton


def longest_path(skeleton: Mask) -> Floats:
    """(N, 2) rows and columns along the longest of the shortest paths between two pixels of a skeleton.

    Found by going twice to the pixel furthest away, which is exact where the skeleton has no loops.
    """
    from scipy.sparse.csgraph import connected_components, dijkstra

    pixels, graph = _graph(skeleton)
    _, component = connected_components(graph, directed=False)
    best = np.zeros((1, 2))
    longest = -1.0
    largest = np.argsort(np.bincount(component))[::-1][:3]
    for one in largest:
        start = int(np.flatnonzero(component == one)[0])
        for _ in range(2):
            distance, before = dijkstra(graph, directed=False, indices=start, return_predecessors=True)
            distance[~np.isfinite(distance)] = -1.0
            start, origin = int(np.argmax(distance)), start
        if distance[start] > longest:
            longest = float(distance[start])
            walk = [start]
            while walk[-1] != origin:
                walk.append(int(before[walk[-1]]))
            best = pixels[walk].astype(np.float64)
    return best


def smoothed(path: Floats) -> Floats:
    """A path (N, 2) of pixels without their staircase; its two ends stay."""
    from scipy.ndimage import gaussian_filter1d

    if len(path) < 3:
        return path
    extended = np.concatenate([2 * path[0] - path[:0:-1], path, 2 * path[-1] - path[-2::-1]])
    return np.asarray(gaussian_filter1d(extended, PATH_SMOOTHING, axis=0)[len(path) - 1 : 1 - len(path)])


def box_dimension(skeleton: Mask, sizes: tuple[int, ...] = BOX_SIZES) -> float:
    """Slope of log(boxes that hold a pixel) over log(1/size); of each size the grid that needs the fewest."""
    rows, columns = np.nonzero(skeleton)
    counts = []
    for size in sizes:
        offsets = range(0, size, max(1, size // 3))
        counts.append(
            min(
                len(np.unique((rows + down) // size * (1 << 20) + (columns + right) // size))
                for down in offsets
                for right in offsets
            )
        )
    if counts[0] < 8:
        return np.nan
    enough = np.array(counts) >= 3  # a few boxes count the ends of a line, not its shape
    if np.count_nonzero(enough) < 3:
        return np.nan
    return float(-np.polyfit(np.log(np.array(sizes)[enough]), np.log(np.array(counts)[enough]), 1)[0])


def roughness_exponent(path: Floats) -> float:
    """ζ of a path (N, 2): the offset h from the chord differs by Δx^ζ, root mean square, between points Δx apart.

    Over distances from SHORTEST_LAG to a quarter of the chord; NaN for a path shorter than SHORTEST_PATH.
    """
    chord = path[-1] - path[0]
    length = float(np.linalg.norm(chord))
    if length < SHORTEST_PATH:
        return np.nan
    forward = chord / length
    away = path - path[0]
    along, offset = away @ forward, away @ np.array([-forward[1], forward[0]])
    order = np.argsort(along, kind="stable")
    height = np.interp(np.arange(int(length) + 1), along[order], offset[order])
    lags = np.unique(np.geomspace(SHORTEST_LAG, length / 4, 8).astype(int))
    differences = np.array([np.sqrt(np.mean((height[lag:] - height[:-lag]) ** 2)) for lag in lags])
    if differences.min() <= 0.0:
        return np.nan  # exactly straight
    return float(np.polyfit(np.log(lags), np.log(differences), 1)[0])


def junctions(skeleton: Mask) -> tuple[int, Floats]:
    """How many points of a skeleton have three branches or more, and the smallest angle (degrees) at each."""
    from scipy.ndimage import binary_dilation
    from skimage.measure import label, regionprops

    crossing = binary_dilation(skeleton & (_degree(skeleton) >= 3), np.ones((3, 3))) & skeleton
    branches = label(skeleton & ~crossing, connectivity=2)
    pixels_of = {branch.label: branch.coords for branch in regionprops(branches)}
    count, angles = 0, []
    nearest, furthest = DIRECTION_RANGE
    for node in regionprops(label(crossing, connectivity=2)):
        rows, columns = node.coords.T
        reach = [slice(max(0, axis.min() - 1), axis.max() + 2) for axis in (rows, columns)]
        own = np.zeros(branches[tuple(reach)].shape, dtype=bool)
        own[rows - reach[0].start, columns - reach[1].start] = True
        leaving = np.unique(branches[tuple(reach)][binary_dilation(own, np.ones((3, 3)))])
        leaving = leaving[leaving > 0]
        if len(leaving) < 3:
            continue
        count += 1
        directions = []
        for branch in leaving:
            away = pixels_of[branch] - np.array(node.centroid)
            distance = np.linalg.norm(away, axis=1)
            seen = (distance >= nearest) & (distance <= furthest)
            if np.count_nonzero(seen) >= 4:
                mean = away[seen].mean(axis=0)
                directions.append(mean / np.linalg.norm(mean))
        if len(directions) >= 3:
            cosines = np.array(directions) @ np.array(directions).T
            np.fill_diagonal(cosines, -1.0)
            angles.append(np.degrees(np.arccos(np.clip(cosines.max(), -1.0, 1.0))))
    return count, np.array(angles)


def energy_distance(first: ArrayLike, second: ArrayLike) -> float:
    """√(2E|X−Y| − E|X−X'| − E|Y−Y'|) of two samples, in their unit [Székely 2013]."""
    from scipy.stats import energy_distance as distance

    return float(distance(np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)))


def _graph(skeleton: Mask):  # type: ignore[no-untyped-def]
    """Pixels (N, 2) of a skeleton, and the sparse matrix of the distances between neighbours."""
    from scipy.sparse import coo_matrix

    pixels = np.argwhere(skeleton)
    number = np.full(np.array(skeleton.shape) + 2, -1)
    number[1:-1, 1:-1][skeleton] = np.arange(len(pixels))
    tails, heads, lengths = [], [], []
    for step in ((0, 1), (1, -1), (1, 0), (1, 1)):
        neighbour = number[pixels[:, 0] + 1 + step[0], pixels[:, 1] + 1 + step[1]]
        tails.append(np.flatnonzero(neighbour >= 0))
        heads.append(neighbour[neighbour >= 0])
        lengths.append(np.full(len(heads[-1]), float(np.hypot(*step))))
    entries = np.concatenate(lengths), (np.concatenate(tails), np.concatenate(heads))
    return pixels, coo_matrix(entries, shape=(len(pixels), len(pixels))).tocsr()


def _length(skeleton: Mask) -> float:
    """Length in px of a minimum spanning tree of the skeleton, and half a pixel beyond each end of every piece."""
    from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

    _, graph = _graph(skeleton)
    pieces, _ = connected_components(graph, directed=False)
    return float(minimum_spanning_tree(graph).sum()) + pieces


def _degree(skeleton: Mask) -> NDArray[np.int64]:
    from scipy.ndimage import convolve

    return np.asarray(convolve(skeleton.astype(np.int64), np.ones((3, 3), dtype=np.int64), mode="constant")) - 1
