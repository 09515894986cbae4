"""How fast one person may ask and answer: far above what a person does, below what a fault does.

A guest can be somebody new at every request, so where they come from has a limit too.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from pipeline.core.errors import SeedbedError
from pipeline.web.address import network_of

What = Literal["events", "questions", "calls"]


@dataclass(frozen=True, slots=True)
class Rate:
    """A sustained rate, and how much may come at once after a pause."""

    per_second: float
    burst: int


# A browser that comes back from a day offline sends hundreds of answers at once.
RATES: Final[dict[What, Rate]] = {
    "events": Rate(5, 400),
    "questions": Rate(10, 120),
    "calls": Rate(10, 100),
}
PEOPLE_AT_AN_ADDRESS: Final = 40
"""A classroom or an office is often one address."""
_MOST_KEPT: Final = 20_000


class TooFast(SeedbedError):
    """Somebody sends or asks faster than a person can.

    Attributes:
        retry_after: Seconds to wait.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(
            "More came from you in a moment than a person can do.",
            f"It goes on by itself in {max(1, round(retry_after))} s; nothing is lost.",
        )
        self.retry_after = retry_after


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


_Buckets: TypeAlias = OrderedDict[tuple[str, What], _Bucket]


class Limits:
    """Token buckets, one for each person and kind of thing, and one for each address; thread safe.

    Whoever was not seen for longest is forgotten first, which gives them a full bucket again.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._buckets: _Buckets = OrderedDict()
        self._addresses: _Buckets = OrderedDict()  # apart, so that invented names push none out

    def spend(
        self, annotator: str, what: What, amount: int = 1, address: str | None = None
    ) -> None:
        """Take ``amount``, or nothing.

        An amount above the burst is let through when the bucket is full: it could never pass.
        ``address`` is where a guest comes from, whose name alone means little; it has room for
        ``PEOPLE_AT_AN_ADDRESS``.

        Raises:
            TooFast: Not so soon.
        """
        rate = RATES[what]
        wanted = max(0, min(amount, rate.burst))
        with self._guard:
            now = self._clock()
            asked = [(_bucket(self._buckets, (annotator, what), rate, now), rate)]
            if address is not None:
                many = PEOPLE_AT_AN_ADDRESS
                wide = Rate(rate.per_second * many, rate.burst * many)
                key = (network_of(address), what)
                asked.append((_bucket(self._addresses, key, wide, now), wide))
            wait = max((wanted - bucket.left) / each.per_second for bucket, each in asked)
            if wait > 0:
                raise TooFast(wait)
            for bucket, _ in asked:
                bucket.left -= wanted


def _bucket(buckets: _Buckets, key: tuple[str, What], rate: Rate, now: float) -> _Bucket:
    """The bucket of ``key``, filled for the time that has passed."""
    bucket = buckets.setdefault(key, _Bucket(rate.burst, now))
    buckets.move_to_end(key)
    bucket.left = min(rate.burst, bucket.left + max(0.0, now - bucket.at) * rate.per_second)
    bucket.at = now
    while len(buckets) > _MOST_KEPT:
        buckets.popitem(last=False)
    return bucket
