"""What happened lately, as the lead wants it: pace, how long people take, what they flag."""

from __future__ import annotations

import statistics
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pipeline.core.feedback import FeedbackEvent, Key, timestamp
from pipeline.core.schema import Task

_HOUR: Final = 60
_TEN: Final = 10
_LEAST: Final = 10.0
"""Minutes that a pace is measured over at least: the first vote of an hour says nothing yet."""
_DURATIONS: Final = 101
_MOST_PEOPLE: Final = 5_000
_MOST_FLAGGED: Final = 200


@dataclass(frozen=True, slots=True)
class Pace:
    """How many votes came lately.

    Attributes:
        hour: In the last hour.
        ten_minutes: In the last ten minutes.
        per_minute: Of the last hour, or of the part of it in which people were at work; 0 is none.
    """

    hour: int
    ten_minutes: int
    per_minute: float


@dataclass(frozen=True, slots=True)
class Flagged:
    """Somebody says that something is wrong with a sample."""

    sample_id: str
    task: Task
    annotator: str
    reason: str
    comment: str
    at: str


class Recent:
    """Folds events as they come, in bounded memory; each event once; thread safe."""

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._start = timestamp(clock() - timedelta(hours=1))
        self._guard = threading.Lock()
        self._minutes: dict[int, int] = {}
        self._durations: OrderedDict[str, deque[int]] = OrderedDict()
        self._flagged: OrderedDict[Key, Flagged] = OrderedDict()

    def note(self, event: FeedbackEvent) -> None:
        """Take in one event, from the past or new."""
        with self._guard:
            if event.status == "submitted":
                self._time(event)
                if event.received_at > self._start:  # what was there before costs no more than this
                    self._count(event)
            if event.status == "flagged" or self._flagged:
                self._settle(event)

    def pace(self) -> Pace:
        """How many votes came lately."""
        this = _minute(self._clock())
        with self._guard:
            votes = {m: n for m, n in self._minutes.items() if this - _HOUR < m <= this}
        hour = sum(votes.values())
        at_work = max(_LEAST, float(this - min(votes, default=this) + 1))
        ten = sum(count for minute, count in votes.items() if minute > this - _TEN)
        return Pace(hour, ten, hour / at_work)

    def seconds(self, annotator: str) -> float | None:
        """The median of how long their last answers took; None if that is not known."""
        with self._guard:
            durations = list(self._durations.get(annotator, ()))
        return statistics.median(durations) / 1000 if durations else None

    def flagged(self, at_most: int) -> list[Flagged]:
        """What is flagged now, the newest first."""
        with self._guard:
            found = list(self._flagged.values())
        return sorted(found, key=lambda one: one.at, reverse=True)[:at_most]

    def _count(self, event: FeedbackEvent) -> None:
        now = self._clock()
        moment = datetime.fromisoformat(event.received_at)
        if event.repeat or moment < now - timedelta(hours=1):
            return
        minute = min(_minute(moment), _minute(now))
        self._minutes[minute] = self._minutes.get(minute, 0) + 1
        if len(self._minutes) > 2 * _HOUR:
            oldest = _minute(now) - _HOUR
            self._minutes = {m: n for m, n in self._minutes.items() if m > oldest}

    def _time(self, event: FeedbackEvent) -> None:
        if not event.duration_ms:
            return
        self._durations.setdefault(event.annotator, deque(maxlen=_DURATIONS)).append(
            event.duration_ms
        )
        self._durations.move_to_end(event.annotator)
        while len(self._durations) > _MOST_PEOPLE:
            self._durations.popitem(last=False)

    def _settle(self, event: FeedbackEvent) -> None:
        """A flag stands until the same person says something else of the same."""
        key = event.key()
        known = self._flagged.get(key)
        if known is not None and known.at > event.received_at:
            return
        self._flagged.pop(key, None)
        if event.status != "flagged":
            return
        self._flagged[key] = Flagged(
            event.sample_id,
            event.task,
            event.annotator,
            event.reason or "",
            event.comment or "",
            event.received_at,
        )
        while len(self._flagged) > _MOST_FLAGGED:
            oldest = min(self._flagged, key=lambda key: self._flagged[key].at)
            del self._flagged[oldest]


def _minute(moment: datetime) -> int:
    return int(moment.timestamp()) // 60
