"""The same thumb for many answers, as ordinary votes, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate_space.marking import MOST, Marked, mark, unmark
from annotate_space.people import Person
from annotate_space.service import AnnotateService
from pipeline.core.feedback import FeedbackEvent
from pipeline.core.projects import load_feedback
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from tests.factories import a_sample, fill, thumb

SAMPLES = [a_sample(number) for number in range(3)]
LEA = Person("lea", "lea", "hub")
EVERY = [
    Marked(sample.sample_id, completion.completion_id)
    for sample in SAMPLES
    for completion in sample.completions
]


@pytest.fixture
def service(folder: Path) -> Iterator[AnnotateService]:
    """Bo found the first answer not good; Lea found it not good, and flagged the second."""
    store = FolderStore(folder)
    fill(store, SAMPLES)
    events = [
        thumb(SAMPLES[0], 0, False, "bo"),
        thumb(SAMPLES[0], 0, False, "lea", received_at="2026-01-01T00:00:00.000Z"),
        thumb(SAMPLES[0], 1, None, "lea", status="flagged", reason="odd"),
    ]
    data = "".join(event.to_line() + "\n" for event in events).encode()
    store.commit({"feedback/2026/01/01/x-000001.jsonl": data}, message="Add votes")
    made = AnnotateService(Settings(project=str(folder)))
    yield made
    made.close()


def votes(service: AnnotateService) -> dict[tuple[str, str | None], FeedbackEvent]:
    """What counts of everybody, once it is in the dataset."""
    service.syncer.flush()
    current = load_feedback(service.store).current()
    return {(event.annotator, event.completion_id): event for event in current}


def test_each_answer_gets_an_ordinary_vote(service: AnnotateService) -> None:
    told = mark(service, LEA, [*EVERY, EVERY[0]], True, "a" * 32)
    assert told == {
        "marked": 5, "same": 0, "flagged": 1, "gone": 0, "left": [EVERY[1].completion_id],
    }  # fmt: skip
    found = votes(service)
    for answer in (EVERY[0], *EVERY[2:]):
        event = found["lea", answer.completion_id]
        assert (event.task, event.status, event.label) == ("thumbs", "submitted", True)
        assert event.verdict is None
    assert found["lea", EVERY[1].completion_id].status == "flagged"
    assert found["bo", EVERY[0].completion_id].label is False


def test_nothing_is_marked_twice(service: AnnotateService) -> None:
    mark(service, LEA, EVERY, True, "a" * 32)
    events = service.board.totals()["thumbs"].answered
    assert mark(service, LEA, EVERY, True, "a" * 32)["marked"] == 5  # its reply was lost
    assert mark(service, LEA, EVERY, True, "b" * 32)["same"] == 5
    assert service.board.totals()["thumbs"].answered == events
    gone = mark(
        service, LEA, [Marked("none", "none"), Marked(EVERY[0].sample_id, "none")], True, ""
    )
    assert (gone["marked"], gone["gone"]) == (0, 2)


def test_all_of_it_is_taken_back_at_once(service: AnnotateService) -> None:
    mark(service, LEA, EVERY, True, "a" * 32)
    mark(service, LEA, [EVERY[5]], False, "b" * 32)
    before = {EVERY[0].completion_id: False} | {one.completion_id: None for one in EVERY[2:5]}
    for _ in range(2):  # also if the reply was lost
        assert unmark(service, LEA, EVERY, "a" * 32) == {"before": before, "later": 1}
    found = votes(service)
    assert {key for key in found if key[0] == "lea"} == {
        ("lea", EVERY[at].completion_id) for at in (0, 1, 5)
    }
    assert found["lea", EVERY[0].completion_id].label is False
    assert found["lea", EVERY[5].completion_id].label is False
    other = Person("eva", "eva", "hub")
    assert unmark(service, other, EVERY, "a" * 32) == {"before": {}, "later": 0}


def test_as_many_as_may_be_selected_can_be_marked(folder: Path) -> None:
    many = [a_sample(number) for number in range(MOST // 2)]
    fill(FolderStore(folder), many)
    service = AnnotateService(Settings(project=str(folder)))
    answers = [
        Marked(one.sample_id, each.completion_id) for one in many for each in one.completions
    ]
    assert mark(service, LEA, answers, False, "a" * 32)["marked"] == MOST
    assert len(unmark(service, LEA, answers, "a" * 32)["before"]) == MOST
    service.close()
