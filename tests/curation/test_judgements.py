"""Judgements in columns: what ``Feedback`` folds to, whatever the order and the files."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from annotate_space.votes import Standing, Votes
from pipeline.core.feedback import BadLine, Feedback, FeedbackEvent, Key
from pipeline.core.store_folder import FolderStore
from pipeline.curation.judgements import BOTH_BAD, FIRST, SECOND, TIE, Judgements
from tests.curation.histories import files, histories, shuffled
from tests.curation.reference import standing
from tests.factories import a_sample, pair, thumb

SAMPLE = a_sample(1)
Row = tuple[object, ...]


def rows_of(judgements: Judgements) -> list[Row]:
    """Every row as the event that it came from tells it."""
    found = []
    for row in range(len(judgements)):
        value = {
            name: judgements.value(name, row)
            for name in ("annotator", "task", "status", "repeat", "verdict", "option", "duration")
        }
        ids = {
            name: judgements.completions[place].as_py()
            for name in ("completion", "first", "second")
            if (place := int(judgements.value(name, row))) >= 0
        }
        about = tuple(sorted(ids.values()))
        answer = int(judgements.value("answer", row))
        said: object = None
        if value["status"] == "submitted" and value["task"] == "pairwise":
            said = {FIRST: ids["first"], SECOND: ids["second"], TIE: "tie", BOTH_BAD: "both_bad"}[
                answer
            ]
        elif value["status"] == "submitted" and value["task"] in ("thumbs", "rate"):
            said = answer
        received = judgements.frame["received"].iloc[row]
        found.append(
            (
                judgements.samples[int(judgements.value("sample", row))].as_py(),
                *value.values(),
                about,
                said,
                judgements.text(row),
                judgements.comment(row),
                received.strftime("%H:%M:%S"),
            )
        )
    return found


def expected(event: FeedbackEvent) -> Row:
    said: object = None
    if event.status == "submitted":
        if event.task == "pairwise":
            sides = {"left": event.left_id, "right": event.right_id}
            said = sides.get(str(event.preference), event.preference)
        elif event.task in ("thumbs", "rate"):
            said = event.rating if event.task == "rate" else int(bool(event.label))
    every = (event.completion_id, event.left_id, event.right_id)
    return (
        event.sample_id,
        event.annotator,
        event.task,
        event.status,
        bool(event.repeat),
        bool(event.verdict),
        event.option,
        -1 if event.duration_ms is None else event.duration_ms,
        tuple(sorted(name for name in every if name)),
        said,
        event.text,
        event.comment,
        event.received_at[11:19],
    )


@settings(deadline=None, max_examples=60)
@given(histories, st.integers(0, 1_000), st.integers(1, 4))
def test_any_history_folds_as_it_does_elsewhere(
    history: list[FeedbackEvent], seed: int, count: int
) -> None:
    feedback = Feedback()
    feedback.add(history)
    found = Judgements.of(shuffled(history, seed))
    rows = rows_of(found)
    assert sorted(map(repr, rows)) == sorted(repr(expected(e)) for e in feedback.current())
    assert sorted(map(repr, rows)) == sorted(repr(expected(e)) for e in standing(history))
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(folder)
        store.create()
        store.commit(files(shuffled(history, seed + 1), count), message="Add")
        again = Judgements.read(store)
    assert rows_of(again) == rows
    assert again.frame.equals(found.frame)


@settings(deadline=None, max_examples=60)
@given(histories, st.integers(0, 1_000))
def test_the_annotate_space_counts_the_same(history: list[FeedbackEvent], seed: int) -> None:
    votes = Votes()
    rows: dict[Key, int] = {}
    for event in shuffled(history, seed):
        if event.key() in rows:
            votes.replace(rows[event.key()], event)
        else:
            rows[event.key()] = votes.add(votes.person(event.annotator), event)
    there = Counter(
        (key.annotator, key.sample_id, key.task, key.repeat, answer.standing, answer.value)
        for key, row in rows.items()
        if (answer := votes.answer(row)).standing != Standing.WITHDRAWN
    )
    found = Judgements.of(history)
    sides = {FIRST: 0, SECOND: 2, TIE: 1, BOTH_BAD: 1}
    here: Counter[tuple[object, ...]] = Counter()
    for row in range(len(found)):
        task, answer = found.value("task", row), found.value("answer", row)
        number = sides.get(answer, 0) if task == "pairwise" else max(answer, 0)
        here[
            found.value("annotator", row),
            found.samples[found.value("sample", row)].as_py(),
            task,
            found.value("repeat", row),
            Standing[found.value("status", row).upper()],
            number,
        ] += 1
    assert here == there


def test_one_id_for_two_answers_of_a_moment_folds_as_it_does_elsewhere() -> None:
    same = {"event_id": "e", "received_at": "2026-01-01T00:00:00Z"}
    for events in (
        [thumb(SAMPLE, 0, True, **same), thumb(SAMPLE, 0, False, **same)],
        [
            pair(SAMPLE, side, swap=swap, **same)
            for side in ("left", "tie")
            for swap in (False, True)
        ],
        [thumb(SAMPLE, 0, True, comment=text, reason="r", **same) for text in ("a", "b")],
        [thumb(SAMPLE, 0, True, shown_at=at, **same) for at in (None, "2025-01-01T00:00:00Z")],
    ):
        for order in (events, events[::-1]):
            feedback = Feedback()
            feedback.add(order)
            (only,) = feedback.current()
            assert rows_of(Judgements.of(order)) == [expected(only)]


def test_nothing_is_no_error() -> None:
    found = Judgements.of([])
    assert (len(found), found.events, found.counts()) == (0, 0, {})
    assert found.find("x") == -1
    assert list(found.rows("x")) == []


def test_unreadable_lines_are_told(folder: Path) -> None:
    store = FolderStore(folder)
    store.create()
    name = "feedback/2026/01/01/a-000001.jsonl"
    good = thumb(SAMPLE, 0, True).to_line().encode()
    store.commit({name: b"rubbish\n" + b"x" * 1_000_001 + b"\n" + good}, message="Add")
    found = Judgements.read(store)
    assert len(found) == 1
    assert [(line.file, line.number) for line in found.bad_lines] == [(name, 1), (name, 2)]
    assert found.bad_lines[1] == BadLine(name, 2, "1000001 bytes, more than 1000000")


def test_rows_of_a_sample_are_found() -> None:
    samples = [a_sample(number) for number in range(50)]
    events = [thumb(s, index, True, who) for s in samples for index in (0, 1) for who in "ab"]
    found = Judgements.of(events)
    for sample in samples:
        rows = found.rows(sample.sample_id)
        assert len(rows) == 4
        assert {found.samples[found.value("sample", row)].as_py() for row in rows} == {
            sample.sample_id
        }
    assert list(found.rows("none such")) == []


def test_what_people_wrote_is_not_held() -> None:
    def many() -> Iterator[FeedbackEvent]:
        for number in range(3_000):
            yield thumb(SAMPLE, 0, None, f"p{number}", task="edit", status="submitted",
                        text=f"{number} " + "word " * 3_000)  # fmt: skip

    tracemalloc.start()
    try:
        found = Judgements.of(many())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12_000_000  # the texts are 45
    assert (found.text(7) or "").split()[0] == str(found.value("annotator", 7))[1:]
