"""Agreement: equal to published examples, to kept libraries and to the formulae word for word."""

from __future__ import annotations

import itertools
import math
from typing import Literal

import numpy as np
import pytest

from pipeline.curation.kappas import Counts, Figure, alpha, cohen, coin, fleiss, share, spearman

# K. Krippendorff: Computing Krippendorff's Alpha-Reliability (2011), part C: four observers.
KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
# J. L. Fleiss (1971), table 1: 30 patients, six psychiatrists, five diagnoses.
FLEISS = """
    00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031
    00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
"""


def counted(ratings: list[list[int | None]], kinds: int) -> Counts:
    """Raters by items, answers from 1, as items by answers."""
    counts = np.zeros((len(ratings[0]), kinds), np.int64)
    for row in ratings:
        for item, answer in enumerate(row):
            if answer is not None:
                counts[item, answer - 1] += 1
    return counts


def with_gaps(seed: int, raters: int, items: int, kinds: int) -> list[list[int | None]]:
    draw = np.random.default_rng(seed)
    truth = draw.integers(1, kinds + 1, items)
    answers = np.where(
        draw.random((raters, items)) < 0.6, truth, draw.integers(1, kinds + 1, (raters, items))
    )
    missing = draw.random((raters, items)) < 0.4
    return [
        [None if gap else int(answer) for answer, gap in zip(row, gaps, strict=True)]
        for row, gaps in zip(answers, missing, strict=True)
    ]


def literal_alpha(ratings: list[list[int | None]], kinds: int, level: str) -> float:
    """The definition by pairs of values, one at a time."""
    items = ([value for value in item if value is not None] for item in zip(*ratings, strict=True))
    units = [unit for unit in items if len(unit) > 1]
    every = [value for unit in units for value in unit]
    frequency = {kind: every.count(kind) for kind in range(1, kinds + 1)}

    def apart(one: int, other: int) -> float:
        if level == "nominal":
            return float(one != other)
        low, high = sorted((one, other))
        between = sum(frequency[kind] for kind in range(low, high + 1))
        return (between - (frequency[low] + frequency[high]) / 2) ** 2

    observed = sum(
        (apart(unit[i], unit[j]) / (len(unit) - 1))
        for unit in units
        for i, j in itertools.permutations(range(len(unit)), 2)
    )
    expected = sum((apart(a, b) for a in every for b in every), 0.0) / (len(every) - 1)
    return 1 - observed / expected


def value(figure: Figure) -> float:
    assert figure.value is not None
    return figure.value


def test_krippendorffs_example() -> None:
    counts = counted(KRIPPENDORFF, 5)
    assert value(alpha(counts)) == pytest.approx(0.743, abs=5e-4)
    assert value(alpha(counts, "ordinal")) == pytest.approx(0.815, abs=5e-4)


def test_fleiss_example() -> None:
    counts = np.array([[int(digit) for digit in patient] for patient in FLEISS.split()])
    assert counts.sum(axis=0).tolist() == [26, 26, 30, 55, 43]
    assert value(fleiss(counts)) == pytest.approx(0.430, abs=5e-4)


def test_cohens_textbook_example() -> None:
    # 50 proposals, two readers: both yes 20, first only 5, second only 10, both no 15.
    assert value(cohen(np.array([[20, 5], [10, 15]]))) == pytest.approx(0.4)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("level", ["nominal", "ordinal"])
def test_alpha_is_what_its_definition_says(seed: int, level: str) -> None:
    ratings = with_gaps(seed, 5, 60, 4)
    found = alpha(counted(ratings, 4), level)  # type: ignore[arg-type]
    assert value(found) == pytest.approx(literal_alpha(ratings, 4, level), abs=1e-12)
    assert found.low is not None
    assert found.high is not None
    assert found.low < value(found) < found.high


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("level", ["nominal", "ordinal"])
def test_alpha_equals_the_kept_library(seed: int, level: Literal["nominal", "ordinal"]) -> None:
    import krippendorff

    ratings = with_gaps(seed, 6, 80, 5)
    data = np.array([[np.nan if v is None else v for v in row] for row in ratings], float)
    expected = krippendorff.alpha(reliability_data=data, level_of_measurement=level)
    found = alpha(counted(ratings, 5), level)
    assert value(found) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_cohen_equals_the_kept_library(seed: int) -> None:
    from sklearn.metrics import cohen_kappa_score

    one, other = with_gaps(seed, 2, 200, 4)
    both = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    table = np.zeros((4, 4), np.int64)
    for a, b in both:
        table[a - 1, b - 1] += 1
    expected = cohen_kappa_score(*zip(*both, strict=True))
    assert value(cohen(table)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_fleiss_equals_the_kept_library(seed: int) -> None:
    from statsmodels.stats.inter_rater import fleiss_kappa

    draw = np.random.default_rng(seed)
    counts = draw.multinomial(6, [0.5, 0.2, 0.2, 0.1], 90)
    assert value(fleiss(counts)) == pytest.approx(fleiss_kappa(counts), abs=1e-9)


def test_what_cannot_be_told_says_why() -> None:
    one_each = np.array([[1, 0], [0, 1]])
    all_equal = np.array([[3, 0], [2, 0]])
    nothing = np.zeros((0, 2), np.int64)
    for figure in (alpha, fleiss):
        assert figure(one_each) == Figure(None, why="no_overlap")
        assert figure(all_equal) == Figure(None, count=2, why="all_equal")
        assert figure(nothing) == Figure(None, why="no_data")
        assert figure(np.array([[1, 1]])).low is None
    assert cohen(np.zeros((2, 2), np.int64)) == Figure(None, why="no_overlap")
    assert cohen(np.array([[4, 0], [0, 0]])) == Figure(None, count=4, why="all_equal")
    assert spearman(np.arange(3.0), np.arange(3.0)).why == "too_few"
    assert spearman(np.ones(9), np.arange(9.0)).why == "all_equal"
    assert share(0, 0) == Figure(None, why="no_data")


def test_full_agreement_is_one_and_the_interval_tells_how_sure() -> None:
    few, many = (alpha(np.array([[2, 0], [0, 2], [1, 1]] * times)) for times in (5, 500))
    assert alpha(np.array([[2, 0], [0, 2]] * 9)).value == 1
    assert few.high is not None and few.low is not None
    assert many.high is not None and many.low is not None
    assert few.high - few.low > 5 * (many.high - many.low)
    assert few == alpha(np.array([[0, 2], [2, 0], [1, 1]] * 5))


def test_wilsons_interval_and_a_fair_coin() -> None:
    found = share(8, 10)
    assert found.low == pytest.approx(0.4902, abs=1e-4)
    assert found.high == pytest.approx(0.9433, abs=1e-4)
    assert share(0, 5).low == 0
    assert share(5, 5).high == 1
    assert coin(5, 10) == 1
    assert coin(9, 10) == pytest.approx(22 / 1024)
    assert coin(560, 1_001) == pytest.approx(coin(560, 1_000), rel=0.2)


def test_spearman_counts_equals_as_their_mean_rank() -> None:
    one, other = np.array([1.0, 2, 2, 4, 5]), np.array([1.0, 3, 2, 5, 4])
    ranks = np.corrcoef([1, 2.5, 2.5, 4, 5], [1, 3, 2, 5, 4])[0, 1]
    found = spearman(one, other)
    assert value(found) == pytest.approx(ranks)
    assert found.low is not None
    assert -1 < found.low < value(found) < 1
    assert math.isclose(value(spearman(one, -one)), -1)
