"""What the owner of a Space pays for its visitors: so many samples a day, each and together.

It is kept in the memory of one process: a restart forgets what was used.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from pipeline.core.errors import NotAllowed
from pipeline.core.settings import Settings
from pipeline.web.address import network_of
from pipeline.web.visitor import Visitor
from seed_space.words import Spoken, say


class AllowanceUsed(Spoken, NotAllowed):
    """The owner pays for no more today, or not for as many as were asked for."""


@dataclass(frozen=True, slots=True)
class Left:
    """How much of a day is left for one visitor.

    Attributes:
        samples: That they may still have, also as far as all visitors together go.
        each: That a visitor may have a day.
        until: When the count starts anew.
    """

    samples: int
    each: int
    until: datetime


class Allowance:
    """Counts samples by visitor and day (UTC); thread safe.

    It never remembers more visitors than ``total``, since each of them has used one sample.

    Args:
        each: Samples a day for a visitor.
        total: Samples a day for all of them.
        clock: The time, in UTC.
    """

    def __init__(
        self, each: int, total: int, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._each = each
        self._total = total
        self._clock = clock
        self._guard = threading.Lock()
        self._day = clock().date()
        self._used: dict[str, int] = {}
        self._sum = 0

    def left(self, who: Visitor) -> Left:
        """What ``who`` may still have today."""
        with self._guard:
            self._turn_page()
            return self._left(_key(who))

    def take(self, who: Visitor, samples: int) -> Receipt:
        """Count ``samples`` before they are asked for: all of them or none.

        Raises:
            AllowanceUsed: Fewer are left.
        """
        key = _key(who)
        with self._guard:
            self._turn_page()
            left = self._left(key)
            if samples > left.samples:
                raise _used_up(left, samples, who.language)
            if samples > 0:
                self._used[key] = self._used.get(key, 0) + samples
                self._sum += samples
            return Receipt(self, key, self._day.isoformat(), max(0, samples))

    def _give_back(self, key: str, day: str, samples: int) -> None:
        with self._guard:
            self._turn_page()
            if day != self._day.isoformat():
                return
            self._sum -= samples
            self._used[key] -= samples
            if not self._used[key]:
                del self._used[key]

    def _left(self, key: str) -> Left:
        free = min(self._each - self._used.get(key, 0), self._total - self._sum)
        midnight = datetime.combine(self._day + timedelta(days=1), datetime.min.time(), UTC)
        return Left(max(0, free), self._each, midnight)

    def _turn_page(self) -> None:
        today = self._clock().date()
        if today != self._day:
            self._day, self._sum = today, 0
            self._used.clear()

    def __len__(self) -> int:
        with self._guard:
            return len(self._used)


class Receipt:
    """What was counted for one visitor, and may be given back as far as nothing came of it."""

    def __init__(self, allowance: Allowance, key: str, day: str, samples: int) -> None:
        self._allowance = allowance
        self._key = key
        self._day = day
        self._samples = samples
        self._guard = threading.Lock()

    def give_back(self, samples: int) -> None:
        """Take ``samples`` off the count again; never more than were counted."""
        with self._guard:
            back = max(0, min(samples, self._samples))
            self._samples -= back
        if back:
            self._allowance._give_back(self._key, self._day, back)


def allowance_of(settings: Settings) -> Allowance:
    """The one that all visitors of this Space share."""
    return _shared(
        settings.project,
        settings.space_id,
        settings.visitor_samples,
        settings.visitor_samples_total,
    )


@lru_cache(maxsize=64)
def _shared(project: str, space: str | None, each: int, total: int) -> Allowance:
    return Allowance(each, total)


def _key(who: Visitor) -> str:
    """By name; whoever is not signed in, by the network they come from."""
    if who.name is not None:
        return f"name:{who.name.casefold()}"
    return f"from:{network_of(who.address or '')}"


def _used_up(left: Left, asked: int, language: str) -> AllowanceUsed:
    values = {"left": left.samples, "of": left.each, "asked": asked}
    why = "used" if left.samples == 0 else "too_many"
    until = f"{left.until:%H:%M} UTC"
    return AllowanceUsed(
        say(language, f"who.{why}", **values), say(language, f"who.{why}_next", time=until)
    )
