"""Agreement of a project's judgements: with each other, the judge, themselves and known answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from pipeline.core.controls import control
from pipeline.core.feedback import FeedbackEvent
from pipeline.core.schema import Sample
from pipeline.curation.agreement import Agreement, agreement
from pipeline.curation.judgements import Judgements
from pipeline.curation.kappas import Figure, alpha, cohen
from pipeline.curation.shown import Shown
from tests.factories import a_sample, pair, thumb

SAMPLES = [a_sample(number, topic=("Clay soils", "Ponds")[number % 2]) for number in range(60)]


def figures(
    events: Iterable[FeedbackEvent], samples: Sequence[Sample] = SAMPLES, controls: object = ()
) -> Agreement:
    judgements = Judgements.of(events)
    shown = Shown(judgements)
    assert list(shown.noting(samples)) == list(samples)
    return agreement(judgements, shown, controls)  # type: ignore[arg-type]


def rated(sample: Sample, *ratings: float) -> Sample:
    completions = tuple(
        completion.model_copy(update={"judge_rating": rating})
        for completion, rating in zip(sample.completions, ratings, strict=True)
    )
    return sample.model_copy(update={"completions": completions})


def stars(sample: Sample, rating: int, who: str) -> FeedbackEvent:
    return thumb(sample, 0, None, who, task="rate", status="submitted", rating=rating)


def codes(found: Agreement) -> set[str]:
    return {reading.code for reading in found.readings()}


def test_agreement_by_task_and_topic_is_that_of_the_answers() -> None:
    draw = np.random.default_rng(3)
    labels = draw.random((3, 60)) < np.where(draw.random(60) < 0.5, 0.9, 0.2)
    events = [
        thumb(sample, 0, bool(labels[person, number]), f"p{person}")
        for person in range(3)
        for number, sample in enumerate(SAMPLES)
        if (person + number) % 4
    ]
    there = np.array([[(person + number) % 4 > 0 for number in range(60)] for person in range(3)])
    counts = np.stack([(~labels & there).sum(axis=0), (labels & there).sum(axis=0)], axis=1)
    found = figures(events)
    (thumbs,) = found.tasks
    assert (thumbs.task, thumbs.annotators, thumbs.questions) == ("thumbs", 3, 60)
    assert thumbs.alpha == alpha(counts)
    assert {(one.topic, one.alpha) for one in found.topics} == {
        ("Clay soils", alpha(counts[::2])), ("Ponds", alpha(counts[1::2])),
    }  # fmt: skip


def test_stars_agree_in_order_and_pairs_whatever_their_sides() -> None:
    events = [stars(SAMPLES[n], 1 + (n + who) % 5, f"p{who}") for n in range(30) for who in (0, 1)]
    events += [
        pair(sample, "left" if (n % 2 > 0) != swap else "right", who, swap=swap)
        for n, sample in enumerate(SAMPLES)
        for who, swap in (("a", False), ("b", True))
    ]
    by_task = {one.task: one for one in figures(events).tasks}
    counts = np.zeros((30, 5), np.int64)
    for number in range(30):
        for who in (0, 1):
            counts[number, (number + who) % 5] += 1
    assert by_task["rate"].alpha == alpha(counts, "ordinal")
    assert by_task["pairwise"].alpha.value == 1


def test_a_leads_verdict_is_no_independent_vote() -> None:
    events = [
        thumb(sample, 0, (n + (who == "a")) % 2 > 0, who)
        for n, sample in enumerate(SAMPLES)
        for who in "ab"
    ]
    before = figures(events)
    verdicts = [thumb(sample, 0, True, "lea", verdict=True) for sample in SAMPLES]
    after = figures([*events, *verdicts])
    assert after.tasks == before.tasks
    assert after.biases == before.biases


def test_each_annotator_is_compared_with_what_most_others_say() -> None:
    events = []
    for number, sample in enumerate(SAMPLES):
        truth = number % 3 > 0
        events += [thumb(sample, 0, truth, who) for who in ("ana", "bob", "eva")]
        events.append(thumb(sample, 0, truth if number % 2 else not truth, "odd"))
    found = {one.name: one for one in figures(events).annotators}
    assert found["ana"].with_rest.value == 1
    against = np.array([[10, 20], [10, 20]])  # own answer by the others'
    assert found["odd"].with_rest.value == pytest.approx(cohen(against).value)
    assert found["odd"].votes == 60


def test_a_judge_model_is_compared_with_people() -> None:
    samples = [rated(sample, 5, 2 if n % 4 else 5) for n, sample in enumerate(SAMPLES)]
    events = [pair(sample, "left" if n % 5 else "right") for n, sample in enumerate(samples)]
    events += [thumb(sample, 1, n % 2 == 0) for n, sample in enumerate(samples)]
    events += [stars(sample, 4 if n % 2 else 5, "ana") for n, sample in enumerate(samples)]
    by_task = {one.task: one for one in figures(events, samples).judge}
    assert by_task["pairwise"].changed.count == 45
    assert by_task["pairwise"].changed.value == pytest.approx(9 / 45)
    # Rated 2 in 45: people say good to those with an even number. Rated 5 in 15, all of them even.
    assert by_task["thumbs"].changed.value == pytest.approx(15 / 60)
    assert by_task["rate"].changed.value == pytest.approx(0.5)
    assert by_task["rate"].stars == pytest.approx(0.5)
    # People gave 5, as the judge did, or 4.
    assert by_task["rate"].apart == (0, 0, 0, 30, 30, 0, 0, 0, 0)
    assert by_task["thumbs"].correlation.value is not None
    assert by_task["thumbs"].correlation.value > 0.3
    assert by_task["rate"].correlation.why == "all_equal"


def test_answers_to_repeated_questions_are_compared() -> None:
    events = []
    for number, sample in enumerate(SAMPLES[:20]):
        events.append(pair(sample, "left", "ana"))
        again = "right" if number < 5 else "left"
        events.append(pair(sample, again, "ana", swap=number < 2, repeat=True))
    events.append(thumb(SAMPLES[0], 0, True, "bob", repeat=True))  # the first was taken back
    found = figures(events)
    assert (found.same_again.value, found.same_again.count) == (17 / 20, 20)
    assert found.same_again_kappa.value is not None
    assert found.annotators[0].with_self.value == 17 / 20
    assert "same_again.steady_unsure" in codes(found)  # 17 of 20 may as well be 13


def test_known_answers_tell_who_is_right() -> None:
    ids = [completion.completion_id for completion in SAMPLES[0].completions]
    low, high = sorted(ids)
    sample_id = SAMPLES[0].sample_id
    controls = [
        control(task="thumbs", sample_id=sample_id, completion_ids=(ids[0],), label=True),
        control(
            task="pairwise", sample_id=sample_id, completion_ids=(low, high), preference="right"
        ),
        control(task="rate", sample_id=sample_id, completion_ids=(ids[0],), rating=4),
    ]
    right = "left" if ids[0] == high else "right"
    events = [
        thumb(SAMPLES[0], 0, True, "ana"),
        thumb(SAMPLES[0], 0, False, "bob"),
        thumb(SAMPLES[0], 1, False, "bob"),
        pair(SAMPLES[0], right, "ana"),
        pair(SAMPLES[0], right, "bob", swap=True),
        stars(SAMPLES[0], 4, "ana"),
        stars(SAMPLES[0], 5, "bob"),
    ]
    found = figures(events, controls=controls)
    assert (found.controls.value, found.controls.count) == (0.5, 6)
    by_name = {one.name: one.controls.value for one in found.annotators}
    assert by_name == {"ana": 1, "bob": 0}


def test_sides_lengths_and_haste_are_told() -> None:
    events = [
        pair(sample, "left", f"p{n % 3}", swap=n % 2 == 0, duration_ms=400 if n % 2 else 60_000)
        for n, sample in enumerate(SAMPLES)
    ]
    found = figures(events)
    position, length = found.biases.position, found.biases.length
    assert position.left.value == 1
    assert position.biased()
    assert (length.longer.value, length.longer.count) == (0.5, 60)
    assert length.much_longer.count == 60
    assert found.biases.pace.too_fast.value == 0.5
    assert {"position.left", "length.even", "pace.hasty"} <= codes(found)
    longest = figures(pair(sample, "right") for sample in SAMPLES)
    assert longest.biases.length.longer.value == 1
    assert "length.longer" in codes(longest)
    even = figures(
        pair(sample, "left" if n % 2 else "right", duration_ms=60_000)
        for n, sample in enumerate(SAMPLES)
    )
    assert not even.biases.position.biased()
    assert {"position.even", "pace.calm"} <= codes(even)


def test_exam_reviews_agree_on_what_becomes_of_the_item() -> None:
    samples = [
        sample.model_copy(update={"kind": "exam", "answer": f"right {n}", "completions": ()})
        for n, sample in enumerate(SAMPLES[:10])
    ]
    events = [
        thumb(SAMPLES[n], 0, None, who, task="exam", completion_id=None, status="submitted",
              option=f"right {n}" if n % 3 else "other")
        for n in range(10)
        for who in ("ana", "bob")
    ]  # fmt: skip
    events.append(
        thumb(SAMPLES[1], 0, None, "eva", task="exam", completion_id=None, status="flagged")
    )
    (exam,) = figures(events, samples).tasks
    expected = np.array([[0, 2, 0] if n % 3 == 0 else [2, 0, n == 1] for n in range(10)], np.int64)
    assert exam.alpha == alpha(expected)


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([thumb(s, 0, True) for s in SAMPLES], "agreement.one_annotator"),
        ([thumb(s, 0, True, f"p{n}") for n, s in enumerate(SAMPLES)], "agreement.no_overlap"),
        ([thumb(s, 0, True, w) for s in SAMPLES for w in "ab"], "agreement.all_equal"),
        ([thumb(s, 0, n % 2 > 0, w) for n, s in enumerate(SAMPLES) for w in "ab"],
            "agreement.good"),
        ([thumb(SAMPLES[n], 0, n > 1, w) for n in range(4) for w in "ab"] + [
            thumb(SAMPLES[5], 0, w == "a", w) for w in "ab"], "agreement.weak_unsure"),
    ],
)  # fmt: skip
def test_a_sentence_says_how_far_to_trust_it(events: list[FeedbackEvent], code: str) -> None:
    found = figures(events)
    assert code in codes(found)
    for reading in found.readings():
        assert reading.message.endswith(".")
        assert "nan" not in reading.message


def test_nothing_is_no_error_and_all_is_json() -> None:
    found = figures([])
    assert found.readings() == []
    assert found.same_again == Figure(None, why="no_data")
    json.dumps(found.as_json(), allow_nan=False)
    gone = figures([thumb(a_sample(99), 0, True, who) for who in "ab"])
    assert gone.topics == ()
    json.dumps(gone.as_json(), allow_nan=False)
