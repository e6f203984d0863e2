"""Whether scores of good pictures left where training had them: a conformal test martingale [Vovk 2003].

Every score is ranked among those of good surfaces that training did not see and all that came before it; as long as all
are exchangeable, these ranks are independent and uniform, whatever the scores' distribution. Whoever bets against that
wins a fortune with a probability of at most one over the fortune (Ville's inequality), however long it goes on: at 100
times the stake, drift is said with a false alarm in at most 1 of 100 lines, ever.

Bets are on small and on large ranks alike, by powers [Vovk 2003]. The stake is spread over the moments from which drift
may set in ([Vovk 2021] jumps between bets for the same reason), so that a long good time before costs little: what is
staked at the n-th score or later is 1/log2(n + 1).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

import numpy as np

FALSE_ALARM = 0.01  # probability of ever saying drift where there is none
POWERS = (0.25, 0.5, 0.75)  # of the bets: from a few extreme ranks to many slightly shifted ones
LEAST_REFERENCE = 10  # good scores, below which no drift could be told within a reasonable time
RECENT = 20  # scores that say where drift has gone, and flagged pictures that say whether anything can be told
LEAST_RANK = 1e-12  # of what a bet is computed for


class DriftTest:
    """A running test of one score after another against those of good surfaces."""

    def __init__(self, reference: Sequence[float], seed: int = 0) -> None:
        self._reference = sorted(reference)
        self._sorted = list(self._reference)
        self._rng = np.random.default_rng(seed)
        self._bets = [0.0] * (2 * len(POWERS))
        self._recent: list[float] = []
        self.count = 0
        self.evidence = 1.0  # times the stake
        self.highest = 1.0
        self.found_at: int | None = None  # how many scores had come when it was

    def update(self, score: float) -> float:
        """Take in a good picture's score; what the stake has become, in multiples of itself."""
        rank = self._rank(score)
        free, self.count = _unstaked(self.count), self.count + 1
        staked = (free - _unstaked(self.count)) / len(self._bets)
        gains = [power * max(side, LEAST_RANK) ** (power - 1) for side in (rank, 1 - rank) for power in POWERS]
        self._bets = [min((bet + staked) * gain, 1e250) for bet, gain in zip(self._bets, gains, strict=True)]
        self.evidence = _unstaked(self.count) + sum(self._bets)
        self.highest = max(self.highest, self.evidence)
        if self.found_at is None and self.highest >= 1 / FALSE_ALARM:
            self.found_at = self.count
        self._recent = [*self._recent, score][-RECENT:]
        return self.evidence

    def _rank(self, score: float) -> float:
        """Share of the scores up to now, this one among them, that lie above it, ties being drawn: it is uniform."""
        above = len(self._sorted) - bisect_right(self._sorted, score)
        equal = len(self._sorted) - above - bisect_left(self._sorted, score) + 1
        insort(self._sorted, score)
        return (above + (1 - self._rng.random()) * equal) / len(self._sorted)

    @property
    def described(self) -> str:
        """What the test says, in words."""
        if self.found_at is None:
            said_at = f"evidence {self.evidence:.2g}, drift is said at {1 / FALSE_ALARM:g}"
            return f"none seen in {self.count} good pictures ({said_at})"
        before, now = float(np.median(self._reference)), float(np.median(self._recent))
        moved = "rose" if now > before else "fell"
        return (
            f"scores of good pictures {moved}: the last {len(self._recent)} lie at {now:.4g}, those of training at "
            f"{before:.4g} (found after {self.found_at} good pictures; a false alarm in at most {FALSE_ALARM:.0%} of "
            "all lines); look at light, lens and parts, then train again or find the threshold anew"
        )


def _unstaked(count: int) -> float:
    """What is not yet staked after so many scores."""
    return 1 / math.log2(count + 2)


def reference_below(good_scores: Sequence[float], threshold: float) -> list[float]:
    """The good scores that pictures judged good are compared with: those below the threshold, as theirs are.

    A threshold of a risk lies just above one of them, which is left out: of those below the k-th smallest, a new score
    below the threshold is as likely as each to come last.
    """
    below = [score for score in good_scores if score < threshold]
    sets_it = [score for score in below if float(np.nextafter(np.float32(score), np.float32(np.inf))) == threshold]
    for score in sets_it[:1]:
        below.remove(score)
    return below
