"""What all votes come to, counted from columns."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings

from pipeline.core.feedback import FeedbackEvent
from pipeline.curation.consensus import settle
from pipeline.curation.judgements import Judgements
from pipeline.curation.outcomes import outcomes
from pipeline.curation.picking import kto, preference, sft
from tests.curation.histories import SAMPLES, histories
from tests.factories import a_sample, pair, thumb


@given(histories)
@settings(deadline=None, max_examples=60)
def test_they_are_what_the_samples_come_to_one_by_one(history: list[FeedbackEvent]) -> None:
    # The card sends no blank text; columns tell only that there is one.
    told = [event for event in history if event.text is None or event.text.strip()]
    consensus = settle(Judgements.of(told))
    found = outcomes(consensus)
    verdicts = list(consensus)
    assert found.accepted == sum(bool(one.accepted()) for one in verdicts)
    assert found.disputed == sum(one.disputed for one in verdicts)
    reviewed = Counter(one.exam.status for one in verdicts if one.exam is not None)
    assert {k: n for k, n in found.tasks.get("exam", {}).items() if n} == reviewed
    pairs = found.tasks.get("pairwise", {"won": 0})
    assert pairs["won"] == sum(len(one.pairs) for one in verdicts)
    rows = [row for s in SAMPLES for row in kto(s, consensus.of(s.sample_id), {})]
    labels = Counter(row.facts["label"] for row in rows)
    assert (found.good, found.bad) == (labels[True], labels[False])
    won = [row for s in SAMPLES for row in preference(s, consensus.of(s.sample_id), {})]
    assert found.rows["preference"] == len(won)
    texts = [row for s in SAMPLES for row in sft(s, consensus.of(s.sample_id), {})]
    twice = sum(event.task == "edit" for event in told)
    assert 0 <= found.rows["sft"] - len(texts) <= twice
    stars = [one.rating for verdict in verdicts for one in verdict.completions if one.rating]
    expected = Counter(int(mean + 0.5) for mean in stars)
    assert found.stars == (tuple(expected[n] for n in range(1, 6)) if stars else ())


def test_questions_are_counted_by_how_they_stand() -> None:
    one, two, three, four = (a_sample(number) for number in range(4))
    events = [
        thumb(one, 0, True),
        thumb(one, 1, False),
        thumb(two, 0, True),
        thumb(two, 0, False, "bob"),
        pair(one, "left"),
        pair(two, "tie"),
        pair(three, "both_bad"),
        pair(four, "left"),
        pair(four, "right", "bob"),
    ]
    found = outcomes(settle(Judgements.of(events)))
    assert found.tasks == {
        "thumbs": {"good": 1, "bad": 1, "disputed": 1, "open": 0},
        "pairwise": {"won": 1, "tie": 1, "both_bad": 1, "disputed": 1, "open": 0},
    }
    assert (found.judged, found.accepted, found.disputed) == (4, 1, 2)
    assert outcomes(settle(Judgements.of([]))).tasks == {}
