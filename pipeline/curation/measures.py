"""Measures taken in one pass and in bounded memory, however many samples there are."""

from __future__ import annotations

import heapq
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MOST_BINS: Final = 24
_QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
_STEPS: Final = (1, 2, 5)

_SPACELESS: Final = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD: Final = re.compile(rf"[{_SPACELESS}]|[^\s{_SPACELESS}]+")


def words(text: str) -> int:
    """How many words; each character counts in scripts that put no spaces between words."""
    if text.isascii():
        return len(text.split())
    return sum(1 for _ in _WORD.finditer(text))


def excerpt(text: str, limit: int = 200) -> str:
    """The beginning of a text on one line, without characters that cannot be shown."""
    line = " ".join(text[: 4 * limit].split())
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    cut = len(shown) > limit or len(text) > 4 * limit
    return f"{shown[: limit - 1].rstrip()}…" if cut else shown


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of a histogram.

    Attributes:
        start: The least value in it.
        end: The first value that is not; None when it takes all that are greater.
        count: How many values fell into it.
    """

    start: int
    end: int | None
    count: int

    def label(self) -> str:
        """The values in it, for a person."""
        if self.end is None:
            return f"{self.start} or more"
        return str(self.start) if self.end == self.start + 1 else f"{self.start} to {self.end - 1}"


@dataclass(frozen=True, slots=True)
class Distribution:
    """How whole numbers are spread; all zero when there are none.

    Attributes:
        total: The sum of all values.
        p5: Five of a hundred values are at most this.
        p95: Ninety-five of a hundred values are at most this.
        bins: At most ``MOST_BINS``; the last one also holds what lies far out.
        log_mean: Mean of the natural logarithms of value plus one.
        log_deviation: Their standard deviation.
    """

    count: int = 0
    total: int = 0
    least: int = 0
    p5: int = 0
    p25: int = 0
    median: int = 0
    p75: int = 0
    p95: int = 0
    most: int = 0
    bins: tuple[Bin, ...] = ()
    log_mean: float = 0.0
    log_deviation: float = 0.0

    @property
    def mean(self) -> float:
        """Zero when there is no value."""
        return self.total / self.count if self.count else 0.0

    def z(self, value: int) -> float:
        """How unusual ``value`` is: deviations of its logarithm from the mean logarithm.

        Lengths are nearly log-normal; without the logarithm no short text would ever stand out.
        """
        if self.log_deviation < 1e-9:
            return 0.0
        return (math.log1p(value) - self.log_mean) / self.log_deviation

    def as_json(self) -> dict[str, float]:
        """The figures without the histogram."""
        names = ("count", "least", "p5", "p25", "median", "p75", "p95", "most")
        return {name: getattr(self, name) for name in names} | {"mean": round(self.mean, 1)}


class Lengths:
    """Takes in whole numbers one by one.

    Exact up to 999; above that, values are held to three digits, so that there are never more than
    some thousand counters.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._total = 0
        self._least = 0
        self._most = 0

    def add(self, value: int) -> None:
        """Take in one value."""
        self._least = min(self._least, value) if self._counts else value
        self._most = max(self._most, value)
        self._total += value
        self._counts[_three_digits(value)] += 1

    def distribution(self) -> Distribution:
        """What was taken in so far."""
        if not self._counts:
            return Distribution()
        count = self._counts.total()
        values = sorted(self._counts)
        p5, p25, median, p75, p95 = self._quantiles(values, count)
        logs = {value: math.log1p(value) for value in values}
        mean = sum(logs[value] * self._counts[value] for value in values) / count
        spread = sum((logs[value] - mean) ** 2 * self._counts[value] for value in values) / count
        return Distribution(
            count=count,
            total=self._total,
            least=self._least,
            p5=p5,
            p25=p25,
            median=median,
            p75=p75,
            p95=p95,
            most=self._most,
            bins=tuple(self._bins(values)),
            log_mean=mean,
            log_deviation=math.sqrt(spread),
        )

    def _quantiles(self, values: list[int], count: int) -> Iterator[int]:
        """Nearest rank: each is a value that occurs."""
        at, passed = 0, self._counts[values[0]]
        for share in _QUANTILES:
            while passed < math.ceil(share * count):
                at += 1
                passed += self._counts[values[at]]
            yield values[at]

    def _bins(self, values: list[int]) -> Iterator[Bin]:
        """Equal bins with round borders up to the 99th percentile, the last one open."""
        *_, top = _upto(values, self._counts, 0.99)
        width = _round_width((top - values[0]) / MOST_BINS)
        first = values[0] // width
        found = Counter[int]()
        last = min(top // width, first + MOST_BINS - 1)
        for value in values:
            found[min(value // width, last)] += self._counts[value]
        for place in range(first, last + 1):
            is_open = place == last and self._most >= (last + 1) * width
            end = None if is_open else (place + 1) * width
            yield Bin(place * width, end, found[place])


class Top(Generic[T]):
    """Keeps the ``size`` items of the highest rank; of equals, those that came first."""

    def __init__(self, size: int = 10) -> None:
        self._size = size
        self._heap: list[tuple[float, int, T]] = []
        self._seen = 0

    def wants(self, rank: float) -> bool:
        """Tell whether an item of this rank would be kept, before it is made."""
        return len(self._heap) < self._size or rank > self._heap[0][0]

    def add(self, rank: float, item: T) -> None:
        """Offer one item."""
        self._seen += 1
        entry = (rank, -self._seen, item)
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, entry)
        elif rank > self._heap[0][0]:
            heapq.heapreplace(self._heap, entry)

    def items(self) -> Iterable[tuple[float, T]]:
        """Rank and item, the highest first."""
        return [(rank, item) for rank, _, item in sorted(self._heap, key=lambda e: e[:2])[::-1]]


def _three_digits(value: int) -> int:
    step = 1
    while value // step > 999:
        step *= 10
    return value // step * step


def _upto(values: list[int], counts: Counter[int], share: float) -> Iterator[int]:
    """The values below and at the quantile ``share``."""
    passed, count = 0, counts.total()
    for value in values:
        yield value
        passed += counts[value]
        if passed >= share * count:
            return


def _round_width(least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50 and so on that is not below ``least``."""
    power = 1
    while True:
        for step in _STEPS:
            if step * power >= least:
                return step * power
        power *= 10
