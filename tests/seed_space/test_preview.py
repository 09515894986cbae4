"""The preview, made by the real generation code, without a server."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core import layout
from pipeline.core.errors import InvalidInput
from pipeline.core.projects import make_project
from pipeline.core.quotas import cell_key
from pipeline.core.samples import read_samples
from pipeline.core.schema import Cell, ModelChoice, Project, Quota, Seed
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from pipeline.generation.access import ModelAccess
from pipeline.generation.planning import fingerprint
from pipeline.generation.prompting import Prompts
from pipeline.generation.run import generate
from pipeline.web.visitor import Visitor
from seed_space import outlook
from seed_space.background import Background
from seed_space.handlers import look_over, open_page
from seed_space.screen import FIELDS, show
from seed_space.session import Session
from seed_space.trying import Shown, run
from tests.factories import a_seed
from tests.generation.conftest import settings_for
from tests.llm_server import Fault, Latency, LlmServer, Received, elsewhere


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


def requests_of(server: LlmServer) -> list[str]:
    """What was asked since the last time, in an order that does not depend on timing."""
    asked = [
        json.dumps([r.messages, r.model, r.parameters], sort_keys=True) for r in server.requests
    ]
    server.requests.clear()
    return sorted(asked)


def test_a_preview_asks_byte_for_byte_what_a_batch_asks(folder: Path, settings: Settings) -> None:
    with LlmServer() as server:
        generation = settings_for(
            server.url,
            judge={"model": {"model": "j", "base_url": server.url}},
            instruction_model={"model": "w", "base_url": server.url, "temperature": 1.1},
            evolve_instructions=1,
            completions=3,
        )
        (folder / layout.PROJECT).write_bytes(Project(generation=generation).to_json())
        seed = a_seed().model_copy(
            update={
                "rules": ["Never give doses."],
                "quotas": [
                    Quota(topic=cell.topic, perspective=cell.perspective, rows=1)
                    for cell in a_seed().cells()
                ],
            }
        )
        every = [cell.model_dump() for cell in seed.cells()]
        states, session = shown(
            settings, every, rules=seed.rules, quotas=[q.model_dump() for q in seed.quotas]
        )
        assert len(states[-1].cards) == 4
        previewed = requests_of(server)
        store = FolderStore(folder)
        record = generate(store, seed, generation, ModelAccess(), rows=4, work=store.work_folder)
        assert record.samples == 4
        assert requests_of(server) == previewed
    # instruction, its rewriting, three answers and a judgement, for each cell
    assert len(previewed) == 4 * 6
    marks = {sample.fingerprint for sample in read_samples(store)}
    assert marks == {session.previewed}
    texts = {c["question"] for c in states[-1].cards}
    assert {sample.instruction for sample in read_samples(store)} == texts


MODELS = [{"model": "a/one"}, {"model": "b/two"}]


def test_two_models_answer_the_same_question(folder: Path, settings: Settings) -> None:
    with LlmServer() as server:
        generation = settings_for(server.url, evolve_instructions=1)
        (folder / layout.PROJECT).write_bytes(Project(generation=generation).to_json())
        against = {"mode": "models", "sides": [{**m, "base_url": server.url} for m in MODELS]}
        states, session = shown(settings, CELLS, against=against)
        asked = [r for r in server.requests if not r.wanted]
    last = states[-1]
    assert last.sides == ("a/one", "b/two")
    assert len(last.cards) == 2
    for card in last.cards:
        for side, column in zip(last.sides, card["columns"], strict=True):
            assert [a["text"] for a in column["answers"]] == [
                f"{side} says (0): it depends. You asked: {card['question']}"
            ]
    assert len(asked) == 4
    assert session.previewed is None  # these are not what a batch would make


def test_two_experts_answer_the_same_question(folder: Path, settings: Settings) -> None:
    def say(request: Received) -> str:
        return '["What now?"]' if request.wanted else request.messages[0]["content"].split("\n")[0]

    with LlmServer(script=say) as server:
        (folder / layout.PROJECT).write_bytes(
            Project(generation=settings_for(server.url)).to_json()
        )
        choices = [
            ({"mode": "experts"}, "You are an agronomist"),
            ({"mode": "experts", "version": "other", "text": "You sell seeds."}, "You sell seeds."),
        ]
        for against, held in choices:
            states, _ = shown(
                settings, CELLS[:1], against=against, domain_expert_prompt="You are NEW."
            )
            left, right = states[-1].cards[0]["columns"]
            assert left["answers"][0]["text"] == "You are NEW."
            assert right["answers"][0]["text"].startswith(held)
            assert "You are NEW." in left["prompt_html"]
        states, _ = shown(settings, CELLS[:1], against={"mode": "experts"})
        assert "Both sides describe the same expert." in states[-1].status


def test_a_side_that_fails_leaves_the_other_standing(folder: Path, settings: Settings) -> None:
    with LlmServer(models=("a/one",)) as server:
        (folder / layout.PROJECT).write_bytes(
            Project(generation=settings_for(server.url)).to_json()
        )
        against = {"mode": "models", "sides": [{**m, "base_url": server.url} for m in MODELS]}
        states, _ = shown(settings, CELLS[:1], against=against)
    (card,) = states[-1].cards
    assert card["columns"][0]["answers"]
    assert "no language model of that name" in states[-1].status + (
        (card["columns"][1] or {}).get("failed_html", "")
    )


def test_a_space_calls_only_servers_that_somebody_allowed(folder: Path) -> None:
    make_project(FolderStore(folder), a_seed(), Project())
    inside = {"model": "m", "base_url": "http://169.254.169.254/v1"}
    against = {"mode": "models", "sides": [{"model": "x"}, inside]}
    settings = Settings(project=str(folder), on_space=True)
    states, _ = shown(settings, CELLS, who=Visitor("ana", "hf_ana"), against=against)
    assert "This Space may not call a model at 169.254.169.254" in states[-1].status
    assert "hf_ana" not in repr(states)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(status=401), "does not accept the key"),
        (Fault(status=402), "has no credit left"),
        (Fault(status=404), "no language model of that name"),
        (Fault(status=429, retry_after="3600"), "asked too often"),
        (Fault(text="I would rather talk."), "not in a form that can be used"),
        (Fault(status=400), "did not do what it was asked"),
    ],
)
def test_what_a_model_does_wrong_is_told_with_what_to_do(
    folder: Path, settings: Settings, fault: Fault, message: str
) -> None:
    with LlmServer() as server:
        server.fail(replace(fault, when=lambda r: bool(r.wanted)))
        (folder / layout.PROJECT).write_bytes(
            Project(generation=settings_for(server.url)).to_json()
        )
        states, session = shown(settings, CELLS)
    assert states[-1].cards == ()
    assert message in states[-1].status
    assert 'role="alert"' in states[-1].status
    assert not states[-1].running
    assert session.previewed is None


def test_a_model_that_is_too_slow_is_told(folder: Path, settings: Settings) -> None:
    with LlmServer(latency=Latency(5)) as server:
        generation = settings_for(server.url, timeout=0.1)
        (folder / layout.PROJECT).write_bytes(Project(generation=generation).to_json())
        states, _ = shown(settings, CELLS[:1])
    assert "did not answer in time" in states[-1].status


def test_what_a_preview_took_tells_what_all_would_take(folder: Path, settings: Settings) -> None:
    with LlmServer(latency=Latency(0.02)) as server:
        generation = settings_for(server.url, rows=40)
        priced = [
            m.model_copy(update={"price_in": 1.0, "price_out": 2.0}) for m in generation.models
        ]
        for models, said in ((generation.models, "Cost: not known"), (priced, "Cost: $")):
            project = Project(generation=generation.model_copy(update={"models": models}))
            (folder / layout.PROJECT).write_bytes(project.to_json())
            _, session = shown(settings, CELLS)
            assert len(session.usage) == 2
            values = show(a_seed())
            assert outlook.forecast(session, values) == ""
            found = outlook.count(settings, None, session, Visitor())
            assert (found["rows"], found["cells"]) == (40, [])
            text = outlook.forecast(session, values)
            assert "Still to be written with the words on the screen: 40." in text
            assert said in text
            assert "Time: " in text
            assert "last preview: 2." in text


def test_the_stand_in_costs_nothing_and_says_so(settings: Settings) -> None:
    session = Session()
    values = open_page(settings, None, session, Visitor()).values
    outlook.count(settings, None, session, Visitor())
    assert "costs nothing" in outlook.forecast(session, values)


def test_cells_that_get_nothing_because_all_are_written_are_told(settings: Settings) -> None:
    session = Session()
    values = open_page(settings, None, session, Visitor()).values
    outlook.count(settings, None, session, Visitor())
    session.generation = session.generation.model_copy(update={"rows": 4})
    cells = a_seed().cells()
    made = {cell_key(cell): 1 for cell in cells}
    session.instructions = {fingerprint(a_seed(), session.generation): made}
    assert "Nothing is left" in outlook.forecast(session, values)
    session.instructions = {fingerprint(a_seed(), session.generation): {cell_key(cells[0]): 4}}
    assert "All 4 samples" in outlook.forecast(session, values)
    assert "(3)" in outlook.forecast(session, values)


def test_a_visitor_who_leaves_ends_the_work() -> None:
    ended = threading.Event()

    async def endless() -> AsyncGenerator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    async def watch() -> int:
        background = Background()
        seen = 0
        async for _ in background.stream("ana", endless):
            seen += 1
            if seen == 3:
                background.hang_up("somebody else")
            if seen == 5:
                background.hang_up("ana")
        assert background.under_way == 0
        return seen

    assert asyncio.run(watch()) < 10
    assert ended.wait(5)


def test_what_goes_wrong_in_the_background_is_raised_where_it_is_read() -> None:
    async def broken() -> AsyncGenerator[int]:
        yield 1
        raise InvalidInput("No.", "Do.")

    async def watch() -> None:
        async for _ in Background().stream("ana", broken):
            pass

    with pytest.raises(InvalidInput, match="No"):
        asyncio.run(watch())
