"""The preview, made by the real generation code, without a server."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core import layout
from pipeline.core.projects import make_project
from pipeline.core.schema import Cell, ModelChoice, Project, Seed
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from pipeline.generation.planning import fingerprint
from pipeline.generation.prompting import Prompts
from pipeline.web.visitor import Visitor
from seed_space.handlers import look_over, open_page
from seed_space.screen import FIELDS, show
from seed_space.session import Session
from seed_space.trying import Shown, run
from tests.factories import a_seed
from tests.generation.conftest import settings_for
from tests.llm_server import LlmServer, elsewhere


def html_of(state: Shown) -> str:
    """All that the page takes as HTML."""
    found = []
    for card in state.cards:
        found += [card["question_html"], card["asked_html"]]
        for column in filter(None, card["columns"]):
            found += [column["prompt_html"], column["failed_html"]]
            found += [answer["html"] for answer in column["answers"]]
    return "".join(found)


CELLS = [
    {"topic": "Clay soils", "perspective": "Agronomist"},
    {"topic": "Cover crops", "perspective": "Beginner"},
]


@pytest.fixture
def settings(folder: Path) -> Settings:
    make_project(FolderStore(folder), a_seed(), Project())
    return Settings(project=str(folder))


def shown(
    settings: Settings,
    chosen: object,
    who: Visitor | None = None,
    against: object = None,
    **changes: object,
) -> tuple[list[Shown], Session]:
    session = Session()
    values: list[Any] = open_page(settings, None, session, Visitor()).values
    screen = list({**dict(zip(FIELDS, values, strict=True)), **changes}.values())

    async def collect() -> list[Shown]:
        made = run(settings, None, session, who or Visitor(), chosen, against, screen)
        return [state async for state in made]

    return asyncio.run(collect()), session


def test_samples_come_one_by_one_from_what_is_on_the_screen(settings: Settings) -> None:
    states, session = shown(
        settings, CELLS, domain_expert_prompt="You are a PLOUGHMAN with opinions."
    )
    assert [len(state.cards) for state in states] == [0, 1, 2, 2]
    assert [state.running for state in states] == [True, True, True, False]
    assert len({state.run for state in states}) == 1
    cards = html_of(states[-1])
    assert "PLOUGHMAN" in cards  # in the messages that were sent, though it was never saved
    assert "stand-in" not in cards
    assert "No language model wrote these" in states[-1].status
    seed = a_seed().model_copy(
        update={"domain_expert_prompt": "You are a PLOUGHMAN with opinions."}
    )
    mark = fingerprint(seed, Project().generation)
    assert session.previewed == mark
    assert mark not in states[-1].status  # which is for engineers
    assert mark in look_over(session, list(show(seed))).engineer


def test_the_messages_shown_are_those_sent(settings: Settings) -> None:
    states, _ = shown(settings, CELLS[:1])
    cell = Cell.model_validate(CELLS[0])
    text = re.sub(r"<[^>]+>", "", html_of(states[-1]))
    for message in Prompts(a_seed()).instructions(cell, 4, [], 1):
        assert message["content"].split("\n")[0] in text


def test_a_judge_speaks_in_the_preview_too(folder: Path, settings: Settings) -> None:
    with LlmServer() as server:
        generation = settings_for(
            server.url, judge={"model": {"model": "j", "base_url": server.url}}
        )
        path = folder / "project.json"
        path.write_bytes(Project(generation=generation).to_json())
        states, _ = shown(settings, CELLS[:1])
    notes = [answer["note"] for answer in states[-1].cards[0]["columns"][0]["answers"]]
    assert len(notes) == 2
    for note in notes:
        assert re.fullmatch(r"Judge: [1-5] of 5\. Answer [AB] says what it depends on\.", note)


def test_a_preview_marks_its_step_until_the_words_change(settings: Settings) -> None:
    states, session = shown(settings, CELLS[:1])
    assert not states[-1].running
    values = open_page(settings, None, Session(), Visitor()).values
    assert look_over(session, values).marks["preview"]["mark"] == "done"
    values[3] = "Somebody else."
    assert look_over(session, values).marks["preview"]["mark"] == "open"


@pytest.mark.parametrize(
    ("chosen", "changes", "message"),
    [
        ([], {}, "nothing to write about"),
        (CELLS, {"topics": []}, "nothing to write about"),
        ("rubbish", {}, "did not arrive"),
        (CELLS, {"domain_expert_prompt": "x" * 10_000_000}, "10,000,000 characters"),
        (CELLS, {"language": "?"}, "not a language code"),
    ],
)
def test_what_cannot_be_previewed_is_told(
    settings: Settings, chosen: object, changes: dict[str, Any], message: str
) -> None:
    states, _ = shown(settings, chosen, **changes)
    assert message in states[-1].status
    assert 'role="alert"' in states[-1].status
    assert states[-1].cards == ()
    assert not states[-1].running


def with_model(folder: Path, choice: ModelChoice) -> None:
    project = Project()
    project.generation.models = [choice]
    (folder / layout.PROJECT).write_bytes(project.to_json())


def test_an_unreachable_model_is_an_error_and_not_a_card(settings: Settings, folder: Path) -> None:
    with_model(folder, ModelChoice(model="maker/model", base_url="http://127.0.0.1:9/v1"))
    states, session = shown(settings, CELLS)
    assert 'role="alert"' in states[-1].status
    assert states[-1].cards == ()
    assert session.previewed is None


def test_a_visitor_without_a_token_cannot_spend_the_owners(folder: Path) -> None:
    make_project(FolderStore(folder), a_seed(), Project())
    with_model(folder, ModelChoice(model="maker/model"))
    settings = Settings(project=str(folder), hf_token="hf_owner", on_space=True)
    states, _ = shown(settings, CELLS, who=Visitor())
    assert "signed in" in states[-1].status
    assert "hf_owner" not in repr(states)


def test_the_key_goes_only_where_the_owner_of_the_space_said(settings: Settings) -> None:
    folder = Path(settings.project)
    with LlmServer(key="sk-owner") as server:
        url = elsewhere(server)
        host = url.split("/")[2]
        with_model(folder, ModelChoice(model="maker/model", base_url=url))
        states, _ = shown(replace(settings, api_key="sk-owner"), CELLS)
        assert f"SEEDBED_API_HOST={host}" in states[-1].status
        assert server.requests == []
        named = replace(settings, api_key="sk-owner", api_hosts=frozenset({host}))
        states, _ = shown(named, CELLS)
        assert len(states[-1].cards) == 2


def test_hostile_words_are_harmless_in_a_card(settings: Settings) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>[a](javascript:alert(1))"
    states, _ = shown(
        settings,
        [{"topic": hostile, "perspective": hostile}],
        topics=[hostile],
        perspectives=[hostile],
        domain_expert_prompt=hostile,
        domain=hostile,
    )
    assert states[-1].cards
    for html in (html_of(states[-1]), states[-1].status):
        assert "<script" not in html
        assert "<img" not in html
        assert 'href="javascript' not in html


def test_stopping_early_ends_all_calls(settings: Settings) -> None:
    async def first_only() -> int:
        session = Session()
        values = open_page(settings, None, session, Visitor()).values
        made = run(settings, None, session, Visitor(), CELLS, None, values)
        async for state in made:
            if state.cards:
                break
        await made.aclose()
        return len([task for task in asyncio.all_tasks() if not task.done()])

    assert asyncio.run(first_only()) == 1


def test_an_empty_seed_is_told_not_to_be_ready(folder: Path) -> None:
    make_project(FolderStore(folder), Seed(), Project())
    states, _ = shown(Settings(project=str(folder)), [])
    assert "Add at least one topic" in states[-1].status
