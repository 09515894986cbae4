"""Weights for KTO lie where its authors and TRL want them; sizes are held to published ones."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.curation.advice import balance, enough

COUNTS = st.integers(1, 1_000_000)


@given(COUNTS, COUNTS)
def test_weighted_classes_are_in_proportion(good: int, bad: int) -> None:
    made = balance(good, bad)
    assert made.desirable_weight is not None
    assert made.undesirable_weight is not None
    ratio = made.desirable_weight * good / (made.undesirable_weight * bad)
    assert 1 <= round(ratio, 9) <= 4 / 3
    assert min(made.desirable_weight, made.undesirable_weight) == 1


def test_one_class_alone_cannot_be_weighed() -> None:
    assert balance(5, 0).desirable_weight is None
    assert balance(0, 5).undesirable_weight is None


def test_what_is_missing_counts_from_the_published_sizes() -> None:
    told = {one.way: one.missing for one in enough({"sft": 12_000, "preference": 3_500, "spin": 0})}
    assert told == {"SFT": 0, "ORPO": 3_500, "DPO": 0, "SPIN": 2_000}
