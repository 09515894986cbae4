"""How often this process may commit, so that all writers of a repository share the Hub's quota."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Final

HOUR: Final = 3_600.0
QUOTA: Final = 120
"""Commits an hour by all writers, of the 128 that the Hub allows."""
CATCH_UP: Final = 5.0
"""Seconds between commits at least, when a backlog waits."""

_FRESH: Final = 300.0
_UNCOUNTED: Final = 5


class Pace:
    """Spreads commits over the hour. One thread commits, any may ask.

    Each writer takes at most as many commits an hour as all writers together leave free. So one
    alone takes half of the quota, two take a third each, and however many there are, all get the
    same and something stays free for whoever saves a seed or generates. Half of its share a writer
    may use at once; then it slows down, to where it commits as often as old commits leave the hour.

    Args:
        interval: Seconds between commits at least.
        quota: Commits an hour by all writers; None if nobody counts.
    """

    def __init__(self, interval: float, quota: int | None = QUOTA) -> None:
        self.interval = interval
        self._quota = math.inf if quota is None else quota
        # Replaced and never changed: the lead's view counts while a commit is noted.
        self._own: tuple[float, ...] = ()
        self._others = 0
        self._told_at = -math.inf

    def committed(self, at: float) -> None:
        """Note a commit of ours, at a time in seconds of a clock that never goes back."""
        self._own = (*self._own[bisect_right(self._own, at - HOUR) :], at)

    def told(self, total: int, at: float) -> None:
        """Take in how many commits all writers made in the hour before ``at``, ours included."""
        self._others = max(0, total - self._mine(at))
        self._told_at = at

    def forget_count(self) -> None:
        """Have the commits of all writers counted again before the next."""
        self._told_at = -math.inf

    def stale(self, at: float) -> bool:
        """Tell whether the commits of all writers should be counted again before the next.

        The fuller the hour, the fresher the number has to be.
        """
        if self._quota == math.inf:
            return False
        since = sum(moment > self._told_at for moment in self._own)
        crowded = self.total(at) >= self._quota / 2
        return at - self._told_at > _FRESH or since >= (1 if crowded else _UNCOUNTED)

    def total(self, at: float) -> int:
        """Commits of all writers in the last hour, as far as known."""
        return self._others + self._mine(at)

    def spent(self, at: float) -> bool:
        """Tell whether another commit would go beyond the quota."""
        return self.total(at) >= self._quota

    def wait(self, at: float, *, backlog: bool = False) -> float:
        """Seconds from the last commit to the next; 0 if there was none."""
        mine = self._mine(at)
        if not mine:
            return 0.0
        share = max((self._quota - self._others) / 2, 1.0)
        stretched = HOUR / share * (2 * mine / share - 1)
        return max(min(self.interval, CATCH_UP) if backlog else self.interval, stretched)

    def _mine(self, at: float) -> int:
        own = self._own
        return len(own) - bisect_right(own, at - HOUR)
