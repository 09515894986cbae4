"""What the lead's search may call, and who may call it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotate_space import searching
from annotate_space.handlers import Caller, Opening
from annotate_space.limits import TooFast
from annotate_space.people import HubUser
from pipeline.core.errors import InvalidInput, NotAllowed
from pipeline.core.schema import AccessSettings, Project
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from tests.factories import a_sample, fill

SAMPLES = [a_sample(number) for number in range(3)]
WHO = {"guest": {"name": "Ana", "key": "0" * 32}}
NOBODY = Caller()
ONE = {"sample_id": SAMPLES[0].sample_id, "completion_id": SAMPLES[0].completions[0].completion_id}
MARK: dict[str, Any] = {"who": WHO, "answers": [ONE], "label": True, "mark": "a" * 32}


@pytest.fixture
def opening(folder: Path) -> Iterator[Opening]:
    fill(FolderStore(folder), SAMPLES)
    made = Opening(Settings(project=str(folder)))
    yield made
    made.close()


def test_a_lead_searches_opens_and_marks(opening: Opening) -> None:
    found = searching.search(opening, {"who": WHO, "text": "field 1"}, NOBODY)
    assert [one["sample_id"] for one in found["results"]] == [SAMPLES[1].sample_id]
    whole = searching.sample(opening, {"sample_id": SAMPLES[1].sample_id, "text": ""}, NOBODY)
    assert whole["question"] == "<p>What should I know about field 1?</p>\n"
    assert searching.mark(opening, MARK, NOBODY)["marked"] == 1
    assert opening.service().board.by_person()[0].annotator.startswith("Ana~")
    assert searching.unmark(opening, MARK, NOBODY)["before"] == {ONE["completion_id"]: None}


def test_a_lead_who_gave_no_name_is_the_owner(opening: Opening) -> None:
    searching.mark(opening, {**MARK, "who": {}}, NOBODY)
    assert [one.annotator for one in opening.service().board.by_person()] == ["owner"]


@pytest.mark.parametrize("name", ["search", "sample", "mark", "unmark"])
def test_only_leads_may(folder: Path, name: str) -> None:
    fill(FolderStore(folder), SAMPLES, Project(access=AccessSettings(leads=["lea"])))
    opening = Opening(Settings(project=str(folder), on_space=True))
    call = getattr(searching, name)
    for caller in (NOBODY, Caller(HubUser("mallory"))):
        with pytest.raises(NotAllowed, match="leads"):
            call(opening, {**MARK, "sample_id": "x", "text": ""}, caller)
    if name == "mark":
        # Whoever signed in is themselves, also where they may not annotate.
        call(opening, {**MARK, "who": {}}, Caller(HubUser("lea")))
        assert [one.annotator for one in opening.service().board.by_person()] == ["lea"]
    opening.close()


@pytest.mark.parametrize(
    "changed",
    [
        {"answers": []},
        {"answers": "all"},
        {"answers": [ONE] * 201},
        {"answers": [{**ONE, "sample_id": None}]},
        {"answers": [7]},
        {"label": None},
        {"mark": "a"},
        {"mark": None},
    ],
)
def test_a_selection_that_is_none_is_refused(opening: Opening, changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        searching.mark(opening, {**MARK, **changed}, NOBODY)
    assert opening.service().board.by_person() == []


@pytest.mark.parametrize(
    "changed",
    [
        {"text": "x" * 401},
        {"text": 7},
        {"state": "odd"},
        {"sort": "odd"},
        {"rating": 5},
        {"rating": "1"},
        {"round": -1},
        {"round": True},
        {"page": 0},
        {"topic": ["x"]},
        {"model": "x" * 401},
    ],
)
def test_a_search_for_what_there_is_not_is_refused(
    opening: Opening, changed: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput):
        searching.search(opening, {"who": WHO, **changed}, NOBODY)


def test_more_marks_than_a_person_can_give_have_to_wait(opening: Opening) -> None:
    many = {**MARK, "answers": [ONE] * 200}
    for _ in range(2):
        searching.mark(opening, many, NOBODY)
    with pytest.raises(TooFast):
        searching.mark(opening, many, NOBODY)
