"""A ticket is good for one person, one question and one project."""

from __future__ import annotations

import base64

import pytest

from annotate_space.board import Question
from annotate_space.tickets import Tickets
from pipeline.core.errors import InvalidInput

TICKETS = Tickets(b"secret")
PAIR = Question("pairwise", "s" * 200, ("left", "right"))


@pytest.mark.parametrize(
    "question",
    [
        PAIR,
        Question("thumbs", "s", ("c",)),
        Question("rate", "s", ("c",), repeat=True),
        Question("exam", "Prüfung 1"),
        Question("instruction", "slot", topic="t" * 300, perspective="日本"),
    ],
    ids=lambda question: question.task,
)
def test_the_question_comes_back_as_it_was(question: Question) -> None:
    assert TICKETS.open("ana", TICKETS.issue("ana", question)) == question


def test_another_person_or_server_cannot_use_it() -> None:
    ticket = TICKETS.issue("ana", PAIR)
    for tickets, annotator in ((TICKETS, "bob"), (Tickets(b"other"), "ana")):
        with pytest.raises(InvalidInput, match="not belong to a question"):
            tickets.open(annotator, ticket)


def test_a_changed_ticket_is_refused() -> None:
    ticket = TICKETS.issue("ana", PAIR)
    sealed = base64.urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4))
    for place in range(0, len(sealed), 7):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(InvalidInput, match="not belong to a question"):
            TICKETS.open("ana", base64.urlsafe_b64encode(changed).rstrip(b"=").decode())
    for wrong in (ticket[:-4], ticket[4:], "", "é", "a", "=" * 9, None, 5, "A" * 5_000):
        with pytest.raises(InvalidInput, match="not belong to a question"):
            TICKETS.open("ana", wrong)


def test_nothing_can_be_read_off_a_ticket() -> None:
    question = Question("thumbs", "sample", ("completion",), repeat=True)
    ticket = TICKETS.issue("ana", question)
    sealed = base64.urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4))
    for word in (b"sample", b"completion", b"thumbs", b"true"):
        assert word not in sealed
    once = TICKETS.issue("ana", Question("thumbs", "sample", ("completion",)))
    assert sealed[:20] not in base64.urlsafe_b64decode(once + "=" * (-len(once) % 4))
