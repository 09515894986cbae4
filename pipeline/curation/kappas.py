"""How far people agree beyond chance: Krippendorff's alpha, Fleiss' and Cohen's kappa.

All are worked out from how often each answer was given to each item. Items alike in that are
counted, not held, so that a million cost as little as a hundred, and drawing items anew for an
interval is one draw of counts.

Sources: K. Krippendorff: Computing Krippendorff's Alpha-Reliability (2011). J. L. Fleiss:
Measuring Nominal Scale Agreement Among Many Raters. Psychological Bulletin 76 (1971), 378-382.
J. Cohen: A Coefficient of Agreement for Nominal Scales. Educational and Psychological Measurement
20 (1960), 37-46. B. Efron: Bootstrap Methods, Annals of Statistics 7 (1979), 1-26 (percentiles).
E. B. Wilson: Probable Inference, Journal of the American Statistical Association 22 (1927).
D. G. Bonett, T. A. Wright: Sample Size Requirements for Estimating Pearson, Kendall and Spearman
Correlations, Psychometrika 65 (2000), 23-28.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

DRAWS: Final = 1_000
SEED: Final = 20_250_101
Z: Final = 1.959963984540054
"""Deviations of a normal distribution between which 95 % lie."""

Level = Literal["nominal", "ordinal"]
Why = Literal["", "no_data", "one_annotator", "no_overlap", "all_equal", "too_few"]

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_LEAST_DRAWS: Final = 0.9
"""The share of draws that must be defined for their spread to say anything."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with the interval in which it lies with 95 % confidence.

    Attributes:
        value: None when it cannot be told; ``why`` says why. Never nan.
        low: None when there is too little for an interval.
        count: What it was worked out from: items, pairs of answers or votes.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    count: int = 0
    why: Why = ""

    def as_json(self) -> dict[str, Any]:
        """The figure as JSON takes it."""
        found: dict[str, Any] = {"value": self.value, "low": self.low, "high": self.high}
        return {**found, "count": self.count, **({"why": self.why} if self.why else {})}


def alpha(counts: Counts, level: Level = "nominal") -> Figure:
    """Krippendorff's alpha.

    Args:
        counts: How often each item got each answer; shape items by answers. Missing answers are
            not counted, and items with fewer than two count for nothing.
        level: ``ordinal`` if answers are in order.
    """
    patterns, times = _patterns(counts)
    if not len(times):
        return Figure(None, count=0, why=_why(counts))
    each = patterns.sum(axis=1)
    together = patterns[:, :, None] * patterns[:, None, :].astype(np.float64)
    diagonal = np.arange(patterns.shape[1])
    together[:, diagonal, diagonal] -= patterns
    flat = (together / (each - 1)[:, None, None]).reshape(len(times), -1)
    kinds = patterns.shape[1]

    def of(weights: Floats) -> Floats:
        matrix = (weights @ flat).reshape(-1, kinds, kinds)
        margins = matrix.sum(axis=2)
        total = margins.sum(axis=1)
        apart = _distance(margins, level)
        observed = (matrix * apart).sum(axis=(1, 2))
        expected = (margins[:, :, None] * margins[:, None, :] * apart).sum(axis=(1, 2))
        return _beyond_chance(observed, expected / (total - 1))

    return _with_interval(of, times)


def fleiss(counts: Counts) -> Figure:
    """Fleiss' kappa; with answers missing, the mean over items of the pairs that agree in each."""
    patterns, times = _patterns(counts)
    if not len(times):
        return Figure(None, count=0, why=_why(counts))
    each = patterns.sum(axis=1)
    apart = 1 - (patterns * (patterns - 1)).sum(axis=1) / (each * (each - 1))

    def of(weights: Floats) -> Floats:
        shares = weights @ patterns
        shares = shares / shares.sum(axis=1, keepdims=True)
        disagree = weights @ apart / weights.sum(axis=1)
        return _beyond_chance(disagree, 1 - (shares**2).sum(axis=1))

    return _with_interval(of, times)


def cohen(table: Counts) -> Figure:
    """Cohen's kappa of two people, from how often one gave each answer and the other each."""
    flat = table.reshape(-1)
    kinds = table.shape[0]
    places = np.flatnonzero(flat)
    if not len(places):
        return Figure(None, why="no_overlap")

    def of(weights: Floats) -> Floats:
        matrix = np.zeros((len(weights), kinds * kinds))
        matrix[:, places] = weights
        matrix = matrix.reshape(-1, kinds, kinds)
        total = matrix.sum(axis=(1, 2))
        apart = 1 - np.trace(matrix, axis1=1, axis2=2) / total
        by_chance = (matrix.sum(axis=1) * matrix.sum(axis=2)).sum(axis=1) / total**2
        return _beyond_chance(apart, 1 - by_chance)

    return _with_interval(of, flat[places])


def share(part: int, whole: int) -> Figure:
    """A share with Wilson's interval."""
    if not whole:
        return Figure(None, why="no_data")
    found = part / whole
    middle = (found + Z**2 / (2 * whole)) / (1 + Z**2 / whole)
    half = Z * math.sqrt(found * (1 - found) / whole + Z**2 / (4 * whole**2)) / (1 + Z**2 / whole)
    low = 0.0 if part == 0 else max(0.0, middle - half)
    high = 1.0 if part == whole else min(1.0, middle + half)
    return Figure(found, low, high, whole)


def coin(part: int, whole: int) -> float:
    """How likely a fair coin falls at least as unevenly (binomial test, both sides).

    Exact up to a thousand throws, then by the normal distribution with correction.
    """
    off = abs(2 * part - whole)
    if whole <= 1_000:
        least = (whole + off) // 2
        tail = sum(math.comb(whole, number) for number in range(least, whole + 1))
        return min(1.0, float(2 * tail / 2**whole))
    return min(1.0, math.erfc(max(0.0, off - 1) / math.sqrt(2 * whole)))


def spearman(one: Floats, other: Floats) -> Figure:
    """Spearman's rank correlation; its interval by Fisher's transformation (Bonett and Wright)."""
    size = len(one)
    if size < 4:
        return Figure(None, count=size, why="too_few" if size else "no_data")
    ranks = [_ranks(values) for values in (one, other)]
    first, second = (values - values.mean() for values in ranks)
    spread = math.sqrt(float(first @ first) * float(second @ second))
    if not spread:
        return Figure(None, count=size, why="all_equal")
    found = max(-1.0, min(1.0, float(first @ second) / spread))
    if abs(found) > 1 - 1e-12:
        return Figure(found, found, found, size)
    half = Z * math.sqrt((1 + found**2 / 2) / (size - 3))
    middle = math.atanh(found)
    return Figure(found, math.tanh(middle - half), math.tanh(middle + half), size)


def _ranks(values: Floats) -> Floats:
    """Places from 1; equals share the mean of theirs."""
    _, place, times = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(times)
    middle: Floats = (ends - (times - 1) / 2)[place]
    return middle


def _patterns(counts: Counts) -> tuple[Counts, Counts]:
    """Distinct rows with at least two answers, and how often each occurs."""
    paired = counts[counts.sum(axis=1) > 1]
    if not len(paired):
        return paired, np.zeros(0, np.int64)
    patterns, times = np.unique(paired, axis=0, return_counts=True)
    return patterns.astype(np.int64), times.astype(np.int64)


def _why(counts: Counts) -> Why:
    return "no_overlap" if counts.sum() else "no_data"


def _distance(margins: Floats, level: Level) -> Floats:
    """How far answers are apart, squared; shape draws by answers by answers."""
    kinds = margins.shape[1]
    if level == "nominal":
        return np.broadcast_to(1 - np.eye(kinds), (len(margins), kinds, kinds))
    sums = margins.cumsum(axis=1)
    middle = sums - margins / 2  # of each answer, were all put in a row
    squared: Floats = (middle[:, :, None] - middle[:, None, :]) ** 2
    return squared


def _beyond_chance(observed: Floats, expected: Floats) -> Floats:
    """One less what was observed to what chance would give; nan where chance gives nothing."""
    defined = expected > 1e-12
    found: Floats = np.full(len(observed), np.nan)
    found[defined] = 1 - observed[defined] / expected[defined]
    return found


def _with_interval(of: Callable[[Floats], Floats], times: Counts) -> Figure:
    """Value and percentile interval, items being drawn anew."""
    items = int(times.sum())
    value = float(of(times[None, :].astype(np.float64))[0])
    if math.isnan(value):
        return Figure(None, count=items, why="all_equal")
    if items < 2:
        return Figure(value, count=items)
    generator = np.random.default_rng(SEED)
    drawn = generator.multinomial(items, times / items, DRAWS).astype(np.float64)
    found = of(drawn)
    found = found[~np.isnan(found)]
    if len(found) < _LEAST_DRAWS * DRAWS:
        return Figure(value, count=items)
    low, high = np.percentile(found, [2.5, 97.5]).tolist()
    return Figure(value, low, high, items)
