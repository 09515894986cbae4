"""Preview and coverage in a real browser."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pipeline.core import layout
from pipeline.core.projects import load_seed, make_project
from pipeline.core.samples import to_parquet
from pipeline.core.schema import ModelChoice, Project, Quota
from pipeline.core.store_folder import FolderStore
from pipeline.generation.planning import fingerprint
from tests.conftest import NewPage
from tests.factories import a_sample, a_seed, thumb
from tests.generation.conftest import settings_for
from tests.llm_server import LlmServer
from tests.seed_space.test_browser import enter, go, save
from tests.spaces import RunningSpace

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("trying")]  # they share one Space


@dataclass(frozen=True)
class Stage:
    """A Space whose project is as new for each test."""

    url: str
    folder: Path
    server: LlmServer


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage") / "project"
    make_project(FolderStore(folder), a_seed(), Project())
    with (
        LlmServer() as server,
        RunningSpace("seed_space", {"SEEDBED_PROJECT": str(folder)}) as space,
    ):
        yield Stage(space.url, folder, server)


@pytest.fixture
def stage(running: Stage) -> Stage:
    store = FolderStore(running.folder)
    project = Project(generation=settings_for(running.server.url))
    samples = [a_sample(n, perspective=["Agronomist", "Beginner"][n % 2]) for n in range(5)]
    vote = thumb(samples[0], 0, True).to_line().encode()
    store.commit(
        {
            layout.SEED: a_seed().to_json(),
            layout.PROJECT: project.to_json(),
            layout.sample_shard("run", 0): to_parquet(samples),
            "feedback/2026/01/01/a-000001.jsonl": vote,
        },
        message="As new",
    )
    return running


def write(page: Page, count: int = 3) -> None:
    page.locator("#preview-make").click()
    expect(page.locator("#preview-cards article")).to_have_count(count)
    expect(page.locator("#preview-make")).to_be_enabled()


def test_good_bad_and_fix_make_examples_and_rules_at_once(stage: Stage, new_page: NewPage) -> None:
    page = new_page()
    enter(page, stage.url)
    go(page, "Preview")
    write(page)
    mark = fingerprint(a_seed(), settings_for(stage.server.url))
    assert mark not in page.locator("#preview-status").inner_text()
    assert "a/one" not in page.locator("#preview-cards article .label").all_inner_texts()
    page.locator("#preview-engineer > button").click()
    expect(page.locator("#preview-engineer")).to_contain_text(mark)
    cards = page.locator("#preview-cards article")
    question = cards.first.locator(".instruction").inner_text()
    first, second = (cards.first.locator(".answer").nth(index) for index in range(2))

    first.get_by_role("button", name="Good").click()
    expect(first).to_contain_text("among your examples now")
    expect(page.locator("#field-examples li.example")).to_have_count(2)
    first.get_by_role("button", name="Undo").click()
    expect(page.locator("#field-examples li.example")).to_have_count(1)
    first.get_by_role("button", name="Good").focus()
    page.keyboard.press("Enter")

    second.get_by_role("button", name="Bad").click()
    page.keyboard.type("too long.")
    rule = second.get_by_label("The rule for all answers")
    expect(rule).to_have_value("No answer may be like this: too long.")
    rule.fill("Be brief.")
    second.get_by_role("button", name="Add the rule").click()
    expect(second).to_contain_text("among your rules now: “Be brief.”")

    fixed = cards.nth(1).locator(".answer").first
    fixed.get_by_role("button", name="Fix it").click()
    fixed.get_by_label("The answer as it should be").fill("As it should be.")
    fixed.get_by_role("button", name="Keep as an example").click()
    expect(fixed).to_contain_text("among your examples now")

    save(page)
    kept = load_seed(FolderStore(stage.folder)).seed
    assert kept.rules == ["Be brief."]
    added = kept.examples[1:]
    assert added[0].question == question
    assert added[0].answer.endswith(f"it depends. You asked: {question}")
    assert added[1].answer == "As it should be."
    assert all(example.topic and example.perspective for example in added)
    expect(page.locator("#preview-cards article")).to_have_count(3)  # saving leaves them there


def test_two_models_stand_side_by_side_and_below_each_other_on_a_phone(
    stage: Stage, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, stage.url)
    go(page, "Preview")
    page.get_by_text("Two models side by side").click()
    expect(page.get_by_label("On the right")).to_have_value("1")
    write(page)
    columns = page.locator("#preview-cards article").first.locator(".column")
    expect(columns.nth(0)).to_contain_text("a/one says")
    expect(columns.nth(1)).to_contain_text("b/two says")
    expect(columns.nth(1).locator(".side")).to_have_text("b/two")
    left, right = (columns.nth(index).bounding_box() for index in range(2))
    assert left is not None and right is not None
    assert right["x"] > left["x"] + left["width"] - 1
    page.set_viewport_size({"width": 390, "height": 800})
    left, right = (columns.nth(index).bounding_box() for index in range(2))
    assert left is not None and right is not None
    assert right["y"] > left["y"] + left["height"] - 1
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_label("On the right").select_option("other")
    page.get_by_label("Name of the model").nth(1).fill("c/three")
    page.get_by_label("Address of its server").nth(1).fill(stage.server.url)
    page.locator("#preview-make").click()
    expect(columns.nth(1)).to_contain_text("c/three says")


def test_closing_the_page_hangs_up_on_the_model(stage: Stage, new_page: NewPage) -> None:
    hung_up = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        asked = threading.Event()

        def listen() -> None:
            connection, _ = silent.accept()
            with connection:
                while connection.recv(65_536):
                    asked.set()  # and it never answers
            hung_up.set()

        threading.Thread(target=listen, daemon=True).start()
        project = Project()
        project.generation.models = [ModelChoice(model="m", base_url=f"http://127.0.0.1:{port}/v1")]
        project.generation.concurrency = 1
        (stage.folder / layout.PROJECT).write_bytes(project.to_json())
        page = new_page()
        enter(page, stage.url)
        go(page, "Preview")
        page.locator("#preview-make").click()
        assert asked.wait(20)
        page.close()
        assert hung_up.wait(20)


def test_coverage_is_changed_by_keyboard_and_saved(stage: Stage, new_page: NewPage) -> None:
    page = new_page()
    enter(page, stage.url)
    go(page, "Coverage")
    total = page.locator("[data-total=wanted]")
    expect(total).to_have_text("48")
    expect(page.locator("[data-total=written]")).to_have_text("5")
    expect(page.locator("[data-total=accepted]")).to_have_text("1")
    expect(page.locator("#coverage-forecast")).to_contain_text("Write samples in the preview first")
    first = page.get_by_label(
        re.compile("^Clay soils · Agronomist: samples wanted. 3 written, 1 a")
    )
    expect(first).to_have_attribute("placeholder", "12")
    first.focus()
    page.keyboard.type("30")
    # What happens at once is one step; a person is slower than a script.
    expect(page.locator("#undo")).to_contain_text("Clay soils · Agronomist")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.locator("[data-total=off_cells]")).to_have_text("1")
    beginner = page.get_by_label(re.compile("^Clay soils · Beginner: samples"))
    expect(beginner).to_have_attribute("placeholder", "9")
    expect(total).to_have_text("48")
    expect(page.locator("#undo")).to_contain_text("Cover crops · Beginner")
    page.get_by_role("button", name="Switch off Cover crops", exact=True).click()
    expect(page.locator("[data-total=off_cells]")).to_have_text("2")
    expect(page.locator("#undo")).to_contain_text("Cover crops · Agronomist")
    beginner.fill("x")
    expect(page.locator("#field-quotas")).to_contain_text("A number from 0")
    undo = page.locator("#field-quotas").get_by_role("button", name="Undo")
    undo.click()
    expect(page.locator("[data-total=off_cells]")).to_have_text("1")
    save(page)
    quotas = load_seed(FolderStore(stage.folder)).seed.quotas
    assert quotas == [
        Quota(topic="Clay soils", perspective="Agronomist", rows=30),
        Quota(topic="Cover crops", perspective="Beginner", rows=0),
    ]
    go(page, "Coverage")
    page.get_by_role("button", name="Reset to even").click()
    expect(page.locator("[data-total=off_cells]")).to_have_text("0")
    expect(first).to_have_value("")


def test_coverage_on_a_phone_is_a_list_of_topics(stage: Stage, new_page: NewPage) -> None:
    page = new_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    enter(page, stage.url)
    go(page, "Coverage")
    expect(page.locator("[data-total=wanted]")).to_have_text("48")
    page.locator("#field-quotas summary", has_text="Cover crops").click()
    page.get_by_label(re.compile("^Cover crops · Beginner: samples")).fill("40")
    expect(page.locator("#field-quotas summary", has_text="Cover crops")).to_contain_text("42")
    page.get_by_role("button", name="Switch off Cover crops", exact=True).click()
    expect(page.locator("#field-quotas summary", has_text="Cover crops")).to_contain_text("off")
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_hundred_thousand_cells_scroll(stage: Stage, new_page: NewPage) -> None:
    topics = [f"Topic {n}" for n in range(500)]
    views = [f"View {n}" for n in range(200)]
    seed = a_seed().model_copy(update={"topics": topics, "perspectives": views})
    (stage.folder / layout.SEED).write_bytes(seed.to_json())
    page = new_page()
    enter(page, stage.url)
    go(page, "Coverage")
    expect(page.locator("[data-total=wanted]")).to_have_text("48")
    page.get_by_label(re.compile("^Topic 0 · View 0: samples")).focus()
    page.keyboard.press("Control+End")
    last = page.get_by_label(re.compile("^Topic 499 · View 199: samples"))
    expect(last).to_be_focused()
    page.keyboard.type("7")
    expect(page.locator("[data-total=wanted]")).to_have_text("48")
    assert page.locator("#field-quotas .cell").count() < 400
    expect(page.get_by_role("columnheader", name="View 199")).to_be_in_viewport()
    expect(page.get_by_role("rowheader", name="Topic 499")).to_be_in_viewport()


def test_the_steps_speak_german(stage: Stage, new_page: NewPage) -> None:
    page = new_page(locale="de-DE")
    enter_german(page, stage.url)
    page.evaluate("location.hash = '#preview'")
    page.get_by_role("button", name="Proben schreiben").click()
    expect(page.locator("#preview-status")).to_contain_text("Alle 3 Proben sind da.")
    expect(page.get_by_role("button", name="Verbessern").first).to_be_visible()
    page.evaluate("location.hash = '#coverage'")
    expect(page.locator("#coverage-forecast")).to_contain_text("Noch zu schreiben")
    expect(page.get_by_role("button", name="Gleichmäßig verteilen")).to_be_visible()


def enter_german(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator("body[data-seedbed=ready]")).to_be_attached()
