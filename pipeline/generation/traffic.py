"""How many calls are under way: in all, and at each model, which may ask for less.

A model's limit follows the share of calls that it answers with 429, in the manner of Data Center
TCP (RFC 8257): at most once a window it is cut by ``min(1/2, 2 * share**2)``. The square makes
refusals that are not about load, which are few, cost next to nothing, while real overload is left
within a few windows. Below the level of the last trouble the limit recovers fast, above it slowly.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

Clock = Callable[[], float]

_GAIN: Final = 1 / 64
"""Weight of the newest call in the running share of refusals."""
_WINDOW: Final = 1.0
"""Seconds between two reductions at least; longer where answers take longer."""
_FORGOTTEN: Final = 10.0
"""Seconds without a refusal after which the level of the last trouble no longer counts."""
_FAST: Final = 0.1
"""Share of the ceiling that is regained in the time of one answer."""
_BURST: Final = 0.1
"""Share of a minute's allowance that may be used at once."""


@dataclass(slots=True)
class _Bucket:
    """An allowance that refills evenly; a call larger than the burst leaves it in debt."""

    per_minute: float
    clock: Clock
    level: float = field(init=False)
    seen: float = field(init=False)

    def __post_init__(self) -> None:
        self.level, self.seen = self._most, self.clock()

    @property
    def _most(self) -> float:
        return max(1.0, self.per_minute * _BURST)

    def take(self, amount: float) -> None:
        self._refill()
        self.level -= amount

    def ready_in(self, amount: float) -> float:
        """Seconds until ``amount`` may be taken."""
        self._refill()
        return max(0.0, (min(amount, self._most) - self.level) * 60 / self.per_minute)

    def _refill(self) -> None:
        moment = self.clock()
        self.level = min(self._most, self.level + (moment - self.seen) * self.per_minute / 60)
        self.seen = moment


@dataclass(slots=True, order=True)
class _Waiting:
    """Somebody in a queue; the smallest is next."""

    rank: int
    ticket: int
    tokens: int = field(compare=False)
    admitted: asyncio.Future[None] = field(compare=False)


class Lane:
    """The way to one model at one endpoint; made by ``Traffic.lane``."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._clock = traffic.clock
        self._requests: _Bucket | None = None
        self._tokens: _Bucket | None = None
        self._limit = self._edge = float(traffic.most)
        self._refused_share = 0.0
        self._refused_at = self._shrunk_at = float("-inf")
        self._answer_time = 0.0
        self._held_until = float("-inf")
        self.in_flight = 0
        self.waiting: list[_Waiting] = []

    @property
    def limit(self) -> int:
        """Calls that may be under way now."""
        return max(1, int(self._limit))

    def restrict(self, requests_per_minute: int | None, tokens_per_minute: int | None) -> None:
        """Keep to these limits too."""
        if requests_per_minute:
            had = self._requests.per_minute if self._requests else math.inf
            if requests_per_minute < had:
                self._requests = _Bucket(requests_per_minute, self._clock)
        if tokens_per_minute:
            had = self._tokens.per_minute if self._tokens else math.inf
            if tokens_per_minute < had:
                self._tokens = _Bucket(tokens_per_minute, self._clock)

    def held_for(self) -> float:
        """Seconds for which the endpoint asked to be left alone."""
        return max(0.0, self._held_until - self._clock())

    @asynccontextmanager
    async def slot(self, tokens: int, rank: int = 0) -> AsyncIterator[None]:
        """Wait until one more attempt may start; ``tokens`` is what it will use, roughly.

        Of those that wait, a smaller ``rank`` goes first, then whoever came first.
        """
        await self._traffic.admission(self, tokens, rank)
        try:
            yield
        finally:
            self.in_flight -= 1
            self._traffic.left()

    def answered(self, seconds: float, expected: int, used: int | None) -> None:
        """Note an answer, how long it took, and the tokens ``used`` where ``expected`` were."""
        self._note(refused=False)
        self._answer_time += (seconds - self._answer_time) / 16
        if self._tokens and used is not None:
            self._tokens.take(used - expected)
        if self._clock() - self._refused_at > _FORGOTTEN:
            self._edge = self._traffic.most
        step = max(1.0, _FAST * self._traffic.most) if self._limit < self._edge else 1.0
        self._limit = min(float(self._traffic.most), self._limit + step / max(1.0, self._limit))

    def refused(self) -> None:
        """Note that the endpoint asked for fewer calls."""
        self._note(refused=True)
        self._refused_at = moment = self._clock()
        if moment - self._shrunk_at >= max(_WINDOW, self._answer_time):
            self._shrunk_at = moment
            self._edge = max(1.0, self._limit * (1 - self._refused_share))
            cut = min(0.5, 2 * self._refused_share**2)
            self._limit = max(1.0, self._limit * (1 - cut))

    def hold(self, seconds: float) -> None:
        """Let nobody start for ``seconds``, as the endpoint asked."""
        self._held_until = max(self._held_until, self._clock() + seconds)

    def opens_in(self, tokens: int) -> float | None:
        """Seconds until the next may start; None if somebody has to leave first."""
        if self.in_flight >= self.limit:
            return None
        wait = self.held_for()
        if self._requests:
            wait = max(wait, self._requests.ready_in(1))
        if self._tokens:
            wait = max(wait, self._tokens.ready_in(tokens))
        return wait

    def start(self, tokens: int) -> None:
        """Count one more under way."""
        self.in_flight += 1
        if self._requests:
            self._requests.take(1)
        if self._tokens:
            self._tokens.take(tokens)

    def _note(self, *, refused: bool) -> None:
        self._refused_share += (refused - self._refused_share) * _GAIN


class Traffic:
    """All calls of a run, at most ``most`` at a time.

    Whoever runs it sets ``ending`` when all that is left has begun.

    Belongs to one event loop.
    """

    def __init__(self, most: int, clock: Clock = time.monotonic) -> None:
        self.most = most
        self.clock = clock
        self.ending = False
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._tickets = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def in_flight(self) -> int:
        """Calls under way."""
        return sum(lane.in_flight for lane in self._lanes.values())

    @property
    def limit(self) -> int:
        """Calls that may be under way now."""
        return min(self.most, sum(lane.limit for lane in self._lanes.values()))

    def held_for(self) -> float:
        """Seconds for which some endpoint asked to be left alone."""
        return max((lane.held_for() for lane in self._lanes.values()), default=0.0)

    def lane(
        self,
        endpoint: str,
        model: str,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
    ) -> Lane:
        """The lane to ``model`` at ``endpoint``; of several limits the strictest holds."""
        if (endpoint, model) not in self._lanes:
            self._lanes[endpoint, model] = Lane(self)
        lane = self._lanes[endpoint, model]
        lane.restrict(requests_per_minute, tokens_per_minute)
        return lane

    async def admission(self, lane: Lane, tokens: int, rank: int) -> None:
        """Wait for a place; whoever got one has to give it back by ``left``."""
        self._tickets += 1
        admitted = asyncio.get_running_loop().create_future()
        place = _Waiting(rank, self._tickets, tokens, admitted)
        heapq.heappush(lane.waiting, place)
        self._admit()
        try:
            await place.admitted
        except asyncio.CancelledError:
            if place.admitted.done() and not place.admitted.cancelled():
                lane.in_flight -= 1
                self._admit()
            raise

    def left(self) -> None:
        """Let the next ones in."""
        self._admit()

    def _admit(self) -> None:
        free = self.most - self.in_flight
        soonest: float | None = None
        while free > 0:
            soonest, ready = self._next()
            if ready is None:
                break
            place = heapq.heappop(ready.waiting)
            ready.start(place.tokens)
            place.admitted.set_result(None)
            free -= 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if free > 0 and soonest is not None:
            self._timer = asyncio.get_running_loop().call_later(soonest, self._admit)

    def _next(self) -> tuple[float | None, Lane | None]:
        """The lane whose first is next among those that are open, or when one opens."""
        best: Lane | None = None
        soonest: float | None = None
        for lane in self._lanes.values():
            while lane.waiting and lane.waiting[0].admitted.done():
                heapq.heappop(lane.waiting)  # gave up waiting
            if not lane.waiting:
                continue
            wait = lane.opens_in(lane.waiting[0].tokens)
            if wait == 0 and (best is None or lane.waiting[0] < best.waiting[0]):
                best = lane
            elif wait:
                soonest = wait if soonest is None else min(soonest, wait)
        return soonest, best
