"""On what people differ, and which of it comes first."""

from __future__ import annotations

from collections import Counter, defaultdict

from hypothesis import given, settings

from pipeline.core.feedback import FeedbackEvent
from pipeline.core.schema import TASKS
from pipeline.curation.consensus import Rules, settle
from pipeline.curation.disputes import Disputes
from pipeline.curation.judgements import Judgements
from tests.curation.histories import histories
from tests.curation.reference import standing
from tests.factories import a_sample, pair, thumb

ONE, TWO = a_sample(1), a_sample(2)


def found(*events: FeedbackEvent, rules: Rules | None = None) -> list[tuple[str, str, int, float]]:
    """Task, sample, votes and spread of each that is not settled."""
    judgements = Judgements.of(events)
    disputes = Disputes.of(settle(judgements, rules))
    return [
        (
            TASKS[disputes.task[at]],
            judgements.samples[int(disputes.sample[at])].as_py(),
            int(disputes.votes[at]),
            round(float(disputes.spread[at]), 3),
        )
        for at in range(len(disputes))
        if not disputes.settled[at]
    ]


def stars(rating: int, who: str, **more: object) -> FeedbackEvent:
    return thumb(ONE, 0, None, who, task="rate", status="submitted", rating=rating, **more)


def review(who: str, option: str | None, **more: object) -> FeedbackEvent:
    return thumb(
        ONE, 0, None, who, task="exam", completion_id=None, option=option,
        status="submitted" if option else "flagged", **more,
    )  # fmt: skip


def test_the_most_disputed_comes_first() -> None:
    events = [
        pair(ONE, "left", "ana"), pair(ONE, "tie", "bo"), pair(ONE, "right", "eva"),
        thumb(TWO, 0, True, "ana"), thumb(TWO, 0, False, "bo"),
        thumb(TWO, 1, True, "ana"), thumb(TWO, 1, True, "bo"),
        stars(1, "ana"), stars(5, "bo"),
    ]  # fmt: skip
    assert found(*events) == [
        ("pairwise", ONE.sample_id, 3, 0.667),
        ("thumbs", TWO.sample_id, 2, 0.5),
        ("rate", ONE.sample_id, 2, 0.5),
    ]


def test_a_majority_settles_but_is_still_a_disagreement() -> None:
    events = [thumb(ONE, 0, label, f"p{n}") for n, label in enumerate((True, True, False))]
    assert found(*events) == []
    assert found(*events, rules=Rules(min_agreement=0.9)) == [("thumbs", ONE.sample_id, 3, 0.444)]
    disputes = Disputes.of(settle(Judgements.of(events)))
    assert (disputes.settled.tolist(), disputes.by_lead.tolist()) == ([True], [False])


def test_ratings_next_to_each_other_agree() -> None:
    assert found(stars(4, "ana"), stars(5, "bo")) == []
    assert found(stars(3, "ana"), stars(5, "bo")) == [("rate", ONE.sample_id, 2, 0.125)]
    assert found(stars(1, "ana"), stars(5, "bo"), stars(3, "lea", verdict=True)) == []


def test_exam_reviews_that_differ() -> None:
    assert found(review("ana", "one"), review("bo", "one")) == []
    assert found(review("ana", "one"), review("bo", None)) == [("exam", ONE.sample_id, 2, 0.5)]


def test_a_verdict_settles_and_two_that_differ_do_not() -> None:
    votes = [thumb(ONE, 0, True, "ana"), thumb(ONE, 0, False, "bo")]
    lea = thumb(ONE, 0, True, "lea", verdict=True)
    assert found(*votes, lea) == []
    lou = thumb(ONE, 0, False, "lou", verdict=True)
    assert found(*votes, lea, lou) == [("thumbs", ONE.sample_id, 2, 0.5)]
    assert found(lea, lou) == [("thumbs", ONE.sample_id, 0, 0.0)]


@settings(deadline=None, max_examples=60)
@given(histories)
def test_any_history_has_the_disputes_that_the_plain_rule_finds(
    history: list[FeedbackEvent],
) -> None:
    answers: dict[tuple[str, str, object], Counter[object]] = defaultdict(Counter)
    for event in standing(history):
        flagged = event.task == "exam" and event.status == "flagged"
        if event.repeat or event.verdict or not (event.status == "submitted" or flagged):
            continue
        sides = frozenset((event.left_id, event.right_id))
        chosen = {"left": event.left_id, "right": event.right_id}.get(event.preference or "")
        answer: object = {
            "thumbs": event.label,
            "pairwise": chosen or event.preference,
            "exam": "discard" if flagged else event.text or event.option,
        }.get(event.task)
        if answer is not None:
            about = sides if event.task == "pairwise" else event.completion_id
            answers[event.sample_id, event.task, about][answer] += 1
    expected = Counter(
        (task, sample_id, given.total(), round(1 - _squares(given), 6))
        for (sample_id, task, _), given in answers.items()
        if len(given) > 1
    )
    judgements = Judgements.of(history)
    disputes = Disputes.of(settle(judgements))
    assert expected == Counter(
        (
            TASKS[disputes.task[at]],
            judgements.samples[int(disputes.sample[at])].as_py(),
            int(disputes.votes[at]),
            round(float(disputes.spread[at]), 6),
        )
        for at in range(len(disputes))
        if TASKS[disputes.task[at]] != "rate" and disputes.spread[at] > 0
    )


def _squares(given: Counter[object]) -> float:
    return sum((count / given.total()) ** 2 for count in given.values())


def test_nothing_was_judged() -> None:
    assert len(Disputes.of(settle(Judgements.of([])))) == 0
    assert found(thumb(ONE, 0, None)) == []
