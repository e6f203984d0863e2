"""The coreset algorithm of [Mao 2025], section IV, sentence by sentence: patch by patch, a full distance matrix."""

import numpy as np
from numpy.typing import NDArray


def squared_distances(vector: NDArray, rows: NDArray) -> NDArray[np.float64]:
    total = np.zeros(len(rows))
    for dimension in range(rows.shape[1]):
        total = total + (np.float64(vector[dimension]) - rows[:, dimension].astype(np.float64)) ** 2
    return total


def literal_coreset(features: NDArray, size: int, epochs: int = 1) -> tuple[NDArray, list[int]]:
    """The bank after each of `epochs` passes over `features`, and how many patches each pass accepted."""
    bank: list[NDArray] = []
    matrix = None
    accepted = []
    for _ in range(epochs):
        accepted.append(0)
        for patch in features:
            if len(bank) < size:
                bank.append(patch.copy())
                accepted[-1] += 1
                if len(bank) == size:
                    rows = np.stack(bank)
                    matrix = np.stack([squared_distances(row, rows) for row in rows])
                    np.fill_diagonal(matrix, np.inf)
                continue
            squares = squared_distances(patch, rows)
            if squares.min() > matrix.min():
                lower = min(np.unravel_index(matrix.argmin(), matrix.shape))
                rows[lower] = patch
                matrix[lower] = matrix[:, lower] = squared_distances(patch, rows)
                matrix[lower, lower] = np.inf
                accepted[-1] += 1
    return (np.stack(bank) if len(bank) < size else rows), accepted
