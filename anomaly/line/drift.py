"""Whether scores of good pictures left where training had them: a conformal test martingale [Vovk 2003].

Every score is ranked among those of good surfaces that training did not see and all that came before it; as long as all
are exchangeable, these ranks are independent and uniform, whatever the scores' distribution. Whoever bets against that
wins a fortune with a probability of at most one over the fortune ([Ville 1939]), however long it goes on: at 100
times the stake, drift is said with a false alarm in at most 1 of 100 lines, ever.

Bets are on small and on large ranks alike, by powers [Vovk 2003]. The stake is spread over the moments from which drift
may set in ([Vovk 2021] jumps between bets for the same reason), so that a long good time before costs little: what is
staked at the n-th score or later is 1/log2(n + 1).

Only pictures judged good are ranked. Where the light changes so much that most are flagged, their number tells it, if
it is known how many can be at most: half of the stake then bets on more of them.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence

import numpy as np

FALSE_ALARM = 0.01  # probability of ever saying drift where there is none
POWERS = (0.25, 0.5, 0.75)  # of the bets: from a few extreme ranks to many slightly shifted ones
SHARES = (0.25, 0.5, 0.75)  # of the way from the share of flagged pictures that is expected to all, which bets are on
LEAST_REFERENCE = 10  # good scores, below which no drift could be told within a reasonable time
RECENT = 20  # scores that say where drift has gone, and flagged pictures that say whether anything can be told
LEAST_RANK, MOST = 1e-12, 1e250  # of what a bet is computed for, and what it may become


class DriftTest:
    """A running test of one score after another against those of good surfaces.

    flagged_at_most: the share of pictures that can be flagged without drift; None: how many are flagged tells nothing.
    """

    def __init__(self, reference: Sequence[float], seed: int = 0, flagged_at_most: float | None = None) -> None:
        self._reference = sorted(reference)
        self._sorted = list(self._reference)
        self._rng = np.random.default_rng(seed)
        self._ranks = _Stake(2 * len(POWERS))
        self._expected = flagged_at_most
        self._flags = None if flagged_at_most is None else _Stake(len(SHARES))
        self._recent: list[float] = []
        self._recently_flagged: list[bool] = []
        self.count = 0
        self.highest = 1.0
        self.found_at: int | None = None  # how many pictures had come when it was

    def update(self, score: float) -> float:
        """Take in the score of a picture judged good, below the threshold; the evidence."""
        rank = self._rank(score)
        sides = [max(side, LEAST_RANK) for side in (rank, 1 - rank)]
        self._ranks.bet([power * side ** (power - 1) for side in sides for power in POWERS])
        self._recent = [*self._recent, score][-RECENT:]
        return self._next(False)

    def flag(self) -> float:
        """Take in that a picture was flagged; the evidence."""
        return self._next(True)

    def _next(self, is_flagged: bool) -> float:
        self.count += 1
        self._recently_flagged = [*self._recently_flagged, is_flagged][-RECENT:]
        if self._flags is not None and self._expected is not None:
            expected = self._expected
            on = [expected + (1 - expected) * share for share in SHARES]
            self._flags.bet([share / expected if is_flagged else (1 - share) / (1 - expected) for share in on])
        self.highest = max(self.highest, self.evidence)
        if self.found_at is None and self.highest >= 1 / FALSE_ALARM:
            self.found_at = self.count
        return self.evidence

    @property
    def evidence(self) -> float:
        """What the stake has become, in multiples of itself."""
        return self._ranks.value if self._flags is None else (self._ranks.value + self._flags.value) / 2

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
            return f"none seen in {self.count} pictures ({said_at})"
        return (
            f"{'; '.join(self._moved())} (found after {self.found_at} pictures; a false alarm in at most "
            f"{FALSE_ALARM:.0%} of all lines): look at light, lens and parts, then train again or find the threshold "
            "anew"
        )

    def _moved(self) -> Iterator[str]:
        if self._recent:
            before, now = float(np.median(self._reference)), float(np.median(self._recent))
            yield (
                f"scores of good pictures {'rose' if now > before else 'fell'}: the last {len(self._recent)} lie at "
                f"{now:.4g}, those of training at {before:.4g}"
            )
        flagged, recent = sum(self._recently_flagged), len(self._recently_flagged)
        if self._expected is not None and flagged > self._expected * recent:
            yield f"{flagged} of the last {recent} pictures are flagged, where at most {self._expected:.1%} could be"


class _Stake:
    """Money on several bets at once, of which ever more is laid."""

    def __init__(self, bets: int) -> None:
        self._bets = [0.0] * bets
        self._count = 0

    def bet(self, gains: Sequence[float]) -> None:
        """Lay what is due, then multiply each bet by its gain."""
        before, self._count = _unstaked(self._count), self._count + 1
        laid = (before - _unstaked(self._count)) / len(self._bets)
        self._bets = [min((bet + laid) * gain, MOST) for bet, gain in zip(self._bets, gains, strict=True)]

    @property
    def value(self) -> float:
        """All of it, laid or not."""
        return _unstaked(self._count) + sum(self._bets)


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
