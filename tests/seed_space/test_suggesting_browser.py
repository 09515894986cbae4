"""Suggestions in a real browser, from a model on the loopback; one Space for all tests here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from pipeline.core import layout
from pipeline.core.projects import load_seed, make_project
from pipeline.core.schema import ModelChoice, Project
from pipeline.core.store_folder import FolderStore
from tests.conftest import NewPage
from tests.factories import a_seed
from tests.llm_server import Fault, Latency, LlmServer
from tests.seed_space.test_browser import enter, go, rows, wait_for
from tests.spaces import RunningSpace

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("suggesting")]  # they share one Space

FIRST = ["Drainage", "Clay soil", "Hedges", "<b>Weeds</b> & more", "Silage"]
OTHERS = ["Markets", "Drainage", "Bees"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("suggesting") / "project"


@pytest.fixture(scope="module")
def space(place: Path) -> Iterator[RunningSpace]:
    make_project(FolderStore(place), a_seed(), Project())
    with RunningSpace("seed_space", {"SEEDBED_PROJECT": str(place)}) as running:
        yield running


def use(place: Path, server: LlmServer) -> None:
    project = Project()
    project.generation.models = [ModelChoice(model="m", base_url=server.url)]
    (place / layout.PROJECT).write_bytes(project.to_json())


def test_suggestions_are_taken_one_by_one(
    space: RunningSpace, place: Path, new_page: NewPage
) -> None:
    answers = iter([FIRST, OTHERS])
    page = new_page()
    with LlmServer(script=lambda _: json.dumps(next(answers))) as server:
        use(place, server)
        enter(page, space.url)
        go(page, "Topics")
        part = page.locator("#suggest-topics")
        part.get_by_role("button", name="Suggest topics").focus()
        page.keyboard.press("Enter")
        chips = part.locator("li")
        # Like one that is there, and what is no name, never come.
        expect(chips).to_have_count(3)
        expect(part).to_contain_text("Nothing is in your list until you add it")
        assert rows(page, "topics") == a_seed().topics
        expect(part.get_by_role("button", name="Add Drainage")).to_be_focused()
        page.keyboard.press("Enter")
        assert rows(page, "topics") == [*a_seed().topics, "Drainage"]
        part.get_by_role("button", name="Dismiss Hedges").click()
        expect(chips).to_have_count(1)
        page.get_by_label("Add a topic").fill("silage")
        expect(chips).to_have_count(0)  # somebody typed it meanwhile
        page.get_by_label("Add a topic").fill("")

        part.get_by_role("button", name="Suggest others").click()
        expect(chips).to_have_count(2)
        asked = server.requests[-1].messages[-1]["content"]
        assert "- Hedges" in asked
        part.get_by_role("button", name="Add all").click()
        assert rows(page, "topics")[-2:] == ["Markets", "Bees"]
        expect(chips).to_have_count(0)
    assert load_seed(FolderStore(place)).seed == a_seed()


def test_a_model_that_fails_or_is_slow_is_told_and_stopped(
    space: RunningSpace, place: Path, new_page: NewPage
) -> None:
    page = new_page()
    with LlmServer(script=lambda _: '["Shepherd"]', latency=Latency(1.0)) as server:
        use(place, server)
        server.fail(Fault(status=429, retry_after="99", message="too many", first=2))
        enter(page, space.url)
        go(page, "Perspectives")
        part = page.locator("#suggest-perspectives")
        for _ in range(2):
            part.get_by_role("button", name="Suggest perspectives").click()
            expect(part.get_by_role("alert")).to_contain_text("less often")
            expect(part.get_by_role("alert")).to_contain_text("again later")
        server.latency = Latency(20.0)
        part.get_by_role("button", name="Suggest perspectives").click()
        wait_for(lambda: len(server.requests) == 3)
        part.get_by_role("button", name="Stop").click()
        expect(part).to_contain_text("Stopped")
        wait_for(lambda: server.calls[2].sent is None and server.calls[2].outcome in ("", "gone"))
        server.latency = Latency(0)
        part.get_by_role("button", name="Suggest perspectives").click()
        expect(part.locator("li")).to_have_count(1)


def test_without_a_language_model_nothing_is_made_up(
    space: RunningSpace, place: Path, new_page: NewPage
) -> None:
    (place / layout.PROJECT).write_bytes(Project().to_json())
    page = new_page(viewport={"width": 360, "height": 740}, locale="de-DE")
    page.goto(space.url)
    expect(page.locator("body[data-seedbed=ready]")).to_be_attached()
    page.goto(f"{space.url}/#topics")
    part = page.locator("#suggest-topics")
    for _ in range(2):
        part.get_by_role("button", name="Themen vorschlagen").click()
        expect(part).to_contain_text("Vorschläge brauchen ein Sprachmodell")
        expect(part).to_contain_text("project.json")
    expect(part.locator("li")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
