"""How fast one person may ask and answer: far above what a person does, below what a fault does."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from pipeline.core.errors import SeedbedError

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


class Limits:
    """Token buckets, one for each person and kind of thing; thread safe.

    Whoever was not seen for longest is forgotten first, which gives them a full bucket again.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._buckets: OrderedDict[tuple[str, What], _Bucket] = OrderedDict()

    def spend(self, annotator: str, what: What, amount: int = 1) -> None:
        """Take ``amount``, or nothing.

        An amount above the burst is let through when the bucket is full: it could never pass.

        Raises:
            TooFast: Not so soon.
        """
        rate = RATES[what]
        wanted = max(0, min(amount, rate.burst))
        with self._guard:
            now = self._clock()
            bucket = self._buckets.setdefault((annotator, what), _Bucket(rate.burst, now))
            self._buckets.move_to_end((annotator, what))
            passed = max(0.0, now - bucket.at)
            bucket.left = min(rate.burst, bucket.left + passed * rate.per_second)
            bucket.at = now
            while len(self._buckets) > _MOST_KEPT:
                self._buckets.popitem(last=False)
            if bucket.left < wanted:
                raise TooFast((wanted - bucket.left) / rate.per_second)
            bucket.left -= wanted
