"""The Seed Space in a real browser, by keyboard where a person could."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from pipeline.core import layout
from pipeline.core.projects import load_seed, make_project, save_seed
from pipeline.core.schema import ModelChoice, Project, Seed
from pipeline.core.store_folder import FolderStore
from tests.conftest import NewPage
from tests.factories import a_seed
from tests.spaces import RunningSpace

pytestmark = pytest.mark.browser

HOSTILE = (
    "<script>window.hacked=1</script><img src=x onerror='window.hacked=1'>"
    "[a](javascript:window.hacked=1) ![b](http://127.0.0.1:9/spy.png)"
)


@pytest.fixture
def space(folder: Path) -> Iterator[RunningSpace]:
    make_project(FolderStore(folder), a_seed(), Project())
    with RunningSpace("seed_space", {"SEEDBED_PROJECT": str(folder)}) as running:
        yield running


def enter(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.get_by_role("heading", level=2).first).to_be_attached()
    expect(page.locator("body[data-seedbed=ready]")).to_be_attached()
    expect(state(page)).to_have_text(re.compile("saved", re.IGNORECASE))


def state(page: Page) -> Locator:
    return page.locator("#keeper [data-part=state]")


def go(page: Page, step: str) -> None:
    """Open a step by keyboard."""
    button = page.get_by_role("navigation", name="Steps").get_by_role("button", name=step)
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator(f"body[data-step={step.lower()}]")).to_be_attached()


def mark(page: Page, step: str) -> Locator:
    return page.get_by_role("navigation", name="Steps").get_by_role("button", name=step)


def save(page: Page) -> None:
    go(page, "Publish")
    button = page.get_by_role("button", name="Save", exact=True)
    expect(button).to_be_enabled()
    button.press("Enter")
    expect(page.locator("#publish-result")).to_contain_text(re.compile(r"Saved \d"))


def rows(page: Page, step: str) -> list[str]:
    inputs = page.locator(f"#field-{step} .row:not(.new) input")
    return [inputs.nth(i).input_value() for i in range(inputs.count())]


def paste(target: Locator, text: str) -> None:
    target.evaluate(
        """(node, text) => {
            const data = new DataTransfer();
            data.setData("text/plain", text);
            const event = { clipboardData: data, bubbles: true, cancelable: true };
            node.dispatchEvent(new ClipboardEvent("paste", event));
        }""",
        text,
    )


def wait_for(check: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def stored(folder: Path) -> Seed:
    return load_seed(FolderStore(folder)).seed


def test_everything_is_edited_by_keyboard_saved_and_found_again(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    page.get_by_label("Name of the domain").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("Viticulture")
    page.get_by_label("Language").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("ca")
    page.keyboard.press("Tab")

    go(page, "Expert")
    page.get_by_label("The expert").focus()
    page.keyboard.press("Control+End")
    page.keyboard.type(" You make wine.")

    go(page, "Topics")
    page.get_by_label("Add a topic").focus()
    page.keyboard.type("Pruning")
    page.keyboard.press("Enter")
    page.keyboard.type("Harvest")
    page.keyboard.press("Enter")
    page.keyboard.type("Cellar")  # not confirmed, and still kept
    page.get_by_label("Topic 1", exact=True).focus()
    page.keyboard.press("Alt+ArrowDown")
    page.get_by_role("button", name="Remove topic 1").focus()
    page.keyboard.press("Enter")
    assert rows(page, "topics")[:2] == ["Clay soils", "Pruning"]

    go(page, "Perspectives")
    page.get_by_role("button", name="Move perspective 2 up").focus()
    page.keyboard.press("Enter")
    assert rows(page, "perspectives") == ["Beginner", "Agronomist"]

    go(page, "Examples")
    page.get_by_role("button", name="Add an example").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("When do I prune?")
    page.keyboard.press("Tab")
    page.keyboard.type("In winter, when it is dry.")
    page.keyboard.press("Tab")
    page.keyboard.type("Prun")
    page.get_by_role("button", name="Move example 2 up").focus()
    page.keyboard.press("Enter")

    save(page)
    expect(state(page)).to_contain_text("Saved")
    kept = stored(folder)
    assert kept.domain == "Viticulture"
    assert kept.language == "ca"
    assert kept.domain_expert_prompt.endswith(" You make wine.")
    assert kept.topics == ["Clay soils", "Pruning", "Harvest", "Cellar"]
    assert kept.perspectives == ["Beginner", "Agronomist"]
    assert [(e.question, e.topic) for e in kept.examples] == [
        ("When do I prune?", "Pruning"),
        ("When is clay dry enough to plough?", "Clay soils"),
    ]

    page.reload()
    expect(page.locator("body[data-step=publish]")).to_be_attached()
    expect(state(page)).to_have_text("Everything is saved")
    expect(page.locator("[data-part=offer]")).to_be_hidden()
    go(page, "Domain")
    expect(page.get_by_label("Name of the domain")).to_have_value("Viticulture")
    go(page, "Topics")
    assert rows(page, "topics") == kept.topics


def test_a_pasted_list_becomes_rows_and_can_be_undone(
    space: RunningSpace, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    go(page, "Topics")
    paste(page.get_by_label("Add a topic"), "Water\n\nPests\r\nWeeds\n")
    assert rows(page, "topics") == ["Clay soils", "Cover crops", "Water", "Pests", "Weeds"]
    expect(mark(page, "Topics")).to_contain_text("5")
    undo = page.locator("#field-topics").get_by_role("button", name="Undo")
    undo.click()
    assert rows(page, "topics") == ["Clay soils", "Cover crops"]
    grips = page.locator("#field-topics .grip")
    grips.nth(1).drag_to(grips.nth(0))
    assert rows(page, "topics") == ["Cover crops", "Clay soils"]
    undo.click()
    page.get_by_role("button", name="Remove topic 1").click()
    assert rows(page, "topics") == ["Cover crops"]
    undo.click()
    assert rows(page, "topics") == ["Clay soils", "Cover crops"]
    paste(page.get_by_label("Add a topic"), "\n".join(f"topic {i}" for i in range(100_000)))
    expect(page.locator("#field-topics")).to_contain_text("there can be at most 500 topics")
    assert rows(page, "topics") == ["Clay soils", "Cover crops"]


def test_duplicates_are_told_at_once_and_stop_saving(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    go(page, "Topics")
    page.get_by_label("Add a topic").fill("clay SOILS")
    expect(page.locator("#field-topics")).to_contain_text("The same as row 1.")
    expect(mark(page, "Topics")).to_contain_text("needs attention")
    go(page, "Publish")
    expect(page.locator("#publish-summary")).to_contain_text("Before you can save")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#publish-result")).to_contain_text("are the same")
    assert stored(folder) == a_seed()
    page.locator("#publish-summary").get_by_role("button", name="Go to Topics").click()
    expect(page.get_by_role("heading", name="What do people ask about?")).to_be_focused()


def test_a_draft_survives_a_closed_page_and_a_killed_server(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    page.get_by_label("Name of the domain").fill("Never saved")
    go(page, "Topics")
    page.get_by_label("Add a topic").fill("Half typ")
    expect(state(page)).to_contain_text("Not saved yet")
    context = page.context
    page.close()
    space.kill()
    space.start()
    page = context.new_page()
    enter(page, space.url)
    page.get_by_role("button", name="Restore draft").click()
    go(page, "Topics")
    expect(page.get_by_label("Topic 3", exact=True)).to_have_value("Half typ")
    expect(page.locator("[data-part=offer]")).to_be_hidden()
    expect(state(page)).to_contain_text("Not saved yet")
    save(page)
    assert stored(folder).domain == "Never saved"
    page.reload()
    expect(state(page)).to_have_text("Everything is saved")
    expect(page.locator("[data-part=offer]")).to_be_hidden()


def test_a_draft_can_be_discarded_or_left_for_later(space: RunningSpace, new_page: NewPage) -> None:
    page = new_page()
    enter(page, space.url)
    page.get_by_label("Name of the domain").fill("First draft")
    expect(state(page)).to_contain_text("Not saved yet")
    page.reload()
    expect(page.get_by_role("button", name="Restore draft")).to_be_visible()
    page.get_by_label("Name of the domain").fill("Second draft")
    expect(state(page)).to_contain_text("Not saved yet")
    page.reload()
    page.get_by_role("button", name="Discard").click()  # the second
    page.get_by_role("button", name="Restore draft").click()
    expect(page.get_by_label("Name of the domain")).to_have_value("First draft")
    page.reload()
    page.get_by_role("button", name="Discard").click()
    expect(page.locator("[data-part=offer]")).to_be_hidden()
    page.reload()
    expect(page.get_by_label("Name of the domain")).to_have_value("Farming")
    expect(page.locator("[data-part=offer]")).to_be_hidden()


def test_a_conflict_is_settled_part_by_part(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    page.get_by_label("Name of the domain").fill("Mine")
    store = FolderStore(folder)
    now = load_seed(store)
    theirs = now.seed.model_copy(update={"domain": "Theirs", "topics": ["Their topic"]})
    save_seed(store, theirs, expect=now.etag, message="theirs")
    go(page, "Publish")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#publish-result")).to_contain_text("Somebody else saved meanwhile")
    assert stored(folder) == theirs
    page.get_by_role("group", name="Name of the domain").get_by_text("Keep mine").click()
    page.get_by_role("button", name="Save with these choices").click()
    expect(page.locator("#publish-result")).to_contain_text(re.compile(r"Saved \d"))
    assert (stored(folder).domain, stored(folder).topics) == ("Mine", ["Their topic"])
    go(page, "Topics")
    assert rows(page, "topics") == ["Their topic"]
    expect(state(page)).to_contain_text("Saved")


def test_samples_stream_in_and_show_what_was_sent(space: RunningSpace, new_page: NewPage) -> None:
    page = new_page()
    enter(page, space.url)
    go(page, "Expert")
    page.get_by_label("The expert").fill("You are a ploughman who was never saved.")
    go(page, "Preview")
    expect(page.locator("#preview-cells li")).to_have_count(3)
    page.get_by_role("button", name="Write samples").click()
    cards = page.locator("#preview-cards article")
    expect(cards).to_have_count(3)
    expect(page.locator("#preview-status")).to_contain_text("No language model wrote these")
    page.locator("#preview-engineer > button").click()
    expect(page.locator("#preview-engineer code").first).to_have_text(re.compile("^[0-9a-f]{16}$"))
    cards.first.get_by_text("The exact messages that were sent").click()
    expect(cards.first).to_contain_text("You are a ploughman who was never saved.")
    expect(mark(page, "Preview")).to_contain_text("done")


def test_stopping_hangs_up_on_the_model(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    hung_up = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        def listen() -> None:
            connection, _ = silent.accept()
            with connection:
                while connection.recv(65_536):
                    pass  # it is asked, and never answers
            hung_up.set()

        threading.Thread(target=listen, daemon=True).start()
        project = Project()
        project.generation.models = [ModelChoice(model="m", base_url=f"http://127.0.0.1:{port}/v1")]
        project.generation.concurrency = 1
        (folder / layout.PROJECT).write_bytes(project.to_json())
        page = new_page()
        enter(page, space.url)
        go(page, "Preview")
        page.get_by_role("button", name="Write samples").click()
        expect(page.locator("#preview-status")).to_contain_text("0 of 3")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#preview-status")).to_contain_text("Stopped")
        assert hung_up.wait(10)
    (folder / layout.PROJECT).write_bytes(Project().to_json())
    page.get_by_role("button", name="Write samples").click()
    expect(page.locator("#preview-cards article")).to_have_count(3)


def test_hostile_text_is_shown_and_does_nothing(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    seed = a_seed().model_copy(
        update={"domain": HOSTILE[:200], "topics": [HOSTILE], "perspectives": [HOSTILE]}
    )
    seed.examples[0].question = HOSTILE
    seed.examples[0].topic = HOSTILE
    (folder / layout.SEED).write_bytes(seed.to_json())
    page = new_page()
    foreign: list[str] = []
    page.on("request", lambda r: foreign.append(r.url))
    enter(page, space.url)
    for step in ("Topics", "Perspectives", "Examples"):
        go(page, step)
    page.get_by_role("button", name=re.compile("^Example 1:")).click()
    go(page, "Preview")
    page.get_by_role("button", name="Write samples").click()
    card = page.locator("#preview-cards article")
    expect(card).to_have_count(1)
    expect(card).to_contain_text("<script>window.hacked=1</script>")
    card.get_by_text("The exact messages that were sent").click()
    go(page, "Domain")
    page.get_by_role("textbox", name="Description, in one sentence").fill(HOSTILE)
    go(page, "Publish")
    expect(page.locator("#publish-summary")).to_contain_text("<script>")
    for locator in ("#preview-cards", "#publish-summary", "#editor"):
        assert page.locator(f"{locator} img, {locator} [onerror], {locator} script").count() == 0
    assert page.locator("#editor a[href^='javascript']").count() == 0
    assert page.evaluate("window.hacked") is None
    away = [u for u in foreign if not u.startswith((space.url, "data:", "blob:"))]
    assert away == []


def test_ten_megabytes_are_told_and_stay_on_the_screen(
    space: RunningSpace, folder: Path, new_page: NewPage
) -> None:
    page = new_page()
    enter(page, space.url)
    go(page, "Expert")
    field = page.get_by_label("The expert")
    field.evaluate(
        """node => {
            node.value = "x".repeat(10_000_000);
            node.dispatchEvent(new Event("input", { bubbles: true }));
        }"""
    )
    expect(page.locator("#notes-expert")).to_contain_text("10,000,000 characters")
    expect(state(page)).to_contain_text("cannot keep a draft this large")
    go(page, "Publish")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#publish-result")).to_contain_text("at most 20,000 can be kept")
    assert stored(folder) == a_seed()
    assert field.evaluate("node => node.value.length") == 10_000_000


def test_a_phone_sees_every_step_without_scrolling_sideways(
    space: RunningSpace, new_page: NewPage
) -> None:
    page = new_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    enter(page, space.url)
    for step in (
        "Expert",
        "Topics",
        "Perspectives",
        "Examples",
        "Preview",
        "Coverage",
        "Publish",
        "Domain",
    ):
        go(page, step)
        assert page.evaluate("document.documentElement.scrollWidth") == 360, step


def test_a_space_that_is_not_set_up_says_what_to_do(folder: Path, new_page: NewPage) -> None:
    with RunningSpace("seed_space", {"SEEDBED_PROJECT": str(folder)}) as running:
        page = new_page()
        page.goto(running.url)
        expect(page.get_by_role("heading", name="This Space is not set up yet")).to_be_visible()
        expect(page.locator("#setup")).to_contain_text("There is no project")
        expect(page.get_by_label("Name of the domain")).to_be_hidden()
        make_project(FolderStore(folder), a_seed(), Project())
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_label("Name of the domain")).to_have_value("Farming")


def test_a_space_without_a_project_starts_and_says_so(new_page: NewPage) -> None:
    with RunningSpace("seed_space", {"SEEDBED_PROJECT": ""}) as running:
        page = new_page()
        page.goto(running.url)
        expect(page.locator("#setup")).to_contain_text("Set the variable SEEDBED_PROJECT")
