"""All writers of a repository together keep within the Hub's quota, and share it."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence

import pytest

from annotate_space import pace
from annotate_space.pace import HOUR, Pace

HUB_ALLOWS = 128


class Writers:
    """Writers that always have something to commit, an hour of whose time passes in a moment."""

    def __init__(self, intervals: list[float], *, others_an_hour: int = 0) -> None:
        self.paces = [Pace(interval) for interval in intervals]
        self.made: list[list[float]] = [[] for _ in intervals]
        self.log: list[float] = []
        self.most = 0
        self._others_an_hour = others_an_hour
        self._random = random.Random(7)

    def run(self, hours: float, *, backlog: bool = False) -> None:
        for moment in range(int(hours * HOUR)):
            recent = self.recent(self.log, moment)
            if self._random.random() < self._others_an_hour / HOUR and recent < HUB_ALLOWS:
                self.log.append(moment)
            for number in self._random.sample(range(len(self.paces)), len(self.paces)):
                self._turn(number, moment, backlog)
            self.most = max(self.most, self.recent(self.log, moment))

    def in_last_hour(self) -> list[int]:
        end = max(self.log)
        return [self.recent(made, end) for made in self.made]

    def recent(self, times: list[float], moment: float) -> int:
        return sum(made > moment - HOUR for made in times[-200:])

    def _turn(self, number: int, moment: float, backlog: bool) -> None:
        pace, made = self.paces[number], self.made[number]
        due = made[-1] + pace.wait(moment, backlog=backlog) if made else 0
        if moment < due:
            return
        if pace.stale(moment):
            pace.told(self.recent(self.log, moment), moment)
        if not pace.spent(moment):
            self.log.append(moment)
            made.append(moment)
            pace.committed(moment)


def test_one_writer_keeps_to_its_interval() -> None:
    alone = Writers([60.0])
    alone.run(3)
    assert {b - a for a, b in zip(alone.made[0], alone.made[0][1:], strict=False)} == {60}


@pytest.mark.parametrize("intervals", [[60, 60], [5, 5], [60, 5], [60, 60, 60], [1, 1, 1]])
def test_writers_share_the_quota_alike(intervals: list[float]) -> None:
    writers = Writers(intervals)
    writers.run(4)
    assert writers.most < HUB_ALLOWS
    shares = writers.in_last_hour()
    assert max(shares) <= 1.25 * min(shares)
    assert min(shares) >= 25


@pytest.mark.parametrize("backlog", [False, True])
def test_a_generation_run_beside_two_spaces_finds_room(backlog: bool) -> None:
    writers = Writers([60, 60], others_an_hour=50)
    writers.run(4, backlog=backlog)
    assert writers.most <= HUB_ALLOWS
    assert min(writers.in_last_hour()) >= 15


def test_a_backlog_is_drained_faster_than_the_interval() -> None:
    usual, hurried = Writers([60]), Writers([60])
    usual.run(0.2)
    hurried.run(0.2, backlog=True)
    assert len(hurried.log) > 2 * len(usual.log)
    hurried.run(4, backlog=True)
    assert hurried.most < HUB_ALLOWS


def test_where_nobody_counts_nothing_is_stretched() -> None:
    pace = Pace(1.0, None)
    for moment in range(1_000):
        pace.committed(moment)
    assert not pace.stale(1_000)
    assert not pace.spent(1_000)
    assert pace.wait(1_000) == 1.0


def test_who_asks_at_the_same_moment_gets_the_same_number(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Pace(60.0)
    for moment in range(10):
        one.committed(moment)
    end = HOUR + 4.5
    interrupting = [end]

    def interrupted(times: Sequence[float], moment: float) -> int:
        found = bisect_right(times, moment)
        while interrupting:
            assert one.total(interrupting.pop()) == 5
        return found

    monkeypatch.setattr(pace, "bisect_right", interrupted)
    assert one.total(end) == 5
    assert one.total(end) == 5
