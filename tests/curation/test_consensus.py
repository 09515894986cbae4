"""Majorities: clear ones count, ties stay ties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.feedback import Feedback, FeedbackEvent
from pipeline.curation.consensus import Consensus, Pair, tally
from tests.factories import a_sample, pair, thumb

SAMPLE = a_sample(1)
FIRST, SECOND = (completion.completion_id for completion in SAMPLE.completions)


def tallied(*events: FeedbackEvent) -> Consensus:
    feedback = Feedback()
    feedback.add(events)
    return tally(feedback)


def the_pair(*events: FeedbackEvent) -> Pair:
    (only,) = tallied(*events).pairs[SAMPLE.sample_id].values()
    return only


@pytest.mark.parametrize(
    ("labels", "verdict"),
    [([True], True), ([False], False), ([True, False], None), ([True, True, False], True)],
)
def test_thumbs_follow_the_majority(labels: list[bool], verdict: bool | None) -> None:
    events = [thumb(SAMPLE, 0, label, f"person {n}") for n, label in enumerate(labels)]
    assert tallied(*events).thumbs[SAMPLE.sample_id][FIRST].verdict() is verdict


def test_skipped_flagged_and_withdrawn_answers_do_not_count() -> None:
    events = [
        thumb(SAMPLE, 0, None, "a"),
        thumb(SAMPLE, 0, True, "b", status="flagged"),
        thumb(SAMPLE, 0, True, "c", status="withdrawn"),
    ]
    assert tallied(*events).thumbs == {}


def test_the_winner_is_the_text_whatever_its_side() -> None:
    shown = the_pair(pair(SAMPLE, "left", "ana"), pair(SAMPLE, "right", "bob", swap=True))
    assert shown.winner() == FIRST
    assert shown.votes() == 2


@pytest.mark.parametrize(
    "choices",
    [
        ["tie"],
        ["both_bad"],
        ["left", "right"],
        ["left", "tie"],
        ["left", "both_bad"],
        ["left", "left", "right", "tie"],
    ],
)
def test_without_more_than_half_there_is_no_winner(choices: list[str]) -> None:
    events = [pair(SAMPLE, choice, f"person {n}") for n, choice in enumerate(choices)]
    assert the_pair(*events).winner() is None


@given(st.lists(st.tuples(st.sampled_from(["left", "right", "tie", "both_bad"]), st.booleans())))
def test_a_winner_has_more_than_half_of_all_votes(choices: list[tuple[str, bool]]) -> None:
    events = [
        pair(SAMPLE, choice, f"person {n}", swap=swap) for n, (choice, swap) in enumerate(choices)
    ]
    if not events:
        return
    for_first = sum((c == "left") != s for c, s in choices if c in ("left", "right"))
    for_second = sum((c == "right") != s for c, s in choices if c in ("left", "right"))
    expected = (
        FIRST if 2 * for_first > len(choices) else SECOND if 2 * for_second > len(choices) else None
    )
    assert the_pair(*events).winner() == expected
