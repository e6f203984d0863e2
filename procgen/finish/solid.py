"""Solid textures: noise and specks as functions of the position alone, so that curved parts show no seam."""

import numpy as np
from numpy.typing import NDArray

from procgen.surface.noise import fractal
from procgen.surface.placement import nearest_centre

Floats = NDArray[np.float64]

# The lag, in cells of the coarsest octave, at which a sum of so many octaves has decorrelated to 1/e (measured).
CORRELATION = {1: 0.52, 2: 0.46, 3: 0.46}

# Noise vanishes on its lattice. Turned by these angles (rad), no plane of the lattice lies in the surface or across the
# lay, where all marks would fade out together.
LATTICE_TURNS = (0.5, 0.7, 0.9)

STREAMS = 8  # independent textures that a finish can draw from its one seed; further ones are far from all of these
FURTHER = 2**40
MEAN_CUT = np.pi / 2.0  # mean diameter of the discs in which a plane cuts balls, over their radius
OCTAVES_PER_STREAM = 4


def drawn_out(
    positions: Floats, lay: tuple[float, float, float], along: float, across: float, octaves: int, seed: int
) -> Floats:
    """Noise of unit variance with correlation lengths `along` and `across` (m) a direction `lay` (3,) of any length.

    positions: (N, 3) m. Returns (N,).
    """
    lay = np.array(lay) / np.linalg.norm(lay)
    stretch = np.eye(3) / across + (1.0 / along - 1.0 / across) * np.outer(lay, lay)
    lattice = CORRELATION[octaves] * _TURN @ stretch
    return fractal(positions, octaves, seed, lattice=lattice)


def isotropic(positions: Floats, size: float, octaves: int, seed: int) -> Floats:
    """Noise of unit variance (N,) with correlation length `size` (m) in every direction."""
    return drawn_out(positions, (1.0, 0.0, 0.0), size, size, octaves, seed)


def specks(positions: Floats, density: float, radius: float, seed: int) -> Floats:
    """Round specks scattered over space, as paraboloids: (N,), 1 in the middle of a speck and 0 outside.

    density: 1/m² of any plane cut through them. radius: m; at most `speck_cell` of both.
    """
    distance, _ = nearest_centre(positions, speck_cell(density, radius), seed, reach=radius)
    return np.maximum(1.0 - (distance / radius) ** 2, 0.0)


def speck_cell(density: float, radius: float) -> float:
    """Cells of this size (m) hold `density` spheres of `radius` per area of any plane cut through them."""
    return float((2.0 * radius / density) ** (1.0 / 3.0))


def rods(positions: Floats, lay: tuple[float, float, float], density: float, radius: float, seed: int) -> Floats:
    """Specks that are drawn out without end along `lay` (3,): (N,), 1 in the middle of the thickest, 0 outside.

    density: how many per m a line across the lay meets, at most `rod_density` of the radius (m). What such a line cuts
    out of one is as the chord of a ball: two thirds of its diameter on average. It is the same in all positions that
    differ along the lay alone.
    """
    first = np.cross(lay, np.eye(3)[np.argmin(np.abs(lay))])
    second = np.cross(lay, first)
    flat = np.zeros_like(positions)
    for axis, direction in enumerate((first, second)):
        flat[:, axis] = positions @ (direction / np.linalg.norm(direction))
    return specks(flat, density / (MEAN_CUT * radius), radius, seed)


def rod_density(radius: float) -> float:
    """The most rods of a radius (m) per m that `rods` makes."""
    return MEAN_CUT * 2.0 / radius


def stream_seed(seed: int, stream: int) -> int:
    """The seed of one of the textures of a finish; its octaves take the seeds that follow."""
    further, stream = divmod(stream, STREAMS)
    return OCTAVES_PER_STREAM * (STREAMS * seed + stream) + 1 + FURTHER * further


def _turn() -> Floats:
    turn = np.eye(3)
    for axis, angle in enumerate(LATTICE_TURNS):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        about = np.eye(3)
        about[[i, i, j, j], [i, j, i, j]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        turn = turn @ about
    return turn


_TURN = _turn()
