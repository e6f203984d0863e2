"""Nonlinear least squares between bounds: damped Gauss-Newton steps [Marquardt 1963], projected [Kanzow 2004].

In plain numpy, for the same numbers in every process; scipy's compiled L-BFGS-B does not promise that.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEP = 1e-4  # of differences
TOLERANCE = 1e-5  # relative fall of the loss below which a descent ends
MOST_STEPS = 150
FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-2, 1e-7, 1e5
RAISED, LOWERED = 4.0, 9.0  # damping after a step that fails, and after one that helps
LEAST_CURVATURE = 1e-6


def half_square(missed: Floats) -> float:
    """Half the sum of squares, which a descent makes small."""
    return 0.5 * float(missed @ missed)


def descended(residuals: Callable[[Floats], Floats], start: Floats, bounds: Floats) -> Floats:
    """Where between bounds (n, 2) a descent from (n,) ends that makes the sum of squared residuals (m,) small.

    A coordinate that ends at a bound is equal to it.
    """
    low, high = bounds.T
    place = np.clip(start, low, high)
    missed, damping = residuals(place), FIRST_DAMPING
    for _ in range(MOST_STEPS):
        before = half_square(missed)
        slopes = _slopes(residuals, place, missed, high)
        downhill = -slopes.T @ missed
        free = ((place > low) | (downhill > 0)) & ((place < high) | (downhill < 0))
        curvature = slopes[:, free].T @ slopes[:, free]
        diagonal = np.diag(np.maximum(np.diag(curvature), LEAST_CURVATURE))
        while free.any() and damping < MOST_DAMPING:
            tried = place.copy()
            tried[free] += np.linalg.solve(curvature + damping * diagonal, downhill[free])
            tried = np.clip(tried, low, high)
            tried_missed = residuals(tried)
            if half_square(tried_missed) < before:
                break
            damping *= RAISED
        else:
            return place
        place, missed, damping = tried, tried_missed, max(damping / LOWERED, LEAST_DAMPING)
        if before - half_square(missed) < TOLERANCE * before:
            break
    return place


def _slopes(residuals: Callable[[Floats], Floats], place: Floats, missed: Floats, high: Floats) -> Floats:
    """(m, n) differences of the residuals over a step, which leads away from an upper bound."""
    columns = []
    for k in range(len(place)):
        step = STEP if place[k] + STEP <= high[k] else -STEP
        moved = place.copy()
        moved[k] += step
        columns.append((residuals(moved) - missed) / step)
    return np.stack(columns, axis=1)
