"""Coordinates of a machine tool: along, across and about directions in space."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def unit(direction: ArrayLike) -> Floats:
    """The direction (3,) of length 1."""
    direction = np.asarray(direction, dtype=np.float64)
    result: Floats = direction / np.linalg.norm(direction)
    return result


def component(positions: Floats, direction: Floats) -> Floats:
    """(N,) of (N, 3) positions along a unit direction, each row rounded by itself, as a matrix product would not."""
    x, y, z = positions.T
    result: Floats = x * direction[0] + y * direction[1] + z * direction[2]
    return result


def frame_about(axis: ArrayLike, forward: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Unit vectors (axis, forward, side), right-handed and orthogonal; forward is kept as far as the axis lets it."""
    along = unit(axis)
    forward = np.asarray(forward, dtype=np.float64)
    forward = forward - (forward @ along) * along
    if np.linalg.norm(forward) < 1e-9:  # nothing to keep: any direction across the axis
        forward = np.cross(along, np.eye(3)[int(np.argmin(np.abs(along)))])
    forward = unit(forward)
    return along, forward, np.cross(along, forward)
