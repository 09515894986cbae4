"""What people together say: clear majorities count, ties stay ties, the lead's verdict wins."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.feedback import FeedbackEvent
from pipeline.curation.consensus import (
    CompletionVerdict,
    Consensus,
    ExamVerdict,
    PairVerdict,
    Rules,
    SampleVerdict,
    settle,
)
from pipeline.curation.judgements import Judgements
from tests.curation.histories import ITEM, SAMPLES, histories, shuffled
from tests.curation.reference import Told, told
from tests.factories import a_sample, pair, thumb

SAMPLE = a_sample(1)
FIRST, SECOND = (completion.completion_id for completion in SAMPLE.completions)
METHODS = [Rules(), Rules(method="weighted")]


def settled(*events: FeedbackEvent, rules: Rules | None = None) -> Consensus:
    return settle(Judgements.of(events), rules)


def of(*events: FeedbackEvent, rules: Rules | None = None) -> SampleVerdict:
    return settled(*events, rules=rules).of(SAMPLE.sample_id)


def first_of(*events: FeedbackEvent, **how: object) -> CompletionVerdict:
    found = of(*events, **how).completions  # type: ignore[arg-type]
    return next(one for one in found if one.completion_id == FIRST)


def thumbs(*labels: bool, start: int = 0) -> list[FeedbackEvent]:
    return [thumb(SAMPLE, 0, label, f"person {start + n}") for n, label in enumerate(labels)]


def choices(*preferences: str) -> list[FeedbackEvent]:
    return [pair(SAMPLE, choice, f"person {n}") for n, choice in enumerate(preferences)]


def review(
    annotator: str, option: str | None, text: str | None = None, **more: object
) -> FeedbackEvent:
    return thumb(
        SAMPLE, 0, None, annotator, task="exam", completion_id=None, option=option, text=text,
        status="submitted" if option else "flagged", **more,
    )  # fmt: skip


@pytest.mark.parametrize("rules", METHODS)
@pytest.mark.parametrize(
    ("labels", "verdict"),
    [([True], True), ([False], False), ([True, False], None), ([True, True, False], True)],
)
def test_thumbs_follow_the_majority(labels: list[bool], verdict: bool | None, rules: Rules) -> None:
    found = first_of(*thumbs(*labels), rules=rules)
    assert found.good is verdict
    assert (found.up, found.down) == (labels.count(True), labels.count(False))
    assert found.source == (None if verdict is None else "thumbs")


def test_skipped_flagged_and_withdrawn_answers_do_not_count() -> None:
    found = of(
        thumb(SAMPLE, 0, None, "a"),
        thumb(SAMPLE, 0, True, "b", status="flagged"),
        thumb(SAMPLE, 0, True, "c", status="withdrawn"),
        thumb(SAMPLE, 0, True, "d", repeat=True),
    )
    assert found == SampleVerdict(SAMPLE.sample_id, flags=1)


def test_a_sample_that_nobody_judged_has_nothing() -> None:
    assert settled(thumb(a_sample(2), 0, True)).of("x") == SampleVerdict("x")


def test_the_winner_is_the_text_whatever_its_side() -> None:
    found = of(pair(SAMPLE, "left", "ana"), pair(SAMPLE, "right", "bob", swap=True))
    low, high = sorted((FIRST, SECOND))
    assert found.pairs == (
        PairVerdict(
            FIRST, SECOND, 1.0, 2, 2 * (low == FIRST), 2 * (high == FIRST), 0, 0, 1.0, "votes"
        ),
    )
    assert found.verdicts() == {FIRST: True}
    assert found.completions[0].source == "pair"


@pytest.mark.parametrize("rules", METHODS)
@pytest.mark.parametrize(
    ("given_", "disputed"),
    [
        (["tie"], False),
        (["both_bad"], False),
        (["tie", "tie"], False),
        (["left", "right"], True),
        (["left", "tie"], True),
        (["left", "both_bad"], True),
    ],
)
def test_ties_are_never_turned_into_a_pair(given_: list[str], disputed: bool, rules: Rules) -> None:
    found = of(*choices(*given_), rules=rules)
    assert (found.pairs, found.verdicts(), found.disputed) == ((), {}, disputed)


def test_half_is_no_majority() -> None:
    assert of(*choices("left", "left", "right", "tie")).pairs == ()


def test_fewer_votes_than_asked_settle_nothing() -> None:
    rules = Rules(min_votes=3)
    assert first_of(*thumbs(True, True), rules=rules).good is None
    assert not of(*thumbs(True, False), rules=rules).disputed
    assert first_of(*thumbs(True, True, True), rules=rules).good is True


def test_less_agreement_than_asked_settles_nothing() -> None:
    rules = Rules(min_agreement=0.75)
    assert first_of(*thumbs(True, True, False), rules=rules).good is None
    assert of(*thumbs(True, True, False), rules=rules).disputed
    assert first_of(*thumbs(True, True, True, False), rules=rules).good is True


@pytest.mark.parametrize("rules", [*METHODS, Rules(min_votes=9, min_agreement=1)])
def test_a_leads_verdict_wins(rules: Rules) -> None:
    against = thumbs(True, True, True)
    found = first_of(*against, thumb(SAMPLE, 0, False, "lea", verdict=True), rules=rules)
    assert (found.good, found.source, found.up, found.down) == (False, "lead", 3, 1)
    assert found.agreement == 1.0
    both = of(*against, thumb(SAMPLE, 0, False, "lea", verdict=True),
              thumb(SAMPLE, 0, True, "lou", verdict=True), rules=rules)  # fmt: skip
    assert (both.verdicts(), both.disputed) == ({}, True)


def test_a_verdict_leaves_the_same_persons_vote_as_it_was() -> None:
    vote = thumb(SAMPLE, 0, True, "lea", received_at="2026-01-01T00:00:00Z")
    verdict = thumb(SAMPLE, 0, False, "lea", verdict=True, received_at="2026-01-02T00:00:00Z")
    later = thumb(SAMPLE, 0, True, "lea", received_at="2026-01-03T00:00:00Z", event_id="later")
    back = verdict.model_copy(
        update={"event_id": "b", "status": "withdrawn", "received_at": "2026-01-04T00:00:00Z"}
    )
    assert first_of(vote, verdict).good is False
    assert first_of(vote, verdict, later).good is False
    found = first_of(vote, verdict, back)
    assert (found.good, found.source, found.up, found.down) == (True, "thumbs", 1, 0)


def test_a_lead_settles_a_pair_as_a_tie() -> None:
    found = of(*choices("left", "left", "right"), pair(SAMPLE, "tie", "lea", verdict=True))
    assert (found.pairs, found.disputed) == ((), False)


def test_stars_have_their_true_mean() -> None:
    stars = [
        thumb(SAMPLE, 0, None, who, task="rate", status="submitted", rating=rating)
        for who, rating in (("a", 5), ("b", 4), ("c", 4))
    ]
    found = of(*stars)
    (one,) = found.completions
    assert one.rating == pytest.approx(13 / 3, abs=1e-15)
    assert (one.ratings, one.good, found.votes, found.agreement) == (3, None, 3, None)


def test_edits_are_kept_in_the_order_of_people() -> None:
    texts = [("eva", "E"), ("ana", "A"), ("bob", " \n")]
    found = of(*[
        thumb(SAMPLE, 0, None, who, task="edit", status="submitted", text=text)
        for who, text in texts
    ])  # fmt: skip
    assert [(edit.annotator, edit.text) for edit in found.edits] == [("ana", "A"), ("eva", "E")]
    assert found.accepted() == {FIRST}


@pytest.mark.parametrize("rules", METHODS)
def test_exam_reviews(rules: Rules) -> None:
    def exam(*events: FeedbackEvent) -> ExamVerdict | None:
        return of(*events, rules=rules).exam

    item = ITEM % "one"
    assert exam(review("a", "one")) == ExamVerdict("approved", "one", None, 1, 1.0)
    assert exam(review("a", "one", item)) == ExamVerdict("corrected", "one", item, 1, 1.0)
    assert exam(review("a", None)) == ExamVerdict("discarded", None, None, 1, 1.0)
    assert exam(review("a", "one"), review("b", "two")) == ExamVerdict(
        "disputed", None, None, 2, 0.5
    )
    assert exam(review("a", "one"), review("b", "one"), review("c", None)) == ExamVerdict(
        "approved", "one", None, 3, 2 / 3
    )
    assert exam(review("a", "one"), review("b", None), review("c", None, verdict=True)) == (
        ExamVerdict("discarded", None, None, 3, 1.0)
    )
    assert of(review("a", "one"), rules=Rules(min_votes=2)).exam == ExamVerdict(
        "open", None, None, 1, 1.0
    )


def test_more_than_two_completions_are_ranked() -> None:
    sample = a_sample(1, ["", "", ""])
    ids = [completion.completion_id for completion in sample.completions]

    def prefer(better: int, worse: int, who: str, preference: str = "left") -> FeedbackEvent:
        return pair(
            sample, preference, who, left_id=ids[better], right_id=ids[worse],
            event_id=f"{who}{better}{worse}",
        )  # fmt: skip

    assert of(prefer(0, 1, "a")).ranking == ()
    ranked = of(prefer(0, 1, "a"), prefer(1, 2, "a"), prefer(0, 1, "b")).ranking
    assert [name for name, _ in ranked] == ids
    circle = of(prefer(0, 1, "a"), prefer(1, 2, "a"), prefer(2, 0, "a"))
    assert [strength for _, strength in circle.ranking] == [0, 0, 0]
    assert [name for name, _ in circle.ranking] == sorted(ids)
    tied = of(prefer(0, 1, "a", "tie"), prefer(1, 2, "a", "both_bad"))
    assert {strength for _, strength in tied.ranking} == {0}
    assert tied.pairs == ()


def as_told(found: SampleVerdict) -> Told:
    exam = found.exam
    return Told(
        good=found.verdicts(),
        up=+Counter({one.completion_id: one.up for one in found.completions}),
        down=+Counter({one.completion_id: one.down for one in found.completions}),
        pairs={
            (one.chosen_id, one.rejected_id, Fraction(one.margin).limit_denominator(100))
            for one in found.pairs
        },
        stars={
            one.completion_id: Fraction(one.rating).limit_denominator(100)
            for one in found.completions
            if one.rating is not None
        },
        edits={(edit.completion_id or "", edit.text, edit.annotator) for edit in found.edits},
        exam=(exam.status, exam.option, exam.correction) if exam else None,
        flags=found.flags,
        votes=found.votes,
        disputed=found.disputed,
    )


@settings(deadline=None)
@given(
    histories,
    st.integers(0, 1_000),
    st.integers(1, 3),
    st.sampled_from([Fraction(0), Fraction(2, 3), Fraction(1)]),
)
def test_any_history_is_settled_as_the_model_says(
    history: list[FeedbackEvent],
    seed: int,
    min_votes: int,
    min_agreement: Fraction,
) -> None:
    rules = Rules(min_votes=min_votes, min_agreement=float(min_agreement))
    found = settle(Judgements.of(shuffled(history, seed)), rules)
    model = told(history, min_votes, min_agreement)
    for one in model.values():
        one.up, one.down = +one.up, +one.down
    assert {v.sample_id: as_told(v) for v in found if v != SampleVerdict(v.sample_id)} == {
        name: one for name, one in model.items() if one != Told()
    }


@settings(deadline=None, max_examples=50)
@given(histories, st.integers(0, 1_000), st.sampled_from(METHODS))
def test_the_order_of_events_changes_nothing(
    history: list[FeedbackEvent], seed: int, rules: Rules
) -> None:
    one, other = (settle(Judgements.of(e), rules) for e in (history, shuffled(history, seed)))
    assert list(one) == list(other)
    assert one.reliability == other.reliability
    for sample in SAMPLES:
        assert one.of(sample.sample_id) == other.of(sample.sample_id)
