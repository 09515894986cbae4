"""What the card and scripts may call, and who may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from annotate_space import handlers
from annotate_space.handlers import Caller, Opening
from annotate_space.limits import TooFast
from annotate_space.people import HubUser
from annotate_space.ui import Handler
from pipeline.core.documents.kept import NewDocument, keep_documents, remove_document
from pipeline.core.errors import InvalidInput, ProjectNotFound, StoreUnavailable
from pipeline.core.schema import AnnotationSettings, Project, Span
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from tests.factories import a_sample, fill

NOBODY = Caller()
WHO = {"guest": {"name": "Ana María", "key": "0" * 32}}
Mode = Literal["signed_in", "named", "invitation"]
GUEST: dict[str, Any] = {"who": WHO, "tab": "tab"}
NEXT: dict[str, Any] = {**GUEST, "task": None, "count": 9, "holding": []}


@pytest.fixture
def opening(folder: Path) -> Iterator[Opening]:
    fill(FolderStore(folder), [a_sample(1), a_sample(2)])
    made = Opening(Settings(project=str(folder)))
    yield made
    made.close()


def test_a_newcomer_is_asked_for_a_name(opening: Opening) -> None:
    reply = handlers.hello(opening, {"who": {}}, NOBODY)
    assert reply == {"ask_name": True, "domain": "Farming", "lead": True}


def test_a_guest_is_told_what_there_is(opening: Opening) -> None:
    reply = handlers.hello(opening, GUEST, NOBODY)
    assert (reply["name"], reply["kind"], reply["language"]) == ("Ana María", "guest", "en")
    assert reply["annotator"].startswith("Ana María~")
    assert "0" * 32 not in str(reply)
    assert reply["progress"] == {
        "thumbs": {"done": 0, "left": 4},
        "pairwise": {"done": 0, "left": 2},
    }
    assert len(handlers.next_(opening, {**NEXT, "task": "pairwise"}, NOBODY)["items"]) == 2


def test_a_vote_goes_all_the_way(opening: Opening) -> None:
    item = handlers.next_(opening, NEXT, NOBODY)["items"][0]
    event = {"event_id": "e", "ticket": item["ticket"], "status": "skipped"}
    reply = handlers.submit(opening, {**GUEST, "events": [event]}, NOBODY)
    assert reply["received"] == ["e"]
    assert handlers.check(opening, {**GUEST, "event_ids": ["e", "lost"]}, NOBODY)["forgotten"] == [
        "lost"
    ]


def test_a_server_that_is_stopping_takes_nothing_more(opening: Opening) -> None:
    handlers.hello(opening, GUEST, NOBODY)
    opening.close()
    with pytest.raises(StoreUnavailable, match="stopping"):
        handlers.hello(opening, GUEST, NOBODY)


def test_a_signed_in_person_is_themselves_whatever_they_claim(folder: Path) -> None:
    fill(FolderStore(folder), [a_sample(1)])
    opening = Opening(Settings(project=str(folder), on_space=True))
    assert handlers.hello(opening, GUEST, Caller(HubUser("bob")))["annotator"] == "bob"
    opening.close()


def test_a_guest_who_signed_in_still_sends_what_they_answered_before(folder: Path) -> None:
    fill(FolderStore(folder), [a_sample(1)])
    opening = Opening(Settings(project=str(folder), on_space=True))
    item = handlers.next_(opening, NEXT, NOBODY)["items"][0]
    event = {"event_id": "e", "ticket": item["ticket"], "status": "skipped"}
    sent = handlers.submit(opening, {**GUEST, "events": [event]}, Caller(HubUser("bob")))
    assert sent["received"] == ["e"]
    own = handlers.next_(opening, {**NEXT, "who": {}}, Caller(HubUser("bob")))["items"][0]
    event = {"event_id": "f", "ticket": own["ticket"], "status": "skipped"}
    sent = handlers.submit(opening, {**GUEST, "who": {}, "events": [event]}, Caller(HubUser("bob")))
    assert sent["received"] == ["f"]
    opening.close()


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("signed_in", "sign_in"), ("named", "sign_in"), ("invitation", "invitation")],
)
def test_who_may_not_annotate_is_told_what_to_do(folder: Path, mode: Mode, kind: str) -> None:
    project = Project()
    project.access.annotate = mode
    fill(FolderStore(folder), [a_sample(1)], project)
    opening = Opening(Settings(project=str(folder), on_space=True))
    reply = handlers.hello(opening, GUEST, NOBODY)
    assert (reply["kind"], reply["lead"]) == (kind, False)
    for handler, payload in (
        (handlers.next_, NEXT),
        (handlers.submit, {**GUEST, "events": []}),
        (handlers.check, {**GUEST, "event_ids": []}),
    ):
        with pytest.raises(Exception, match=r"\w") as caught:
            handler(opening, payload, NOBODY)
        assert handlers.failure(caught.value, payload)["kind"] == kind  # type: ignore[arg-type]
    opening.close()


@pytest.mark.parametrize(
    ("handler", "payload", "why"),
    [
        (handlers.next_, {"task": "dance"}, "no task 'dance'"),
        (handlers.next_, {"task": "rate"}, "no task 'rate'"),
        (handlers.next_, {"holding": "x"}, "list of at most"),
        (handlers.next_, {"count": "many"}, "number of questions"),
        (handlers.next_, {"count": True}, "number of questions"),
        (handlers.next_, {"holding": ["x"] * 1_001}, "list of at most"),
        (handlers.next_, {"tab": None}, "which one it is"),
        (handlers.next_, {"tab": "x" * 65}, "which one it is"),
        (handlers.next_, {"who": {}}, "who is at it"),
        (handlers.submit, {"events": "x"}, "list"),
        (handlers.submit, {"events": [1]}, "list"),
        (handlers.submit, {}, "list"),
        (handlers.check, {"event_ids": None}, "list"),
    ],
)
def test_a_message_of_the_wrong_shape_is_refused(
    opening: Opening, handler: Handler, payload: dict[str, Any], why: str
) -> None:
    with pytest.raises(InvalidInput, match=why):
        handler(opening, {**NEXT, **payload}, NOBODY)


def test_one_person_cannot_send_without_end(opening: Opening) -> None:
    for _ in range(200):
        try:
            handlers.check(opening, {**GUEST, "event_ids": []}, NOBODY)
        except TooFast as error:
            assert handlers.failure(error, {})["kind"] == "slow_down"
            assert 0 < handlers.failure(error, {})["retry_after"] < 60
            break
    else:
        pytest.fail("nobody was slowed down")
    other = {"who": {"guest": {"name": "Bob", "key": "1" * 32}}, "tab": "tab"}
    handlers.check(opening, {**other, "event_ids": []}, NOBODY)


def test_a_project_made_later_is_found_without_a_restart(folder: Path) -> None:
    opening = Opening(Settings(project=str(folder)))
    with pytest.raises(ProjectNotFound):
        handlers.hello(opening, GUEST, NOBODY)
    fill(FolderStore(folder), [a_sample(1)])
    assert handlers.hello(opening, GUEST, NOBODY)["progress"]["thumbs"]["left"] == 2
    opening.close()


def _resting(folder: Path, **annotation: object) -> Opening:
    """A project with a document, and a sample that rests on a passage of it."""
    text = "Clay soils smear when they are wet. Plough them when they crumble."
    project = Project(annotation=AnnotationSettings.model_validate(annotation))
    sample = a_sample(1, document="soil.txt", span=Span(start=36, end=len(text)))
    store = FolderStore(folder)
    fill(store, [sample], project)
    keep_documents(store, [NewDocument("soil.txt", b"x", "txt", "", text, None, "seedbed")])
    return Opening(Settings(project=str(folder)))


def test_the_passage_that_a_sample_rests_on_can_be_read(folder: Path) -> None:
    opening = _resting(folder)
    item = handlers.next_(opening, NEXT, NOBODY)["items"][0]
    assert item["passage"] is True
    asked = {**GUEST, "ticket": item["ticket"]}
    text = "Plough them when they crumble."
    assert handlers.passage(opening, asked, NOBODY) == {"text": text}
    remove_document(FolderStore(folder), "soil.txt")
    assert handlers.passage(opening, asked, NOBODY) == {"text": text}
    for ticket in ("forged", None):
        with pytest.raises(InvalidInput):
            handlers.passage(opening, {**asked, "ticket": ticket}, NOBODY)
    opening.close()


def test_a_passage_stays_hidden_where_sources_do(folder: Path) -> None:
    opening = _resting(folder, show_source=False)
    item = handlers.next_(opening, NEXT, NOBODY)["items"][0]
    assert (item["source"], item["passage"]) == ("", False)
    assert handlers.passage(opening, {**GUEST, "ticket": item["ticket"]}, NOBODY) == {"text": ""}
    opening.close()
