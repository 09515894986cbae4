"""Feedback: any history of events folds to what a person would expect."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.feedback import BadLine, Feedback, FeedbackEvent, parse
from tests.factories import a_sample, pair, thumb

SAMPLE = a_sample(1)


def fields(**changes: object) -> dict[str, Any]:
    return {**thumb(SAMPLE, 0, True).model_dump(), **changes}


def folded(*events: FeedbackEvent) -> list[FeedbackEvent]:
    feedback = Feedback()
    feedback.add(events)
    return list(feedback.current())


def at(second: int) -> str:
    return f"2026-01-01T00:00:{second:02d}.000Z"


def test_a_line_holds_every_field_and_reads_back() -> None:
    event = thumb(SAMPLE, 0, True, comment="línea\n“dos”\u2028")
    line = event.to_line()
    assert "\n" not in line
    assert set(json.loads(line)) == set(FeedbackEvent.model_fields)
    assert list(parse(line.encode(), "f")) == [event]


def test_the_newest_answer_counts() -> None:
    old = thumb(SAMPLE, 0, True, received_at=at(1))
    new = thumb(SAMPLE, 0, False, received_at=at(2))
    assert folded(new, old) == [new]
    assert folded(old, new) == [new]


def test_other_people_samples_tasks_and_completions_are_separate() -> None:
    events = (
        thumb(SAMPLE, 0, True),
        thumb(SAMPLE, 1, True),
        thumb(SAMPLE, 0, True, "bob"),
        thumb(a_sample(2), 0, True),
        pair(SAMPLE, "left"),
    )
    assert len(folded(*events)) == 5


def test_a_pair_is_the_same_question_with_its_sides_swapped() -> None:
    old = pair(SAMPLE, "left", received_at=at(1))
    new = pair(SAMPLE, "left", swap=True, received_at=at(2))
    assert folded(old, new) == [new]


def test_withdrawing_takes_back_and_answering_again_counts() -> None:
    given_ = thumb(SAMPLE, 0, True, received_at=at(1))
    back = thumb(SAMPLE, 0, True, status="withdrawn", received_at=at(2))
    again = thumb(SAMPLE, 0, False, received_at=at(3))
    assert folded(given_, back) == []
    assert folded(back, again, given_) == [again]


def test_times_in_other_zones_are_compared_as_moments() -> None:
    early = thumb(SAMPLE, 0, True, received_at="2026-01-01T12:00:00+05:00")
    late = thumb(SAMPLE, 0, False, received_at="2026-01-01T08:00:00Z")
    assert folded(late, early) == [late]
    assert early.received_at == "2026-01-01T07:00:00.000Z"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"completion_id": None}, "completion_id"),
        ({"label": None}, "label"),
        ({"task": "dance"}, "task"),
        ({"status": "done"}, "status"),
        ({"rating": 6}, "rating"),
        ({"received_at": "yesterday"}, "received_at"),
        ({"received_at": "2026-01-01T00:00:00"}, "offset"),
        ({"received_at": "0001-01-01T00:00:00+14:00"}, "received_at"),
        ({"event_id": ""}, "event_id"),
        ({"annotator": "x" * 201}, "annotator"),
        ({"comment": "x" * 4_001}, "comment"),
        ({"duration_ms": -1}, "duration_ms"),
        ({"task": "pairwise", "left_id": "a", "right_id": "a"}, "different sides"),
        ({"task": "pairwise", "left_id": "a", "right_id": "b"}, "preference"),
        ({"schema_version": 2}, "schema_version"),
    ],
)
def test_a_line_that_does_not_fit_is_reported_and_skipped(
    changes: dict[str, Any], named: str
) -> None:
    good = thumb(SAMPLE, 1, True)
    data = f"{json.dumps(fields(**changes))}\n{good.to_line()}\n".encode()
    bad, kept = parse(data, "feedback/x.jsonl")
    assert isinstance(bad, BadLine)
    assert kept == good
    assert str(bad).startswith("feedback/x.jsonl:1: ")
    assert named in bad.reason


@pytest.mark.parametrize(
    "line",
    [b"{", b"null", b"[]", b"\xff\xfe", b'{"a": 1}', b"x" * 2_000_000, b'{"event_id": "\\ud800"}'],
)
def test_any_rubbish_is_reported_with_its_number(line: bytes) -> None:
    good = thumb(SAMPLE, 0, True)
    feedback = Feedback()
    feedback.add(parse(b"\n" + line + b"\n\n" + good.to_line().encode(), "f.jsonl"))
    assert list(feedback.current()) == [good]
    assert [(bad.file, bad.number) for bad in feedback.bad_lines] == [("f.jsonl", 2)]


def test_the_longest_event_that_is_accepted_can_be_read_back() -> None:
    event = thumb(SAMPLE, 0, True, text="\x01" * 20_000, comment="\x01" * 4_000)
    assert list(parse(event.to_line().encode(), "f")) == [event]


_EVENT = st.builds(
    lambda number, index, label, who, second, back: thumb(
        a_sample(number),
        index,
        label,
        who,
        received_at=at(second),
        status="withdrawn" if back else "skipped" if label is None else "submitted",
    ),
    st.integers(0, 2),
    st.integers(0, 1),
    st.sampled_from([True, False, None]),
    st.sampled_from(["ana", "bob"]),
    st.integers(0, 5),
    st.booleans(),
)


@given(st.lists(_EVENT, max_size=25), st.integers(0, 1_000))
def test_order_and_repetition_never_matter(events: list[FeedbackEvent], seed: int) -> None:
    reference: dict[object, FeedbackEvent] = {}
    for event in sorted(events, key=lambda e: (e.received_at, e.event_id)):
        reference[event.key()] = event
    expected = {k: e for k, e in reference.items() if e.status != "withdrawn"}
    shuffled = events + events[::2]
    random.Random(seed).shuffle(shuffled)
    assert {event.key(): event for event in folded(*shuffled)} == expected
