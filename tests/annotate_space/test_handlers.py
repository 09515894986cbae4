"""What the card's server functions accept, and from whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotate_space import handlers
from annotate_space.handlers import Opening
from annotate_space.ui import Handler
from pipeline.core.errors import InvalidInput, NotSignedIn, ProjectNotFound, StoreUnavailable
from pipeline.core.schema import Project
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from tests.factories import a_sample, fill

GUEST = {"who": "Ana María~0a1b2c"}
NOTHING: dict[str, list[str]] = {"exclude": [], "event_ids": []}


@pytest.fixture
def opening(folder: Path) -> Iterator[Opening]:
    fill(FolderStore(folder), [a_sample(1), a_sample(2)])
    made = Opening(Settings(project=str(folder)))
    yield made
    made.close()


def test_a_newcomer_is_asked_for_a_name(opening: Opening) -> None:
    assert handlers.hello(opening, {"who": None}, None) == {"ask_name": True, "domain": "Farming"}


def test_a_guest_is_told_what_there_is(opening: Opening) -> None:
    reply = handlers.hello(opening, GUEST, None)
    assert reply["annotator"] == "Ana María~0a1b2c"
    assert reply["progress"] == {
        "thumbs": {"done": 0, "total": 4},
        "pairwise": {"done": 0, "total": 2},
    }
    more = handlers.more(opening, {**GUEST, "task": "pairwise", "count": 9, **NOTHING}, None)
    assert len(more["items"]) == 2


@pytest.mark.parametrize(
    "who", ["ana", "", "~0a1b2c", "x" * 41 + "~0a1b2c", "a\n~0a1b2c", 5, {}, "ana~zzzzzz"]
)
def test_a_name_that_is_none_is_refused(opening: Opening, who: object) -> None:
    with pytest.raises(InvalidInput, match="who you are"):
        handlers.more(opening, {"who": who, "task": "thumbs", **NOTHING}, None)


def test_a_browser_with_an_unusable_name_is_asked_again(opening: Opening) -> None:
    assert handlers.hello(opening, {"who": "Ana ~ Bob~0a1b2c"}, None)["ask_name"]


def test_a_server_that_is_stopping_takes_nothing_more(opening: Opening) -> None:
    handlers.hello(opening, GUEST, None)
    opening.close()
    with pytest.raises(StoreUnavailable, match="stopping"):
        handlers.hello(opening, GUEST, None)


def test_a_signed_in_person_is_themselves_whatever_they_claim(opening: Opening) -> None:
    assert handlers.hello(opening, GUEST, "bob")["annotator"] == "bob"


def test_where_sign_in_is_asked_for_guests_are_refused(folder: Path) -> None:
    project = Project()
    project.access.annotate = "signed_in"
    fill(FolderStore(folder), [a_sample(1)], project)
    opening = Opening(Settings(project=str(folder), on_space=True))
    for payload in (GUEST, {"who": None}):
        with pytest.raises(NotSignedIn, match="Sign in"):
            handlers.hello(opening, payload, None)
    assert handlers.hello(opening, {}, "bob")["annotator"] == "bob"
    opening.close()


@pytest.mark.parametrize(
    ("handler", "payload", "why"),
    [
        (handlers.more, {"task": "dance", **NOTHING}, "no task 'dance'"),
        (handlers.more, {"task": "thumbs", "exclude": "x"}, "list of at most"),
        (handlers.more, {"task": "thumbs", "exclude": ["x"] * 1_001}, "list of at most"),
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
        handler(opening, {**GUEST, **payload}, None)


def test_the_server_tells_which_events_it_does_not_know(opening: Opening) -> None:
    reply = handlers.check(opening, {**GUEST, "event_ids": ["lost"]}, None)
    assert reply["forgotten"] == ["lost"]
    assert reply["saved"] == []


def test_a_project_made_later_is_found_without_a_restart(folder: Path) -> None:
    opening = Opening(Settings(project=str(folder)))
    with pytest.raises(ProjectNotFound):
        handlers.hello(opening, GUEST, None)
    fill(FolderStore(folder), [a_sample(1)])
    assert handlers.hello(opening, GUEST, None)["progress"]["thumbs"]["total"] == 2
    opening.close()
