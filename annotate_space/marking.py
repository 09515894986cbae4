"""The same thumb for many answers at once, and back: ordinary votes of whoever gives it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from annotate_space.people import Person
from annotate_space.questions import Question
from annotate_space.service import MAX_EVENTS, AnnotateService
from annotate_space.votes import Standing
from pipeline.core.feedback import Key, now
from pipeline.core.schema import stable_id

MOST: Final = MAX_EVENTS
"""Answers that can be marked at once."""

_BEFORE: Final = (None, False, True)
"""What somebody can have said of an answer before: nothing, or a thumb."""


@dataclass(frozen=True, slots=True, order=True)
class Marked:
    """One answer of a selection."""

    sample_id: str
    completion_id: str

    def key(self, person: Person) -> Key:
        """What a thumb of theirs on it is about."""
        return Key(person.annotator, self.sample_id, "thumbs", self.completion_id)


def mark(
    service: AnnotateService, person: Person, answers: Sequence[Marked], label: bool, name: str
) -> dict[str, Any]:
    """Give a thumb to each of at most ``MOST`` answers.

    What has the same thumb of theirs already gets no other, and what they flagged stays flagged.

    Args:
        service: The project's.
        person: Who gives it.
        answers: What it is given to.
        label: True is up.
        name: Of this marking; the same again changes nothing, and ``unmark`` takes it back by it.

    Returns:
        ``marked``: how many have it by this marking; ``same``, ``flagged``, ``gone``: how many were
        left alone, and why; ``left``: those completions that it is not true of now.
    """
    events = []
    told = {"marked": 0, "same": 0, "flagged": 0, "gone": 0}
    left = []
    for answer in dict.fromkeys(answers):
        if _done(service, person, answer, name):
            told["marked"] += 1
            continue
        if not _exists(service, answer):
            told["gone"] += 1
            left.append(answer.completion_id)
            continue
        stands = service.board.answer(answer.key(person))
        if stands.standing == Standing.FLAGGED:
            told["flagged"] += 1
            left.append(answer.completion_id)
            continue
        before = bool(stands.value) if stands.standing == Standing.SUBMITTED else None
        if before == label:
            told["same"] += 1
            continue
        event_id = _event_id(person, answer, name, before)
        events.append(_event(service, person, answer, label, event_id))
    receipt = service.submit(person, events)
    told["marked"] += len(receipt.received)
    return {**told, "left": left}


def unmark(
    service: AnnotateService, person: Person, answers: Sequence[Marked], name: str
) -> dict[str, Any]:
    """Take the marking ``name`` of ``answers`` back: what they had said before counts again.

    Returns:
        ``before``: by completion what counts again, None is nothing; ``later``: how many were
        answered once more since, and stay.
    """
    given = dict(_given(service, person, answers, name))
    receipt = service.withdraw(person, list(given))
    again = [
        _event(service, person, answer, before, _event_id(person, answer, name, "again"))
        for event_id in receipt.received
        for answer, before in [given[event_id]]
        if before is not None
    ]
    service.submit(person, again)
    before = {given[one][0].completion_id: given[one][1] for one in receipt.received}
    return {"before": before, "later": len(receipt.rejected)}


def _given(
    service: AnnotateService, person: Person, answers: Iterable[Marked], name: str
) -> Iterator[tuple[str, tuple[Marked, bool | None]]]:
    """The events of a marking, each with what it was given to and what stood there before."""
    for answer in dict.fromkeys(answers):
        for before in _BEFORE:
            event_id = _event_id(person, answer, name, before)
            if service.board.knows(event_id):
                yield event_id, (answer, before)


def _done(service: AnnotateService, person: Person, answer: Marked, name: str) -> bool:
    return any(_given(service, person, [answer], name))


def _exists(service: AnnotateService, answer: Marked) -> bool:
    index = service.catalog.index
    number = index.find(answer.sample_id)
    return number >= 0 and index.completion(number, answer.completion_id) >= 0


def _event_id(person: Person, answer: Marked, name: str, before: object) -> str:
    """Tells what was there before, so that nobody has to remember it for taking it back."""
    return stable_id(
        "mark", name, person.annotator, answer.sample_id, answer.completion_id, before
    ) + stable_id(name, answer.completion_id)


def _event(
    service: AnnotateService, person: Person, answer: Marked, label: bool, event_id: str
) -> dict[str, Any]:
    question = Question("thumbs", answer.sample_id, (answer.completion_id,))
    return {
        "event_id": event_id,
        "ticket": service.ticket(person, question),
        "label": label,
        "answered_at": now(),
        "guidelines_version": service.guidelines_version,
    }
