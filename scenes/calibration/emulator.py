"""From parameters to statistics and back, learnt from renders: ridge regression on linear and quadratic terms.

[Hoerl 1970]; the penalty is the one whose error on rows left out is least, which the fit itself gives [Allen 1974].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes.calibration.distances import centre_and_scale

Floats = NDArray[np.float64]

PENALTIES = tuple(10.0**power for power in range(-4, 4))  # of standardised terms, a row
FOLDS = 5
HELD = 4.0  # deviations beyond which a statistic that is inverted tells no more


@dataclass(frozen=True)
class Ridge:
    """A linear map of (n, p) terms to (n, d) values."""

    middle: Floats
    scale: Floats
    offset: Floats
    coefficients: Floats

    def __call__(self, terms: Floats) -> Floats:
        return np.asarray((terms - self.middle) / self.scale @ self.coefficients + self.offset)


def ridge(terms: Floats, values: Floats, weights: Floats) -> Ridge:
    """Fit (n, p) terms to (n, d) values, rows weighted (n,)."""
    share = weights / weights.sum()
    middle = share @ terms
    scale = np.sqrt(share @ (terms - middle) ** 2)
    scale = np.where(scale > 0, scale, 1.0)
    offset = share @ values
    root = np.sqrt(weights / weights.mean())[:, None]
    standardised, wanted = root * (terms - middle) / scale, root * (values - offset)
    left, singular, right = np.linalg.svd(standardised, full_matrices=False)
    turned = left.T @ wanted
    spread = np.maximum(np.sqrt((wanted**2).mean(axis=0)), np.finfo(np.float64).tiny)
    best, least = PENALTIES[0], np.inf
    for penalty in PENALTIES:
        kept = singular**2 / (singular**2 + penalty * len(terms))
        leverage = np.minimum((left**2 * kept).sum(axis=1), 0.999)[:, None]
        missed = (wanted - left @ (kept[:, None] * turned)) / (1 - leverage) / spread
        error = float((missed**2).mean())
        if error < least:
            best, least = penalty, error
    kept = singular / (singular**2 + best * len(terms))
    return Ridge(middle, scale, offset, np.asarray(right.T @ (kept[:, None] * turned)))


def terms_of(units: Floats) -> Floats:
    """(n, K (K + 3) / 2) linear terms, squares and products about the middle of (n, K) unit coordinates."""
    about = 2 * units - 1
    first, second = np.triu_indices(units.shape[1])
    return np.hstack([about, about[:, first] * about[:, second]])


@dataclass(frozen=True)
class Emulator:
    """Statistics as renders have them on average, of parameters; residuals (n, d): how single ones differ.

    explained (d,): share of each statistic's variance over the design that the parameters explain.
    """

    model: Ridge
    residuals: Floats
    explained: Floats

    def __call__(self, units: Floats) -> Floats:
        """(n, d) statistics of (n, K) unit coordinates."""
        return self.model(terms_of(units))


def emulator(units: Floats, statistics: Floats, weights: Floats, local: NDArray[np.bool_]) -> Emulator:
    """Learn from renders: (n, K) unit coordinates and their (n, d) statistics.

    local: of which renders the residuals are kept; all, where that is none.
    """
    model = ridge(terms_of(units), statistics, weights)
    missed = statistics - model(terms_of(units))
    variance = np.maximum(statistics.var(axis=0), np.finfo(np.float64).tiny)
    explained = 1 - missed.var(axis=0) / variance
    kept = missed[local] if local.any() else missed
    return Emulator(model, kept - kept.mean(axis=0) if not local.any() else kept, explained)


def recovered(units: Floats, statistics: Floats, renders: NDArray[np.int64], seed: int) -> Floats:
    """(K,) share of each parameter's variance that its statistics tell, on renders that the inversion did not see.

    statistics: (n, d). renders: (n,) which rows are of one render, and never parted.
    """
    terms = _told(statistics, statistics)
    names = np.unique(renders)
    fold_of = np.random.default_rng(seed).permutation(len(names)) % FOLDS
    folds = fold_of[np.searchsorted(names, renders)]
    missed = np.zeros_like(units)
    for fold in range(FOLDS):
        seen = folds != fold
        inverse = ridge(terms[seen], units[seen], np.ones(int(seen.sum())))
        missed[~seen] = units[~seen] - inverse(terms[~seen])
    variance = np.maximum(units.var(axis=0), np.finfo(np.float64).tiny)
    return np.asarray(1 - (missed**2).mean(axis=0) / variance)


def inverted(units: Floats, statistics: Floats, wanted: Floats) -> Floats:
    """(m, K) unit coordinates that renders with statistics (m, d) probably have, learnt from (n, K) and (n, d)."""
    inverse = ridge(_told(statistics, statistics), units, np.ones(len(units)))
    return np.clip(inverse(_told(wanted, statistics)), 0, 1)


def _told(rows: Floats, statistics: Floats) -> Floats:
    """(m, 2 d) of statistics (m, d): in deviations about the median of those of renders (n, d), held, and squared."""
    middle, scale = centre_and_scale(statistics)
    held = np.clip((rows - middle) / scale, -HELD, HELD)
    return np.hstack([held, held**2])
